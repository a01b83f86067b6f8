//! Questions about focal planes.

use std::collections::HashMap;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use macros::row;

use super::difference::FplaneSlotChange;
use super::plane::{self, Fplane};
use super::problem::FplaneProblem;
use super::slot::{self, FplanePositions};
use crate::failure::Failure;
use crate::fplanes::difference;
use crate::fplanes::model::{Plane, Slot};
use crate::fplanes::moment::{self, AskedDate};
use crate::fplanes::read::{moments, planes};
use crate::fplanes::readers;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::rows::Rows;
use crate::text::shorten;

/// How many dates `fplanes` takes at most: the nights of more than two years.
const MOST_DATES: usize = 1_000;
/// How many characters of a text that is no night are told.
const MOST_QUOTED: usize = 100;

/// Nights one after the other.
#[derive(Clone, Debug, InputObject)]
struct FplaneNights {
    /// The date on which the first starts, as `20250115`.
    first: String,
    /// The date on which the last starts.
    last: String,
}

/// A focal plane and the dates at which it is so.
#[derive(Clone)]
struct FplaneState {
    at: Vec<String>,
    fplane: Fplane,
}

/// A focal plane and the dates at which it is so.
#[row]
impl FplaneState {
    /// The dates, of those that were asked for and as they were.
    fn at(&self) -> &Vec<String> {
        &self.at
    }

    /// The plane, at the first of them.
    fn fplane(&self) -> &Fplane {
        &self.fplane
    }
}

/// What differs between a file and the focal plane at a date.
#[derive(SimpleObject)]
struct FplaneFileDiff {
    /// The plane that the file is compared with.
    fplane: Fplane,
    /// What becomes of each slot that differs, from the plane to the file.
    changes: Rows<FplaneSlotChange>,
    /// What is wrong or odd about the file, by lines.
    problems: Rows<FplaneProblem>,
}

/// Questions about focal planes.
#[derive(Default)]
pub struct FplanesQuery;

#[Object]
impl FplanesQuery {
    /// The focal plane at a date. Before anything is known of, it has no slots.
    async fn fplane(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "`latest`, which it is when absent; a night such as `20250115` (the midnight at its end, where the telescope stands); an instant in UT such as `20250115T04:12:33`, the DATE-OBS of FITS or RFC 3339; `tag:NAME`."
        )]
        at: Option<String>,
        #[graphql(
            desc = "With which positions.",
            default_with = "Some(FplanePositions::Nominal)"
        )]
        positions: Option<FplanePositions>,
        #[graphql(
            desc = "By what was known then; by all that is known when absent, and for a tag by what it says."
        )]
        known_at: Option<DateTime<Utc>>,
    ) -> Result<Fplane> {
        ctx.check_read()?;
        let plane = plane_at(ctx, at.as_deref(), known_at, positions).await?;
        Ok(Fplane::single(plane))
    }

    /// The focal planes at many dates at once, each that is another one only once, in the order of the dates.
    async fn fplanes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The dates, in any form that `fplane` takes, at most 1,000.")] at: Option<
            Vec<String>,
        >,
        #[graphql(desc = "In their place, all nights from one to another, at most 1,000.")]
        nights: Option<FplaneNights>,
        #[graphql(
            desc = "With which positions.",
            default_with = "Some(FplanePositions::Nominal)"
        )]
        positions: Option<FplanePositions>,
        #[graphql(desc = "By what was known then; by all that is known when absent.")]
        known_at: Option<DateTime<Utc>>,
    ) -> Result<Rows<FplaneState>> {
        ctx.check_read()?;
        let (field, dates) = match (at, nights) {
            (Some(at), None) => ("at", at),
            (None, Some(nights)) => ("nights", nights.dates().map_err(failed)?),
            _ => {
                let message = "give `at` or `nights`, one of them";
                return Err(failed(Failure::bad_input("at", message)));
            }
        };
        if dates.len() > MOST_DATES {
            let message = format!("at most {MOST_DATES} dates");
            return Err(failed(Failure::bad_input(field, message)));
        }
        let (database, zone) = (ctx.database()?, ctx.services()?.fplanes.night_zone);
        let now = Utc::now();
        let as_of = moments::resolve_all(database, field, &dates, known_at, zone, now).await;
        let states = planes::many(
            database,
            &as_of.map_err(failed)?,
            slot::positions(positions),
        )
        .await;
        let states = states.map_err(failed)?;
        ctx.charge(states.iter().map(|state| state.plane.slots.len()).sum())?;
        let level = plane::level();
        let states = states.into_iter().map(|state| {
            let asked = state.places.iter().filter_map(|place| dates.get(*place));
            FplaneState {
                at: asked.cloned().collect(),
                fplane: Fplane::on_level(state.plane, &level),
            }
        });
        Ok(states.collect())
    }

    /// What differs between the focal planes at two dates: what becomes of each slot that differs, by slots ascending.
    async fn fplane_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The one date, in any form that `fplane` takes.")] from: String,
        #[graphql(desc = "The other date.")] to: String,
        #[graphql(
            desc = "With which positions.",
            default_with = "Some(FplanePositions::Nominal)"
        )]
        positions: Option<FplanePositions>,
        #[graphql(
            desc = "By what was known then, at both dates; by all that is known when absent, and for a tag by what it says."
        )]
        known_at: Option<DateTime<Utc>>,
        #[graphql(
            desc = "By what was known then at `from`, if that is another time: what has been learnt since."
        )]
        from_known_at: Option<DateTime<Utc>>,
    ) -> Result<Rows<FplaneSlotChange>> {
        ctx.check_read()?;
        let (database, zone) = (ctx.database()?, ctx.services()?.fplanes.night_zone);
        let (now, positions) = (Utc::now(), slot::positions(positions));
        let load = async |field, date: &str, known_at| {
            let as_of = moments::resolve(database, field, Some(date), known_at, zone, now).await?;
            planes::at(database, as_of, positions).await
        };
        let before = load("from", &from, from_known_at.or(known_at)).await;
        let before = before.map_err(failed)?;
        let after = load("to", &to, known_at).await.map_err(failed)?;
        let changes = difference::between(&before.slots, &after.slots);
        ctx.charge(changes.len())?;
        Ok(changes.into_iter().map(Into::into).collect())
    }

    /// What differs between the focal plane at a date and a file of any form, which is not kept.
    async fn fplane_file_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text of the file.")] text: String,
        #[graphql(desc = "The date, in any form that `fplane` takes; the present when absent.")]
        at: Option<String>,
        #[graphql(
            desc = "With which positions of the plane.",
            default_with = "Some(FplanePositions::Nominal)"
        )]
        positions: Option<FplanePositions>,
        #[graphql(
            desc = "By what was known then; by all that is known when absent, and for a tag by what it says."
        )]
        known_at: Option<DateTime<Utc>>,
    ) -> Result<FplaneFileDiff> {
        ctx.check_read()?;
        let file = readers::read_file(&text);
        let file = file.map_err(|why| failed(Failure::bad_input("text", why.to_string())))?;
        let plane = plane_at(ctx, at.as_deref(), known_at, positions).await?;
        let changes = difference::between(&plane.slots, &as_told(&plane.slots, file.slots()));
        ctx.charge(changes.len() + file.problems.len())?;
        Ok(FplaneFileDiff {
            fplane: Fplane::single(plane),
            changes: changes.into_iter().map(Into::into).collect(),
            problems: file.problems.into_iter().map(FplaneProblem).collect(),
        })
    }
}

