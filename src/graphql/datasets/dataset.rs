//! The type `Dataset`.

use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::changes::{self, DatasetChangeConnection};
use super::lineage::{self, DatasetLineage, LineageDirection, ParentDataset};
use super::manifest::DatasetManifest;
use super::overlay::{self, DatasetOverlay};
use super::related;
use super::signed::{self, DatasetSignedUrls};
use crate::datasets::read::related::Relation;
use crate::entity::{dataset, user};
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::json_text::JsonText;
use crate::graphql::level::Level;
use crate::graphql::number::int;
use crate::graphql::rows::Rows;
use crate::time::{from_micros, from_millis};

/// A dataset as dtool makes them: items that belong together, frozen, with a README, tags and annotations.
#[derive(Clone)]
pub struct Dataset {
    pub(super) row: Arc<dataset::Model>,
    level: Arc<Level>,
}

connection!(
    DatasetConnection,
    DatasetEdge,
    Dataset,
    "A page of datasets.",
    "A dataset in a page."
);

impl Dataset {
    /// A dataset that was asked for alone.
    pub fn single(row: Arc<dataset::Model>) -> Self {
        let level = Level::new(vec![row.id], Vec::new());
        Self { row, level }
    }

    /// A dataset of a page, on the level of all in it.
    pub fn on_level(row: Arc<dataset::Model>, level: &Arc<Level>) -> Self {
        Self {
            row,
            level: Arc::clone(level),
        }
    }

    /// The level that it is on.
    pub(super) fn level(&self) -> &Arc<Level> {
        &self.level
    }
}

/// A dataset as dtool makes them: items that belong together, frozen, with a README, tags and annotations.
#[row(columns = dataset::Column)]
impl Dataset {
    /// The global id.
    #[reads(Uri)]
    pub fn id(&self) -> ID {
        GlobalId::Dataset(self.row.uri.clone()).encode()
    }

    /// Its UUID, in lower case. Copies of a dataset share it.
    #[reads(Uuid)]
    fn uuid(&self) -> &str {
        &self.row.uuid
    }

    /// Where it is, such as `s3://bucket/…` or `file://host/path/name`.
    #[reads(Uri)]
    fn uri(&self) -> &str {
        &self.row.uri
    }

    /// What it lies in: its URI without the last part.
    #[reads(BaseUri)]
    fn base_uri(&self) -> &str {
        &self.row.base_uri
    }

    /// Its name.
    #[reads(Name)]
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Who made it, by the name that dtool knows.
    #[reads(CreatorUsername)]
    fn creator_username(&self) -> &str {
        &self.row.creator_username
    }

