//! The mirror: what a pass costs, what it writes, whom it tells, and what it does with broken sources.

mod changes;
mod hostile;
mod live;
mod notified;
mod passes;
mod runs;
mod server;
mod variant;

use chrono::{DateTime, Utc};
use labql::{
    config::AutosubmitConfig,
    database::Database,
    demo::autosubmit::{ExperimentSpec, JobListForm},
    entity::experiment,
    events::{Event, Feed, Filter, Start, Topic},
    experiments::sync::{Mirror, Report, Scope},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{Lab, Server};

/// An experiment of some twenty jobs.
fn small(expid: &str, form: JobListForm) -> ExperimentSpec {
    let mut spec = ExperimentSpec::new(expid, form);
    spec.logged_jobs = 1;
    spec
}

/// The rows that a pass wrote: added, changed, removed.
fn rows(report: &Value) -> (u64, u64, u64) {
    let count = |name: &str| report["rows"][name].as_u64().expect("a number");
    (count("inserted"), count("updated"), count("deleted"))
}

/// What is wrong with the sources: experiment, file and reason.
async fn problems(server: &Server) -> Vec<(Option<String>, String, String)> {
    let query =
        "{ sourceProblems(first: 500) { totalCount nodes { expid source message firstSeenAt } } }";
    let data = server.data(query, json!({})).await;
    let nodes = data["sourceProblems"]["nodes"].as_array().expect("nodes");
    assert_eq!(data["sourceProblems"]["totalCount"], nodes.len());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    nodes
        .iter()
        .map(|node| {
            let expid = text(&node["expid"]);
            let source = text(&node["source"]).expect("a file");
            (expid, source, text(&node["message"]).expect("a reason"))
        })
        .collect()
}

/// The expids of a list.
async fn expids(server: &Server, filter: Value) -> Vec<String> {
    let query = "query($f: ExperimentFilter) { experiments(filter: $f) { nodes { expid } } }";
    let data = server.data(query, json!({ "f": filter })).await;
    let nodes = data["experiments"]["nodes"].as_array().expect("nodes");
    let expid = |node: &Value| node["expid"].as_str().expect("an expid").to_owned();
    nodes.iter().map(expid).collect()
}

/// The experiment with its counts, problems and number of jobs.
async fn experiment(server: &Server, expid: &str) -> Value {
    let query = "query($e: String!) { experiment(expid: $e) {
        status archivedAt jobCounts { status count } sourceProblems { source message }
        jobs(first: 1, filter: { name: \"*\" }) { totalCount } runs { totalCount }
    } }";
    server.data(query, json!({ "e": expid })).await["experiment"].take()
}

/// A mirror in the process of the test, whose clock the test sets.
struct Observed {
    database: Database,
    mirror: Mirror,
    feed: Feed,
    /// Where the last look at the log ended.
    seen: Start,
}

impl Observed {
    async fn open(lab: &Lab) -> Self {
        let database = lab.database().await;
        let feed = Feed::open(database.clone()).await.expect("a feed");
        let config = AutosubmitConfig::default();
        let mirror = Mirror::open(database.clone(), feed.clone(), &lab.root(), &config)
            .await
            .expect("a root");
        Self {
            database,
            mirror,
            feed,
            seen: Start::Beginning,
        }
    }

    async fn pass(&self, now: DateTime<Utc>, scope: Scope) -> Report {
        self.mirror
            .pass_at(now, scope, &|_, _| {})
            .await
            .expect("a pass")
    }

    /// The events that have come since the last call.
    async fn news(&mut self) -> Vec<Event> {
        let filter = Filter {
            topics: Topic::ALL.to_vec(),
            ..Filter::default()
        };
        let page = self.feed.page(&filter, self.seen, 1000).await;
        let page = page.expect("events");
        self.seen = Start::After(page.next);
        page.events
    }

    async fn row(&self, expid: &str) -> experiment::Model {
        experiment::Entity::find()
            .filter(experiment::Column::Expid.eq(expid))
            .one(self.database.read())
            .await
            .expect("an answer")
            .expect("an experiment")
    }
}

/// Topic and kind of each event.
fn kinds(events: &[Event]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| (event.topic.map_or("", Topic::as_str), event.kind.as_str()))
        .collect()
}
