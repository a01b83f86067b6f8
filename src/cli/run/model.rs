//! What the API tells of a run, as far as it is shown.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// The run as it is, and up to where that tells of what happened.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Where updates go on.
    pub event_cursor: Option<String>,
    /// None: it is not there any more.
    pub run: Option<Run>,
}

/// A run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its number, for people; none: it is too large for the API.
    pub number: Option<i64>,
    /// Where it stands: `RUNNING`.
    pub state: String,
    /// Why it did not end well.
    pub reason: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// Its steps, in their order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The files that it gave.
    #[serde(default)]
    pub files: Vec<File>,
}

/// A step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Where it stands: `RUNNING`.
    pub state: String,
    /// How often it was begun.
    pub attempt: i64,
    /// Of its last attempt.
    pub exit_code: Option<i64>,
    /// When its first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its name.
    pub name: String,
    /// In bytes.
    pub size_bytes: f64,
    /// Its path on the server.
    pub url: Option<String>,
}

/// What happened to a run.
#[derive(Debug, Deserialize)]
pub struct Update {
    /// The run after it.
    pub run: State,
    /// The step to which it happened, after it.
    pub step: Option<Step>,
}

/// Where a run stands.
#[derive(Debug, Deserialize)]
pub struct State {
    /// `RUNNING`.
    pub state: String,
}

/// A piece of what a run printed.
#[derive(Debug, Deserialize)]
pub struct Piece {
    /// `STDOUT` or `STDERR`.
    pub stream: String,
    /// What was printed, which need not end with a line.
    pub text: String,
}

/// What a mutation answers besides what it made.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// Why it did nothing.
    pub errors: Vec<UserError>,
}

/// Why a mutation did nothing.
#[derive(Debug, Deserialize)]
pub struct UserError {
    /// `CONFLICT`.
    pub code: String,
    /// The input field at fault.
    pub field: Option<String>,
    /// The same for people.
    pub message: String,
}

/// The exit code of programs that were ended by SIGINT, in shells: 128 and the number of the signal.
pub const INTERRUPTED: u8 = 130;

impl Run {
    /// Whether nothing follows.
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "SUCCESS" | "ERROR" | "CANCELED")
    }

    /// How a program ends that stands for it: as the step that failed, if one did.
    pub fn exit_code(&self) -> u8 {
        match self.state.as_str() {
            "SUCCESS" => 0,
            "CANCELED" => INTERRUPTED,
            _ => self.failed_code().unwrap_or(1),
        }
    }

    fn failed_code(&self) -> Option<u8> {
        let failed = self.steps.iter().find(|step| step.state == "ERROR")?;
        let code = u8::try_from(failed.exit_code?).ok()?;
        (code != 0).then_some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(state: &str, exit_code: Option<i64>) -> u8 {
        let step = |state: &str, exit_code| Step {
            name: state.into(),
            state: state.into(),
            attempt: 1,
            exit_code,
            started_at: None,
            ended_at: None,
        };
        let run = Run {
            state: state.into(),
            steps: vec![step("SUCCESS", Some(0)), step("ERROR", exit_code)],
            ..Run::default()
        };
        run.exit_code()
    }

    #[test]
    fn a_program_ends_as_its_run() {
        assert_eq!(ended("SUCCESS", None), 0);
        assert_eq!(ended("CANCELED", Some(3)), 130);
        assert_eq!(ended("ERROR", Some(3)), 3);
        // By a signal, after it had ended well, or in a way that no program can.
        for code in [None, Some(0), Some(256), Some(-1)] {
            assert_eq!(ended("ERROR", code), 1);
        }
    }
}
