//! Commands that only read.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::shown::{self, time};
use super::{CommandResult, Get, History, positions};
use crate::database::Database;
use crate::entity::{fplane_record, fplane_tag};
use crate::fplanes::difference;
use crate::fplanes::model::{Plane, Positions};
use crate::fplanes::moment;
use crate::fplanes::read::by_id::id_form;
use crate::fplanes::read::history::{self, HistoryFilter};
use crate::fplanes::read::{moments, planes, tags};
use crate::fplanes::settings::FplaneSettings;
use crate::fplanes::text;
use crate::narrow::Columns;
use crate::paging::Page;
use crate::time::from_micros;

/// Standard output, as an argument.
const STANDARD: &str = "-";

pub async fn get(database: &Database, settings: &FplaneSettings, get: Get) -> CommandResult {
    let (date, known_at) = (get.date.as_deref(), get.known_at.as_deref());
    let plane = plane(database, settings, date, known_at, positions(get.measured)).await?;
    let file = text::write(&plane.slots, !get.short);
    let output = get.output.unwrap_or_else(|| named(date));
    if output.as_os_str() == STANDARD {
        // The file ends with the end of a line.
        say!("{}", file.trim_end_matches('\n'));
        return Ok(());
    }
    let failed = |error| format!("cannot write {}: {error}", output.display());
    std::fs::write(&output, file).map_err(failed)?;
    let end = |end: Option<DateTime<Utc>>| end.map_or_else(|| "-".to_owned(), time);
    eprintln!(
        "{}: the focal plane at {}, the same from {} to {}",
        output.display(),
        time(plane.at),
        end(plane.valid_from),
        end(plane.valid_until),
    );
    Ok(())
}

/// The file that the script of the fplaneserver writes.
fn named(date: Option<&str>) -> PathBuf {
    // A date with an offset or a tag may hold what parts folders.
    let date = date.unwrap_or_default().replace(['/', '\\'], "_");
    PathBuf::from(format!("fplane{date}.txt"))
}

pub async fn slots(
    database: &Database,
    settings: &FplaneSettings,
    date: Option<&str>,
    known_at: Option<&str>,
    positions: Positions,
    as_json: bool,
) -> CommandResult {
    let plane = plane(database, settings, date, known_at, positions).await?;
    if as_json {
        say!("{}", shown::plane(&plane));
        return Ok(());
    }
    for slot in &plane.slots {
        let mapping = &slot.mapping;
        let state = if mapping.active { "active" } else { "inactive" };
        say!(
            "{}\t{state}\t{}\t{}\t{}\t{:.3}\t{:.3}",
            slot.ifuslot,
            word(mapping.ifuid.as_deref()),
            word(mapping.specid.as_deref()),
            word(mapping.specslot.as_deref()),
            slot.position.x,
            slot.position.y,
        );
    }
    Ok(())
}

pub async fn diff(
    database: &Database,
    settings: &FplaneSettings,
    from: &str,
    to: &str,
    positions: Positions,
    as_json: bool,
) -> CommandResult {
    let before = plane(database, settings, Some(from), None, positions).await?;
    let after = plane(database, settings, Some(to), None, positions).await?;
    for change in difference::between(&before.slots, &after.slots) {
        if as_json {
            say!("{}", shown::change(&change));
        } else {
            say!("{}", shown::change_line(&change));
        }
    }
    Ok(())
}

pub async fn history(database: &Database, asked: History) -> CommandResult {
    let id = |id: Option<String>| id.as_deref().map(id_form);
    let filter = HistoryFilter {
        ifuslot: id(asked.ifuslot),
        ifuid: id(asked.ifuid),
        specid: id(asked.specid),
        specslot: id(asked.specslot),
        cntlid: id(asked.cntlid),
        layers: match asked.layer {
            Some(layer) => vec![layer.into()],
            None => history::IN_SLOTS.to_vec(),
        },
        known_at: instant(asked.known_at.as_deref())?,
        with_superseded: asked.superseded,
        ..HistoryFilter::default()
    };
    // One more is asked for; there are never so many.
    let first = asked.first.min(u64::from(u32::MAX));
    let page = Page {
        probe: true,
        ..Page::only(first)
    };
    let found = history::page(database, &filter, Columns::all(), &page).await?;
    for row in &found.rows {
        let record = record(row);
        if asked.json {
            say!("{record}");
        } else {
            let text = |name: &str| match &record[name] {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let told = [
                "ifuslot",
                "layer",
                "validFrom",
                "validUntil",
                "ifuid",
                "specid",
                "specslot",
                "active",
                "x",
                "y",
            ];
            say!("{}", told.map(text).join("\t"));
        }
    }
    if found.has_next {
        // Not among the facts, which programs read.
        eprintln!("there is more than the first {first}: ask for more by --first");
    }
    Ok(())
}

pub async fn tags(database: &Database, as_json: bool) -> CommandResult {
    for tag in tags::all(database).await? {
        if as_json {
            say!("{}", self::tag(&tag));
        } else {
            let at = from_micros(tag.at).map(time).unwrap_or_default();
            let kind = if tag.frozen { "frozen" } else { "alias" };
            say!("{}\t{at}\t{kind}", tag.name);
        }
    }
    Ok(())
}

/// A tag, by the names of the API.
pub fn tag(tag: &fplane_tag::Model) -> Value {
    let shown = |micros| from_micros(micros).map(time);
    json!({
        "name": tag.name,
        "at": shown(tag.at),
        "knownAt": tag.known_at.and_then(shown),
        "frozen": tag.frozen,
        "description": tag.description,
        "createdAt": shown(tag.created_at),
        "author": tag.author,
    })
}

fn record(row: &fplane_record::Model) -> Value {
    let shown = |micros| from_micros(micros).map(time);
    json!({
        "ifuslot": row.ifuslot,
        "layer": row.layer,
        "validFrom": shown(row.valid_from),
        "validUntil": row.valid_until.and_then(shown),
        "recordedAt": shown(row.known_from),
        "supersededAt": row.known_until.and_then(shown),
        "ifuid": row.ifuid,
        "specid": row.specid,
        "specslot": row.specslot,
        "cntlid": row.cntlid,
        "muxid": row.muxid,
        "active": row.active,
        "rotation": row.rotation,
        "plateScale": row.plate_scale,
        "x": row.x,
        "y": row.y,
        "name": row.name,
    })
}

/// The plane at a date.
async fn plane(
    database: &Database,
    settings: &FplaneSettings,
    date: Option<&str>,
    known_at: Option<&str>,
    positions: Positions,
) -> Result<Plane, Box<dyn std::error::Error + Send + Sync>> {
    let (zone, known_at) = (settings.night_zone, instant(known_at)?);
    let as_of = moments::resolve(database, "date", date, known_at, zone, Utc::now()).await?;
    Ok(planes::at(database, as_of, positions).await?)
}

fn instant(text: Option<&str>) -> Result<Option<DateTime<Utc>>, moment::DateError> {
    text.map(moment::parse_instant).transpose()
}

fn word(id: Option<&str>) -> &str {
    id.unwrap_or("-")
}
