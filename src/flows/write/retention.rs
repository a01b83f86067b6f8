//! What is not kept any longer is removed: runs by the rules of their workflows or of the site, and files that nobody names.

mod files;
mod rules;

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::EntityTrait;

use self::rules::Rules;
use super::delete;
use crate::entity::workflow;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::workers::{Outcome, Run, Schedule, Work, WorkerKind, now};

/// How often it is looked for.
const EVERY: Duration = Duration::from_hours(1);

/// Removes runs that are kept no longer, and files that nobody names.
pub struct FlowRetention {
    /// Where they are.
    pub flows: Flows,
}

impl FlowRetention {
    async fn apply(&self) -> Result<u64, Failure> {
        let flows = &self.flows;
        let mut removed = 0;
        let workflows = workflow::Entity::find().all(flows.database.read()).await?;
        for workflow in &workflows {
            let rules = Rules::of(workflow, &flows.settings.retention);
            if rules.keep_all() {
                continue;
            }
            let now = now(flows.database.read()).await?;
            // What they let go may be more than is told at once.
            loop {
                let runs = match rules.outdated(&flows.database, workflow, now).await {
                    Ok(runs) => runs,
                    Err(failure) => {
                        // Those of others are none the worse for it.
                        let name = &workflow.name;
                        tracing::error!(workflow = name, %failure, "the runs of a workflow were not looked through");
                        break;
                    }
                };
                let of_them = rules::are(&flows.database, &runs);
                let count = delete::all(flows, &of_them, None).await?;
                if count == 0 {
                    break;
                }
                removed += count;
            }
        }
        if removed > 0 {
            tracing::info!(runs = removed, "removed runs that are kept no longer");
        }
        files::clean(flows).await?;
        files::sweep(flows).await?;
        Ok(removed)
    }
}

impl Work for FlowRetention {
    fn name(&self) -> &'static str {
        "flow-retention"
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::FlowRetention
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(EVERY)
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>> {
        async move {
            tokio::select! {
                biased;
                // What is removed is removed; the next run goes on.
                () = run.stop.cancelled() => Err(Failure::internal("broken off")),
                removed = self.apply() => Ok(Outcome {
                    changes: removed?,
                    problems: Vec::new(),
                }),
            }
        }
        .boxed()
    }
}
