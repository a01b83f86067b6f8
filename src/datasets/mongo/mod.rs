//! Queries in MongoDB's language over whole datasets, answered by SQL.
//!
//! | room | what it does |
//! | --- | --- |
//! | [`query`] | what a query is, once it is understood |
//! | [`parse`] | understands a query, or says what is wrong with it and where |
//! | [`regex`] | regular expressions that mean the same on both databases |
//! | [`values`] | a dataset as rows, one for each value in it |
//! | [`path`] | which rows a dotted path reaches |
//! | `weight` | how large its statement becomes |
//! | [`compile`] | a query as a condition of SQL, by way of `place` (where a field is kept) and `cell` (tests of a value) |
//! | [`groups`] | how often each value occurs at a path |
//!
//! A dataset is seen as the document that dserver keeps of it: `uri`, `base_uri`, `uuid`, `name`, `type`,
//! `creator_username`, `created_at`, `frozen_at`, `number_of_items`, `size_in_bytes`, `dtoolcore_version`, `tags`,
//! `annotations`, `readme` (read as YAML) and `manifest`.
//!
//! The meaning is MongoDB's, with these differences:
//! - documents are equal whatever the order of their keys, and all numbers are double-precision;
//! - a key that contains dots is reached by them: `annotations.dotted.name`;
//! - `created_at` and `frozen_at` compare with seconds since 1970, with ISO 8601 texts and with `{"$date": …}`;
//! - regular expressions have no look-around and no back-references; `\d`, `\w`, `\s` and `\b` are of ASCII; `$` is the
//!   very end, not before a last line feed;
//! - of the manifest, `manifest.items.<identifier>.<field>`, `manifest.hash_function` and `manifest.dtoolcore_version` can be
//!   asked, not all items at once;
//! - in an element that is itself an array, `$elemMatch` with fields finds nothing.

mod cell;
pub mod compile;
pub mod groups;
mod moment;
pub mod parse;
pub mod path;
mod place;
pub mod query;
pub mod regex;
pub mod values;
mod weight;

pub use self::compile::condition;
pub use self::groups::{Group, grouped, is_column};
pub use self::parse::{MongoError, parse};
pub use self::query::Query;
pub use self::values::{Flattened, ValueRow, flatten};
