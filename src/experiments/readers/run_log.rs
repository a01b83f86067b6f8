//! Autosubmit's own logs of runs: `tmp/ASLOGS/<YYYYMMDD_HHMMSS>_run.log`. Autosubmit keeps the newest ten.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::time::UNIX_EPOCH;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Expid, Root, SourceError};
use crate::experiments::liveness::RunLogs;

/// How a log of a run is called.
pub(crate) const RUN_LOG_SUFFIX: &str = "_run.log";
/// The most logs that are looked at.
const MAX_LOGS: usize = 1000;
/// How much of the end of a log is read, in bytes.
const END: u64 = 16 << 10;
/// What Autosubmit writes when it leaves its main loop; a few lines may follow.
const ENDED: &[u8] = b"No more jobs to run.";
/// The last line after an error that ends Autosubmit; the rest of the address differs by version.
const FAILED: &[u8] = b"More info at https://autosubmit.readthedocs.io";
/// An end that is longer ago tells nothing that the times do not tell.
const RECENT: TimeDelta = TimeDelta::hours(1);

/// What the logs of runs tell. Those that cannot be read tell nothing; logs that have been compressed are of runs that
/// ended long ago.
pub fn read_run_logs(root: &Root, expid: &Expid, now: DateTime<Utc>) -> RunLogs {
    let mut logs = RunLogs::default();
    let folder = root.run_log_folder(expid);
    let Ok(entries) = root
        .resolve(&folder)
        .and_then(|path| Ok(fs::read_dir(path)?))
    else {
        return logs;
    };
    let names = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(RUN_LOG_SUFFIX))
        .take(MAX_LOGS);
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

enum End {
    Open,
    Ended,
    Failed,
}

fn look(root: &Root, path: &str, now: DateTime<Utc>) -> Result<(DateTime<Utc>, End), SourceError> {
    let mut file = root.open(path)?;
    let metadata = file.metadata()?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
    let modified = modified.ok().and_then(|age| {
        let seconds = i64::try_from(age.as_secs()).ok()?;
        DateTime::from_timestamp(seconds, age.subsec_nanos())
    });
    // A time before 1970 or after all that can be told is nobody's sign of life.
    let modified = modified.unwrap_or(DateTime::UNIX_EPOCH);
    if modified < now - RECENT {
        return Ok((modified, End::Open));
    }
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
