//! How large the statement of a query becomes.
//!
//! A number in a path can be a key or a place, and each way to read it is a sub-select of its own, in which all that is asked
//! inside it stands once more. So the size grows with the powers of what the query looks like; it is reckoned before anything
//! is made of it.

use super::cell::by_kind;
use super::path::Path;
use super::query::{Condition, Literal, Test};

/// The most sub-selects of a statement.
const MOST_SELECTS: usize = 2_000;
/// The most values that a statement binds for the query; SQLite allows 32,766 in all.
const MOST_VALUES: usize = 20_000;

/// What is in a statement: never less than what [`compile`](super::compile) makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    selects: usize,
    values: usize,
}

impl Weight {
    /// Is this more than a statement may have?
    pub(super) fn is_too_much(self) -> bool {
        self.selects > MOST_SELECTS || self.values > MOST_VALUES
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            selects: self.selects.saturating_add(other.selects),
            values: self.values.saturating_add(other.values),
        }
    }

    /// The test of a field.
    pub(super) fn of_field(path: &Path, test: &Test) -> Self {
        match test {
            Test::All(tests) => sum(tests.iter().map(|test| Self::of_field(path, test))),
            Test::Not(test) => Self::of_field(path, test),
            Test::In(literals) => {
                let kinds = by_kind(literals).len();
                let missing = if literals.contains(&Literal::Null) {
                    // A context, and what is absent there.
                    2 * path.context_count()
                } else {
                    0
                };
                Self {
                    selects: path.end_count() * kinds + missing,
                    values: path.end_count().saturating_mul(of_literals(literals)),
                }
            }
            // An array's elements are reached as often as its ends.
            _ => Self::of_value(test).inside(path.end_count()),
        }
    }

    /// The test of one value.
    fn of_value(test: &Test) -> Self {
        let values = match test {
            Test::All(tests) => return sum(tests.iter().map(Self::of_value)),
            Test::Not(test) => return Self::of_value(test),
            Test::Element(condition) => return Self::of(condition).inside(1),
            Test::ElementValue(test) => return Self::of_value(test).inside(1),
            Test::In(literals) => of_literals(literals),
            Test::Exists | Test::Kind(_) => 0,
            // At most: a pattern and two bounds; twice the beginning of a text, and its rest.
            Test::Matches(_) | Test::Compare(..) | Test::Size(_) => 3,
        };
        Self { selects: 0, values }
    }

    fn of(condition: &Condition) -> Self {
        match condition {
            Condition::All(parts) | Condition::Any(parts) | Condition::None(parts) => {
                sum(parts.iter().map(Self::of))
            }
            Condition::Field(path, test) => Self::of_field(path, test),
        }
    }

    /// The same in so many sub-selects.
    fn inside(self, selects: usize) -> Self {
        Self {
            selects: self.selects.saturating_add(1).saturating_mul(selects),
            values: self.values.saturating_mul(selects),
        }
    }
}

/// A long text is bound in two parts.
fn of_literals(literals: &[Literal]) -> usize {
    2 * literals.len()
}

fn sum(weights: impl Iterator<Item = Weight>) -> Weight {
    weights.fold(Weight::default(), Weight::and)
}
