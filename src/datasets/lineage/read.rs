//! One step along links.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Order};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::database::{Database, is_one_of, is_one_of_texts};
use crate::datasets::read::Reader;
use crate::entity::dataset::{Column, Entity, Model};
use crate::entity::dataset_link;
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// How many datasets are told at most, of all that are asked for together, and how many links to them.
const MOST: usize = 50_000;

/// One more tells that there are more.
const LIMIT: u64 = MOST as u64 + 1;

fn check(found: usize) -> Result<(), Failure> {
    if found > MOST {
        let message = format!("there are more than {MOST} links to follow; ask for fewer datasets");
        return Err(Failure::too_complex(message));
    }
    Ok(())
}

/// The columns by which datasets are told apart and chosen.
fn always() -> Columns<Model> {
    Columns::of(&[Column::Id, Column::BaseUriId, Column::Uri, Column::Uuid])
}

/// What a dataset was derived from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its UUID.
    pub uuid: String,
    /// The dependency keys at which it is named.
    pub keys: Vec<String>,
}

/// The parents of each of these datasets, by UUID. Whoever asks has found that the datasets may be seen.
pub async fn parents(
    database: &Database,
    datasets: &[i64],
) -> Result<HashMap<i64, Vec<Parent>>, Failure> {
    use dataset_link::Column::{DatasetId, DependencyKey, Parent as OfParent};
    let links: Vec<(i64, String, String)> = dataset_link::Entity::find()
        .select_only()
        .columns([DatasetId, OfParent, DependencyKey])
        .filter(is_one_of(database, DatasetId.as_column_ref(), datasets))
        .order_by_asc(OfParent)
        .order_by_asc(DependencyKey)
        .limit(LIMIT)
        .into_tuple()
        .all(database.read())
        .await?;
    check(links.len())?;
    let mut parents: HashMap<i64, Vec<Parent>> = HashMap::new();
    for (dataset, uuid, key) in links {
        let of = parents.entry(dataset).or_default();
        match of.last_mut() {
            Some(parent) if parent.uuid == uuid => parent.keys.push(key),
            _ => of.push(Parent {
                uuid,
                keys: vec![key],
            }),
        }
    }
    Ok(parents)
}

/// Datasets by UUID. There may be several copies of one.
#[derive(Clone, Debug, Default)]
pub struct ByUuid(BTreeMap<String, Vec<Arc<Model>>>);

impl ByUuid {
    /// The one with this UUID: of several the one in this base URI, else the first by URI.
    pub fn near(&self, uuid: &str, base_uri: i64) -> Option<&Arc<Model>> {
        let copies = self.0.get(uuid)?;
        let near = copies.iter().find(|row| row.base_uri_id == base_uri);
        near.or_else(|| copies.first())
    }

    /// All of them.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.0.values().flatten()
    }
}

/// These columns of the datasets with these UUIDs that this reader may see.
pub async fn by_uuids(
    database: &Database,
    reader: Reader,
    uuids: &[String],
    columns: Columns<Model>,
) -> Result<ByUuid, Failure> {
    let columns = columns.and(always());
    let condition = Condition::all()
        .add(is_one_of_texts(
            database,
            Column::Uuid.as_column_ref(),
            uuids,
        ))
        .add(reader.may_see());
    let mut query = narrow::select::<Entity>(condition, columns);
    query
        .order_by(Column::Uuid, Order::Asc)
        .order_by(Column::Uri, Order::Asc)
        .limit(LIMIT);
    let mut found = BTreeMap::<_, Vec<_>>::new();
    let rows = narrow::all::<Model>(database, &query, columns).await?;
    check(rows.len())?;
    for row in rows {
        found.entry(row.uuid.clone()).or_default().push(row);
    }
    Ok(ByUuid(found))
}
