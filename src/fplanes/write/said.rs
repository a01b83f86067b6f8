//! When something was said of tracks that left no record, because it changed nothing.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::mentions::{self, Mentions};
use crate::entity::fplane_source::{Column, Entity};
use crate::fplanes::model::Track;
use crate::fplanes::read::SourceKind;
use crate::fplanes::timeline::{self, Saying};

/// How many sources are read at once.
const CHUNK: u64 = 1_000;

/// What of a source is needed to know when it says something of which tracks.
#[derive(FromQueryResult)]
struct Source {
    id: i64,
    kind: String,
    valid_from: i64,
    valid_until: Option<i64>,
    mentions: String,
}

impl Source {
    fn saying(&self) -> Saying {
        Saying {
            order: self.id,
            from: self.valid_from,
            until: self.valid_until,
            is_correction: self.kind == SourceKind::Correction.as_str(),
        }
    }
}

/// The instants after `from` at which something was said of each of these tracks: all until `until`, and behind that the
/// first. `ends` has, of a track, the first instant behind `until` at which its records tell that something was said: later
/// ones do not matter.
///
/// Only what comes late asks for this. Most messages name most tracks of their layers, so few of them are read.
pub(super) async fn after(
    connection: &impl ConnectionTrait,
    tracks: &BTreeMap<Track, Option<i64>>,
    from: i64,
    until: i64,
) -> Result<BTreeMap<Track, BTreeSet<i64>>, DbErr> {
    let corrections = corrections(connection, from).await?;
    let corrections: Vec<(Saying, Mentions<'_>)> = corrections
        .iter()
        .map(|source| (source.saying(), Mentions::read(&source.mentions)))
        .collect();
    let mut found: BTreeMap<Track, BTreeSet<i64>> = BTreeMap::new();
    let mut open: BTreeMap<&Track, (Option<i64>, Vec<Saying>)> = BTreeMap::new();
    for (track, end) in tracks {
        let of_track = corrections.iter();
        let of_track = of_track.filter(|(_, mentions)| mentions.names(track));
        let of_track: Vec<Saying> = of_track.map(|(saying, _)| *saying).collect();
        let instants = timeline::instants(&of_track, &of_track);
        let mut end = *end;
        if let Some(first) = instants.range(until.saturating_add(1)..).next() {
            end = Some(end.map_or(*first, |end| end.min(*first)));
        }
        found.insert(track.clone(), instants);
        open.insert(track, (end, of_track));
    }
    let mut last = (from, i64::MAX);
    loop {
        let layers = mentions::mask(open.keys().map(|track| track.layer));
        let sources = page(connection, last, layers).await?;
        for source in &sources {
            last = (source.valid_from, source.id);
            open.retain(|_, (end, _)| end.is_none_or(|end| source.valid_from < end));
            if open.is_empty() {
                break;
            }
            let mentions = Mentions::read(&source.mentions);
            for (track, (end, corrections)) in &mut open {
                if !mentions.names(track) {
                    continue;
                }
                let instants = timeline::instants(&[source.saying()], corrections);
                if instants.contains(&source.valid_from) {
                    found
                        .entry((*track).clone())
                        .or_default()
                        .insert(source.valid_from);
                    if source.valid_from > until {
                        *end = Some(source.valid_from);
                    }
                }
            }
        }
        if open.is_empty() || (sources.len() as u64) < CHUNK {
            return Ok(found);
        }
    }
}

/// The corrections that reach beyond an instant.
async fn corrections(connection: &impl ConnectionTrait, after: i64) -> Result<Vec<Source>, DbErr> {
    let reaches = Condition::any()
        .add(Column::ValidUntil.is_null())
        .add(Column::ValidUntil.gt(after));
    read()
        // As text: PostgreSQL plans for any value, and the index is of corrections alone.
        .filter(Expr::cust("kind = 'CORRECTION'"))
        .filter(reaches)
        .into_model()
        .all(connection)
        .await
}

/// The next sources that tell of a time that begins behind this key, and of any of these layers. Of the others only the index is
/// read: many messages tell nothing of positions.
async fn page(
    connection: &impl ConnectionTrait,
    last: (i64, i64),
    layers: i64,
) -> Result<Vec<Source>, DbErr> {
    use sea_orm::sea_query::ExprTrait;
    let key = Expr::tuple([Expr::col(Column::ValidFrom), Expr::col(Column::Id)]);
    let last = Expr::tuple([Expr::value(last.0), Expr::value(last.1)]);
    read()
        .filter(key.gt(last))
        .filter(Expr::col(Column::Layers).bit_and(layers).ne(0))
        .order_by_asc(Column::ValidFrom)
        .order_by_asc(Column::Id)
        .limit(CHUNK)
        .into_model()
        .all(connection)
        .await
}

fn read() -> sea_orm::Select<Entity> {
    let columns = [
        Column::Id,
        Column::Kind,
        Column::ValidFrom,
        Column::ValidUntil,
        Column::Mentions,
    ];
    Entity::find().select_only().columns(columns)
}
