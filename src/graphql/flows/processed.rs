//! Of which runs something was made.

use std::sync::Arc;

use async_graphql::{Context, Result};
use macros::row;
use serde::Deserialize;

use super::run::Run;
use super::run_parts::RunById;
use crate::entity::flow_run;
use crate::flows::rights::Asker;
use crate::graphql::context::ContextExt;
use crate::graphql::error::internal;
use crate::graphql::level::Level;
use crate::graphql::number::count;
use crate::graphql::rows::{Rows, columns};

/// One of the runs of which a run was made.
#[derive(Clone)]
pub struct ProcessedRun {
    rank: usize,
    input: Arc<Input>,
    level: Arc<Level>,
}

/// As it is stored in `flow_run.inputs`.
#[derive(Deserialize)]
struct Input {
    run: i64,
    group: String,
}

/// One of the runs of which a run was made.
#[row]
impl ProcessedRun {
    /// Its rank then, counted from 1.
    fn rank(&self) -> i32 {
        count(self.rank)
    }

    /// The run; null: it is not kept any more, or not for you.
    async fn run(
        runs: &[ProcessedRun],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&ProcessedRun) -> Option<Run>> {
        let list = RunById {
            asker: Asker::of(ctx.viewer()?),
            columns: columns::<Run, _>([ctx.field()]),
        };
        let levels = runs.iter().map(|run| &run.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        Ok(move |run: &ProcessedRun| found.of(run.input.run).cloned().flatten())
    }

    /// The name of its group then.
    fn group_name(&self) -> &str {
        &self.input.group
    }
}

/// `Run.processedRuns`.
pub(super) fn of_run(ctx: &Context<'_>, run: &flow_run::Model) -> Result<Rows<ProcessedRun>> {
    let Some(inputs) = run.inputs.as_deref() else {
        return Ok(Rows::default());
    };
    let inputs: Vec<Input> = serde_json::from_str(inputs).map_err(internal)?;
    ctx.charge(inputs.len())?;
    let level = Level::of_rows(inputs.iter().map(|input| input.run));
    let numbered = inputs.into_iter().enumerate();
    let one = |(place, input)| ProcessedRun {
        rank: place + 1,
        input: Arc::new(input),
        level: Arc::clone(&level),
    };
    Ok(numbered.map(one).collect())
}
