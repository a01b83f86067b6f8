//! Runs whose steps are on a machine that has not been heard of for too long. Nobody but its processes can tell what becomes of
//! them: one day they are taken for lost, so that nobody waits for ever.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::Mover;
use super::lease::Left;
use super::proceed::{Known, proceed};
use super::verdict::in_words;
use crate::entity::{flow_attempt, flow_step};
use crate::failure::Failure;
use crate::flows::settings::ExecutorName;
use crate::flows::state::{Reason, StepState};
use crate::flows::write::states::{OpenRun, Why};
use crate::workers;

/// How long a machine may not be heard of.
const PATIENCE: Duration = Duration::from_hours(1);

fn is_long_ago(heard_at: i64, now: i64) -> bool {
    let patience = i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX);
    heard_at.saturating_add(patience) < now
}

impl Mover {
    /// Ends those of these runs whose machine has not been heard of for too long.
    pub async fn give_up(&self, left: Vec<Left>) -> Result<(), Failure> {
        if left.is_empty() {
            return Ok(());
        }
        let now = workers::now(self.flows.database.read()).await?;
        for run in left {
            let is_local = run.executor == ExecutorName::Local.as_str();
            let is_here = run.host.as_ref() == Some(&self.host);
            if is_local && !is_here && is_long_ago(run.heard_at, now) {
                self.give_up_one(&run).await?;
            }
        }
        Ok(())
    }

    async fn give_up_one(&self, left: &Left) -> Result<(), Failure> {
        use flow_attempt::Column;
        let Some(mut open) = OpenRun::open(&self.flows.database, left.id).await? else {
            return Ok(());
        };
        let heard_at = open.run.lease_until.unwrap_or(open.run.updated_at);
        let is_same = heard_at == left.heard_at && open.run.host == left.host;
        if !is_same || !is_long_ago(heard_at, open.now) || open.state()?.is_final() {
            return Ok(());
        }
        // Behind the name of the machine stands that of the folder.
        let host = open.run.host.as_deref().unwrap_or("an unknown machine");
        let host = host.rsplit_once('/').map_or(host, |(name, _)| name);
        let message = format!(
            "ran on {host}, which has not been heard of for {}",
            in_words(PATIENCE)
        );
        tracing::warn!(run = left.id, message, "a run is lost");
        let why = Why::new(Reason::Lost, message.clone());
        let mut steps = flow_step::Entity::find()
            .filter(flow_step::Column::RunId.eq(left.id))
            .order_by_asc(flow_step::Column::Position)
            .all(open.transaction())
            .await?;
        for step in &mut steps {
            let under_way = [StepState::Starting, StepState::Running].map(StepState::as_str);
            if !under_way.contains(&step.state.as_str()) {
                continue;
            }
            flow_attempt::Entity::update_many()
                .col_expr(Column::EndedAt, open.now.into())
                .col_expr(Column::Reason, Reason::Lost.as_str().into())
                .col_expr(Column::Message, message.clone().into())
                .filter(Column::RunId.eq(step.run_id))
                .filter(Column::Position.eq(step.position))
                .filter(Column::Number.eq(step.attempts))
                .exec(open.transaction())
                .await?;
            open.set_step(step, StepState::Error, Some(why.clone()))?;
        }
        let doom = Why::new(Reason::Lost, format!("the run {message}"));
        let known = Known {
            doom: Some(&doom),
            harvest: None,
        };
        proceed(&mut open, &mut steps, known).await?;
        open.commit(&self.flows.feed).await?;
        metrics::counter!("labql_flow_runs_ended_total", "state" => "ERROR").increment(1);
        Ok(())
    }
}
