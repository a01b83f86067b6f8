//! The tracks that a command touches, in memory: loaded with one statement, changed as they are told, and written as what
//! has become of them.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, EntityTrait, Statement};

use super::mentions;
use super::said;
use crate::entity::{fplane_record, fplane_track};
use crate::fplanes::grid;
use crate::fplanes::model::{Claims, Layer, Positions, Slot, Track, Value};
use crate::fplanes::read::{SourceKind, records, states};
use crate::fplanes::timeline::{self, Piece, Timeline, Window};

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The source with this row id.
    Kept(i64),
    /// The source with this place in the command.
    New(usize),
}

/// What the records of a track hold, by their row ids.
type Held = Vec<(i64, Piece<Value, Origin>)>;

/// A track.
struct Loaded {
    /// Row id; none: nothing was known of it yet.
    id: Option<i64>,
    before: Held,
    timeline: Timeline<Value, Origin>,
}

impl Loaded {
    fn of(id: Option<i64>, before: Held) -> Self {
        let timeline = Timeline::of(before.iter().map(|(_, piece)| piece.clone()));
        Self {
            id,
            before,
            timeline,
        }
    }
}

/// What becomes of the records.
#[derive(Default)]
pub(super) struct Changes {
    /// Row ids of records that are known no more.
    pub ended: Vec<i64>,
    /// Records that come to be known, with the row ids of their tracks; none: it is a new track.
    pub new: Vec<(Option<i64>, Track, Piece<Value, Origin>)>,
}

/// The tracks that a command touches.
pub(super) struct Bench {
    tracks: BTreeMap<Track, Loaded>,
}

/// The records of a track that matter to a window, from the last before it to the first after it.
const HELD: &str = "record.track_id = track.id AND record.known_until IS NULL
    AND record.valid_from >= COALESCE((
        SELECT valid_from FROM fplane_record
        WHERE track_id = track.id AND known_until IS NULL AND valid_from < $1
        ORDER BY valid_from DESC LIMIT 1
    ), -9223372036854775807)
    AND record.valid_from <= COALESCE((
        SELECT valid_from FROM fplane_record
        WHERE track_id = track.id AND known_until IS NULL AND valid_from > $2
        ORDER BY valid_from LIMIT 1
    ), 9223372036854775807)";

impl Bench {
    /// Loads all layers of these slots, as far as what happens in this window matters to them. None: of all slots.
    pub(super) async fn load(
        connection: &impl ConnectionTrait,
        ifuslots: Option<&BTreeSet<&str>>,
        window: Window,
    ) -> Result<Self, DbErr> {
        // There are a few hundred.
        let rows = fplane_track::Entity::find().all(connection).await?;
        let mut known: BTreeMap<i64, Track> = BTreeMap::new();
        for row in rows {
            if let Some(layer) = records::layer(&row.layer)
                && ifuslots.is_none_or(|ifuslots| ifuslots.contains(row.ifuslot.as_str()))
            {
                let ifuslot = row.ifuslot;
                known.insert(row.id, Track { layer, ifuslot });
            }
        }
        let mut pieces: BTreeMap<i64, Held> = BTreeMap::new();
        let ids: Vec<i64> = known.keys().copied().collect();
        let statement = load(connection.get_database_backend(), &ids, window);
        let rows = fplane_record::Entity::find().from_raw_sql(statement);
        for row in rows.all(connection).await? {
            let value = records::value(&row);
            let value = value.ok_or_else(|| DbErr::Type(format!("fplane_record {}", row.id)))?;
            let piece = Piece {
                from: row.valid_from,
                until: row.valid_until,
                value,
                source: Origin::Kept(row.source_id),
            };
            pieces
                .entry(row.track_id)
                .or_default()
                .push((row.id, piece));
        }
        let tracks = known.into_iter().map(|(id, track)| {
            let before = pieces.remove(&id).unwrap_or_default();
            (track, Loaded::of(Some(id), before))
        });
        Ok(Self {
            tracks: tracks.collect(),
        })
    }

    /// Adds the tracks that nothing was known of yet.
    pub(super) fn add(&mut self, claims: &Claims) {
        for track in claims.facts.keys() {
            if !self.tracks.contains_key(track) {
                self.tracks
                    .insert(track.clone(), Loaded::of(None, Vec::new()));
            }
        }
    }

    /// The facts of claims, with what is no more because the claims are the whole plane.
    fn facts(&self, claims: &Claims) -> BTreeMap<Track, Option<Value>> {
        let mut facts = claims.facts.clone();
        if claims.is_whole {
            let layers = mentions::layers(claims);
            for track in self.tracks.keys() {
                if layers.contains(&track.layer) && !facts.contains_key(track) {
                    facts.insert(track.clone(), None);
                }
            }
        }
        facts
    }

    /// Looks up when something was said in the window, and after it, of the tracks that these claims change. Whoever says what
    /// is there anyway changes nothing, whenever somebody says more: of such tracks there may be no end in the log.
    pub(super) async fn recall(
        &mut self,
        connection: &impl ConnectionTrait,
        claims: &[(i64, Claims)],
        from: i64,
        until: i64,
    ) -> Result<(), DbErr> {
        let changes = |at: i64, track: &Track, value: &Option<Value>| {
            let known = self.tracks.get(track).map(|loaded| &loaded.timeline);
            known.and_then(|known| known.value(at)) != value.as_ref()
        };
        let changed = claims.iter().flat_map(|(at, claims)| {
            let facts = self.facts(claims).into_iter();
            facts.filter_map(|(track, value)| changes(*at, &track, &value).then_some(track))
        });
        let named: BTreeSet<Track> = changed.collect();
        let ends = self
            .tracks
            .iter()
            .filter(|(track, _)| named.contains(*track))
            .map(|(track, loaded)| (track.clone(), loaded.timeline.said_after(until)));
        let ends = ends.collect();
        for (track, instants) in said::after(connection, &ends, from, until).await? {
            if let Some(loaded) = self.tracks.get_mut(&track) {
                loaded.timeline.was_said(instants);
            }
        }
        Ok(())
    }

