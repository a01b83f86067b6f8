//! The schema. What is bound to a version of async-graphql (limits, the way loaders are made) stands here, in
//! `engine` and in `loaders`, and nowhere else.

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Request, SDLExportOptions, Schema};

use super::accounts::{AccountsMutation, AccountsQuery};
use super::context::Services;
use super::events::EventsQuery;
use super::experiments::{ExperimentsQuery, ExperimentsSubscription};
use super::loaders::Loaders;
use super::node::NodeQuery;
use crate::auth::Viewer;

/// How deep an operation may nest for async-graphql itself; the pre-check refuses earlier, this is a second line. The
/// standard introspection query needs 15.
const DEPTH: usize = 40;

/// All questions.
#[derive(MergedObject, Default)]
pub struct Query(EventsQuery, NodeQuery, AccountsQuery, ExperimentsQuery);

/// All commands.
#[derive(MergedObject, Default)]
pub struct Mutation(AccountsMutation);

/// All streams of changes.
#[derive(MergedSubscription, Default)]
pub struct Subscription(ExperimentsSubscription);

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

/// What each operation finds in its request: the viewer and fresh loaders.
pub fn request_context(
    services: &Services,
) -> impl Fn(&Arc<Viewer>, Request) -> Request + Send + Sync + 'static + use<> {
    let database = services.database.clone();
    move |viewer, request| {
        request
            .data(Arc::clone(viewer))
            .data(Loaders::new(&database))
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
    .register_output_type::<super::node::Node>()
}
    // Errors do not tell names of the schema to those who guess; who may ask for it uses introspection.
    .disable_suggestions()

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