impl FplaneNights {
    /// Their dates.
    fn dates(&self) -> Result<Vec<String>, Failure> {
        let night = |text: &str| match moment::parse(text) {
            Ok(AskedDate::Night(night)) => Ok(night),
            Ok(_) => Err(Failure::bad_input(
                "nights",
                format!("no night: {:?}", shorten(text, MOST_QUOTED)),
            )),
            Err(error) => Err(Failure::bad_input("nights", error.to_string())),
        };
        let (first, last) = (night(&self.first)?, night(&self.last)?);
        let nights = first.iter_days().take_while(|night| *night <= last);
        // One more than there may be tells that there are too many.
        let nights = nights.take(MOST_DATES + 1);
        Ok(nights
            .map(|night| night.format("%Y%m%d").to_string())
            .collect())
    }
}

/// The plane at a date.
async fn plane_at(
    ctx: &Context<'_>,
    date: Option<&str>,
    known_at: Option<DateTime<Utc>>,
    positions: Option<FplanePositions>,
) -> Result<Plane> {
    let (database, zone) = (ctx.database()?, ctx.services()?.fplanes.night_zone);
    let as_of = moments::resolve(database, "at", date, known_at, zone, Utc::now()).await;
    let plane = planes::at(database, as_of.map_err(failed)?, slot::positions(positions)).await;
    plane.map_err(failed)
}

/// The slots of a file, with what no file tells as it is in the plane: that alone is no difference.
fn as_told(plane: &[Slot], file: Vec<Slot>) -> Vec<Slot> {
    let known: HashMap<&str, &Slot> = plane
        .iter()
        .map(|slot| (slot.ifuslot.as_str(), slot))
        .collect();
    let with_untold = |mut slot: Slot| {
        if let Some(known) = known.get(slot.ifuslot.as_str()) {
            slot.name.clone_from(&known.name);
            slot.mapping.cntlid.clone_from(&known.mapping.cntlid);
            slot.mapping.muxid.clone_from(&known.mapping.muxid);
            slot.is_measured = known.is_measured;
        }
        slot
    };
    file.into_iter().map(with_untold).collect()
}
