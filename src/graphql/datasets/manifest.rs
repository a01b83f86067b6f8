//! The items of a dataset.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, InputObject, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::filter::texts;
use super::signed;
use crate::database::Database;
use crate::datasets::read::items::{self, ItemFilter};
use crate::entity::{dataset, dataset_item};
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::{columns, columns_of_page};
use crate::links;
use crate::narrow::Columns;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};
use crate::pattern::Pattern;
use crate::time::from_micros;

/// The items of a dataset, as they were when it was frozen.
#[derive(Clone)]
pub struct DatasetManifest {
    dataset: Arc<dataset::Model>,
    level: Arc<Level>,
}

impl DatasetManifest {
    pub(super) fn new(dataset: &Arc<dataset::Model>, level: &Arc<Level>) -> Self {
        Self {
            dataset: Arc::clone(dataset),
            level: Arc::clone(level),
        }
    }
}

/// The items of a dataset, as they were when it was frozen.
#[row(columns = dataset::Column)]
impl DatasetManifest {
    /// The version of dtoolcore that froze it.
    #[reads(ManifestVersion)]
    fn dtoolcore_version(&self) -> Option<&str> {
        self.dataset.manifest_version.as_deref()
    }

    /// How the hashes of items were made, such as `md5sum_hexdigest`.
    #[reads(HashFunction)]
    fn hash_function(&self) -> Option<&str> {
        self.dataset.hash_function.as_deref()
    }

    /// The items, by identifier.
    #[reads(ManifestCount)]
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which items.")] filter: Option<DatasetItemFilter>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<DatasetItemConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let filter: ItemFilter = filter.unwrap_or_default().try_into().map_err(failed)?;
        let ordering = items::by_identifier();
        let list = ItemList {
            page: page.resolve(PAGE, &ordering).map_err(failed)?,
            columns: columns_of_page::<DatasetItem, _>(ctx),
            filter,
        };
        let (database, dataset) = (ctx.database()?, self.dataset.id);
        let slice = self.level.children(database, &list, dataset).await?;
        let total = if !ctx.wants_total() {
            None
        } else if list.filter.is_empty() {
            Some(self.dataset.manifest_count)
        } else {
            let total = ItemTotal(list.filter);
            Some(self.level.children(database, &total, dataset).await?)
        };
        let of = Arc::clone(&self.dataset);
        let slice = slice.map(move |row| DatasetItem {
            row,
            dataset: Arc::clone(&of),
        });
        Ok(DatasetItemConnection::new(slice, total, move |item| {
            paging::encode_cursor(&ordering, &items::key(&item.row))
        }))
    }

    /// The item with this identifier; null when there is none.
    #[reads()]
    async fn item(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The identifier.")] identifier: String,
    ) -> Result<Option<DatasetItem>> {
        let identifiers = texts("identifier", Some(vec![identifier])).map_err(failed)?;
        let list = ItemList {
            filter: ItemFilter {
                identifiers,
                relpath: None,
            },
            page: Page::only(1),
            columns: columns::<DatasetItem, _>([ctx.field()]),
        };
        let found = self
            .level
            .children(ctx.database()?, &list, self.dataset.id)
            .await?;
        let item = |row| DatasetItem {
            row,
            dataset: Arc::clone(&self.dataset),
        };
        Ok(found.rows.into_iter().next().map(item))
    }
}

/// Which items are asked for; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
struct DatasetItemFilter {
    /// With any of these identifiers.
    identifiers: Option<Vec<String>>,
    /// Part of the path, without regard to ASCII case; `*` stands for anything, a leading `!` means "not".
    relpath: Option<String>,
}

impl TryFrom<DatasetItemFilter> for ItemFilter {
    type Error = Failure;

    fn try_from(filter: DatasetItemFilter) -> Result<Self, Failure> {
        Ok(Self {
            identifiers: texts("identifiers", filter.identifiers)?,
            relpath: filter
                .relpath
                .map(|path| Pattern::part("relpath", &path))
                .transpose()?,
        })
    }
}

/// A file of a dataset.
#[derive(Clone)]
pub struct DatasetItem {
    pub(super) row: Arc<dataset_item::Model>,
    pub(super) dataset: Arc<dataset::Model>,
}

connection!(
    DatasetItemConnection,
    DatasetItemEdge,
    DatasetItem,
    "A page of the items of a dataset.",
    "An item in a page."
);

/// A file of a dataset.
#[row(columns = dataset_item::Column)]
impl DatasetItem {
    /// What names it within the dataset: the SHA-1 of its path, in hexadecimal digits.
    #[reads(Identifier)]
    fn identifier(&self) -> &str {
        &self.row.identifier
    }

    /// Its path inside the dataset.
    #[reads(Relpath)]
    fn relpath(&self) -> &str {
        &self.row.relpath
    }

    /// Its size in bytes; a Float, since GraphQL's Int ends at 2 GiB.
    #[reads(SizeBytes)]
    fn size_bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.row.size_bytes as f64;
        bytes
    }

    /// The hash of its content, in hexadecimal digits.
    #[reads(Hash)]
    fn hash(&self) -> &str {
        &self.row.hash
    }

    /// When its content was last changed.
    #[reads(ModifiedAt)]
    fn modified_at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.modified_at)
    }

    /// The path at which this server sends its content, with ranges; of a dataset in a bucket it leads on to a signed URL. It
    /// needs the same token as everything else.
    #[reads(Identifier)]
    fn url(&self) -> String {
        let dataset = GlobalId::Dataset(self.dataset.uri.clone()).encode();
        links::item(&dataset, &self.row.identifier)
    }

    /// A URL under which anybody can read its content from the bucket, for as long as the server was set to allow; null when
    /// the dataset lies in no bucket that this server reaches.
    #[reads(Identifier)]
    async fn signed_url(
        items: &[DatasetItem],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&DatasetItem) -> Option<String>> {
        signed::of_items(items, ctx).await
    }
}

/// A page of the items of datasets.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ItemList {
    filter: ItemFilter,
    page: Page,
    columns: Columns<dataset_item::Model>,
}

impl ChildList for ItemList {
    type Children = Slice<Arc<dataset_item::Model>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (filter, page) = (&self.filter, &self.page);
        items::of_datasets(database, level.parents(), filter, page, self.columns).await
    }
}

/// How many items of datasets a filter lets through.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ItemTotal(ItemFilter);

impl ChildList for ItemTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        items::count_of_datasets(database, level.parents(), &self.0).await
    }
}
