//! Actions as values, and the arguments of `autosubmit` for each.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use super::check;
use crate::experiments::readers::Expid;

/// A kind of action: what is turned on, and what a right is given for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionKind {
    /// Runs an experiment (`autosubmit run`).
    Run,
    /// Stops the run of an experiment (`autosubmit stop`).
    Stop,
    /// Makes a new experiment (`autosubmit expid`).
    Create,
    /// Makes the job list of an experiment (`autosubmit create`).
    CreateJobList,
    /// Sets the status of jobs (`autosubmit setstatus`).
    SetStatus,
    /// Changes the description of an experiment (`autosubmit updatedescrip`).
    Describe,
}

/// An action with its arguments.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum Action {
    /// Runs an experiment.
    Run {
        /// The experiment.
        expid: String,
    },
    /// Stops the run of an experiment.
    Stop {
        /// The experiment.
        expid: String,
        /// By SIGKILL: Autosubmit writes nothing down any more.
        #[serde(default)]
        force: bool,
    },
    /// Makes a new experiment.
    Create(Create),
    /// Makes the job list of an experiment.
    CreateJobList {
        /// The experiment.
        expid: String,
        /// Show which wrappers there would be.
        #[serde(default)]
        check_wrapper: bool,
        /// Take the experiment over to the version of Autosubmit that is called.
        #[serde(default)]
        update_version: bool,
        /// Make the list anew although there is one.
        #[serde(default)]
        force: bool,
    },
    /// Sets the status of jobs.
    SetStatus(SetStatus),
    /// Changes the description of an experiment.
    Describe {
        /// The experiment.
        expid: String,
        /// The new description.
        description: String,
    },
}

/// How a new experiment is made.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are switches of a command line"
)]
pub struct Create {
    /// What it is for; it may not be empty.
    pub description: String,
    /// The main platform; none: Autosubmit's default, `local`, for a copy too.
    pub hpc: Option<String>,
    /// The expid of one to copy.
    pub copy: Option<String>,
    /// The repository of its project; with `minimal`.
    pub git_repo: Option<String>,
    /// The branch of the repository.
    pub git_branch: Option<String>,
    /// Where in the repository its configuration is.
    pub config_path: Option<String>,
    /// With the smallest configuration.
    pub minimal: bool,
    /// With the configuration in the local minimal file in place of a repository's.
    pub use_local_minimal: bool,
    /// An operational experiment (`o…`).
    pub operational: bool,
    /// A test (`t…`).
    pub testcase: bool,
}

/// Which jobs get which status.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SetStatus {
    /// The experiment.
    pub expid: String,
    /// Names of jobs.
    #[serde(default)]
    pub jobs: Vec<String>,
    /// The status that they get.
    pub final_status: FinalStatus,
    /// Chunks, in Autosubmit's notation: `[ 19601101 [ fc0 [1 2] fc1 [3-5] ] ]`.
    #[serde(default)]
    pub filter_chunks: Option<String>,
    /// Only jobs of these statuses, by name.
    #[serde(default)]
    pub filter_status: Vec<String>,
    /// Only jobs of these sections, each with its splits if need be: `SIM [1-3]`.
    #[serde(default)]
    pub filter_type: Vec<String>,
    /// Chunks and sections together: `[ 19601101 [ fc0 [1] ] ],SIM`.
    #[serde(default)]
    pub filter_type_chunk: Option<String>,
    /// Chunks and sections with splits together.
    #[serde(default)]
    pub filter_type_chunk_split: Option<String>,
    /// Show which wrappers there would be.
    #[serde(default)]
    pub check_wrapper: bool,
    /// Take the experiment over to the version of Autosubmit that is called.
    #[serde(default)]
    pub update_version: bool,
}

/// A status that can be set.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FinalStatus {
    /// May be submitted.
    Ready,
    /// Ended well.
    Completed,
    /// Waits for its parents.
    Waiting,
    /// Taken out of the workflow.
    Suspended,
    /// Unknown.
    Unknown,
    /// Held.
    Held,
}

/// What is wrong with an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The name of the argument, as in [`Action`].
    pub field: &'static str,
    /// What is wrong, for a person.
    pub message: String,
}

