//! Dates as people write them, with tags looked up.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;

use super::{AsOf, tags};
use crate::database::Database;
use crate::entity::fplane_tag;
use crate::failure::{Failure, RejectionCode};
use crate::fplanes::moment::{self, AskedDate};
use crate::text::shorten;
use crate::time::from_micros;

/// Of so many digits are the fractions of seconds that are told apart.
const MICROS: u16 = 6;
/// How many characters of a name that no tag has are told.
const MOST_QUOTED: usize = 100;

/// The instant that a text in this field of the input names; none: now. A tag brings what was known, unless that is asked
/// for, too.
///
/// # Errors
/// A rejection if it is no date, or a tag that does not exist.
pub async fn resolve(
    database: &Database,
    field: &'static str,
    text: Option<&str>,
    known_at: Option<DateTime<Utc>>,
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<AsOf, Failure> {
    let Some(text) = text else {
        let at = now.trunc_subsecs(MICROS);
        return Ok(AsOf { at, known_at });
    };
    let texts = [text.to_owned()];
    let found = resolve_all(database, field, &texts, known_at, zone, now).await?;
    let found = found.into_iter().next();
    found.ok_or_else(|| Failure::internal("a date was lost"))
}

/// The instants that these texts name, in their order; see [`resolve`].
///
/// # Errors
/// A rejection if one of them is no date, or a tag that does not exist.
pub async fn resolve_all(
    database: &Database,
    field: &'static str,
    texts: &[String],
    known_at: Option<DateTime<Utc>>,
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<Vec<AsOf>, Failure> {
    let refused = |error: moment::DateError| Failure::bad_input(field, error.to_string());
    let now = now.trunc_subsecs(MICROS);
    let asked = texts.iter().map(|text| moment::parse(text));
    let asked: Vec<AskedDate> = asked.collect::<Result<_, _>>().map_err(refused)?;
    let names: Vec<String> = asked
        .iter()
        .filter_map(|date| match date {
            AskedDate::Tag(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let tags = if names.is_empty() {
        BTreeMap::new()
    } else {
        tags::by_names(database, &names).await?
    };
    let mut found = Vec::with_capacity(asked.len());
    for date in &asked {
        found.push(match date {
            AskedDate::Tag(name) => of_tag(field, name, tags.get(name), known_at)?,
            date => AsOf {
                at: date.instant(now, zone).map_err(refused)?.unwrap_or(now),
                known_at,
            },
        });
    }
    Ok(found)
}

fn of_tag(
    field: &'static str,
    name: &str,
    tag: Option<&fplane_tag::Model>,
    known_at: Option<DateTime<Utc>>,
) -> Result<AsOf, Failure> {
    let tag = tag.ok_or_else(|| {
        let message = format!("there is no tag {:?}", shorten(name, MOST_QUOTED));
        Failure::rejected(RejectionCode::NotFound, Some(field), message)
    })?;
    let at = from_micros(tag.at).ok_or_else(|| Failure::internal("a tag without a time"))?;
    Ok(AsOf {
        at,
        known_at: known_at.or_else(|| tag.known_at.and_then(from_micros)),
    })
}
