//! The log of changes and the live feed that reads it.
//!
//! A command appends its events in its own transaction. Subscribers read the log from their cursor; what wakes them
//! carries no payload, so a slow subscriber costs a read and can lose nothing.

mod append;
mod cursor;
mod feed;
mod follower;
mod log;
mod postgres;
mod relay;
mod retention;
mod ring;
mod sqlite;
mod topic;

pub use append::{NewEvent, append};
pub use cursor::{Cursor, CursorError, LogId, Start};
pub use feed::{Feed, Lost, Page};
pub use follower::Follower;
pub use log::{Event, Filter};
pub use relay::Relay;
pub use retention::Retention;
pub use topic::{Topic, UnknownTopic};
