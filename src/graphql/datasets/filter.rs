//! Filters and orders of datasets.

use async_graphql::{Enum, InputObject};
use chrono::{DateTime, Utc};

use crate::datasets::mongo;
use crate::datasets::read;
use crate::datasets::read::datasets as datasets_read;
use crate::datasets::read::filter::Range;
use crate::datasets::text::TextQuery;
use crate::failure::Failure;
use crate::graphql::experiments::OrderDirection;
use crate::graphql::json_text::JsonText;
use crate::text;

/// How many values a list in a filter holds at most.
const MOST_VALUES: usize = 500;
/// How many tags a filter names at most: each is looked for by itself.
const MOST_TAGS: usize = 20;

/// Which datasets are asked for; all conditions must hold. Texts are compared as they are.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DatasetFilter {
    /// With any of these UUIDs.
    uuids: Option<Vec<String>>,
    /// In any of these base URIs.
    base_uris: Option<Vec<String>>,
    /// Made by any of these people.
    creator_usernames: Option<Vec<String>>,
    /// With all of these tags, at most 20.
    tags: Option<Vec<String>>,
    /// Registered for the first time by any of these users.
    registered_by: Option<Vec<String>>,
    /// Registered for the first time in this time.
    registered_at: Option<TimeRange>,
    /// Made in this time.
    created_at: Option<TimeRange>,
    /// Frozen in this time.
    frozen_at: Option<TimeRange>,
    /// With items of so many bytes together; those whose size is not known are left out.
    size_bytes: Option<NumberRange>,
    /// With so many items; those of which it is not known are left out.
    item_count: Option<NumberRange>,
    /// In which these words are found, in any of their forms and whatever their case and accents: one of them, or each
    /// `"quoted phrase"`, and none that begins with `-`. Names, tags, README, annotations, paths and hashes are searched. Those
    /// that fit best come first, unless another order is asked for.
    text: Option<String>,
    /// Of which this query in MongoDB's language holds: over the whole document that dtool and dserver know, with dotted paths
    /// into `readme`, `annotations` and `manifest`. Operators: $eq $ne $gt $gte $lt $lte $in $nin $exists $type $regex $options
    /// $size $all $elemMatch $not $and $or $nor.
    mongo: Option<JsonText>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, InputObject)]
pub struct TimeRange {
    /// From this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub before: Option<DateTime<Utc>>,
}

/// Numbers from one to another.
#[derive(Clone, Copy, Debug, Default, InputObject)]
struct NumberRange {
    /// This number or more.
    min: Option<f64>,
    /// This number or less.
    max: Option<f64>,
}

impl From<TimeRange> for Range {
    fn from(range: TimeRange) -> Self {
        Self {
            min: range.from.map(|time| time.timestamp_micros()),
            max: range
                .before
                .map(|time| time.timestamp_micros().saturating_sub(1)),
        }
    }
}

impl TimeRange {
    /// In milliseconds.
    fn millis(self) -> Range {
        Range {
            min: self.from.map(|time| time.timestamp_millis()),
            max: self
                .before
                .map(|time| time.timestamp_millis().saturating_sub(1)),
        }
    }
}

impl From<NumberRange> for Range {
    fn from(range: NumberRange) -> Self {
        // Conversion saturates.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole numbers are compared"
        )]
        Self {
            min: range.min.map(|min| min.ceil() as i64),
            max: range.max.map(|max| max.floor() as i64),
        }
    }
}

impl TryFrom<DatasetFilter> for read::DatasetFilter {
    type Error = Failure;

    fn try_from(filter: DatasetFilter) -> Result<Self, Failure> {
        let lower = |uuids: Vec<String>| uuids.iter().map(|it| it.to_ascii_lowercase()).collect();
        let mut tags = texts("tags", filter.tags)?.unwrap_or_default();
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > MOST_TAGS {
            return Err(Failure::bad_input("tags", format!("at most {MOST_TAGS}")));
        }
        let text = filter.text.as_deref().map(TextQuery::parse).transpose();
        let text = text.map_err(|error| Failure::bad_input("text", error.to_string()))?;
        Ok(Self {
            text,
            mongo: filter.mongo.as_ref().map(query).transpose()?,
            uuids: texts("uuids", filter.uuids)?.map(lower),
            base_uris: texts("baseUris", filter.base_uris)?,
            creator_usernames: texts("creatorUsernames", filter.creator_usernames)?,
            tags,
            registered_by: texts("registeredBy", filter.registered_by)?,
            registered_at: filter
                .registered_at
                .map(TimeRange::millis)
                .unwrap_or_default(),
            created_at: filter.created_at.map(Into::into).unwrap_or_default(),
            frozen_at: filter.frozen_at.map(Into::into).unwrap_or_default(),
            size_bytes: filter.size_bytes.map(Into::into).unwrap_or_default(),
            item_count: filter.item_count.map(Into::into).unwrap_or_default(),
        })
    }
}

fn query(json: &JsonText) -> Result<mongo::Query, Failure> {
    let json = json.value().map_err(Failure::internal)?;
    mongo::parse(&json).map_err(|error| Failure::bad_input("mongo", error.to_string()))
}

/// The texts of a list of a filter.
pub fn texts(
    field: &'static str,
    texts: Option<Vec<String>>,
) -> Result<Option<Vec<String>>, Failure> {
    let Some(texts) = texts else { return Ok(None) };
    if texts.len() > MOST_VALUES {
        let message = format!("at most {MOST_VALUES} values");
        return Err(Failure::bad_input(field, message));
    }
    // PostgreSQL refuses zero bytes; no text that is stored has one.
    Ok(Some(
        texts.iter().map(|text| text::without_zero(text)).collect(),
    ))
}

/// By what datasets can be ordered; equal ones are ordered by URI.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "datasets_read::DatasetOrderField")]
enum DatasetOrderField {
    /// The URI.
    Uri,
    /// The name.
    Name,
    /// The UUID.
    Uuid,
    /// The base URI.
    BaseUri,
    /// Who made it.
    CreatorUsername,
    /// When it was made.
    CreatedAt,
    /// When it was frozen.
    FrozenAt,
    /// When it was registered for the first time.
    RegisteredAt,
    /// The size of its items; unknown sizes count as the smallest.
    SizeBytes,
    /// How many items; unknown counts count as the smallest.
    ItemCount,
    /// How well it fits `text`: the sum, over the words that are looked for, of 4 for a word in the name, the tags or the
    /// creator, 2 for one in the README or in annotations, and 1 for one anywhere else. Without `text` it is no order.
    Relevance,
}

/// An order of datasets.
#[derive(Clone, Debug, InputObject)]
pub struct DatasetOrder {
    /// By what.
    field: DatasetOrderField,
    /// In which direction; when absent, the best first by `RELEVANCE`, and upwards by all else.
    direction: Option<OrderDirection>,
}

/// Orders as the domain has them.
pub fn order(
    filter: &read::DatasetFilter,
    orders: Option<Vec<DatasetOrder>>,
) -> datasets_read::DatasetOrder {
    let orders = orders.unwrap_or_default().into_iter();
    let field = |order: DatasetOrder| {
        let falls = order.field == DatasetOrderField::Relevance;
        let is_descending = order.direction.map(|it| it == OrderDirection::Desc);
        (order.field.into(), is_descending.unwrap_or(falls))
    };
    datasets_read::DatasetOrder::of(filter, orders.map(field))
}
