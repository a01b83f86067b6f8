//! The table of events, and how it is read.

use std::sync::Arc;

use sea_orm::sea_query::{Condition, Order};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
};

use super::topic::Topic;
use crate::database::Database;
use crate::entity::event::{Column, Entity, Model};
use crate::entity::event_log;
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The place in the log, from 1 without gaps.
    pub position: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub recorded_at: i64,
    /// What it is about; none: something that only a newer labql knows.
    pub topic: Option<Topic>,
    /// Which one.
    pub subject: String,
    /// What happened, such as `changed`.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// Who did it: the username; none: labql itself.
    pub actor: Option<String>,
}

impl Event {
    /// None for a row that has no position yet.
    fn of(row: Model) -> Option<Self> {
        Some(Self {
            position: row.position?,
            recorded_at: row.recorded_at,
            topic: row.topic.parse().ok(),
            subject: row.subject,
            kind: row.kind,
            payload: row.payload,
            actor: row.actor,
        })
    }

    /// Roughly what it takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.subject.len() + self.kind.len() + self.payload.len()
    }
}

/// Which events somebody wants to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Of these topics; empty: none.
    pub topics: Vec<Topic>,
    /// About this subject; none: about all.
    pub subject: Option<String>,
    /// Of what this user did; none: whoever did it.
    pub actor: Option<String>,
    /// What the listener chooses by among these, in words of its own. The log does not look at it; but who chooses by
    /// something else listens for something else.
    pub among: Option<String>,
}

impl Filter {
    /// All events of a topic.
    pub fn topic(topic: Topic) -> Self {
        Self {
            topics: vec![topic],
            ..Self::default()
        }
    }

    /// Only those about this subject; none: all.
    #[must_use]
    pub fn about(self, subject: Option<String>) -> Self {
        Self { subject, ..self }
    }

    /// Only of what this user did; none: whoever did it.
    #[must_use]
    pub fn by(self, actor: Option<String>) -> Self {
        Self { actor, ..self }
    }

    /// Only those that the listener chooses by what these words say.
    #[must_use]
    pub fn among(self, choice: String) -> Self {
        Self {
            among: Some(choice),
            ..self
        }
    }

    /// Does this event pass?
    pub fn admits(&self, event: &Event) -> bool {
        event
            .topic
            .is_some_and(|topic| self.topics.contains(&topic))
            && self
                .subject
                .as_ref()
                .is_none_or(|one| *one == event.subject)
            && (self.actor.is_none() || self.actor == event.actor)
    }
}

/// The log as a whole.
pub(super) async fn state(database: &Database) -> Result<event_log::Model, DbErr> {
    let rows = narrow::find::<event_log::Entity>(database, Condition::all(), Columns::all());
    let row = rows.await?.pop().map(Arc::unwrap_or_clone);
    row.ok_or_else(missing)
}

/// The log as a whole, as a transaction sees it.
pub(super) async fn state_within(
    transaction: &DatabaseTransaction,
) -> Result<event_log::Model, DbErr> {
    let row = event_log::Entity::find().one(transaction).await?;
    row.ok_or_else(missing)
}

/// The log as a whole, which nobody else changes until the transaction ends.
pub(super) async fn state_for_update(
    transaction: &DatabaseTransaction,
) -> Result<event_log::Model, DbErr> {
    let query = event_log::Entity::find().lock_exclusive();
    query.one(transaction).await?.ok_or_else(missing)
}

fn missing() -> DbErr {
    DbErr::RecordNotFound("the row of the event log".to_owned())
}

/// The events behind `after`, up to `until`, that pass the filter (none: all), in order.
pub(super) async fn page(
    database: &Database,
    filter: Option<&Filter>,
    after: i64,
    until: i64,
    limit: u64,
) -> Result<Vec<Event>, Failure> {
    let mut condition = Condition::all()
        .add(Column::Position.gt(after))
        .add(Column::Position.lte(until));
    if let Some(filter) = filter {
        let topics = filter.topics.iter().map(|topic| topic.as_str());
        condition = condition.add(Column::Topic.is_in(topics));
        if let Some(subject) = &filter.subject {
            condition = condition.add(Column::Subject.eq(subject));
        }
        if let Some(actor) = &filter.actor {
            condition = condition.add(Column::Actor.eq(actor));
        }
    }
    let mut query = narrow::select::<Entity>(condition, Columns::all());
    query.order_by(Column::Position, Order::Asc).limit(limit);
    let rows = narrow::all(database, &query, Columns::all()).await?;
    let rows = rows.into_iter().map(Arc::unwrap_or_clone);
    Ok(rows.filter_map(Event::of).collect())
}

/// When the event of this position was recorded, if it is there.
pub(super) async fn recorded_at(
    connection: &impl ConnectionTrait,
    position: i64,
) -> Result<Option<i64>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::RecordedAt)
        .filter(Column::Position.eq(position))
        .into_tuple()
        .one(connection)
        .await
}
