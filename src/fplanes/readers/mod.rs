//! Readers of what is said about focal planes: files of every form, dated mappings, lists of measured positions, and the
//! status messages of the telescope. Text in, plain facts and problems out.
//!
//! A reader knows neither labql's database nor its API, and trusts nothing that it reads.

mod boolean;
mod claims;
mod duplicates;
pub(in crate::fplanes) mod fields;
mod file;
mod lines;
mod mapping;
mod positions;
mod problem;
mod row;
mod status;
mod traps;
mod values;

pub use boolean::read_bool;
pub use claims::FilePositions;
pub use duplicates::{Duplicate, IdKind, duplicates};
pub use file::{FileForm, FplaneFile, read_file};
pub use lines::{MAX_BYTES, MAX_LINE, MAX_ROWS};
pub use mapping::read_mapping;
pub use positions::read_positions;
pub use problem::{MAX_PROBLEMS, Problem, ProblemCode};
pub use row::FileRow;
pub use status::{MAX_SLOTS, Status, StatusError, Unplaced, read_status};
