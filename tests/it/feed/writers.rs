//! Writers beside the server, and the log that they and the server have made, page by page.

use std::collections::HashMap;
use std::time::Duration;

use labql::database::Database;
use labql::entity::job;
use labql::events::{Cursor, Event, Feed, Filter, NewEvent, Start, Topic, append};
use labql::experiments::changes::{ChangeKind, JobChange};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sea_orm::DbErr;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::Server;
use crate::support::client::PATIENCE;
use crate::support::subscriber::{Field, LAST, Told};

/// A change of a job of this name that nobody mirrors.
pub fn job(name: impl Into<String>) -> NewEvent {
    let name = name.into();
    let job = job::Model {
        name: name.clone(),
        ..job::Model::default()
    };
    let change = JobChange {
        job,
        previous_status: Some(0),
    };
    change.event(&name, ChangeKind::Changed)
}

/// The name of the job of a writer's command.
fn name(writer: u64, number: u64) -> String {
    format!("w{writer}_{number}")
}

/// Writers that take their time before they commit, which is what makes numbers overtake each other, and think better
/// of it now and then. Each gives the names that it has committed, in their order.
pub struct Writers {
    tasks: JoinSet<(u64, Vec<String>)>,
    stop: CancellationToken,
}

impl Writers {
    pub fn start(database: &Database, writers: u64) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for writer in 0..writers {
            tasks.spawn(write(database.clone(), writer, stop.clone()));
        }
        Self { tasks, stop }
    }

    /// Lets them come to an end; gives what was committed.
    pub async fn end(self) -> HashMap<u64, Vec<String>> {
        self.stop.cancel();
        self.tasks.join_all().await.into_iter().collect()
    }
}

async fn write(database: Database, writer: u64, stop: CancellationToken) -> (u64, Vec<String>) {
    let mut random = StdRng::seed_from_u64(writer);
    let mut committed = Vec::new();
    for command in 0.. {
        if stop.is_cancelled() {
            break;
        }
        // Another process may hold the lock of SQLite for long.
        let Ok(transaction) = database.begin().await else {
            continue;
        };
        let names: Vec<String> = (0..random.random_range(1..4))
            .map(|number| name(writer, command * 10 + number))
            .collect();
        let events = names.iter().map(job).collect();
        append(&transaction, events).await.expect("room in the log");
        // The hazard itself: a transaction that is slow to commit.
        sleep(Duration::from_millis(random.random_range(0..8))).await;
        if random.random_bool(0.2) {
            transaction.rollback().await.expect("a rollback");
        } else {
            transaction.commit().await.expect("a commit");
            committed.extend(names);
        }
        // Its pace: there are others, in other processes.
        sleep(Duration::from_millis(random.random_range(40..100))).await;
    }
    (writer, committed)
}

/// Writes one event after the other, each as often as it takes until it is in the log, whatever happens to the
/// database. When it is told to end, it writes the last one; gives the names of those before.
pub async fn insist(database: Database, stop: CancellationToken) -> HashMap<u64, Vec<String>> {
    let mut committed = Vec::new();
    while !stop.is_cancelled() {
        let name = name(0, committed.len() as u64);
        while attempt(&database, &name).await.is_err() {}
        committed.push(name);
        sleep(Duration::from_millis(10)).await;
    }
    while attempt(&database, LAST).await.is_err() {}
    HashMap::from([(0, committed)])
}

/// A commit that fails may have done its work nevertheless, so each attempt looks first.
async fn attempt(database: &Database, name: &str) -> Result<(), DbErr> {
    use labql::entity::event::{Column, Entity};
    use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
    let transaction = database.begin().await?;
    let there = Entity::find().filter(Column::Subject.eq(name));
    if there.count(&transaction).await? == 0 {
        append(&transaction, vec![job(name)]).await?;
    }
    transaction.commit().await
}

