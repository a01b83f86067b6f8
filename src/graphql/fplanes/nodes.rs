//! What of focal planes global ids name.

use std::collections::HashMap;

use async_graphql::{Context, Result};

use super::plane::{self, Fplane};
use super::record::{FplaneRecord, SourcesOf, with_sources};
use super::source::{self, FplaneSource};
use super::tag::{self, FplaneTag};
use crate::database::Database;
use crate::entity::fplane_source;
use crate::failure::Failure;
use crate::fplanes::model::{Plane, Positions};
use crate::fplanes::read::{AsOf, by_id, planes, sources};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::{FplaneId, GlobalId};
use crate::narrow::Columns;
use crate::paging::Slice;
use crate::time::from_micros;

/// What was found, by what names it.
#[derive(Default)]
pub struct Found {
    /// Planes.
    pub planes: HashMap<FplaneId, Fplane>,
    /// Records, by row id.
    pub records: HashMap<i64, FplaneRecord>,
    /// Sources, by row id.
    pub sources: HashMap<i64, FplaneSource>,
    /// Tags, by row id.
    pub tags: HashMap<i64, FplaneTag>,
}

/// Finds what the ids name of focal planes, as much of it as is selected below this field. Whoever asks may read.
pub async fn by_ids(ctx: &Context<'_>, ids: &[Option<GlobalId>]) -> Result<Found> {
    let database = ctx.database()?;
    let (wanted, columns) = (SourcesOf::here(ctx), source::columns_below([ctx.field()]));
    let found = find(database, ids, &wanted, columns).await;
    found.map_err(failed)
}

async fn find(
    database: &Database,
    ids: &[Option<GlobalId>],
    wanted: &SourcesOf,
    columns: Columns<fplane_source::Model>,
) -> Result<Found, Failure> {
    let (mut named, mut records, mut of_sources, mut tags) = (vec![], vec![], vec![], vec![]);
    for id in ids.iter().flatten() {
        match id {
            GlobalId::Fplane(id) => named.push(id),
            GlobalId::FplaneRecord(id) => records.push(*id),
            GlobalId::FplaneSource(id) => of_sources.push(*id),
            GlobalId::FplaneTag(id) => tags.push(*id),
            _ => {}
        }
    }
    let mut found = Found::default();
    for positions in [Positions::Nominal, Positions::Measured] {
        let those = named.iter().filter(|id| id.positions == positions);
        found
            .add_planes(database, those.copied(), positions)
            .await?;
    }
    if !records.is_empty() {
        let rows = Slice {
            rows: by_id::records(database, &records).await?,
            ..Slice::default()
        };
        let with_sources = with_sources(database, rows, wanted).await?;
        let keyed = |record: FplaneRecord| (record.row.id, record);
        found.records = with_sources.rows.into_iter().map(keyed).collect();
    }
    if !of_sources.is_empty() {
        let rows = sources::by_ids(database, &of_sources, columns).await?;
        let sources = source::with_people(database, rows.into_values()).await?;
        let keyed = |source: FplaneSource| (source.row.id, source);
        found.sources = sources.into_iter().map(keyed).collect();
    }
    if !tags.is_empty() {
        let rows = by_id::tags(database, &tags).await?;
        let tags = tag::with_people(database, rows.into_values()).await?;
        let keyed = |tag: FplaneTag| (tag.row_id(), tag);
        found.tags = tags.into_iter().map(keyed).collect();
    }
    Ok(found)
}

impl Found {
    async fn add_planes(
        &mut self,
        database: &Database,
        ids: impl Iterator<Item = &FplaneId>,
        positions: Positions,
    ) -> Result<(), Failure> {
        // An id with a time that there is not names nothing.
        let instants = ids.filter_map(|id| {
            let known_at = match id.known_at {
                Some(micros) => Some(from_micros(micros)?),
                None => None,
            };
            let at = from_micros(id.at)?;
            Some((id, AsOf { at, known_at }))
        });
        let (ids, as_of): (Vec<&FplaneId>, Vec<AsOf>) = instants.unzip();
        if as_of.is_empty() {
            return Ok(());
        }
        let level = plane::level();
        for state in planes::many(database, &as_of, positions).await? {
            for place in state.places {
                let (Some(id), Some(as_of)) = (ids.get(place), as_of.get(place)) else {
                    continue;
                };
                let plane = Plane {
                    at: as_of.at,
                    ..state.plane.clone()
                };
                let plane = Fplane::on_level(plane, &level);
                self.planes.insert((*id).clone(), plane);
            }
        }
        Ok(())
    }
}
