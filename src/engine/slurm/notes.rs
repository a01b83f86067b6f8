//! What is noted in the folder of a step that Slurm runs, and by whom:
//!
//! | name | what | by |
//! | --- | --- | --- |
//! | `bounds`, `environment`, `job.sh` | what was submitted | labql |
//! | `job` | the number that Slurm gave | labql |
//! | `begun/` | the claim | the job, or labql so that no job begins |
//! | `begun/job` | the number of the job that has begun | the job |
//! | `begun/barred` | nothing was begun, and nothing will be | labql |
//! | `stop` | it shall end, and how many seconds it has | labql |
//! | `output`, `errors` | what it prints | the job |
//! | `result` | how it ended | the job |
//! | `verdict` | how it ended, where the job could not tell | labql |
//! | `slurm.log` | what the script or Slurm had to say | the job |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::queue::duration;
use crate::engine::executor::{Finish, Outcome, Ticket};
use crate::engine::folder::{Folder, failed};
use crate::engine::{Bounds, EngineError, Usage};

/// What is noted of a step.
#[derive(Debug)]
pub(super) struct Notes {
    pub id: String,
    pub folder: PathBuf,
    /// Is the folder there?
    pub exists: bool,
    /// The job that has begun it, or was to.
    begun_by: Option<u64>,
    given_as: Option<u64>,
    /// When it began.
    pub begun: Option<DateTime<Utc>>,
    /// Was it kept from being begun?
    pub is_barred: bool,
    /// Shall it end?
    pub is_stopped: bool,
    pub outcome: Option<Outcome>,
}

impl Notes {
    pub fn read(ticket: &Ticket) -> Result<Self, EngineError> {
        let path = &ticket.folder;
        let folder = Folder::at(path);
        let begun = path.join("begun");
        let since = match fs::metadata(&begun) {
            Ok(about) => Some(about.modified().map_or_else(|_| Utc::now(), DateTime::from)),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(failed(&begun)(error)),
        };
        let outcome = match folder.read("verdict", || None::<Outcome>)?.flatten() {
            Some(outcome) => Some(outcome),
            None => match text(&path.join("result"))? {
                Some(text) => {
                    let bounds = folder.read("bounds", Bounds::default)?.unwrap_or_default();
                    Some(result(&text, &bounds))
                }
                None => None,
            },
        };
        Ok(Self {
            id: ticket.id.clone(),
            folder: path.clone(),
            exists: folder.exists(),
            begun_by: text(&begun.join("job"))?.and_then(|text| text.trim().parse().ok()),
            given_as: folder.read("job", || 0)?.filter(|number| *number > 0),
            begun: since,
            is_barred: text(&begun.join("barred"))?.is_some(),
            is_stopped: text(&path.join("stop"))?.is_some(),
            outcome,
        })
    }

    pub fn has_ended(&self) -> bool {
        self.outcome.is_some() || self.is_barred
    }

    /// The number of its job, as far as it is noted.
    pub fn number(&self) -> Option<u64> {
        self.begun_by.or(self.given_as)
    }
}

/// Makes the claim, so that no job does. False: one has.
pub(super) fn claim(folder: &Path) -> Result<bool, EngineError> {
    let begun = folder.join("begun");
    match fs::create_dir(&begun) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(failed(&begun)(error)),
    }
    Folder::at(&begun).write("barred", &true)?;
    Ok(true)
}

/// Writes down that a step shall end. Its script reads how many seconds it has.
pub(super) fn note_stop(folder: &Path, grace: Duration) -> Result<(), EngineError> {
    let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
    Folder::at(folder).write("stop", &seconds)
}

/// Writes down how a step ended that could not tell it itself.
pub(super) fn note_verdict(folder: &Path, outcome: &Outcome) -> Result<(), EngineError> {
    Folder::at(folder).write("verdict", &Some(outcome))
}

/// A small text; none if it is not there.
fn text(path: &Path) -> Result<Option<String>, EngineError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// What the script wrote: lines of a name and a value.
fn result(text: &str, bounds: &Bounds) -> Outcome {
    let value = |name: &str| {
        let line = |line: &'_ str| Some(line.strip_prefix(name)?.trim().to_owned());
        text.lines().find_map(line)
    };
    let seconds = |name| {
        let seconds: f64 = value(name)?.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    };
    let (began, ended) = (seconds("began "), seconds("ended "));
    let at = ended.and_then(|ended| {
        let nanoseconds = ended.subsec_nanos();
        DateTime::from_timestamp(i64::try_from(ended.as_secs()).ok()?, nanoseconds)
    });
    let status = value("status ").and_then(|status| status.parse::<i32>().ok());
    let why = value("why ").unwrap_or_default();
    let end = match (why.as_str(), status) {
        ("ended", Some(status)) => match bounds.breach_of(status) {
            Some(breach) => Finish::Exceeded(breach),
            None => Finish::Exited(status),
        },
        ("canceled", _) => Finish::Canceled,
        ("timeout", _) => Finish::TimedOut,
        (other, _) => match other.strip_prefix("unstarted ") {
            Some(reason) => Finish::NotStarted(reason.to_owned()),
            None => Finish::Lost("what its job wrote down cannot be understood".into()),
        },
    };
    let usage = began
        .zip(ended)
        .zip(value("times "))
        .map(|((began, ended), times)| {
            let (user, system) = cpu(&times).unwrap_or_default();
            Usage {
                wall: ended.saturating_sub(began),
                user,
                system,
                peak_memory: None,
            }
        });
    Outcome {
        end,
        at: at.unwrap_or_else(Utc::now),
        usage,
    }
}

/// The second line of `times` of the shell: `0m0.123s 0m0.045s`.
fn cpu(times: &str) -> Option<(Duration, Duration)> {
    let part = |text: &str| {
        let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
        duration(&format!("{minutes}:{seconds}"))
    };
    let (user, system) = times.split_once(' ')?;
    Some((part(user)?, part(system.trim())?))
}
