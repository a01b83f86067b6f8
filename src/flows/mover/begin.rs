//! An attempt is begun: the working folder is prepared, and the job handed to its executor, however often that takes.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::folder::{Inputs, NotPrepared, prepare, prepare_step};
use super::inputs::inputs;
use super::job::job;
use super::plan::Plan;
use super::poll::Poller;
use super::run::{Halt, RunTask};
use super::verdict::{Verdict, for_people};
use crate::engine::{Job, SubmitError, Ticket};
use crate::failure::Failure;
use crate::files;
use crate::flows::state::{Reason, StepState};
use crate::flows::write::states::Why;

/// How long a disk that is full, or does not answer, is waited for.
pub(super) const DISK_PATIENCE: Duration = Duration::from_mins(5);
/// How long to wait before the next try; each further time twice as long, up to the longest.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What became of an attempt that was to begin.
pub(super) enum Begun {
    /// Its executor has it, and tells how it stands.
    Handed,
    /// Nothing of it was begun, and nothing will be.
    Never(Verdict),
    /// The run is to end; whether its executor has it is not known.
    Ending,
}

impl RunTask {
    /// Begins the attempt that is under way at this step. May be done any number of times, by several processes too: it begins
    /// once at most.
    pub async fn begin(
        &mut self,
        at: usize,
        ticket: &Ticket,
        poller: &Arc<Poller>,
    ) -> Result<Begun, Halt> {
        let Some(plan) = self.plan.clone() else {
            return Ok(Begun::Ending);
        };
        let places = self.places();
        let left = self.deadline.map(|(moment, _)| moment - Instant::now());
        let settings = &self.mover.flows.settings;
        let made = job(
            &plan,
            at,
            (self.run.id, &places),
            ticket.clone(),
            left,
            settings,
        );
        let Some((job, script)) = made else {
            let message = "has no commands in its workflow any more";
            return Ok(Begun::Never(Verdict::bad(Reason::Internal, message)));
        };
        // Whoever claimed its folder had prepared all of it, and it may be under way.
        if ticket.folder.is_dir() {
            return self.submit(&job, poller).await;
        }
        let inputs = if self.is_prepared {
            Inputs::default()
        } else {
            match inputs(&self.mover.flows, &plan, &self.run).await? {
                Ok(inputs) => inputs,
                Err(why) => return Ok(never(&why)),
            }
        };
        if let Some(ended) = self.prepare(at, &plan, inputs, script).await? {
            return Ok(ended);
        }
        self.submit(&job, poller).await
    }

    /// Prepares the folder that the step works in. None: it is there.
    async fn prepare(
        &mut self,
        at: usize,
        plan: &Arc<Plan>,
        inputs: Inputs,
        script: Option<(std::path::PathBuf, String)>,
    ) -> Result<Option<Begun>, Halt> {
        let outputs = plan
            .workflow()
            .and_then(|workflow| workflow.steps.get(at))
            .map(|step| step.outputs.clone());
        let outputs = outputs.unwrap_or_default();
        let success = StepState::Success.as_str();
        let had_steps = self.steps.iter().any(|step| step.state == success);
        let inputs = Arc::new(inputs);
        let (began, mut pause) = (Instant::now(), PAUSE);
        loop {
            let (places, run) = (self.mover.flows.places.clone(), self.places());
            let (inputs, outputs) = (Arc::clone(&inputs), outputs.clone());
            let (script, stop) = (script.clone(), self.mover.stop.clone());
            let prepared = tokio::task::spawn_blocking(move || {
                if had_steps && !run.work().is_dir() {
                    let message = "the folder that its steps worked in is gone";
                    return Err(NotPrepared::Never(Why::new(Reason::Internal, message)));
                }
                prepare(&places, &run, &inputs, &stop)?;
                prepare_step(&run.work(), &outputs, script.as_ref())
            });
            let (doing, error) = match prepared.await? {
                Ok(()) => {
                    self.is_prepared = true;
                    return Ok(None);
                }
                Err(NotPrepared::Never(why)) => return Ok(Some(never(&why))),
                Err(NotPrepared::Stopped) => return Err(Halt::Stopping),
                Err(NotPrepared::Later { doing, error }) => (doing, error),
            };
            let run = self.run.id;
            tracing::warn!(run, doing, %error, "the folder of a run could not be prepared");
            if began.elapsed() > DISK_PATIENCE {
                let message = format!("could not be prepared: {doing}: {}", error.kind());
                return Ok(Some(Begun::Never(Verdict::bad(Reason::Internal, message))));
            }
            self.wait(pause).await?;
            if self.ends()? {
                return Ok(Some(Begun::Ending));
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Hands the job over, until its executor has it or will never take it.
    async fn submit(&mut self, job: &Job, poller: &Arc<Poller>) -> Result<Begun, Halt> {
        let mut pause = PAUSE;
        loop {
            let stop = self.mover.stop.clone();
            let submitted = stop.run_until_cancelled(poller.executor.submit(job));
            match submitted.await {
                None => return Err(Halt::Stopping),
                Some(Ok(())) => return Ok(Begun::Handed),
                Some(Err(SubmitError::Refused(reason))) => {
                    let reason = for_people(&reason, &self.mover.root);
                    tracing::warn!(step = job.ticket.id, reason, "a step was refused");
                    let message = format!("could not be started: {reason}");
                    return Ok(Begun::Never(Verdict::bad(Reason::NotStarted, message)));
                }
                Some(Err(SubmitError::Unavailable(reason))) => {
                    tracing::warn!(
                        step = job.ticket.id,
                        reason,
                        "a step could not be handed over yet"
                    );
                }
            }
            self.wait(pause).await?;
            if self.ends()? {
                return Ok(Begun::Ending);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// It cannot have what it needs.
fn never(why: &Why) -> Begun {
    let message = format!("could not begin: {}", why.message);
    Begun::Never(Verdict::bad(why.reason, message))
}

/// Makes the folder of an attempt that may not be there, so that the attempt is not taken for lost when it is cancelled instead of
/// being begun. Who claims folders finds this one taken.
pub(super) async fn forestall(ticket: &Ticket) -> Result<(), Failure> {
    let folder = ticket.folder.clone();
    let made = tokio::task::spawn_blocking(move || {
        folder.parent().map_or(Ok(()), files::private_folder)?;
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    });
    made.await?.map_err(Failure::internal)
}

/// Is something there, of those that a step says it makes? Which are not.
pub(super) fn missing<'p>(
    work: &std::path::Path,
    outputs: impl IntoIterator<Item = &'p str>,
) -> Vec<&'p str> {
    let is_missing = |path: &&str| {
        let found = fs::symlink_metadata(work.join(path));
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    outputs.into_iter().filter(is_missing).collect()
}
