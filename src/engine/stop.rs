//! Ending a program from outside.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::folder::{Ended, Folder};
use super::process::{Group, Process, ask_to_end};
use super::{End, EngineError, Look, look};

/// How long after SIGKILL a program may take to be gone, and its end to be written down.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked whether it has ended.
const TICK: Duration = Duration::from_millis(20);

/// Ends a program and all of its process group: with SIGTERM, and what is left after `grace` with SIGKILL. Returns when
/// the end is written down; one that has ended already stays as it is, and one that was not started yet is not started.
/// Of one whose keeper is gone the group is ended, and the end is [`End::Stopped`] too.
///
/// # Errors
/// If files of the folder cannot be read or written, or the program does not end.
pub async fn stop(path: &Path, grace: Duration) -> Result<(), EngineError> {
    let folder = Folder::at(path);
    let now = look(path)?;
    if matches!(now, Look::Ended { .. } | Look::Lost) || !folder.exists() {
        return Ok(());
    }
    // First, so that the keeper finds it, whether it has begun or not.
    let noted = folder.note_stop(grace);
    let keeper = folder.keeper()?;
    if let (Look::Running { .. }, Some(keeper)) = (&now, &keeper) {
        keeper.signal(Signal::SIGTERM);
        // It does what is needed, even if we do not live to see it; with a time of its own, if ours could not be noted.
        let within = grace.saturating_add(PATIENCE);
        over(within, || keeper.lives() && !has_ended(path)).await;
    }
    match look(path)? {
        Look::Running { .. } | Look::Absent if noted.is_err() => noted,
        Look::Running { .. } if keeper.as_ref().is_some_and(Process::lives) => {
            Err(EngineError::Stubborn(path.to_owned()))
        }
        Look::Running { .. } => match folder.group()? {
            Some(group) => {
                end(&group, grace, path).await?;
                folder.note_end(&Ended {
                    end: End::Stopped,
                    at: Utc::now(),
                    unwritten: 0,
                })
            }
            // It has just ended by itself.
            None => Ok(()),
        },
        Look::Ended { .. } | Look::Absent | Look::Lost => Ok(()),
    }
}

fn has_ended(path: &Path) -> bool {
    !matches!(look(path), Ok(Look::Running { .. }))
}

/// Ends a group that nobody keeps.
async fn end(group: &Group, grace: Duration, path: &Path) -> Result<(), EngineError> {
    ask_to_end(group);
    if over(grace, || group.lives()).await {
        return Ok(());
    }
    group.signal(Signal::SIGKILL);
    if over(PATIENCE, || group.lives()).await {
        return Ok(());
    }
    Err(EngineError::Stubborn(path.to_owned()))
}

/// Waits until something is no longer so. False: it still is after this time.
async fn over(within: Duration, is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while is_so() {
        if began.elapsed() > within {
            return false;
        }
        sleep(TICK).await;
    }
    true
}
