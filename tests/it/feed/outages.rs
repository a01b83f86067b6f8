//! The database goes away under a server. Subscribers stay connected, and are told everything when it is back.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::writers::{check_told, check_writers, insist, jobs_in_log, pages};
use crate::support::client::{PATIENCE, code};
use crate::support::subscriber::{BEGINNING, Field, Progress, Subscriber, Told, Transport};
use crate::support::{Address, Lab, Server, TestServer};

/// Subscribers that never leave, and a writer that never gives up.
struct Scene {
    server: Server,
    progress: Vec<Progress>,
    told: Vec<(Field, JoinHandle<Vec<Told>>)>,
    writer: JoinHandle<HashMap<u64, Vec<String>>>,
    stop: CancellationToken,
}

impl Scene {
    async fn open(lab: &Lab) -> Self {
        lab.user("ada", &[]);
        let token = lab.token("ada");
        let server = lab.serve().await.signed_in(&token);
        let (mut progress, mut told) = (Vec::new(), Vec::new());
        for transport in [Transport::WebSocket, Transport::ServerSentEvents] {
            for field in [Field::Events(&["JOB", "WORKER"]), Field::JobsWithParents] {
                let subscriber = Subscriber::new(field, transport, &token, BEGINNING);
                progress.push(subscriber.progress());
                told.push((field, tokio::spawn(subscriber.stay(server.address()))));
            }
        }
        let stop = CancellationToken::new();
        let writer = tokio::spawn(insist(lab.database().await, stop.clone()));
        let mut scene = Self {
            server,
            progress,
            told,
            writer,
            stop,
        };
        scene.all_are_told().await;
        scene
    }

    /// Every subscriber is told of something that has happened since.
    async fn all_are_told(&mut self) {
        for progress in &mut self.progress {
            progress.further(1).await;
        }
    }

    async fn check(self, lab: &Lab) {
        self.stop.cancel();
        let committed = timeout(PATIENCE, self.writer).await.expect("its end");
        let committed = committed.expect("a writer");
        self.server.until_ready(200).await;
        for (client, (field, told)) in self.told.into_iter().enumerate() {
            let told = timeout(PATIENCE, told).await.expect("the last event");
            let log = pages(&self.server, field, BEGINNING).await;
            check_told(client, &told.expect("a subscriber"), &log);
        }
        let log = jobs_in_log(&lab.database().await).await;
        check_writers(&log, &committed);
        assert!(self.server.stop().await);
    }
}

#[tokio::test]
async fn postgresql_crashes_and_comes_back() {
    let Some(postgres) = TestServer::start().await else {
        return;
    };
    let mut lab = Lab::sqlite();
    lab.set("LABQL_DATABASE__URL", postgres.url.clone());
    let mut scene = Scene::open(&lab).await;
    for round in 0..2 {
        postgres.halt().await;
        let told = scene.server.until_ready(503).await;
        assert_eq!(
            told,
            json!({ "status": "not ready", "check": "database", "reason": "does not answer" })
        );
        if round == 0 {
            // Whether it is the guard that says so or the operation: who asks may be known for a while yet.
            let (_, refused) = scene.server.ask("{ eventCursor }", json!({})).await;
            assert_eq!(code(&refused), "UNAVAILABLE", "{refused}");
        }
        postgres.resume().await;
        scene.server.until_ready(200).await;
        scene.all_are_told().await;
    }
    scene.check(&lab).await;
}

/// Cuts connections of labql; gives how many.
async fn cut(knife: &DatabaseConnection, which: &str) -> usize {
    let statement = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'labql' {which}"
    );
    let statement = Statement::from_string(DatabaseBackend::Postgres, statement);
    let cut = knife.query_all_raw(statement).await;
    cut.expect("connections").len()
}

#[tokio::test]
async fn connections_are_cut_again_and_again() {
    let Some(lab) = Lab::postgres().await else {
        return;
    };
    let mut scene = Scene::open(&lab).await;
    let knife = sea_orm::Database::connect(lab.database_url());
    let knife = knife.await.expect("PostgreSQL");
    let mut random = StdRng::seed_from_u64(3);
    for round in 0..10 {
        let which = if round % 2 == 0 {
            // The one that wakes the server; it may be about to come back from the last cut.
            "AND query ILIKE 'LISTEN%'"
        } else {
            ""
        };
        let cuts = async { while cut(&knife, which).await == 0 {} };
        timeout(PATIENCE, cuts).await.expect("a connection to cut");
        let subscriber = random.random_range(0..scene.progress.len());
        let further = random.random_range(1..10);
        scene.progress[subscriber].further(further).await;
    }
    knife.close().await.expect("a closed connection");
    scene.all_are_told().await;
    scene.check(&lab).await;
}
