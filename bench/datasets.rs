//! How long a register of 100,000 datasets takes to write, and to answer: `cargo bench --bench datasets`.
//!
//! Fills a new database (SQLite; with `LABQL_TEST_POSTGRES` one on that server), starts the real server on it, and asks the
//! same questions of the first page and of pages far behind it. What is told is the median of twenty answers, each of
//! them on a machine that does whatever else it does: that a far page costs what the first one costs is asserted by
//! counts, in the tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    clippy::format_push_string
)]

mod generate;
mod server;

use std::time::{Duration, Instant};

use generate::{Plan, USERS};
use labql::config::DatabaseConfig;
use labql::database::Database;
use serde_json::{Value, json};

const OPERATIONS: &str = include_str!("../tests/contract/datasets.graphql");
/// How often each question is asked.
const TIMES: usize = 20;

#[tokio::main]
async fn main() {
    // Storage brings TLS to every client of the process; those here speak to this machine alone.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let number = |name: &str, default| {
        let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
        set.unwrap_or(default)
    };
    let plan = Plan {
        datasets: number("BENCH_DATASETS", 100_000),
        items: number("BENCH_ITEMS", 20),
        seed: number("BENCH_SEED", 1),
    };
    let folder = tempfile::tempdir().unwrap();
    let url = server::database(folder.path()).await;
    println!(
        "{} datasets of {} items; {}",
        plan.datasets,
        plan.items,
        url.split(':').next().unwrap_or_default()
    );
    server::administrator(folder.path(), &url);
    let run = |arguments: &[&str]| {
        let output = server::labql(folder.path(), &url, arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for user in USERS {
        run(&["user", "add", user, "--no-password"]);
    }
    let config = DatabaseConfig {
        url: url.clone().into(),
        max_connections: 4,
        read_timeout: Duration::from_secs(30),
    };
    let database = Database::connect(&config).await.unwrap();
    let began = Instant::now();
    generate::fill(&database, plan).await.unwrap();
    let seconds = began.elapsed().as_secs_f64();
    println!("{:<54} {seconds:>9.1} s", "written in");
    println!(
        "{:<54} {:>9.0} /s",
        "datasets",
        plan.datasets as f64 / seconds
    );
    database.close().await;

    let token = run(&["token", USERS[0]]);
    let (mut child, address) = server::start(folder.path(), &url).await;
    let client = Client {
        http: reqwest::Client::new(),
        url: format!("http://{address}/graphql"),
        token,
    };
    for field in [
        "URI",
        "NAME",
        "CREATED_AT",
        "SIZE_BYTES",
        "CREATOR_USERNAME",
    ] {
        let order = json!([{ "field": field, "direction": "DESC" }]);
        client.depths(field, json!({ "orderBy": order })).await;
    }
    let filters = [
        ("one base URI", json!({ "baseUris": ["s3://climate"] })),
        ("a frequent tag", json!({ "tags": ["raw"] })),
        ("a rare tag", json!({ "tags": ["batch-7"] })),
        ("a word of many", json!({ "text": "glacier" })),
        (
            "two phrases",
            json!({ "text": "\"glacier\" \"soil turbine\"" }),
        ),
        (
            "mongo, a value of one",
            json!({ "mongo": { "annotations.sample": 77 } }),
        ),
        (
            "mongo, a value of many",
            json!({ "mongo": { "annotations.phase": "gas" } }),
        ),
    ];
    for (name, filter) in filters {
        client
            .told(name, "Datasets", json!({ "filter": filter }))
            .await;
    }
    let uri = generate::document(plan, plan.datasets / 2).1.uri;
    client
        .told("DatasetDetail", "DatasetDetail", json!({ "uri": uri }))
        .await;
    for direction in ["ANCESTORS", "DESCENDANTS"] {
        let variables = json!({ "uri": uri, "direction": direction, "depth": 3 });
        client
            .told(&format!("Lineage, {direction}"), "Lineage", variables)
            .await;
    }
    client
        .told("DatasetSummary", "DatasetSummary", json!({}))
        .await;
    let by = json!({ "by": ["creatorUsername", "annotations.phase"] });
    client.told("DatasetGroups", "DatasetGroups", by).await;
    client.told("BaseUris", "BaseUris", json!({})).await;
    let _ = child.start_kill();
    let _ = child.wait().await;
}

/// Asks, and says how long answers took.
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    async fn ask(&self, operation: &str, variables: &Value) -> Value {
        let body =
            json!({ "query": OPERATIONS, "operationName": operation, "variables": variables });
        let sent = self.http.post(&self.url).bearer_auth(&self.token);
        let sent = sent
            .header("content-type", "application/json")
            .body(body.to_string());
        let text = sent.send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer.get("errors").is_none(), "{answer}");
        answer
    }

    /// The first page, and others that begin at a quarter, a half and three quarters of the list.
    async fn depths(&self, name: &str, mut variables: Value) {
        variables["first"] = json!(500);
        let mut cursors = vec![Value::Null];
        let mut total = 0;
        loop {
            variables["after"] = cursors.last().cloned().unwrap_or_default();
            let answer = self.ask("Datasets", &variables).await;
            let page = &answer["data"]["datasets"];
            total = page["totalCount"].as_u64().unwrap_or(total);
            if page["pageInfo"]["hasNextPage"] != true {
                break;
            }
            cursors.push(page["pageInfo"]["endCursor"].clone());
        }
        variables["first"] = json!(50);
        for quarter in 0..4 {
            let place = (cursors.len() - 1) * quarter / 4;
            variables["after"] = cursors[place].clone();
            let what = format!("by {name}, from {} of {total}", place * 500);
            self.told(&what, "Datasets", variables.clone()).await;
        }
    }

    async fn told(&self, name: &str, operation: &str, variables: Value) {
        let mut took: Vec<Duration> = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let began = Instant::now();
            self.ask(operation, &variables).await;
            took.push(began.elapsed());
        }
        took.sort_unstable();
        println!("{name:<54} {:>9.1} ms", took[TIMES / 2].as_secs_f64() * 1e3);
    }
}
