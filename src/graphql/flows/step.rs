//! Steps of runs, and attempts at them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::enums::{RunExecutor, RunReason, RunStepState};
use super::run::Run;
use crate::database::Database;
use crate::entity::{flow_attempt, flow_run, flow_step};
use crate::failure::Failure;
use crate::flows::read::{attempts, steps};
use crate::flows::settings::ExecutorName;
use crate::flows::state;
use crate::graphql::context::ContextExt;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::{count, int};
use crate::graphql::rows::{Rows, columns};
use crate::narrow::Columns;
use crate::time::from_millis;

/// A step of a run.
#[derive(Clone)]
pub struct RunStep {
    row: Arc<flow_step::Model>,
    run: Arc<flow_run::Model>,
    /// By the row ids of runs, with the steps of these.
    level: Arc<Level>,
}

/// The run and the place of each step that was loaded together with others.
type StepPlaces = Vec<(i64, i64)>;

impl RunStep {
    /// A step that is told alone.
    pub(super) fn single(row: Arc<flow_step::Model>, run: &Arc<flow_run::Model>) -> Self {
        let run = Arc::clone(run);
        let level = level(std::slice::from_ref(&row));
        Self { row, run, level }
    }
}

fn level<'a>(rows: impl IntoIterator<Item = &'a Arc<flow_step::Model>>) -> Arc<Level> {
    let places: StepPlaces = rows
        .into_iter()
        .map(|it| (it.run_id, it.position))
        .collect();
    let mut runs: Vec<i64> = places.iter().map(|(run, _)| *run).collect();
    runs.sort_unstable();
    runs.dedup();
    Level::with_rows(runs, Vec::new(), places)
}

/// A step of a run.
#[row(columns = flow_step::Column)]
impl RunStep {
    /// Its name, unique in the workflow.
    #[reads(Name)]
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Its place in the workflow, counted from 1.
    #[reads(Position)]
    fn position(&self) -> i32 {
        count(self.row.position.saturating_add(1))
    }

    /// Where it stands.
    #[reads(State)]
    fn state(&self) -> RunStepState {
        // A newer server may know more states: what is none of ours is under way.
        let state = state::StepState::from_name(&self.row.state);
        state.unwrap_or(state::StepState::Running).into()
    }

    /// How often it was begun: the number of its last attempt.
    #[reads(Attempts)]
    fn attempt(&self) -> i32 {
        count(self.row.attempts)
    }

    /// Why its last attempt did not end well, for programs; null: it did, or has not ended.
    #[reads(Reason)]
    fn reason(&self) -> Option<RunReason> {
        let reason = self.row.reason.as_deref()?;
        state::Reason::from_name(reason).map(Into::into)
    }

    /// The same for people.
    #[reads(Message)]
    fn message(&self) -> Option<&str> {
        self.row.message.as_deref()
    }

    /// The exit code of its last attempt; null: it has not ended, or not by itself.
    #[reads(ExitCode)]
    fn exit_code(&self) -> Option<i32> {
        int(self.row.exit_code)
    }

    /// When its first attempt began to run; null: none has.
    #[reads(StartedAt)]
    fn started_at(&self) -> Option<DateTime<Utc>> {
        self.row.started_at.and_then(from_millis)
    }

    /// When it ended; null: it has not, or was never begun.
    #[reads(EndedAt)]
    fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.row.ended_at.and_then(from_millis)
    }

    /// Before when it does not run again; null: it does not wait.
    #[reads(NotBefore)]
    fn not_before(&self) -> Option<DateTime<Utc>> {
        self.row.not_before.and_then(from_millis)
    }

    /// Where it is executed; null: somewhere that this server does not know.
    #[reads()]
    fn executor(&self) -> Option<RunExecutor> {
        ExecutorName::from_name(&self.run.executor).map(Into::into)
    }

    /// What its last attempt is called where it runs: the number of a process or of a job of Slurm; null: it was not begun.
    #[reads(RemoteId)]
    fn remote_id(&self) -> Option<&str> {
        self.row.remote_id.as_deref()
    }

    /// All attempts at it, the first one first.
    #[reads(RunId, Position)]
    async fn attempts(
        steps: &[RunStep],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&RunStep) -> Rows<RunAttempt>> {
        let levels = steps.iter().map(|step| &step.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &AttemptsOf).await?;
        let of_step = move |step: &RunStep| {
            let of_run = found.of(step.row.run_id);
            let of_step = of_run.and_then(|steps| steps.get(&step.row.position));
            of_step.cloned().unwrap_or_default()
        };
        ctx.charge(steps.iter().map(|step| of_step(step).len()).sum())?;
        Ok(move |step: &RunStep| of_step(step).into_iter().map(RunAttempt).collect())
    }
}