impl Action {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Run { .. } => ActionKind::Run,
            Self::Stop { .. } => ActionKind::Stop,
            Self::Create(_) => ActionKind::Create,
            Self::CreateJobList { .. } => ActionKind::CreateJobList,
            Self::SetStatus(_) => ActionKind::SetStatus,
            Self::Describe { .. } => ActionKind::Describe,
        }
    }

    /// The experiment that it acts on; a new one has none yet.
    pub fn expid(&self) -> Option<&str> {
        match self {
            Self::Run { expid }
            | Self::Stop { expid, .. }
            | Self::CreateJobList { expid, .. }
            | Self::Describe { expid, .. }
            | Self::SetStatus(SetStatus { expid, .. }) => Some(expid),
            Self::Create(_) => None,
        }
    }

    /// What is wrong with its arguments; nothing: it can be called.
    pub fn check(&self) -> Vec<Invalid> {
        check::check(self)
    }

    /// The arguments of `autosubmit`, of a checked action. A value is one argument with its option, and what stands by
    /// itself comes after `--`, so that no value can be taken for an option.
    pub fn argv(&self) -> Vec<OsString> {
        let mut argv = Argv::default();
        match self {
            Self::Run { expid } => argv.word("run").rest([expid]),
            Self::Stop { expid, force } => argv.word("stop").flag("--force", *force).rest([expid]),
            Self::Create(create) => create.argv(&mut argv),
            Self::CreateJobList {
                expid,
                check_wrapper,
                update_version,
                force,
            } => argv
                .word("create")
                .word("-np")
                .flag("--check_wrapper", *check_wrapper)
                .flag("--update_version", *update_version)
                .flag("--force", *force)
                .rest([expid]),
            Self::SetStatus(set) => set.argv(&mut argv),
            Self::Describe { expid, description } => {
                argv.word("updatedescrip").rest([expid, description])
            }
        };
        argv.0
    }

    /// What `autosubmit` is answered on its standard input: it asks before it stops an experiment. (Only the newest take
    /// `--yes`.)
    pub fn stdin(&self) -> Vec<u8> {
        match self {
            Self::Stop { .. } => b"y\n".to_vec(),
            _ => Vec::new(),
        }
    }

    /// Does the program stay as long as the experiment runs? Then it has no time limit.
    pub const fn stays(&self) -> bool {
        matches!(self, Self::Run { .. })
    }

    /// The expid of the experiment that was made, read from what `autosubmit` printed when it succeeded.
    pub fn created_expid(&self, output: &str) -> Option<String> {
        if !matches!(self, Self::Create(_)) {
            return None;
        }
        named(output, "Experiment ", " created")
    }

    /// The expid that was taken for a new experiment, read from what `autosubmit` printed: it registers an experiment before
    /// it makes its files, and may fail in between.
    pub fn registered_expid(&self, output: &str) -> Option<String> {
        if !matches!(self, Self::Create(_)) {
            return None;
        }
        named(output, "The new experiment \"", "\" has been registered.")
    }
}

/// The expid between these words, in the last line that has nothing else.
fn named(output: &str, before: &str, after: &str) -> Option<String> {
    output.lines().rev().find_map(|line| {
        let line = plain(line);
        let expid = line.trim().strip_prefix(before)?.strip_suffix(after)?;
        let expid = Expid::parse(expid).ok()?;
        Some(expid.as_str().to_owned())
    })
}

impl Create {
    fn argv<'a>(&self, argv: &'a mut Argv) -> &'a mut Argv {
        argv.word("expid")
            .option("--description", Some(&self.description))
            .option("--HPC", self.hpc.as_ref())
            .option("--copy", self.copy.as_ref())
            .option("--git_repo", self.git_repo.as_ref())
            .option("--git_branch", self.git_branch.as_ref())
            .option("--git_as_conf", self.config_path.as_ref())
            .flag("--minimal_configuration", self.minimal)
            .flag("--use_local_minimal", self.use_local_minimal)
            .flag("--operational", self.operational)
            .flag("--testcase", self.testcase)
    }
}

impl SetStatus {
    fn argv<'a>(&self, argv: &'a mut Argv) -> &'a mut Argv {
        let joined = |list: &[String], by: &str| (!list.is_empty()).then(|| list.join(by));
        argv.word("setstatus")
            .word("-np")
            .word("-s")
            .option(
                "--status_final",
                Some(&self.final_status.as_str().to_owned()),
            )
            .option("--list", joined(&self.jobs, " ").as_ref())
            .option("--filter_chunks", self.filter_chunks.as_ref())
            .option("--filter_status", joined(&self.filter_status, " ").as_ref())
            .option("--filter_type", joined(&self.filter_type, ", ").as_ref())
            .option("--filter_type_chunk", self.filter_type_chunk.as_ref())
            .option(
                "--filter_type_chunk_split",
                self.filter_type_chunk_split.as_ref(),
            )
            .flag("--check_wrapper", self.check_wrapper)
            .flag("--update_version", self.update_version)
            .rest([&self.expid])
    }
}

/// Arguments as they are put together.
#[derive(Default)]
struct Argv(Vec<OsString>);

impl Argv {
    fn word(&mut self, word: &'static str) -> &mut Self {
        self.0.push(word.into());
        self
    }

    fn flag(&mut self, flag: &'static str, given: bool) -> &mut Self {
        if given { self.word(flag) } else { self }
    }

    fn option(&mut self, name: &'static str, value: Option<&String>) -> &mut Self {
        if let Some(value) = value {
            self.0.push(format!("{name}={value}").into());
        }
        self
    }

    /// What stands by itself.
    fn rest<const N: usize>(&mut self, words: [&String; N]) -> &mut Self {
        self.word("--");
        self.0.extend(words.into_iter().map(OsString::from));
        self
    }
}

/// A line without the colours that Autosubmit gives it.
pub(super) fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = sequence.find(|c: char| ('@'..='~').contains(&c));
        rest = end
            .and_then(|end| sequence.get(end + 1..))
            .unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

impl FinalStatus {
    /// All statuses that can be set.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Completed,
        Self::Waiting,
        Self::Suspended,
        Self::Unknown,
        Self::Held,
    ];

    /// The status's name in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Completed => "COMPLETED",
            Self::Waiting => "WAITING",
            Self::Suspended => "SUSPENDED",
            Self::Unknown => "UNKNOWN",
            Self::Held => "HELD",
        }
    }
}

impl ActionKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Run,
        Self::Stop,
        Self::Create,
        Self::CreateJobList,
        Self::SetStatus,
        Self::Describe,
    ];

    /// The kind's name in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "RUN",
            Self::Stop => "STOP",
            Self::Create => "CREATE",
            Self::CreateJobList => "CREATE_JOB_LIST",
            Self::SetStatus => "SET_STATUS",
            Self::Describe => "DESCRIBE",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
