//! Commands to background workers.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::types::Worker;
use crate::graphql::context::ContextExt;
use crate::graphql::user_error::{UserError, payload};
use crate::workers::commands;

/// A worker to be paused.
#[derive(InputObject)]
struct PauseWorkerInput {
    /// Its name.
    name: String,
}

/// The answer to `pauseWorker`.
#[derive(SimpleObject)]
struct PauseWorkerPayload {
    /// The paused worker.
    worker: Option<Worker>,
    /// Why not.
    errors: Vec<UserError>,
}

/// A worker to be resumed.
#[derive(InputObject)]
struct ResumeWorkerInput {
    /// Its name.
    name: String,
}

/// The answer to `resumeWorker`.
#[derive(SimpleObject)]
struct ResumeWorkerPayload {
    /// The resumed worker.
    worker: Option<Worker>,
    /// Why not.
    errors: Vec<UserError>,
}

/// A worker that shall run.
#[derive(InputObject)]
struct RunWorkerInput {
    /// Its name.
    name: String,
}

/// The answer to `runWorker`.
#[derive(SimpleObject)]
struct RunWorkerPayload {
    /// The worker, with the request noted.
    worker: Option<Worker>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Commands to background workers.
#[derive(Default)]
pub struct WorkersMutation;

#[Object]
impl WorkersMutation {
    /// Lets no further run of a worker begin; for administrators. A run that is under way comes to its end. Pausing twice
    /// is no error.
    async fn pause_worker(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The worker.")] input: PauseWorkerInput,
    ) -> Result<PauseWorkerPayload> {
        let (actor, services) = (&ctx.administrator()?.username, ctx.services()?);
        let done = commands::pause(&services.database, &services.feed, actor, &input.name);
        let (worker, errors) = payload(done.await)?;
        let worker = worker.map(Worker);
        Ok(PauseWorkerPayload { worker, errors })
    }

    /// Lets runs of a paused worker begin again; for administrators. Resuming one that is not paused is no error.
    async fn resume_worker(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The worker.")] input: ResumeWorkerInput,
    ) -> Result<ResumeWorkerPayload> {
        let (actor, services) = (&ctx.administrator()?.username, ctx.services()?);
        let done = commands::resume(&services.database, &services.feed, actor, &input.name);
        let (worker, errors) = payload(done.await)?;
        let worker = worker.map(Worker);
        Ok(ResumeWorkerPayload { worker, errors })
    }

    /// Asks for a run of a worker before it is due; for administrators. It begins within about a second, or when the run
    /// that is under way has ended. A paused worker does not run: `CONFLICT`.
    async fn run_worker(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The worker.")] input: RunWorkerInput,
    ) -> Result<RunWorkerPayload> {
        let (actor, services) = (&ctx.administrator()?.username, ctx.services()?);
        let done = commands::run_now(&services.database, &services.feed, actor, &input.name);
        let (worker, errors) = payload(done.await)?;
        let worker = worker.map(Worker);
        Ok(RunWorkerPayload { worker, errors })
    }
}
