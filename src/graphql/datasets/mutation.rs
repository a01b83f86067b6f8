//! Commands on datasets and base URIs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::timeout;

use super::base_uri::{BaseUri, IndexProblem};
use super::dataset::Dataset;
use crate::auth::accounts;
use crate::database::Database;
use crate::datasets::read::{self, Reader};
use crate::datasets::registration;
use crate::datasets::sync::{Emptiness, IndexReport, Indexer};
use crate::datasets::write::change::{self, Change};
use crate::datasets::write::{Author, Before, base_uris, register};
use crate::failure::Failure;
use crate::graphql::accounts::BaseUriGrant;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::json_text::JsonText;
use crate::graphql::number::count;
use crate::graphql::rows::{Rows, columns};
use crate::graphql::user_error::{UserError, payload};

/// How long an answer waits for the end of work that goes on without it; less than a mutation may take.
const WAIT: Duration = Duration::from_secs(45);

/// A base URI to be registered.
#[derive(InputObject)]
struct RegisterBaseUriInput {
    /// Such as `s3://bucket` or `file://host/path`, without a slash at the end.
    uri: String,
}

/// The answer to `registerBaseUri`.
#[derive(SimpleObject)]
struct RegisterBaseUriPayload {
    /// The base URI.
    base_uri: Option<BaseUri>,
    /// Is it new? Null: it was not registered.
    created: Option<bool>,
    /// Why not.
    errors: Vec<UserError>,
}

/// A base URI to be deleted.
#[derive(InputObject)]
struct DeleteBaseUriInput {
    /// The URI.
    uri: String,
    /// With the datasets that are registered there? The datasets themselves stay where they are.
    #[graphql(default)]
    with_datasets: bool,
}

/// The answer to `deleteBaseUri`.
#[derive(SimpleObject)]
struct DeleteBaseUriPayload {
    /// The URI; null: it was not deleted.
    uri: Option<String>,
    /// Are its datasets gone as well? False: that takes longer than an answer may, and goes on; nobody may see them any more,
    /// and administrators see the base URI until then. If the server ends before, delete it again. Null: it was not deleted.
    finished: Option<bool>,
    /// Why not.
    errors: Vec<UserError>,
}

/// What a user may do with the datasets of a base URI from now on.
#[derive(InputObject)]
struct GrantBaseUriInput {
    /// Who.
    username: String,
    /// Where.
    base_uri: String,
    /// May find and read its datasets.
    can_search: bool,
    /// May register datasets there, and change and delete those that are. One right does not imply the other.
    can_register: bool,
}

/// The answer to `grantBaseUri`.
#[derive(SimpleObject)]
struct GrantBaseUriPayload {
    /// What the user may do now.
    grant: Option<BaseUriGrant>,
    /// Why nothing has changed.
    errors: Vec<UserError>,
}

/// A dataset to be registered.
#[derive(InputObject)]
struct RegisterDatasetInput {
    /// The dataset as the client of dtool describes it: an object with `uuid`, `uri`, `base_uri`, `name`, `type`, `readme`
    /// (its text), `manifest`, `creator_username`, `frozen_at`, `annotations`, `tags`, and perhaps `created_at`,
    /// `number_of_items`, `size_in_bytes` and `dtoolcore_version`. Times are seconds since 1970-01-01 UTC, as numbers or as
    /// text.
    info: JsonText,
}

/// The answer to `registerDataset`.
#[derive(SimpleObject)]
struct RegisterDatasetPayload {
    /// The dataset; null: it was not registered, or you may not search where it lies.
    dataset: Option<Dataset>,
    /// Is it new? If not, it took the place of one with the same URI. Null: it was not registered, or you may not search
    /// where it lies.
    created: Option<bool>,
    /// Why not: all that is wrong, by the fields of `info`.
    errors: Vec<UserError>,
}

/// A dataset to be deleted from the register.
#[derive(InputObject)]
struct DeleteDatasetInput {
    /// The URI.
    uri: String,
}

/// A base URI to be read.
#[derive(InputObject)]
struct IndexBaseUriInput {
    /// The URI.
    uri: String,
    /// If nothing at all is there any more, are all its datasets to be taken out of the register? False: that is refused,
    /// since a disk that is not mounted looks the same.
    #[graphql(default)]
    remove_all: bool,
}

