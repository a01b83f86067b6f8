//! Changes of focal planes as they happen.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, Result};
use chrono::{DateTime, Utc};

use super::difference::FplaneSlotChange;
use super::plane::Fplane;
use super::slot::{self, FplanePositions};
use super::source::{self, FplaneSource};
use crate::events::{Event, Filter, Topic};
use crate::fplanes::changes::{self, FplaneEvent, PLANE, ToldChange};
use crate::fplanes::difference::SlotChange;
use crate::fplanes::read::by_id::id_form;
use crate::fplanes::read::{AsOf, planes, sources};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::internal;
use crate::graphql::live::Updates;
use crate::graphql::rows::Rows;
use crate::time::from_micros;

/// What happened to what is known of focal planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum FplaneUpdateKind {
    /// Somebody told what the plane is like from an instant on.
    Told,
    /// Somebody corrected what had been told.
    Corrected,
}

/// Which changes of focal planes; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
struct FplaneUpdateFilter {
    /// Of any of these slots, such as `021`.
    ifuslots: Option<Vec<String>>,
    /// Of slots in which any of these IFUs was or is.
    ifuids: Option<Vec<String>>,
    /// Of slots behind which any of these spectrographs was or is.
    specids: Option<Vec<String>>,
}

impl FplaneUpdateFilter {
    /// The same, with ids as they are stored.
    fn settled(self) -> Self {
        let ids = |ids: Option<Vec<String>>| -> Option<Vec<String>> {
            Some(ids?.iter().map(|id| id_form(id)).collect())
        };
        Self {
            ifuslots: ids(self.ifuslots),
            ifuids: ids(self.ifuids),
            specids: ids(self.specids),
        }
    }

    /// Whether one of the changes is such. What changed nothing is told to those who ask for no slots in particular.
    fn admits(&self, changes: &[SlotChange]) -> bool {
        let anything = self.ifuslots.is_none() && self.ifuids.is_none() && self.specids.is_none();
        anything || changes.iter().any(|change| self.admits_slot(change))
    }

    fn admits_slot(&self, change: &SlotChange) -> bool {
        let sides = [&change.before, &change.after];
        let mappings = || sides.into_iter().flatten().map(|slot| &slot.mapping);
        let is = |asked: &Option<Vec<String>>, ids: &[Option<&String>]| match asked {
            None => true,
            Some(asked) => ids.iter().flatten().any(|id| asked.contains(id)),
        };
        let ifuids: Vec<_> = mappings().map(|mapping| mapping.ifuid.as_ref()).collect();
        let specids: Vec<_> = mappings().map(|mapping| mapping.specid.as_ref()).collect();
        is(&self.ifuslots, &[Some(&change.ifuslot)])
            && is(&self.ifuids, &ifuids)
            && is(&self.specids, &specids)
    }
}

/// A change of what is known of focal planes.
pub struct FplaneUpdate {
    event: Arc<Event>,
    told: FplaneEvent,
    changes: Vec<SlotChange>,
}

impl FplaneUpdate {
    fn of(event: Arc<Event>) -> Result<Self> {
        let mut told = FplaneEvent::of(&event).map_err(internal)?;
        // What a newer labql calls otherwise is left out.
        let changes = std::mem::take(&mut told.changes).into_iter();
        let changes = changes.filter_map(ToldChange::into_change).collect();
        Ok(Self {
            event,
            told,
            changes,
        })
    }
}

/// A change of what is known of focal planes.
#[Object]
impl FplaneUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn cursor(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(ctx.services()?.feed.cursor(&self.event).to_string())
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.told.known_at)
    }

    /// What happened.
    async fn kind(&self) -> FplaneUpdateKind {
        match changes::ChangeKind::from_name(&self.event.kind) {
            Some(changes::ChangeKind::Corrected) => FplaneUpdateKind::Corrected,
            _ => FplaneUpdateKind::Told,
        }
    }

    /// Since when it is so.
    async fn valid_from(&self) -> Option<DateTime<Utc>> {
        from_micros(self.told.valid_from)
    }

    /// Until when a correction says so; null: for good, or until something else was told.
    async fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.told.valid_until.and_then(from_micros)
    }

    /// The plane since when it is so, as this change left it.
    async fn fplane(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "With which positions.",
            default_with = "Some(FplanePositions::Nominal)"
        )]
        positions: Option<FplanePositions>,
    ) -> Result<Fplane> {
        let at = from_micros(self.told.valid_from);
        let at = at.ok_or_else(|| internal("a change without a time"))?;
        let known_at = from_micros(self.told.known_at);
        let plane = planes::at(
            ctx.database()?,
            AsOf { at, known_at },
            slot::positions(positions),
        )
        .await;
        Ok(Fplane::single(plane.map_err(failed)?))
    }

    /// What became of each slot that was another one before, at the instant since when it is so, by slots ascending.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn changes(&self, ctx: &Context<'_>) -> Result<Rows<FplaneSlotChange>> {
        ctx.charge(self.changes.len())?;
        Ok(self.changes.iter().cloned().map(Into::into).collect())
    }

    /// Where it comes from.
    async fn source(&self, ctx: &Context<'_>) -> Result<Option<FplaneSource>> {
        let (database, columns) = (ctx.database()?, source::columns_below([ctx.field()]));
        let found = sources::by_ids(database, &[self.told.source], columns).await;
        let found = found.map_err(failed)?.into_values();
        let found = source::with_people(database, found).await;
        Ok(found.map_err(failed)?.pop())
    }
}

/// Changes of focal planes as they happen.
#[derive(Default)]
pub struct FplaneUpdates;

#[Object]
impl FplaneUpdates {
    /// Tells of every change of what is known of focal planes: of messages of the telescope, files, lists and corrections.
    /// What tells nothing new is no change. With `after`, first those since that cursor, none lost and none twice; without,
    /// those from now on.
    async fn fplane_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of changes of these slots.")] filter: Option<FplaneUpdateFilter>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<FplaneUpdate> {
        ctx.check_read()?;
        let wanted = filter.unwrap_or_default().settled();
        let listens_for = Filter::topic(Topic::Fplane)
            .about(Some(PLANE.to_owned()))
            .among(format!("{wanted:?}"));
        let update = FplaneUpdate::of(ctx.update(listens_for, after).await?)?;
        if wanted.admits(&update.changes) {
            Ok(update)
        } else {
            Err(ctx.pass_over())
        }
    }
}
