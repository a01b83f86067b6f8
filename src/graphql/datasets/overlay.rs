//! What is said of the items of a dataset.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};
use macros::row;

use super::children;
use super::dataset::Dataset;
use super::filter::texts;
use crate::database::Database;
use crate::datasets::read::overlays;
use crate::entity::{dataset_overlay, dataset_overlay_value};
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::json_text::JsonText;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::Rows;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};

/// A value for each item of a dataset, under a name.
#[derive(Clone)]
pub struct DatasetOverlay {
    row: Arc<dataset_overlay::Model>,
    level: Arc<Level>,
}

/// A value for each item of a dataset, under a name.
#[row]
impl DatasetOverlay {
    /// Its name.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// The values, by the identifiers of the items.
    async fn values(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of items with these identifiers.")] identifiers: Option<
            Vec<String>,
        >,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<OverlayValueConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let ordering = overlays::by_identifier();
        let list = ValueList {
            identifiers: texts("identifiers", identifiers).map_err(failed)?,
            page: page.resolve(PAGE, &ordering).map_err(failed)?,
        };
        let slice = self
            .level
            .children(ctx.database()?, &list, self.row.id)
            .await?;
        let total = match (ctx.wants_total(), list.identifiers) {
            (false, _) => None,
            (true, None) => Some(self.row.value_count),
            (true, Some(identifiers)) => {
                let count = ValueCount { identifiers };
                let (database, id) = (ctx.database()?, self.row.id);
                Some(self.level.children(database, &count, id).await?)
            }
        };
        let slice = slice.map(OverlayValue);
        Ok(OverlayValueConnection::new(slice, total, move |value| {
            paging::encode_cursor(&ordering, &overlays::key(&value.0))
        }))
    }
}

/// What an overlay says of an item.
#[derive(Clone)]
pub struct OverlayValue(Arc<dataset_overlay_value::Model>);

connection!(
    OverlayValueConnection,
    OverlayValueEdge,
    OverlayValue,
    "A page of the values of an overlay.",
    "A value in a page."
);

/// What an overlay says of an item.
#[row]
impl OverlayValue {
    /// The identifier of the item.
    fn identifier(&self) -> &str {
        &self.0.identifier
    }

    /// What is said of it.
    fn value(&self) -> JsonText {
        JsonText::written(self.0.value.clone())
    }
}

/// `Dataset.overlays`.
pub(super) async fn overlays(
    datasets: &[Dataset],
    ctx: &Context<'_>,
) -> Result<impl Fn(&Dataset) -> Rows<DatasetOverlay> + use<>> {
    children::of_datasets(datasets, ctx, &OverlayList, |_, row, level| {
        DatasetOverlay {
            row: Arc::clone(row),
            level: Arc::clone(level),
        }
    })
    .await
}

/// The overlays of datasets.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct OverlayList;

impl ChildList for OverlayList {
    type Children = (Vec<Arc<dataset_overlay::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found = overlays::of_datasets(database, level.parents()).await?;
        Ok(Level::of_children(found, |row| row.id))
    }
}

/// A page of the values of overlays.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ValueList {
    identifiers: Option<Vec<String>>,
    page: Page,
}

impl ChildList for ValueList {
    type Children = Slice<Arc<dataset_overlay_value::Model>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let identifiers = self.identifiers.as_deref();
        overlays::values(database, level.parents(), identifiers, &self.page).await
    }
}

/// How many values overlays have of some items.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ValueCount {
    identifiers: Vec<String>,
}

impl ChildList for ValueCount {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        overlays::count(database, level.parents(), &self.identifiers).await
    }
}
