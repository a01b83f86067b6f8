//! What is wrong or odd about a text that is imported.

use async_graphql::Enum;
use macros::row;

use crate::fplanes::readers::{Problem, ProblemCode};
use crate::graphql::json::json_enums;
use crate::graphql::number::count;

/// Of which kind a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "ProblemCode")]
pub enum FplaneProblemCode {
    /// More bytes than are read.
    TooLarge,
    /// More rows than are read.
    TooManyRows,
    /// No row that can be used.
    NoRows,
    /// The header does not name the columns that are needed.
    WrongHeader,
    /// More bytes in a line than are read.
    LineTooLong,
    /// Not as many columns as there should be.
    WrongColumnCount,
    /// No name of a slot.
    WrongIfuslot,
    /// No id.
    WrongId,
    /// No number, or one that cannot be in a focal plane.
    WrongNumber,
    /// No date.
    WrongDate,
    /// A place at which the grid has no slot.
    PlaceOutsideGrid,
    /// The same slot again: one of the rows counts.
    DuplicateIfuslot,
    /// Two slots in use have the same spectrograph.
    DuplicateSpecid,
    /// Two slots in use have the same place in the enclosure.
    DuplicateSpecslot,
    /// Two slots in use have the same IFU.
    DuplicateIfuid,
    /// A slot of VIRUS with an id of 900 or more, which are those of special slots.
    PlaceholderId,
    /// A slot that is neither of the grid nor special.
    UnknownIfuslot,
    /// An IFU in the middle of the plane, where none can be.
    IfuInCentre,
    /// A slot in use that has no spectrograph.
    ActiveWithoutSpectrograph,
    /// A position further from the place by design than units are off.
    LargeOffset,
    /// Rows separated in another way than most of the file, as those that were added by hand.
    OddSpacing,
    /// Positions with different numbers of decimals.
    MixedDecimals,
    /// Positions by design among measured ones.
    MixedPositions,
    /// `00` instead of `000` where there is no spectrograph.
    OldEmptyCode,
    /// Six columns, as in 2015.
    SixColumns,
    /// No row of the boresight.
    NoBoresight,
    /// There are more problems than are told.
    MoreProblems,
}

json_enums!(FplaneProblemCode);

/// Something in a text that is wrong or odd.
pub struct FplaneProblem(pub(super) Problem);

/// Something in a text that is wrong or odd.
#[row]
impl FplaneProblem {
    /// The line, from 1; 0: it is about no line of its own.
    fn line(&self) -> i32 {
        count(self.0.line)
    }

    /// Of which kind it is.
    fn code(&self) -> FplaneProblemCode {
        self.0.code.into()
    }

    /// What is wrong, for a person.
    fn message(&self) -> &str {
        &self.0.message
    }
}
