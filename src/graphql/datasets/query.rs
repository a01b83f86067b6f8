//! Questions about datasets.

use std::collections::HashMap;

use async_graphql::{Context, Object, Result};

use super::base_uri::{BaseUri, BaseUriConnection};
use super::dataset::{Dataset, DatasetConnection};
use super::filter::{self, DatasetFilter, DatasetOrder};
use super::groups::{DatasetGroup, DatasetSummary};
use crate::datasets::read::{self, Reader, base_uris};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::level::Level;
use crate::graphql::rows::{Rows, columns, columns_of_page};
use crate::paging::{self, PAGE, PageArguments};

/// Questions about datasets.
#[derive(Default)]
pub struct DatasetsQuery;

#[Object]
impl DatasetsQuery {
    /// The datasets that you may see: those of base URIs where you may search.
    #[allow(clippy::too_many_arguments)]
    async fn datasets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which datasets.")] filter: Option<DatasetFilter>,
        #[graphql(
            desc = "In which order; when absent, by relevance where the filter has a text, else by URI."
        )]
        order_by: Option<Vec<DatasetOrder>>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<DatasetConnection> {
        ctx.check_read()?;
        let (database, reader) = (ctx.database()?, Reader::of(ctx.viewer()?));
        let filter = filter.unwrap_or_default().try_into().map_err(failed)?;
        let order = filter::order(&filter, order_by);
        let ordering = order.ordering();
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let columns = columns_of_page::<Dataset, _>(ctx);
        let slice = read::datasets::page(database, reader, &filter, &order, &page, columns).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = read::datasets::count(database, reader, &filter).await;
            Some(count.map_err(failed)?)
        } else {
            None
        };
        let level = Level::new(
            slice.rows.iter().map(|(_, row)| row.id).collect(),
            Vec::new(),
        );
        let scores = slice.rows.iter().map(|(score, row)| (row.id, *score));
        let scores: HashMap<i64, i64> = scores.collect();
        let slice = slice.map(|(_, row)| Dataset::on_level(row, &level));
        Ok(DatasetConnection::new(slice, total, move |dataset| {
            let score = scores.get(&dataset.row.id).copied().unwrap_or_default();
            paging::encode_cursor(&ordering, &order.key(&dataset.row, score))
        }))
    }

    /// One dataset by its URI; null when there is none that you may see.
    async fn dataset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The URI.")] uri: String,
    ) -> Result<Option<Dataset>> {
        ctx.check_read()?;
        let (database, reader) = (ctx.database()?, Reader::of(ctx.viewer()?));
        let columns = columns::<Dataset, _>([ctx.field()]);
        let row = read::datasets::by_uri(database, reader, &uri, columns).await;
        Ok(row.map_err(failed)?.map(Dataset::single))
    }

    /// All datasets that you may see, summed up.
    async fn dataset_summary(&self, ctx: &Context<'_>) -> Result<DatasetSummary> {
        ctx.check_read()?;
        DatasetSummary::of(ctx).await
    }

    /// The datasets that you may see in groups, the largest 10,000 of them: those that are equal in some fields. Where a
    /// dataset has several values, such as tags, it is in the group of each of them, once; where it has none, in that of null.
    async fn dataset_groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which datasets.")] filter: Option<DatasetFilter>,
        #[graphql(
            desc = "By one to four of `creatorUsername`, `baseUri`, `name`, `uuid`, `uri`, `createdAt`, `frozenAt`, \
                    `itemCount`, `sizeBytes`, `hashFunction`, `dtoolcoreVersion`, `tags`, and dotted paths into README and \
                    annotations, such as `readme.owners.name` and `annotations.temperature`. Lists on the way are looked \
                    through. Times are seconds since 1970-01-01 UTC."
        )]
        by: Vec<String>,
    ) -> Result<Rows<DatasetGroup>> {
        ctx.check_read()?;
        let filter = filter.unwrap_or_default().try_into().map_err(failed)?;
        DatasetGroup::of(ctx, &filter, &by).await
    }

    /// The base URIs where you may search or register, by URI; all of them for administrators.
    async fn base_uris(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<BaseUriConnection> {
        ctx.check_read()?;
        let (database, viewer) = (ctx.database()?, ctx.viewer()?);
        let ordering = base_uris::by_uri();
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let slice = base_uris::page(database, viewer, &page).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = base_uris::count(database, viewer).await.map_err(failed)?;
            i64::try_from(count).ok()
        } else {
            None
        };
        let slice = slice.map(BaseUri);
        Ok(BaseUriConnection::new(slice, total, move |base_uri| {
            paging::encode_cursor(&ordering, &base_uris::key(&base_uri.0))
        }))
    }

    /// One base URI; null when there is none that you may know of.
    async fn base_uri(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The URI.")] uri: String,
    ) -> Result<Option<BaseUri>> {
        ctx.check_read()?;
        let found = base_uris::by_text(ctx.database()?, ctx.viewer()?, &uri).await;
        Ok(found.map_err(failed)?.map(BaseUri))
    }
}
