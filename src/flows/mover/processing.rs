//! Something is made of the best runs of a workflow, whenever these are others than before: a run without a group, like all
//! others but for what it is given.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::inputs::InputRun;
use crate::entity::{flow_run, flow_step, workflow, workflow_version};
use crate::events::{self, Event, Filter, Follower, Topic};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::changes::{self, ChangeKind, RunChange};
use crate::flows::ranking;
use crate::flows::read::ranking::best;
use crate::flows::read::runs::RunKind;
use crate::flows::read::versions::template;
use crate::flows::state::{RunState, StepState};
use crate::flows::template::Template;
use crate::flows::template::workflow::StepAction;
use crate::workers::{self, Outcome, Run, Schedule, Work, WorkerKind, WorkerProblem};

/// How often is looked for what nobody told of.
const EVERY: Duration = Duration::from_mins(1);
/// How long after the first run that ended it begins: many often end together, and what is made of them is made once.
const SETTLE: Duration = Duration::from_secs(1);
/// How long to wait before the log is listened to again.
const RETRY: Duration = Duration::from_secs(1);
/// Who starts it.
const STARTER: &str = "labql";

/// Has something made of the best runs.
pub struct PostProcessing {
    flows: Flows,
    news: Mutex<Option<Follower>>,
}

/// What became of a workflow whose best runs may be others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Processed {
    /// A run was started.
    Started,
    /// There is nothing to make, or not yet.
    Nothing,
}

impl PostProcessing {
    /// Of all workflows.
    pub fn new(flows: Flows) -> Self {
        Self {
            flows,
            news: Mutex::default(),
        }
    }

    /// Waits until a run is told of that may make the best runs others.
    async fn rung(&self) {
        let mut news = self.news.lock().await;
        loop {
            let Some(follower) = news.as_mut() else {
                let filter = Filter::topic(Topic::Flow);
                *news = self.flows.feed.listen(filter).await.ok();
                if news.is_some() {
                    // What was told before is not known.
                    return;
                }
                sleep(RETRY).await;
                continue;
            };
            match follower.next().await {
                Ok(event) if matters(&event) => return,
                Ok(_) => {}
                Err(_) => *news = None,
            }
        }
    }

