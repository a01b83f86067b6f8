//! A dataset that is registered.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A dataset that is registered: a folder or a bucket with items that dtool froze.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "dataset")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub base_uri_id: i64,
    /// The text of the base URI, once more: lists are ordered by it.
    pub base_uri: String,
    pub uri: String,
    pub uuid: String,
    pub name: String,
    pub creator_username: String,
    /// Microseconds since 1970-01-01 UTC; the same as `frozen_at` where dtool did not record it.
    pub created_at: i64,
    /// Microseconds since 1970-01-01 UTC.
    pub frozen_at: i64,
    /// None: whoever registered it did not say.
    pub item_count: Option<i64>,
    /// Of all items together; none: whoever registered it did not say.
    pub size_bytes: Option<i64>,
    /// How many items the manifest has: rows of `dataset_item`.
    pub manifest_count: i64,
    pub hash_function: Option<String>,
    /// The version of dtoolcore that wrote the manifest.
    pub manifest_version: Option<String>,
    /// The version of dtoolcore that made it.
    pub dtoolcore_version: Option<String>,
    /// What it looked like when it was last read; none: it was not read, somebody told of it.
    pub fingerprint: Option<String>,
    /// Milliseconds since 1970-01-01 UTC; for the first time.
    pub registered_at: i64,
    /// The user who registered it for the first time; none: labql itself.
    pub registered_by: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC; when this row was last written.
    pub updated_at: i64,
    /// A JSON array, sorted; the same as in `dataset_tag`.
    pub tags: String,
    /// A JSON object.
    #[long]
    pub annotations: String,
    /// Why the README is not YAML.
    pub readme_problem: Option<String>,
    #[long]
    pub readme_text: String,
    /// JSON: what the README says when read as YAML; none where there is a problem.
    #[long]
    pub readme: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::base_uri::Entity",
        from = "Column::BaseUriId",
        to = "super::base_uri::Column::Id"
    )]
    BaseUri,
}

impl Related<super::base_uri::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::BaseUri.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
