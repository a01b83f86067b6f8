//! Steps on this machine, each with a keeper of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::executor::{
    Executor, ExecutorError, Finish, Job, Outcome, Standing, SubmitError, Ticket, blocking, check,
};
use super::folder::Folder;
use super::spare::Spare;
use super::start::start_bounded;
use super::{
    End, EngineError, Launch, Look, Report, Stream, ask_to_stop, bar, end_unkept, is_kept, look,
    own_binary, printed, report, stop,
};

/// How often steps are looked at that another process began.
const PACE: Duration = Duration::from_millis(250);
/// How long a step without a keeper has to end.
const GRACE: Duration = Duration::from_secs(2);

/// Runs steps on this machine.
#[derive(Clone, Debug)]
pub struct Local {
    keepers: Arc<Spare>,
    changes: Arc<watch::Sender<u64>>,
}

impl Local {
    /// With this binary as the keepers, for steps whose folders are within this one.
    ///
    /// # Errors
    /// If the system does not tell where the binary is.
    pub fn new(within: PathBuf) -> Result<Self, ExecutorError> {
        let own = own_binary().map_err(|error| ExecutorError::Unavailable(error.to_string()))?;
        Ok(Self::with_keeper(own, within))
    }

    /// With this binary of labql, for a process that is another program.
    pub fn with_keeper(labql: PathBuf, within: PathBuf) -> Self {
        Self {
            keepers: Arc::new(Spare::new(labql, within)),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    fn changed(&self) {
        self.changes
            .send_modify(|times| *times = times.wrapping_add(1));
    }
}

#[async_trait]
impl Executor for Local {
    async fn submit(&self, job: &Job) -> Result<(), SubmitError> {
        check(job)?;
        let folder = &job.ticket.folder;
        let launch = Launch {
            program: job.program.clone(),
            args: job.args.clone(),
            environment: job.environment.clone(),
            stdin: Vec::new(),
            stop_word: None,
            working_dir: Some(job.working_dir.clone()),
            time_limit: job.time_limit,
            output_limit: job.log_limit,
        };
        match start_bounded(&self.keepers, &launch, &job.bounds, folder).await {
            Ok(kept) => {
                let this = self.clone();
                tokio::spawn(async move {
                    let _ = kept.await;
                    this.changed();
                });
                Ok(())
            }
            Err(EngineError::Taken(_)) => Ok(()),
            Err(error) => {
                // It may run all the same. If it does not, it shall not do so later, so that this is its end.
                tracing::warn!(step = job.ticket.id, %error, "a step could not be started");
                let barred = self.bar(&job.ticket).await;
                self.changed();
                match barred {
                    Ok(_) if folder.is_dir() => Ok(()),
                    _ => Err(SubmitError::Unavailable(error.to_string())),
                }
            }
        }
    }

    async fn poll(&self, tickets: &[Ticket]) -> Vec<Standing> {
        let folders: Vec<PathBuf> = tickets.iter().map(|ticket| ticket.folder.clone()).collect();
        let number = folders.len();
        let looked = blocking(move || {
            let looks = folders.iter().map(|folder| standing(folder));
            looks.collect::<Vec<_>>()
        });
        let looked = match looked.await {
            Ok(looked) => looked,
            Err(error) => vec![(Standing::Unknown(error.to_string()), true); number],
        };
        let mut standings = Vec::with_capacity(number);
        for ((standing, is_kept), ticket) in looked.into_iter().zip(tickets) {
            if !is_kept {
                self.end(ticket);
            }
            standings.push(standing);
        }
        standings
    }

    async fn cancel(&self, ticket: &Ticket, grace: Duration) -> Result<(), ExecutorError> {
        let folder = ticket.folder.clone();
        let told = blocking(move || ask_to_stop(&folder, grace)).await??;
        if told {
            return Ok(());
        }
        let folder = ticket.folder.clone();
        if let Look::Running { .. } = blocking(move || bar(&folder)).await?? {
            // Its keeper is gone, or has just come up.
            stop(&ticket.folder, grace).await?;
        }
        self.changed();
        Ok(())
    }

    async fn bar(&self, ticket: &Ticket) -> Result<Standing, ExecutorError> {
        let folder = ticket.folder.clone();
        blocking(move || {
            bar(&folder)?;
            Ok(standing(&folder).0)
        })
        .await?
    }

    async fn remote_id(&self, ticket: &Ticket) -> Option<String> {
        let folder = ticket.folder.clone();
        let told = blocking(move || Folder::at(&folder).program()).await;
        let program = told.ok()?.ok()??;
        Some(program.pid.to_string())
    }

    async fn logs(
        &self,
        ticket: &Ticket,
        stream: Stream,
        from: u64,
        most: usize,
    ) -> Result<Vec<u8>, ExecutorError> {
        let folder = ticket.folder.clone();
        Ok(blocking(move || printed(&folder, stream, from, most)).await??)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn pace(&self) -> Duration {
        PACE
    }
}

impl Local {
    /// Ends what is left of a step whose keeper is gone: nothing holds it to its bounds any more, and how it would end could not
    /// be told.
    fn end(&self, ticket: &Ticket) {
        let (this, ticket) = (self.clone(), ticket.clone());
        tokio::spawn(async move {
            if let Err(error) = end_unkept(&ticket.folder, GRACE).await {
                tracing::warn!(step = ticket.id, %error, "a step without a keeper does not end");
            }
            this.changed();
        });
    }
}

/// How the step of a folder stands, and whether it has who keeps it, if it runs.
fn standing(folder: &Path) -> (Standing, bool) {
    let unknown = |error: EngineError| (Standing::Unknown(error.to_string()), true);
    let looked = match look(folder) {
        Ok(looked) => looked,
        Err(error) => return unknown(error),
    };
    match looked {
        Look::Absent => (Standing::Absent, true),
        Look::Running { since } => match is_kept(folder) {
            Ok(is_kept) => (Standing::Running { since }, is_kept),
            Err(error) => unknown(error),
        },
        Look::Ended { end, at } => match report(folder) {
            Ok(Some(report)) => (Standing::Ended(outcome(report)), true),
            // It was asked to end, and is gone without a word.
            Ok(None) => {
                let told = Report {
                    end,
                    at,
                    breach: None,
                    usage: None,
                };
                (Standing::Ended(outcome(told)), true)
            }
            Err(error) => unknown(error),
        },
        Look::Lost => {
            let reason = if folder.is_dir() {
                "its keeper is gone without a word"
            } else {
                "its folder is gone"
            };
            (
                Standing::Ended(Outcome::now(Finish::Lost(reason.into()))),
                true,
            )
        }
    }
}

fn outcome(report: Report) -> Outcome {
    let end = match (report.breach, report.end) {
        (Some(breach), _) => Finish::Exceeded(breach),
        (None, End::Exited(code)) => Finish::Exited(code),
        (None, End::Signalled(signal)) => Finish::Signaled(signal),
        (None, End::TimedOut) => Finish::TimedOut,
        (None, End::Stopped) => Finish::Canceled,
        (None, End::NotStarted(reason)) => Finish::NotStarted(reason),
    };
    Outcome {
        end,
        at: report.at,
        usage: report.usage,
    }
}
