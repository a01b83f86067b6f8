//! The table of events.

use chrono::Utc;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveValue::NotSet, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
};

use super::topic::Topic;
use crate::database::Database;
use crate::entity::event::{ActiveModel, Column, Entity, Model};
use crate::entity::event_log;
use crate::failure::Failure;
use crate::time::Millis;

/// How many events one statement inserts.
const INSERT_CHUNK: usize = 1000;

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

/// Appends events in the transaction of the command that made the change; the last thing a command does, since other
/// commands wait from here to the commit.
pub async fn append(transaction: &DatabaseTransaction, events: Vec<NewEvent>) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    let recorded_at = Utc::now().millis();
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    event_log::Entity::update_many()
        .col_expr(
            event_log::Column::Head,
            Expr::col(event_log::Column::Head).add(count),
        )
        .col_expr(event_log::Column::HeadRecordedAt, recorded_at.into())
        .exec(transaction)
        .await?;
    let log = event_log::Entity::find().one(transaction).await?;
    let mut position = log.map_or(0, |log| log.head) - count;
    let rows: Vec<_> = events
        .into_iter()
        .map(|event| {
            position += 1;
            ActiveModel {
                id: NotSet,
                position: Set(Some(position)),
                recorded_at: Set(recorded_at),
                topic: Set(event.topic.as_str().to_owned()),
                subject: Set(event.subject),
                kind: Set(event.kind.to_owned()),
                payload: Set(event.payload.to_string()),
                actor: Set(event.actor),
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
    let log = event_log::Entity::find().one(database.read()).await?;
    Ok(log.map_or(0, |log| log.head))
}

/// The next events of a topic behind a position.
pub(super) async fn read_after(
    database: &Database,
    topic: Topic,
    position: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Topic.eq(topic.as_str()))
        .filter(Column::Position.gt(position))
        .order_by_asc(Column::Position)
        .limit(limit)
        .all(database.read())
        .await
}
