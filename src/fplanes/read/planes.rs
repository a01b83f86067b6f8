//! Planes as of instants.
//!
//! The record that a track has at an instant is the newest of those that begin by then, if it has not ended: for each track
//! one look-up in an index. So a plane costs the same whatever it has been through. When it became what it is and when it
//! becomes otherwise is told by the ends of records that are seen in it, which are instants at which something changes: records
//! that meet are never equal. One statement tells all of it, so that nothing can be told in between.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, FromQueryResult, Statement};

use super::records::{self, layer_name};
use super::{AsOf, states};
use crate::database::Database;
use crate::entity::fplane_record;
use crate::failure::Failure;
use crate::fplanes::model::{Layer, Plane, Positions, Value};
use crate::time::{Micros, from_micros};

/// By what was known at how many times planes are asked for at once: each time is a statement of its own.
const MOST_KNOWN_AT: usize = 20;

/// A plane, and which of the instants that were asked for have it.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The plane, at the first of them.
    pub plane: Plane,
    /// Their places among those that were asked for, ascending.
    pub places: Vec<usize>,
}

/// The plane as of an instant.
pub async fn at(database: &Database, as_of: AsOf, positions: Positions) -> Result<Plane, Failure> {
    Ok(read(database.read(), as_of, positions).await?)
}

/// The planes as of many instants, each of them once, in the order of the first instant that has it. What was known at
/// different times are different planes.
pub async fn many(
    database: &Database,
    as_of: &[AsOf],
    positions: Positions,
) -> Result<Vec<State>, Failure> {
    let mut by_knowledge: BTreeMap<Option<DateTime<Utc>>, Vec<usize>> = BTreeMap::new();
    for (place, asked) in as_of.iter().enumerate() {
        by_knowledge.entry(asked.known_at).or_default().push(place);
    }
    if by_knowledge.len() > MOST_KNOWN_AT {
        let message =
            format!("planes by what was known at more than {MOST_KNOWN_AT} times; ask for fewer");
        return Err(Failure::too_complex(message));
    }
    let mut states = Vec::new();
    for (known_at, places) in by_knowledge {
        let instants: Vec<(usize, DateTime<Utc>)> = places
            .into_iter()
            .filter_map(|place| Some((place, as_of.get(place)?.at)))
            .collect();
        states.extend(known(database.read(), &instants, known_at, positions).await?);
    }
    states.sort_by_key(|state| state.places.first().copied());
    Ok(states)
}

/// The plane as of an instant, as a connection sees it: in a transaction, with what was told there.
pub(in crate::fplanes) async fn read(
    connection: &impl ConnectionTrait,
    as_of: AsOf,
    positions: Positions,
) -> Result<Plane, DbErr> {
    let states = known(connection, &[(0, as_of.at)], as_of.known_at, positions).await?;
    let mut planes = states.into_iter().map(|state| state.plane);
    planes
        .next()
        .ok_or_else(|| DbErr::RecordNotFound("no plane".into()))
}

/// The same knowledge, at instants that have their places.
async fn known(
    connection: &impl ConnectionTrait,
    instants: &[(usize, DateTime<Utc>)],
    known_at: Option<DateTime<Utc>>,
    positions: Positions,
) -> Result<Vec<State>, DbErr> {
    let layers: &[Layer] = match positions {
        Positions::Nominal => &[Layer::Mapping, Layer::Nominal, Layer::Special],
        Positions::Measured => &Layer::ALL,
    };
    let question = Question {
        backend: connection.get_database_backend(),
        known_at: known_at.map(|at| at.micros()),
        layers,
    };
    let micros: Vec<i64> = instants.iter().map(|(_, at)| at.micros()).collect();
    let rows = Held::find_by_statement(question.statement(&micros))
        .all(connection)
        .await?;
    let mut found: BTreeMap<Range, Found> = BTreeMap::new();
    for row in rows {
        let range = (row.state_from, row.state_until);
        let Found { places, facts } = found.entry(range).or_default();
        places.extend(usize::try_from(row.place));
        if let Some(record) = row.record
            && let Some(value) = records::value(&record)
        {
            facts.push((record.ifuslot, value));
        }
    }
    let states = found
        .into_iter()
        .filter_map(|((from, until), Found { places, facts })| {
            let asked = places.into_iter().filter_map(|place| instants.get(place));
            let (places, instants): (Vec<usize>, Vec<DateTime<Utc>>) = asked.copied().unzip();
            let plane = Plane {
                at: *instants.first()?,
                known_at,
                valid_from: from.and_then(from_micros),
                valid_until: until.and_then(from_micros),
                positions,
                slots: states::slots(facts, positions),
            };
            Some(State { plane, places })
        });
    Ok(states.collect())
}

