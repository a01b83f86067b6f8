//! What is known of a layer of a slot of the focal plane.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// What a track holds for a time, as it is known for a time. Columns that the layer has not are empty.
#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "fplane_record")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub track_id: i64,
    /// That of the track, once more.
    pub layer: String,
    /// That of the track, once more.
    pub ifuslot: String,
    /// Microseconds since 1970-01-01 UTC, like all times here; inclusive.
    pub valid_from: i64,
    /// Exclusive; none: nothing else is known of later.
    pub valid_until: Option<i64>,
    /// When it was recorded.
    pub known_from: i64,
    /// When something else was recorded instead; none: it is what is known now.
    pub known_until: Option<i64>,
    /// Who said it first.
    pub source_id: i64,
    pub ifuid: Option<String>,
    pub specid: Option<String>,
    pub specslot: Option<String>,
    pub cntlid: Option<String>,
    pub muxid: Option<String>,
    pub active: Option<bool>,
    /// Degrees.
    pub rotation: Option<f64>,
    pub plate_scale: Option<f64>,
    /// Arcsec.
    pub x: Option<f64>,
    /// Arcsec.
    pub y: Option<f64>,
    pub name: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
