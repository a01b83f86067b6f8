//! The log of changes, for those who read it page by page.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::connection::PageInfo;
use super::context::{ContextExt, failed};
use super::error::internal;
use super::live::{Updates, lost, start};
use crate::events::{self, Cursor, Feed, Filter, Topic};
use crate::failure::Failure;
use crate::paging::PAGE;
use crate::time::from_millis;

/// The name of [`EventsQuery::event_cursor`] in the schema.
pub const EVENT_CURSOR: &str = "eventCursor";

/// The position of the log before the fields of an operation were resolved. Fields at the root are resolved all at
/// once, so a resolver that read it could be later than its neighbours.
pub struct SnapshotPosition(Result<Cursor, Failure>);

impl SnapshotPosition {
    /// Reads the position. A failure is told by the field that shows it.
    pub async fn read(feed: &Feed) -> Self {
        Self(feed.head().await)
    }
}

/// What an event is about. Changes of datasets and of runs of workflows are not among these events: who may hear of them hangs on
/// base URIs and groups, and `datasetUpdates` and `runUpdates` tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum EventTopic {
    /// An account, its keys and its grants; for administrators.
    Account,
    /// What somebody has Autosubmit do; for administrators. `actionUpdates` tells everybody of their own.
    Action,
    /// An experiment.
    Experiment,
    /// A focal plane, or a tag of one.
    Fplane,
    /// A job of an experiment.
    Job,
    /// What somebody reports of a run of an experiment.
    Run,
    /// A background worker.
    Worker,
}

impl EventTopic {
    const ALL: [(Self, Topic); 7] = [
        (Self::Account, Topic::Account),
        (Self::Action, Topic::Action),
        (Self::Experiment, Topic::Experiment),
        (Self::Fplane, Topic::Fplane),
        (Self::Job, Topic::Job),
        (Self::Run, Topic::Run),
        (Self::Worker, Topic::Worker),
    ];

    /// None for a topic that is not told here.
    fn of(topic: Topic) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == topic);
        found.map(|(shown, _)| *shown)
    }
}

/// A change, as the log has it.
pub struct Event {
    event: Arc<events::Event>,
    cursor: Cursor,
}

/// A change, as the log has it.
#[Object]
impl Event {
    /// The position of this change in the log: ask for `events(after:)`, or subscribe, to go on from here.
    async fn cursor(&self) -> String {
        self.cursor.to_string()
    }

    /// When the change was noticed.
    async fn recorded_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.event.recorded_at)
    }

    /// What it is about; null: something that this server does not know yet.
    async fn topic(&self) -> Option<EventTopic> {
        self.event.topic.and_then(EventTopic::of)
    }

    /// Which one: an expid (also for jobs and runs), the name of a worker or of a user, the number of an action, `plane` for a
    /// focal plane, `tag:` and the name for a tag of one.
    async fn subject(&self) -> &str {
        &self.event.subject
    }

    /// What happened, such as `added` or `changed`.
    async fn kind(&self) -> &str {
        &self.event.kind
    }

    /// Who did it; null: the server itself, or you are no administrator.
    async fn actor(&self, ctx: &Context<'_>) -> Option<&str> {
        ctx.administrator().ok()?;
        self.event.actor.as_deref()
    }
}

/// A page of changes.
#[derive(SimpleObject)]
pub struct EventConnection {
    /// The changes of this page with their cursors.
    edges: Vec<EventEdge>,
    /// Where this page stands in the log.
    page_info: PageInfo,
    /// Where to go on: give this as `after` next time, also when this page has no changes.
    next_cursor: String,
}

/// A change in a page.
#[derive(SimpleObject)]
pub struct EventEdge {
    /// The position of the change.
    cursor: String,
    /// The change.
    node: Event,
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

    /// Changes in the order in which they happened, for those who would rather ask than listen.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(
            desc = "Only those after this cursor; absent or `beginning`: all that the log still has."
        )]
        after: Option<String>,
        #[graphql(desc = "Only those about these; absent: about all that you may see.")]
        topics: Option<Vec<EventTopic>>,
    ) -> Result<EventConnection> {
        ctx.check_read()?;
        let filter = filter(ctx, topics.as_deref())?;
        let limit = PAGE.limit("first", first).map_err(failed)?;
        let feed = &ctx.services()?.feed;
        let start = start(Some(after.as_deref().unwrap_or("beginning")))?;
        let page = feed.page(&filter, start, limit).await.map_err(lost)?;
        let edges: Vec<EventEdge> = page
            .events
            .into_iter()
            .map(|event| {
                let cursor = feed.cursor(&event);
                let event = Arc::new(event);
                EventEdge {
                    cursor: cursor.to_string(),
                    node: Event { event, cursor },
                }
            })
            .collect();
        Ok(EventConnection {
            page_info: PageInfo {
                has_previous_page: page.has_previous,
                has_next_page: page.has_next,
                start_cursor: edges.first().map(|edge| edge.cursor.clone()),
                end_cursor: edges.last().map(|edge| edge.cursor.clone()),
            },
            next_cursor: page.next.to_string(),
            edges,
        })
    }
}

