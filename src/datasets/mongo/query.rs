//! What a query is, once it is understood.

use std::hash::{Hash, Hasher};

use super::path::Path;
use super::regex::Pattern;

/// A query that can be compiled. Queries are the same if they were written alike.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) condition: Condition,
    /// As it was written.
    pub(super) source: String,
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Query {}

impl Hash for Query {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

/// What must hold of a document, or of an element of an array that is a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All of these: `$and`, and fields side by side.
    All(Vec<Condition>),
    /// One of these at least: `$or`.
    Any(Vec<Condition>),
    /// None of these: `$nor`.
    None(Vec<Condition>),
    /// This holds of a field.
    Field(Path, Test),
}

/// What must hold of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// All of these; perhaps by different elements of an array.
    All(Vec<Test>),
    /// Not this.
    Not(Box<Test>),
    /// It is one of these; of an empty list it is none.
    In(Vec<Literal>),
    /// It stands in this relation to a value of its kind.
    Compare(Relation, Literal),
    /// It is there.
    Exists,
    /// It is a text in which the pattern is found.
    Matches(Pattern),
    /// It is an array of so many elements.
    Size(u32),
    /// It is of one of these kinds.
    Kind(Vec<Kind>),
    /// It is an array with an element that is a document of which this holds.
    Element(Box<Condition>),
    /// It is an array with an element of which this holds.
    ElementValue(Box<Test>),
}

/// An order relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `$gt`
    Greater,
    /// `$gte`
    GreaterOrEqual,
    /// `$lt`
    Less,
    /// `$lte`
    LessOrEqual,
}

/// A value in a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Null, which a missing field equals too.
    Null,
    /// True or false.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A text.
    Text(String),
    /// An array or a document, by its digest.
    Composite(Kind, String),
    /// A moment, in microseconds since 1970-01-01 UTC.
    Moment(i64),
}

/// The kinds of values, which never compare with each other. The numbers are those in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Null.
    Null = 1,
    /// A number.
    Number = 2,
    /// A text.
    Text = 3,
    /// A document.
    Document = 4,
    /// An array.
    Array = 5,
    /// True or false.
    Bool = 6,
    /// A moment.
    Moment = 7,
}

impl Literal {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Composite(kind, _) => *kind,
            Self::Moment(_) => Kind::Moment,
        }
    }
}
