//! Ending a program from outside.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::folder::{Ended, Folder};
use super::process::{Group, ask_to_end};
use super::{End, EngineError, Look, ended, look};

/// How long after SIGKILL a program may take to be gone, and its end to be written down.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked whether a group without a keeper has ended.
const TICK: Duration = Duration::from_millis(20);

/// Ends a program and all of its process group: with SIGTERM, and what is left after `grace` with SIGKILL. Returns when
/// the end is written down; one that has ended already stays as it is, and one that was not started yet is not started.
/// Of one whose keeper is gone the group is ended if any of it lives; only then the end is [`End::Stopped`].
///
/// # Errors
/// If files of the folder cannot be read or written, or the program does not end.
pub async fn stop(path: &Path, grace: Duration) -> Result<(), EngineError> {
    let folder = Folder::at(path);
    let now = look(path)?;
    if matches!(now, Look::Ended { .. }) || !folder.exists() {
        return Ok(());
    }
    // First, so that the keeper finds it, whether it has begun or not.
    let noted = folder.note_stop(grace);
    if let (Look::Running { .. }, Some(keeper)) = (&now, folder.keeper()?) {
        keeper.signal(Signal::SIGTERM);
        // It does what is needed, even if we do not live to see it; with a time of its own, if ours could not be noted.
        let _ = tokio::time::timeout(grace.saturating_add(PATIENCE), ended(path)).await;
    }
    match look(path)? {
        Look::Running { .. } | Look::Absent if noted.is_err() => noted,
        Look::Running { .. } => Err(EngineError::Stubborn(path.to_owned())),
        Look::Ended { .. } | Look::Absent => Ok(()),
        Look::Lost => match folder.group()? {
            Some(group) if group.lives() => {
                end(&group, grace, path).await?;
                let at = Utc::now();
                folder.note_end(&Ended {
                    end: End::Stopped,
                    at,
                    unwritten: 0,
                })
            }
            Some(_) | None => Ok(()),
        },
    }
}

/// Ends a group that nobody keeps.
async fn end(group: &Group, grace: Duration, path: &Path) -> Result<(), EngineError> {
    ask_to_end(group);
    if gone(group, grace).await {
        return Ok(());
    }
    group.signal(Signal::SIGKILL);
    if gone(group, PATIENCE).await {
        return Ok(());
    }
    Err(EngineError::Stubborn(path.to_owned()))
}

async fn gone(group: &Group, within: Duration) -> bool {
    let began = Instant::now();
    while group.lives() {
        if began.elapsed() > within {
            return false;
        }
        sleep(TICK).await;
    }
    true
}
