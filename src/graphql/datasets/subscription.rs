//! Changes of datasets as they happen.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::dataset::Dataset;
use super::filter::DatasetFilter;
use crate::datasets::changes::{self, DatasetChange};
use crate::datasets::read::{self, Reader, base_uris};
use crate::events::{Event, Filter, Topic};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::internal;
use crate::graphql::live::Updates;
use crate::graphql::rows::columns;
use crate::time::from_millis;

/// The name of [`DatasetUpdates::dataset_updates`] in the schema.
pub const DATASET_UPDATES: &str = "datasetUpdates";

/// What happened to a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "changes::ChangeKind")]
enum DatasetChangeKind {
    /// It is new.
    Registered,
    /// It is another one than before.
    Updated,
    /// It is registered no more.
    Deleted,
}

/// A change of a dataset.
#[derive(SimpleObject)]
pub struct DatasetUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When the change was noticed.
    recorded_at: Option<DateTime<Utc>>,
    /// What happened.
    kind: DatasetChangeKind,
    /// The dataset as it is now. One that is not there any more as this change left it, without README, annotations and
    /// items.
    dataset: Dataset,
}

impl DatasetUpdate {
    /// None if the viewer did not ask for this dataset, or may not see it.
    async fn of(
        ctx: &Context<'_>,
        event: &Event,
        filter: &read::DatasetFilter,
    ) -> Result<Option<Self>> {
        let (services, reader) = (ctx.services()?, Reader::of(ctx.viewer()?));
        let change = DatasetChange::of(event).map_err(internal)?;
        let (id, base_uri) = (change.id, change.base_uri_id);
        let told = change.into_row(&event.subject);
        if !filter.admits(&told) {
            return Ok(None);
        }
        // What a newer labql may say beside these is a change, too.
        let kind = changes::ChangeKind::from_name(&event.kind);
        let kind = kind.unwrap_or(changes::ChangeKind::Updated);
        let mut now = None;
        if kind != changes::ChangeKind::Deleted {
            let ahead = ctx.look_ahead();
            let columns = columns::<Dataset, _>(ahead.field("dataset").selection_fields());
            let row = read::datasets::by_id(&services.database, reader, id, columns).await;
            now = row.map_err(failed)?;
        }
        let row = if let Some(row) = now {
            row
        } else {
            // It is gone, or not for this viewer: the base URI says.
            let visible = base_uris::may_search(&services.database, reader, base_uri).await;
            if !visible.map_err(failed)? {
                return Ok(None);
            }
            Arc::new(told)
        };
        Ok(Some(Self {
            cursor: services.feed.cursor(event).to_string(),
            recorded_at: from_millis(event.recorded_at),
            kind: kind.into(),
            dataset: Dataset::single(row),
        }))
    }
}

/// Changes of datasets as they happen.
#[derive(Default)]
pub struct DatasetUpdates;

#[Object]
impl DatasetUpdates {
    /// Tells of every change of the datasets that you may see at that moment. With `after`, first those since that cursor,
    /// none lost and none twice; without, those from now on. Nobody is told of datasets that went with their base URI.
    async fn dataset_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of these datasets, as they were right after the change.")]
        filter: Option<DatasetFilter>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<DatasetUpdate> {
        ctx.check_read()?;
        let filter: read::DatasetFilter = filter.unwrap_or_default().try_into().map_err(failed)?;
        if filter.looks_inside() {
            let message = "changes are not chosen by text, mongo, registeredBy or registeredAt: choose them by other fields";
            return Err(failed(Failure::bad_input("filter", message)));
        }
        let listens_for = Filter::topic(Topic::Dataset).among(format!("{filter:?}"));
        let event = ctx.update(listens_for, after).await?;
        let update = DatasetUpdate::of(ctx, &event, &filter).await?;
        update.ok_or_else(|| ctx.pass_over())
    }
}
