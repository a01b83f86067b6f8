//! A run, as the row of its worker shows it: begin and end.

use super::schedule::pause;
use super::snapshot::RunOutcome;
use super::work::{Cause, Outcome, WorkerProblem};
use crate::entity::worker::Model;
use crate::failure::Failure;

/// How many problems of a run are kept.
const MOST_PROBLEMS: usize = 100;
/// How many characters of a text are kept.
const MOST_CHARACTERS: usize = 500;
/// What is shown of a failure whose reason is nobody's business.
const INSIDE: &str = "it failed inside; the log says more";

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Succeeded(Outcome),
    /// Why, for everybody.
    Failed(String),
    /// The process was told to end.
    Interrupted,
}

impl Ending {
    /// What is shown of a failure. A reason that may hold SQL, addresses or secrets goes to the log.
    pub fn failed(worker: &str, failure: Failure) -> Self {
        tracing::error!(worker, error = %failure, "background work failed");
        Self::Failed(match failure {
            Failure::Rejected(rejection) => short(rejection.message),
            Failure::Unavailable(_) => "the database cannot be reached just now".to_owned(),
            Failure::TooSlow(_) => "the database took too long".to_owned(),
            Failure::SourceUnavailable(_) => {
                "the database of the source cannot be reached just now".to_owned()
            }
            Failure::Unwritable(_) => "the database cannot be written just now".to_owned(),
            Failure::Internal(_) => INSIDE.to_owned(),
        })
    }

    /// The work panicked.
    pub fn panicked(worker: &str, error: &tokio::task::JoinError) -> Self {
        tracing::error!(worker, %error, "background work panicked");
        Self::Failed(INSIDE.to_owned())
    }

    /// How the run ended, in one word.
    pub fn outcome(&self) -> RunOutcome {
        match self {
            Self::Succeeded(_) => RunOutcome::Succeeded,
            Self::Failed(_) => RunOutcome::Failed,
            Self::Interrupted => RunOutcome::Interrupted,
        }
    }
}

/// Begins a run, unless the worker was paused meanwhile. A request for a run is fulfilled by any run that begins.
pub(super) fn begin(row: &mut Model, now: i64) -> bool {
    if row.paused_at.is_some() {
        return false;
    }
    row.started_at = Some(now);
    row.requested_at = None;
    row.requested_by = None;
    true
}

/// Ends the run that is under way, and says how, if that is worth telling: what nobody waits for and what changed nothing
/// is not. `told`: its beginning was told. `chance`: from 0 to 1.
///
/// A run that was woken leaves the time of the next one that is due: what wakes it tells of a part, and may go on and on.
pub(super) fn finish(
    row: &mut Model,
    ending: &Ending,
    (cause, told): (Cause, bool),
    chance: f64,
    now: i64,
) -> Option<&'static str> {
    let bad = [RunOutcome::Failed, RunOutcome::Lost].map(RunOutcome::as_str);
    let was_bad = row
        .last_outcome
        .as_deref()
        .is_some_and(|outcome| bad.contains(&outcome));
    row.last_started_at = row.started_at.take();
    row.last_finished_at = Some(now);
    row.last_outcome = Some(ending.outcome().as_str().to_owned());
    row.last_changes = 0;
    row.last_error = None;
    let due_at = std::mem::replace(&mut row.next_due_at, now);
    let (kind, news) = match ending {
        Ending::Succeeded(outcome) => {
            let problems = kept(&outcome.problems);
            let news = outcome.changes > 0 || was_bad || problems != row.last_problems;
            row.failures = 0;
            row.last_changes = i64::try_from(outcome.changes).unwrap_or(i64::MAX);
            row.last_problems = problems;
            let next = now.saturating_add(pause(row.interval_ms, 0, chance));
            row.next_due_at = match cause {
                Cause::Woken => due_at.min(next),
                Cause::Due | Cause::Requested => next,
            };
            ("finished", news)
        }
        Ending::Failed(error) => {
            row.failures = row.failures.saturating_add(1);
            "[]".clone_into(&mut row.last_problems);
            row.last_error = Some(error.clone());
            row.next_due_at = now.saturating_add(pause(row.interval_ms, row.failures, chance));
            ("failed", true)
        }
        // Whoever comes next does it again at once.
        Ending::Interrupted => ("interrupted", false),
    };
    (told || news || row.paused_at.is_some()).then_some(kind)
}

/// The problems as they are stored.
fn kept(problems: &[WorkerProblem]) -> String {
    let problems: Vec<_> = problems
        .iter()
        .take(MOST_PROBLEMS)
        .map(|problem| WorkerProblem {
            source: short(problem.source.clone()),
            message: short(problem.message.clone()),
        })
        .collect();
    serde_json::to_string(&problems).unwrap_or_else(|_| "[]".to_owned())
}

/// No text of a foreign file is stored at any length. PostgreSQL stores no NUL.
fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MOST_CHARACTERS) {
        text.truncate(end);
    }
    text.replace('\0', "")
}
