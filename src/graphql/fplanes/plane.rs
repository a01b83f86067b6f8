//! A focal plane at an instant.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use macros::row;

use super::sky::{FplaneConvention, FplaneSkyPosition, FplaneTarget, Turned};
use super::slot::{FplanePositions, FplaneSlot, FplaneSlotFilter};
use super::tag::{self, FplaneTag};
use crate::database::Database;
use crate::failure::Failure;
use crate::fplanes::model::{Plane, Positions};
use crate::fplanes::read::{moments, planes};
use crate::fplanes::{difference, svg, text};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::{FplaneId, GlobalId};
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::Rows;

/// A focal plane at an instant, by what was known at some time.
#[derive(Clone)]
pub struct Fplane {
    pub(super) plane: Arc<Plane>,
    level: Arc<Level>,
}

impl Fplane {
    /// A plane that was asked for alone.
    pub fn single(plane: Plane) -> Self {
        Self::on_level(plane, &level())
    }

    /// One of several planes, on the level of all of them.
    pub fn on_level(plane: Plane, level: &Arc<Level>) -> Self {
        Self {
            plane: Arc::new(plane),
            level: Arc::clone(level),
        }
    }

    /// The level that it is on.
    pub(super) fn level(&self) -> &Arc<Level> {
        &self.level
    }

    /// The slots that the filter lets through.
    fn slots_of<'a>(
        &'a self,
        filter: &'a FplaneSlotFilter,
    ) -> impl Iterator<Item = FplaneSlot> + 'a {
        let slots = self.plane.slots.iter().cloned().map(FplaneSlot);
        slots.filter(|slot| filter.admits(slot))
    }
}

/// What planes have in common does not hang on which they are, so there is one parent to all of it.
pub(super) const PARENT: i64 = 0;

/// The level of some planes.
pub(super) fn level() -> Arc<Level> {
    Level::new(vec![PARENT], Vec::new())
}

/// A focal plane at an instant, by what was known at some time.
#[row]
impl Fplane {
    /// The global id: it names the instant, the positions and what was known, so the same id is the same plane, unless the
    /// past was corrected and `knownAt` is null.
    pub fn id(&self) -> ID {
        GlobalId::Fplane(FplaneId::of(&self.plane)).encode()
    }

    /// The instant that was asked for, in UT.
    fn at(&self) -> DateTime<Utc> {
        self.plane.at
    }

    /// By what was known then; null: by all that is known now.
    fn known_at(&self) -> Option<DateTime<Utc>> {
        self.plane.known_at
    }

    /// Since when the plane has been as it is here; null: nothing is known of before.
    fn valid_from(&self) -> Option<DateTime<Utc>> {
        self.plane.valid_from
    }

