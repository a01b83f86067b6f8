//! The types `LogFile` and `AutosubmitLog`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Result};
use chrono::{DateTime, Utc};
use macros::row;

use crate::database::Database;
use crate::entity::experiment;
use crate::experiments::read::logs::{self, RootFolders};
use crate::experiments::read::own_logs::{self, OwnLog};
use crate::experiments::readers::{self, JobLogName, LogFolder, SourceError};
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::ErrorCode;
use crate::graphql::json::json_enums;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::loaders::RootOf;
use crate::graphql::rows::Rows;
use crate::links;
use crate::paging::{self, PAGE, PageArguments};

/// How many lines `tail` gives at most.
const MOST_LINES: i32 = 10_000;
/// What a line takes beside its text, in bytes.
const LINE: usize = 24;

/// One of the two logs of an attempt at a job.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "readers::LogStream")]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

json_enums!(LogStream);

/// A file that a job wrote.
#[derive(Clone)]
pub struct LogFile {
    root: Arc<RootFolders>,
    stream: LogStream,
    file: readers::LogFile,
}

/// Where the files of an experiment are; none if its root is not known.
async fn root_of(ctx: &Context<'_>, experiment: i64) -> Result<Option<Arc<RootFolders>>> {
    Ok(ctx.loaders()?.roots().load_one(experiment).await?)
}

fn broken(error: &SourceError) -> async_graphql::Error {
    ErrorCode::SourceBroken.error(error.to_string())
}

/// The error of one file.
fn broken_file(path: &str) -> impl Fn(SourceError) -> async_graphql::Error {
    move |error| ErrorCode::SourceBroken.error(format!("{path}: {error}"))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
fn size(bytes: u64) -> f64 {
    bytes as f64
}

/// The names of Autosubmit's own logs of an experiment.
async fn own_names(
    ctx: &Context<'_>,
    experiment: i64,
    root: &Arc<RootFolders>,
) -> Result<own_logs::Names> {
    let of = RootOf(experiment, Arc::clone(root));
    match ctx.loaders()?.own_logs().load_one(of).await? {
        None => Ok(Arc::default()),
        Some(names) => names.map_err(|error| broken(&error)),
    }
}

async fn tail(
    ctx: &Context<'_>,
    root: &RootFolders,
    folder: LogFolder,
    file: &readers::LogFile,
    lines: i32,
) -> Result<Vec<String>> {
    let lines = match usize::try_from(lines) {
        Ok(count) if lines <= MOST_LINES => count,
        _ => {
            let message = format!("lines: from 0 to {MOST_LINES}");
            return Err(ErrorCode::BadInput.error(message));
        }
    };
    // When nothing is left, nothing is read.
    let charge = |bytes| {
        ctx.charge_bytes(bytes).map_err(|_| {
            ErrorCode::TooComplex.error(
                "the ends of logs are too long together; ask for fewer lines, or fewer of them",
            )
        })
    };
    charge(1)?;
    let tail = logs::tail(root.clone(), folder, &file.name, lines).await;
    let tail = tail.map_err(broken_file(&file.path))?;
    charge(tail.iter().map(|line| line.len() + LINE).sum())?;
    Ok(tail)
}

/// The names of the logs of jobs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct LogNames;

impl ChildList for LogNames {
    type Children = Option<logs::NamesOfJob>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found = logs::of_jobs(database, level.parents()).await?;
        Ok(found
            .into_iter()
            .map(|(job, names)| (job, Some(names)))
            .collect())
    }
}

impl LogFile {
    /// The names of a job's logs. The folder of an experiment is gone through once for all jobs of a level.
    async fn names(ctx: &Context<'_>, level: &Level, job: i64) -> Result<Arc<[JobLogName]>> {
        let names = level.children(ctx.database()?, &LogNames, job).await?;
        match names {
            None => Ok(Arc::default()),
            Some(Ok(names)) => Ok(names),
            Some(Err(problem)) => {
                let message = format!("the folder of the logs: {problem}");
                Err(ErrorCode::SourceBroken.error(message))
            }
        }
    }

