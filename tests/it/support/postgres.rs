//! A database of its own for a test, on the server that `LABQL_TEST_POSTGRES` names.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

/// Dropped on the server when it goes out of scope.
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// A new, empty database; none without a server.
    pub async fn create() -> Option<Self> {
        let Ok(server) = std::env::var("LABQL_TEST_POSTGRES") else {
            println!("skipped: LABQL_TEST_POSTGRES names no PostgreSQL server");
            return None;
        };
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let connection = connect(&server).await;
        connection
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a new database");
        connection.close().await.expect("a closed connection");
        Some(Self { server, name })
    }

    pub fn url(&self) -> String {
        let (server, _) = self
            .server
            .rsplit_once('/')
            .expect("a URL with a database name");
        format!("{server}/{}", self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A test has a runtime already, which must not be blocked.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let connection = connect(&server).await;
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                if let Err(error) = connection.execute_unprepared(&statement).await {
                    eprintln!("{name} was not dropped: {error}");
                }
            });
        });
        let _ = dropping.join();
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    Database::connect(url).await.expect("a PostgreSQL server")
}
