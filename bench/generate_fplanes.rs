//! Focal planes of many years, the same for the same plan, written as labql writes them: a file of the whole plane, and then
//! messages of the telescope in the order of time, each with what it changed.
//!
//! Each message names a few units, and puts another spectrograph behind one of them; now and then it also tells where that
//! one was measured to be. The log of events is not written: it forgets.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use labql::database::Database;
use labql::entity::{fplane_head, fplane_record, fplane_source, fplane_track};
use labql::failure::Failure;
use labql::fplanes::grid;
use labql::fplanes::model::{Claims, Layer, Mapping, Position, Slot, SlotKind, Track, Value};
use labql::fplanes::read::{SourceKind, records};
use labql::fplanes::readers::{FilePositions, read_file, read_status};
use labql::fplanes::text;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction,
    EntityTrait, IntoActiveModel, NotSet, QueryFilter,
};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// How many rows one statement inserts.
const CHUNK: usize = 400;
/// How many units a message names.
const NAMED: u32 = 4;
/// How many messages there are for each that tells of a measured position.
const MEASURED: u32 = 10;
/// How long a message is on its way.
const DELAY: TimeDelta = TimeDelta::seconds(30);

/// How many messages, over which time, and whose.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub updates: u32,
    /// Since when the plane is known.
    pub from: DateTime<Utc>,
    /// When the last message is sent.
    pub until: DateTime<Utc>,
    /// The user who brings all of it.
    pub recorded_by: Option<i64>,
}

impl Plan {
    /// Of 20 years, up to an instant.
    pub fn of_twenty_years(updates: u32, until: DateTime<Utc>) -> Self {
        Self {
            updates,
            from: until - TimeDelta::days(20 * 365),
            until,
            recorded_by: None,
        }
    }

    /// When a message is sent; they are numbered from 0.
    pub fn at(&self, number: u32) -> DateTime<Utc> {
        let span = (self.until - self.from).num_seconds();
        let passed = span * i64::from(number + 1) / i64::from(self.updates);
        self.from + TimeDelta::seconds(passed)
    }

    /// A message.
    pub fn message(&self, number: u32) -> Json {
        let named = (0..NAMED).map(|step| unit(number + 19 * step, number));
        let hardware: Vec<Json> = named.collect();
        json!({
            "__data_time": self.at(number).to_rfc3339(),
            "__source": "tcs",
            "hardware": hardware,
        })
    }
}

/// How many slots hold units.
const UNITS: u32 = 78;

/// The slots that hold units, ascending.
pub static UNIT_SLOTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let units = grid::slots().filter(|slot| grid::is_virus(slot) && !grid::is_centre(slot));
    units.collect()
});

/// The last message by this one that put a spectrograph behind a unit; none: it has the one of the file.
fn changed(place: u32, number: u32) -> Option<u32> {
    number.checked_sub((number % UNITS + UNITS - place % UNITS) % UNITS)
}

/// The spectrograph of a unit after a message that names it, or after one before that did. No two units have the same at once.
pub fn specid(place: u32, number: u32) -> String {
    let first = || specid_of_file(place % UNITS);
    changed(place, number).map_or_else(first, |number| format!("{}", 100 + number * 37 % 700))
}

fn unit(place: u32, number: u32) -> Json {
    let place = place % UNITS;
    let (ifuslot, specid) = (&UNIT_SLOTS[place as usize], specid(place, number));
    let mut unit = json!({
        "ifuslot": ifuslot,
        "ifuid": format!("{:03}", place + 1),
        "specid": specid,
        "specslot": format!("{}", 101 + place),
        "cntlid": format!("1{specid}"),
        "active": true,
    });
    let is_changed = changed(place, number) == Some(number);
    if is_changed && number.is_multiple_of(MEASURED) {
        let design = grid::nominal(ifuslot).unwrap_or(Position { x: 0.0, y: 0.0 });
        let off = f64::from(number / MEASURED % 9 + 1) / 8.0;
        unit["x_fp"] = json!(design.x + off);
        unit["y_fp"] = json!(design.y - off);
    }
    unit
}

