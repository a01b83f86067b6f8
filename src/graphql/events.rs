//! The position of the log.

use async_graphql::{Context, Object, Result};

use super::context::{ContextExt, failed};
use super::error::internal;
use crate::database::Database;
use crate::events::{self, Cursor};
use crate::failure::Failure;

/// The name of [`EventsQuery::event_cursor`] in the schema.
pub const EVENT_CURSOR: &str = "eventCursor";

/// The position of the log before the fields of an operation were resolved. Fields at the root are resolved all at
/// once, so a resolver that read it could be later than its neighbours.
pub struct SnapshotPosition(Result<Cursor, Failure>);

impl SnapshotPosition {
    /// Reads the position. A failure is told by the field that shows it.
    pub async fn read(database: &Database) -> Self {
        Self(events::head(database).await.map(Cursor))
    }
}

/// Questions about the log of changes.
#[derive(Default)]
pub struct EventsQuery;

#[Object]
impl EventsQuery {
    /// The position of the log before this query was answered: everything else in the query is at least as new.
    /// Subscribe with it as `after`, and nothing falls between.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn event_cursor(&self, ctx: &Context<'_>) -> Result<String> {
        ctx.check_read()?;
        let position = ctx.data::<SnapshotPosition>();
        match &position.map_err(|error| internal(error.message))?.0 {
            Ok(cursor) => Ok(cursor.to_string()),
            Err(failure) => Err(failed(failure.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_graphql::Request;
    use serde_json::json;

    use crate::auth::token::TokenKeys;
    use crate::auth::{AuthConfig, ProtectionLevel, Viewer};
    use crate::config::{DatabaseConfig, DatabaseUrl};
    use crate::database::Database;
    use crate::events::{Cursor, Feed, NewEvent, Topic, append, head};
    use crate::graphql::context::Services;
    use crate::graphql::engine::{Engine, EngineSettings, RequestContext};
    use crate::graphql::request::GraphQlRequest;
    use crate::graphql::schema::{request_context, schema};

    async fn services(folder: &std::path::Path) -> Services {
        let config = DatabaseConfig {
            url: DatabaseUrl::from(format!("sqlite:{}", folder.join("labql.db").display())),
            max_connections: 2,
        };
        let database = Database::connect(&config).await.unwrap();
        database.ensure_schema(true).await.unwrap();
        Services {
            feed: Feed::new(database.clone()),
            keys: Arc::new(TokenKeys::load(&AuthConfig::default(), folder).unwrap()),
            protection: ProtectionLevel::None,
            database,
        }
    }

    async fn tell(database: &Database) {
        let event = NewEvent {
            topic: Topic::Experiment,
            subject: "a000".to_owned(),
            kind: "changed",
            payload: json!({}),
            actor: None,
        };
        let transaction = database.begin().await.unwrap();
        append(&transaction, vec![event]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    #[tokio::test]
    async fn the_cursor_is_older_than_all_fields() {
        let folder = tempfile::tempdir().unwrap();
        let services = services(folder.path()).await;
        let schema = schema(services.clone());
        let context = request_context(&services);
        let settings = EngineSettings::default();
        let engine = Engine::new(schema.clone(), request_context(&services), settings);
        let viewer = Arc::new(Viewer::anonymous());
        for query in [
            "{ viewer { username } at: eventCursor }",
            "{ viewer { username } ... { ...f } } fragment f on Query { at: eventCursor }",
        ] {
            tell(&services.database).await;
            let before = head(&services.database).await.unwrap();
            let asked = GraphQlRequest::from_json(json!({ "query": query })).unwrap();
            let operation = engine.prepare(asked).unwrap();
            let request = context
                .attach(&viewer, &operation, Request::new(query))
                .await;
            // From here on fields could be resolved, in any order.
            tell(&services.database).await;
            let answer = schema.execute(request).await.into_result().unwrap();
            let data = answer.data.into_json().unwrap();
            assert_eq!(data["at"], json!(Cursor(before).to_string()));
        }
    }
}
