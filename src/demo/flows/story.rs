//! Who runs the workflows, together with whom, and with what.

use serde_json::{Value, json};

use super::{COUNT_WORDS, HARBOUR, LOGBOOK, ORCHARD, READINGS, SIMULATE, SKY_HISTOGRAM};

/// People besides the demo's own user, by the names that they log in with and those that are shown. They have no passwords.
pub const PEOPLE: [(&str, &str); 2] = [("ada", "Ada"), ("emil", "Emil")];

/// A group in a workflow, and what it has run.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The workflow.
    pub workflow: &'static str,
    /// The name of the group.
    pub group: &'static str,
    /// Who made it; none: the demo's user.
    pub owner: Option<&'static str>,
    /// Who else belongs to it, in which role.
    pub members: Vec<(&'static str, &'static str)>,
    /// Parameters that it has besides those of the workflow, as templates have them.
    pub parameters: Option<Value>,
    /// Its runs, the oldest first.
    pub runs: Vec<Run>,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Who starts it; none: the demo's user.
    pub starter: Option<&'static str>,
    /// What it is given.
    pub arguments: Value,
    /// The parameter for which a text is brought, and the text.
    pub text: Option<(&'static str, &'static str)>,
    /// Whether it is canceled while it waits.
    pub is_canceled: bool,
}

/// The group that has something running for as long as the demo is served.
pub const OSCILLATORS: &str = "oscillators";
/// How long that takes, in seconds: longer than a visitor looks.
pub const LONG: u32 = 240;

/// What a long run is given.
pub fn long_run() -> Run {
    given(json!({ "seconds": LONG, "damping": 0.02 }))
}

fn given(arguments: Value) -> Run {
    Run {
        starter: None,
        arguments,
        text: None,
        is_canceled: false,
    }
}

fn counted(text: &'static str, least: u8) -> Run {
    Run {
        text: Some(("text", text)),
        ..given(json!({ "least": least }))
    }
}

/// All groups with their runs: some end well, one of them at the second attempt; two fail; one is canceled; one takes minutes,
/// and one waits for it.
pub fn scenes() -> Vec<Scene> {
    vec![
        Scene {
            workflow: COUNT_WORDS,
            group: "harbour office",
            owner: Some("ada"),
            members: vec![("emil", "VIEWER")],
            parameters: None,
            runs: vec![
                Run {
                    starter: Some("ada"),
                    ..counted(HARBOUR, 4)
                },
                Run {
                    starter: Some("ada"),
                    ..counted(HARBOUR, 1)
                },
            ],
        },
        Scene {
            workflow: COUNT_WORDS,
            group: "orchard keepers",
            owner: Some("emil"),
            members: Vec::new(),
            parameters: None,
            runs: vec![
                Run {
                    starter: Some("emil"),
                    ..counted(ORCHARD, 1)
                },
                Run {
                    starter: Some("emil"),
                    ..counted(READINGS, 1)
                },
            ],
        },
        Scene {
            workflow: COUNT_WORDS,
            group: "night crew",
            owner: None,
            members: vec![("ada", "MEMBER")],
            parameters: None,
            runs: vec![counted(LOGBOOK, 1)],
        },
        Scene {
            workflow: SKY_HISTOGRAM,
            group: "surveys",
            owner: Some("ada"),
            members: vec![("emil", "MEMBER")],
            parameters: Some(json!([
                { "name": "proposal", "label": "Number of the proposal", "dtype": "string", "isRequired": false },
            ])),
            runs: vec![
                Run {
                    starter: Some("ada"),
                    ..given(json!({ "proposal": "26-3-017" }))
                },
                Run {
                    starter: Some("ada"),
                    ..given(json!({
                        "centre": { "ra": 14.2, "dec": -72.1 }, "stars": 20_000, "depth": 24.0, "band": "g",
                        "edges": [18, 20, 21, 22, 22.5, 23, 23.5, 24], "logarithmic": true,
                        "title": "A dense field, in g",
                    }))
                },
                Run {
                    starter: Some("emil"),
                    ..given(json!({ "stars": 300, "band": "u", "edges": [16, 18, 19, 20, 20.5] }))
                },
            ],
        },
        Scene {
            workflow: SIMULATE,
            group: OSCILLATORS,
            owner: None,
            members: vec![("emil", "MEMBER")],
            parameters: None,
            runs: vec![
                given(json!({ "seconds": 3, "failures": 1 })),
                Run {
                    starter: Some("emil"),
                    ..given(json!({ "seconds": 5, "failures": 9 }))
                },
                Run {
                    is_canceled: true,
                    ..given(json!({ "seconds": 60 }))
                },
                long_run(),
                given(json!({ "seconds": LONG, "damping": 0.2 })),
            ],
        },
    ]
}
