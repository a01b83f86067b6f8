//! Events are written by the command that made the change, in its transaction.

use chrono::Utc;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, EntityTrait, Statement, Value,
};

use super::log;
use super::topic::Topic;
use crate::entity::event_log;
use crate::time::Millis;

/// How many events one statement inserts.
const INSERT_CHUNK: usize = 1000;

/// However many they are, the statement is the same, so that it is prepared once. No actor has an empty name; arrays of
/// sea-query hold no nulls.
const POSTGRES: &str = "
INSERT INTO event (recorded_at, topic, subject, kind, payload, actor)
SELECT $1, topic, subject, kind, payload, NULLIF(actor, '')
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS new (topic, subject, kind, payload, actor, place)
ORDER BY place
";
/// An event is an array of its columns.
const SQLITE: &str = "
INSERT INTO event (position, recorded_at, topic, subject, kind, payload, actor)
SELECT ?1 + key, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM json_each(?3)
ORDER BY key
";

/// An event that a command is about to tell.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What it is about.
    pub topic: Topic,
    /// Which one.
    pub subject: String,
    /// What happened, such as `changed`.
    pub kind: &'static str,
    /// What the subject became, and what else subscribers are told.
    pub payload: serde_json::Value,
    /// Who did it: the username; none: labql itself.
    pub actor: Option<String>,
}

/// Appends events in the transaction of the command that made the change, as the last thing it does. Answers with the
/// moment at which they were recorded, in milliseconds since 1970-01-01 UTC.
///
/// SQLite has one writer, so the events are numbered here and the order of positions is that of commits. On PostgreSQL
/// commands commit in any order: their events are numbered after the commit (see [`postgres`](super::postgres)), and
/// commands need not wait for each other.
pub async fn append(
    transaction: &DatabaseTransaction,
    events: Vec<NewEvent>,
) -> Result<i64, DbErr> {
    let recorded_at = Utc::now().millis();
    if events.is_empty() {
        return Ok(recorded_at);
    }
    let backend = transaction.get_database_backend();
    let mut position = match backend {
        DatabaseBackend::Postgres => 0,
        _ => reserve(transaction, events.len(), recorded_at).await? + 1,
    };
    for chunk in events.chunks(INSERT_CHUNK) {
        let statement = match backend {
            DatabaseBackend::Postgres => postgres(recorded_at, chunk),
            _ => sqlite(position, recorded_at, chunk)?,
        };
        transaction.execute_raw(statement).await?;
        position += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
    }
    Ok(recorded_at)
}

fn postgres(recorded_at: i64, events: &[NewEvent]) -> Statement {
    let texts = |of: fn(&NewEvent) -> String| {
        let texts = events.iter().map(|event| Value::String(Some(of(event))));
        Value::Array(ArrayType::String, Some(Box::new(texts.collect())))
    };
    let values = [
        recorded_at.into(),
        texts(|event| event.topic.as_str().to_owned()),
        texts(|event| event.subject.clone()),
        texts(|event| event.kind.to_owned()),
        texts(|event| event.payload.to_string()),
        texts(|event| event.actor.clone().unwrap_or_default()),
    ];
    Statement::from_sql_and_values(DatabaseBackend::Postgres, POSTGRES, values)
}

fn sqlite(position: i64, recorded_at: i64, events: &[NewEvent]) -> Result<Statement, DbErr> {
    let columns = |event: &NewEvent| {
        let topic = event.topic.as_str().to_owned();
        let payload = event.payload.to_string();
        let (subject, actor) = (event.subject.clone(), event.actor.clone());
        (topic, subject, event.kind, payload, actor)
    };
    let rows: Vec<_> = events.iter().map(columns).collect();
    let rows = serde_json::to_string(&rows).map_err(|error| DbErr::Json(error.to_string()))?;
    let values = [position.into(), recorded_at.into(), rows.into()];
    let backend = DatabaseBackend::Sqlite;
    Ok(Statement::from_sql_and_values(backend, SQLITE, values))
}

/// Takes the next positions; answers with the one before them.
async fn reserve(
    transaction: &DatabaseTransaction,
    count: usize,
    recorded_at: i64,
) -> Result<i64, DbErr> {
    use event_log::Column::{Head, HeadRecordedAt};
    let before = log::state_within(transaction).await?.head;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    event_log::Entity::update_many()
        .col_expr(Head, Expr::col(Head).add(count))
        .col_expr(HeadRecordedAt, recorded_at.into())
        .exec(transaction)
        .await?;
    Ok(before)
}
