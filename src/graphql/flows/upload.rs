//! The type `Upload`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::group::RunGroup;
use super::group_of::GroupOf;
use crate::database::Database;
use crate::entity::flow_upload;
use crate::failure::Failure;
use crate::flows::read::uploads;
use crate::flows::rights::Asker;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::datasets::Person;
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::{columns, columns_of_page};
use crate::links;
use crate::narrow::Columns;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};
use crate::time::from_millis;

/// A file that somebody brought: for the runs of a group, or an archive with a template. `POST /files/uploads` takes it.
#[derive(Clone)]
pub struct Upload {
    pub(super) row: Arc<flow_upload::Model>,
    level: Arc<Level>,
}

connection!(
    UploadConnection,
    UploadEdge,
    Upload,
    "A page of uploads.",
    "An upload in a page."
);

/// The rows of uploads that were loaded together.
pub(super) type UploadRows = Vec<Arc<flow_upload::Model>>;

impl Upload {
    /// An upload that was asked for alone.
    pub fn single(row: Arc<flow_upload::Model>) -> Self {
        let level = Self::level([&row]);
        Self { row, level }
    }

    /// One of several, on the level of all of them.
    pub fn on_level(row: Arc<flow_upload::Model>, level: &Arc<Level>) -> Self {
        let level = Arc::clone(level);
        Self { row, level }
    }

    /// The level of uploads that were loaded together.
    pub(super) fn level<'a>(
        rows: impl IntoIterator<Item = &'a Arc<flow_upload::Model>>,
    ) -> Arc<Level> {
        let rows: UploadRows = rows.into_iter().map(Arc::clone).collect();
        let ids = rows.iter().map(|row| row.id).collect();
        Level::with_rows(ids, Vec::new(), rows)
    }
}

/// A file that somebody brought: for the runs of a group, or an archive with a template. `POST /files/uploads` takes it.
#[row(columns = flow_upload::Column)]
impl Upload {
    /// The global id, which is what a parameter of the kind `FILE` takes.
    #[reads(Key)]
    pub fn id(&self) -> ID {
        GlobalId::Upload(self.row.key.clone()).encode()
    }

    /// The name that it was given.
    #[reads(Name)]
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Its media type, as whoever brought it said.
    #[reads(MediaType)]
    fn media_type(&self) -> &str {
        &self.row.media_type
    }

    /// Its size in bytes; a Float, since GraphQL's Int ends at 2 GiB.
    #[reads(SizeBytes)]
    fn size_bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.row.size_bytes as f64;
        bytes
    }

    /// The SHA-256 of its content, in hexadecimal digits.
    #[reads(Sha256)]
    fn checksum(&self) -> &str {
        &self.row.sha256
    }

    /// When it was brought.
    #[reads(CreatedAt)]
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.row.created_at)
    }

    /// Who brought it; null: somebody who has no account here any more. `creator` is their name.
    #[reads(CreatedBy)]
    async fn created_by(
        uploads: &[Upload],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Upload) -> Option<Person>> {
        let users = uploads.iter().filter_map(|it| it.row.created_by);
        let found = ctx.services()?.people.named(users).await;
        let found = found.map_err(failed)?;
        Ok(move |upload: &Upload| Some(Person::of(found.get(&upload.row.created_by?)?)))
    }

    /// The name of who brought it, which stays when the account goes.
    #[reads(Creator)]
    fn creator(&self) -> &str {
        &self.row.creator
    }

    /// The group for whose runs it is; null: it is of whoever brought it, for a template.
    #[reads(Id, GroupId)]
    async fn group(
        uploads: &[Upload],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Upload) -> Option<RunGroup>> {
        let list = GroupOf {
            asker: Asker::of(ctx.viewer()?),
            columns: columns::<RunGroup, _>([ctx.field()]),
        };
        let levels = uploads.iter().map(|upload| &upload.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        Ok(move |upload: &Upload| found.of(upload.row.id).cloned().flatten())
    }

    /// The path at which this server sends its content. It needs the same token as everything else.
    #[reads(Key)]
    fn url(&self) -> String {
        links::upload(&self.row.key)
    }
}

/// `RunGroup.uploads`.
pub(super) async fn of_group(
    ctx: &Context<'_>,
    groups: &Level,
    group: i64,
    page: &PageArguments,
) -> Result<UploadConnection> {
    let ordering = uploads::newest_first();
    let list = UploadList {
        columns: columns_of_page::<Upload, _>(ctx),
        page: page.resolve(PAGE, &ordering).map_err(failed)?,
    };
    let database = ctx.database()?;
    let (slice, level) = groups.children(database, &list, group).await?;
    let total = if ctx.wants_total() {
        Some(groups.children(database, &UploadTotal, group).await?)
    } else {
        None
    };
    let slice = slice.map(|row| Upload::on_level(row, &level));
    Ok(connection_of(slice, total))
}

/// `Query.uploads`.
pub(super) async fn own(ctx: &Context<'_>, page: &PageArguments) -> Result<UploadConnection> {
    let ordering = uploads::newest_first();
    let page = page.resolve(PAGE, &ordering).map_err(failed)?;
    // Who is not of this database has brought nothing to it.
    let Some(user) = ctx.viewer()?.user.as_ref().and_then(|user| user.id) else {
        return Ok(connection_of(Slice::default(), None));
    };
    let (database, columns) = (ctx.database()?, columns_of_page::<Upload, _>(ctx));
    let slice = uploads::own(database, user, columns, &page).await;
    let slice = slice.map_err(failed)?;
    let total = if ctx.wants_total() {
        Some(uploads::count_own(database, user).await.map_err(failed)?)
    } else {
        None
    };
    let level = Upload::level(&slice.rows);
    Ok(connection_of(
        slice.map(|row| Upload::on_level(row, &level)),
        total,
    ))
}

fn connection_of(slice: Slice<Upload>, total: Option<i64>) -> UploadConnection {
    let ordering = uploads::newest_first();
    UploadConnection::new(slice, total, move |upload| {
        paging::encode_cursor(&ordering, &uploads::key(&upload.row))
    })
}

/// A page of the uploads of groups.
#[derive(Clone, Hash, PartialEq, Eq)]
struct UploadList {
    columns: Columns<flow_upload::Model>,
    page: Page,
}

impl ChildList for UploadList {
    type Children = (Slice<Arc<flow_upload::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let slices = uploads::of_groups(database, level.parents(), self.columns, &self.page);
        let slices = slices.await?;
        let uploads = Upload::level(slices.values().flat_map(|slice| &slice.rows));
        let with_level = |(group, slice)| (group, (slice, Arc::clone(&uploads)));
        Ok(slices.into_iter().map(with_level).collect())
    }
}

/// How many uploads groups have.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct UploadTotal;

impl ChildList for UploadTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        uploads::count_of_groups(database, level.parents()).await
    }
}