/// The log of changes as it grows.
#[derive(Default)]
pub struct EventUpdates;

#[Object]
impl EventUpdates {
    /// Tells of every change of everything. With `after`, first those since that cursor, none lost and none twice;
    /// without, those from now on.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
        #[graphql(desc = "Only those about these; absent: about all that you may see.")]
        topics: Option<Vec<EventTopic>>,
    ) -> Result<Event> {
        ctx.check_read()?;
        let event = ctx.update(filter(ctx, topics.as_deref())?, after).await?;
        // Whoever was an administrator when this began may be none now.
        if event.topic.is_some_and(Topic::is_confidential) {
            ctx.administrator()?;
        }
        let cursor = ctx.services()?.feed.cursor(&event);
        Ok(Event { event, cursor })
    }
}

/// Events about accounts and actions are for administrators.
fn filter(ctx: &Context<'_>, topics: Option<&[EventTopic]>) -> Result<Filter> {
    let is_admin = ctx.administrator().is_ok();
    let asked = |shown: EventTopic, topic: Topic| match topics {
        Some(topics) => topics.contains(&shown),
        None => is_admin || !topic.is_confidential(),
    };
    let all = EventTopic::ALL.into_iter();
    let topics: Vec<Topic> = all
        .filter_map(|(shown, topic)| asked(shown, topic).then_some(topic))
        .collect();
    if topics.iter().any(|topic| topic.is_confidential()) {
        ctx.administrator()?;
    }
    Ok(Filter {
        topics,
        ..Filter::default()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_graphql::Request;
    use serde_json::json;

    use crate::auth::people::People;
    use crate::auth::token::TokenKeys;
    use crate::auth::{AuthConfig, ProtectionLevel, Viewer};
    use crate::config::{DatabaseConfig, DatabaseUrl};
    use crate::database::Database;
    use crate::events::{Feed, NewEvent, Topic, append};
    use crate::experiments::actions::{Actions, ActionsConfig};
    use crate::experiments::reports::Reports;
    use crate::flows::Flows;
    use crate::flows::settings::FlowSettings;
    use crate::graphql::context::Services;
    use crate::graphql::engine::{Engine, EngineSettings, RequestContext};
    use crate::graphql::request::GraphQlRequest;
    use crate::graphql::schema::{request_context, schema};

    async fn services(folder: &std::path::Path) -> Services {
        let config = DatabaseConfig {
            url: DatabaseUrl::from(format!("sqlite:{}", folder.join("labql.db").display())),
            max_connections: 2,
            ..DatabaseConfig::default()
        };
        let database = Database::connect(&config).await.unwrap();
        database.ensure_schema(true).await.unwrap();
        let feed = Feed::open(database.clone()).await.unwrap();
        Services {
            reports: Reports::start(&database, &feed),
            actions: Actions::new(&database, &feed, &ActionsConfig::default(), folder),
            flows: Flows::new(&database, &feed, &FlowSettings::default(), folder),
            people: People::new(database.clone(), feed.clone()),
            feed,
            keys: Arc::new(TokenKeys::load(&AuthConfig::default(), folder).unwrap()),
            protection: ProtectionLevel::None,
            storage: Arc::default(),
            fplanes: Arc::default(),
            installation: None,
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
            let before = services.feed.head().await.unwrap();
            let asked = GraphQlRequest::from_json(json!({ "query": query })).unwrap();
            let operation = engine.prepare(asked).unwrap();
            let request = context
                .attach(&viewer, &operation, Request::new(query))
                .await;
            // From here on fields could be resolved, in any order.
            tell(&services.database).await;
            let answer = schema.execute(request).await.into_result().unwrap();
            let data = answer.data.into_json().unwrap();
            assert_eq!(data["at"], json!(before.to_string()));
        }
    }
}
