//! The clock of the machine is set back, so that later events say that they are earlier.

use std::time::Duration;

use chrono::Utc;
use labql::events::{Feed, Retention};
use sea_orm::ConnectionTrait;
use tokio::time::timeout;

use super::tell;
use super::writers::{check_told, job, pages};
use crate::support::client::PATIENCE;
use crate::support::subscriber::{BEGINNING, Field, LAST, Subscriber, Transport};
use crate::support::{Address, Lab};

on_both_databases!(a_clock_that_goes_backwards_changes_nothing);

const JOBS: Field = Field::Events(&["JOB"]);

async fn a_clock_that_goes_backwards_changes_nothing(lab: Lab) {
    lab.user("ada", &[]);
    let token = lab.token("ada");
    let database = lab.database().await;
    for number in 0..6 {
        tell(&database, vec![job(format!("w0_{number}"))]).await;
    }
    // Numbers what was committed.
    let feed = Feed::open(database.clone()).await.expect("a feed");
    feed.look().await.expect("a log");
    // The clock was a day ahead, and goes two hours back with each event.
    for statement in [
        "UPDATE event SET recorded_at = recorded_at + 86400000 - position * 7200000",
        "UPDATE event_log SET head_recorded_at =
            (SELECT recorded_at FROM event WHERE position = head)",
    ] {
        let done = database.write().execute_unprepared(statement).await;
        done.expect("SQL");
    }
    let server = lab.serve().await.signed_in(&token);
    let mut clients = Vec::new();
    for transport in [Transport::WebSocket, Transport::ServerSentEvents] {
        let subscriber = Subscriber::new(JOBS, transport, &token, BEGINNING);
        let mut progress = subscriber.progress();
        clients.push(tokio::spawn(subscriber.stay(server.address())));
        progress.further(6).await;
    }
    // It is set right again, while they follow.
    tell(&database, vec![job(LAST)]).await;
    let mut told = Vec::new();
    for client in clients {
        let heard = timeout(PATIENCE, client).await.expect("the last event");
        told.push(heard.expect("a client"));
    }
    let log = pages(&server, JOBS, BEGINNING).await;
    assert_eq!(log.len(), 7);
    for (client, told) in told.iter().enumerate() {
        check_told(client, told, &log);
    }
    for (place, seen) in log.iter().enumerate().take(6) {
        let rest = pages(&server, JOBS, &seen.cursor).await;
        assert_eq!(rest, log[place + 1..]);
    }
    let retention = Retention {
        max_age: Duration::from_mins(30),
        max_events: 100,
    };
    // The oldest is the youngest of all, and keeps those behind it.
    assert_eq!(retention.apply(&database, Utc::now()).await, Ok(0));
    assert_eq!(pages(&server, JOBS, BEGINNING).await, log);
    assert!(server.stop().await);
}
