//! What the logs of runs tell of their ends: `tmp/ASLOGS/<YYYYMMDD_HHMMSS>_run.log`, before Autosubmit 3.13 in `tmp` itself.
//! Autosubmit keeps the newest ten.

use std::fs::Metadata;
use std::io::{Read, Seek, SeekFrom};
use std::time::UNIX_EPOCH;

use chrono::{DateTime, TimeDelta, Utc};

use super::logs::{MAX_ENTRIES, names_in};
use super::open_file;
use super::own_logs::OwnLogName;
use super::{Expid, Root, SourceError};
use crate::experiments::liveness::RunLogs;

/// How a log of a run is called.
const RUN_LOG_SUFFIX: &str = "_run.log";
/// The most logs that are looked at.
const MAX_LOGS: usize = 1000;
/// How much of the end of a log is read, in bytes.
const END: u64 = 16 << 10;
/// What Autosubmit writes when it leaves its main loop; a few lines may follow.
const ENDED: &[u8] = b"No more jobs to run.";
/// The last line after an error that ends Autosubmit; the rest of the address differs by version.
const FAILED: &[u8] = b"More info at https://autosubmit.readthedocs.io";
/// `tmp` is a large folder, and all experiments are looked at every few seconds: it is gone through only if something was
/// added to it or removed from it since. A run writes scripts and marks there all the time, and its log when it begins.
const BUSY: TimeDelta = TimeDelta::days(30);
/// An end that is longer ago tells nothing that the times do not tell.
const RECENT: TimeDelta = TimeDelta::hours(1);

/// What the logs of runs tell. Those that cannot be read tell nothing; logs that have been compressed are of runs that
/// ended long ago.
pub fn read_run_logs(root: &Root, expid: &Expid, now: DateTime<Utc>) -> RunLogs {
    let mut logs = RunLogs::default();
    let (folder, names) = run_logs(root, expid, now);
    for name in names {
        let Ok((modified, end)) = look(root, &format!("{folder}/{name}"), now) else {
            continue;
        };
        let kind = match end {
            End::Open => &mut logs.open,
            End::Ended => &mut logs.ended,
            End::Failed => &mut logs.failed,
        };
        *kind = (*kind).max(Some(modified));
    }
    logs
}

/// The folder with the logs of runs, and their names.
fn run_logs(root: &Root, expid: &Expid, now: DateTime<Utc>) -> (String, Vec<String>) {
    let in_folder = |folder: &str| -> Vec<String> {
        let names = names_in(root, expid, folder, MAX_ENTRIES);
        let logs = names.into_iter().flatten().filter(|name| is_run_log(name));
        logs.take(MAX_LOGS).collect()
    };
    let folder = root.run_log_folder(expid);
    let names = in_folder(&folder);
    if !names.is_empty() {
        return (folder, names);
    }
    let tmp = root.tmp_folder(expid);
    let metadata = root
        .resolve(&tmp)
        .and_then(|path| open_file::metadata(&path));
    let busy = metadata.is_ok_and(|metadata| modified(&metadata) > now - BUSY);
    let names = if busy { in_folder(&tmp) } else { Vec::new() };
    (tmp, names)
}

/// Whether this is the name of a log of a run that may still be written to.
pub(crate) fn is_run_log(name: &str) -> bool {
    name.ends_with(RUN_LOG_SUFFIX) && OwnLogName::is_dated(name)
}

enum End {
    Open,
    Ended,
    Failed,
}

fn look(root: &Root, path: &str, now: DateTime<Utc>) -> Result<(DateTime<Utc>, End), SourceError> {
    let modified = modified(&open_file::metadata(&root.resolve(path)?)?);
    if modified < now - RECENT {
        return Ok((modified, End::Open));
    }
    let mut file = root.open(path)?;
    let metadata = file.metadata()?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    let says = |words: &[u8]| end.windows(words.len()).any(|window| window == words);
    let end = if says(ENDED) {
        End::Ended
    } else if says(FAILED) {
        End::Failed
    } else {
        End::Open
    };
    Ok((modified, end))
}

/// When something was last written. A time before 1970 or after all that can be told is nobody's sign of life.
fn modified(metadata: &Metadata) -> DateTime<Utc> {
    let modified = metadata.modified().ok();
    let age = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = age.and_then(|age| {
        let seconds = i64::try_from(age.as_secs()).ok()?;
        DateTime::from_timestamp(seconds, age.subsec_nanos())
    });
    modified.unwrap_or(DateTime::UNIX_EPOCH)
}