/// All jobs that the log tells of, up to the last event.
pub async fn jobs_in_log(database: &Database) -> Vec<(Event, JobChange)> {
    let feed = Feed::open(database.clone()).await.expect("a feed");
    let filter = Filter::topic(Topic::Job);
    let mut start = Start::Beginning;
    let mut jobs = Vec::new();
    loop {
        let page = feed.page(&filter, start, 500).await.expect("a page");
        for event in page.events {
            let change = JobChange::of(&event).expect("a change");
            if event.subject == LAST {
                return jobs;
            }
            jobs.push((event, change));
        }
        assert!(page.has_next, "the last event is not there");
        start = Start::After(page.next);
    }
}

/// Each writer's events are in the log exactly once, in the order in which it committed them.
pub fn check_writers(log: &[(Event, JobChange)], committed: &HashMap<u64, Vec<String>>) {
    let mut by_writer: HashMap<&str, Vec<&str>> = HashMap::new();
    for (event, _) in log
        .iter()
        .filter(|(event, _)| event.subject.starts_with('w'))
    {
        let (writer, _) = event.subject.split_once('_').expect("a writer");
        by_writer.entry(writer).or_default().push(&event.subject);
    }
    for (writer, committed) in committed {
        let found = by_writer.remove(format!("w{writer}").as_str());
        assert_eq!(found.unwrap_or_default(), *committed, "writer {writer}");
    }
    assert!(by_writer.is_empty(), "{by_writer:?}");
}

/// The data of a query, which is asked again while the server says that it is too busy or has just lost a connection.
pub async fn data(server: &Server, query: &str, variables: Value) -> Value {
    let asked = async {
        loop {
            let (_, mut answer) = server.ask(query, variables.clone()).await;
            if answer["errors"][0]["extensions"]["code"] != "UNAVAILABLE" {
                assert!(answer.get("errors").is_none(), "{answer}");
                return answer["data"].take();
            }
        }
    };
    timeout(PATIENCE, asked).await.expect("an answer")
}

/// The log as queries show it, up to the last event.
pub async fn pages(server: &Server, field: Field, start: &str) -> Vec<Told> {
    let query = "query($after: String, $topics: [EventTopic!]) {
        events(first: 500, after: $after, topics: $topics) {
            nextCursor pageInfo { hasNextPage } edges { cursor node { kind subject } }
        }
    }";
    let mut after = json!(start);
    let mut told = Vec::new();
    loop {
        let variables = json!({ "after": after, "topics": field.topics() });
        let mut page = data(server, query, variables).await["events"].take();
        for edge in page["edges"].as_array().expect("edges") {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let cursor = text(&edge["cursor"]);
            let kind = text(&edge["node"]["kind"]);
            let subject = text(&edge["node"]["subject"]);
            told.push(Told {
                cursor,
                kind,
                subject,
            });
            if edge["node"]["subject"] == LAST {
                return told;
            }
        }
        assert_eq!(
            page["pageInfo"]["hasNextPage"], true,
            "no last event: {told:?}"
        );
        after = page["nextCursor"].take();
    }
}

/// A client was told the log: the same cursors in the same order, none missing and none twice.
pub fn check_told(client: usize, told: &[Told], log: &[Told]) {
    let different = told
        .iter()
        .zip(log)
        .position(|(told, logged)| told != logged);
    if let Some(place) = different {
        let around = place.saturating_sub(2)..place + 3;
        let [told, log] = [told, log].map(|all| {
            let near = all.iter().skip(around.start).take(around.len());
            near.map(|one| (position(one), &one.kind, &one.subject))
                .collect::<Vec<_>>()
        });
        panic!("client {client}, event {place}: told {told:?}, logged {log:?}");
    }
    assert_eq!(told.len(), log.len(), "client {client}");
}

/// The place in the log.
pub fn position(told: &Told) -> i64 {
    told.cursor.parse::<Cursor>().expect("a cursor").position
}
