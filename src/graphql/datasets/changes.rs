//! What people changed of datasets.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::dataset::{Dataset, Person};
use crate::auth::accounts;
use crate::database::Database;
use crate::datasets::read::changes;
use crate::entity::{dataset_change, user};
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
pub struct DatasetChange {
    row: Arc<dataset_change::Model>,
    changed_by: Option<Arc<user::Model>>,
}

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
        from_millis(self.row.changed_at)
    }

    /// Who; null: the server itself, or somebody whose account is gone.
    #[reads(ChangedBy)]
    fn changed_by(&self) -> Option<Person> {
        self.changed_by.as_deref().map(Person::of)
    }

    /// What of it.
    #[reads(What)]
    fn part(&self) -> DatasetPart {
        match self.row.what.as_str() {
            "tags" => DatasetPart::Tags,
            "annotations" => DatasetPart::Annotations,
            _ => DatasetPart::Readme,
        }
    }

    /// What it was before: JSON as a text, of a README the text itself.
    #[reads(Before)]
    fn before(&self) -> &str {
        &self.row.before
    }

    /// What it became, in the same form.
    #[reads(After)]
    fn after(&self) -> &str {
        &self.row.after
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
    Ok(DatasetChangeConnection::new(slice, total, move |change| {
        paging::encode_cursor(&ordering, &changes::key(&change.row))
    }))
}

/// A page of the changes of datasets, with who made them.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ChangeList {
    columns: Columns<dataset_change::Model>,
    page: Page,
}

impl ChildList for ChangeList {
    type Children = Slice<DatasetChange>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (datasets, columns) = (level.parents(), self.columns);
        let found = changes::of_datasets(database, datasets, &self.page, columns).await?;
        // Where nobody asks who made them, that was not read, and nobody is looked for.
        let rows = found.values().flat_map(|slice| &slice.rows);
        let users = rows.filter_map(|row| row.changed_by);
        let people = accounts::people(database, users).await?;
        let change = |row: Arc<dataset_change::Model>| DatasetChange {
            changed_by: row.changed_by.and_then(|user| people.get(&user).cloned()),
            row,
        };
        let with_people = |(dataset, slice): (i64, Slice<_>)| (dataset, slice.map(change));
        Ok(found.into_iter().map(with_people).collect())
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
