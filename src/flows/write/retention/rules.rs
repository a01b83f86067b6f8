//! Which runs are kept.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Order, Query, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr};

use crate::database::{Database, is_one_of};
use crate::entity::flow_run::{Column, Entity};
use crate::entity::workflow;
use crate::failure::Failure;
use crate::flows::ranking::order;
use crate::flows::read::runs::RunKind;
use crate::flows::read::{ranking, versions};
use crate::flows::settings::RunRetention;
use crate::flows::state::RunState;
use crate::narrow::Columns;

/// How many runs are told at once.
const AT_ONCE: u64 = 2_000;
/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// The rules of a workflow; 0: for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Days, of runs that ended well.
    days: i64,
    /// Days, of other runs.
    failed_days: i64,
    /// How many of each group.
    number: i64,
    /// Up to which rank they are kept whatever else is said.
    ranked: i64,
}

impl Rules {
    /// Those that a workflow says, else those of the site.
    pub fn of(workflow: &workflow::Model, site: &RunRetention) -> Self {
        Self {
            days: workflow.keep_days.unwrap_or(site.days.into()),
            failed_days: workflow.keep_failed_days.unwrap_or(site.failed_days.into()),
            number: workflow.keep_number.unwrap_or(site.number.into()),
            ranked: workflow.keep_ranked.unwrap_or(site.ranked.into()),
        }
    }

    /// Is everything kept for good?
    pub fn keep_all(self) -> bool {
        self.days <= 0 && self.failed_days <= 0 && self.number <= 0
    }

    /// Runs that are kept no longer, the oldest first; not always all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn outdated(
        self,
        database: &Database,
        workflow: &workflow::Model,
        now: i64,
    ) -> Result<Vec<i64>, Failure> {
        let mut kept = self.best(database, workflow).await?;
        kept.extend(shown(database, workflow.id).await?);
        let ended = Query::select()
            .columns([Column::Id, Column::State, Column::EndedAt])
            .expr_as(
                Expr::cust("ROW_NUMBER() OVER (PARTITION BY group_id ORDER BY id DESC)"),
                "place",
            )
            .from(Entity)
            .and_where(Column::WorkflowId.eq(workflow.id))
            .and_where(Column::EndedAt.is_not_null())
            .take();
        let query = Query::select()
            .column(Column::Id)
            .from_subquery(ended, "ended")
            .cond_where(self.condition(now))
            .and_where(is_one_of(database, Column::Id, &kept).not())
            .order_by(Column::Id, Order::Asc)
            .limit(AT_ONCE)
            .take();
        let rows = database.read().query_all(&query).await?;
        let ids = rows.iter().map(|row| row.try_get_by_index(0));
        Ok(ids.collect::<Result<_, DbErr>>()?)
    }

    /// The condition that one of the rules lets a run go.
    fn condition(self, now: i64) -> Condition {
        let ended = |days: i64| {
            let before = now.saturating_sub(days.saturating_mul(DAY));
            Expr::col(Column::EndedAt).lt(before)
        };
        let success = || Expr::col(Column::State).eq(RunState::Success.as_str());
        let days = (self.days > 0).then(|| ended(self.days).and(success()));
        let failed = (self.failed_days > 0).then(|| ended(self.failed_days).and(success().not()));
        let number = (self.number > 0).then(|| Expr::col("place").gt(self.number));
        Condition::any()
            // Without any rule, no run is let go.
            .add(Expr::value(false))
            .add_option(days)
            .add_option(failed)
            .add_option(number)
    }

    /// The runs up to the rank that is kept.
    async fn best(
        self,
        database: &Database,
        workflow: &workflow::Model,
    ) -> Result<Vec<i64>, Failure> {
        let Ok(ranked @ 1..) = u64::try_from(self.ranked) else {
            return Ok(Vec::new());
        };
        let newest = versions::latest(database, &[workflow.id], Columns::all()).await?;
        let Some(newest) = newest.get(&workflow.id) else {
            return Ok(Vec::new());
        };
        let Some(schema) = versions::template(newest)?.results else {
            return Ok(Vec::new());
        };
        let keys = order(&schema, None).map_err(Failure::internal)?;
        let best = ranking::page(database, workflow.id, &schema, &keys, false, ranked, 0);
        Ok(best.await?.into_iter().map(|run| run.run).collect())
    }
}

/// The last run that was made of the best runs, if it ended well: it is what is shown of them.
async fn shown(database: &Database, workflow: i64) -> Result<Option<i64>, Failure> {
    let query = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::WorkflowId.eq(workflow))
        .and_where(Column::Kind.eq(RunKind::PostProcessing.as_str()))
        .and_where(Column::State.eq(RunState::Success.as_str()))
        .order_by(Column::Id, Order::Desc)
        .limit(1)
        .take();
    let row = database.read().query_one(&query).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// The condition that a run is one of these.
pub(super) fn are(database: &Database, runs: &[i64]) -> Condition {
    let one: SimpleExpr = is_one_of(database, Column::Id.as_column_ref(), runs);
    Condition::all().add(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_says_more_than_the_site() {
        let site = RunRetention {
            days: 30,
            failed_days: 0,
            number: 5,
            ranked: 1,
        };
        let silent = Rules::of(&workflow::Model::default(), &site);
        assert_eq!((silent.days, silent.number, silent.ranked), (30, 5, 1));
        assert!(!silent.keep_all());
        let says = workflow::Model {
            keep_days: Some(0),
            keep_number: Some(0),
            ..workflow::Model::default()
        };
        assert!(Rules::of(&says, &site).keep_all());
    }
}
