//! What runs do while servers are killed, and how each has to end all the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::caller::{Caller, id, stream_of};
use super::draft::Draft;
use super::lab::Site;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All of its steps end well.
    Plain,
    /// Its second step fails.
    Failing,
    /// Its step fails the first time and runs again.
    Again,
    /// Its second step runs until somebody ends it.
    Endless,
}

impl Kind {
    /// Its name, and that of its workflow.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "Plain",
            Self::Failing => "Failing",
            Self::Again => "Again",
            Self::Endless => "Endless",
        }
    }

    /// Each step notes in a file that it begins and that it ends, and prints its name.
    fn draft(self, site: &Site) -> Draft {
        let effects = site.path("effects");
        let effects = effects.display();
        let step = |name: &str, seconds: &str, then: &str| {
            format!(
                "echo $$LABQL_RUN {name} begin >> {effects}; echo {name} out; sleep {seconds}; \
                 echo $$LABQL_RUN {name} end >> {effects}{then}"
            )
        };
        let draft = Draft::new(self.name());
        match self {
            Self::Plain => draft
                .step("one", &[&step("one", "0", "; echo one > out.txt")])
                .step("two", &["true", &step("two", "0.1", "")])
                .step("three", &[&step("three", "0", "; echo three >> out.txt")])
                .output("out.txt"),
            Self::Failing => draft
                .step("one", &[&step("one", "0.05", "")])
                .step("two", &[&step("two", "0", "; exit 4")])
                .step("three", &[&step("three", "0", "")]),
            Self::Again => {
                let flag = site.path("flag");
                let then = format!("; ! mkdir {}-$$LABQL_RUN", flag.display());
                let more =
                    json!({ "repeatable": true, "retry": { "limit": 6, "delaySeconds": 0 } });
                draft.step_with("one", &[&step("one", "0.02", &then)], more)
            }
            Self::Endless => draft
                .step("one", &[&step("one", "0", "")])
                .step("two", &[&step("two", "1000", "")]),
        }
    }

    /// How it ends, and how often each step has had its effect.
    pub fn check(self, run: &Value, effects: &[&str]) {
        let ended = |state: &str, reason: Value| {
            assert_eq!(
                (&run["state"], &run["reason"]),
                (&json!(state), &reason),
                "{run}"
            );
        };
        let once = |names: &[&str]| {
            let pairs = names
                .iter()
                .flat_map(|name| [format!("{name} begin"), format!("{name} end")]);
            assert_eq!(effects, pairs.collect::<Vec<_>>(), "{run}");
        };
        match self {
            Self::Plain => {
                ended("SUCCESS", Value::Null);
                once(&["one", "two", "three"]);
            }
            Self::Failing => {
                ended("ERROR", json!("STEP_FAILED"));
                once(&["one", "two"]);
            }
            Self::Again => {
                ended("SUCCESS", Value::Null);
                once(&["one", "one"]);
            }
            Self::Endless => {
                ended("CANCELED", json!("CANCELED"));
                let all = ["one begin", "one end", "two begin"];
                // Whoever ended it may have been early.
                assert_eq!(effects, &all[..effects.len()], "{run}");
            }
        }
        for step in run["steps"].as_array().expect("steps") {
            let attempts = step["attempts"].as_array().expect("attempts");
            let (last, before) = attempts
                .split_last()
                .map_or((None, &[][..]), |(last, before)| (Some(last), before));
            // Of what ran again it is sure that it had not begun, unless it may.
            let may = |it: &Value| it["reason"] == "NOT_STARTED" || self == Self::Again;
            assert!(before.iter().all(may), "{run}");
            assert!(last.is_none_or(|last| last["endedAt"].is_string()), "{run}");
        }
    }
}

pub const KINDS: [Kind; 4] = [Kind::Plain, Kind::Failing, Kind::Again, Kind::Endless];

/// The workflows of all kinds, by their names.
pub async fn workflows(site: &Site) -> BTreeMap<&'static str, String> {
    let mut workflows = BTreeMap::new();
    for kind in KINDS {
        workflows.insert(kind.name(), site.workflow(&kind.draft(site)).await);
    }
    workflows
}

/// What was printed is in the log once.
pub async fn check_log(caller: &Caller, run: &Value, kind: Kind) {
    let pieces = caller.pieces(&id(run)).await;
    for step in run["steps"].as_array().expect("steps") {
        let name = step["name"].as_str().expect("a name");
        let printed = stream_of(&pieces, name, "STDOUT");
        let line = format!("{name} out\n");
        let expected = match (kind, step["state"].as_str()) {
            (Kind::Again, _) => line.repeat(2),
            (_, Some("SUCCESS" | "ERROR")) => line,
            _ => {
                assert!(printed.is_empty() || printed == line, "{printed}");
                continue;
            }
        };
        assert_eq!(printed, expected, "{run}");
    }
}
