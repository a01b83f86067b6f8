//! An attempt at a step as a job for an executor: the same, however often it is made.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::plan::Plan;
use super::verdict::Held;
use crate::engine::{Bounds, Job, Ticket};
use crate::flows::places::RunPlaces;
use crate::flows::settings::{FlowSettings, StepLimits};
use crate::flows::template::limits::Limits;

/// Where programs are looked for, unless the site says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SHELL: &str = "/bin/sh";
/// Linux takes no word of 128 KiB or more: a longer script is a file.
const LONGEST_WORD: usize = 100_000;
/// As much of a stream as nobody prints.
const ALL_OF_A_STREAM: u64 = 1 << 50;
/// How long after the time of its run was up a step is ended by its executor.
const OVERTIME: Duration = Duration::from_secs(5);

/// What a step is held to: the least of what its template and the site say.
pub(super) fn held(limits: &Limits, settings: &FlowSettings) -> Held {
    let site = &settings.limits;
    let least = |own: Option<u64>, site: u64| {
        let all = [own, Some(site)].into_iter().flatten();
        all.filter(|limit| *limit > 0).min()
    };
    let mebibytes = |limit: Option<u64>| limit.map(|limit| limit.saturating_mul(1 << 20));
    let own = limits.timeout_seconds.map(Duration::from_secs);
    let times = [own, Some(site.time)].into_iter().flatten();
    Held {
        time_limit: times.filter(|time| !time.is_zero()).min(),
        bounds: Bounds {
            cpu: None,
            memory: mebibytes(least(limits.memory_mib, site.memory_mib)),
            file_size: mebibytes(least(limits.file_size_mib, site.file_size_mib)),
            disk: mebibytes(least(None, site.disk_mib)),
            grace: settings.queue.grace,
        },
    }
}

fn processors(limits: &Limits, site: &StepLimits) -> u16 {
    let own = limits
        .cpus
        .map(|cpus| u16::try_from(cpus).unwrap_or(u16::MAX));
    let all = [Some(own.unwrap_or(1)), (site.cpus > 0).then_some(site.cpus)];
    all.into_iter().flatten().min().unwrap_or(1).max(1)
}

/// The job, and the script if that has to be a file. None: the run was not given what the step does. `left` is the time that the
/// run has: the executor holds the step to it, with something above, for when nobody else does.
pub(super) fn job(
    plan: &Plan,
    position: usize,
    (run, places): (i64, &RunPlaces),
    ticket: Ticket,
    left: Option<Duration>,
    settings: &FlowSettings,
) -> Option<(Job, Option<(PathBuf, String)>)> {
    let script = plan.commands.steps.get(position)?.script()?;
    let limits = &plan.workflow()?.steps.get(position)?.limits;
    let held = held(limits, settings);
    let (args, file): (Vec<OsString>, _) = if script.len() < LONGEST_WORD {
        (vec!["-c".into(), script.into()], None)
    } else {
        let path = places.script(position);
        (vec![path.clone().into()], Some((path, script)))
    };
    let log_limit = match settings.limits.log_kib {
        0 => ALL_OF_A_STREAM,
        kibibytes => kibibytes.saturating_mul(1 << 10).min(ALL_OF_A_STREAM),
    };
    let job = Job {
        ticket,
        program: SHELL.into(),
        args,
        environment: environment(plan, run, places, settings),
        working_dir: places.work(),
        time_limit: [held.time_limit, left.map(|left| left + OVERTIME)]
            .into_iter()
            .flatten()
            .min(),
        bounds: held.bounds,
        processors: processors(limits, &settings.limits),
        log_limit,
    };
    Some((job, file))
}

/// All variables of a step. Those of the run cannot be taken by the site: their names begin in ways of their own.
fn environment(
    plan: &Plan,
    run: i64,
    places: &RunPlaces,
    settings: &FlowSettings,
) -> Vec<(OsString, OsString)> {
    let mut all = std::collections::BTreeMap::<String, OsString>::new();
    all.insert("PATH".into(), PATH.into());
    all.insert("HOME".into(), places.work().into());
    all.insert("LANG".into(), "C.UTF-8".into());
    let texts = settings
        .environment
        .iter()
        .chain(&plan.commands.environment);
    all.extend(texts.map(|(name, value)| (name.clone(), value.into())));
    all.insert("LABQL_RUN".into(), run.to_string().into());
    all.into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_counts() {
        let mut settings = FlowSettings::default();
        settings.limits.memory_mib = 100;
        settings.limits.cpus = 4;
        let limits = Limits {
            timeout_seconds: Some(60),
            cpus: Some(8),
            memory_mib: Some(200),
            file_size_mib: Some(5),
        };
        let held = held(&limits, &settings);
        assert_eq!(held.time_limit, Some(Duration::from_mins(1)));
        assert_eq!(held.bounds.memory, Some(100 << 20));
        assert_eq!(held.bounds.file_size, Some(5 << 20));
        assert_eq!(held.bounds.disk, None);
        assert_eq!(processors(&limits, &settings.limits), 4);
        assert_eq!(processors(&Limits::default(), &settings.limits), 1);
        (settings.limits.time, settings.limits.memory_mib) = (Duration::ZERO, 0);
        let free = super::held(&Limits::default(), &settings);
        assert_eq!((free.time_limit, free.bounds.memory), (None, None));
    }
}
