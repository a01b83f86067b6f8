//! Names for instants.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::database::{Database, is_one_of_texts};
use crate::entity::fplane_tag::{Column, Entity, Model};
use crate::failure::Failure;
use crate::fplanes::model::Plane;
use crate::time::Micros;

/// The tags that there are, by name.
pub async fn all(database: &Database) -> Result<Vec<Model>, Failure> {
    let tags = Entity::find().filter(Column::SupersededAt.is_null());
    let tags = tags.order_by_asc(Column::Name).all(database.read()).await;
    Ok(tags?)
}

/// The tag of this name; none: there is none.
pub async fn by_name(database: &Database, name: &str) -> Result<Option<Model>, Failure> {
    Ok(by_names(database, &[name.to_owned()]).await?.remove(name))
}

/// The tags of these names, as far as there are such.
pub async fn by_names(
    database: &Database,
    names: &[String],
) -> Result<BTreeMap<String, Model>, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    let names: Vec<String> = names
        .iter()
        .filter(|name| !name.contains('\0'))
        .cloned()
        .collect();
    let tags = Entity::find()
        .filter(Column::SupersededAt.is_null())
        .filter(is_one_of_texts(
            database,
            Column::Name.as_column_ref(),
            &names,
        ))
        .all(database.read())
        .await?;
    Ok(tags
        .into_iter()
        .map(|tag| (tag.name.clone(), tag))
        .collect())
}

/// All that a name has stood for, the newest first.
pub async fn of_name(database: &Database, name: &str) -> Result<Vec<Model>, Failure> {
    if name.contains('\0') {
        return Ok(Vec::new());
    }
    let tags = Entity::find().filter(Column::Name.eq(name));
    let tags = tags.order_by_desc(Column::Id).all(database.read()).await;
    Ok(tags?)
}

/// Is the instant of this tag one at which the plane is as it is?
pub fn holds(plane: &Plane, tag: &Model) -> bool {
    let is_begun = plane.valid_from.is_none_or(|from| from.micros() <= tag.at);
    let is_over = plane
        .valid_until
        .is_some_and(|until| until.micros() <= tag.at);
    is_begun && !is_over
}
