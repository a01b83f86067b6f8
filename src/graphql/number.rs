//! Whole numbers as GraphQL has them.

/// GraphQL's `Int` has 32 bits. A number of a foreign file that does not fit says nothing sensible: it becomes null.
pub fn int(number: Option<i64>) -> Option<i32> {
    number.and_then(|number| i32::try_from(number).ok())
}

/// A count; above what `Int` holds it stays at the largest.
pub fn count(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
