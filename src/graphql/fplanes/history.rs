//! Questions about what is known of focal planes over time, where it comes from, and which names there are.

use async_graphql::{Context, Enum, ID, Object, Result};
use chrono::{DateTime, Utc};

use super::record::{FplaneRecord, FplaneRecordConnection, SourcesOf, with_sources};
use super::slot::FplaneLayer;
use super::source::{self, FplaneSource, FplaneSourceConnection, FplaneSourceKind};
use super::tag::{self, FplaneTag};
use crate::fplanes::read::by_id::id_form;
use crate::fplanes::read::history::{self, HistoryFilter};
use crate::fplanes::read::ids::{self, IdKind};
use crate::fplanes::read::sources::{self, SourceFilter};
use crate::fplanes::read::tags;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::rows::{Rows, columns_of_page};
use crate::paging::{self, PAGE, PageArguments};

/// The kinds of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "IdKind")]
enum FplaneIdKind {
    /// Of IFUs (fibre bundles).
    Ifuid,
    /// Of spectrographs.
    Specid,
    /// Of places of spectrographs in their enclosures.
    Specslot,
    /// Of controllers.
    Cntlid,
    /// Of multiplexers.
    Muxid,
}

/// Questions about what is known of focal planes over time.
#[derive(Default)]
pub struct FplaneHistoryQuery;

