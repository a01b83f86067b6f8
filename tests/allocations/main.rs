//! How often an operation asks for memory: a measure of its work that is the same on every machine.
//!
//! The whole server stands here but for its sockets: requests go through the router with a credential, with the guard on,
//! to an SQLite file with a small laboratory. Counted is what the thread of the request allocates, not what the threads
//! of the database do. To guard another operation add a line to [`OPERATIONS`].

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use labql::auth::accounts::{self, NewUser};
use labql::auth::authenticator::Guard;
use labql::auth::people::People;
use labql::auth::token::TokenKeys;
use labql::auth::{AuthConfig, ProtectionLevel};
use labql::config::{AutosubmitConfig, DatabaseConfig};
use labql::database::Database;
use labql::demo::autosubmit::{
    DetailsKey, ExperimentSpec, JobListForm, create_central, write_experiment,
};
use labql::events::Feed;
use labql::experiments::actions::{Actions, ActionsConfig};
use labql::experiments::reports::Reports;
use labql::experiments::sync::{Mirror, Scope};
use labql::flows::Flows;
use labql::flows::settings::FlowSettings;
use labql::graphql::context::Services;
use labql::graphql::engine::{Engine, EngineSettings};
use labql::graphql::schema;
use labql::http::{self, HttpState};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// An operation, and what it may cost.
struct Operation {
    name: &'static str,
    query: &'static str,
    /// The value of `$first`, and then twice that: the difference is what the rows cost. 0: it has no rows.
    first: u64,
    /// Allocations of a request for `first` rows.
    request: u64,
    /// Allocations for each row more.
    row: u64,
}

/// The limits are about a fifth above what was counted.
const OPERATIONS: &[Operation] = &[
    Operation {
        name: "nothing",
        query: "query Q { __typename }",
        first: 0,
        request: 80,
        row: 0,
    },
    Operation {
        name: "the viewer",
        query: "query Q { viewer { username } }",
        first: 0,
        request: 185,
        row: 0,
    },
    Operation {
        name: "jobs",
        query: "query Q($first: Int!) { experiment(expid: \"a000\") {
            jobs(first: $first) { nodes { name status section chunk } }
        } }",
        first: 50,
        request: 450,
        row: 3,
    },
    Operation {
        name: "jobs and their neighbours",
        query: "query Q($first: Int!) { experiment(expid: \"a000\") {
            jobs(first: $first) { nodes { name parents { name } children { name } } }
        } }",
        first: 50,
        request: 1150,
        row: 1,
    },
    Operation {
        name: "experiments and their last runs",
        query: "query Q($first: Int!) {
            experiments(first: $first) { nodes { expid status lastRun { number startedAt } jobCounts { status count } } }
        }",
        first: 20,
        request: 660,
        row: 16,
    },
];

/// How often each count is taken; the least counts, since caches are filled and tables grown on the way.
const TRIES: usize = 20;

#[test]
fn operations_allocate_no_more_than_they_did() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let lab = runtime.block_on(Lab::new());
    let mut report = Vec::new();
    let mut worse = false;
    for operation in OPERATIONS {
        let request = lab.allocations(&runtime, operation, operation.first);
        let twice = lab.allocations(&runtime, operation, 2 * operation.first);
        let rows = twice.saturating_sub(request);
        let row = rows.checked_div(operation.first).unwrap_or(0);
        worse |= request > operation.request || row > operation.row;
        report.push(format!(
            "{}: {request} (limit {}), a row {row} (limit {})",
            operation.name, operation.request, operation.row
        ));
    }
    let report = report.join("\n");
    println!("{report}");
    assert!(!worse, "allocations:\n{report}");
}

/// The server without its sockets. Goes away with its folder.
struct Lab {
    router: Router,
    token: String,
    _folder: TempDir,
}

impl Lab {
    /// With one experiment of more than two hundred jobs, and forty small ones.
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("labql.db");
        let config = DatabaseConfig {
            url: format!("sqlite:{}", file.display()).into(),
            max_connections: 2,
            ..DatabaseConfig::default()
        };
        let database = Database::connect(&config).await.expect("a database");
        database.ensure_schema(true).await.expect("a schema");
        let feed = Feed::open(database.clone()).await.expect("a feed");

        let root = folder.path().join("autosubmit");
        std::fs::create_dir(&root).expect("a folder");
        create_central(&root, DetailsKey::None).expect("central databases");
        let many = ExperimentSpec::sized("a000", JobListForm::Dict, 2, 20);
        let few = |number| {
            let expid = format!("b{number:03}");
            ExperimentSpec::sized(&expid, JobListForm::Dict, 1, 1)
        };
        for spec in std::iter::once(many).chain((0..40).map(few)) {
            write_experiment(&root, &spec, chrono::Utc::now()).expect("an experiment");
        }
        let config = AutosubmitConfig::default();
        let mirror = Mirror::open(database.clone(), feed.clone(), &root, &config).await;
        let pass = mirror.expect("a root").pass(Scope::All, &|_, _| ()).await;
        pass.expect("a mirror");

        let new = NewUser {
            username: "ada".to_owned(),
            ..NewUser::default()
        };
        let user = accounts::create_user(&database, "test", new).await;
        user.expect("a user");
        let keys = TokenKeys::load(&AuthConfig::default(), folder.path()).expect("keys");
        let (token, _) = keys
            .issue("ada", chrono::Utc::now(), None)
            .expect("a token");
        feed.look().await.expect("a log");

        let services = Services {
            reports: Reports::start(&database, &feed),
            actions: Actions::new(&database, &feed, &ActionsConfig::default(), folder.path()),
            people: People::new(database.clone(), feed.clone()),
            database: database.clone(),
            feed: feed.clone(),
            keys: Arc::new(keys),
            protection: ProtectionLevel::All,
            storage: Arc::default(),
            flows: Flows::new(&database, &feed, &FlowSettings::default(), folder.path()),
            fplanes: Arc::default(),
            installation: None,
        };
        let guard = Guard::new(database, Arc::clone(&services.keys), feed);
        let engine = Engine::new(
            schema::schema(services.clone()),
            schema::request_context(&services),
            EngineSettings::default(),
        )
        .trusting(schema::trusting(services));
        let state = HttpState::builder(engine, guard).build().expect("settings");
        Self {
            router: http::router(state, Router::new()),
            token,
            _folder: folder,
        }
    }

    /// The allocations of one request, from the router to the last byte of the answer.
    fn allocations(&self, runtime: &Runtime, operation: &Operation, first: u64) -> u64 {
        let body = json!({ "query": operation.query, "operationName": "Q", "variables": { "first": first } });
        let body = body.to_string();
        let tries = (0..TRIES).map(|_| {
            let request = Request::post("/graphql")
                .header("content-type", "application/json")
                .header("accept", "application/json")
                .header("authorization", format!("Bearer {}", self.token))
                .body(Body::from(body.clone()))
                .expect("a request");
            let router = self.router.clone();
            let mut answer = Vec::new();
            let counted = allocation_counter::measure(|| {
                answer = runtime.block_on(async {
                    let response = router.oneshot(request).await.expect("an answer");
                    let body = to_bytes(response.into_body(), usize::MAX).await;
                    body.expect("the whole answer").to_vec()
                });
            });
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            assert!(answer.get("errors").is_none(), "{answer}");
            counted.count_total
        });
        tries.min().expect("a try")
    }
}
