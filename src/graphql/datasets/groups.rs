//! Sums over datasets.

use async_graphql::{Context, Object, Result};
use macros::row;

use crate::datasets::mongo::groups::MOST_PATHS;
use crate::datasets::mongo::{self, path::Path};
use crate::datasets::read::groups::{self, Group, GroupField};
use crate::datasets::read::{DatasetFilter, Reader};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::json_text::JsonText;
use crate::graphql::number::count;
use crate::graphql::rows::Rows;

/// The datasets that you may see, summed up.
pub struct DatasetSummary {
    reader: Reader,
    total: Group,
}

impl DatasetSummary {
    /// Counts them if that is asked for.
    pub async fn of(ctx: &Context<'_>) -> Result<Self> {
        let reader = Reader::of(ctx.viewer()?);
        let ahead = ctx.look_ahead();
        let asked = ahead.field("count").exists() || ahead.field("sizeBytes").exists();
        let total = if asked {
            sums(ctx, reader, &[]).await?.pop().unwrap_or_default()
        } else {
            Group::default()
        };
        Ok(Self { reader, total })
    }
}

async fn sums(ctx: &Context<'_>, reader: Reader, by: &[GroupField]) -> Result<Vec<Group>> {
    let groups = groups::groups(ctx.database()?, reader, &DatasetFilter::default(), by).await;
    let groups = groups.map_err(failed)?;
    ctx.charge(groups.len())?;
    Ok(groups)
}

/// The datasets that you may see, summed up.
#[Object]
impl DatasetSummary {
    /// How many they are.
    async fn count(&self) -> i32 {
        count(self.total.count)
    }

    /// How large they are together, in bytes; those whose size is not known count as empty.
    async fn size_bytes(&self) -> f64 {
        bytes(self.total.size_bytes)
    }

    /// By who made them, the most first; at most 10,000.
    async fn by_creator(&self, ctx: &Context<'_>) -> Result<Rows<DatasetSum>> {
        let groups = sums(ctx, self.reader, &[GroupField::CreatorUsername]).await?;
        Ok(groups.into_iter().map(DatasetSum).collect())
    }

    /// By base URI, the most first; at most 10,000. Those without datasets are left out.
    async fn by_base_uri(&self, ctx: &Context<'_>) -> Result<Rows<DatasetSum>> {
        let groups = sums(ctx, self.reader, &[GroupField::BaseUri]).await?;
        Ok(groups.into_iter().map(DatasetSum).collect())
    }

    /// By tag, the most first; at most 10,000. A dataset counts for each of its tags.
    async fn by_tag(&self, ctx: &Context<'_>) -> Result<Rows<DatasetSum>> {
        let groups = sums(ctx, self.reader, &[GroupField::Tags]).await?;
        Ok(groups.into_iter().map(DatasetSum).collect())
    }

    /// By the name of an annotation, the most first; at most 10,000. A dataset counts for each of its annotations.
    async fn by_annotation(&self, ctx: &Context<'_>) -> Result<Rows<DatasetSum>> {
        let groups = sums(ctx, self.reader, &[GroupField::Annotations]).await?;
        Ok(groups.into_iter().map(DatasetSum).collect())
    }
}

/// Datasets that have something in common.
pub struct DatasetSum(Group);

/// Datasets that have something in common.
#[row]
impl DatasetSum {
    /// What they have in common.
    fn key(&self) -> &str {
        let key = self.0.key.first().and_then(Option::as_deref);
        key.unwrap_or_default()
    }

    /// How many they are.
    fn count(&self) -> i32 {
        count(self.0.count)
    }

    /// How large they are together, in bytes; those whose size is not known count as empty.
    fn size_bytes(&self) -> f64 {
        bytes(self.0.size_bytes)
    }
}

/// Datasets that have the same values of some fields.
pub struct DatasetGroup(mongo::Group);

/// Datasets that have the same values of some fields.
#[row]
impl DatasetGroup {
    /// The values: a list with one for each field; null where they have none.
    fn key(&self) -> JsonText {
        JsonText::from(&serde_json::Value::from(self.0.key.clone()))
    }

    /// How many they are.
    fn count(&self) -> i32 {
        count(self.0.count)
    }

    /// How large they are together, in bytes; those whose size is not known count as empty.
    fn size_bytes(&self) -> f64 {
        bytes(self.0.size_bytes)
    }
}

impl DatasetGroup {
    /// The groups of the datasets that the filter lets through, the largest first.
    pub async fn of(
        ctx: &Context<'_>,
        filter: &DatasetFilter,
        by: &[String],
    ) -> Result<Rows<DatasetGroup>> {
        let by = paths(by).map_err(failed)?;
        let reader = Reader::of(ctx.viewer()?);
        let groups = groups::by_paths(ctx.database()?, reader, filter, &by).await;
        let groups = groups.map_err(failed)?;
        ctx.charge(groups.len())?;
        Ok(groups.into_iter().map(DatasetGroup).collect())
    }
}

fn paths(names: &[String]) -> Result<Vec<Path>, Failure> {
    if !(1..=MOST_PATHS).contains(&names.len()) {
        let message = format!("from 1 to {MOST_PATHS} fields");
        return Err(Failure::bad_input("by", message));
    }
    let mut paths = Vec::with_capacity(names.len());
    for name in names {
        let path = groups::path(name).map_err(|wrong| Failure::bad_input("by", wrong))?;
        if paths.contains(&path) {
            return Err(Failure::bad_input("by", "each field once"));
        }
        paths.push(path);
    }
    Ok(paths)
}

fn bytes(size: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
    let bytes = size as f64;
    bytes
}