/// The answer to `indexBaseUri`: how far it is.
#[derive(SimpleObject)]
struct IndexBaseUriPayload {
    /// Datasets that are new in the register.
    registered: Option<i32>,
    /// Datasets that had changed, and were read anew.
    updated: Option<i32>,
    /// Datasets that had not changed, and were not read.
    unchanged: Option<i32>,
    /// Datasets that are gone, and were taken out of the register.
    removed: Option<i32>,
    /// What could not be read, the first 1,000 of it. What was known of it before stays.
    problems: Option<Rows<IndexProblem>>,
    /// Has it come to its end? False: it took longer than an answer may, and goes on; `BaseUri.lastIndex` tells how far it is.
    /// Null: it was not begun.
    finished: Option<bool>,
    /// Could all of the base URI be looked through? False: the problems say why not, and what is gone was not taken out, or it
    /// has not come to its end. Null: it was not begun.
    complete: Option<bool>,
    /// Why it was not begun.
    errors: Vec<UserError>,
}

/// The answer to `deleteDataset`.
#[derive(SimpleObject)]
struct DeleteDatasetPayload {
    /// The URI, under which nothing is registered now; null: it was not deleted.
    uri: Option<String>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Tags of a dataset: either all of them, or what changes. They have 1 to 80 letters, digits or `_ . -`.
#[derive(InputObject)]
struct UpdateDatasetTagsInput {
    /// The URI of the dataset.
    uri: String,
    /// All tags that it shall have; absent: those that it has, with what follows.
    tags: Option<Vec<String>>,
    /// Tags that it gets.
    #[graphql(default)]
    add: Vec<String>,
    /// Tags that it loses.
    #[graphql(default)]
    remove: Vec<String>,
}

/// Annotations of a dataset. Those that are not named stay. Names have 1 to 80 letters, digits or `_ . -`.
#[derive(InputObject)]
struct UpdateDatasetAnnotationsInput {
    /// The URI of the dataset.
    uri: String,
    /// An object with the annotations that get a value, by name: any JSON, null too.
    set: Option<JsonText>,
    /// The names of annotations that are removed.
    #[graphql(default)]
    remove: Vec<String>,
}

/// The README of a dataset.
#[derive(InputObject)]
struct UpdateDatasetReadmeInput {
    /// The URI of the dataset.
    uri: String,
    /// The whole text.
    text: String,
}

/// The answer to a change of a dataset.
#[derive(SimpleObject)]
struct UpdateDatasetPayload {
    /// The dataset; null: it was not changed.
    dataset: Option<Dataset>,
    /// Was the dataset itself changed, too? False: it lies where this server does not reach it, and only the register was; when
    /// it is registered anew, what it says then counts. Null: it was not changed.
    written: Option<bool>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Commands on datasets and base URIs.
#[derive(Default)]
pub struct DatasetsMutation;

#[Object]
impl DatasetsMutation {
    /// Registers a base URI; for administrators. Nobody may do anything there until it is granted. Registering twice is no
    /// error.
    async fn register_base_uri(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The base URI.")] input: RegisterBaseUriInput,
    ) -> Result<RegisterBaseUriPayload> {
        ctx.administrator()?;
        let made = base_uris::register(ctx.database()?, &input.uri).await;
        let (made, errors) = payload(made)?;
        let (row, created) = made.unzip();
        Ok(RegisterBaseUriPayload {
            base_uri: row.map(|row| BaseUri(row.into())),
            created,
            errors,
        })
    }

    /// Deletes a base URI and all rights to it; for administrators.
    async fn delete_base_uri(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The base URI.")] input: DeleteBaseUriInput,
    ) -> Result<DeleteBaseUriPayload> {
        let (actor, database) = (&ctx.administrator()?.username, ctx.database()?);
        let deleted = base_uris::delete(database, actor, &input.uri, input.with_datasets).await;
        ctx.services()?.feed.wake_for_accounts();
        let (deleted, errors) = payload(deleted)?;
        let finished = match deleted {
            Some(Some(id)) => empty(database.clone(), id).await.map_err(failed)?,
            Some(None) | None => true,
        };
        Ok(DeleteBaseUriPayload {
            finished: deleted.map(|_| finished),
            uri: deleted.map(|_| input.uri),
            errors,
        })
    }

