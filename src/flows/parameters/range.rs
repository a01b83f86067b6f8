//! Intervals of numbers: `[0,1]`, `(0,1)`, `[0,1)`, `(0,1]`; a side that is empty is infinite.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    low: f64,
    is_low_open: bool,
    high: f64,
    is_high_open: bool,
}

/// Why a text is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It is not of the form.
    #[error("an interval is written as [a,b], (a,b), [a,b) or (a,b], each side a number or empty")]
    Form,
    /// No number is in it.
    #[error("there is no number in this interval")]
    Empty,
}

impl Range {
    /// Is the number in it?
    pub fn contains(&self, number: f64) -> bool {
        let above = number > self.low || (number >= self.low && !self.is_low_open);
        let below = number < self.high || (number <= self.high && !self.is_high_open);
        above && below
    }

    /// The lower end, and whether it is excluded.
    pub const fn low(&self) -> (f64, bool) {
        (self.low, self.is_low_open)
    }

    /// The upper end, and whether it is excluded.
    pub const fn high(&self) -> (f64, bool) {
        (self.high, self.is_high_open)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (low, high) = text.split_once(',').ok_or(RangeError::Form)?;
        let (low, high) = (low.trim(), high.trim());
        let (is_low_open, low) = match (low.strip_prefix('['), low.strip_prefix('(')) {
            (Some(low), _) => (false, low),
            (_, Some(low)) => (true, low),
            _ => return Err(RangeError::Form),
        };
        let (is_high_open, high) = match (high.strip_suffix(']'), high.strip_suffix(')')) {
            (Some(high), _) => (false, high),
            (_, Some(high)) => (true, high),
            _ => return Err(RangeError::Form),
        };
        let range = Self {
            low: side(low, f64::NEG_INFINITY)?,
            is_low_open,
            high: side(high, f64::INFINITY)?,
            is_high_open,
        };
        let is_point = range.contains(range.low) && range.contains(range.high);
        if range.low < range.high || is_point {
            Ok(range)
        } else {
            Err(RangeError::Empty)
        }
    }
}

fn side(text: &str, empty: f64) -> Result<f64, RangeError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(empty);
    }
    let number: f64 = text.parse().map_err(|_| RangeError::Form)?;
    if number.is_nan() {
        return Err(RangeError::Form);
    }
    Ok(number)
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.is_low_open { '(' } else { '[' };
        let close = if self.is_high_open { ')' } else { ']' };
        write!(f, "{open}{:?},{:?}{close}", self.low, self.high)
    }
}

impl TryFrom<String> for Range {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_in_or_out() {
        let range: Range = "(1500, 2150]".parse().unwrap();
        assert!(!range.contains(1500.0));
        assert!(range.contains(1500.5));
        assert!(range.contains(2150.0));
        assert!(!range.contains(f64::NAN));
        assert_eq!(range.to_string(), "(1500.0,2150.0]");
        let range: Range = "[,0)".parse().unwrap();
        assert!(range.contains(f64::NEG_INFINITY) && !range.contains(0.0));
        assert_eq!(range.to_string().parse(), Ok(range));
        assert!("[1,1]".parse::<Range>().is_ok());
        for wrong in ["[1,1)", "(1,1)", "[2,1]"] {
            assert_eq!(wrong.parse::<Range>(), Err(RangeError::Empty), "{wrong}");
        }
        for wrong in [
            "", "1,2", "[1;2]", "[a,b]", "[1,2,3]", "[nan,1]", "[1", "[1,2",
        ] {
            assert_eq!(wrong.parse::<Range>(), Err(RangeError::Form), "{wrong}");
        }
    }
}
