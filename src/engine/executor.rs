//! What runs steps somewhere: on this machine ([`Local`](super::Local)) or by Slurm ([`Slurm`](super::Slurm)).
//!
//! All that is known of a step is in its folder, so any process that reaches the folder can ask after it, whoever began it. A step
//! is begun at most once: whoever begins it claims its folder first, and the claim is never given back.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::collect::{CollectError, Collected, collect};
use super::{Bounds, Breach, EngineError, Stream, Usage};

/// A step under way: all that is needed to ask after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Its name, which no other step ever has, not even another attempt at the same: up to 100 of `A-Z`, `a-z`, `0-9`, `.`, `_`
    /// and `-`.
    pub id: String,
    /// Its own folder, for what labql notes of it; made by [`Executor::submit`]. Not the one that it works in.
    pub folder: PathBuf,
}

/// A step to run.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    /// Where it will be asked after.
    pub ticket: Ticket,
    /// The program: a path, or a name that is looked for in the `PATH` of [`Self::environment`].
    pub program: OsString,
    /// Its arguments, without its own name. Others may see them: secrets belong into the environment.
    pub args: Vec<OsString>,
    /// All variables of its environment; nothing is inherited. Slurm adds its own.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder that it works in, which is there.
    pub working_dir: PathBuf,
    /// How long it may run before it is ended.
    pub time_limit: Option<Duration>,
    /// What it may take.
    pub bounds: Bounds,
    /// How many processors it is meant for. Slurm gives it as many; on this machine nothing holds it to them.
    pub processors: u16,
    /// How many bytes of each of its streams are kept.
    pub log_limit: u64,
}

impl fmt::Debug for Job {
    /// Without values of the environment, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("ticket", &self.ticket)
            .field("program", &self.program)
            .field("args", &self.args)
            .field("working_dir", &self.working_dir)
            .field("time_limit", &self.time_limit)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is claimed and has not begun. Whoever claimed it may be about to begin it; to be sure that it never is, see
    /// [`Executor::bar`].
    Absent,
    /// It waits for its turn, for this reason, if one is told.
    Queued(Option<String>),
    /// It runs.
    Running {
        /// When it began.
        since: DateTime<Utc>,
    },
    /// It has ended. This never changes any more.
    Ended(Outcome),
    /// That cannot be told now, for this reason: ask again later. It says nothing of the step.
    Unknown(String),
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How.
    pub end: Finish,
    /// When.
    pub at: DateTime<Utc>,
    /// What it took, as far as that is known.
    pub usage: Option<Usage>,
}

impl Outcome {
    /// One of which nothing else is known.
    pub(super) fn now(end: Finish) -> Self {
        Self {
            end,
            at: Utc::now(),
            usage: None,
        }
    }
}

/// In which way a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// By itself, with this code. What a shell makes of a signal is a code, too: 128 and its number.
    Exited(i32),
    /// A signal ended it that was not sent from here.
    Signaled(i32),
    /// Its time was up.
    TimedOut,
    /// It went beyond a bound: it was ended for that, or failed by itself.
    Exceeded(Breach),
    /// It was asked to end.
    Canceled,
    /// Nothing of it was begun, for this reason, and nothing will be: another attempt does nothing twice.
    NotStarted(String),
    /// Nobody knows, for this reason. It may have had its effect, or a part of it.
    Lost(String),
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It never will be, for this reason. Nothing of it was begun.
    #[error("{0}")]
    Refused(String),
    /// It may have been, or not: the same may be submitted again later, and still begins once at most.
    #[error("not available: {0}")]
    Unavailable(String),
}

/// Why an executor could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// Not now, for this reason: ask again later.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The folder of the step cannot be used, or the step does not end.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its results cannot be taken.
    #[error(transparent)]
    Collect(#[from] CollectError),
}

/// Runs steps.
#[async_trait]
pub trait Executor: Send + Sync + fmt::Debug {
    /// Has a step begin; it may have to wait for its turn. The same step may be submitted any number of times, by several
    /// processes too, and begins once at most.
    async fn submit(&self, job: &Job) -> Result<(), SubmitError>;

    /// How these steps stand, in their order. Never waits for one of them.
    async fn poll(&self, tickets: &[Ticket]) -> Vec<Standing>;

    /// Asks a step to end: SIGTERM to all that it began, and after `grace` SIGKILL to what is left; one that has not begun
    /// never will. Does not wait for the end, which [`Self::poll`] tells. May be asked any number of times.
    async fn cancel(&self, ticket: &Ticket, grace: Duration) -> Result<(), ExecutorError>;

    /// Keeps a step from being begun, unless it was already, and tells how it stands: never [`Standing::Absent`]. For who takes
    /// over a step whose beginner is taken for gone. The end is [`Finish::NotStarted`] if nothing ever was or will be begun;
    /// a folder that is not there is lost.
    async fn bar(&self, ticket: &Ticket) -> Result<Standing, ExecutorError>;

    /// What the step is called where it runs, for people: the number of a process or a job. None: it is not known.
    async fn remote_id(&self, ticket: &Ticket) -> Option<String>;

    /// Bytes of what the step printed, from `from` on, at most so many. Only appended to while it runs and after: what was read
    /// at a place once stays there. What was cut has a mark in its place.
    async fn logs(
        &self,
        ticket: &Ticket,
        stream: Stream,
        from: u64,
        most: usize,
    ) -> Result<Vec<u8>, ExecutorError>;

    /// Copies results out of the folder that steps worked in: files, or folders with all that is beneath them, by their path in
    /// it, into a folder that is made if it is not there. At most so many bytes together.
    async fn collect(
        &self,
        working_dir: &Path,
        wanted: &[String],
        into: &Path,
        most: u64,
    ) -> Result<Vec<Collected>, ExecutorError> {
        let (from, wanted) = (working_dir.to_owned(), wanted.to_owned());
        let into = into.to_owned();
        let collected = blocking(move || collect(&from, &wanted, &into, most)).await?;
        Ok(collected?)
    }

    /// Counts up whenever a step may have ended, as far as this process learns of it at once.
    fn changes(&self) -> watch::Receiver<u64>;

    /// How often steps should be polled that [`Self::changes`] says nothing of.
    fn pace(&self) -> Duration;
}

/// Does something on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ExecutorError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ExecutorError::Unavailable(error.to_string()))
}

/// What is wrong with a job, if anything is.
pub(super) fn check(job: &Job) -> Result<(), SubmitError> {
    let refused = |what: String| Err(SubmitError::Refused(what));
    let id = &job.ticket.id;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if id.is_empty() || id.len() > 100 || !id.bytes().all(is_plain) {
        return refused(format!("{id:?} is no name for a step"));
    }
    for path in [&job.ticket.folder, &job.working_dir] {
        if !path.is_absolute() {
            return refused(format!("{} is no absolute path", path.display()));
        }
    }
    let has_zero = |text: &OsString| text.as_encoded_bytes().contains(&0);
    if has_zero(&job.program) || job.args.iter().any(has_zero) {
        return refused("a word of the command has a zero byte".into());
    }
    for (name, value) in &job.environment {
        let bytes = name.as_encoded_bytes();
        if bytes.is_empty() || bytes.contains(&b'=') || has_zero(name) || has_zero(value) {
            let name = name.to_string_lossy();
            return refused(format!("the variable {name:?} cannot be set"));
        }
    }
    Ok(())
}
