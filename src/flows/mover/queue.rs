//! The queue: the runs that wait for their turn, and those that are under way and so keep others waiting.

use std::collections::HashMap;

use sea_orm::sea_query::Condition;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, EntityTrait,
    QueryFilter, QueryResult, QuerySelect, Statement, Value,
};

use super::room::{Candidate, Full, Room};
use crate::entity::workflow;
use crate::failure::Failure;
use crate::flows::settings::ExecutorName;

/// How many are looked at together.
pub(super) const LOOKED_AT: usize = 100;
/// The states are written as in the index. Those who have no room are left out there: however many of theirs stand before
/// others, only the index of the queue is gone through, and no further than to those who have. Without the `CASE` PostgreSQL
/// would believe that next to nobody has, and sort all that wait.
const POSTGRES: &str = "
SELECT id, executor, COALESCE(starter_id, 0) AS starter, workflow_id FROM flow_run
WHERE state = 'PENDING' AND CASE
    WHEN executor = ANY($1) AND NOT (COALESCE(starter_id, 0) = ANY($2)) AND NOT (workflow_id = ANY($3))
        AND (COALESCE(starter_id, 0), workflow_id) NOT IN (SELECT * FROM unnest($4::bigint[], $5::bigint[]))
    THEN TRUE ELSE FALSE END
ORDER BY priority DESC, id LIMIT 100
";
/// SQLite would take another index, and sort them.
const SQLITE: &str = "
SELECT id, executor, COALESCE(starter_id, 0) AS starter, workflow_id FROM flow_run INDEXED BY flow_run_queue
WHERE state = 'PENDING' AND executor IN (SELECT value FROM json_each(?1))
    AND COALESCE(starter_id, 0) NOT IN (SELECT value FROM json_each(?2))
    AND workflow_id NOT IN (SELECT value FROM json_each(?3))
    AND (COALESCE(starter_id, 0), workflow_id) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?4))
ORDER BY priority DESC, id LIMIT 100
";
/// The runs that are under way.
const UNDER_WAY: &str = "
SELECT executor, host, COALESCE(starter_id, 0) AS starter, workflow_id, COUNT(*) AS runs FROM flow_run
WHERE state = 'RUNNING' OR state = 'CANCELING'
GROUP BY executor, host, COALESCE(starter_id, 0), workflow_id
";
/// Whether anything waits. PostgreSQL would go through all runs if most of them waited when it last counted.
const WAITS_POSTGRES: &str =
    "SELECT id FROM flow_run WHERE state = 'PENDING' ORDER BY priority DESC, id LIMIT 1";
const WAITS_SQLITE: &str = "SELECT id FROM flow_run WHERE state = 'PENDING' LIMIT 1";

/// Does any run wait for its turn?
///
/// # Errors
/// Those of the database.
pub(super) async fn waits(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let backend = connection.get_database_backend();
    let waits = match backend {
        DatabaseBackend::Postgres => WAITS_POSTGRES,
        _ => WAITS_SQLITE,
    };
    let statement = Statement::from_string(backend, waits);
    Ok(connection.query_one_raw(statement).await?.is_some())
}

/// Counts the runs that are under way, and those of them that have their place here: on this machine, or anywhere by Slurm.
///
/// # Errors
/// Those of the database.
pub(super) async fn count(
    transaction: &DatabaseTransaction,
    room: &mut Room,
    host: &str,
) -> Result<(), Failure> {
    let backend = transaction.get_database_backend();
    let statement = Statement::from_string(backend, UNDER_WAY);
    for row in transaction.query_all_raw(statement).await? {
        let executor: String = row.try_get("", "executor")?;
        let on: Option<String> = row.try_get("", "host")?;
        let runs: i64 = row.try_get("", "runs")?;
        let runs = u64::try_from(runs).unwrap_or(0);
        room.count(
            row.try_get("", "starter")?,
            row.try_get("", "workflow_id")?,
            runs,
        );
        let executor = ExecutorName::from_name(&executor);
        let is_here = executor != Some(ExecutorName::Local) || on.as_deref() == Some(host);
        if let Some(free) = executor.and_then(|executor| room.free.get_mut(&executor))
            && is_here
        {
            *free = free.saturating_sub(usize::try_from(runs).unwrap_or(usize::MAX));
        }
    }
    room.of_workflows = limits(transaction).await?;
    Ok(())
}

/// The limits of workflows that have their own.
async fn limits(
    transaction: &DatabaseTransaction,
) -> Result<HashMap<i64, (Option<u64>, Option<u64>)>, DbErr> {
    use workflow::Column::{Id, MostRunning, MostRunningPerUser};
    let has_any = Condition::any()
        .add(MostRunning.is_not_null())
        .add(MostRunningPerUser.is_not_null());
    let rows: Vec<(i64, Option<i64>, Option<i64>)> = workflow::Entity::find()
        .select_only()
        .columns([Id, MostRunning, MostRunningPerUser])
        .filter(has_any)
        .into_tuple()
        .all(transaction)
        .await?;
    let limit = |limit: Option<i64>| limit.and_then(|limit| u64::try_from(limit).ok());
    let rows = rows.into_iter();
    Ok(rows
        .map(|(id, all, each)| (id, (limit(all), limit(each))))
        .collect())
}

/// The next runs for which there may be room, in the order of their turns; fewer than [`LOOKED_AT`] if these are all.
///
/// # Errors
/// Those of the database.
pub(super) async fn next(
    transaction: &DatabaseTransaction,
    executors: &[ExecutorName],
    full: &Full,
) -> Result<Vec<Candidate>, Failure> {
    let backend = transaction.get_database_backend();
    let executors: Vec<&str> = executors.iter().map(|executor| executor.as_str()).collect();
    let statement = if backend == DatabaseBackend::Postgres {
        let users = full.pairs.iter().map(|(user, _)| *user);
        let workflows = full.pairs.iter().map(|(_, workflow)| *workflow);
        let executors = executors.into_iter().map(str::to_owned);
        let values: [Value; 5] = [
            executors.collect::<Vec<String>>().into(),
            full.users.clone().into(),
            full.workflows.clone().into(),
            users.collect::<Vec<i64>>().into(),
            workflows.collect::<Vec<i64>>().into(),
        ];
        Statement::from_sql_and_values(backend, POSTGRES, values)
    } else {
        let json = |value: serde_json::Value| Value::from(value.to_string());
        let pairs: Vec<[i64; 2]> = full
            .pairs
            .iter()
            .map(|(user, workflow)| [*user, *workflow])
            .collect();
        let values = [
            json(executors.into()),
            json(full.users.clone().into()),
            json(full.workflows.clone().into()),
            json(serde_json::json!(pairs)),
        ];
        Statement::from_sql_and_values(backend, SQLITE, values)
    };
    let rows = transaction.query_all_raw(statement).await?;
    let candidates = rows.iter().map(candidate).collect::<Result<Vec<_>, _>>();
    Ok(candidates?.into_iter().flatten().collect())
}

fn candidate(row: &QueryResult) -> Result<Option<Candidate>, DbErr> {
    let executor: String = row.try_get("", "executor")?;
    let Some(executor) = ExecutorName::from_name(&executor) else {
        return Ok(None);
    };
    Ok(Some(Candidate {
        run: row.try_get("", "id")?,
        executor,
        user: row.try_get("", "starter")?,
        workflow: row.try_get("", "workflow_id")?,
    }))
}
