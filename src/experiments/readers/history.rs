//! Runs and attempts: `job_data_<expid>.db`.
//!
//! Files of versions 12 to 21 (`PRAGMA user_version`) differ in their columns, and upgraded files in the order of
//! them; the columns themselves decide what is read.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{
    Expid, Part, Problem, Root, RowProblems, SourceError, SourceFile,
    cells::Cells,
    tables::Tables,
    time::{from_epoch, parse_date, parse_moment},
};
use crate::experiments::status::JobStatus;

/// What a history database holds.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The runs, by number; broken without their table.
    pub runs: Part<Vec<RunRecord>>,
    /// The attempts, as stored; broken without their table.
    pub attempts: Part<Vec<AttemptRecord>>,
    /// Tables and rows that could not be read.
    pub problems: Vec<Problem>,
}

/// One row of `experiment_run`: a stretch of an experiment's life with one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its number, from 1.
    pub run_id: i64,
    /// When the row was made. Old rows give local time without a zone, which is taken as UTC.
    pub created_at: Option<DateTime<Utc>>,
    /// When the row was changed, in the same forms.
    pub modified_at: Option<DateTime<Utc>>,
    /// When the run began.
    pub started_at: Option<DateTime<Utc>>,
    /// When the run was closed; none while it is open.
    pub finished_at: Option<DateTime<Utc>>,
    /// `month` and so on, of this run.
    pub chunk_unit: Option<String>,
    /// Chunk size in chunk units, of this run.
    pub chunk_size: Option<i64>,
    /// Jobs completed.
    pub completed: i64,
    /// Jobs in all.
    pub total: i64,
    /// Jobs failed.
    pub failed: i64,
    /// Jobs in queues.
    pub queuing: i64,
    /// Jobs running.
    pub running: i64,
    /// Jobs submitted.
    pub submitted: i64,
    /// Jobs suspended.
    pub suspended: i64,
    /// The commit of the workflow's sources, where the configuration tells it.
    pub workflow_commit: Option<String>,
    /// The configuration that it recorded, as JSON.
    pub metadata: Option<String>,
}

/// One row of `job_data`: one attempt at one job.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    /// The attempt's number among those of its job; starts at 0 or 1.
    pub counter: i64,
    /// The job.
    pub job_name: String,
    /// When the row was made. Old rows give local time without a zone, which is taken as UTC.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Its status, if it is a known one. Autosubmit 4.1.17 writes FAILED until the attempt has completed.
    pub status: Option<JobStatus>,
    /// 2 for a job of its own; above, the code of the wrapper it was part of.
    pub rowtype: i64,
    /// Processors, from the accounting; 0 on the local platform.
    pub ncpus: Option<i64>,
    /// Nodes, from the accounting.
    pub nnodes: Option<i64>,
    /// `HH:MM`.
    pub wallclock: Option<String>,
    /// The queue.
    pub qos: Option<String>,
    /// Energy in joules, from the accounting.
    pub energy: Option<f64>,
    /// The start date of the job.
    pub date: Option<NaiveDateTime>,
    /// The section.
    pub section: Option<String>,
    /// The member.
    pub member: Option<String>,
    /// The chunk.
    pub chunk: Option<i64>,
    /// Whether this is the newest attempt at its job.
    pub last: bool,
    /// The platform.
    pub platform: Option<String>,
    /// The scheduler's number; none before it is known.
    pub remote_id: Option<i64>,
    /// The run.
    pub run_id: Option<i64>,
    /// Name of the output log.
    pub out: Option<String>,
    /// Name of the error log.
    pub err: Option<String>,
    /// The commit of the workflow's sources.
    pub workflow_commit: Option<String>,
    /// The split, from 1.
    pub split: Option<i64>,
    /// The number of splits.
    pub splits: Option<i64>,
}

impl AttemptRecord {
    /// Whether it is the newest attempt at its job, and of a kind that counts: types below 2 are none.
    pub fn is_newest(&self) -> bool {
        self.last && self.rowtype >= 2
    }
}

/// Reads `job_data_<expid>.db`.
///
/// # Errors
/// [`SourceError`]; `Missing` is usual for an experiment that was never created with a history.
pub fn read_history(root: &Root, expid: &Expid) -> Result<History, SourceError> {
    let tables = Tables::of(root, SourceFile::History, expid)?;
    let mut problems = RowProblems::new(tables.name());
    let runs = tables.read(
        "experiment_run",
        &RUN_COLUMNS,
        &["run_id"],
        &mut problems,
        run,
    )?;
    let attempts = tables.read(
        "job_data",
        &ATTEMPT_COLUMNS,
        &["job_name"],
        &mut problems,
        attempt,
    )?;
    if runs.is_none() && attempts.is_none() {
        return Err(SourceError::Foreign(
            "there is neither a table experiment_run nor job_data".into(),
        ));
    }
    let mut problems = problems.finish();
    let mut table = |name: &str| {
        problems.push(Problem::new(
            tables.name(),
            format_args!("there is no table {name}"),
        ));
    };
    if runs.is_none() {
        table("experiment_run");
    }
    if attempts.is_none() {
        table("job_data");
    }
    let runs = runs.map_or(Part::Broken, |mut runs| {
        runs.sort_by_key(|run: &RunRecord| run.run_id);
        problems.extend(bound_metadata(tables.name(), &mut runs));
        Part::Present(runs)
    });
    Ok(History {
        runs,
        attempts: attempts.map_or(Part::Broken, Part::Present),
        problems,
    })
}

