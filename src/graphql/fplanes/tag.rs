//! Names of states of focal planes.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::plane::{Fplane, PARENT};
use crate::auth::accounts;
use crate::database::Database;
use crate::entity::{fplane_tag, user};
use crate::failure::Failure;
use crate::fplanes::read::tags;
use crate::graphql::context::ContextExt;
use crate::graphql::datasets::Person;
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::Rows;
use crate::time::from_micros;

/// A name for the focal plane at an instant: `tag:NAME` is a date wherever one is asked for.
#[derive(Clone)]
pub struct FplaneTag {
    row: Arc<fplane_tag::Model>,
    created_by: Option<Arc<user::Model>>,
}

/// A name for the focal plane at an instant: `tag:NAME` is a date wherever one is asked for.
#[row]
impl FplaneTag {
    /// The global id. When a name comes to stand for something else, that has another id.
    pub fn id(&self) -> ID {
        GlobalId::FplaneTag(self.row.id).encode()
    }

    /// The name.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// The instant that it stands for.
    fn at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.at)
    }

    /// By what was known then; null, which only an alias may have: by all that is known.
    fn known_at(&self) -> Option<DateTime<Utc>> {
        self.row.known_at.and_then(from_micros)
    }

    /// Does it stand for the same for good? Otherwise it is an alias, which may be moved.
    fn frozen(&self) -> bool {
        self.row.frozen
    }

    /// What it is for.
    fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
    }

    /// When it was made, or moved to where it is.
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.created_at)
    }

    /// Who did; null: labql itself, or somebody who has no account here any more. `author` is their name.
    fn created_by(&self) -> Option<Person> {
        self.created_by.as_deref().map(Person::of)
    }

    /// The name of who did, which stays when the account goes.
    fn author(&self) -> &str {
        &self.row.author
    }

    /// When the name came to stand for something else, or for nothing; null: it stands for this.
    fn superseded_at(&self) -> Option<DateTime<Utc>> {
        self.row.superseded_at.and_then(from_micros)
    }
}

impl FplaneTag {
    /// The row id.
    pub(super) fn row_id(&self) -> i64 {
        self.row.id
    }
}

/// These rows as tags, with who made them: one statement for all.
pub async fn with_people(
    database: &Database,
    rows: impl IntoIterator<Item = fplane_tag::Model>,
) -> Result<Vec<FplaneTag>, Failure> {
    let rows: Vec<_> = rows.into_iter().collect();
    let users = rows.iter().filter_map(|row| row.created_by);
    let people = accounts::people(database, users).await?;
    let tag = |row: fplane_tag::Model| FplaneTag {
        created_by: row.created_by.and_then(|user| people.get(&user).cloned()),
        row: Arc::new(row),
    };
    Ok(rows.into_iter().map(tag).collect())
}

/// `Fplane.tags`.
pub async fn of_planes(
    planes: &[Fplane],
    ctx: &Context<'_>,
) -> Result<impl Fn(&Fplane) -> Rows<FplaneTag> + use<>> {
    let levels = planes.iter().map(Fplane::level);
    let loaded = Level::children_of_rows(levels, ctx.database()?, &AllTags).await?;
    let all = loaded.of(PARENT).cloned().unwrap_or_default();
    let of_plane = move |plane: &Fplane| -> Vec<FplaneTag> {
        let holds = |tag: &&FplaneTag| tags::holds(&plane.plane, &tag.row);
        all.iter().filter(holds).cloned().collect()
    };
    ctx.charge(planes.iter().map(|plane| of_plane(plane).len()).sum())?;
    Ok(move |plane: &Fplane| of_plane(plane).into())
}

/// All tags that stand for something.
#[derive(Clone, PartialEq, Eq, Hash)]
struct AllTags;

impl ChildList for AllTags {
    type Children = Arc<Vec<FplaneTag>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let tags = tags::all(database).await?;
        let tags = Arc::new(with_people(database, tags).await?);
        let shared = |parent: &i64| (*parent, Arc::clone(&tags));
        Ok(level.parents().iter().map(shared).collect())
    }
}