/// An attempt at a step.
#[derive(Clone)]
pub struct RunAttempt(Arc<flow_attempt::Model>);

/// An attempt at a step.
#[row]
impl RunAttempt {
    /// Counts the attempts at a step from 1.
    fn number(&self) -> i32 {
        count(self.0.number)
    }

    /// When it was made.
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.created_at)
    }

    /// When it began to run; null: it has not, or nobody knows.
    fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at.and_then(from_millis)
    }

    /// When it ended; null: it has not.
    fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.0.ended_at.and_then(from_millis)
    }

    /// What it is called where it runs: the number of a process or of a job of Slurm; null: it was not begun.
    fn remote_id(&self) -> Option<&str> {
        self.0.remote_id.as_deref()
    }

    /// Its exit code; null: it has not ended, or not by itself.
    fn exit_code(&self) -> Option<i32> {
        int(self.0.exit_code)
    }

    /// Why it did not end well, for programs; null: it did, or has not ended.
    fn reason(&self) -> Option<RunReason> {
        let reason = self.0.reason.as_deref()?;
        state::Reason::from_name(reason).map(Into::into)
    }

    /// The same for people.
    fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// How long it ran, in seconds; null: not known.
    fn wall_seconds(&self) -> Option<f64> {
        seconds(self.0.wall_ms)
    }

    /// How long processors were busy with it, in seconds; null: not known.
    fn user_seconds(&self) -> Option<f64> {
        seconds(self.0.user_ms)
    }

    /// How long processors were busy for it in the system, in seconds; null: not known.
    fn system_seconds(&self) -> Option<f64> {
        seconds(self.0.system_ms)
    }

    /// How much memory it used at most, in bytes; a Float, since GraphQL's Int ends at 2 GiB. Null: not known.
    fn peak_memory_bytes(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        self.0.peak_memory_bytes.map(|bytes| bytes as f64)
    }
}

fn seconds(millis: Option<i64>) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    millis.map(|millis| millis as f64 / 1000.0)
}

/// `Run.steps`.
pub(super) async fn of_runs(
    runs: &[Run],
    ctx: &Context<'_>,
) -> Result<impl Fn(&Run) -> Rows<RunStep> + use<>> {
    let list = StepsOf(columns::<RunStep, _>([ctx.field()]));
    let levels = runs.iter().map(|run| &run.level);
    let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
    let number = |run: &Run| found.of(run.row.id).map_or(0, |(steps, _)| steps.len());
    ctx.charge(runs.iter().map(number).sum())?;
    Ok(move |run: &Run| match found.of(run.row.id) {
        Some((steps, level)) => {
            let step = |row: &Arc<flow_step::Model>| RunStep {
                row: Arc::clone(row),
                run: Arc::clone(&run.row),
                level: Arc::clone(level),
            };
            steps.iter().map(step).collect()
        }
        None => Rows::default(),
    })
}

/// The steps of runs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct StepsOf(pub Columns<flow_step::Model>);

impl ChildList for StepsOf {
    type Children = (Vec<Arc<flow_step::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        runs: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found = steps::of_runs(database, runs.parents(), self.0).await?;
        let level = level(found.values().flatten());
        let with_level = |(run, steps)| (run, (steps, Arc::clone(&level)));
        Ok(found.into_iter().map(with_level).collect())
    }
}

/// The attempts at the steps of runs, by the places of the steps.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct AttemptsOf;

impl ChildList for AttemptsOf {
    type Children = Arc<HashMap<i64, Vec<Arc<flow_attempt::Model>>>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let Some(places) = level.rows::<StepPlaces>() else {
            return Ok(HashMap::new());
        };
        let mut of_runs: HashMap<i64, HashMap<i64, _>> = HashMap::new();
        for ((run, step), attempts) in attempts::of_steps(database, places).await? {
            of_runs.entry(run).or_default().insert(step, attempts);
        }
        let shared = |(run, steps)| (run, Arc::new(steps));
        Ok(of_runs.into_iter().map(shared).collect())
    }
}
