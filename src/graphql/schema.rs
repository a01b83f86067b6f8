//! The schema. What is bound to a version of async-graphql (limits, the way loaders are made) stands here, in
//! `engine` and in `loaders`, and nowhere else.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::registry::Registry;
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, MergedObject, OutputType, Request, Response,
    SDLExportOptions, Schema, SubscriptionType, ValidationMode,
};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};

use super::accounts::{AccountsMutation, AccountsQuery};
use super::actions::{ActionRightsMutation, ActionUpdates, ActionsMutation, ActionsQuery};
use super::context::{Budget, Services};
use super::datasets::{DatasetUpdates, DatasetsMutation, DatasetsQuery};
use super::document::Prepared;
use super::engine::RequestContext;
use super::events::{self, EventUpdates, EventsQuery, SnapshotPosition};
use super::experiments::{ExperimentUpdates, ExperimentsQuery, ReportUpdates, ReportsMutation};
use super::flows::{FlowsQuery, RunGroupsMutation, RunUpdates, RunsMutation, WorkflowsMutation};
use super::fplanes::{FplaneHistoryQuery, FplaneUpdates, FplanesMutation, FplanesQuery};
use super::loaders::Loaders;
use super::node::NodeQuery;
use super::workers::{WorkerUpdates, WorkersMutation, WorkersQuery};
use crate::auth::Viewer;

/// How deep an operation may nest for async-graphql itself; the pre-check refuses earlier, this is a second line. The
/// standard introspection query needs 15.
const DEPTH: usize = 40;

/// All questions.
#[derive(MergedObject, Default)]
pub struct Query(
    EventsQuery,
    NodeQuery,
    AccountsQuery,
    ExperimentsQuery,
    ActionsQuery,
    DatasetsQuery,
    FplanesQuery,
    FplaneHistoryQuery,
    FlowsQuery,
    WorkersQuery,
);

/// All commands.
#[derive(MergedObject, Default)]
pub struct Mutation(
    AccountsMutation,
    ReportsMutation,
    ActionsMutation,
    ActionRightsMutation,
    DatasetsMutation,
    FplanesMutation,
    WorkflowsMutation,
    RunGroupsMutation,
    RunsMutation,
    WorkersMutation,
);

/// All streams of changes, as questions about one event; see [`live`](super::live).
#[derive(MergedObject, Default)]
#[graphql(name = "Subscription")]
pub struct Updates(
    EventUpdates,
    ExperimentUpdates,
    ReportUpdates,
    ActionUpdates,
    DatasetUpdates,
    FplaneUpdates,
    RunUpdates,
    WorkerUpdates,
);

/// The same as a part of the schema. It streams nothing: the engine follows the log instead.
pub struct Subscription;

impl SubscriptionType for Subscription {
    fn type_name() -> Cow<'static, str> {
        <Updates as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Updates::create_type_info(registry)
    }

    fn create_field_stream<'a>(&'a self, _ctx: &'a Context<'_>) -> Option<BoxStream<'a, Response>> {
        Some(stream::empty().boxed())
    }
}

/// The schema.
pub type LabqlSchema = Schema<Query, Mutation, Subscription>;

/// The schema over these services.
pub fn schema(services: Services) -> LabqlSchema {
    builder().data(services).finish()
}

/// The same, for operations that are known to be valid.
pub fn trusting(services: Services) -> LabqlSchema {
    let schema = builder().validation_mode(ValidationMode::Fast);
    schema.data(services).finish()
}

/// The root of subscriptions as a schema of its own. What is executed on it was validated before.
pub fn updates(services: Services) -> Schema<Updates, EmptyMutation, EmptySubscription> {
    Schema::build(Updates::default(), EmptyMutation, EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(DEPTH)
        .disable_suggestions()
        .register_output_type::<super::node::Node>()
        .data(services)
        .finish()
}

/// The schema as text, members sorted; it needs no services.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(
        SDLExportOptions::new()
            .sorted_fields()
            .sorted_arguments()
            .sorted_enum_items()
            .include_specified_by(),
    )
}

/// What each operation finds in its request: the viewer, fresh loaders, and the position of the log if it asks for it.
pub fn request_context(services: &Services) -> impl RequestContext + use<> {
    PerOperation(services.clone())
}

struct PerOperation(Services);

impl RequestContext for PerOperation {
    fn attach<'a>(
        &'a self,
        viewer: &'a Arc<Viewer>,
        operation: &'a Prepared,
        request: Request,
    ) -> BoxFuture<'a, Request> {
        let request = request
            .data(Arc::clone(viewer))
            .data(Loaders::new(&self.0.database))
            .data(Budget::default());
        async move {
            if operation.selects(events::EVENT_CURSOR) {
                return request.data(SnapshotPosition::read(&self.0.feed).await);
            }
            request
        }
        .boxed()
    }
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(
        Query::default(),
        Mutation::default(),
        Subscription,
    )
    .limit_depth(DEPTH)
    .limit_recursive_depth(DEPTH)
    // Errors do not tell names of the schema to those who guess; who may ask for it uses introspection.
    .disable_suggestions()
    .register_output_type::<super::node::Node>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errors_suggest_no_names() {
        let schema = builder().finish();
        for guess in [
            "{ experimen { expid } }",
            "{ experiment(expi: \"a000\") { expid } }",
        ] {
            let response = schema.execute(guess).await;
            assert!(response.is_err());
            for error in response.errors {
                assert!(!error.message.contains("Did you mean"), "{}", error.message);
            }
        }
    }
}