    async fn pass(&self) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        let waiting: Vec<(i64, String)> = workflow::Entity::find()
            .select_only()
            .columns([workflow::Column::Id, workflow::Column::Name])
            .filter(Expr::cust("ranking <> processed_ranking"))
            .filter(workflow::Column::PostProcessing.eq(true))
            .order_by_asc(workflow::Column::Id)
            .into_tuple()
            .all(self.flows.database.read())
            .await?;
        for (id, name) in waiting {
            match self.process(id).await {
                Ok(Processed::Started) => outcome.changes += 1,
                Ok(Processed::Nothing) => {}
                Err(Failure::Internal(error)) => {
                    tracing::error!(
                        workflow = name,
                        error,
                        "nothing could be made of the best runs"
                    );
                    outcome.problems.push(WorkerProblem {
                        source: name,
                        message: "nothing could be made of its best runs: the log says more".into(),
                    });
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(outcome)
    }

    async fn process(&self, id: i64) -> Result<Processed, Failure> {
        let transaction = self.flows.database.begin().await?;
        let row = workflow::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&transaction)
            .await?;
        let Some(row) = row.filter(|row| row.ranking != row.processed_ranking) else {
            return Ok(Processed::Nothing);
        };
        let version = workflow_version::Entity::find()
            .filter(workflow_version::Column::WorkflowId.eq(id))
            .filter(workflow_version::Column::Number.eq(row.latest))
            .one(&transaction)
            .await?;
        let none = || Failure::internal("a workflow has no version");
        let version = version.ok_or_else(none)?;
        let template = template(&version)?;
        let (Some(_), Some(schema)) = (&template.post_processing, &template.results) else {
            let set = row.processed_set.clone();
            return done(transaction, &row, set).await;
        };
        if is_under_way(&transaction, id).await? {
            // Its end is news, too.
            return Ok(Processed::Nothing);
        }
        let order = ranking::order(schema, None).map_err(Failure::internal)?;
        let best = best(&transaction, id, schema, &order).await?;
        let inputs: Vec<InputRun> = best
            .into_iter()
            .map(|best| InputRun {
                run: best.run,
                group: best.group_name,
            })
            .collect();
        let set = digest(&inputs);
        if inputs.is_empty() || row.processed_set.as_ref() == Some(&set) {
            let set = (!inputs.is_empty()).then_some(set);
            return done(transaction, &row, set).await;
        }
        let run = self
            .start(&transaction, &row, version.id, &template, &inputs)
            .await?;
        note(&transaction, &row, Some(set)).await?;
        let event = changes::event(ChangeKind::Created, &run, None, None);
        events::append(&transaction, vec![event]).await?;
        transaction.commit().await?;
        self.flows.feed.wake();
        Ok(Processed::Started)
    }

    /// Starts the run.
    async fn start(
        &self,
        transaction: &DatabaseTransaction,
        workflow: &workflow::Model,
        version: i64,
        template: &Template,
        inputs: &[InputRun],
    ) -> Result<flow_run::Model, Failure> {
        let now = workers::now(transaction).await?;
        let executor = workflow.executor.clone();
        let of_site = || self.flows.settings.executor.as_str().to_owned();
        let mut run = flow_run::Model {
            workflow_id: workflow.id,
            version_id: version,
            kind: RunKind::PostProcessing.as_str().to_owned(),
            state: RunState::Pending.as_str().to_owned(),
            executor: executor.unwrap_or_else(of_site),
            priority: workflow.priority,
            created_at: now,
            updated_at: now,
            starter: STARTER.to_owned(),
            folder: uuid::Uuid::new_v4().simple().to_string(),
            arguments: "[]".to_owned(),
            inputs: Some(serde_json::to_string(inputs).map_err(Failure::internal)?),
            ..flow_run::Model::default()
        };
        let mut new = run.clone().into_active_model().reset_all();
        new.id = NotSet;
        run.id = flow_run::Entity::insert(new)
            .exec(transaction)
            .await?
            .last_insert_id;
        let steps = template.post_processing.iter();
        let steps = steps.flat_map(|it| &it.workflow.steps).zip(0_i64..);
        let steps = steps.map(|(step, position)| {
            let row = flow_step::Model {
                run_id: run.id,
                position,
                name: step.name.clone(),
                state: StepState::Pending.as_str().to_owned(),
                is_left_out: matches!(step.action, StepAction::Parameter(_)),
                ..flow_step::Model::default()
            };
            row.into_active_model().reset_all()
        });
        flow_step::Entity::insert_many(steps)
            .exec_without_returning(transaction)
            .await?;
        Ok(run)
    }
}

/// May the best runs be others after this event, or is there room to make something of them?
fn matters(event: &Event) -> bool {
    let is_end = matches!(
        ChangeKind::from_name(&event.kind),
        Some(ChangeKind::Ended | ChangeKind::Deleted)
    );
    let matters = |change: RunChange| {
        change.run.is_ranked || change.run.kind == RunKind::PostProcessing.as_str()
    };
    is_end && RunChange::of(event).is_ok_and(matters)
}

/// Is the last run that was made of the best ones under way? One follows the other.
async fn is_under_way(transaction: &DatabaseTransaction, workflow: i64) -> Result<bool, Failure> {
    use flow_run::Column::{EndedAt, Id, Kind, WorkflowId};
    let last: Option<(Option<i64>,)> = flow_run::Entity::find()
        .select_only()
        .column(EndedAt)
        .filter(WorkflowId.eq(workflow))
        .filter(Kind.eq(RunKind::PostProcessing.as_str()))
        .order_by_desc(Id)
        .into_tuple()
        .one(transaction)
        .await?;
    Ok(last.is_some_and(|(ended_at,)| ended_at.is_none()))
}

/// The best runs, in their order.
fn digest(inputs: &[InputRun]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(input.run.to_string());
        hash.update(b",");
    }
    hex::encode(hash.finalize())
}

/// There is nothing to make.
async fn done(
    transaction: DatabaseTransaction,
    workflow: &workflow::Model,
    set: Option<String>,
) -> Result<Processed, Failure> {
    note(&transaction, workflow, set).await?;
    transaction.commit().await?;
    Ok(Processed::Nothing)
}

/// Notes up to where it was looked at, and of which runs something was made.
async fn note(
    transaction: &DatabaseTransaction,
    workflow: &workflow::Model,
    set: Option<String>,
) -> Result<(), Failure> {
    use workflow::Column::{Id, ProcessedRanking, ProcessedSet};
    workflow::Entity::update_many()
        .col_expr(ProcessedRanking, workflow.ranking.into())
        .col_expr(ProcessedSet, Expr::value(set))
        .filter(Id.eq(workflow.id))
        .exec(transaction)
        .await?;
    Ok(())
}

impl Work for PostProcessing {
    fn name(&self) -> &'static str {
        "flow-post-processing"
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::FlowPostProcessing
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(EVERY)
    }

    fn wake(&self) -> BoxFuture<'_, ()> {
        async {
            self.rung().await;
            sleep(SETTLE).await;
        }
        .boxed()
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>> {
        async move {
            tokio::select! {
                biased;
                // What was not reached is found the next time.
                () = run.stop.cancelled() => Err(Failure::internal("broken off")),
                outcome = self.pass() => outcome,
            }
        }
        .boxed()
    }
}
