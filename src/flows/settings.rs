//! The settings of flows.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::commands::WORKER_VARIABLES;

/// Where steps run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutorName {
    /// As processes on the machine of a server or worker.
    #[default]
    Local,
    /// As jobs of Slurm.
    Slurm,
}

impl ExecutorName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Local, Self::Slurm];

    /// The name that is stored and shown: `LOCAL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "LOCAL",
            Self::Slurm => "SLURM",
        }
    }

    /// The executor of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

impl fmt::Display for ExecutorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What runs may use, and where they run.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct FlowSettings {
    /// Where workflows, uploads, runs and their results are kept; none: `flows` in the data folder. All servers and workers
    /// that share a database share it, under the same path.
    pub folder: Option<PathBuf>,
    /// The folders below which administrators may register workflows through the API. The command line may from anywhere.
    pub template_folders: Vec<PathBuf>,
    /// Workflows from repositories.
    pub git: GitSettings,
    /// Where a run runs if neither it nor its workflow says so.
    pub executor: ExecutorName,
    /// Steps on this machine.
    pub local: LocalSettings,
    /// Steps as jobs of Slurm.
    pub slurm: SlurmSettings,
    /// How many runs there may be.
    pub queue: QueueSettings,
    /// What a step may use at most; a workflow may ask for less.
    pub limits: StepLimits,
    /// What may be kept.
    pub files: FileLimits,
    /// How long it is kept, where a workflow does not say so.
    pub retention: RunRetention,
    /// Programs by the names that templates know them by, `${python}` for instance.
    pub variables: BTreeMap<String, String>,
    /// The environment of all steps besides `PATH`, `HOME`, `LANG` and the arguments. They inherit nothing else.
    pub environment: BTreeMap<String, String>,
}

impl FlowSettings {
    /// The programs that all templates know, where they are here, and those that the site adds.
    pub fn worker_variables(&self) -> BTreeMap<String, String> {
        let known = WORKER_VARIABLES.iter();
        let mut all: BTreeMap<String, String> = known
            .map(|(name, program)| ((*name).to_owned(), (*program).to_owned()))
            .collect();
        all.extend(self.variables.clone());
        all
    }
}

/// Workflows from repositories.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct GitSettings {
    /// The transports that git may use, as `GIT_ALLOW_PROTOCOL` has them; empty: no repositories.
    pub protocols: String,
    /// How long fetching a commit may take.
    #[serde(with = "crate::human_duration")]
    pub timeout: Duration,
}

impl Default for GitSettings {
    fn default() -> Self {
        Self {
            protocols: "https:ssh".into(),
            timeout: Duration::from_mins(5),
        }
    }
}

/// Steps on this machine.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSettings {
    /// What this machine is called, where its own name changes (containers); none: its name.
    pub node: Option<String>,
    /// How many runs may be under way on it at once; 0: as many as it has processors.
    pub at_once: u32,
}

/// Steps as jobs of Slurm.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct SlurmSettings {
    /// May runs use it?
    pub enabled: bool,
    /// The folder of Slurm's commands; none: where the system has its programs.
    pub commands: Option<PathBuf>,
    /// Its `slurm.conf`; none: the system's own.
    pub conf: Option<PathBuf>,
    /// More options of `sbatch`, for instance `--partition=NAME` or `--account=NAME`.
    pub options: Vec<String>,
    /// How many runs may be under way by it at once.
    pub at_once: u32,
    /// How often is asked after jobs.
    #[serde(with = "crate::human_duration")]
    pub pace: Duration,
    /// How long one of its commands may take.
    #[serde(with = "crate::human_duration")]
    pub timeout: Duration,
    /// How long after the end of a job its files may still be on their way here.
    #[serde(with = "crate::human_duration")]
    pub lag: Duration,
}

impl Default for SlurmSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            commands: None,
            conf: None,
            options: Vec::new(),
            at_once: 200,
            pace: Duration::from_secs(5),
            timeout: Duration::from_mins(1),
            lag: Duration::from_secs(30),
        }
    }
}

/// How many runs there may be. Those that have not ended are open; those of them that wait for nothing are under way.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// Open, in all.
    pub open: u32,
    /// Open, of a user.
    pub open_per_user: u32,
    /// Under way at once of a user; 0: no limit but that of the executor.
    pub running_per_user: u32,
    /// Under way at once of a workflow; 0: no limit but that of the executor.
    pub running_per_workflow: u32,
    /// How long a step has between SIGTERM and SIGKILL when it is to end.
    #[serde(with = "crate::human_duration")]
    pub grace: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            open: 100_000,
            open_per_user: 20_000,
            running_per_user: 0,
            running_per_workflow: 0,
            grace: Duration::from_secs(10),
        }
    }
}

/// What a step may use at most; 0: no limit.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct StepLimits {
    /// How long it may run.
    #[serde(with = "crate::human_duration")]
    pub time: Duration,
    /// Processors.
    pub cpus: u16,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Each file that it writes, in MiB.
    pub file_size_mib: u64,
    /// All files in the folder that it works in, in MiB.
    pub disk_mib: u64,
    /// Each of its streams in the log, in KiB; the rest is cut, with a mark in its place.
    pub log_kib: u64,
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_hours(24),
            cpus: 0,
            memory_mib: 0,
            file_size_mib: 0,
            disk_mib: 0,
            log_kib: 16 << 10,
        }
    }
}

/// What may be kept, in MiB or files.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct FileLimits {
    /// An upload.
    pub upload_mib: u64,
    /// All uploads of a group.
    pub group_mib: u64,
    /// How many uploads a group may have.
    pub group_uploads: u32,
    /// The results of a run.
    pub results_mib: u64,
    /// A template, unpacked.
    pub template_mib: u64,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            upload_mib: 1 << 10,
            group_mib: 10 << 10,
            group_uploads: 10_000,
            results_mib: 10 << 10,
            template_mib: 1 << 10,
        }
    }
}

/// How long runs are kept after their end; 0: for good.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct RunRetention {
    /// Days, of runs that ended well.
    pub days: u32,
    /// Days, of other runs.
    pub failed_days: u32,
    /// The newest so many of each group.
    pub number: u32,
    /// The runs up to this rank are kept, whatever else is said.
    pub ranked: u32,
}
