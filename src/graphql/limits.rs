//! How large a document may be.

use serde::{Deserialize, Serialize};

/// How large a document may be. All counts are of the document with its fragments expanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the document's text, without its variables.
    pub max_bytes: usize,
    /// Tokens of the text.
    pub max_tokens: usize,
    /// Brackets open at once in the text, and selection sets in one another with fragments expanded.
    pub max_nesting: usize,
    /// Fields in one another, in an operation on data.
    pub max_depth: usize,
    /// Fields, spreads and inline fragments of all operations of the document together.
    pub max_nodes: u64,
    /// Fields with an alias, in one operation.
    pub max_aliases: u64,
    /// Fields at the root of one operation.
    pub max_root_fields: u64,
    /// Directives in one operation.
    pub max_directives: u64,
    /// The cost of one operation: the fields that its answer may have. What stands below a list counts once for each
    /// item: a list with pages has as many as its argument `first` or `last` says, a list by `ids` as many as there
    /// are ids, any other list `unpaged_list`, and what stands in several lists counts for the product. Spreads and
    /// inline fragments count as fields. The tail of a log counts by its argument `lines`.
    pub max_cost: u64,
    /// Items that a list with pages counts for when neither `first` nor `last` is given.
    pub default_page: u64,
    /// Items that any page counts for at most; resolvers refuse or clamp larger pages themselves.
    pub max_page: u64,
    /// Items that a list without pages counts for.
    pub unpaged_list: u64,
    /// Lines of a log that count as one field.
    pub lines_per_field: u64,
    /// Fields in one another, in an operation on the schema.
    pub introspection_depth: usize,
    /// Fields, spreads and inline fragments of an operation on the schema.
    pub introspection_nodes: u64,
    /// Lists in one another, in an operation on the schema.
    pub introspection_list_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 128 * 1024,
            max_tokens: 8_000,
            max_nesting: 60,
            max_depth: 24,
            max_nodes: 5_000,
            max_aliases: 200,
            max_root_fields: 30,
            max_directives: 100,
            max_cost: 400_000,
            default_page: 50,
            max_page: 25_000,
            unpaged_list: 10,
            lines_per_field: 10,
            introspection_depth: 24,
            introspection_nodes: 1_000,
            introspection_list_depth: 3,
        }
    }
}