    /// When the plane becomes another; null: nothing is known of after. At this instant it is another one already.
    fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.plane.valid_until
    }

    /// Which positions its slots are shown with.
    fn positions(&self) -> FplanePositions {
        self.plane.positions.into()
    }

    /// Its slots, in the order of files: the boresight, those of VIRUS ascending, the others ascending.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn slots(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all when absent.")] filter: Option<FplaneSlotFilter>,
    ) -> Result<Rows<FplaneSlot>> {
        let found: Rows<_> = self.slots_of(&filter.unwrap_or_default()).collect();
        ctx.charge(found.len())?;
        Ok(found)
    }

    /// The slot of this number, with this IFU and with this spectrograph, as far as they are given: at least one is. Where
    /// several are, the first that is in use. Null: there is none.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn slot(
        &self,
        #[graphql(desc = "Its number, such as `021`.")] ifuslot: Option<String>,
        #[graphql(desc = "The IFU in it.")] ifuid: Option<String>,
        #[graphql(desc = "The spectrograph behind it.")] specid: Option<String>,
    ) -> Result<Option<FplaneSlot>> {
        if ifuslot.is_none() && ifuid.is_none() && specid.is_none() {
            let message = "give `ifuslot`, `ifuid` or `specid`";
            return Err(failed(Failure::bad_input("ifuslot", message)));
        }
        let filter = FplaneSlotFilter::by_ids(ifuslot, ifuid, specid);
        // Of those that are equally good, the first stays.
        Ok(self
            .slots_of(&filter)
            .min_by_key(|slot| !slot.0.mapping.active))
    }

    /// The file of this plane, byte for byte as the programs of the observatory read it.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn text(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "All slots, those that are not in use commented out; false: only the units of VIRUS in use.",
            default = true
        )]
        full: bool,
    ) -> Result<String> {
        let text = text::write(&self.plane.slots, full);
        ctx.charge_bytes(text.len())?;
        Ok(text)
    }

    /// A picture of this plane as SVG.
    async fn svg(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "With what differs from the plane at this date, in any form that `Query.fplane` takes."
        )]
        since: Option<String>,
        #[graphql(
            desc = "With arrows to the north and to the east for this position angle, in degrees."
        )]
        position_angle: Option<f64>,
        #[graphql(
            desc = "How the rotation is reckoned from the position angle.",
            default_with = "FplaneConvention::Pyhetdex"
        )]
        convention: FplaneConvention,
        #[graphql(
            desc = "The rotation of the plane against the tracker, in degrees; 1.55 when absent."
        )]
        system_rotation: Option<f64>,
    ) -> Result<String> {
        let turned = |angle| Turned::new(angle, convention, system_rotation).rotation();
        let rotation = position_angle.map(turned).transpose()?;
        let changes = match since {
            Some(since) => {
                let before = Before::of(ctx, &self.plane, since)?;
                let before = self
                    .level
                    .children(ctx.database()?, &before, PARENT)
                    .await?;
                let before = before.as_ref().map(|plane| plane.slots.as_slice());
                Some(difference::between(
                    before.unwrap_or_default(),
                    &self.plane.slots,
                ))
            }
            None => None,
        };
        let picture = svg::draw(&self.plane, changes.as_deref(), rotation.as_ref());
        ctx.charge_bytes(picture.len())?;
        Ok(picture)
    }

    /// Where on the sky its slots are.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    #[allow(clippy::too_many_arguments)]
    async fn sky(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The right ascension of the boresight, in degrees.")] ra: f64,
        #[graphql(desc = "The declination of the boresight, in degrees from -90 to 90.")] dec: f64,
        #[graphql(desc = "The position angle, in degrees.")] position_angle: f64,
        #[graphql(
            desc = "How the rotation is reckoned from the position angle.",
            default_with = "FplaneConvention::Pyhetdex"
        )]
        convention: FplaneConvention,
        #[graphql(
            desc = "The rotation of the plane against the tracker, in degrees; 1.55 when absent. `PYHETDEX` knows none."
        )]
        system_rotation: Option<f64>,
        #[graphql(desc = "Which slots; all when absent.")] filter: Option<FplaneSlotFilter>,
    ) -> Result<Rows<FplaneSkyPosition>> {
        let turned = Turned::new(position_angle, convention, system_rotation);
        let pointing = turned.pointing(ra, dec)?;
        let filter = filter.unwrap_or_default();
        let slots = self.slots_of(&filter);
        let found: Rows<_> = slots
            .map(|slot| FplaneSkyPosition::of(slot, &pointing))
            .collect();
        ctx.charge(found.len())?;
        Ok(found)
    }

    /// Where in the plane a place on the sky is, and in whose field. Null: it is 90 degrees or more from the boresight.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    #[allow(clippy::too_many_arguments)]
    async fn covering(
        &self,
        #[graphql(desc = "The right ascension of the boresight, in degrees.")] ra: f64,
        #[graphql(desc = "The declination of the boresight, in degrees from -90 to 90.")] dec: f64,
        #[graphql(desc = "The position angle, in degrees.")] position_angle: f64,
        #[graphql(desc = "The right ascension of the place, in degrees.")] target_ra: f64,
        #[graphql(desc = "The declination of the place, in degrees from -90 to 90.")]
        target_dec: f64,
        #[graphql(
            desc = "How the rotation is reckoned from the position angle.",
            default_with = "FplaneConvention::Pyhetdex"
        )]
        convention: FplaneConvention,
        #[graphql(
            desc = "The rotation of the plane against the tracker, in degrees; 1.55 when absent. `PYHETDEX` knows none."
        )]
        system_rotation: Option<f64>,
    ) -> Result<Option<FplaneTarget>> {
        let turned = Turned::new(position_angle, convention, system_rotation);
        let pointing = turned.pointing(ra, dec)?;
        FplaneTarget::find(&self.plane, &pointing, target_ra, target_dec)
    }

    /// The tags whose instants lie where this plane holds. What is known may have changed since they were made.
    async fn tags(
        planes: &[Fplane],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Fplane) -> Rows<FplaneTag>> {
        tag::of_planes(planes, ctx).await
    }
}

/// The plane that others are compared with.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Before {
    date: String,
    known_at: Option<DateTime<Utc>>,
    positions: Positions,
    zone: Tz,
}

impl Before {
    /// The plane at this date, by the same knowledge and with the same positions as this one.
    fn of(ctx: &Context<'_>, plane: &Plane, date: String) -> Result<Self> {
        Ok(Self {
            date,
            known_at: plane.known_at,
            positions: plane.positions,
            zone: ctx.services()?.fplanes.night_zone,
        })
    }
}

impl ChildList for Before {
    type Children = Option<Arc<Plane>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (date, zone) = (Some(self.date.as_str()), self.zone);
        let as_of = moments::resolve(database, "since", date, self.known_at, zone, Utc::now());
        let plane = planes::at(database, as_of.await?, self.positions).await?;
        let plane = Arc::new(plane);
        let shared = |parent: &i64| (*parent, Some(Arc::clone(&plane)));
        Ok(level.parents().iter().map(shared).collect())
    }
}
