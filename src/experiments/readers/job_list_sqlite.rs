//! The job list of Autosubmit 4.2.0 and newer: `db/job_list.db`, or the table `jobs` on a server.

use chrono::{DateTime, Utc};

use super::{
    Expid, JobList, JobListForm, JobRecord, Root, RowProblems, SourceError, SourceFile,
    cells::Cells,
    job_list::{keep_first, positive},
    structure::read_edges,
    tables::Tables,
    time::{parse_date, parse_moment},
    wrappers::read_tables,
};
use crate::experiments::status::JobStatus;

const COLUMNS: [&str; 16] = [
    "name",
    "id",
    "priority",
    "status",
    "section",
    "chunk",
    "member",
    "splits",
    "split",
    "date",
    "local_logs_out",
    "local_logs_err",
    "wallclock",
    "platform_name",
    "workflow_commit",
    "modified",
];

/// Reads the database.
///
/// # Errors
/// [`SourceError`].
pub(super) fn read(root: &Root, expid: &Expid) -> Result<JobList, SourceError> {
    let source = SourceFile::JobListDatabase;
    let made_at = if root.has_server() {
        None
    } else {
        let file = root.open(&root.relative(source, expid))?;
        Some(file.metadata()?.modified()?.into())
    };
    let tables = Tables::of(root, source, expid)?;
    let mut problems = RowProblems::new(tables.name());
    let rows = tables.read("jobs", &COLUMNS, &["name", "status"], &mut problems, job)?;
    let rows = rows.ok_or_else(|| SourceError::Foreign("there is no table jobs".into()))?;
    let modified = rows.iter().filter_map(|(_, modified)| *modified).max();
    let mut jobs: Vec<_> = rows.into_iter().map(|(job, _)| job).collect();
    keep_first(
        &mut jobs,
        |job| job.name.clone(),
        |job| problems.add(format_args!("{} comes twice", job.name)),
    );
    Ok(JobList {
        jobs,
        edges: read_edges(&tables, &mut problems)?,
        wrappers: read_tables(&tables, &mut problems)?,
        modified_at: modified.or(made_at),
        form: JobListForm::Sqlite,
        problems: problems.finish(),
    })
}

fn job(row: &Cells<'_>) -> Result<(JobRecord, Option<DateTime<Utc>>), String> {
    let name = row.name("name")?;
    named_job(row, &name).map_err(|message| format!("{name}: {message}"))
}

fn named_job(row: &Cells<'_>, name: &str) -> Result<(JobRecord, Option<DateTime<Utc>>), String> {
    let status = row.name("status")?;
    let status = JobStatus::from_name(&status)
        .or_else(|| JobStatus::from_code(status.parse().ok()?))
        .ok_or_else(|| format!("unknown status {status}"))?;
    let record = JobRecord {
        priority: row.int("priority")?,
        section: row.filled("section")?,
        date: row.filled("date")?.as_deref().and_then(parse_date),
        member: row.filled("member")?,
        chunk: positive(row.int("chunk")?),
        split: positive(row.int("split")?),
        splits: positive(row.int("splits")?),
        remote_id: positive(row.int("id")?),
        platform: row.filled("platform_name")?,
        wallclock: row.filled("wallclock")?,
        out_local: row.filled("local_logs_out")?,
        err_local: row.filled("local_logs_err")?,
        workflow_commit: row.filled("workflow_commit")?,
        ..JobRecord::new(name, status)
    };
    Ok((
        record,
        row.filled("modified")?.as_deref().and_then(parse_moment),
    ))
}
