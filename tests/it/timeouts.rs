//! Statements that are stopped in the database, and what is left of it for others.

use std::time::Duration;

use labql::config::DatabaseConfig;
use labql::database::Database;
use labql::datasets::write::base_uris;
use labql::entity::base_uri;
use labql::failure::Failure;
use labql::narrow::{self, Columns};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};

use crate::support::Lab;

on_both_databases!(a_statement_without_an_end_is_stopped);

/// The database of a laboratory with few connections, each of whose statements may take so long.
async fn database(lab: &Lab, read_timeout: Duration) -> Database {
    let whole = lab.database().await;
    let made = base_uris::register(&whole, "s3://a").await;
    assert!(made.expect("a base URI").1);
    whole.close().await;
    let config = DatabaseConfig {
        max_connections: 2,
        read_timeout,
        ..lab.database_config()
    };
    Database::connect(&config).await.expect("a database")
}

/// Says true of a row, and never comes to that.
fn endless(backend: DatabaseBackend) -> &'static str {
    match backend {
        DatabaseBackend::Postgres => "(SELECT pg_sleep(3600) IS NOT NULL)",
        _ => {
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n) > 0"
        }
    }
}

async fn rows(database: &Database, condition: &'static str) -> Result<usize, Failure> {
    let condition = Condition::all().add(Expr::cust(condition));
    let found = narrow::find::<base_uri::Entity>(database, condition, Columns::all());
    Ok(found.await?.len())
}

async fn a_statement_without_an_end_is_stopped(lab: Lab) {
    let database = database(&lab, Duration::from_millis(300)).await;
    let backend = database.backend();
    // With one connection of each kind, one that were not stopped would be missed.
    for _ in 0..3 {
        let failure = rows(&database, endless(backend)).await.unwrap_err();
        assert!(matches!(failure, Failure::TooSlow(_)), "{failure:?}");
        let sql = format!("SELECT id FROM base_uri WHERE {}", endless(backend));
        let statement = Statement::from_string(backend, sql);
        let error = database.read().query_all_raw(statement).await.unwrap_err();
        let failure = Failure::from(error);
        assert!(matches!(failure, Failure::TooSlow(_)), "{failure:?}");
    }
    assert_eq!(rows(&database, "1 = 1").await, Ok(1));
    let statement = Statement::from_string(backend, "SELECT id FROM base_uri");
    assert_eq!(
        database
            .read()
            .query_all_raw(statement)
            .await
            .expect("rows")
            .len(),
        1
    );
    if backend == DatabaseBackend::Postgres {
        let statement = Statement::from_string(backend, "SHOW statement_timeout");
        let shown = database.write().query_one_raw(statement).await;
        let shown: String = shown
            .expect("a row")
            .expect("a row")
            .try_get_by_index(0)
            .expect("a text");
        assert_eq!(shown, "0", "commands take the time that they need");
    }
    database.close().await;
}

/// SQLite stops what nobody waits for any more, whatever time it has.
#[tokio::test]
async fn a_statement_that_is_given_up_is_stopped() {
    let lab = Lab::sqlite();
    let database = database(&lab, Duration::from_hours(1)).await;
    for _ in 0..3 {
        let endless = rows(&database, endless(DatabaseBackend::Sqlite));
        let given_up = tokio::time::timeout(Duration::from_millis(50), endless).await;
        assert!(given_up.is_err());
        assert_eq!(rows(&database, "1 = 1").await, Ok(1));
    }
    database.close().await;
}