/// Leaves out configurations that are far too large, one by one or all together; the newest are kept.
fn bound_metadata(path: &str, runs: &mut [RunRecord]) -> Option<Problem> {
    let mut left = MAX_ALL_METADATA;
    let mut out = 0_usize;
    for run in runs.iter_mut().rev() {
        let size = run.metadata.as_ref().map_or(0, String::len);
        match left.checked_sub(size) {
            Some(rest) if size <= MAX_METADATA => left = rest,
            _ => {
                run.metadata = None;
                out += 1;
            }
        }
    }
    (out > 0).then(|| {
        let message = format_args!("the configurations of {out} runs are too large to be kept");
        Problem::new(path, message)
    })
}

/// The longest configuration of a run that is read, and the longest of all runs together, in bytes.
const MAX_METADATA: usize = 2 << 20;
const MAX_ALL_METADATA: usize = 64 << 20;

const RUN_COLUMNS: [&str; 15] = [
    "run_id",
    "created",
    "modified",
    "start",
    "finish",
    "chunk_unit",
    "chunk_size",
    "completed",
    "total",
    "failed",
    "queuing",
    "running",
    "submitted",
    "suspended",
    "metadata",
];

fn run(row: &Cells<'_>) -> Result<RunRecord, String> {
    let count = |column| row.int(column).map(Option::unwrap_or_default);
    let metadata = row.filled("metadata")?;
    Ok(RunRecord {
        run_id: row.int("run_id")?.ok_or("run_id is missing")?,
        created_at: moment(row, "created")?,
        modified_at: moment(row, "modified")?,
        started_at: from_epoch(row.int("start")?),
        finished_at: from_epoch(row.int("finish")?),
        chunk_unit: row.filled("chunk_unit")?,
        chunk_size: row.int("chunk_size")?,
        completed: count("completed")?,
        total: count("total")?,
        failed: count("failed")?,
        queuing: count("queuing")?,
        running: count("running")?,
        submitted: count("submitted")?,
        suspended: count("suspended")?,
        workflow_commit: metadata.as_deref().and_then(commit),
        metadata,
    })
}

const ATTEMPT_COLUMNS: [&str; 26] = [
    "counter",
    "job_name",
    "created",
    "submit",
    "start",
    "finish",
    "status",
    "rowtype",
    "ncpus",
    "wallclock",
    "qos",
    "energy",
    "date",
    "section",
    "member",
    "chunk",
    "last",
    "platform",
    "job_id",
    "nnodes",
    "run_id",
    "out",
    "err",
    "workflow_commit",
    "split",
    "splits",
];

fn attempt(row: &Cells<'_>) -> Result<AttemptRecord, String> {
    let job_name = row.name("job_name")?;
    named_attempt(row, &job_name).map_err(|message| format!("{job_name}: {message}"))
}

fn named_attempt(row: &Cells<'_>, job_name: &str) -> Result<AttemptRecord, String> {
    let positive = |column| {
        row.int(column)
            .map(|number| number.filter(|number| *number > 0))
    };
    Ok(AttemptRecord {
        counter: row.int("counter")?.unwrap_or_default(),
        job_name: job_name.to_owned(),
        created_at: moment(row, "created")?,
        submitted_at: from_epoch(row.int("submit")?),
        started_at: from_epoch(row.int("start")?),
        finished_at: from_epoch(row.int("finish")?),
        status: row
            .filled("status")?
            .as_deref()
            .and_then(JobStatus::from_name),
        rowtype: row.int("rowtype")?.unwrap_or_default(),
        ncpus: row.int("ncpus")?,
        nnodes: row.int("nnodes")?,
        wallclock: row.filled("wallclock")?,
        qos: row.filled("qos")?,
        energy: row.real("energy")?,
        date: row.filled("date")?.as_deref().and_then(parse_date),
        section: row.filled("section")?,
        member: row.filled("member")?,
        chunk: positive("chunk")?,
        last: row.flag("last")?.unwrap_or_default(),
        platform: row.filled("platform")?,
        remote_id: positive("job_id")?,
        run_id: row.int("run_id")?,
        out: row.filled("out")?,
        err: row.filled("err")?,
        workflow_commit: row.filled("workflow_commit")?,
        split: positive("split")?,
        splits: positive("splits")?,
    })
}

fn moment(row: &Cells<'_>, column: &str) -> Result<Option<DateTime<Utc>>, String> {
    Ok(row.filled(column)?.as_deref().and_then(parse_moment))
}

/// `AUTOSUBMIT.WORKFLOW_COMMIT` of a configuration in JSON. (`serde_json` bounds the depth itself.)
fn commit(metadata: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        #[serde(rename = "AUTOSUBMIT")]
        autosubmit: Option<Autosubmit>,
    }
    #[derive(serde::Deserialize)]
    struct Autosubmit {
        #[serde(rename = "WORKFLOW_COMMIT")]
        workflow_commit: Option<String>,
    }
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    metadata
        .autosubmit?
        .workflow_commit
        .filter(|commit| !commit.is_empty())
}
