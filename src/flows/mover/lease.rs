//! The lease of runs: one statement renews it for all that this process holds, and tells which these are. Runs that nobody holds
//! any more are taken over.

use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};

use super::Mover;
use super::held::Held;
use crate::database::is_one_of;
use crate::entity::flow_run::{Column, Entity};
use crate::events;
use crate::failure::Failure;
use crate::flows::changes::{self, ChangeKind};
use crate::flows::settings::ExecutorName;
use crate::flows::state::RunState;
use crate::workers;

/// The states are written as in the index.
const RENEW: &str = "
UPDATE flow_run SET lease_until = $1
WHERE (state = 'RUNNING' OR state = 'CANCELING') AND holder = $2
RETURNING id, executor, state
";
/// How many runs are taken over in one statement.
const MOST: u64 = 200;

/// A run that nobody holds.
pub(super) struct Left {
    pub id: i64,
    pub executor: String,
    pub host: Option<String>,
    /// When something was last heard of who held it.
    pub heard_at: i64,
}

/// Id, executor, host, end of the lease, and time of the last change of a run.
type Row = (i64, String, Option<String>, Option<i64>, i64);

impl Mover {
    /// Renews the lease of all runs that this process holds, tells those that move them what others did, and moves those that it
    /// did not know of: it was not told that they were claimed.
    pub async fn renew(self: &Arc<Self>, held: &mut Held) -> Result<(), Failure> {
        let database = &self.flows.database;
        let now = workers::now(database.read()).await?;
        let backend = database.backend();
        let values = [
            now.saturating_add(self.lease()).into(),
            self.holder.id.as_str().into(),
        ];
        let statement = Statement::from_sql_and_values(backend, RENEW, values);
        let rows = database.write().query_all_raw(statement).await?;
        let canceling = RunState::Canceling.as_str();
        let mut runs = Vec::with_capacity(rows.len());
        for row in rows {
            let state: String = row.try_get("", "state")?;
            runs.push((
                row.try_get("", "id")?,
                row.try_get("", "executor")?,
                state == canceling,
            ));
        }
        for (id, executor) in held.compare(&runs) {
            held.take_over(self, id, &executor);
        }
        Ok(())
    }

    /// Takes over what nobody holds any more, if it can be moved from here. Gives what cannot.
    pub async fn take_over(self: &Arc<Self>, held: &mut Held) -> Result<Vec<Left>, Failure> {
        let database = &self.flows.database;
        let now = workers::now(database.read()).await?;
        // Those of others must not stand in the way of ours.
        let ours = self.left(now, self.is_ours()).await?;
        let others = self.left(now, self.is_ours().not()).await?;
        if ours.is_empty() {
            return Ok(others);
        }
        let ids: Vec<i64> = ours.iter().map(|run| run.id).collect();
        let transaction = database.begin().await?;
        let taken = Entity::update_many()
            .col_expr(Column::Holder, self.holder.id.as_str().into())
            .col_expr(Column::LeaseUntil, now.saturating_add(self.lease()).into())
            .filter(is_one_of(database, Column::Id, &ids))
            .filter(self.is_left(now))
            .exec_with_returning(&transaction)
            .await?;
        let told = taken
            .iter()
            .map(|run| changes::event(ChangeKind::TakenOver, run, None, None))
            .collect();
        events::append(&transaction, told).await?;
        transaction.commit().await?;
        self.flows.feed.wake();
        for run in taken {
            held.take_over(self, run.id, &run.executor);
        }
        Ok(others)
    }

    /// A run that can be moved from here.
    fn is_ours(&self) -> Condition {
        let local = ExecutorName::Local;
        let others = self.executors.names().filter(|name| *name != local);
        let here = Condition::all()
            .add(Column::Executor.eq(local.as_str()))
            .add(Column::Host.is_not_null())
            .add(Column::Host.eq(self.host.as_str()));
        Condition::any()
            .add(here)
            .add(Column::Executor.is_in(others.map(ExecutorName::as_str)))
    }

    async fn left(&self, now: i64, whose: Condition) -> Result<Vec<Left>, DbErr> {
        let rows = Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::Executor,
                Column::Host,
                Column::LeaseUntil,
                Column::UpdatedAt,
            ])
            .filter(self.is_left(now))
            .filter(whose)
            .order_by_asc(Column::LeaseUntil)
            .order_by_asc(Column::Id)
            .limit(MOST)
            .into_tuple::<Row>()
            .all(self.flows.database.read())
            .await?;
        let left = |(id, executor, host, lease_until, updated_at): Row| Left {
            id,
            executor,
            host,
            heard_at: lease_until.unwrap_or(updated_at),
        };
        Ok(rows.into_iter().map(left).collect())
    }

    /// A run that is under way and that nobody holds. A lease that ends later than any lease can was written before the clock was
    /// set back.
    fn is_left(&self, now: i64) -> Condition {
        let latest = now.saturating_add(self.lease().saturating_mul(2));
        let is_over = Condition::any()
            .add(Column::Holder.is_null())
            .add(Column::LeaseUntil.is_null())
            .add(Column::LeaseUntil.lte(now))
            .add(Column::LeaseUntil.gt(latest));
        Condition::all()
            .add(Expr::cust("(state = 'RUNNING' OR state = 'CANCELING')"))
            .add(is_over)
    }

    /// Gives all leases back: others need not wait until they end.
    pub async fn release(&self) -> Result<(), Failure> {
        let database = &self.flows.database;
        let now = workers::now(database.read()).await?;
        Entity::update_many()
            .col_expr(Column::Holder, Expr::value(Option::<String>::None))
            .col_expr(Column::LeaseUntil, now.into())
            .filter(Expr::cust("(state = 'RUNNING' OR state = 'CANCELING')"))
            .filter(Column::Holder.eq(self.holder.id.as_str()))
            .exec(database.write())
            .await?;
        Ok(())
    }
}
