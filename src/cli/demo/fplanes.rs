//! The focal planes of the laboratory, told as people and the telescope would have told them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use super::ACTOR;
use crate::database::Database;
use crate::fplanes::model::{Layer, Positions, Value};
use crate::fplanes::read::{AsOf, planes, tags as known_tags};
use crate::fplanes::readers::FilePositions;
use crate::fplanes::settings::FplaneSettings;
use crate::fplanes::write::correct::{Correction, correct};
use crate::fplanes::write::import::{self, FileImport, MappingImport, PositionsImport};
use crate::fplanes::write::tags::{self, NewTag};
use crate::fplanes::write::{Author, update};
use crate::graphql::context::Services;

/// A state that stays as it was known before the correction.
const FROZEN: &str = "first-release";
/// What is observed with. It comes last: where it is, all of it is.
const ALIAS: &str = "observing";

const AUTHOR: Author<'static> = Author::Labql(ACTOR);

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What a file of the laboratory has wrong.
#[derive(Deserialize)]
struct Wrong {
    ifuslot: String,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    specid: String,
    reason: String,
}

/// Tells what the files in this folder say, unless that was done before.
pub(super) async fn load(services: &Services, folder: PathBuf) -> Result<(), Failed> {
    let database = &services.database;
    if known_tags::by_name(database, ALIAS).await?.is_some() {
        return Ok(());
    }
    let texts = tokio::task::spawn_blocking(move || texts(&folder)).await??;
    // A message as old as the laboratory is told like a new one.
    let settings = FplaneSettings {
        refuse_older_than: Duration::MAX,
        ..FplaneSettings::clone(&services.fplanes)
    };
    for (name, text) in &texts {
        import(database, &settings, name, text).await?;
    }
    let text = |name: &str| texts.get(name).map_or("null", String::as_str);
    let wrong: Wrong = serde_json::from_str(text("correction.json"))?;
    let middle = wrong.from + (wrong.until - wrong.from) / 2;
    let released = "what the first release was reduced with, before anybody looked into the log";
    tag(database, FROZEN, middle, true, released).await?;
    let message = serde_json::from_str(text("status.json"))?;
    update::update(
        database,
        &settings,
        &AUTHOR,
        &message,
        true,
        Utc::now(),
        None,
    )
    .await?;
    put_right(database, &wrong).await?;
    tag(database, ALIAS, Utc::now(), false, "what is observed with").await?;
    services.feed.wake();
    Ok(())
}

/// The files of a folder by name.
fn texts(folder: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            texts.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    Ok(texts)
}

/// Imports a file, if its name is that of one to be imported.
async fn import(
    database: &Database,
    settings: &FplaneSettings,
    name: &str,
    text: &str,
) -> Result<(), Failed> {
    let (kind, stamp) = name.split_once(['_', '.']).unwrap_or((name, ""));
    let valid_from = |stamp: &str| -> Result<DateTime<Utc>, chrono::ParseError> {
        let stamp = stamp.trim_end_matches(".txt");
        Ok(NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%S")?.and_utc())
    };
    let now = Utc::now();
    match kind {
        "fplane" => {
            let file = FileImport {
                text,
                name: Some(name),
                valid_from: valid_from(stamp)?,
                positions: FilePositions::Auto,
                unlisted_ends: true,
            };
            import::file(database, &AUTHOR, &file, true, now).await?;
        }
        "mapping" => {
            let mapping = MappingImport {
                text,
                name: Some(name),
                zone: settings.night_zone,
            };
            import::mapping(database, &AUTHOR, &mapping, true, now).await?;
        }
        "positions" => {
            let positions = PositionsImport {
                text,
                name: Some(name),
                valid_from: valid_from(stamp)?,
            };
            import::positions(database, &AUTHOR, &positions, true, now).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Has the slot hold what was really there; all else of it stays.
async fn put_right(database: &Database, wrong: &Wrong) -> Result<(), Failed> {
    let as_of = AsOf {
        at: wrong.from,
        known_at: None,
    };
    let plane = planes::at(database, as_of, Positions::Nominal).await?;
    let mut slots = plane.slots.into_iter();
    let slot = slots.find(|slot| slot.ifuslot == wrong.ifuslot);
    let mut mapping = slot
        .ok_or("the slot to correct is not in the plane")?
        .mapping;
    mapping.specid = Some(wrong.specid.clone());
    let correction = Correction {
        ifuslot: &wrong.ifuslot,
        from: wrong.from,
        until: Some(wrong.until),
        facts: BTreeMap::from([(Layer::Mapping, Some(Value::Mapping(mapping)))]),
        reason: &wrong.reason,
    };
    correct(database, &AUTHOR, &correction, true, Utc::now()).await?;
    Ok(())
}

async fn tag(
    database: &Database,
    name: &str,
    at: DateTime<Utc>,
    frozen: bool,
    description: &str,
) -> Result<(), Failed> {
    let tag = NewTag {
        name,
        as_of: AsOf { at, known_at: None },
        frozen,
        description: Some(description),
    };
    tags::tag(database, &AUTHOR, &tag, Utc::now()).await?;
    Ok(())
}
