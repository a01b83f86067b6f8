//! The type `Upload`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::group::RunGroup;
use crate::database::Database;
use crate::entity::{flow_group, flow_upload};
use crate::failure::Failure;
use crate::flows::read::{groups, uploads};
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
type UploadRows = Vec<Arc<flow_upload::Model>>;

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
    Ok(UploadConnection::new(slice, total, move |upload| {
        paging::encode_cursor(&ordering, &uploads::key(&upload.row))
    }))
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

/// The groups of uploads.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct GroupOf {
    asker: Asker,
    columns: Columns<flow_group::Model>,
}

impl ChildList for GroupOf {
    type Children = Option<RunGroup>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let Some(uploads) = level.rows::<UploadRows>() else {
            return Ok(HashMap::new());
        };
        let mut ids: Vec<i64> = uploads.iter().filter_map(|it| it.group_id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = groups::by_ids(database, self.asker, &ids, self.columns).await?;
        let groups = RunGroup::level(found.values());
        let of_upload = |upload: &Arc<flow_upload::Model>| {
            let row = upload.group_id.and_then(|id| found.get(&id));
            let group = row.map(|row| RunGroup::on_level(Arc::clone(row), &groups));
            (upload.id, group)
        };
        Ok(uploads.iter().map(of_upload).collect())
    }
}
