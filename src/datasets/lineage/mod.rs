//! What datasets were derived from, and what was derived from them.
//!
//! A dataset names its parents by their UUIDs, in its README and its annotations. Where exactly, the dependency keys say,
//! which are configured. From there links are kept, from a dataset to the UUIDs of its parents, so that a walk is one
//! recursive statement. They are written with the dataset, in its transaction.
//!
//! The keys in force stand in the database: so all who write datasets, servers and commands, make links by the same keys. When
//! a server starts with others, it puts them there and makes the links of all datasets anew, a few at a time
//! ([`rebuild`]).

pub mod keys;
pub mod read;
pub mod rebuild;
mod walk;
mod write;

pub use keys::{DependencyKey, DependencyKeys, KeyError};
pub use walk::{Direction, Lineage, MOST_NODES, Walk, statement as walk_statement, walk};
pub use write::links;
