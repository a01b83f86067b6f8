//! Steps as jobs of Slurm, by its commands `sbatch`, `squeue`, `sacct` and `scancel`.
//!
//! The folders of steps, and those that they work in, have the same path on all nodes. The script of the job is one fixed text; it
//! makes the claim, so that a step begins once at most however often it is submitted, and writes down how it ended: so nothing
//! depends on accounting. What Slurm says is needed only for steps that wait, or that are gone without a word.
//!
//! Formats: squeue(1), sacct(1), sbatch(1).

mod commands;
mod notes;
mod queue;
mod standing;
mod submit;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::watch;

use super::executor::{
    Executor, ExecutorError, Finish, Job, Outcome, Standing, SubmitError, Ticket, blocking, check,
};
use super::output::read_file;
use super::{EngineError, Stream};

use commands::Commands;
use notes::Notes;
use queue::Queue;

/// Which Slurm, and how jobs are given to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmSettings {
    /// The folder of Slurm's commands; none: where the system has its programs.
    pub commands: Option<PathBuf>,
    /// Its `slurm.conf`; none: the system's own.
    pub conf: Option<PathBuf>,
    /// More options of `sbatch`, for instance `--partition=NAME` or `--account=NAME`.
    pub options: Vec<String>,
    /// How often is asked after jobs.
    pub pace: Duration,
    /// How long one of its commands may take.
    pub timeout: Duration,
    /// How long after the end of a job its files may still be on their way here.
    pub lag: Duration,
}

impl Default for SlurmSettings {
    fn default() -> Self {
        Self {
            commands: None,
            conf: None,
            options: Vec::new(),
            pace: Duration::from_secs(5),
            timeout: Duration::from_mins(1),
            lag: Duration::from_secs(30),
        }
    }
}

/// Gives steps to Slurm.
#[derive(Clone, Debug)]
pub struct Slurm {
    commands: Arc<Commands>,
    options: Arc<Vec<String>>,
    pace: Duration,
    lag: Duration,
    /// Since when jobs are gone without a word.
    gone: Arc<Mutex<HashMap<PathBuf, Instant>>>,
    changes: Arc<watch::Sender<u64>>,
}

impl Slurm {
    /// With these settings. Nothing is asked yet.
    pub fn new(settings: SlurmSettings) -> Self {
        let commands = Commands::new(settings.commands, settings.conf, settings.timeout);
        Self {
            commands: Arc::new(commands),
            options: Arc::new(settings.options),
            pace: settings.pace,
            lag: settings.lag,
            gone: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Is this job gone for so long that nothing will be heard of it any more?
    fn is_long_gone(&self, notes: &Notes) -> bool {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let since = gone
            .entry(notes.folder.clone())
            .or_insert_with(Instant::now);
        since.elapsed() >= self.lag
    }

    /// It is not, or it has ended.
    fn is_there(&self, notes: &Notes) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.remove(&notes.folder);
    }

    /// What is noted of a step, read on a thread that may block.
    async fn notes(&self, ticket: &Ticket) -> Result<Notes, ExecutorError> {
        let ticket = ticket.clone();
        Ok(blocking(move || Notes::read(&ticket)).await??)
    }

    /// Makes the claim in place of a job, so that it begins nothing. False: the job was first.
    async fn claim(&self, notes: &Notes) -> Result<bool, ExecutorError> {
        let folder = notes.folder.clone();
        Ok(blocking(move || notes::claim(&folder)).await??)
    }
}

#[async_trait]
impl Executor for Slurm {
    async fn submit(&self, job: &Job) -> Result<(), SubmitError> {
        check(job)?;
        let submitted = self.give(job).await;
        self.changes
            .send_modify(|times| *times = times.wrapping_add(1));
        submitted
    }

    async fn poll(&self, tickets: &[Ticket]) -> Vec<Standing> {
        self.standings(tickets).await
    }

    async fn cancel(&self, ticket: &Ticket, grace: Duration) -> Result<(), ExecutorError> {
        let notes = self.notes(ticket).await?;
        if !notes.exists || notes.has_ended() {
            return Ok(());
        }
        let folder = notes.folder.clone();
        blocking(move || notes::note_stop(&folder, grace)).await??;
        let number = match notes.number() {
            Some(number) => Some(number),
            None => self.queue().await?.find(&notes).map(|entry| entry.number),
        };
        match number {
            Some(number) => self.end(number).await?,
            // Slurm knows of none: none shall begin.
            None if self.claim(&notes).await? => {}
            None => {
                // None noted: it has begun this very moment, and reads of the request by itself.
                if let Some(number) = self.notes(ticket).await?.number() {
                    self.end(number).await?;
                }
            }
        }
        Ok(())
    }

    async fn bar(&self, ticket: &Ticket) -> Result<Standing, ExecutorError> {
        let standing = self.standing(ticket).await;
        if standing != Standing::Absent {
            return Ok(standing);
        }
        let notes = self.notes(ticket).await?;
        self.claim(&notes).await?;
        Ok(self.standing(ticket).await)
    }

    async fn remote_id(&self, ticket: &Ticket) -> Option<String> {
        let notes = self.notes(ticket).await.ok()?;
        notes.number().map(|number| number.to_string())
    }

    async fn logs(
        &self,
        ticket: &Ticket,
        stream: Stream,
        from: u64,
        most: usize,
    ) -> Result<Vec<u8>, ExecutorError> {
        let file = ticket.folder.join(match stream {
            Stream::Output => "output",
            Stream::Errors => "errors",
        });
        let read = blocking(move || read_file(&file, from, most)).await??;
        Ok(read.0)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn pace(&self) -> Duration {
        self.pace
    }
}

impl Slurm {
    async fn standing(&self, ticket: &Ticket) -> Standing {
        let standings = self.standings(std::slice::from_ref(ticket)).await;
        let told = standings.into_iter().next();
        told.unwrap_or_else(|| Standing::Unknown("it was not told".into()))
    }

    /// Ends a job: one that waits at once; of one that runs the script is asked, which gives the step its time.
    async fn end(&self, number: u64) -> Result<(), ExecutorError> {
        let number = number.to_string();
        let waits = ["--state=PENDING", &number];
        let runs = ["--batch", "--signal=TERM", &number];
        for args in [&waits[..], &runs] {
            self.commands
                .scancel(args)
                .await
                .map_err(ExecutorError::Unavailable)?;
        }
        Ok(())
    }

    async fn queue(&self) -> Result<Queue, ExecutorError> {
        let told = self.commands.squeue().await;
        told.map_err(ExecutorError::Unavailable)
    }
}

/// The end of a step that nothing was begun of.
fn not_started(reason: impl Into<String>) -> Outcome {
    Outcome::now(Finish::NotStarted(reason.into()))
}

/// An error of the folder of a step.
fn unavailable(error: &EngineError) -> SubmitError {
    SubmitError::Unavailable(error.to_string())
}
