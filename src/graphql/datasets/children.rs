//! Lists that belong to datasets and are loaded for all of them together.

use std::sync::Arc;

use async_graphql::{Context, Result};

use super::dataset::Dataset;
use crate::graphql::context::ContextExt;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::{Row, Rows};

/// How the list of each of these datasets is found: an object for each row, made of the dataset, the row, and what stands
/// beside all rows of the level. All rows together are taken off the budget of the operation.
pub(super) async fn of_datasets<L, R, B, T, M>(
    datasets: &[Dataset],
    ctx: &Context<'_>,
    list: &L,
    make: M,
) -> Result<impl Fn(&Dataset) -> Rows<T> + use<L, R, B, T, M>>
where
    L: ChildList<Children = (Vec<R>, Arc<B>)>,
    T: Row,
    M: Fn(&Dataset, &R, &Arc<B>) -> T,
{
    let levels = datasets.iter().map(Dataset::level);
    let loaded = Level::children_of_rows(levels, ctx.database()?, list).await?;
    let number = |dataset: &Dataset| loaded.of(dataset.row.id).map_or(0, |(rows, _)| rows.len());
    ctx.charge(datasets.iter().map(number).sum())?;
    Ok(move |dataset: &Dataset| match loaded.of(dataset.row.id) {
        Some((rows, beside)) => rows.iter().map(|row| make(dataset, row, beside)).collect(),
        None => Rows::default(),
    })
}