    /// The newest log of a job; none when there is no file.
    pub async fn newest(
        ctx: &Context<'_>,
        level: &Level,
        (experiment, job): (i64, i64),
        stream: LogStream,
    ) -> Result<Option<Self>> {
        let names = Self::names(ctx, level, job).await?;
        let Some(newest) = readers::newest_of(&names, stream.into()) else {
            return Ok(None);
        };
        let Some(root) = root_of(ctx, experiment).await? else {
            return Ok(None);
        };
        let found = logs::find(root.as_ref().clone(), LogFolder::Jobs, &newest.name).await;
        let found = found.map_err(broken_file(&newest.name))?;
        Ok(found.map(|file| Self { root, stream, file }))
    }

    /// All logs of a job.
    pub async fn all(
        ctx: &Context<'_>,
        level: &Level,
        (experiment, job): (i64, i64),
    ) -> Result<Rows<Self>> {
        let names = Self::names(ctx, level, job).await?;
        if names.is_empty() {
            return Ok(Rows::default());
        }
        let Some(root) = root_of(ctx, experiment).await? else {
            return Ok(Rows::default());
        };
        ctx.charge(names.len().min(logs::MOST_OF_JOB))?;
        let found = logs::find_all(root.as_ref().clone(), names.to_vec()).await;
        let file = |(name, file): (JobLogName, readers::LogFile)| Self {
            root: Arc::clone(&root),
            stream: name.stream.into(),
            file,
        };
        Ok(found
            .map_err(|error| broken(&error))?
            .into_iter()
            .map(file)
            .collect())
    }

    /// The log of which a history knows the name; none when there is no such file.
    pub async fn recorded(
        ctx: &Context<'_>,
        experiment: i64,
        name: Option<&str>,
        stream: LogStream,
    ) -> Result<Option<Self>> {
        let Some(name) = name else { return Ok(None) };
        let Some(root) = root_of(ctx, experiment).await? else {
            return Ok(None);
        };
        let found = logs::find_recorded(root.as_ref().clone(), name).await;
        let found = found.map_err(broken_file(name))?;
        Ok(found.map(|file| Self { root, stream, file }))
    }
}

/// A file that a job wrote.
#[row]
impl LogFile {
    /// The name of the file.
    fn name(&self) -> &str {
        &self.file.name
    }

    /// What the job wrote there.
    fn stream(&self) -> LogStream {
        self.stream
    }

    /// Its size in bytes, as it is stored; a Float, since GraphQL's Int ends at 2 GiB.
    fn size_bytes(&self) -> f64 {
        size(self.file.size)
    }

    /// When it last changed.
    fn modified_at(&self) -> DateTime<Utc> {
        self.file.modified_at
    }

    /// Where the whole of it can be downloaded: a path on this server, for `GET` with the same credentials, also in ranges
    /// of bytes. With `?decompress` what is compressed is unpacked on the way.
    fn url(&self) -> String {
        links::path(links::JOB_LOG, self.root.expid_text(), &self.file.name)
    }

    /// Its last lines, as far as they fit into a MiB; gzip and xz are unpacked. All that one operation asks for may be 50 MB
    /// together, and else fails with `TOO_COMPLEX`.
    async fn tail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many lines at most, from 0 to 10000.", default = 150)] lines: i32,
    ) -> Result<Vec<String>> {
        tail(ctx, &self.root, LogFolder::Jobs, &self.file, lines).await
    }
}

/// A log of Autosubmit itself: of a command that somebody gave, or of the process that fetches the logs of jobs.
#[derive(Clone)]
pub struct AutosubmitLog {
    root: Arc<RootFolders>,
    log: OwnLog,
}

connection!(
    AutosubmitLogConnection,
    AutosubmitLogEdge,
    AutosubmitLog,
    "A page of logs of Autosubmit.",
    "A log in a page."
);

impl AutosubmitLog {
    fn new(root: &Arc<RootFolders>, log: OwnLog) -> Self {
        let root = Arc::clone(root);
        Self { root, log }
    }