    /// Sets what a user may do with the datasets of a base URI; for administrators. Neither right takes the grant away.
    async fn grant_base_uri(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The grant.")] input: GrantBaseUriInput,
    ) -> Result<GrantBaseUriPayload> {
        let (actor, database) = (&ctx.administrator()?.username, ctx.database()?);
        let (search, register) = (input.can_search, input.can_register);
        let (username, base_uri) = (&input.username, &input.base_uri);
        let set = accounts::set_grant(database, actor, username, base_uri, search, register).await;
        ctx.services()?.feed.wake_for_accounts();
        let (grant, errors) = payload(set)?;
        let grant = grant.map(|grant| BaseUriGrant {
            username: input.username,
            base_uri: grant.base_uri,
            can_search: grant.can_search,
            can_register: grant.can_register,
        });
        Ok(GrantBaseUriPayload { grant, errors })
    }

    /// Registers a dataset, or puts it in the place of the one with the same URI; for those who may register where it lies. A
    /// request has `http.body_limit` at most (1 MiB), which is a manifest of some 5,000 items: larger ones are read from
    /// where they lie, with `indexBaseUri`.
    async fn register_dataset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The dataset.")] input: RegisterDatasetInput,
    ) -> Result<RegisterDatasetPayload> {
        let author = Author::User(ctx.signed_in()?);
        let document = match registration::parse(&value(&input.info)?) {
            Ok(document) => document,
            Err(wrong) => {
                return Ok(RegisterDatasetPayload {
                    dataset: None,
                    created: None,
                    errors: wrong.into_iter().map(Into::into).collect(),
                });
            }
        };
        let stored =
            register::register(ctx.database()?, &author, &document, None, &Before::Any).await;
        ctx.services()?.feed.wake();
        let (stored, errors) = payload(stored)?;
        let dataset = match &stored {
            Some(_) => now(ctx, &document.uri).await?,
            None => None,
        };
        Ok(RegisterDatasetPayload {
            created: stored.filter(|_| dataset.is_some()).map(|it| it.created),
            dataset,
            errors,
        })
    }

    /// Reads all frozen datasets in a base URI into the register; for those who may register there. Datasets that are as they
    /// were are not read again, and those that are gone are taken out, but not if nothing is left (`removeAll`). What somebody changed in the register
    /// alone (`updateDatasetTags` and the like say so) stays for as long as the dataset itself does not change.
    async fn index_base_uri(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The base URI.")] input: IndexBaseUriInput,
    ) -> Result<IndexBaseUriPayload> {
        let (services, viewer) = (ctx.services()?, ctx.signed_in()?.clone());
        let indexer = Indexer {
            database: services.database.clone(),
            feed: services.feed.clone(),
            storage: Arc::clone(&services.storage),
        };
        let emptiness = if input.remove_all {
            Emptiness::IsTrue
        } else {
            Emptiness::IsSuspect
        };
        let (progress, seen) = watch::channel(IndexReport::default());
        // It goes on when nobody waits for it any more.
        let task = tokio::spawn(async move {
            let tell = |report: &IndexReport| {
                progress.send_modify(|seen| seen.follow(report));
            };
            let author = Author::User(&viewer);
            indexer.index(&author, &input.uri, emptiness, &tell).await
        });
        let (report, finished) = match timeout(WAIT, task).await {
            Ok(ended) => (ended.map_err(Failure::from).and_then(|report| report), true),
            Err(_) => (Ok(seen.borrow().clone()), false),
        };
        let (report, errors) = payload(report)?;
        let number = |of: fn(&IndexReport) -> u64| report.as_ref().map(|report| count(of(report)));
        Ok(IndexBaseUriPayload {
            registered: number(|report| report.registered),
            updated: number(|report| report.updated),
            unchanged: number(|report| report.unchanged),
            removed: number(|report| report.removed),
            finished: report.as_ref().map(|_| finished),
            complete: report.as_ref().map(|report| report.complete),
            problems: report.map(|report| report.problems.into_iter().map(IndexProblem).collect()),
            errors,
        })
    }

