//! What an installation on a server can do that one of files cannot: be seen half-way, not count what it writes, make
//! wait, and say nothing at all.

use std::net::TcpListener;

use labql::{demo::autosubmit::JobListForm, entity::source_problem};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr, sqlx};
use serde_json::{Value, json};

use super::{
    problems, rows, small,
    variant::{URL, two},
};
use crate::support::{Lab, Server, TestDatabase, client::code, root, variant};

on_both_databases!(
    what_is_written_anew_is_not_gone,
    what_stays_gone_is_gone,
    a_server_that_does_not_count_is_compared_by_rows,
    a_locked_table_holds_up_its_experiment_alone,
    a_server_that_says_nothing_is_not_waited_for,
    parameters_that_nobody_knows_are_not_logged,
);

const EMPTY_LIST: &str = "CREATE TABLE kept AS TABLE job_pkl; DELETE FROM job_pkl";
const EMPTY_STRUCTURE: &str = "CREATE TABLE a000.kept AS TABLE a000.experiment_structure;
    DELETE FROM a000.experiment_structure";

/// The pickled experiment.
async fn told(server: &Server) -> Value {
    let query = "{ experiment(expid: \"a000\") { modifiedAt jobCounts { status count }
        jobs(first: 100) { totalCount } graph(first: 100, layout: LEVELS) { edgeCount } } }";
    server.data(query, json!({})).await["experiment"].take()
}

/// The source and the reason of the only problem.
async fn problem(server: &Server) -> (String, String) {
    let told = problems(server).await;
    let [(_, source, message)] = &told[..] else {
        panic!("{told:?}")
    };
    (source.clone(), message.clone())
}

async fn what_is_written_anew_is_not_gone(mut lab: Lab) {
    let Some(tables) = two(&mut lab).await else {
        return;
    };
    let url = tables.url();
    assert_eq!(lab.import()["problems"], 0);
    let server = lab.serve_signed_in().await;
    let before = told(&server).await;
    assert!(before["graph"]["edgeCount"].as_i64() > Some(0), "{before}");
    for (empty, fill, source, message) in [
        (
            EMPTY_LIST,
            "INSERT INTO job_pkl TABLE kept",
            "job_pkl",
            "there is no row of a000",
        ),
        (
            EMPTY_STRUCTURE,
            "INSERT INTO a000.experiment_structure TABLE a000.kept",
            "a000.experiment_structure",
            "there are no dependencies just now, where there were some",
        ),
    ] {
        variant::sql(&url, empty).await;
        let report = lab.import();
        assert_eq!((&report["read"], rows(&report)), (&json!(1), (0, 0, 0)));
        assert_eq!(told(&server).await, before);
        assert_eq!(problem(&server).await, (source.into(), message.into()));
        variant::sql(&url, fill).await;
        let report = lab.import();
        assert_eq!((&report["read"], rows(&report)), (&json!(1), (0, 0, 0)));
        assert_eq!(report["problems"], 0);
    }
}

async fn what_stays_gone_is_gone(mut lab: Lab) {
    let Some(tables) = two(&mut lab).await else {
        return;
    };
    let url = tables.url();
    lab.import();
    let server = lab.serve_signed_in().await;
    let jobs = told(&server).await["jobs"].take();
    for empty in [EMPTY_STRUCTURE, EMPTY_LIST] {
        variant::sql(&url, empty).await;
        lab.import();
        assert_eq!(lab.import()["read"], 1, "it is not looked at again");
        // A long while ago.
        source_problem::Entity::update_many()
            .col_expr(source_problem::Column::FirstSeenAt, Expr::value(1))
            .filter(source_problem::Column::Owner.eq("a000"))
            .exec(lab.database().await.write())
            .await
            .expect("a problem");
        assert_eq!(lab.import()["read"], 1);
        assert_eq!(lab.import()["read"], 0, "it is looked at for ever");
        let told = told(&server).await;
        assert_eq!(
            (&told["graph"]["edgeCount"], &told["jobs"]),
            (&json!(0), &jobs)
        );
    }
    // Of a list that does not come back its jobs stay, and that there is none is a problem.
    assert_eq!(problem(&server).await.0, "job_pkl");
}

async fn a_server_that_does_not_count_is_compared_by_rows(mut lab: Lab) {
    let Some(tables) = two(&mut lab).await else {
        return;
    };
    let url = tables.url();
    let without = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET track_counts = off', current_database());
    END $$";
    variant::sql(&url, without).await;
    lab.import();
    for (change, expected) in [
        ("UPDATE a001.jobs SET status = 'SUSPENDED'", 1),
        ("SELECT 1", 0),
        ("DELETE FROM a000.job_data", 1),
        ("UPDATE a000.experiment_run SET suspended = 7", 1),
        ("UPDATE job_pkl SET modified = '2026-10-01 10:00:00'", 1),
        ("SELECT 1", 0),
    ] {
        variant::sql(&url, change).await;
        assert_eq!(lab.import()["read"], expected, "{change}");
    }
}

async fn a_locked_table_holds_up_its_experiment_alone(mut lab: Lab) {
    let Some(tables) = two(&mut lab).await else {
        return;
    };
    let url = tables.url();
    let mut holder = variant::connect(&url).await;
    sqlx::raw_sql("BEGIN; LOCK TABLE a000.job_data IN ACCESS EXCLUSIVE MODE")
        .execute(&mut holder)
        .await
        .expect("a lock");
    let report = lab.import();
    assert_eq!(
        (&report["read"], &report["problems"]),
        (&json!(2), &json!(1))
    );
    let server = lab.serve_signed_in().await;
    let (source, message) = problem(&server).await;
    assert_eq!(source, "a000.job_data");
    assert_eq!(message, "the server took too long to read it");
    let other = "{ experiment(expid: \"a001\") { jobs(first: 1) { totalCount } } }";
    let other = server.data(other, json!({})).await;
    assert!(
        other["experiment"]["jobs"]["totalCount"].as_i64() > Some(0),
        "{other}"
    );
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut holder)
        .await
        .expect("no lock");
    let report = lab.import();
    assert_eq!(
        (&report["read"], &report["problems"]),
        (&json!(1), &json!(0))
    );
}

async fn a_server_that_says_nothing_is_not_waited_for(mut lab: Lab) {
    root::with(&lab.root(), &[small("a000", JobListForm::Dict)]);
    lab.import();
    // The system accepts connections, and nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    lab.set(URL, format!("postgres://labql:hunter2@{address}/none"));
    let server = lab.serve_signed_in().await;
    let query = "{ experiment(expid: \"a000\") { expid userMetrics { name } } }";
    let (_, answer) = server.ask(query, json!({})).await;
    assert_eq!(code(&answer), "UNAVAILABLE", "{answer}");
    assert!(!answer.to_string().contains("labql"), "{answer}");
    let log = server.log();
    assert!(log.contains("no connection within 5 seconds"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

async fn parameters_that_nobody_knows_are_not_logged(mut lab: Lab) {
    let Some(tables) = TestDatabase::create().await else {
        return;
    };
    lab.set(
        URL,
        format!("{}?sslmode=prefer&token=hunter2", tables.url()),
    );
    lab.set("LABQL_LOG__FILTER", "trace");
    let server = lab.serve_signed_in().await;
    let log = server.log();
    assert!(log.contains("parameter=\"token\""), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}