#[Object]
impl FplaneHistoryQuery {
    /// What is known of a slot, an IFU, a spectrograph or a controller over time, in the order of time. Ids may be written
    /// without the zeros that they begin with.
    #[allow(clippy::too_many_arguments)]
    async fn fplane_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of the slot of this number, such as `021`.")] ifuslot: Option<
            String,
        >,
        #[graphql(desc = "Only with this IFU.")] ifuid: Option<String>,
        #[graphql(desc = "Only with this spectrograph.")] specid: Option<String>,
        #[graphql(desc = "Only with a spectrograph at this place in its enclosure.")]
        specslot: Option<String>,
        #[graphql(desc = "Only with this controller.")] cntlid: Option<String>,
        #[graphql(desc = "Only with this multiplexer.")] muxid: Option<String>,
        #[graphql(
            desc = "Of these kinds of facts; of what is in slots when absent: `MAPPING` and `SPECIAL`."
        )]
        layers: Option<Vec<FplaneLayer>>,
        #[graphql(desc = "Only what comes from the source with this global id.")] source: Option<
            ID,
        >,
        #[graphql(desc = "Only what holds at some time from this instant on.")] from: Option<
            DateTime<Utc>,
        >,
        #[graphql(desc = "Only what begins to hold before this instant.")] until: Option<
            DateTime<Utc>,
        >,
        #[graphql(desc = "By what was known then; by all that is known when absent.")]
        known_at: Option<DateTime<Utc>>,
        #[graphql(
            desc = "Also what was known at any other time, and is not any more.",
            default_with = "Some(false)"
        )]
        with_superseded: Option<bool>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<FplaneRecordConnection> {
        ctx.check_read()?;
        let id = |id: Option<String>| id.as_deref().map(id_form);
        let layers = layers.map(|layers| layers.into_iter().map(Into::into).collect());
        let filter = HistoryFilter {
            ifuslot: id(ifuslot),
            ifuid: id(ifuid),
            specid: id(specid),
            specslot: id(specslot),
            cntlid: id(cntlid),
            muxid: id(muxid),
            layers: layers.unwrap_or_else(|| history::IN_SLOTS.to_vec()),
            source: source.as_ref().map(row_of_source),
            from,
            until,
            known_at,
            with_superseded: with_superseded.unwrap_or_default(),
        };
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let ordering = history::oldest_first();
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let database = ctx.database()?;
        let columns = columns_of_page::<FplaneRecord, _>(ctx);
        let slice = history::page(database, &filter, columns, &page).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            Some(history::count(database, &filter).await.map_err(failed)?)
        } else {
            None
        };
        let slice = with_sources(database, slice, &SourcesOf::page(ctx)).await;
        let slice = slice.map_err(failed)?;
        Ok(FplaneRecordConnection::new(slice, total, move |record| {
            paging::encode_cursor(&ordering, &history::key(&record.row))
        }))
    }

    /// Where what is known of focal planes comes from, what was recorded last first.
    #[allow(clippy::too_many_arguments)]
    async fn fplane_sources(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of these kinds.")] kinds: Option<Vec<FplaneSourceKind>>,
        #[graphql(desc = "Only what holds from this instant or a later one on.")] from: Option<
            DateTime<Utc>,
        >,
        #[graphql(desc = "Only what holds from an instant before this one on.")] until: Option<
            DateTime<Utc>,
        >,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<FplaneSourceConnection> {
        ctx.check_read()?;
        let kinds = kinds.unwrap_or_default().into_iter();
        let filter = SourceFilter {
            kinds: kinds.map(Into::into).collect(),
            from,
            until,
        };
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let ordering = sources::newest_first();
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let database = ctx.database()?;
        let columns = columns_of_page::<FplaneSource, _>(ctx);
        let slice = sources::page(database, &filter, columns, &page).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            Some(sources::count(database, &filter).await.map_err(failed)?)
        } else {
            None
        };
        let slice = source::page_with_people(database, slice).await;
        let slice = slice.map_err(failed)?;
        Ok(FplaneSourceConnection::new(slice, total, move |source| {
            paging::encode_cursor(&ordering, &sources::key(&source.row))
        }))
    }

    /// One source; null when there is none.
    async fn fplane_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Result<Option<FplaneSource>> {
        ctx.check_read()?;
        let Some(GlobalId::FplaneSource(id)) = GlobalId::decode(&id) else {
            return Ok(None);
        };
        let (database, columns) = (ctx.database()?, source::columns_below([ctx.field()]));
        let found = sources::by_ids(database, &[id], columns).await;
        let found = found.map_err(failed)?.into_values();
        let found = source::with_people(database, found).await;
        Ok(found.map_err(failed)?.pop())
    }

    /// The tags of focal planes, by name.
    async fn fplane_tags(&self, ctx: &Context<'_>) -> Result<Rows<FplaneTag>> {
        ctx.check_read()?;
        let database = ctx.database()?;
        let found = tags::all(database).await.map_err(failed)?;
        ctx.charge(found.len())?;
        let found = tag::with_people(database, found).await;
        Ok(found.map_err(failed)?.into())
    }

    /// What a name stands for; null when there is no tag of this name.
    async fn fplane_tag(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name.")] name: String,
    ) -> Result<Option<FplaneTag>> {
        ctx.check_read()?;
        let database = ctx.database()?;
        let found = tags::by_name(database, &name).await.map_err(failed)?;
        let found = tag::with_people(database, found).await;
        Ok(found.map_err(failed)?.pop())
    }

    /// All that a name has stood for, the newest first.
    async fn fplane_tag_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name.")] name: String,
    ) -> Result<Rows<FplaneTag>> {
        ctx.check_read()?;
        let database = ctx.database()?;
        let found = tags::of_name(database, &name).await.map_err(failed)?;
        ctx.charge(found.len())?;
        let found = tag::with_people(database, found).await;
        Ok(found.map_err(failed)?.into())
    }

    /// All ids of a kind that are or were known in any slot, ascending.
    async fn fplane_ids(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which kind.")] kind: FplaneIdKind,
    ) -> Result<Vec<String>> {
        ctx.check_read()?;
        let found = ids::seen(ctx.database()?, kind.into()).await;
        let found = found.map_err(failed)?;
        ctx.charge(found.len())?;
        Ok(found)
    }
}

/// The row that an id names; one that names no source is that of none.
fn row_of_source(id: &ID) -> i64 {
    match GlobalId::decode(id) {
        Some(GlobalId::FplaneSource(id)) => id,
        _ => -1,
    }
}