    /// The log of a run of an experiment to which was written last.
    pub async fn of_run(ctx: &Context<'_>, experiment: i64) -> Result<Option<Self>> {
        let Some(root) = root_of(ctx, experiment).await? else {
            return Ok(None);
        };
        let names = own_names(ctx, experiment, &root).await?;
        let found = own_logs::run_log(root.as_ref().clone(), names).await;
        let found = found.map_err(|error| broken(&error))?;
        Ok(found.map(|log| Self::new(&root, log)))
    }

    /// The newest log of the recovery of logs from each platform.
    pub async fn of_recovery(ctx: &Context<'_>, experiment: i64) -> Result<Rows<Self>> {
        let Some(root) = root_of(ctx, experiment).await? else {
            return Ok(Rows::default());
        };
        let names = own_names(ctx, experiment, &root).await?;
        let found = own_logs::recovery_logs(root.as_ref().clone(), names).await;
        let found = found.map_err(|error| broken(&error))?;
        ctx.charge(found.len())?;
        Ok(found.into_iter().map(|log| Self::new(&root, log)).collect())
    }

    /// A page of those of an experiment.
    pub async fn page(
        ctx: &Context<'_>,
        experiment: &experiment::Model,
        command: Option<String>,
        page: &PageArguments,
    ) -> Result<AutosubmitLogConnection> {
        let order = own_logs::newest_first();
        let page = page.resolve(PAGE, &order).map_err(failed)?;
        let cursor = move |log: &Self| paging::encode_cursor(&order, &own_logs::key(&log.log.name));
        let Some(root) = root_of(ctx, experiment.id).await? else {
            let nothing = paging::Slice::default();
            return Ok(AutosubmitLogConnection::new(nothing, Some(0), cursor));
        };
        let names = own_names(ctx, experiment.id, &root).await?;
        let found = own_logs::page(root.as_ref().clone(), names, command, page).await;
        let (slice, total) = found.map_err(|error| broken(&error))?;
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let slice = slice.map(|log| Self::new(&root, log));
        Ok(AutosubmitLogConnection::new(slice, Some(total), cursor))
    }
}

/// A log of Autosubmit itself: of a command that somebody gave, or of the process that fetches the logs of jobs.
#[row]
impl AutosubmitLog {
    /// The name of the file.
    fn name(&self) -> &str {
        &self.log.file.name
    }

    /// The command that wrote it, such as `run`, `create` or `setstatus`; `log_recovery` for the processes that fetch the logs
    /// of jobs. Null for files that are not of one command, such as `jobs_active_status.log`.
    fn command(&self) -> Option<&str> {
        self.log.name.command.as_deref()
    }

    /// The platform from which logs were fetched; null for all but `log_recovery`.
    fn platform(&self) -> Option<&str> {
        self.log.name.platform.as_deref()
    }

    /// Whether it holds the warnings and errors alone.
    fn is_errors(&self) -> bool {
        self.log.name.errors
    }

    /// When the command began, as the name of the file tells; on the clock of the machine that it ran on, which is taken to be
    /// this server's. Null as with `command`.
    fn started_at(&self) -> Option<DateTime<Utc>> {
        self.log.name.started_at()
    }

    /// When it was last written to. A run that goes on writes every few seconds.
    fn modified_at(&self) -> DateTime<Utc> {
        self.log.file.modified_at
    }

    /// Its size in bytes, as it is stored; a Float, since GraphQL's Int ends at 2 GiB.
    fn size_bytes(&self) -> f64 {
        size(self.log.file.size)
    }

    /// Where the whole of it can be downloaded, as with `LogFile.url`.
    fn url(&self) -> String {
        let name = &self.log.file.name;
        links::path(links::AUTOSUBMIT_LOG, self.root.expid_text(), name)
    }

    /// Its last lines, as far as they fit into a MiB; gzip and xz are unpacked. All that one operation asks for may be 50 MB
    /// together, and else fails with `TOO_COMPLEX`.
    async fn tail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many lines at most, from 0 to 10000.", default = 150)] lines: i32,
    ) -> Result<Vec<String>> {
        tail(
            ctx,
            &self.root,
            LogFolder::Autosubmit,
            &self.log.file,
            lines,
        )
        .await
    }
}
