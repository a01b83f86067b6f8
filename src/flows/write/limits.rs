//! How many runs there may be that have not ended.

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::entity::flow_run::{Column, Entity};
use crate::entity::workflow;
use crate::failure::{Failure, RejectionCode};
use crate::flows::settings::QueueSettings;

/// Refuses one more run of this user, if too many have not ended.
///
/// # Errors
/// [`RejectionCode::RateLimited`], with the name of the limit.
pub(super) async fn check(
    transaction: &DatabaseTransaction,
    settings: &QueueSettings,
    user: i64,
    workflow: &workflow::Model,
) -> Result<(), Failure> {
    let open = Open::count(transaction, user, workflow.id).await?;
    let refused = |message: String| {
        let code = RejectionCode::RateLimited;
        Err(Failure::rejected(code, None, message))
    };
    if let Some(most) = workflow.most_open_per_user
        && open.in_workflow >= most
    {
        return refused(format!(
            "{} of your runs of this workflow have not ended, and {most} may be at once: wait for one, or cancel one",
            open.in_workflow
        ));
    }
    if open.of_user >= i64::from(settings.open_per_user) {
        return refused(format!(
            "{} of your runs have not ended, and `flows.queue.open_per_user` is {}: wait for one, or cancel one",
            open.of_user, settings.open_per_user
        ));
    }
    if open.all >= i64::from(settings.open) {
        return refused(format!(
            "as many runs as `flows.queue.open` allows, {}, have not ended: try again later",
            settings.open
        ));
    }
    Ok(())
}

/// How many runs have not ended.
struct Open {
    all: i64,
    of_user: i64,
    /// Of the user in one workflow.
    in_workflow: i64,
}

impl Open {
    /// Counts them in one pass through the index that has only these.
    async fn count(
        transaction: &DatabaseTransaction,
        user: i64,
        workflow: i64,
    ) -> Result<Self, Failure> {
        let own = || Expr::col(Column::StarterId).eq(user);
        let in_workflow = own().and(Expr::col(Column::WorkflowId).eq(workflow));
        let count = |condition: SimpleExpr| {
            Func::count(Expr::case(condition, 1_i64).finally(Option::<i64>::None))
        };
        let query = Query::select()
            .expr(Expr::cust("COUNT(*)"))
            .expr(count(own()))
            .expr(count(in_workflow))
            .from(Entity)
            .and_where(Expr::col(Column::EndedAt).is_null())
            .take();
        let row = transaction.query_one(&query).await?;
        let row = row.ok_or_else(|| Failure::internal("runs were not counted"))?;
        Ok(Self {
            all: row.try_get_by_index(0)?,
            of_user: row.try_get_by_index(1)?,
            in_workflow: row.try_get_by_index(2)?,
        })
    }
}
