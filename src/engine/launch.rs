//! What a program is given.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Bounds;

/// A program and all that it is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program: a path, or a name that is looked for in the `PATH` of [`Self::environment`].
    pub program: OsString,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// All variables of its environment; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// What it reads on its standard input.
    pub stdin: Vec<u8>,
    /// What asks it to end, written on its standard input, which stays open until then. None: it is asked by SIGTERM, and its
    /// standard input is closed when all is written. For `ssh`, whose own end says nothing of what it began elsewhere.
    pub stop_word: Option<Vec<u8>>,
    /// The folder that it works in; none: its own folder here.
    pub working_dir: Option<PathBuf>,
    /// How long it may run before it is ended.
    pub time_limit: Option<Duration>,
    /// How many bytes of its output are kept: the first half of them as they come, and the last ones in place of all
    /// that comes after.
    pub output_limit: u64,
}

/// What a keeper is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    #[serde(flatten)]
    pub launch: Launch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
}

impl fmt::Debug for Launch {
    /// Without values of the environment and standard input, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("working_dir", &self.working_dir)
            .field("time_limit", &self.time_limit)
            .field("output_limit", &self.output_limit)
            .finish_non_exhaustive()
    }
}
