//! An experiment that goes on while somebody looks: what Autosubmit would write as its jobs go from state to state.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::JobStatus;
use crate::demo::DemoError;

/// The experiment of the laboratory that is at work and keeps its jobs in a database.
const EXPID: &str = "a4hr";
/// How a job goes on.
const STEPS: [(JobStatus, JobStatus); 5] = [
    (JobStatus::Running, JobStatus::Completed),
    (JobStatus::Queuing, JobStatus::Running),
    (JobStatus::Submitted, JobStatus::Queuing),
    (JobStatus::Ready, JobStatus::Submitted),
    (JobStatus::Waiting, JobStatus::Ready),
];

/// Lets one job of the laboratory's root go one step further; answers with its name and its new status. `turn` grows by
/// one each time. When no job is left, all begin anew.
///
/// # Errors
/// If the root has no such experiment, or it cannot be written.
pub fn beat(
    root: &Path,
    turn: usize,
    now: DateTime<Utc>,
) -> Result<Option<(String, JobStatus)>, DemoError> {
    let folder = root.join(EXPID);
    let list = folder.join("db/job_list.db");
    let step = || {
        let mut database = Connection::open(&list)?;
        let transaction = database.transaction()?;
        let modified = now.format("%Y-%m-%d %H:%M:%S").to_string();
        let mut gone = None;
        for index in 0..STEPS.len() {
            let (from, to) = STEPS[(turn + index) % STEPS.len()];
            let next: Option<String> = transaction
                .query_row(
                    "SELECT name FROM jobs WHERE status = ?1 ORDER BY modified, name LIMIT 1",
                    [from.as_str()],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(name) = next {
                transaction.execute(
                    "UPDATE jobs SET status = ?2, modified = ?3 WHERE name = ?1",
                    params![name, to.as_str(), modified],
                )?;
                gone = Some((name, to));
                break;
            }
        }
        if gone.is_none() {
            transaction.execute("UPDATE jobs SET status = 'WAITING'", [])?;
        }
        transaction.commit()?;
        Ok(gone)
    };
    let gone = step().map_err(DemoError::database(&list))?;
    if let Some((name, status)) = &gone
        && let Some(log) = newest_run_log(&folder.join("tmp/ASLOGS"))?
    {
        let time = now.format("%Y-%m-%d %H:%M:%S");
        let opened = File::options().append(true).open(&log);
        opened
            .and_then(|mut file| writeln!(file, "{time},000 Job {name} is {}", status.as_str()))
            .map_err(DemoError::io(&log))?;
    }
    Ok(gone)
}

fn newest_run_log(folder: &Path) -> Result<Option<PathBuf>, DemoError> {
    let entries = fs::read_dir(folder).map_err(DemoError::io(folder))?;
    let logs = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("_run.log"));
    Ok(logs.max())
}
