//! Where what is known of focal planes comes from.

use std::sync::Arc;

use async_graphql::{Enum, ID, SelectionField};
use chrono::{DateTime, Utc};
use macros::row;

use crate::auth::accounts;
use crate::database::Database;
use crate::entity::fplane_source::Column;
use crate::entity::{fplane_source, user};
use crate::failure::Failure;
use crate::fplanes::read::SourceKind;
use crate::graphql::connection::connection;
use crate::graphql::datasets::Person;
use crate::graphql::id::GlobalId;
use crate::graphql::json::json_enums;
use crate::graphql::rows::columns;
use crate::narrow::Columns;
use crate::paging::Slice;
use crate::time::from_micros;

/// Of which kind a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "SourceKind")]
pub enum FplaneSourceKind {
    /// A status message of the telescope.
    Status,
    /// A file of a focal plane.
    File,
    /// A list of what was in which slot on which night.
    Mapping,
    /// A list of measured positions.
    Positions,
    /// A correction that a person made.
    Correction,
}

json_enums!(FplaneSourceKind);

/// Where something known of focal planes comes from: a message, file or correction, kept as it came.
#[derive(Clone)]
pub struct FplaneSource {
    pub(super) row: Arc<fplane_source::Model>,
    recorded_by: Option<Arc<user::Model>>,
}

connection!(
    FplaneSourceConnection,
    FplaneSourceEdge,
    FplaneSource,
    "A page of the sources of focal planes.",
    "A source in a page."
);

/// Where something known of focal planes comes from: a message, file or correction, kept as it came.
#[row(columns = fplane_source::Column)]
impl FplaneSource {
    /// The global id.
    #[reads(Id)]
    pub fn id(&self) -> ID {
        GlobalId::FplaneSource(self.row.id).encode()
    }

    /// Of which kind it is; null: one that this server does not know yet.
    #[reads(Kind)]
    fn kind(&self) -> Option<FplaneSourceKind> {
        SourceKind::from_name(&self.row.kind).map(Into::into)
    }

    /// What whoever told it calls it, such as the name of a file.
    #[reads(Name)]
    fn name(&self) -> Option<&str> {
        self.row.name.as_deref()
    }

    /// Since when what it says holds.
    #[reads(ValidFrom)]
    fn valid_from(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.valid_from)
    }

    /// Until when a correction holds; null: for good. Of other sources always null: they hold until something else is told.
    #[reads(ValidUntil)]
    fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.row.valid_until.and_then(from_micros)
    }

    /// When it was recorded.
    #[reads(RecordedAt)]
    fn recorded_at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.recorded_at)
    }

    /// Who recorded it; null: labql itself, or somebody who has no account here any more. `author` is their name.
    #[reads(RecordedBy)]
    fn recorded_by(&self) -> Option<Person> {
        self.recorded_by.as_deref().map(Person::of)
    }

    /// The name of who recorded it, which stays when the account goes.
    #[reads(Author)]
    fn author(&self) -> &str {
        &self.row.author
    }

    /// Why a correction was made.
    #[reads(Reason)]
    fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    /// By what it is seen that something was told before.
    #[reads(Digest)]
    fn digest(&self) -> &str {
        &self.row.digest
    }

    /// As it came: JSON of status messages and corrections, the text of files and lists.
    #[reads(Content)]
    fn content(&self) -> &str {
        &self.row.content
    }
}

/// The columns that the selections below these fields need.
pub fn columns_below<'a>(
    fields: impl IntoIterator<Item = SelectionField<'a>>,
) -> Columns<fplane_source::Model> {
    columns::<FplaneSource, _>(fields).with(Column::Id)
}

/// These rows as sources, with who recorded them: one statement for all. Where nobody asks who did, that column was not
/// read, and nobody is looked for.
pub async fn with_people(
    database: &Database,
    rows: impl IntoIterator<Item = Arc<fplane_source::Model>>,
) -> Result<Vec<FplaneSource>, Failure> {
    let rows: Vec<_> = rows.into_iter().collect();
    let users = rows.iter().filter_map(|row| row.recorded_by);
    let people = accounts::people(database, users).await?;
    let source = |row: Arc<fplane_source::Model>| FplaneSource {
        recorded_by: row.recorded_by.and_then(|user| people.get(&user).cloned()),
        row,
    };
    Ok(rows.into_iter().map(source).collect())
}

/// The same for a page.
pub async fn page_with_people(
    database: &Database,
    slice: Slice<Arc<fplane_source::Model>>,
) -> Result<Slice<FplaneSource>, Failure> {
    let rows = with_people(database, slice.rows).await?;
    Ok(Slice {
        rows,
        has_previous: slice.has_previous,
        has_next: slice.has_next,
    })
}

impl FplaneSource {
    /// Who recorded it.
    pub(super) fn person(&self) -> Option<Person> {
        self.recorded_by.as_deref().map(Person::of)
    }
}