/// The plane of the file: the units, those in the last column without spectrographs; the empty places in the middle; the
/// boresight, LRS2 and a camera of another instrument.
pub fn slots() -> Vec<Slot> {
    let mut slots = Vec::new();
    for (place, ifuslot) in (0..).zip(UNIT_SLOTS.iter()) {
        let active = !ifuslot.starts_with("10");
        let mapping = Mapping {
            ifuid: Some(format!("{:03}", place + 1)),
            specid: active.then(|| specid_of_file(place)),
            specslot: Some(format!("{}", 101 + place)),
            ..empty(active)
        };
        slots.push(slot(ifuslot, mapping, None));
    }
    for ifuslot in ["054", "055", "064", "065"] {
        slots.push(slot(ifuslot, empty(false), None));
    }
    let elsewhere = Position { x: -35.8, y: 12.3 };
    for (ifuslot, id, place) in [
        ("000", "900", None),
        ("056", "998", None),
        ("066", "999", None),
        ("600", "902", Some(elsewhere)),
    ] {
        let id = Some(id.to_owned());
        let mapping = Mapping {
            ifuid: id.clone(),
            specid: id.clone(),
            specslot: id,
            ..empty(true)
        };
        slots.push(slot(ifuslot, mapping, place));
    }
    grid::sort(&mut slots);
    slots
}

fn specid_of_file(place: u32) -> String {
    format!("{}", 800 + place)
}

fn empty(active: bool) -> Mapping {
    Mapping {
        ifuid: None,
        specid: None,
        specslot: None,
        cntlid: None,
        muxid: None,
        active,
        rotation: 0.0,
        plate_scale: 1.0,
    }
}

fn slot(ifuslot: &str, mapping: Mapping, place: Option<Position>) -> Slot {
    let design = || grid::nominal(ifuslot).or_else(|| grid::special_position(ifuslot));
    let kind = grid::kind(ifuslot, place.is_some());
    Slot {
        ifuslot: ifuslot.to_owned(),
        name: grid::special_name(ifuslot)
            .filter(|_| kind != SlotKind::Virus)
            .map(str::to_owned),
        kind,
        mapping,
        position: place.or_else(design).unwrap_or(Position { x: 0.0, y: 0.0 }),
        is_measured: false,
    }
}

/// Writes all of it into a database that knows of no focal plane.
pub async fn fill(database: &Database, plan: Plan) -> Result<(), Failure> {
    let mut writer = Writer::new(plan);
    let file = text::write(&slots(), true);
    let read = read_file(&file).map_err(|problem| Failure::internal(problem.message))?;
    let claims = read.claims(FilePositions::Auto, true);
    writer.tell(SourceKind::File, plan.from, file, &["Auto true"], &claims);
    for number in 0..plan.updates {
        let message = plan.message(number);
        let status = read_status(&message).map_err(|error| Failure::internal(error.message))?;
        let content = message.to_string();
        writer.tell(SourceKind::Status, status.at, content, &[], &status.claims);
    }
    let transaction = database.begin().await?;
    writer.write(&transaction).await?;
    transaction.commit().await?;
    // As autovacuum does, and labql when it closes SQLite.
    let count = match database.backend() {
        DatabaseBackend::Postgres => "VACUUM (ANALYZE)",
        _ => "ANALYZE",
    };
    database.write().execute_unprepared(count).await?;
    Ok(())
}

/// What a track holds since the last message that changed it.
struct Held {
    from: i64,
    known_from: i64,
    source: i64,
    value: Value,
}

/// Gathers the rows. Nothing comes late: what a track holds, it holds until it is told something else.
struct Writer {
    plan: Plan,
    tracks: BTreeMap<Track, i64>,
    held: BTreeMap<Track, Held>,
    sources: Vec<fplane_source::Model>,
    records: Vec<fplane_record::Model>,
}

