//! The tables of search alone, on both databases.

use labql::datasets::document::Document;
use labql::datasets::{mongo, text};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SimpleExpr};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sea_orm::{
    ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, SqlxSqliteConnector,
};

const TABLES: &str = r"
CREATE TABLE dataset (
    id BIGINT PRIMARY KEY,
    base_uri {text} NOT NULL,
    uri {text} NOT NULL,
    uuid {text} NOT NULL,
    name {text} NOT NULL,
    creator_username {text} NOT NULL,
    created_at BIGINT NOT NULL,
    frozen_at BIGINT NOT NULL,
    item_count BIGINT,
    size_bytes BIGINT,
    hash_function {text},
    manifest_version {text},
    dtoolcore_version {text}
);
CREATE TABLE dataset_item (
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    identifier {text} NOT NULL,
    relpath {text} NOT NULL,
    hash {text} NOT NULL,
    size_bytes BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, identifier)
);
CREATE TABLE dataset_value (
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    path BIGINT NOT NULL,
    node INTEGER NOT NULL,
    last INTEGER NOT NULL,
    kind SMALLINT NOT NULL,
    is_element BOOLEAN NOT NULL,
    number DOUBLE PRECISION NOT NULL,
    head {text} NOT NULL,
    rest {text} NOT NULL,
    places {text} NOT NULL,
    PRIMARY KEY (dataset_id, path, node)
);
CREATE INDEX dataset_value_value ON dataset_value (path, kind, number, head, dataset_id)";

const WORDS_POSTGRES: &[&str] = &[
    "ALTER TABLE dataset ADD COLUMN words TSVECTOR NOT NULL DEFAULT ''",
    "CREATE INDEX dataset_words ON dataset USING gin (words)",
];
const WORDS_SQLITE: &[&str] = &[
    r#"CREATE VIRTUAL TABLE dataset_text
       USING fts5(names, about, rest, content='', contentless_delete=1, tokenize="ascii tokenchars '_'")"#,
    "CREATE TRIGGER dataset_text_goes_with_dataset AFTER DELETE ON dataset
     BEGIN DELETE FROM dataset_text WHERE rowid = OLD.id; END",
];

/// One of the databases with some datasets, whose ids are their places in a list, from 1.
pub struct Store {
    pub connection: DatabaseConnection,
    schema: Option<String>,
}

impl Store {
    /// SQLite, and PostgreSQL where `LABQL_TEST_POSTGRES` names a server.
    pub async fn both() -> Vec<Self> {
        let options = SqliteConnectOptions::new()
            .in_memory(true)
            .with_regexp()
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .unwrap();
        let mut stores = vec![Self {
            connection: SqlxSqliteConnector::from_sqlx_sqlite_pool(pool),
            schema: None,
        }];
        match std::env::var("LABQL_TEST_POSTGRES") {
            Err(_) => println!("skipped: LABQL_TEST_POSTGRES names no PostgreSQL server"),
            Ok(url) => {
                static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
                let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let schema = format!("finding_{}_{number}", std::process::id());
                let mut options = sea_orm::ConnectOptions::new(url);
                options.max_connections(1).sqlx_logging(false);
                let connection = Database::connect(options).await.unwrap();
                for statement in [
                    format!("CREATE SCHEMA {schema}"),
                    format!("SET search_path = {schema}"),
                ] {
                    connection.execute_unprepared(&statement).await.unwrap();
                }
                stores.push(Self {
                    connection,
                    schema: Some(schema),
                });
            }
        }
        for store in &stores {
            let (text, finding) = match store.backend() {
                DatabaseBackend::Postgres => ("TEXT COLLATE \"C\"", WORDS_POSTGRES),
                _ => ("TEXT", WORDS_SQLITE),
            };
            for statement in TABLES.split(';').chain(finding.iter().copied()) {
                store.run(&statement.replace("{text}", text)).await;
            }
        }
        stores
    }

    pub fn backend(&self) -> DatabaseBackend {
        self.connection.get_database_backend()
    }

    pub async fn run(&self, statement: &str) {
        self.connection
            .execute_unprepared(statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    pub async fn fill(&self, documents: &[Document]) {
        self.run("DELETE FROM dataset").await;
        for (place, document) in documents.iter().enumerate() {
            self.add(i64::try_from(place).unwrap() + 1, document).await;
        }
    }

    pub async fn add(&self, id: i64, document: &Document) {
        let manifest = document.manifest.clone().unwrap_or_default();
        let frozen = document.frozen_at.unwrap_or_default();
        let insert = Query::insert()
            .into_table("dataset")
            .columns([
                "id",
                "base_uri",
                "uri",
                "uuid",
                "name",
                "creator_username",
                "created_at",
                "frozen_at",
                "item_count",
                "size_bytes",
                "hash_function",
                "manifest_version",
                "dtoolcore_version",
            ])
            .values_panic([
                Expr::val(id),
                Expr::val(document.base_uri.as_str()),
                Expr::val(document.uri.as_str()),
                Expr::val(document.uuid.as_str()),
                Expr::val(document.name.as_str()),
                Expr::val(document.creator_username.as_str()),
                Expr::val(document.created_at.unwrap_or(frozen)),
                Expr::val(frozen),
                Expr::val(document.item_count),
                Expr::val(document.size_bytes),
                Expr::val(manifest.hash_function.clone()),
                Expr::val(manifest.dtoolcore_version.clone()),
                Expr::val(document.dtoolcore_version.clone()),
            ])
            .to_owned();
        self.connection.execute(&insert).await.unwrap();
        for item in manifest.items.chunks(500) {
            let mut insert = Query::insert();
            insert.into_table("dataset_item").columns([
                "dataset_id",
                "identifier",
                "relpath",
                "hash",
                "size_bytes",
                "modified_at",
            ]);
            for item in item {
                insert.values_panic([
                    Expr::val(id),
                    Expr::val(item.identifier.as_str()),
                    Expr::val(item.relpath.as_str()),
                    Expr::val(item.hash.as_str()),
                    Expr::val(item.size_bytes),
                    Expr::val(item.modified_at),
                ]);
            }
            self.connection.execute(&insert).await.unwrap();
        }
        for statement in mongo::flatten(document).inserts(id) {
            self.connection.execute(&statement).await.unwrap();
        }
        let words = text::index(document);
        if let Some((column, value)) = text::in_row(&words, self.backend()) {
            let mut update = Query::update();
            update
                .table("dataset")
                .value(column, value)
                .and_where(Expr::col("id").eq(id));
            self.connection.execute(&update).await.unwrap();
        }
        for statement in text::beside_row(id, &words, self.backend()) {
            self.connection.execute_raw(statement).await.unwrap();
        }
    }

    /// The ids of the datasets of which a condition holds.
    pub async fn ids(&self, condition: SimpleExpr) -> Vec<i64> {
        let select = Query::select()
            .column("id")
            .from("dataset")
            .and_where(condition)
            .order_by("id", Order::Asc)
            .to_owned();
        let rows = self.connection.query_all(&select).await;
        let rows =
            rows.unwrap_or_else(|error| panic!("{}: {error}", self.backend().build(&select)));
        rows.iter()
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect()
    }

    pub async fn close(self) {
        if let Some(schema) = &self.schema {
            self.run(&format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }
}
