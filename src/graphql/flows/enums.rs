//! The enums of runs and workflows.

use async_graphql::Enum;

use crate::engine::Stream;
use crate::flows::arguments;
use crate::flows::parameters::Kind;
use crate::flows::read::runs;
use crate::flows::rights::Role;
use crate::flows::settings::ExecutorName;
use crate::flows::state;
use crate::flows::template::schema::ColumnType;
use crate::graphql::json::json_enums;

/// Where a run stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "state::RunState")]
pub enum RunState {
    /// It waits for its turn.
    Pending,
    /// Its steps run.
    Running,
    /// It is to end, and something of it may still run.
    Canceling,
    /// It has ended well, and its files are there.
    Success,
    /// It has ended badly: `reason` and `message` say why.
    Error,
    /// It was ended by somebody.
    Canceled,
}

/// Where a step of a run stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "state::StepState")]
pub enum RunStepState {
    /// Its turn has not come, or comes again.
    Pending,
    /// It is being handed to what runs it; whether it runs is not known.
    Starting,
    /// It runs.
    Running,
    /// It has ended well.
    Success,
    /// It has ended badly, and does not run again.
    Error,
    /// It was ended by somebody, or its turn never came.
    Canceled,
    /// It is left out: the run was not given what it does.
    Skipped,
}

/// Why a run, or an attempt at a step, did not end well.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "state::Reason")]
pub enum RunReason {
    /// A command ended with another exit code than 0.
    StepFailed,
    /// A signal ended it that did not come from here.
    StepSignaled,
    /// It could not be started.
    NotStarted,
    /// Its time, or that of the run, was up.
    TimedOut,
    /// It needed more memory than it may have.
    OutOfMemory,
    /// It wrote a larger file than it may.
    FileTooLarge,
    /// A file that is declared was not made.
    OutputMissing,
    /// A file that is declared is no regular file, or too large to be kept.
    OutputRefused,
    /// A file that it is to be given is not there any more.
    InputMissing,
    /// It is gone, and nobody knows how it ended.
    Lost,
    /// Somebody ended it.
    Canceled,
    /// labql itself failed.
    Internal,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "runs::RunKind")]
pub enum RunKind {
    /// Somebody started it.
    Run,
    /// labql made it of the best runs of all groups.
    PostProcessing,
}

/// Where the steps of a run are executed.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "ExecutorName")]
pub enum RunExecutor {
    /// As processes on the machine of a server or worker.
    Local,
    /// As jobs of Slurm.
    Slurm,
}

/// What a member of a group may do there.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "Role")]
pub enum GroupRole {
    /// See its uploads, its runs and their files.
    Viewer,
    /// Upload, start runs, and cancel and delete them, too.
    Member,
    /// Change and delete the group, too.
    Owner,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// A text.
    String,
    /// A whole number of 64 bits, or its text.
    Int,
    /// A number, or its text; `inf` and `-inf`, too.
    Float,
    /// True or false.
    Bool,
    /// One of its `choices`.
    Select,
    /// The global id of an upload, alone or as `fileId` of an object that may have a `targetPath`, too.
    File,
    /// A list of values, each of them as `item` says.
    List,
    /// An object with its `fields`, or a list of objects with `name` and `value`.
    Record,
    /// A step: an object with `environment` and `commands`.
    Actor,
}

impl From<&Kind> for ParameterKind {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::String => Self::String,
            Kind::Int { .. } => Self::Int,
            Kind::Float { .. } => Self::Float,
            Kind::Bool => Self::Bool,
            Kind::Select { .. } => Self::Select,
            Kind::File { .. } => Self::File,
            Kind::List { .. } => Self::List,
            Kind::Record { .. } => Self::Record,
            Kind::Actor => Self::Actor,
        }
    }
}

/// What the values of a column of results are.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "ColumnType")]
pub enum ResultColumnKind {
    /// Whole numbers of 64 bits.
    Int,
    /// Numbers.
    Float,
    /// Texts.
    String,
}

/// Where a step printed something.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "Stream")]
pub enum RunLogStream {
    /// Standard output.
    #[graphql(name = "STDOUT")]
    Output,
    /// Standard error.
    #[graphql(name = "STDERR")]
    Errors,
}

/// What is wrong with the argument of a parameter.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "arguments::ArgumentCode")]
pub enum ArgumentErrorCode {
    /// A parameter that has to have a value has none.
    MissingArgument,
    /// The value is none of its parameter.
    InvalidArgument,
    /// There is no such parameter.
    UnknownParameter,
    /// The parameter is given twice.
    DuplicateArgument,
}

json_enums!(
    RunState,
    RunStepState,
    RunReason,
    RunKind,
    RunExecutor,
    GroupRole,
    ParameterKind,
    ResultColumnKind,
    RunLogStream,
    ArgumentErrorCode,
);