/// Since when, and until when, a plane is as it is.
type Range = (Option<i64>, Option<i64>);

/// At which of the instants a plane is the same, and what it is.
#[derive(Default)]
struct Found {
    places: BTreeSet<usize>,
    facts: Vec<(String, Value)>,
}

/// What a track holds at one of the instants, and for how long the plane is as it is there. Of instants at which the plane
/// is the same, only the first has records.
#[derive(FromQueryResult)]
struct Held {
    place: i64,
    state_from: Option<i64>,
    state_until: Option<i64>,
    #[sea_orm(nested)]
    record: Option<fplane_record::Model>,
}

/// What statements about instants have in common.
struct Question<'a> {
    backend: DatabaseBackend,
    known_at: Option<i64>,
    layers: &'a [Layer],
}

/// No instant is so early.
const NEVER: &str = "-9223372036854775807";
/// No instant is so late.
const ALWAYS: &str = "9223372036854775807";

/// The latest instant that anything tells of that was known then.
const REACHES: &str = "COALESCE((
    SELECT reaches FROM fplane_source WHERE recorded_at <= $2 ORDER BY recorded_at DESC, id DESC LIMIT 1
), -9223372036854775807)";

impl Question<'_> {
    fn is_postgres(&self) -> bool {
        self.backend == DatabaseBackend::Postgres
    }

    /// The condition that a record is known.
    fn is_known(&self) -> &'static str {
        match self.known_at {
            None => "known_until IS NULL",
            Some(_) => "known_from <= $2 AND (known_until IS NULL OR known_until > $2)",
        }
    }

    /// The instant that is asked for, or the last that can matter: what was told since then is not looked through.
    fn last(&self) -> String {
        match self.known_at {
            None => "asked.value".to_owned(),
            Some(_) if self.is_postgres() => format!("LEAST(asked.value, {REACHES})"),
            Some(_) => format!("MIN(asked.value, {REACHES})"),
        }
    }

    fn asked(&self) -> &'static str {
        if self.is_postgres() {
            "(SELECT value, place - 1 AS key FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (value, place)) AS asked"
        } else {
            "json_each($1) AS asked"
        }
    }

    fn layers(&self) -> impl Iterator<Item = String> {
        self.layers
            .iter()
            .map(|layer| format!("'{}'", layer_name(*layer)))
    }

    fn statement(&self, instants: &[i64]) -> Statement {
        let instants = if self.is_postgres() {
            let instants = instants
                .iter()
                .map(|at| sea_orm::Value::from(*at))
                .collect();
            sea_orm::Value::Array(ArrayType::BigInt, Some(Box::new(instants)))
        } else {
            serde_json::Value::from(instants).to_string().into()
        };
        let values = [Some(instants), self.known_at.map(sea_orm::Value::from)];
        Statement::from_sql_and_values(self.backend, self.sql(), values.into_iter().flatten())
    }

    /// The last change by each instant, and the first after it.
    fn ranges(&self) -> String {
        let known = self.is_known();
        let (last, asked) = (self.last(), self.asked());
        // What was not known then begins later than all that was.
        let within = |end: &str| match self.known_at {
            None => String::new(),
            Some(_) => format!(" AND {end} <= {REACHES}"),
        };
        let ends = || {
            let layers = self.layers.iter();
            layers.flat_map(|layer| ["valid_from", "valid_until"].map(|end| (*layer, end)))
        };
        let look = |layer: Layer, end: &str, condition: &str, order: &str, none: &str| {
            let (name, seen) = (layer_name(layer), self.is_seen(layer, end));
            format!(
                "COALESCE((SELECT {end} FROM fplane_record AS bound WHERE layer = '{name}' AND {known} \
                 AND {end} {condition}{seen} ORDER BY {end} {order} LIMIT 1), {none})"
            )
        };
        let before: Vec<String> = ends()
            .map(|(layer, end)| look(layer, end, &format!("<= {last}"), "DESC", NEVER))
            .collect();
        let after: Vec<String> = ends()
            .map(|(layer, end)| {
                let condition = format!("> asked.value{}", within(end));
                look(layer, end, &condition, "ASC", ALWAYS)
            })
            .collect();
        let (greatest, least) = if self.is_postgres() {
            ("GREATEST", "LEAST")
        } else {
            ("MAX", "MIN")
        };
        let (before, after) = (before.join(", "), after.join(", "));
        format!(
            "SELECT CAST(asked.key AS BIGINT) AS place, asked.value AS value, \
             NULLIF({greatest}({before}), {NEVER}) AS state_from, NULLIF({least}({after}), {ALWAYS}) AS state_until \
             FROM {asked}"
        )
    }

    /// The condition that an end of a record is seen in the plane. Where a slot is, is not seen while nothing is in it; where
    /// it is by design is not seen while it is shown where it was measured to be.
    fn is_seen(&self, layer: Layer, end: &str) -> String {
        let held = |layer: Layer| {
            let (name, known) = (layer_name(layer), self.is_known());
            format!(
                "COALESCE((SELECT valid_until IS NULL OR valid_until > bound.{end} FROM fplane_record WHERE track_id = \
                 (SELECT id FROM fplane_track WHERE layer = '{name}' AND ifuslot = bound.ifuslot) \
                 AND {known} AND valid_from <= bound.{end} ORDER BY valid_from DESC LIMIT 1), FALSE)"
            )
        };
        let filled = format!(" AND {}", held(Layer::Mapping));
        match layer {
            Layer::Mapping | Layer::Special => String::new(),
            Layer::Nominal if self.layers.contains(&Layer::Measured) => {
                format!("{filled} AND NOT {}", held(Layer::Measured))
            }
            Layer::Nominal | Layer::Measured => filled,
        }
    }

    /// What each track holds at the first instant of each state.
    fn sql(&self) -> String {
        let (ranges, known, last) = (self.ranges(), self.is_known(), self.last());
        let layers: Vec<String> = self.layers().collect();
        let layers = layers.join(", ");
        let newest = |columns: &str| {
            format!(
                "SELECT {columns} FROM fplane_record WHERE track_id = track.id AND {known} AND valid_from <= {last} \
                 ORDER BY valid_from DESC LIMIT 1"
            )
        };
        // SQLite has no lateral joins.
        let record = if self.is_postgres() {
            format!("LATERAL ({}) AS record ON", newest("*"))
        } else {
            let id = newest("id");
            format!("fplane_record AS record ON record.id = ({id}) AND")
        };
        format!(
            "WITH ranges AS MATERIALIZED ({ranges}), \
             asked AS MATERIALIZED (SELECT place, value, state_from, state_until, \
             MIN(place) OVER (PARTITION BY state_from, state_until) AS first FROM ranges) \
             SELECT asked.place, asked.state_from, asked.state_until, record.* FROM asked \
             LEFT JOIN fplane_track AS track ON asked.place = asked.first AND track.layer IN ({layers}) \
             LEFT JOIN {record} (record.valid_until IS NULL OR record.valid_until > asked.value)"
        )
    }
}
