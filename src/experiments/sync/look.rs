//! Looking at the files and tables of experiments: which have changed, and when their runs last showed a sign of life.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::agenda::{Dirty, lock};
use super::gap::Mirrored;
use super::ledger::State;
use super::{Mirror, blocking, life, unreachable};
use crate::entity::experiment;
use crate::experiments::liveness::RunLogs;
use crate::experiments::readers::{
    ExperimentRecord, Expid, Root, SourceError, SourceFile, SourceFingerprint, read_experiment,
    read_run_logs,
};
use crate::failure::Failure;

/// A file that changed so recently may change again without a new time: file systems count in clock ticks.
const TICK_NS: i64 = 20_000_000;
/// A file that is broken and changed so recently is likely to be written at this moment.
const IN_THE_MAKING_NS: i64 = 1_000_000_000;
/// How long to wait for such a file between two readings.
const PAUSE: Duration = Duration::from_millis(250);
/// How often it is read.
const READINGS: usize = 5;

/// An experiment that was looked at.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its row before.
    pub row: experiment::Model,
    pub expid: Expid,
    /// The states of its files before they were read.
    prints: Vec<SourceFingerprint>,
    /// The state of its tables, if they are on a server.
    tables: String,
    looked_at: DateTime<Utc>,
    /// Whether they are other ones than when they were last read, or it is time to read them again.
    pub changed: bool,
    /// The logs of its runs.
    pub run_logs: RunLogs,
}

impl Look {
    /// The state of its files, with those in `extra`, and tables.
    pub fn state(&self, extra: &[SourceFingerprint]) -> State {
        let version = self.row.autosubmit_version.as_deref().unwrap_or_default();
        let Self { prints, tables, .. } = self;
        if tables.is_empty() {
            return State::new(prints, extra, version);
        }
        State::new(prints, extra, &format!("{version}\n{tables}"))
    }

    /// Whether one of its files had changed within the last tick when it was looked at.
    pub fn is_too_fresh(&self) -> bool {
        let newer = |print| is_newer(print, self.looked_at, TICK_NS);
        self.prints.iter().any(newer)
    }

    /// Whether its row would be another one with these signs of life.
    pub fn differs(&self, finished_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let mut row = self.row.clone();
        life::judge(&mut row, self.run_logs, finished_at, now);
        row != self.row
    }
}

/// Whether a file had changed within so many nanoseconds before a moment.
fn is_newer(print: &SourceFingerprint, moment: DateTime<Utc>, nanoseconds: i64) -> bool {
    let Some(moment) = moment.timestamp_nanos_opt() else {
        return false;
    };
    print.fingerprint.is_ok_and(|print| {
        let times = [Some(print.file), print.wal, print.journal];
        let newest = times
            .into_iter()
            .flatten()
            .map(|stamp| stamp.mtime_ns)
            .max();
        newest.is_some_and(|newest| (0..nanoseconds).contains(&moment.saturating_sub(newest)))
    })
}

impl Mirror {
    /// Looks at experiments, after seeing to it that what changes from now on is noted. `whole`: these are all that
    /// there are.
    pub(super) async fn look(
        &self,
        mut rows: Vec<experiment::Model>,
        states: HashMap<String, State>,
        dirty: Dirty,
        whole: bool,
        now: DateTime<Utc>,
    ) -> Result<Vec<Look>, Failure> {
        let (root, watch) = (Arc::clone(&self.root), Arc::clone(&self.watch));
        let rounds = Arc::clone(&self.rounds);
        let look = move || {
            let expids: Vec<&str> = rows.iter().map(|row| row.expid.as_str()).collect();
            let mut tables = root.table_states(&expids)?;
            let mut watched = rows.len();
            if whole {
                // Where not all can be watched, those that are likely to change are.
                rows.sort_by_cached_key(|row| Reverse((row.active_until, row.modified_at)));
                watched = watch.ration(rows.iter().map(|row| row.expid.as_str()));
            }
            let look_at = |(number, row): (usize, experiment::Model)| {
                let expid = Expid::parse(&row.expid).ok()?;
                let known = states.get(&row.expid);
                let extra = known.map(|state| state.extra_paths.as_slice());
                let extra = extra.unwrap_or_default();
                let is_dirty = dirty.all || dirty.owners.contains(&row.expid);
                if number < watched && (is_dirty || !watch.covers(&row.expid)) {
                    watch.cover_experiment(&root, &expid, extra);
                }
                let extra: Vec<_> = extra
                    .iter()
                    .map(|path| root.source_fingerprint(SourceFile::Config, path.clone()))
                    .collect();
                let mut look = Look {
                    prints: root.fingerprints(&expid),
                    tables: tables.remove(expid.as_str()).unwrap_or_default(),
                    looked_at: Utc::now(),
                    run_logs: read_run_logs(&root, &expid, now),
                    expid,
                    row,
                    changed: false,
                };
                let due = whole && lock(&rounds).is_due(look.expid.as_str(), Instant::now());
                look.changed = due || known != Some(&look.state(&extra));
                Some(look)
            };
            Ok(rows.into_iter().enumerate().filter_map(look_at).collect())
        };
        blocking(look).await?.map_err(unreachable)
    }

    /// Reads an experiment that was looked at.
    ///
    /// # Errors
    /// As for [`read_settled`]; within that: its reader panicked.
    pub(super) async fn read(
        &self,
        look: &Look,
    ) -> Result<Result<Result<ExperimentRecord, SourceError>, JoinError>, Failure> {
        let mirrored = Mirrored::of(self.database.read(), &look.row).await?;
        let (root, expid) = (Arc::clone(&self.root), look.expid.clone());
        let version = look.row.autosubmit_version.clone();
        let read = move || read_settled(&root, &expid, version.as_deref(), &mirrored);
        Ok(blocking(read).await)
    }
}

/// Reads an experiment. A file that is being written may look broken: so it is read again for a moment, before anybody
/// is told.
///
/// # Errors
/// [`SourceError::Unavailable`], [`SourceError::Slow`]: perhaps not the experiment is at fault.
fn read_settled(
    root: &Root,
    expid: &Expid,
    version: Option<&str>,
    mirrored: &Mirrored,
) -> Result<ExperimentRecord, SourceError> {
    let read = || {
        let picture = root.picture(Some(expid))?;
        let mut record = read_experiment(&picture, expid, version);
        mirrored.bridge(&picture, &mut record);
        picture.intact().map(|()| record)
    };
    let mut record = read()?;
    for _ in 1..READINGS {
        let now = Utc::now();
        let in_the_making = record.problems.iter().any(|problem| {
            let print = root.source_fingerprint(SourceFile::Config, problem.source.clone());
            problem.transient || is_newer(&print, now, IN_THE_MAKING_NS)
        });
        if !in_the_making {
            break;
        }
        std::thread::sleep(PAUSE);
        record = read()?;
    }
    Ok(record)
}
