//! Writers that commit in any order, and followers that come and go: nothing is lost, and nothing comes twice.

use std::collections::HashMap;
use std::time::Duration;

use labql::database::Database;
use labql::events::{Cursor, Feed, Filter, Start, Topic};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{event, tell, tell_in};
use crate::support::{Lab, client::PATIENCE};

on_both_databases!(
    followers_see_exactly_what_was_committed,
    a_slow_transaction_is_not_overtaken,
);

const WRITERS: i64 = 8;
const COMMANDS: i64 = 40;
const FOLLOWERS: u64 = 6;
const LAST: &str = "last";

/// Each command takes its time between its events and the commit, which is what makes numbers overtake each other; one
/// in five thinks better of it.
async fn write(database: Database, writer: i64) -> Vec<(String, i64)> {
    let mut random = StdRng::seed_from_u64(writer.unsigned_abs());
    let subject = format!("writer{writer}");
    let mut committed = Vec::new();
    for command in 0..COMMANDS {
        let transaction = database.begin().await.expect("a transaction");
        let numbers: Vec<i64> = (0..random.random_range(1..4))
            .map(|n| command * 10 + n)
            .collect();
        let events = numbers
            .iter()
            .map(|number| event(&subject, *number))
            .collect();
        tell_in(&transaction, events).await;
        // The hazard itself: a transaction that is slow to commit.
        sleep(Duration::from_millis(random.random_range(0..8))).await;
        if random.random_bool(0.2) {
            transaction.rollback().await.expect("a rollback");
        } else {
            transaction.commit().await.expect("a commit");
            committed.extend(numbers.into_iter().map(|number| (subject.clone(), number)));
        }
    }
    committed
}

/// Follows by turns on either replica, as often as a client that loses its connection.
async fn follow(replicas: [Feed; 2], seed: u64) -> Vec<(i64, String, i64)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut seen = Vec::new();
    let mut start = Start::Beginning;
    loop {
        let feed = &replicas[random.random_range(0..2)];
        let filter = Filter::topic(Topic::Job);
        let mut follower = feed.subscribe(filter, start).await.expect("a cursor");
        for _ in 0..random.random_range(1..60) {
            let event = follower.next().await.expect("an event");
            if event.subject == LAST {
                return seen;
            }
            let payload: serde_json::Value = serde_json::from_str(&event.payload).expect("JSON");
            let number = payload["number"].as_i64().expect("a number");
            seen.push((event.position, event.subject.clone(), number));
            let cursor = feed.cursor(&event).to_string();
            start = Start::parse(Some(&cursor)).expect("a cursor");
        }
    }
}

async fn followers_see_exactly_what_was_committed(lab: Lab) {
    let database = lab.database().await;
    let stop = CancellationToken::new();
    let mut feeds = Vec::new();
    for _ in 0..2 {
        // Replicas share nothing but the database.
        let feed = Feed::open(lab.database().await).await.expect("a feed");
        let (running, stop) = (feed.clone(), stop.clone());
        tokio::spawn(async move { running.follow(stop).await });
        feeds.push(feed);
    }
    let feeds = [feeds[0].clone(), feeds[1].clone()];
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|seed| tokio::spawn(follow(feeds.clone(), seed)))
        .collect();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(database.clone(), writer));
    }
    let committed: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    tell(&database, vec![event(LAST, 0)]).await;

    for follower in followers {
        let seen = timeout(PATIENCE, follower).await.expect("the last event");
        let seen = seen.expect("a follower");
        let positions: Vec<i64> = seen.iter().map(|(position, ..)| *position).collect();
        let gapless: Vec<i64> = (1..).take(seen.len()).collect();
        assert_eq!(positions, gapless);
        let by_writer = |events: Vec<(String, i64)>| {
            let mut of: HashMap<String, Vec<i64>> = HashMap::new();
            for (writer, number) in events {
                of.entry(writer).or_default().push(number);
            }
            of
        };
        // Also in the order in which each writer committed.
        let seen = seen.into_iter().map(|(_, writer, number)| (writer, number));
        assert_eq!(by_writer(seen.collect()), by_writer(committed.clone()));
    }
    stop.cancel();
}

/// The trap by itself: an event that was written first and committed last.
async fn a_slow_transaction_is_not_overtaken(lab: Lab) {
    let database = lab.database().await;
    let feed = Feed::open(database.clone()).await.expect("a feed");
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (feed, stop) = (feed.clone(), stop.clone());
        async move { feed.follow(stop).await }
    });
    let filter = Filter::topic(Topic::Job);
    let mut follower = feed.subscribe(filter, Start::Now).await.expect("a feed");
    let slow = database.begin().await.expect("a transaction");
    tell_in(&slow, vec![event("slow", 1)]).await;
    if database.backend() == sea_orm::DatabaseBackend::Postgres {
        tell(&database, vec![event("quick", 2)]).await;
        let first = timeout(PATIENCE, follower.next()).await.expect("an event");
        assert_eq!(first.expect("an event").subject, "quick");
    }
    slow.commit().await.expect("a commit");
    let event = timeout(PATIENCE, follower.next()).await.expect("an event");
    let event = event.expect("an event");
    assert_eq!(event.subject, "slow");
    let head: Cursor = feed.head().await.expect("a head");
    assert_eq!(head, feed.cursor(&event));
    stop.cancel();
    running.await.expect("the end");
}
