//! Which datasets are asked for.

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query, SimpleExpr};

use super::Reader;
use crate::database::{Database, is_one_of_texts};
use crate::datasets::text::TextQuery;
use crate::datasets::{mongo, text};
use crate::entity::dataset::{self, Column};
use crate::entity::{base_uri, dataset_tag, user};

/// Which datasets are asked for: all conditions must hold. Texts are compared as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DatasetFilter {
    /// With any of these UUIDs.
    pub uuids: Option<Vec<String>>,
    /// Of any of these base URIs.
    pub base_uris: Option<Vec<String>>,
    /// Made by any of these people.
    pub creator_usernames: Option<Vec<String>>,
    /// With all of these tags.
    pub tags: Vec<String>,
    /// Registered for the first time by any of these users.
    pub registered_by: Option<Vec<String>>,
    /// When they were registered for the first time, in milliseconds.
    pub registered_at: Range,
    /// When they were made, in microseconds.
    pub created_at: Range,
    /// When they were frozen, in microseconds.
    pub frozen_at: Range,
    /// How large they are, in bytes; unknown sizes are in no range.
    pub size_bytes: Range,
    /// How many items they have; unknown counts are in no range.
    pub item_count: Range,
    /// That this search finds.
    pub text: Option<TextQuery>,
    /// That this query finds.
    pub mongo: Option<mongo::Query>,
}

/// Numbers from one to another, both of them included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Range {
    /// The lowest; none: any.
    pub min: Option<i64>,
    /// The highest; none: any.
    pub max: Option<i64>,
}

impl Range {
    /// Is this number among them?
    pub fn contains(self, number: i64) -> bool {
        self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max)
    }

    /// Is every number among them?
    pub fn is_all(self) -> bool {
        self == Self::default()
    }
}

impl DatasetFilter {
    /// Does it choose by nothing but base URIs? Then what is kept of these says how many datasets there are.
    pub(super) fn is_of_base_uris(&self) -> bool {
        let others = Self {
            base_uris: None,
            ..self.clone()
        };
        others == Self::default()
    }

    /// The condition on rows of `dataset` for those that are asked for and that this reader may see.
    pub fn condition(&self, database: &Database, reader: Reader) -> Condition {
        let mut all = Condition::all().add(reader.may_see());
        for (texts, column) in [
            (&self.base_uris, Column::BaseUri),
            (&self.uuids, Column::Uuid),
            (&self.creator_usernames, Column::CreatorUsername),
        ] {
            all = match texts.as_deref() {
                None => all,
                // Of one base URI each order has its index.
                Some([text]) => all.add(column.eq(text)),
                Some(texts) if matches!(column, Column::BaseUri) => {
                    all.add(in_base_uris(database, texts))
                }
                Some(texts) => all.add(is_one_of_texts(database, column.as_column_ref(), texts)),
            };
        }
        for tag in &self.tags {
            all = all.add(has_tag(tag));
        }
        if let Some(users) = &self.registered_by {
            all = all.add(registered_by(database, users));
        }
        for (range, column) in [
            (self.created_at, Column::CreatedAt),
            (self.frozen_at, Column::FrozenAt),
            (self.registered_at, Column::RegisteredAt),
            (self.size_bytes, Column::SizeBytes),
            (self.item_count, Column::ItemCount),
        ] {
            all = between(all, range, column);
        }
        all.add_option(
            self.text
                .as_ref()
                .map(|query| text::condition(query, database.backend())),
        )
        .add_option(
            self.mongo
                .as_ref()
                .map(|query| mongo::condition(query, database.backend())),
        )
    }

    /// Does it ask for what only the database can tell?
    pub fn looks_inside(&self) -> bool {
        let by_registration = self.registered_by.is_some() || !self.registered_at.is_all();
        self.text.is_some() || self.mongo.is_some() || by_registration
    }

    /// Would a dataset like this row be among those that are asked for, but for texts and queries? Of the row only what lists
    /// show has to be known.
    pub fn admits(&self, row: &dataset::Model) -> bool {
        let any = |texts: &Option<Vec<String>>, text: &String| {
            texts.as_ref().is_none_or(|texts| texts.contains(text))
        };
        let tags: Vec<String> = serde_json::from_str(&row.tags).unwrap_or_default();
        let known = |range: Range, number: Option<i64>| {
            range.is_all() || number.is_some_and(|number| range.contains(number))
        };
        any(&self.uuids, &row.uuid)
            && any(&self.base_uris, &row.base_uri)
            && any(&self.creator_usernames, &row.creator_username)
            && self.tags.iter().all(|tag| tags.contains(tag))
            && self.created_at.contains(row.created_at)
            && self.frozen_at.contains(row.frozen_at)
            && known(self.size_bytes, row.size_bytes)
            && known(self.item_count, row.item_count)
    }
}

fn between(mut all: Condition, range: Range, column: Column) -> Condition {
    // In the columns for the orders what is unknown is below all numbers.
    let value = match column {
        Column::SizeBytes => Expr::cust("size_order"),
        Column::ItemCount => Expr::cust("items_order"),
        _ => Expr::col(column.as_column_ref()),
    };
    let unknown_are_out = range.min.is_some() || range.max.is_some();
    let min = match (range.min, column) {
        (min, Column::SizeBytes | Column::ItemCount) if unknown_are_out => {
            Some(Ord::max(min.unwrap_or_default(), 0))
        }
        (min, _) => min,
    };
    if let Some(min) = min {
        all = all.add(ExprTrait::gte(value.clone(), min));
    }
    if let Some(max) = range.max {
        all = all.add(ExprTrait::lte(value, max));
    }
    all
}

/// Several base URIs hold many datasets: as with the rights of a reader, their rows are not looked up by this.
fn in_base_uris(database: &Database, uris: &[String]) -> SimpleExpr {
    let uri = base_uri::Column::Uri.as_column_ref();
    let ids = Query::select()
        .column(base_uri::Column::Id)
        .from(base_uri::Entity)
        .and_where(is_one_of_texts(database, uri, uris))
        .to_owned();
    super::reader::base_uri_of_row().in_subquery(ids)
}

fn registered_by(database: &Database, users: &[String]) -> SimpleExpr {
    let username = user::Column::Username.as_column_ref();
    let ids = Query::select()
        .column(user::Column::Id)
        .from(user::Entity)
        .and_where(is_one_of_texts(database, username, users))
        .to_owned();
    Expr::col(Column::RegisteredBy.as_column_ref()).in_subquery(ids)
}

fn has_tag(tag: &str) -> SimpleExpr {
    use dataset_tag::Column::{DatasetId, Tag};
    let tagged = Query::select()
        .column(DatasetId)
        .from(dataset_tag::Entity)
        .and_where(Tag.eq(tag))
        .to_owned();
    Expr::col(Column::Id.as_column_ref()).in_subquery(tagged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_in_no_range() {
        let row = dataset::Model {
            tags: r#"["a","b"]"#.to_owned(),
            created_at: 5,
            ..dataset::Model::default()
        };
        assert!(DatasetFilter::default().admits(&row));
        let open = Range {
            min: None,
            max: Some(9),
        };
        let by_size = DatasetFilter {
            size_bytes: open,
            ..DatasetFilter::default()
        };
        assert!(!by_size.admits(&row));
        let by_time = DatasetFilter {
            created_at: open,
            tags: vec!["b".to_owned(), "a".to_owned()],
            ..DatasetFilter::default()
        };
        assert!(by_time.admits(&row));
        let other = DatasetFilter {
            tags: vec!["c".to_owned()],
            ..DatasetFilter::default()
        };
        assert!(!other.admits(&row));
    }
}