    /// Claims as they are kept. That a slot is by design where the grid has it needs no record. What their source cannot tell is
    /// as it was at this instant, where the spectrograph is still the same: no file has controllers or names of special slots, and
    /// tables of mappings have neither places in enclosures nor rotations.
    pub(super) fn completed(&self, at: i64, claims: &Claims, kind: SourceKind) -> Claims {
        let mut claims = claims.clone();
        for (track, fact) in &mut claims.facts {
            if let Some(Value::Nominal(position)) = fact
                && grid::nominal(&track.ifuslot) == Some(*position)
            {
                *fact = None;
            }
        }
        if !matches!(kind, SourceKind::File | SourceKind::Mapping) {
            return claims;
        }
        for (track, fact) in &mut claims.facts {
            let known = self.tracks.get(track).map(|loaded| &loaded.timeline);
            if let Some(Value::Special(special)) = fact
                && let Some(Value::Special(before)) = known.and_then(|known| known.value(at))
                && special.id == before.id
                && before.name.is_some()
            {
                special.name.clone_from(&before.name);
            }
            if let Some(Value::Mapping(mapping)) = fact
                && let Some(Value::Mapping(before)) = known.and_then(|known| known.value(at))
                && mapping.specid.is_some()
                && mapping.specid == before.specid
            {
                mapping.cntlid.clone_from(&before.cntlid);
                mapping.muxid.clone_from(&before.muxid);
                if kind == SourceKind::Mapping {
                    mapping.specslot.clone_from(&before.specslot);
                    mapping.rotation = before.rotation;
                    mapping.plate_scale = before.plate_scale;
                }
            }
        }
        claims
    }

    /// Tells what holds from an instant on. Answers with the first instant after it of which something was told before,
    /// at which it ends for some tracks.
    pub(super) fn claim(&mut self, at: i64, claims: &Claims, source: Origin) -> Option<i64> {
        let mut next: Option<i64> = None;
        for (track, value) in self.facts(claims) {
            if let Some(loaded) = self.tracks.get_mut(&track) {
                let said = loaded.timeline.said_after(at);
                next = [next, said].into_iter().flatten().min();
                loaded.timeline.claim(at, value, source);
            }
        }
        next
    }

    /// Tells what holds in a stretch of time, whatever was told of it.
    pub(super) fn correct(
        &mut self,
        from: i64,
        until: Option<i64>,
        claims: &Claims,
        source: Origin,
    ) {
        for (track, value) in &claims.facts {
            if let Some(loaded) = self.tracks.get_mut(track) {
                loaded.timeline.correct(from, until, value.clone(), source);
            }
        }
    }

    /// The slots at an instant, as far as they are here.
    pub(super) fn slots(&self, at: i64, positions: Positions) -> Vec<Slot> {
        let shown = |layer| positions == Positions::Measured || layer != Layer::Measured;
        let facts = self.tracks.iter().filter(|(track, _)| shown(track.layer));
        let facts = facts.filter_map(|(track, loaded)| {
            let value = loaded.timeline.value(at)?.clone();
            Some((track.ifuslot.clone(), value))
        });
        states::slots(facts, positions)
    }

    /// What has become of the records.
    pub(super) fn changes(&self) -> Changes {
        let mut changes = Changes::default();
        for (track, loaded) in &self.tracks {
            let (ended, new) = timeline::difference(&loaded.before, &loaded.timeline);
            changes.ended.extend(ended);
            let new = new.into_iter();
            changes
                .new
                .extend(new.map(|piece| (loaded.id, track.clone(), piece)));
        }
        changes
    }
}

fn load(backend: DatabaseBackend, ids: &[i64], window: Window) -> Statement {
    let (sql, ids) = if backend == DatabaseBackend::Postgres {
        // Track by track: OFFSET keeps PostgreSQL from joining all records to the tracks and asking each for its bounds.
        let sql = format!(
            "SELECT record.* FROM fplane_track AS track
            CROSS JOIN LATERAL (SELECT * FROM fplane_record AS record WHERE {HELD} OFFSET 0) AS record
            WHERE track.id = ANY($3::bigint[]) ORDER BY record.valid_from"
        );
        let ids = ids.iter().map(|id| sea_orm::Value::from(*id)).collect();
        let ids = sea_orm::Value::Array(ArrayType::BigInt, Some(Box::new(ids)));
        (sql, ids)
    } else {
        let sql = format!(
            "SELECT record.* FROM fplane_track AS track JOIN fplane_record AS record ON {HELD}
            WHERE track.id IN (SELECT value FROM json_each($3)) ORDER BY record.valid_from"
        );
        (sql, serde_json::Value::from(ids).to_string().into())
    };
    let until = window.until.unwrap_or(i64::MAX);
    let values = [window.from.into(), until.into(), ids];
    Statement::from_sql_and_values(backend, sql, values)
}
