//! What datasets were derived from, and what was derived from them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Result};
use macros::row;

use super::children;
use super::dataset::Dataset;
use crate::database::Database;
use crate::datasets::lineage::read::{self, ByUuid, Parent};
use crate::datasets::lineage::{Direction, Lineage, Walk, walk};
use crate::datasets::read::Reader;
use crate::entity::dataset;
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::{Rows, columns};
use crate::narrow::Columns;

/// How many steps may be asked for; more are asked for by not saying how many.
const MOST_STEPS: u8 = 100;

/// Where to go from a dataset.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Direction")]
pub enum LineageDirection {
    /// To what it was derived from, and what that was derived from.
    Ancestors,
    /// To what was derived from it, and what was derived from that.
    Descendants,
    /// Both ways, from each dataset: to all that hangs together.
    Both,
}

/// What a dataset was derived from.
#[derive(Clone)]
pub struct ParentDataset {
    parent: Parent,
    dataset: Option<Dataset>,
}

/// What a dataset was derived from.
#[row]
impl ParentDataset {
    /// The UUID that the dataset names.
    fn uuid(&self) -> &str {
        &self.parent.uuid
    }

    /// Where in the dataset it is named: the dependency keys.
    fn keys(&self) -> Vec<String> {
        self.parent.keys.clone()
    }

    /// The dataset with this UUID; null: none is registered that you may see. Of several copies the one with the same base URI,
    /// else the first by URI.
    fn dataset(&self) -> Option<Dataset> {
        self.dataset.clone()
    }
}

/// A dataset among those that one hangs together with.
#[derive(Clone)]
pub struct LineageNode {
    uuid: String,
    dataset: Option<Dataset>,
}

/// A dataset among those that one hangs together with.
#[row]
impl LineageNode {
    /// Its UUID.
    fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The dataset; null: none is registered that you may see. Of several copies the one with the same base URI as the dataset
    /// that was asked, else the first by URI.
    fn dataset(&self) -> Option<Dataset> {
        self.dataset.clone()
    }
}

/// That one dataset was derived from another.
#[derive(Clone)]
pub struct LineageEdge(String, String);

/// That one dataset was derived from another.
#[row]
impl LineageEdge {
    /// The UUID of what was there before: the parent.
    fn from(&self) -> &str {
        &self.0
    }

    /// The UUID of what was derived from it.
    fn to(&self) -> &str {
        &self.1
    }
}

/// The datasets that one hangs together with.
#[derive(Clone)]
pub struct DatasetLineage {
    lineage: Arc<Lineage>,
    found: Arc<Found>,
    base_uri: i64,
}

/// The datasets that one hangs together with.
#[row]
impl DatasetLineage {
    /// The datasets: the one that was asked first; those that are nearer before those that are farther, if a depth was asked for
    /// or there are more than these.
    fn nodes(&self) -> Rows<LineageNode> {
        let node = |uuid: &String| LineageNode {
            uuid: uuid.clone(),
            dataset: self.found.dataset(uuid, self.base_uri),
        };
        self.lineage.nodes.iter().map(node).collect()
    }

    /// What was derived from what, among the nodes.
    fn edges(&self) -> Rows<LineageEdge> {
        let edge = |(from, to): &(String, String)| LineageEdge(from.clone(), to.clone());
        self.lineage.edges.iter().map(edge).collect()
    }

    /// Is there more than this? There are at most 1,000 nodes, the nearest.
    fn truncated(&self) -> bool {
        self.lineage.is_truncated
    }
}

/// Datasets that were found by their UUIDs, on one level.
#[derive(Default)]
struct Found {
    datasets: ByUuid,
    level: Arc<Level>,
}

impl Found {
    /// With these columns; none: nobody wants to see them.
    async fn load(
        database: &Database,
        reader: Reader,
        uuids: impl Iterator<Item = &String>,
        columns: Option<Columns<dataset::Model>>,
    ) -> Result<Arc<Self>, Failure> {
        let mut uuids: Vec<String> = uuids.cloned().collect();
        uuids.sort_unstable();
        uuids.dedup();
        let Some(columns) = columns.filter(|_| !uuids.is_empty()) else {
            return Ok(Arc::default());
        };
        let datasets = read::by_uuids(database, reader, &uuids, columns).await?;
        let level = Level::new(datasets.rows().map(|row| row.id).collect(), Vec::new());
        Ok(Arc::new(Self { datasets, level }))
    }

