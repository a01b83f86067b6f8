//! Servers are killed at any moment, while jobs change and clients come and go: what a client was told, joined by its
//! cursors, is exactly the log.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use labql::database::Database;
use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use labql::events::Event;
use labql::experiments::changes::JobChange;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::tell;
use super::writers::{Writers, check_told, check_writers, data, job, jobs_in_log, pages};
use crate::support::client::PATIENCE;
use crate::support::subscriber::{
    BEGINNING, Field, LAST, Progress, Servers, Subscriber, Told, Transport,
};
use crate::support::{Address, Lab, Server, root};

on_both_databases!(nothing_is_lost_with_a_server_that_is_killed);

const ROUNDS: usize = 10;
const CLIENTS: u64 = 6;
const EXPIDS: [&str; 3] = ["a000", "a001", "a002"];
/// Autosubmit's code of the status of jobs in the end.
const HELD: i16 = 6;
const ALL: Field = Field::Events(&["EXPERIMENT", "JOB", "WORKER"]);

/// Clients that come and go, and what each asked for first.
struct Clients {
    progress: Vec<Progress>,
    told: Vec<(Field, String, JoinHandle<Vec<Told>>)>,
}

impl Clients {
    /// Half of them follow from the beginning, half from this cursor; half hear of everything, half of jobs.
    fn start(token: &str, now: &str, servers: &Servers) -> Self {
        let mut clients = Self {
            progress: Vec::new(),
            told: Vec::new(),
        };
        for client in 0..CLIENTS {
            let field = [ALL, Field::Jobs][usize::from(client % 2 == 1)];
            let transport = match client % 3 {
                0 | 1 => Transport::WebSocket,
                _ => Transport::ServerSentEvents,
            };
            let start = if client < CLIENTS / 2 { BEGINNING } else { now };
            let subscriber = Subscriber::new(field, transport, token, start);
            clients.progress.push(subscriber.progress());
            let random = StdRng::seed_from_u64(client);
            let following = tokio::spawn(subscriber.come_and_go(servers.clone(), random));
            clients.told.push((field, start.to_owned(), following));
        }
        clients
    }

    /// Waits until any of them was told a little more: any moment.
    async fn further(&mut self, random: &mut StdRng) {
        let client = random.random_range(0..self.progress.len());
        self.progress[client]
            .further(random.random_range(1..25))
            .await;
    }

    /// All have been told all.
    async fn check(self, server: &Server) {
        for (client, (field, start, following)) in self.told.into_iter().enumerate() {
            let told = timeout(PATIENCE, following).await.expect("the last event");
            let log = pages(server, field, &start).await;
            check_told(client, &told.expect("a client"), &log);
        }
    }
}

fn announce(servers: &watch::Sender<Arc<[SocketAddr]>>, there: &[&Server]) {
    servers.send_replace(there.iter().map(|server| server.address()).collect());
}

async fn cursor(server: &Server) -> String {
    let data = data(server, "{ eventCursor }", json!({})).await;
    data["eventCursor"].as_str().expect("a cursor").to_owned()
}

/// Ends the writers, and checks that the log has what they committed.
async fn check_log(writers: Writers, database: &Database) -> Vec<(Event, JobChange)> {
    let committed = writers.end().await;
    tell(database, vec![job(LAST)]).await;
    let feed = labql::events::Feed::open(database.clone())
        .await
        .expect("a feed");
    feed.look().await.expect("a log");
    let log = jobs_in_log(database).await;
    check_writers(&log, &committed);
    log
}

fn change(lab: &Lab, expid: &str, statuses: &str) {
    let statement = format!("UPDATE jobs SET status = {statuses}");
    root::sql(&lab.root().join(expid).join("db/job_list.db"), &statement);
}

/// Waits until all jobs of an experiment are held.
async fn until_held(server: &Server, expid: &str) {
    let query = "query($e: String!) { experiment(expid: $e) { jobCounts { status } } }";
    let asked = async {
        while data(server, query, json!({ "e": expid })).await["experiment"]["jobCounts"]
            != json!([{ "status": "HELD" }])
        {}
    };
    timeout(PATIENCE, asked).await.expect("the mirror");
}

/// The changes of each job that was mirrored follow from each other: none was left out and none was told twice.
fn check_mirrored(log: &[(Event, JobChange)]) {
    let mut statuses = HashMap::new();
    for (event, change) in log
        .iter()
        .filter(|(event, _)| event.subject.starts_with('a'))
    {
        let before = statuses.insert(&change.job.name, change.job.status);
        if let Some(before) = before {
            assert_eq!(change.previous_status, Some(before), "{event:?}");
        }
    }
    assert!(!statuses.is_empty() && statuses.values().all(|status| *status == HELD));
}

async fn nothing_is_lost_with_a_server_that_is_killed(mut lab: Lab) {
    let specs = EXPIDS.map(|expid| {
        let mut spec = ExperimentSpec::new(expid, JobListForm::Sqlite);
        spec.logged_jobs = 1;
        spec
    });
    root::with(&lab.root(), &specs);
    lab.user("ada", &[]);
    lab.import();
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "1");
    // Who was killed has not given its lease back.
    lab.set("LABQL_WORKERS__LEASE", "1s");
    let token = lab.token("ada");
    let database = lab.database().await;

    let mut server = lab.serve_mirroring().await.signed_in(&token);
    let now = cursor(&server).await;
    let (servers, there) = watch::channel(Arc::from([server.address()]));
    let mut clients = Clients::start(&token, &now, &there);
    let writers = Writers::start(&database, 4);
    let mut random = StdRng::seed_from_u64(1);
    for round in 0..ROUNDS {
        let statuses =
            format!("CASE WHEN (rowid + {round}) % 3 = 0 THEN 'DELAYED' ELSE 'SUSPENDED' END");
        change(&lab, EXPIDS[random.random_range(0..3)], &statuses);
        clients.further(&mut random).await;
        announce(&servers, &[]);
        server.kill().await;
        server = lab.serve_mirroring().await.signed_in(&token);
        announce(&servers, &[&server]);
    }
    for expid in EXPIDS {
        change(&lab, expid, "'HELD'");
    }
    for expid in EXPIDS {
        until_held(&server, expid).await;
    }
    let log = check_log(writers, &database).await;
    check_mirrored(&log);
    clients.check(&server).await;
    assert!(server.stop().await);
}

#[tokio::test]
async fn nothing_is_lost_between_replicas() {
    let Some(lab) = Lab::postgres().await else {
        return;
    };
    lab.user("ada", &[]);
    let token = lab.token("ada");
    let database = lab.database().await;
    let mut replicas = [
        lab.serve().await.signed_in(&token),
        lab.serve().await.signed_in(&token),
    ];
    let now = cursor(&replicas[0]).await;
    let (servers, there) = watch::channel(Arc::from([replicas[0].address()]));
    announce(&servers, &[&replicas[0], &replicas[1]]);
    let mut clients = Clients::start(&token, &now, &there);
    let writers = Writers::start(&database, 8);
    let mut random = StdRng::seed_from_u64(2);
    for _ in 0..ROUNDS / 2 {
        clients.further(&mut random).await;
        let [stays, goes] = replicas;
        announce(&servers, &[&stays]);
        goes.kill().await;
        // Those who listened to it are told by the other.
        clients.further(&mut random).await;
        replicas = [lab.serve().await.signed_in(&token), stays];
        announce(&servers, &[&replicas[0], &replicas[1]]);
    }
    check_log(writers, &database).await;
    let [first, second] = replicas;
    clients.check(&first).await;
    assert!(first.stop().await && second.stop().await);
}
