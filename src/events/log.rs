//! The table of events.

use chrono::Utc;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};

use crate::database::Database;
use crate::entity::event::{ActiveModel, Column, Entity, Model};
use crate::failure::Failure;
use crate::time::Millis;

/// The key of the advisory lock that PostgreSQL holds from the numbering of an event to the commit: with it, positions
/// become visible in their order. Any number that nobody else uses.
const NUMBERING_LOCK: i64 = 0x6c61_6271_6c00_0001;
/// How many events one statement inserts.
const INSERT_CHUNK: usize = 1000;

/// An event that a command is about to tell.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What it is about, such as `experiment`.
    pub topic: &'static str,
    /// Which one.
    pub subject: String,
    /// What happened, such as `changed`.
    pub kind: &'static str,
    /// More about it.
    pub payload: serde_json::Value,
}

/// Appends events in the transaction of the command that made the change; the last thing a command does, since on
/// PostgreSQL other commands wait from here to the commit. SQLite has one writer anyway.
pub async fn append(transaction: &DatabaseTransaction, events: Vec<NewEvent>) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    if transaction.get_database_backend() == DatabaseBackend::Postgres {
        transaction
            .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({NUMBERING_LOCK})"))
            .await?;
    }
    let recorded_at = Utc::now().millis();
    let mut position = newest(transaction).await?;
    let rows: Vec<_> = events
        .into_iter()
        .map(|event| {
            position += 1;
            ActiveModel {
                position: Set(position),
                recorded_at: Set(recorded_at),
                topic: Set(event.topic.to_owned()),
                subject: Set(event.subject),
                kind: Set(event.kind.to_owned()),
                payload: Set(event.payload.to_string()),
            }
        })
        .collect();
    for chunk in rows.chunks(INSERT_CHUNK) {
        Entity::insert_many(chunk.to_vec())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// The position of the newest event; 0 before the first.
pub async fn head(database: &Database) -> Result<i64, Failure> {
    Ok(newest(database.read()).await?)
}

async fn newest<C: ConnectionTrait>(connection: &C) -> Result<i64, DbErr> {
    let newest: Option<Option<i64>> = Entity::find()
        .select_only()
        .expr(Column::Position.max())
        .into_tuple()
        .one(connection)
        .await?;
    Ok(newest.flatten().unwrap_or(0))
}

/// The next events of a topic behind a position.
pub(super) async fn read_after(
    database: &Database,
    topic: &str,
    position: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Topic.eq(topic))
        .filter(Column::Position.gt(position))
        .order_by_asc(Column::Position)
        .limit(limit)
        .all(database.read())
        .await
}
