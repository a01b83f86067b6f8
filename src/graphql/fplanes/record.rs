//! What is known of slots over time.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, SelectionField};
use chrono::{DateTime, Utc};
use macros::row;

use super::slot::FplaneLayer;
use super::source::{self, FplaneSource};
use crate::database::Database;
use crate::entity::fplane_source::Column as SourceColumn;
use crate::entity::{fplane_record, fplane_source};
use crate::failure::Failure;
use crate::fplanes::grid;
use crate::fplanes::model::Position;
use crate::fplanes::read::{records, sources};
use crate::graphql::connection::connection;
use crate::graphql::datasets::Person;
use crate::graphql::id::GlobalId;
use crate::narrow::Columns;
use crate::paging::Slice;
use crate::time::from_micros;

/// What is known of a slot for a time: of what is in it, or of where it is.
#[derive(Clone)]
pub struct FplaneRecord {
    pub(super) row: Arc<fplane_record::Model>,
    source: Option<FplaneSource>,
}

connection!(
    FplaneRecordConnection,
    FplaneRecordEdge,
    FplaneRecord,
    "A page of what is known of slots over time.",
    "A record in a page."
);

/// What is known of a slot for a time: of what is in it, or of where it is.
#[row(columns = fplane_record::Column)]
impl FplaneRecord {
    /// The global id.
    #[reads(Id)]
    pub fn id(&self) -> ID {
        GlobalId::FplaneRecord(self.row.id).encode()
    }

    /// Which kind of facts it is about: the others are null.
    #[reads(Layer)]
    fn layer(&self) -> Option<FplaneLayer> {
        records::layer(&self.row.layer).map(Into::into)
    }

    /// The slot, three digits.
    #[reads(Ifuslot)]
    fn ifuslot(&self) -> &str {
        &self.row.ifuslot
    }

    /// Since when it is so.
    #[reads(ValidFrom)]
    fn valid_from(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.valid_from)
    }

    /// When it is so no more; null: nothing else is known of later. At this instant something else holds already.
    #[reads(ValidUntil)]
    fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.row.valid_until.and_then(from_micros)
    }

    /// Since when this is known.
    #[reads(KnownFrom)]
    fn recorded_at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.known_from)
    }

    /// When something else was recorded in its place; null: it is what is known now.
    #[reads(KnownUntil)]
    fn superseded_at(&self) -> Option<DateTime<Utc>> {
        self.row.known_until.and_then(from_micros)
    }

    /// Who recorded it; null: labql itself, or somebody who has no account here any more. `source.author` is their name.
    #[reads(SourceId)]
    fn recorded_by(&self) -> Option<Person> {
        self.source.as_ref().and_then(FplaneSource::person)
    }

    /// Where it comes from.
    #[reads(SourceId)]
    fn source(&self) -> Option<&FplaneSource> {
        self.source.as_ref()
    }

    /// The IFU; null: none. Of a special slot its id, as in files.
    #[reads(Ifuid)]
    fn ifuid(&self) -> Option<&str> {
        self.row.ifuid.as_deref()
    }

    /// The spectrograph; null: none. Of a special slot its id, as in files.
    #[reads(Specid)]
    fn specid(&self) -> Option<&str> {
        self.row.specid.as_deref()
    }

    /// The place of the spectrograph in its enclosure; null: none. Of a special slot its id, as in files.
    #[reads(Specslot)]
    fn specslot(&self) -> Option<&str> {
        self.row.specslot.as_deref()
    }

    /// The controller of the spectrograph; null: not known.
    #[reads(Cntlid)]
    fn cntlid(&self) -> Option<&str> {
        self.row.cntlid.as_deref()
    }

    /// The multiplexer of the controller; null: not known.
    #[reads(Muxid)]
    fn muxid(&self) -> Option<&str> {
        self.row.muxid.as_deref()
    }

    /// Is the slot in use? Null where it is about a position alone.
    #[reads(Active)]
    fn active(&self) -> Option<bool> {
        self.row.active
    }

    /// Rotation of the IFU, in degrees; null where it is about a position alone.
    #[reads(Rotation)]
    fn rotation(&self) -> Option<f64> {
        self.row.rotation
    }

    /// Plate scale, relative to that of the plane; null where it is about a position alone.
    #[reads(PlateScale)]
    fn plate_scale(&self) -> Option<f64> {
        self.row.plate_scale
    }

    /// `X_FP`, in arcsec from the boresight; where it is about what is in a slot, that of the slot in the grid.
    #[reads(X, Ifuslot)]
    fn x(&self) -> Option<f64> {
        self.row.x.or_else(|| Some(self.in_grid()?.x))
    }

    /// `Y_FP`, in arcsec from the boresight; where it is about what is in a slot, that of the slot in the grid.
    #[reads(Y, Ifuslot)]
    fn y(&self) -> Option<f64> {
        self.row.y.or_else(|| Some(self.in_grid()?.y))
    }

    /// What a special slot is called.
    #[reads(Name)]
    fn name(&self) -> Option<&str> {
        self.row.name.as_deref()
    }
}

impl FplaneRecord {
    /// Where the grid has its slot.
    fn in_grid(&self) -> Option<Position> {
        grid::nominal(&self.row.ifuslot)
    }
}

/// What of the sources of records a query needs; none: they are not asked for.
pub struct SourcesOf(Option<Columns<fplane_source::Model>>);

impl SourcesOf {
    /// For a connection of records that this field answers with.
    pub fn page(ctx: &Context<'_>) -> Self {
        let ahead = ctx.look_ahead();
        let nodes = ahead.field("nodes").selection_fields();
        let edges = ahead.field("edges").field("node").selection_fields();
        Self::below(nodes.into_iter().chain(edges))
    }

    /// For records that this field answers with.
    pub fn here(ctx: &Context<'_>) -> Self {
        Self::below([ctx.field()])
    }

    /// For records below these fields.
    fn below<'a>(fields: impl IntoIterator<Item = SelectionField<'a>>) -> Self {
        let (mut sources, mut people) = (Vec::new(), false);
        for field in fields {
            for below in field.selection_set() {
                match below.name() {
                    "source" => sources.push(below),
                    "recordedBy" => people = true,
                    _ => {}
                }
            }
        }
        if sources.is_empty() && !people {
            return Self(None);
        }
        let columns = source::columns_below(sources);
        Self(Some(if people {
            columns.with(SourceColumn::RecordedBy)
        } else {
            columns
        }))
    }
}

/// These rows as records, with their sources: one statement for all of these, and one for who recorded them.
pub async fn with_sources(
    database: &Database,
    records: Slice<Arc<fplane_record::Model>>,
    wanted: &SourcesOf,
) -> Result<Slice<FplaneRecord>, Failure> {
    let mut found: HashMap<i64, FplaneSource> = HashMap::new();
    if let Some(columns) = wanted.0
        && !records.rows.is_empty()
    {
        let mut ids: Vec<i64> = records.rows.iter().map(|row| row.source_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let sources = sources::by_ids(database, &ids, columns).await?;
        let sources = source::with_people(database, sources.into_values()).await?;
        found.extend(sources.into_iter().map(|source| (source.row.id, source)));
    }
    let record = |row: Arc<fplane_record::Model>| FplaneRecord {
        source: found.get(&row.source_id).cloned(),
        row,
    };
    Ok(records.map(record))
}