impl Writer {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            tracks: BTreeMap::new(),
            held: BTreeMap::new(),
            sources: Vec::new(),
            records: Vec::new(),
        }
    }

    fn tell(
        &mut self,
        kind: SourceKind,
        at: DateTime<Utc>,
        content: String,
        parts: &[&str],
        claims: &Claims,
    ) {
        let source = i64::try_from(self.sources.len()).unwrap_or(i64::MAX - 1) + 1;
        let (valid_from, known_at) = (at.timestamp_micros(), (at + DELAY).timestamp_micros());
        let parts = [parts, &[content.as_str()]].concat();
        self.sources.push(fplane_source::Model {
            id: source,
            kind: kind.as_str().to_owned(),
            valid_from,
            recorded_at: known_at,
            recorded_by: self.plan.recorded_by,
            author: "generator".to_owned(),
            reaches: valid_from,
            digest: digest(kind, valid_from, &parts),
            layers: layers(claims),
            mentions: mentions(claims),
            content,
            name: (kind == SourceKind::Status).then(|| "tcs".to_owned()),
            ..fplane_source::Model::default()
        });
        for (track, value) in &claims.facts {
            let is_of_grid = |value: &&Value| matches!(value, Value::Nominal(place) if grid::nominal(&track.ifuslot) == Some(*place));
            let value = value.as_ref().filter(|value| !is_of_grid(value));
            if self.held.get(track).map(|held| &held.value) == value {
                continue;
            }
            if let Some(before) = self.held.remove(track) {
                // It was thought to hold for good, and is known to end.
                self.record(track, &before, None, Some(known_at));
                let ended = Held {
                    known_from: known_at,
                    ..before
                };
                self.record(track, &ended, Some(valid_from), None);
            }
            if let Some(value) = value {
                let held = Held {
                    from: valid_from,
                    known_from: known_at,
                    source,
                    value: value.clone(),
                };
                self.held.insert(track.clone(), held);
            }
        }
    }

    fn record(&mut self, track: &Track, held: &Held, until: Option<i64>, known_until: Option<i64>) {
        let next = i64::try_from(self.tracks.len()).unwrap_or(i64::MAX - 1) + 1;
        self.records.push(fplane_record::Model {
            track_id: *self.tracks.entry(track.clone()).or_insert(next),
            ifuslot: track.ifuslot.clone(),
            valid_from: held.from,
            valid_until: until,
            known_from: held.known_from,
            known_until,
            source_id: held.source,
            ..records::row(&held.value)
        });
    }

    async fn write(mut self, transaction: &DatabaseTransaction) -> Result<(), Failure> {
        for (track, held) in std::mem::take(&mut self.held) {
            self.record(&track, &held, None, None);
        }
        let tracks: Vec<fplane_track::Model> = self
            .tracks
            .iter()
            .map(|(track, id)| fplane_track::Model {
                id: *id,
                layer: records::layer_name(track.layer).to_owned(),
                ifuslot: track.ifuslot.clone(),
            })
            .collect();
        for chunk in tracks.chunks(CHUNK) {
            let rows = chunk.iter().cloned();
            let rows = rows.map(|row| row.into_active_model().reset_all());
            fplane_track::Entity::insert_many(rows)
                .exec_without_returning(transaction)
                .await?;
        }
        for chunk in self.sources.chunks(CHUNK) {
            let rows = chunk.iter().cloned();
            let rows = rows.map(|row| row.into_active_model().reset_all());
            fplane_source::Entity::insert_many(rows)
                .exec_without_returning(transaction)
                .await?;
        }
        for chunk in self.records.chunks(CHUNK) {
            let rows = chunk.iter().cloned().map(|row| {
                let mut row = row.into_active_model().reset_all();
                row.id = NotSet;
                row
            });
            fplane_record::Entity::insert_many(rows)
                .exec_without_returning(transaction)
                .await?;
        }
        if let Some(last) = self.sources.last() {
            use fplane_head::Column::{Id, KnownAt, Reaches};
            fplane_head::Entity::update_many()
                .col_expr(KnownAt, Expr::value(last.recorded_at))
                .col_expr(Reaches, Expr::value(last.reaches))
                .filter(Id.eq(1))
                .exec(transaction)
                .await?;
        }
        if transaction.get_database_backend() == DatabaseBackend::Postgres {
            // Row ids that were given are not counted.
            for table in ["fplane_track", "fplane_source"] {
                let count = format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))"
                );
                transaction.execute_unprepared(&count).await?;
            }
        }
        Ok(())
    }
}

/// By what it is seen that a source was told before.
fn digest(kind: SourceKind, at: i64, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(kind.as_str());
    hash.update(at.to_be_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// The layers of what a source tells of, a bit for each.
fn layers(claims: &Claims) -> i64 {
    let bit = |layer| match layer {
        Layer::Mapping => 1,
        Layer::Nominal => 2,
        Layer::Measured => 4,
        Layer::Special => 8,
    };
    let tracks = claims.facts.keys();
    tracks
        .map(|track| bit(track.layer))
        .fold(0, |all, bit| all | bit)
}

/// Of what a source tells: a letter for the layer, and the slot, or a star for all.
fn mentions(claims: &Claims) -> String {
    let letter = |layer| match layer {
        Layer::Mapping => 'm',
        Layer::Nominal => 'n',
        Layer::Measured => 'p',
        Layer::Special => 's',
    };
    let tracks = claims.facts.keys();
    let mut words: Vec<String> = tracks
        .map(|track| {
            let slot = if claims.is_whole { "*" } else { &track.ifuslot };
            format!("{}{slot}", letter(track.layer))
        })
        .collect();
    words.dedup();
    words.join(" ")
}
