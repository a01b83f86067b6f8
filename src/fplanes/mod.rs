//! The focal plane of an instrument over time: what was in each slot, and where each slot was, as of any instant and by
//! what was known at any time.

pub mod changes;
pub mod difference;
pub mod grid;
pub mod model;
pub mod moment;
pub mod read;
pub mod readers;
pub mod settings;
pub mod sky;
pub mod svg;
pub mod text;
pub mod timeline;
pub mod write;