    /// Deletes a dataset from the register; for those who may register where it lies. The dataset itself stays where it is.
    /// Deleting one that is not registered is no error.
    async fn delete_dataset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The dataset.")] input: DeleteDatasetInput,
    ) -> Result<DeleteDatasetPayload> {
        let author = Author::User(ctx.signed_in()?);
        let deleted = register::delete(ctx.database()?, &author, &input.uri, &Before::Any).await;
        ctx.services()?.feed.wake();
        let (deleted, errors) = payload(deleted)?;
        Ok(DeleteDatasetPayload {
            uri: deleted.map(|_| input.uri),
            errors,
        })
    }

    /// Changes the tags of a dataset, where it lies and in the register; for those who may search and register there. Doing so
    /// twice is no error.
    async fn update_dataset_tags(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tags.")] input: UpdateDatasetTagsInput,
    ) -> Result<UpdateDatasetPayload> {
        let change = Change::Tags {
            only: input.tags.map(BTreeSet::from_iter),
            add: input.add.into_iter().collect(),
            remove: input.remove.into_iter().collect(),
        };
        update(ctx, &input.uri, Ok(change)).await
    }

    /// Changes annotations of a dataset, where it lies and in the register; for those who may search and register there. Doing so
    /// twice is no error.
    async fn update_dataset_annotations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The annotations.")] input: UpdateDatasetAnnotationsInput,
    ) -> Result<UpdateDatasetPayload> {
        let set = input.set.as_ref().map(value).transpose()?;
        let change = match set.unwrap_or_else(|| Value::Object(Map::new())) {
            Value::Object(set) => Ok(Change::Annotations {
                set,
                remove: input.remove.into_iter().collect(),
            }),
            _ => Err(Failure::bad_input("set", "it must be an object")),
        };
        update(ctx, &input.uri, change).await
    }

    /// Changes the README of a dataset, where it lies and in the register; for those who may search and register there. Where it
    /// lies, the README that it had is kept as `README.yml-` and the time, as dtool does.
    async fn update_dataset_readme(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The README.")] input: UpdateDatasetReadmeInput,
    ) -> Result<UpdateDatasetPayload> {
        update(ctx, &input.uri, Ok(Change::Readme(input.text))).await
    }
}

/// Deletes the datasets of a base URI; false: it takes longer than an answer may, and goes on.
async fn empty(database: Database, base_uri: i64) -> Result<bool, Failure> {
    let task = tokio::spawn(async move {
        let done = base_uris::empty(&database, base_uri).await;
        if let Err(error) = &done {
            tracing::error!(%error, "datasets of a deleted base URI are left");
        }
        done
    });
    match timeout(WAIT, task).await {
        Ok(ended) => ended?.map(|()| true),
        Err(_) => Ok(false),
    }
}

async fn update(
    ctx: &Context<'_>,
    uri: &str,
    change: Result<Change, Failure>,
) -> Result<UpdateDatasetPayload> {
    let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
    let done = match change {
        Ok(change) => {
            change::change(&services.database, &services.storage, &author, uri, &change).await
        }
        Err(failure) => Err(failure),
    };
    services.feed.wake();
    let (done, errors) = payload(done)?;
    let dataset = match done {
        Some(_) => now(ctx, uri).await?,
        None => None,
    };
    Ok(UpdateDatasetPayload {
        dataset,
        written: done.map(|changed| changed.is_written),
        errors,
    })
}

/// The dataset as it is after a command, if the viewer may see it.
async fn now(ctx: &Context<'_>, uri: &str) -> Result<Option<Dataset>> {
    let ahead = ctx.look_ahead();
    let columns = columns::<Dataset, _>(ahead.field("dataset").selection_fields());
    let (database, reader) = (ctx.database()?, Reader::of(ctx.viewer()?));
    let row = read::datasets::by_uri(database, reader, uri, columns).await;
    Ok(row.map_err(failed)?.map(Dataset::single))
}

/// JSON that a client has sent.
fn value(json: &JsonText) -> Result<Value> {
    json.value().map_err(crate::graphql::error::internal)
}
