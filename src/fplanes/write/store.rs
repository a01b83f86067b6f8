//! Rows of what was told. However much it is, it takes a handful of statements.

use std::collections::{BTreeMap, HashMap};

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, NotSet,
    QueryFilter, QuerySelect,
};

use super::bench::{Changes, Origin};
use crate::database::{Database, MOST_BINDS, is_one_of, is_one_of_texts};
use crate::entity::{fplane_record, fplane_source, fplane_track};
use crate::fplanes::model::{Track, Value};
use crate::fplanes::read::records::{self, layer_name};
use crate::fplanes::timeline::Piece;

/// How many rows of each table one statement inserts.
const SOURCES: usize = MOST_BINDS / 12;
const TRACKS: usize = MOST_BINDS / 2;
const RECORDS: usize = MOST_BINDS / 19;

/// The sources that there are of these digests: row ids by digest.
pub(super) async fn known_sources(
    database: &Database,
    connection: &impl ConnectionTrait,
    digests: &[String],
) -> Result<HashMap<String, i64>, DbErr> {
    use fplane_source::Column::{Digest, Id};
    let rows: Vec<(String, i64)> = fplane_source::Entity::find()
        .select_only()
        .columns([Digest, Id])
        .filter(is_one_of_texts(database, Digest.as_column_ref(), digests))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Inserts sources, which then have their row ids.
pub(super) async fn sources(
    database: &Database,
    connection: &impl ConnectionTrait,
    sources: &mut [fplane_source::Model],
) -> Result<(), DbErr> {
    for chunk in sources.chunks(SOURCES) {
        let rows = chunk.iter().cloned().map(|source| {
            let mut row = source.into_active_model().reset_all();
            row.id = NotSet;
            row
        });
        fplane_source::Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    let digests: Vec<String> = sources.iter().map(|source| source.digest.clone()).collect();
    let ids = known_sources(database, connection, &digests).await?;
    for source in sources {
        let id = ids.get(&source.digest).copied();
        source.id = id.ok_or(DbErr::RecordNotInserted)?;
    }
    Ok(())
}

/// Writes what becomes of the records: `sources` has the row ids of the sources of the command, in their order.
pub(super) async fn records(
    database: &Database,
    connection: &impl ConnectionTrait,
    changes: Changes,
    sources: &[i64],
    known_at: i64,
) -> Result<(), DbErr> {
    if !changes.ended.is_empty() {
        use fplane_record::Column::{Id, KnownUntil};
        fplane_record::Entity::update_many()
            .col_expr(KnownUntil, Expr::value(known_at))
            .filter(is_one_of(database, Id.as_column_ref(), &changes.ended))
            .exec(connection)
            .await?;
    }
    let new_tracks = tracks(connection, &changes).await?;
    let mut rows = Vec::with_capacity(changes.new.len());
    for (id, track, piece) in changes.new {
        let id = id.or_else(|| new_tracks.get(&track).copied());
        let id = id.ok_or(DbErr::RecordNotInserted)?;
        rows.push(row(id, track, &piece, sources, known_at)?);
    }
    for chunk in rows.chunks(RECORDS) {
        fplane_record::Entity::insert_many(chunk.iter().cloned())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

fn row(
    track_id: i64,
    track: Track,
    piece: &Piece<Value, Origin>,
    sources: &[i64],
    known_at: i64,
) -> Result<fplane_record::ActiveModel, DbErr> {
    let source = match piece.source {
        Origin::Kept(id) => Some(id),
        Origin::New(place) => sources.get(place).copied(),
    };
    let record = fplane_record::Model {
        track_id,
        ifuslot: track.ifuslot,
        valid_from: piece.from,
        valid_until: piece.until,
        known_from: known_at,
        known_until: None,
        source_id: source.ok_or(DbErr::RecordNotInserted)?,
        ..records::row(&piece.value)
    };
    let mut row = record.into_active_model().reset_all();
    row.id = NotSet;
    Ok(row)
}

/// Inserts the tracks that are new: their row ids.
async fn tracks(
    connection: &impl ConnectionTrait,
    changes: &Changes,
) -> Result<BTreeMap<Track, i64>, DbErr> {
    let new = changes.new.iter().filter(|(id, ..)| id.is_none());
    let mut new: Vec<&Track> = new.map(|(_, track, _)| track).collect();
    new.dedup();
    if new.is_empty() {
        return Ok(BTreeMap::new());
    }
    for chunk in new.chunks(TRACKS) {
        let rows = chunk.iter().map(|track| fplane_track::ActiveModel {
            id: NotSet,
            layer: sea_orm::Set(layer_name(track.layer).to_owned()),
            ifuslot: sea_orm::Set(track.ifuslot.clone()),
        });
        fplane_track::Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    let rows = fplane_track::Entity::find().all(connection).await?;
    let ids = rows.into_iter().filter_map(|row| {
        let layer = records::layer(&row.layer)?;
        let ifuslot = row.ifuslot;
        Some((Track { layer, ifuslot }, row.id))
    });
    Ok(ids.collect())
}
