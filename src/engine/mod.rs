//! Keeps a program on this machine, whatever becomes of the process that started it.
//!
//! Between labql and the program stands a **keeper**: the same binary in a session of its own (`labql keep`). It
//! starts the program, feeds its standard input, keeps its output and writes down how it ended, all in one private folder.
//! So a server may be killed at any instant, and the next one, or another process, finds the program by its folder.
//!
//! A folder belongs to one program for ever: [`start`] makes it, and fails if it is there. That is what keeps a program from
//! being started twice. Who takes over from a starter that may be gone, or only asleep, bars the folder first ([`bar`]): a
//! starter that wakes up later starts nothing.
//!
//! Who is told apart by number (keeper, program, its group) is told apart by when it began, too, so that another process
//! with the same number is never taken for it. That is read from `/proc`; elsewhere than on Linux a program is LOST as
//! soon as it runs.

mod bar;
mod bounds;
mod collect;
mod executor;
mod folder;
mod host;
pub(crate) mod keeper;
mod kept;
mod launch;
mod local;
mod members;
mod meter;
mod output;
mod pieces;
mod pipes;
mod process;
mod slurm;
mod spare;
mod spawn;
mod start;
mod stop;
mod watch;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use bar::bar;
pub use bounds::{Bounds, Breach, Usage};
pub use collect::{CollectError, Collected, Found, collect};
pub use executor::{Executor, ExecutorError, Finish, Job, Outcome, Standing, SubmitError, Ticket};
pub(crate) use host::Host;
pub use launch::Launch;
pub use local::Local;
pub use output::{Stream, output, printed};
pub(crate) use pieces::{text, whole};
pub use slurm::{Slurm, SlurmSettings};
pub use start::{own_binary, start, start_with};
pub use stop::{ask_to_stop, end_unkept, stop};
pub use watch::ended;

use folder::{Ended, Folder, Told};

/// What is known of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Its folder is there and nothing was started in it. Whoever made the folder may be about to; once that process is
    /// known to be gone, nothing ever will be.
    Absent,
    /// It runs, or something of its process group does although its keeper is gone.
    Running {
        /// When it began.
        since: DateTime<Utc>,
    },
    /// It has ended.
    Ended {
        /// How.
        end: End,
        /// When.
        at: DateTime<Utc>,
    },
    /// It and its keeper are gone without a word, or the folder is: nobody knows how it ended.
    Lost,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It ended by itself with this code.
    Exited(i32),
    /// A signal ended it that did not come from here.
    Signalled(i32),
    /// It was ended because its time was up.
    TimedOut,
    /// It was ended by [`stop`]; or is gone without a word since that was asked for.
    Stopped,
    /// It could not be started, for this reason.
    NotStarted(String),
}

/// Why a program cannot be kept or asked after.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder is there already: something was started in it before.
    #[error("{0} is there already")]
    Taken(PathBuf),
    /// The keeper did not come up.
    #[error("the keeper of {folder} did not come up: {reason}")]
    Keeper {
        /// The program's folder.
        folder: PathBuf,
        /// What is known of it.
        reason: String,
    },
    /// What was to be stopped still runs.
    #[error("the program of {0} does not end")]
    Stubborn(PathBuf),
    /// A file of the folder cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What has become of the program of a folder.
///
/// # Errors
/// If files of the folder cannot be read. What is in them does not lead to errors: it is [`Look::Lost`].
pub fn look(folder: &Path) -> Result<Look, EngineError> {
    let folder = Folder::at(folder);
    if let Some(ended) = told(&folder)? {
        return Ok(ended);
    }
    let Some(keeper) = folder.keeper()? else {
        // A folder that has a program and no keeper has been meddled with; one that was made to be barred may have been there
        // before. One that was claimed and is barred is about to be told of.
        let absent = folder.exists() && folder.program()?.is_none() && folder.bar()? != Some(false);
        return Ok(if absent { Look::Absent } else { Look::Lost });
    };
    let kept = keeper.lives();
    // It may have ended since the first look.
    if let Some(ended) = told(&folder)? {
        return Ok(ended);
    }
    if kept || folder.members()?.is_some_and(|members| members.live()) {
        let since = folder
            .program()?
            .map_or(keeper.since, |program| program.since);
        return Ok(Look::Running { since });
    }
    // Whoever ended it writes that down only once it is gone.
    Ok(match folder.stop()? {
        Some(_) => Look::Ended {
            end: End::Stopped,
            at: Utc::now(),
        },
        None => Look::Lost,
    })
}

/// What is written down of the end of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// When.
    pub at: DateTime<Utc>,
    /// The bound that it went beyond. If it was ended for that, the end is [`End::Stopped`].
    pub breach: Option<Breach>,
    /// What it took, if it had bounds.
    pub usage: Option<Usage>,
}

/// The end of the program of a folder, if it is written down and can be understood; [`look`] tells the rest.
///
/// # Errors
/// If files of the folder cannot be read.
pub fn report(folder: &Path) -> Result<Option<Report>, EngineError> {
    Ok(match Folder::at(folder).end()? {
        Told::Nothing | Told::Garbled => None,
        Told::Ended(ended) => Some(Report {
            end: ended.end,
            at: ended.at,
            breach: ended.breach,
            usage: ended.usage,
        }),
    })
}

/// Does anybody keep the program of a folder? One that runs without is not held to its bounds, and how it ends will not be
/// known.
///
/// # Errors
/// If files of the folder cannot be read.
pub fn is_kept(folder: &Path) -> Result<bool, EngineError> {
    Ok(Folder::at(folder)
        .keeper()?
        .is_some_and(|keeper| keeper.lives()))
}

/// The end that is written down.
fn told(folder: &Folder) -> Result<Option<Look>, EngineError> {
    Ok(match folder.end()? {
        Told::Nothing => None,
        Told::Ended(Ended { end, at, .. }) => Some(Look::Ended { end, at }),
        Told::Garbled => Some(Look::Lost),
    })
}
