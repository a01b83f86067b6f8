//! Datasets that belong to others: their copies, and what was derived from them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};

use super::children;
use super::dataset::Dataset;
use crate::database::Database;
use crate::datasets::read::Reader;
use crate::datasets::read::related::{self, Relation};
use crate::entity::dataset;
use crate::failure::Failure;
use crate::graphql::context::ContextExt;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::{Rows, columns};
use crate::narrow::Columns;

/// `Dataset.copies` and `Dataset.derivatives`.
pub(super) async fn of_datasets(
    datasets: &[Dataset],
    ctx: &Context<'_>,
    relation: Relation,
) -> Result<impl Fn(&Dataset) -> Rows<Dataset> + use<>> {
    let list = RelatedList {
        reader: Reader::of(ctx.viewer()?),
        relation,
        columns: columns::<Dataset, _>([ctx.field()]),
    };
    children::of_datasets(datasets, ctx, &list, |_, row, level| {
        Dataset::on_level(Arc::clone(row), level)
    })
    .await
}

/// The datasets that belong to others in one way.
#[derive(Clone, Hash, PartialEq, Eq)]
struct RelatedList {
    reader: Reader,
    relation: Relation,
    columns: Columns<dataset::Model>,
}

impl ChildList for RelatedList {
    type Children = (Vec<Arc<dataset::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (reader, relation, columns) = (self.reader, self.relation, self.columns);
        let parents = level.parents();
        let found = related::of_datasets(database, reader, relation, parents, columns).await?;
        Ok(Level::of_children(found, |row| row.id))
    }
}