    fn dataset(&self, uuid: &str, base_uri: i64) -> Option<Dataset> {
        let row = self.datasets.near(uuid, base_uri)?;
        Some(Dataset::on_level(Arc::clone(row), &self.level))
    }
}

/// The columns of the datasets in a selection; none if they are not in it.
fn wanted(ahead: &async_graphql::Lookahead<'_>) -> Option<Columns<dataset::Model>> {
    let fields = ahead.field("dataset").selection_fields();
    (!fields.is_empty()).then(|| columns::<Dataset, _>(fields))
}

/// `Dataset.derivedFrom`.
pub(super) async fn derived_from(
    datasets: &[Dataset],
    ctx: &Context<'_>,
) -> Result<impl Fn(&Dataset) -> Rows<ParentDataset> + use<>> {
    let list = ParentList {
        reader: Reader::of(ctx.viewer()?),
        columns: wanted(&ctx.look_ahead()),
    };
    children::of_datasets(datasets, ctx, &list, |dataset, parent, found| {
        let near = found.dataset(&parent.uuid, dataset.row.base_uri_id);
        ParentDataset {
            parent: parent.clone(),
            dataset: near,
        }
    })
    .await
}

/// `Dataset.lineage`.
pub(super) async fn lineage(
    dataset: &Dataset,
    ctx: &Context<'_>,
    direction: Option<LineageDirection>,
    depth: Option<i32>,
    keys: Option<Vec<String>>,
) -> Result<DatasetLineage> {
    let list = LineageList {
        reader: Reader::of(ctx.viewer()?),
        walk: Walk {
            direction: direction.unwrap_or(LineageDirection::Both).into(),
            depth: depth.map(steps).transpose().map_err(failed)?,
            keys: super::filter::texts("keys", keys).map_err(failed)?,
        },
        columns: wanted(&ctx.look_ahead().field("nodes")),
    };
    let (database, id) = (ctx.database()?, dataset.row.id);
    let (lineage, found) = dataset.level().children(database, &list, id).await?;
    ctx.charge(lineage.nodes.len() + lineage.edges.len())?;
    Ok(DatasetLineage {
        lineage,
        found,
        base_uri: dataset.row.base_uri_id,
    })
}

fn steps(depth: i32) -> Result<u8, Failure> {
    let steps = u8::try_from(depth).ok();
    steps
        .filter(|steps| (1..=MOST_STEPS).contains(steps))
        .ok_or_else(|| {
            let message =
                format!("it must be from 1 to {MOST_STEPS}; leave it out for all there is");
            Failure::bad_input("depth", message)
        })
}

/// The parents of datasets.
#[derive(Clone, Hash, PartialEq, Eq)]
struct ParentList {
    reader: Reader,
    columns: Option<Columns<dataset::Model>>,
}

impl ChildList for ParentList {
    type Children = (Vec<Parent>, Arc<Found>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let parents = read::parents(database, level.parents()).await?;
        let uuids = parents.values().flatten().map(|parent| &parent.uuid);
        let found = Found::load(database, self.reader, uuids, self.columns).await?;
        let with_found = |(id, parents)| (id, (parents, Arc::clone(&found)));
        Ok(parents.into_iter().map(with_found).collect())
    }
}

/// The lineages of datasets.
#[derive(Clone, Hash, PartialEq, Eq)]
struct LineageList {
    reader: Reader,
    walk: Walk,
    columns: Option<Columns<dataset::Model>>,
}

impl ChildList for LineageList {
    type Children = (Arc<Lineage>, Arc<Found>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let lineages = walk(database, self.reader, level.parents(), &self.walk).await?;
        let uuids = lineages.values().flat_map(|lineage| &lineage.nodes);
        let found = Found::load(database, self.reader, uuids, self.columns).await?;
        let with_found = |(id, lineage)| (id, (Arc::new(lineage), Arc::clone(&found)));
        Ok(lineages.into_iter().map(with_found).collect())
    }
}