    /// When it was made; when it was frozen, where dtool did not record it.
    #[reads(CreatedAt)]
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.created_at)
    }

    /// When it was frozen.
    #[reads(FrozenAt)]
    fn frozen_at(&self) -> Option<DateTime<Utc>> {
        from_micros(self.row.frozen_at)
    }

    /// Its tags, sorted.
    #[reads(Tags)]
    fn tags(&self) -> Vec<String> {
        serde_json::from_str(&self.row.tags).unwrap_or_default()
    }

    /// Its annotations: an object with any JSON value for each name.
    #[reads(Annotations)]
    fn annotations(&self) -> JsonText {
        JsonText::written(self.row.annotations.clone())
    }

    /// How many items it has; null when whoever registered it did not say, and when there are more than 2,147,483,647.
    #[reads(ItemCount)]
    fn item_count(&self) -> Option<i32> {
        int(self.row.item_count)
    }

    /// The size of all items together, in bytes; a Float, since GraphQL's Int ends at 2 GiB. Null when whoever registered it
    /// did not say.
    #[reads(SizeBytes)]
    fn size_bytes(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        self.row.size_bytes.map(|bytes| bytes as f64)
    }

    /// The version of dtoolcore that made it; null when whoever registered it did not say.
    #[reads(DtoolcoreVersion)]
    fn dtoolcore_version(&self) -> Option<&str> {
        self.row.dtoolcore_version.as_deref()
    }

    /// When it was registered here for the first time.
    #[reads(RegisteredAt)]
    fn registered_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.row.registered_at)
    }

    /// When what is registered last changed.
    #[reads(UpdatedAt)]
    fn updated_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.row.updated_at)
    }

    /// Who registered it for the first time; null: the server itself, which read its base URI.
    #[reads(RegisteredBy)]
    async fn registered_by(
        datasets: &[Dataset],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Dataset) -> Option<Person>> {
        let users = datasets.iter().filter_map(|it| it.row.registered_by);
        let found = ctx.services()?.people.named(users).await;
        let found = found.map_err(failed)?;
        Ok(move |dataset: &Dataset| {
            let user = found.get(&dataset.row.registered_by?)?;
            Some(Person::of(user))
        })
    }

    /// What describes it.
    #[reads(below = DatasetReadme)]
    fn readme(&self) -> DatasetReadme {
        DatasetReadme(Arc::clone(&self.row))
    }

    /// Its items.
    #[reads(below = DatasetManifest)]
    fn manifest(&self) -> DatasetManifest {
        DatasetManifest::new(&self.row, &self.level)
    }

    /// Other datasets with the same UUID that you may see, by URI; at most 50,000 of all in a list together.
    #[reads()]
    async fn copies(
        datasets: &[Dataset],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Dataset) -> Rows<Dataset>> {
        related::of_datasets(datasets, ctx, Relation::Copies).await
    }

    /// What is said of its items, by name.
    #[reads()]
    async fn overlays(
        datasets: &[Dataset],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Dataset) -> Rows<DatasetOverlay>> {
        overlay::overlays(datasets, ctx).await
    }

    /// URLs under which anybody can read its files from the bucket for a while, those of its items apart
    /// (`DatasetItem.signedUrl`); null when it lies in no bucket that this server reaches.
    #[reads(Uri, Annotations)]
    async fn signed_urls(
        datasets: &[Dataset],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Dataset) -> Option<DatasetSignedUrls>> {
        signed::of_datasets(datasets, ctx).await
    }

    /// What it was derived from, by UUID: what its README and annotations say at the configured dependency keys; at most 50,000
    /// of all in a list together.
    #[reads()]
    async fn derived_from(
        datasets: &[Dataset],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Dataset) -> Rows<ParentDataset>> {
        lineage::derived_from(datasets, ctx).await
    }

    /// What was derived from it, as far as you may see that, by URI; at most 50,000 of all in a list together.
    #[reads()]
    async fn derivatives(
        datasets: &[Dataset],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Dataset) -> Rows<Dataset>> {
        related::of_datasets(datasets, ctx, Relation::Derivatives).await
    }

    /// What people changed of it here, the newest first; at most the last 100 changes are kept. A dataset that is read or
    /// registered anew is no change.
    #[reads()]
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<DatasetChangeConnection> {
        changes::changes(self, ctx, first, after).await
    }

    /// The datasets that it hangs together with. Only datasets that you may see tell what they were derived from: others, and
    /// those that are not registered, are mere UUIDs at the ends.
    #[reads()]
    async fn lineage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to go; both ways when absent.")] direction: Option<
            LineageDirection,
        >,
        #[graphql(desc = "How many steps, from 1 to 100; as many as there are when absent.")]
        depth: Option<i32>,
        #[graphql(desc = "Only along links by these of the configured dependency keys.")]
        keys: Option<Vec<String>>,
    ) -> Result<DatasetLineage> {
        lineage::lineage(self, ctx, direction, depth, keys).await
    }
}

/// What describes a dataset.
#[derive(Clone)]
pub struct DatasetReadme(Arc<dataset::Model>);

/// What describes a dataset.
#[row(columns = dataset::Column)]
impl DatasetReadme {
    /// As it was written.
    #[reads(ReadmeText)]
    fn text(&self) -> &str {
        &self.0.readme_text
    }

    /// What it says when read as YAML, with dates as the text that they are; null when it is empty or cannot be read.
    #[reads(Readme)]
    fn content(&self) -> Option<JsonText> {
        self.0.readme.clone().map(JsonText::written)
    }

    /// Why it cannot be read as YAML; null when it can.
    #[reads(ReadmeProblem)]
    fn problem(&self) -> Option<&str> {
        self.0.readme_problem.as_deref()
    }
}

/// A user, as other users see them.
#[derive(Clone)]
pub struct Person {
    username: String,
    display_name: Option<String>,
}

impl Person {
    /// What others see of a user.
    pub fn of(user: &user::Model) -> Self {
        Self {
            username: user.username.clone(),
            display_name: user.display_name.clone(),
        }
    }
}

/// A user, as other users see them.
#[row]
impl Person {
    /// The name to log in with.
    fn username(&self) -> &str {
        &self.username
    }

    /// The name to show.
    fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }
}
