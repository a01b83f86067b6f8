//! Records and tags by their row ids, and ids in the one form in which they are stored.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::database::{Database, is_one_of};
use crate::entity::{fplane_record, fplane_tag};
use crate::failure::Failure;
use crate::fplanes::readers::fields;
use crate::narrow::{self, Columns};

/// An id as records have it: at least three digits, and no more zeros before it than that takes. What is no id stays as it
/// is: no record has it.
pub fn id_form(text: &str) -> String {
    fields::id(text.trim()).unwrap_or_else(|| text.to_owned())
}

/// The records with these row ids, as far as there are such.
pub async fn records(
    database: &Database,
    ids: &[i64],
) -> Result<Vec<Arc<fplane_record::Model>>, Failure> {
    let column = fplane_record::Column::Id.as_column_ref();
    let condition = Condition::all().add(is_one_of(database, column, ids));
    let found = narrow::find::<fplane_record::Entity>(database, condition, Columns::all()).await?;
    Ok(found.into_iter().collect())
}

/// The tags with these row ids, also those that stand for something else by now, as far as there are such.
pub async fn tags(
    database: &Database,
    ids: &[i64],
) -> Result<HashMap<i64, fplane_tag::Model>, Failure> {
    let column = fplane_tag::Column::Id.as_column_ref();
    let tags = fplane_tag::Entity::find().filter(is_one_of(database, column, ids));
    let found = tags.all(database.read()).await?;
    Ok(found.into_iter().map(|tag| (tag.id, tag)).collect())
}

#[cfg(test)]
mod tests {
    use super::id_form;

    #[test]
    fn ids_have_one_form() {
        for (text, form) in [
            ("21", "021"),
            (" 021 ", "021"),
            ("0007", "007"),
            ("1042", "1042"),
            ("0", "000"),
            ("N01", "N01"),
        ] {
            assert_eq!(id_form(text), form, "{text}");
        }
    }
}
