//! The event log and those who follow it.

mod clock;
mod disk;
mod log;
mod outages;
mod retention;
mod sharing;
mod survival;
mod writers;

use labql::database::Database;
use labql::events::{NewEvent, Topic, append};
use sea_orm::DatabaseTransaction;
use serde_json::json;

/// An event about nothing in particular.
pub fn event(subject: &str, number: i64) -> NewEvent {
    NewEvent {
        topic: Topic::Job,
        subject: subject.to_owned(),
        kind: "changed",
        payload: json!({ "number": number }),
        actor: None,
    }
}

/// Appends events in a transaction of their own.
pub async fn tell(database: &Database, events: Vec<NewEvent>) {
    let transaction = database.begin().await.expect("a transaction");
    tell_in(&transaction, events).await;
    transaction.commit().await.expect("a commit");
}

pub async fn tell_in(transaction: &DatabaseTransaction, events: Vec<NewEvent>) {
    append(transaction, events).await.expect("room in the log");
}
