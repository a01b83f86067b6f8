//! What a server says to its database, and how the database goes about it.
//!
//! PostgreSQL tells the plan of each statement as it was carried out, with the blocks that it touched (`auto_explain`, whose
//! notices stand in the server's log). SQLite is asked for the plans of the statements that the server says it sends.

use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags, StatementStatus};
use serde_json::Value;

use super::{Lab, Server};

/// Tables of which a laboratory has a few rows, and what a statement makes for itself.
const SMALL: [&str; 18] = [
    "base_uri",
    "base_uri_grant",
    "users",
    "event_log",
    "worker",
    "dataset_lineage",
    "searchable",
    "walk",
    "step",
    "reached",
    "placed",
    "node",
    "known",
    "edge",
    "hits",
    "page",
    "stretch",
    "found",
];

/// How the database went about a statement.
#[derive(Debug)]
pub struct Plan {
    pub sql: String,
    /// As the database tells it.
    pub told: String,
    /// Large tables that were read without an index.
    pub scanned: Vec<String>,
    /// Large tables that were read along an index from its beginning.
    pub walked: Vec<String>,
    /// Pages of tables and indexes that were touched; PostgreSQL only.
    pub blocks: i64,
}

/// Follows what a server says to its database.
pub struct Watch {
    /// The file of SQLite.
    file: Option<PathBuf>,
}

impl Watch {
    /// Has the next server of the laboratory tell its statements.
    pub fn set(lab: &mut Lab) -> Self {
        lab.set("LABQL_LOG__FORMAT", "json");
        lab.set("LABQL_WORKERS__ENABLED", "false");
        // A connection tells some of its notices when it is used again: there are few.
        lab.set("LABQL_DATABASE__MAX_CONNECTIONS", "2");
        if !lab.is_postgres() {
            lab.set("LABQL_LOG__FILTER", "warn,labql::sql=trace");
            let file = Some(lab.data().join("labql.db"));
            return Self { file };
        }
        let settings = [
            "session_preload_libraries=auto_explain",
            "auto_explain.log_min_duration=0",
            "auto_explain.log_level=notice",
            "auto_explain.log_format=json",
            "auto_explain.log_analyze=on",
            "auto_explain.log_timing=off",
            "auto_explain.log_buffers=on",
        ];
        let options = settings.map(|setting| format!("-c%20{}", setting.replace('=', "%3D")));
        let url = format!("{}?options={}", lab.database_url(), options.join("%20"));
        lab.set("LABQL_DATABASE__URL", url);
        lab.set("LABQL_LOG__FILTER", "warn,sqlx::postgres::notice=info");
        Self { file: None }
    }

    /// The plans of the statements about datasets, experiments and jobs that an operation sent, and its data.
    pub async fn plans(&self, server: &Server, body: &Value) -> (Vec<Plan>, Value) {
        let before = Self::now(server);
        let (status, mut answer) = server.send(body.clone()).await;
        assert!(status == 200 && answer.get("errors").is_none(), "{answer}");
        (self.since(server, before), answer["data"].take())
    }

    /// The place to follow the server from: [`Self::since`].
    pub fn now(server: &Server) -> usize {
        server.log().len()
    }

    /// The plans of what a server has sent since then.
    pub fn since(&self, server: &Server, then: usize) -> Vec<Plan> {
        let log = server.log();
        let lines = log[then..].lines();
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let plans = events.filter_map(|event| match &self.file {
            None => told_by_postgres(&event),
            Some(file) => {
                let sql = event["fields"]["sql"].as_str()?;
                Some(asked_of_sqlite(&open(file), sql))
            }
        });
        plans.filter(|plan| !is_of_the_feed(&plan.sql)).collect()
    }
}

/// The server looks for new events now and then.
fn is_of_the_feed(sql: &str) -> bool {
    sql.contains("event_log") || sql.contains("FROM \"event\"") || sql.contains("FROM event")
}

fn told_by_postgres(event: &Value) -> Option<Plan> {
    let (_, plan) = event["fields"]["message"].as_str()?.split_once("plan:\n")?;
    let plan: Value = serde_json::from_str(plan).expect("a plan");
    let root = &plan["Plan"];
    let blocks = |kind: &str| root[kind].as_i64().unwrap_or_default();
    let mut found = Plan {
        sql: plan["Query Text"].as_str().unwrap_or_default().to_owned(),
        told: String::new(),
        scanned: Vec::new(),
        walked: Vec::new(),
        blocks: blocks("Shared Hit Blocks") + blocks("Shared Read Blocks"),
    };
    look_through(root, 0, &mut found);
    Some(found)
}

fn look_through(node: &Value, depth: usize, plan: &mut Plan) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let (kind, table) = (text("Node Type"), text("Relation Name"));
    plan.told.push_str(&format!(
        "{:indent$}{kind} {table} {} {} rows {} x {}\n",
        "",
        text("Index Name"),
        text("Index Cond"),
        node["Actual Rows"],
        node["Actual Loops"],
        indent = depth * 2,
    ));
    let is_large = !table.is_empty() && !SMALL.contains(&table);
    if kind == "Seq Scan" && is_large && node["Actual Loops"] != 0 {
        plan.scanned.push(table.to_owned());
    }
    if kind.starts_with("Index") && node.get("Index Cond").is_none() && is_large {
        plan.walked.push(table.to_owned());
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        look_through(child, depth + 1, plan);
    }
}

fn open(file: &PathBuf) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database")
}

fn asked_of_sqlite(database: &Connection, sql: &str) -> Plan {
    let mut plan = Plan {
        sql: sql.to_owned(),
        told: String::new(),
        scanned: Vec::new(),
        walked: Vec::new(),
        blocks: 0,
    };
    let Ok(mut asked) = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")) else {
        // What writes and begins is no question.
        return plan;
    };
    // No value changes the plan.
    let mut lines = asked.raw_query();
    while let Some(line) = lines.next().expect("a line") {
        let detail: String = line.get(3).expect("a text");
        plan.told.push_str(&detail);
        plan.told.push('\n');
        let Some(scan) = detail.strip_prefix("SCAN ") else {
            continue;
        };
        let (table, how) = scan.split_once(' ').unwrap_or((scan, ""));
        if SMALL.contains(&table)
            || scan.starts_with('(')
            || scan.contains("CONSTANT ROW")
            || scan.contains("VALUES CLAUSE")
        {
            continue;
        }
        if how.contains("VIRTUAL TABLE") {
            continue;
        }
        if how.contains("INDEX") {
            plan.walked.push(table.to_owned());
        } else {
            plan.scanned.push(table.to_owned());
        }
    }
    plan
}

/// How many steps SQLite's machine takes for a statement without parameters, to its last row.
pub fn steps(lab: &Lab, sql: &str) -> i32 {
    let database = open(&lab.data().join("labql.db"));
    let mut asked = database.prepare(sql).expect("SQL");
    let mut rows = asked.raw_query();
    while rows.next().expect("a row").is_some() {}
    drop(rows);
    asked.get_status(StatementStatus::VmStep)
}
