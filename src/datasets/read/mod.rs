//! Questions about datasets. Each of them is asked for a [`Reader`]: what somebody may not search is not seen, counted or
//! summed, and what is looked for there is not found, like what does not exist.

pub mod base_uris;
pub mod changes;
pub mod content;
pub mod datasets;
pub mod filter;
pub mod groups;
pub mod items;
pub mod overlays;
mod reader;
pub mod related;

pub use filter::DatasetFilter;
pub use reader::Reader;
