//! A site that keeps a focal plane: how it is told something, asked for all of a plane, and what it has kept.

use chrono::{DateTime, SecondsFormat, Utc};
use labql::database::Database;
use labql::entity::{event, fplane_head, fplane_record, fplane_source, fplane_tag, fplane_track};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use crate::support::{Lab, Server};

/// All that is told of a slot.
pub const SLOT: &str = "ifuslot kind name ifuid specid specslot cntlid muxid active rotation plateScale x y isMeasured";

/// What the answers to all commands have.
const ANSWER: &str = "committed isRepeated warnings warningDetails { code message }
    fplane { at validFrom validUntil text slots { SLOT } }
    changes { ifuslot change }
    steps { validFrom validUntil sourceId changes { ifuslot } }
    source { id kind recordedAt }
    errors { code field message }";

/// Goes away with its laboratory.
pub struct Site {
    pub lab: Lab,
    pub server: Server,
}

impl Site {
    /// As labql is without settings; `ada` is signed in.
    pub async fn open(lab: Lab) -> Self {
        let server = lab.serve_signed_in().await;
        Self { lab, server }
    }

    /// One that takes messages of any age.
    pub async fn of_any_age(mut lab: Lab) -> Self {
        lab.set("LABQL_FPLANES__REFUSE_OLDER_THAN", "100years");
        Self::open(lab).await
    }

    /// The answer to a command, which may refuse.
    pub async fn tell(&self, command: &str, input: Value) -> Value {
        let variables = json!({ "input": input });
        let mut data = self.server.data(&mutation(command), variables).await;
        data["it"].take()
    }

    /// The answer to a command that must not refuse.
    pub async fn told(&self, command: &str, input: Value) -> Value {
        let answer = self.tell(command, input).await;
        assert_eq!(answer["errors"], json!([]), "{command}: {answer}");
        answer
    }

    /// The answer to a status message that is kept.
    pub async fn update(&self, config: Value) -> Value {
        let input = json!({ "config": config, "commit": true });
        self.told("updateFplane", input).await
    }

    /// A plane, with its text and slots.
    pub async fn plane(&self, at: &str, positions: &str) -> Value {
        let query = format!(
            "query($at: String, $positions: FplanePositions) {{ fplane(at: $at, positions: $positions) {{
                at knownAt validFrom validUntil slots {{ {SLOT} }} text short: text(full: false)
            }} }}"
        );
        let variables = json!({ "at": at, "positions": positions });
        self.server.data(&query, variables).await["fplane"].take()
    }
}

/// The mutation of this name, whose answer is `it`.
pub fn mutation(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    let kind = format!("{}{rest}Input", first.to_ascii_uppercase());
    let answer = ANSWER.replace("SLOT", SLOT);
    let problems = if name.starts_with("import") {
        "problems { line code message }"
    } else {
        ""
    };
    format!("mutation($input: {kind}!) {{ it: {name}(input: $input) {{ {answer} {problems} }} }}")
}

/// An instant as it is asked for.
pub fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The instant in an answer, in microseconds; none: null.
pub fn micros(at: &Value) -> Option<i64> {
    let at: DateTime<Utc> = at.as_str()?.parse().expect("a time");
    Some(at.timestamp_micros())
}

/// All of a slot in one line, to be compared.
pub fn line(slot: &Value) -> String {
    let text = |name: &str| slot[name].as_str().unwrap_or("-").to_owned();
    let number = |name: &str| slot[name].as_f64().expect(name);
    let texts = [
        "ifuslot", "kind", "name", "ifuid", "specid", "specslot", "cntlid", "muxid",
    ];
    format!(
        "{} {} {:.3} {:.3} {:.4} {:.4} {}",
        texts.map(text).join(" "),
        slot["active"],
        number("rotation"),
        number("plateScale"),
        number("x"),
        number("y"),
        slot["isMeasured"],
    )
}

/// The slots of a plane, as lines.
pub fn lines(plane: &Value) -> Vec<String> {
    let slots = plane["slots"].as_array().expect("slots");
    slots.iter().map(line).collect()
}

/// All that is kept of focal planes.
pub async fn kept(database: &Database) -> Vec<String> {
    let connection = database.read();
    let mut kept = Vec::new();
    let head = fplane_head::Entity::find().all(connection);
    kept.extend(shown(&head.await.expect("rows")));
    let sources = fplane_source::Entity::find().order_by_asc(fplane_source::Column::Id);
    kept.extend(shown(&sources.all(connection).await.expect("rows")));
    let tracks = fplane_track::Entity::find().order_by_asc(fplane_track::Column::Id);
    kept.extend(shown(&tracks.all(connection).await.expect("rows")));
    let records = fplane_record::Entity::find().order_by_asc(fplane_record::Column::Id);
    kept.extend(shown(&records.all(connection).await.expect("rows")));
    let tags = fplane_tag::Entity::find().order_by_asc(fplane_tag::Column::Id);
    kept.extend(shown(&tags.all(connection).await.expect("rows")));
    kept.push(format!("{} events", events(database).await));
    kept
}

fn shown(rows: &[impl std::fmt::Debug]) -> impl Iterator<Item = String> {
    rows.iter().map(|row| format!("{row:?}"))
}

/// How many events tell of focal planes.
pub async fn events(database: &Database) -> u64 {
    let events = event::Entity::find().filter(event::Column::Topic.eq("fplane"));
    events.count(database.read()).await.expect("a count")
}
