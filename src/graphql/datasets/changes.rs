//! What people changed of datasets.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::dataset::{Dataset, Person};
use crate::database::Database;
use crate::datasets::read::changes;
use crate::entity::dataset_change;
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::json::json_enums;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::columns_of_page;
use crate::narrow::Columns;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};
use crate::time::from_millis;

/// What of a dataset was changed.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum DatasetPart {
    /// Its tags.
    Tags,
    /// Its annotations.
    Annotations,
    /// Its README.
    Readme,
}

json_enums!(DatasetPart);

/// A change that somebody made here of a dataset that is registered.
#[derive(Clone)]
pub struct DatasetChange(Arc<dataset_change::Model>);

connection!(
    DatasetChangeConnection,
    DatasetChangeEdge,
    DatasetChange,
    "A page of the changes of a dataset.",
    "A change in a page."
);

/// A change that somebody made here of a dataset that is registered.
#[row(columns = dataset_change::Column)]
impl DatasetChange {
    /// When.
    #[reads(ChangedAt)]
    fn changed_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.changed_at)
    }

    /// Who; null: the server itself, or somebody whose account is gone.
    #[reads(ChangedBy)]
    async fn changed_by(
        changes: &[DatasetChange],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&DatasetChange) -> Option<Person>> {
        let users = changes.iter().filter_map(|it| it.0.changed_by);
        let found = ctx.loaders()?.users().load_many(users).await?;
        Ok(move |change: &DatasetChange| Some(Person::of(found.get(&change.0.changed_by?)?)))
    }

    /// What of it.
    #[reads(What)]
    fn part(&self) -> DatasetPart {
        match self.0.what.as_str() {
            "tags" => DatasetPart::Tags,
            "annotations" => DatasetPart::Annotations,
            _ => DatasetPart::Readme,
        }
    }

    /// What it was before: JSON as a text, of a README the text itself.
    #[reads(Before)]
    fn before(&self) -> &str {
        &self.0.before
    }

    /// What it became, in the same form.
    #[reads(After)]
    fn after(&self) -> &str {
        &self.0.after
    }
}

/// `Dataset.changes`.
pub(super) async fn changes(
    dataset: &Dataset,
    ctx: &Context<'_>,
    first: Option<i64>,
    after: Option<String>,
) -> Result<DatasetChangeConnection> {
    let page = PageArguments {
        first,
        after,
        last: None,
        before: None,
    };
    let ordering = changes::newest_first();
    let list = ChangeList {
        columns: columns_of_page::<DatasetChange, _>(ctx),
        page: page.resolve(PAGE, &ordering).map_err(failed)?,
    };
    let (database, id) = (ctx.database()?, dataset.row.id);
    let slice = dataset.level().children(database, &list, id).await?;
    let total = if ctx.wants_total() {
        Some(dataset.level().children(database, &ChangeCount, id).await?)
    } else {
        None
    };
    let slice = slice.map(DatasetChange);
    Ok(DatasetChangeConnection::new(slice, total, move |change| {
        paging::encode_cursor(&ordering, &changes::key(&change.0))
    }))
}

/// A page of the changes of datasets.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ChangeList {
    columns: Columns<dataset_change::Model>,
    page: Page,
}

impl ChildList for ChangeList {
    type Children = Slice<Arc<dataset_change::Model>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        changes::of_datasets(database, level.parents(), &self.page, self.columns).await
    }
}

/// How many changes of datasets there are.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ChangeCount;

impl ChildList for ChangeCount {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        changes::count_of_datasets(database, level.parents()).await
    }
}
