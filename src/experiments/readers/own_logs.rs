//! The logs of Autosubmit itself: `tmp/ASLOGS/<YYYYMMDD_HHMMSS>_<command>[_err].log[.gz|.xz]`, and before 3.13 files of the
//! same names right in `tmp`.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::logs::{LogFile, LogFolder, MAX_ENTRIES, find_log, names_in, without_compression};
use super::time::parse_local_digits;
use super::{Expid, Root, SourceError};

/// The command whose log tells of a run.
pub const RUN: &str = "run";
/// The command, as names have it, that fetches the logs of jobs; one process for each platform.
pub const LOG_RECOVERY: &str = "log_recovery";
/// The most logs of runs whose times are looked at. Autosubmit keeps the newest ten.
const MAX_RUN_LOGS: usize = 1000;

/// What the name of a log of Autosubmit tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLogName {
    /// The name.
    pub name: String,
    /// When the command began, in digits; none for a name without a time, such as `jobs_active_status.log`.
    stamp: Option<String>,
    /// The command that wrote it; none for a name without a time.
    pub command: Option<String>,
    /// The platform whose logs were fetched; none for all other commands.
    pub platform: Option<String>,
    /// Whether it holds the warnings and errors alone.
    pub errors: bool,
}

impl OwnLogName {
    /// What a name tells; none if it is not that of a log.
    pub fn parse(name: &str) -> Option<Self> {
        let stem = without_compression(name).strip_suffix(".log")?;
        let plain = Self {
            name: name.to_owned(),
            stamp: None,
            command: None,
            platform: None,
            errors: false,
        };
        let Some((stamp, rest)) = split_stamp(stem) else {
            return Some(plain);
        };
        let (rest, errors) = match rest.strip_suffix("_err") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let recovered = rest
            .strip_suffix(LOG_RECOVERY)
            .and_then(|platform| platform.strip_suffix('_'))
            .filter(|platform| !platform.is_empty());
        let command = recovered.map_or(rest, |_| LOG_RECOVERY);
        Some(Self {
            stamp: Some(stamp),
            command: Some(command.to_owned()),
            platform: recovered.map(str::to_owned),
            errors,
            ..plain
        })
    }

    /// Whether this is the name of a log with the time at which it began.
    pub fn is_dated(name: &str) -> bool {
        Self::parse(name).is_some_and(|log| log.stamp.is_some())
    }

    /// Whether it tells of a run.
    pub fn is_run_log(&self) -> bool {
        self.command.as_deref() == Some(RUN) && !self.errors
    }

    /// When the command began, on the clock of the machine that it ran on, which is taken to be this machine's.
    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        parse_local_digits(self.stamp.as_deref()?)
    }
}

/// `YYYYMMDD_HHMMSS_<rest>`: the digits, and the rest.
fn split_stamp(stem: &str) -> Option<(String, &str)> {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (date, rest) = stem.split_once('_')?;
    let (time, rest) = rest.split_once('_')?;
    let valid = date.len() == 8 && time.len() == 6 && is_digits(date) && is_digits(time);
    (valid && !rest.is_empty()).then(|| (format!("{date}{time}"), rest))
}

/// The logs of Autosubmit itself, in no order. Where its folder has no log of a run, those in `tmp` are among them.
///
/// # Errors
/// [`SourceError`] if a folder is there and cannot be read.
pub fn own_logs(root: &Root, expid: &Expid) -> Result<Vec<OwnLogName>, SourceError> {
    let in_folder = |folder: &str| match names_in(root, expid, folder, MAX_ENTRIES) {
        Err(SourceError::Missing) => Ok(Vec::new()),
        names => Ok::<_, SourceError>(
            names?
                .filter_map(|name| OwnLogName::parse(&name))
                .collect::<Vec<_>>(),
        ),
    };
    let mut logs = in_folder(&root.run_log_folder(expid))?;
    if !logs.iter().any(OwnLogName::is_run_log) {
        let old = in_folder(&root.tmp_folder(expid))?;
        let known: HashSet<String> = logs.iter().map(|log| log.name.clone()).collect();
        let old = old.into_iter().filter(|log| log.stamp.is_some());
        logs.extend(old.filter(|log| !known.contains(&log.name)));
    }
    Ok(logs)
}

