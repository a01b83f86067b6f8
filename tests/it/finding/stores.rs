//! Datasets that are found and nothing else, on both databases.

use labql::datasets::document::Document;
use labql::datasets::{mongo, text};
use labql::entity::dataset;
use migrations::{Migrator, MigratorTrait};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SimpleExpr};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, EntityTrait,
    IntoActiveModel, SqlxSqliteConnector,
};

use crate::support::TestDatabase;

/// The one row that all datasets refer to; they are found by the text of a base URI, and each has its own.
const BASE_URI: i64 = 1;

/// One of the databases with some datasets, whose ids are their places in a list, from 1.
pub struct Store {
    pub connection: DatabaseConnection,
    _database: Option<TestDatabase>,
}

impl Store {
    /// SQLite, and PostgreSQL where `LABQL_TEST_POSTGRES` names a server.
    pub async fn both() -> Vec<Self> {
        let mut stores = vec![Self::sqlite().await];
        stores.extend(Self::postgres().await);
        stores
    }

    async fn sqlite() -> Self {
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
        Self::of(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool), None).await
    }

    async fn postgres() -> Option<Self> {
        let database = TestDatabase::create().await?;
        let mut options = ConnectOptions::new(database.url());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        Some(Self::of(connection, Some(database)).await)
    }

    /// Makes the tables.
    async fn of(connection: DatabaseConnection, database: Option<TestDatabase>) -> Self {
        Migrator::up(&connection, None).await.unwrap();
        let store = Self {
            connection,
            _database: database,
        };
        let base_uri = format!(
            "INSERT INTO base_uri (id, uri, created_at, dataset_count) VALUES ({BASE_URI}, 's3://all', 0, 0)"
        );
        store.run(&base_uri).await;
        store
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
        let row = dataset::Model {
            id,
            base_uri_id: BASE_URI,
            base_uri: document.base_uri.clone(),
            uri: document.uri.clone(),
            uuid: document.uuid.clone(),
            name: document.name.clone(),
            creator_username: document.creator_username.clone(),
            created_at: document.created_at.unwrap_or(frozen),
            frozen_at: frozen,
            item_count: document.item_count,
            size_bytes: document.size_bytes,
            manifest_count: manifest.item_count(),
            hash_function: manifest.hash_function.clone(),
            manifest_version: manifest.dtoolcore_version.clone(),
            dtoolcore_version: document.dtoolcore_version.clone(),
            ..dataset::Model::default()
        };
        dataset::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.connection)
            .await
            .unwrap();
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
        self.connection.close().await.unwrap();
    }
}
