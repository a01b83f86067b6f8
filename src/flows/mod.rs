//! Flows: what a workflow is, what it is given, what it runs and what comes of it.
//!
//! Templates, arguments, commands, results, ranking, states and schedule know neither database nor GraphQL: bytes become plain
//! structs, and structs become commands. `read` and `write` are all that is asked of the database by others; `mover` moves runs
//! forward.

pub mod arguments;
pub mod changes;
pub mod commands;
pub(crate) mod disk;
mod media;
pub mod mover;
pub mod parameters;
pub mod places;
pub mod preview;
pub mod ranking;
pub mod read;
pub mod results;
pub mod rights;
pub mod schedule;
pub mod settings;
pub mod sources;
pub mod state;
pub mod template;
pub mod write;

use std::sync::Arc;

use self::places::Places;
use self::settings::FlowSettings;
use crate::database::Database;
use crate::events::Feed;

/// What flows are kept in, and by which settings. Clones share everything.
#[derive(Clone, Debug)]
pub struct Flows {
    /// labql's own database.
    pub database: Database,
    /// The live feed.
    pub feed: Feed,
    /// The settings.
    pub settings: Arc<FlowSettings>,
    /// Where the files are.
    pub places: Places,
}

impl Flows {
    /// Over this database, by these settings; the files are below labql's own data folder, unless the settings say otherwise.
    pub fn new(
        database: &Database,
        feed: &Feed,
        settings: &FlowSettings,
        data: &std::path::Path,
    ) -> Self {
        let folder = settings.folder.clone();
        Self {
            database: database.clone(),
            feed: feed.clone(),
            places: Places::new(&folder.unwrap_or_else(|| data.join("flows"))),
            settings: Arc::new(settings.clone()),
        }
    }
}
