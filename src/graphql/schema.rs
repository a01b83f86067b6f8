//! The schema. What is bound to a version of async-graphql (limits, the way loaders are made) stands here, in
//! `engine` and in `loaders`, and nowhere else.

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Request, SDLExportOptions, Schema};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::accounts::{AccountsMutation, AccountsQuery};
use super::context::{Budget, Services};
use super::engine::{Prepared, RequestContext};
use super::events::{self, EventsQuery, SnapshotPosition};
use super::experiments::{ExperimentsQuery, ExperimentsSubscription};
use super::loaders::Loaders;
use super::node::NodeQuery;
use super::workers::{WorkersMutation, WorkersQuery, WorkersSubscription};
use crate::auth::Viewer;
use crate::database::Database;

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
    WorkersQuery,
);

/// All commands.
#[derive(MergedObject, Default)]
pub struct Mutation(AccountsMutation, WorkersMutation);

/// All streams of changes.
#[derive(MergedSubscription, Default)]
pub struct Subscription(ExperimentsSubscription, WorkersSubscription);

/// The schema.
pub type LabqlSchema = Schema<Query, Mutation, Subscription>;

/// The schema over these services.
pub fn schema(services: Services) -> LabqlSchema {
    builder().data(services).finish()
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
    PerOperation(services.database.clone())
}

struct PerOperation(Database);

impl RequestContext for PerOperation {
    fn attach<'a>(
        &'a self,
        viewer: &'a Arc<Viewer>,
        operation: &'a Prepared,
        request: Request,
    ) -> BoxFuture<'a, Request> {
        let request = request
            .data(Arc::clone(viewer))
            .data(Loaders::new(&self.0))
            .data(Budget::of(operation.kind()));
        async move {
            if operation.selects(events::EVENT_CURSOR) {
                return request.data(SnapshotPosition::read(&self.0).await);
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
        Subscription::default(),
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
