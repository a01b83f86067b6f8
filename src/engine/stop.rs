//! Ending a program from outside.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::folder::{Ended, Folder};
use super::members::Members;
use super::process::Process;
use super::{End, EngineError, Look, look};

/// How long after SIGKILL a program may take to be gone, and its end to be written down.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked whether it has ended.
const TICK: Duration = Duration::from_millis(20);

/// Notes that the program of a folder shall end and tells its keeper, which sees to it as [`stop`] does; does not wait for it.
/// False: there is no keeper to tell. What is left then is for [`stop`], and what is not begun yet does not begin.
///
/// # Errors
/// If files of the folder cannot be read or written.
pub fn ask_to_stop(path: &Path, grace: Duration) -> Result<bool, EngineError> {
    let folder = Folder::at(path);
    if !folder.exists() {
        return Ok(false);
    }
    if !matches!(look(path)?, Look::Ended { .. }) {
        folder.note_stop(grace)?;
    }
    let keeper = folder.keeper()?.filter(Process::lives);
    if let Some(keeper) = &keeper {
        keeper.signal(Signal::SIGTERM);
    }
    Ok(keeper.is_some())
}

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
        Look::Running { .. } => match folder.members()? {
            Some(members) => {
                end(&members, grace, path).await?;
                folder.note_end(&Ended::now(End::Stopped))
            }
            // It has just ended by itself.
            None => Ok(()),
        },
        Look::Ended { .. } | Look::Absent | Look::Lost => Ok(()),
    }
}

/// Ends what is left of a program whose keeper is gone, and leaves it [`Look::Lost`]. Does nothing to one that is kept.
///
/// # Errors
/// If files of the folder cannot be read, or something does not end.
pub async fn end_unkept(path: &Path, grace: Duration) -> Result<(), EngineError> {
    let folder = Folder::at(path);
    if folder.keeper()?.is_none_or(|keeper| keeper.lives()) {
        return Ok(());
    }
    match folder.members()? {
        Some(members) => end(&members, grace, path).await,
        None => Ok(()),
    }
}

fn has_ended(path: &Path) -> bool {
    !matches!(look(path), Ok(Look::Running { .. }))
}

/// Ends what nobody keeps.
async fn end(members: &Members, grace: Duration, path: &Path) -> Result<(), EngineError> {
    members.ask_to_end();
    if over(grace, || members.live()).await {
        return Ok(());
    }
    // What one of them begins meanwhile is killed the next time.
    let killed = || {
        members.kill();
        members.live()
    };
    if over(PATIENCE, killed).await {
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
