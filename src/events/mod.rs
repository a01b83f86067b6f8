//! The log of changes and the live feed that reads it.
//!
//! A command appends its events in its own transaction. Subscribers read the log from their cursor; what wakes them
//! carries no payload, so a slow subscriber costs a read and can lose nothing.

mod cursor;
mod feed;
mod log;
mod topic;

pub use cursor::{Cursor, CursorError};
pub use feed::Feed;
pub use log::{NewEvent, append, head};
pub use topic::{Topic, UnknownTopic};
