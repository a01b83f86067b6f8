//! What can be wrong, or only odd, with what somebody says of the plane.

use std::fmt;

use crate::text::shorten;

/// The longest message, in characters.
const MAX_MESSAGE: usize = 300;

/// How many problems of one text are told.
pub const MAX_PROBLEMS: usize = 1_000;

/// Something in a text that is wrong or odd, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0: it is about no line of its own.
    pub line: u32,
    /// Of which kind it is.
    pub code: ProblemCode,
    /// What is wrong, for people.
    pub message: String,
}

impl Problem {
    /// A problem. The message may quote the text: it is cut, and its control characters are replaced.
    pub(super) fn new(line: u32, code: ProblemCode, message: impl fmt::Display) -> Self {
        Self {
            line,
            code,
            message: shorten(&message.to_string(), MAX_MESSAGE),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.code.as_str(), self.message),
            line => write!(f, "line {line}: {}: {}", self.code.as_str(), self.message),
        }
    }
}

/// Puts problems in the order of lines, and cuts those off that nobody would read.
pub(super) fn settle(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.line);
    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    if more > 0 {
        problems.truncate(MAX_PROBLEMS);
        let message = format!("{more} more problems are not told");
        problems.push(Problem::new(0, ProblemCode::MoreProblems, message));
    }
    problems
}

/// Defines the codes with their names, so that the two cannot differ.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal,)*) => {
        /// The kinds of problems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemCode {
            $($(#[$doc])* $code,)*
        }

        impl ProblemCode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The name of the kind, which does not change.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }
        }
    };
}

codes! {
    // The whole text is refused.
    /// More bytes than are read.
    TooLarge = "TOO_LARGE",
    /// More rows than are read.
    TooManyRows = "TOO_MANY_ROWS",
    /// No row that can be used.
    NoRows = "NO_ROWS",
    /// The header does not name the columns that are needed.
    WrongHeader = "WRONG_HEADER",

    // The line is left out.
    /// More bytes in a line than are read.
    LineTooLong = "LINE_TOO_LONG",
    /// Not as many columns as there should be.
    WrongColumnCount = "WRONG_COLUMN_COUNT",
    /// No name of a slot.
    WrongIfuslot = "WRONG_IFUSLOT",
    /// No id.
    WrongId = "WRONG_ID",
    /// No number, or one that cannot be in a focal plane.
    WrongNumber = "WRONG_NUMBER",
    /// No date.
    WrongDate = "WRONG_DATE",
    /// A place at which the grid has no slot.
    PlaceOutsideGrid = "PLACE_OUTSIDE_GRID",
    /// The same slot again: one of the rows counts.
    DuplicateIfuslot = "DUPLICATE_IFUSLOT",

    // Odd, but taken as it is.
    /// Two slots in use have the same spectrograph.
    DuplicateSpecid = "DUPLICATE_SPECID",
    /// Two slots in use have the same place in the enclosure.
    DuplicateSpecslot = "DUPLICATE_SPECSLOT",
    /// Two slots in use have the same IFU.
    DuplicateIfuid = "DUPLICATE_IFUID",
    /// A slot of VIRUS with an id of 900 or more, which are those of special slots.
    PlaceholderId = "PLACEHOLDER_ID",
    /// A slot that is neither of the grid nor special.
    UnknownIfuslot = "UNKNOWN_IFUSLOT",
    /// An IFU in the middle of the plane, where none can be.
    IfuInCentre = "IFU_IN_CENTRE",
    /// A slot in use that has no spectrograph.
    ActiveWithoutSpectrograph = "ACTIVE_WITHOUT_SPECTROGRAPH",
    /// A position further from the place by design than units are off.
    LargeOffset = "LARGE_OFFSET",
    /// Rows separated in another way than most of the file, as those that were added by hand.
    OddSpacing = "ODD_SPACING",
    /// Positions with different numbers of decimals.
    MixedDecimals = "MIXED_DECIMALS",
    /// Positions by design among measured ones.
    MixedPositions = "MIXED_POSITIONS",
    /// `00` instead of `000` where there is no spectrograph.
    OldEmptyCode = "OLD_EMPTY_CODE",
    /// Six columns, as in 2015.
    SixColumns = "SIX_COLUMNS",
    /// No row of the boresight.
    NoBoresight = "NO_BORESIGHT",

    /// There are more problems than are told.
    MoreProblems = "MORE_PROBLEMS",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_loud() {
        let mut names: Vec<&str> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProblemCode::ALL.len());
    }

    #[test]
    fn problems_are_in_the_order_of_lines_and_not_endless() {
        let problem = |line| Problem::new(line, ProblemCode::WrongId, "x\0".repeat(400));
        let problems = settle((1..=5_000).rev().map(problem).collect());
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(problems[0].line, 1);
        assert_eq!(problems[0].message.chars().count(), 301);
        assert!(!problems[0].message.contains('\0'));
        assert_eq!(
            problems[MAX_PROBLEMS].to_string(),
            "MORE_PROBLEMS: 4000 more problems are not told"
        );
        assert!(problems[9].to_string().starts_with("line 10: WRONG_ID: x"));
    }
}