/// The log of a run, among these of [`own_logs`], to which was written last, as the times of the files tell.
pub fn newest_run_log(
    root: &Root,
    expid: &Expid,
    logs: &[OwnLogName],
) -> Option<(OwnLogName, LogFile)> {
    let of_runs = logs.iter().filter(|log| log.is_run_log());
    let mut logs: Vec<OwnLogName> = of_runs.cloned().collect();
    logs.sort_by(|left, right| right.name.cmp(&left.name));
    logs.truncate(MAX_RUN_LOGS);
    let mut found = Vec::new();
    for log in logs {
        // What is not what its name says must not hide the others.
        if let Ok(Some(file)) = find_log(root, expid, LogFolder::Autosubmit, &log.name) {
            found.push((log, file));
        }
    }
    let newest = |(log, file): &(OwnLogName, LogFile)| (file.modified_at, log.name.clone());
    found.into_iter().max_by_key(newest)
}

/// Of each platform the log, among these of [`own_logs`], of the newest process that fetched logs from there, by platform.
pub fn recovery_logs(
    root: &Root,
    expid: &Expid,
    logs: &[OwnLogName],
) -> Vec<(OwnLogName, LogFile)> {
    let mut newest: BTreeMap<&str, &OwnLogName> = BTreeMap::new();
    for log in logs.iter().filter(|log| !log.errors) {
        let Some(platform) = log.platform.as_deref() else {
            continue;
        };
        let known = newest.get(platform);
        if known.is_none_or(|known| (&known.stamp, &known.name) < (&log.stamp, &log.name)) {
            newest.insert(platform, log);
        }
    }
    let mut found = Vec::new();
    for log in newest.into_values() {
        // What is not what its name says must not hide the others.
        if let Ok(Some(file)) = find_log(root, expid, LogFolder::Autosubmit, &log.name) {
            found.push((log.clone(), file));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_tell_command_platform_and_time() {
        let of = |name: &str| {
            let log = OwnLogName::parse(name)?;
            Some((log.stamp, log.command, log.platform, log.errors))
        };
        let text = |text: &str| Some(text.to_owned());
        let stamp = || text("20261122054545");
        for (name, told) in [
            (
                "20261122_054545_run.log",
                (stamp(), text("run"), None, false),
            ),
            (
                "20261122_054545_run_err.log.xz",
                (stamp(), text("run"), None, true),
            ),
            (
                "20261122_054545_mn5_gp_log_recovery.log.gz",
                (stamp(), text("log_recovery"), text("mn5_gp"), false),
            ),
            (
                "20261122_054545_log_recovery.log",
                (stamp(), text("log_recovery"), None, false),
            ),
            ("jobs_active_status.log", (None, None, None, false)),
            ("2026112_054545_run.log", (None, None, None, false)),
        ] {
            assert_eq!(of(name), Some(told), "{name}");
        }
        assert_eq!(of("20261122_054545_run.txt"), None);
        assert_eq!(of(".gitkeep"), None);
        let odd = OwnLogName::parse("20269999_999999_run.log").unwrap();
        assert_eq!(odd.started_at(), None);
    }

    proptest! {
        #[test]
        fn any_name_is_taken_or_left(name in "([0-9]{0,9}_){0,3}\\PC{0,20}(_log_recovery|_err|_run)?(\\.log)?(\\.[gx]z)?") {
            if let Some(log) = OwnLogName::parse(&name) {
                prop_assert_eq!(&log.name, &name);
                prop_assert_eq!(log.command.is_some(), OwnLogName::is_dated(&name));
                let _ = log.started_at();
            }
        }
    }
}
