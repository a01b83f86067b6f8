//! From what the readers found to the rows of the mirror.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ActiveModelTrait, IntoActiveModel, Iterable, ModelTrait};

use crate::entity::{experiment, experiment_run, job, job_attempt, job_section, wrapper};
use crate::experiments::readers::{
    AttemptRecord, CentralExperiment, ConfigSummary, ExperimentRecord, JobRecord, Part, RunRecord,
    StatLine, WrapperRecord, without_nul,
};
use crate::experiments::status::{ExperimentStatus, JobStatus};
use crate::time::Millis;

/// The longest text of most columns, in bytes; some of them are parts of indexes, whose rows PostgreSQL bounds.
const MAX_TEXT: usize = 255;
/// The longest address of a model's sources and name of their branch, in bytes.
const MAX_ADDRESS: usize = 10_000;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 10_000;

/// The row of an experiment as far as the central databases tell; the other columns are those of `old`.
pub fn experiment(
    source_id: i64,
    central: &CentralExperiment,
    old: Option<&experiment::Model>,
) -> experiment::Model {
    let description = bounded(central.description.as_deref(), usize::MAX).unwrap_or_default();
    let mut row = experiment::Model {
        id: old.map_or(0, |old| old.id),
        source_id,
        expid: central.expid.as_str().to_owned(),
        autosubmit_id: central.id,
        description: description.chars().take(MAX_DESCRIPTION).collect(),
        owner: old.and_then(|old| old.owner.clone()),
        hpc: old.and_then(|old| old.hpc.clone()),
        autosubmit_version: text(central.autosubmit_version.as_deref()),
        kind: central.expid.kind().code(),
        status: old.map_or(ExperimentStatus::NotRunning.code(), |old| old.status),
        created_at: old.and_then(|old| old.created_at),
        modified_at: old.and_then(|old| old.modified_at),
        archived_at: None,
        chunk_size: old.and_then(|old| old.chunk_size),
        chunk_unit: old.and_then(|old| old.chunk_unit.clone()),
        model: old.and_then(|old| old.model.clone()),
        branch: old.and_then(|old| old.branch.clone()),
        workflow_commit: old.and_then(|old| old.workflow_commit.clone()),
        job_counts: old.map_or_else(|| "{}".into(), |old| old.job_counts.clone()),
        announced_at: match &central.running {
            Part::Broken => old.and_then(|old| old.announced_at),
            Part::Present(_) | Part::Missing => millis(central.announced_at),
        },
        active_until: old.and_then(|old| old.active_until),
    };
    if !central.details.is_broken() {
        let details = central.details.present();
        row.owner = text(details.and_then(|details| details.owner.as_deref()));
        row.hpc = text(details.and_then(|details| details.hpc.as_deref()));
        row.created_at = millis(details.and_then(|details| details.created_at));
        // Where the central database does not say, the experiment's configuration did.
        let model = address(details.and_then(|details| details.model.as_deref()));
        let branch = address(details.and_then(|details| details.branch.as_deref()));
        row.model = model.or(row.model);
        row.branch = branch.or(row.branch);
    }
    row
}

/// Whether who looks at an experiment sees another one: when it falls silent, and when its run was announced, shows in
/// its status alone.
pub fn differ(old: &experiment::Model, new: &experiment::Model) -> bool {
    let seen = |row: &experiment::Model| experiment::Model {
        announced_at: None,
        active_until: None,
        ..row.clone()
    };
    seen(old) != seen(new)
}

/// What turns one row of an experiment into another: the columns that differ.
pub fn changed_columns(
    old: &experiment::Model,
    new: &experiment::Model,
) -> experiment::ActiveModel {
    let mut changed = old.clone().into_active_model();
    for column in experiment::Column::iter() {
        changed.set_if_not_equals(column, new.get(column));
    }
    changed
}

/// Completes the row of an experiment with what its own files tell.
pub fn complete_experiment(row: &mut experiment::Model, record: &ExperimentRecord) {
    if let Some(list) = &record.job_list {
        row.modified_at = millis(list.modified_at);
        row.job_counts = job_counts(&list.jobs);
    }
    match &record.config {
        Part::Present(config) => complete_from_config(row, config),
        Part::Missing => (row.chunk_size, row.chunk_unit) = (None, None),
        Part::Broken => {}
    }
    let config = record.config.present();
    let commit = config.and_then(|config| config.workflow_commit.as_deref());
    let runs = record.runs.known().unwrap_or_default();
    let last_run = runs.iter().max_by_key(|run| run.run_id);
    let commit = commit.or_else(|| last_run.and_then(|run| run.workflow_commit.as_deref()));
    if let Some(commit) = text(commit) {
        row.workflow_commit = Some(commit);
    }
}

fn complete_from_config(row: &mut experiment::Model, config: &ConfigSummary) {
    let chunk_unit = text(config.chunk_unit.as_deref());
    if chunk_unit.is_some() || !config.incomplete {
        row.chunk_size = Some(config.chunk_size);
        row.chunk_unit = chunk_unit;
    }
    if row.model.is_none() {
        row.model = address(config.model.as_deref());
    }
    if row.branch.is_none() {
        row.branch = address(config.branch.as_deref());
    }
}

/// Jobs by status code, as JSON.
fn job_counts(jobs: &[JobRecord]) -> String {
    let mut counts: BTreeMap<JobStatus, i64> = BTreeMap::new();
    for job in jobs {
        *counts.entry(job.status).or_default() += 1;
    }
    let counts: serde_json::Map<_, _> = counts
        .into_iter()
        .map(|(status, count)| (status.code().to_string(), count.into()))
        .collect();
    serde_json::Value::Object(counts).to_string()
}

/// The rows of the jobs: what the job list says, completed from the configuration and the newest attempt, or, where
/// these cannot be read, from the rows that are there.
pub fn jobs(
    experiment_id: i64,
    jobs: &[JobRecord],
    record: &ExperimentRecord,
    existing: &[job::Model],
) -> Vec<job::Model> {
    let attempts = record.attempts.known();
    let last: HashMap<&str, &AttemptRecord> = attempts
        .unwrap_or_default()
        .iter()
        .filter(|attempt| attempt.is_newest())
        .map(|attempt| (attempt.job_name.as_str(), attempt))
        .collect();
    let config = record.config.present();
    let config_unknown =
        record.config.is_broken() || config.is_some_and(|config| config.incomplete);
    let old: HashMap<&str, &job::Model> = if config_unknown || attempts.is_none() {
        existing
            .iter()
            .map(|row| (row.name.as_str(), row))
            .collect()
    } else {
        HashMap::new()
    };
    jobs.iter()
        .map(|job| {
            let old = old.get(job.name.as_str()).copied();
            let completion = Completion {
                attempt: last.get(job.name.as_str()).copied(),
                stat: record.stats.get(&job.name),
                config,
                before_attempts: old.filter(|_| attempts.is_none()),
                before_config: old.filter(|_| config_unknown),
            };
            completion.job_row(experiment_id, job)
        })
        .collect()
}

/// What the row of a job is completed from.
struct Completion<'a> {
    /// The newest attempt.
    attempt: Option<&'a AttemptRecord>,
    /// What its own file tells, if the newest attempt is not in the job's status.
    stat: Option<&'a StatLine>,
    config: Option<&'a ConfigSummary>,
    /// The row that is there, if the attempts cannot be read.
    before_attempts: Option<&'a job::Model>,
    /// The row that is there, if the configuration cannot be read, or not the whole of it.
    before_config: Option<&'a job::Model>,
}

impl Completion<'_> {
    fn job_row(&self, experiment_id: i64, job: &JobRecord) -> job::Model {
        let attempt = self.attempt;
        let section = job.section.as_deref();
        let settings = section.and_then(|section| self.config?.resolve(section));
        let settings = settings.as_ref();
        // The newest attempt tells the times of this state only if it is in this state.
        let in_state = |status: i16| status == job.status.code();
        let current = attempt
            .filter(|attempt| attempt.status == Some(job.status))
            .filter(|_| job.status != JobStatus::Suspended);
        let stat = self.stat;
        let failed = job.status == JobStatus::Failed;
        let begun = failed || job.status == JobStatus::Running;
        let before = self.before_attempts;
        let current_before = before.filter(|row| in_state(row.status));
        let configured = self.before_config;
        let positive = |number: Option<i64>| number.filter(|number| *number > 0);
        job::Model {
            id: 0,
            experiment_id,
            name: job.name.clone(),
            status: job.status.code(),
            priority: job.priority,
            section: text(section),
            date: job.date.map(|date| date.and_utc().millis()),
            member: text(job.member.as_deref()),
            chunk: job.chunk,
            split: job.split,
            splits: job.splits,
            platform: text(settings.and_then(|settings| settings.platform.as_deref()))
                .or_else(|| configured?.platform.clone())
                .or_else(|| text(job.platform.as_deref()))
                .or_else(|| text(attempt?.platform.as_deref()))
                .or_else(|| before?.platform.clone()),
            queue: text(settings.and_then(|settings| settings.queue.as_deref()))
                .or_else(|| configured?.queue.clone())
                .or_else(|| text(attempt?.qos.as_deref()))
                .or_else(|| before?.queue.clone()),
            processors: settings
                .and_then(|settings| positive(i64::try_from(settings.processor_count()).ok()))
                .or_else(|| configured?.processors)
                .or_else(|| positive(attempt?.ncpus))
                .or_else(|| before?.processors),
            wallclock: text(settings.and_then(|settings| settings.wallclock.as_deref()))
                .or_else(|| configured?.wallclock.clone())
                .or_else(|| text(job.wallclock.as_deref()))
                .or_else(|| text(attempt?.wallclock.as_deref()))
                .or_else(|| before?.wallclock.clone()),
            remote_id: attempt
                .and_then(|attempt| positive(attempt.remote_id))
                .or_else(|| current_before?.remote_id)
                .or_else(|| positive(job.remote_id))
                .or_else(|| before?.remote_id),
            workflow_commit: text(attempt.and_then(|attempt| attempt.workflow_commit.as_deref()))
                .or_else(|| current_before?.workflow_commit.clone())
                .or_else(|| text(job.workflow_commit.as_deref()))
                .or_else(|| before?.workflow_commit.clone()),
            submitted_at: current
                .and_then(|attempt| millis(attempt.submitted_at))
                .or_else(|| millis(stat?.submitted_at))
                .or_else(|| current_before?.submitted_at),
            started_at: current
                .and_then(|attempt| millis(attempt.started_at))
                .or_else(|| millis(stat?.started_at).filter(|_| begun))
                .or_else(|| current_before?.started_at),
            finished_at: current
                .and_then(|attempt| millis(attempt.finished_at))
                .or_else(|| millis(stat?.finished_at).filter(|_| failed))
                .or_else(|| current_before?.finished_at),
            out_log: job.out_local.as_deref().and_then(file_name),
            err_log: job.err_local.as_deref().and_then(file_name),
        }
    }
}

/// The rows of the kinds of job that a configuration defines.
pub fn sections(experiment_id: i64, config: &ConfigSummary) -> Vec<job_section::Model> {
    let row = |name: &String| {
        let settings = config.resolve(name)?;
        let platform = settings.platform.as_deref();
        let platform = platform.and_then(|name| config.platform(name));
        Some(job_section::Model {
            id: 0,
            experiment_id,
            name: text(Some(name))?,
            platform: text(settings.platform.as_deref()),
            processing_elements: i64::try_from(settings.processing_elements()).unwrap_or(i64::MAX),
            wallclock: text(settings.wallclock.as_deref()),
            carbon_factor: platform.and_then(|platform| platform.carbon_factor),
            pue: platform.and_then(|platform| platform.pue),
        })
    };
    config.sections.keys().filter_map(row).collect()
}

/// The row of a wrapper.
pub fn wrapper(experiment_id: i64, wrapper: &WrapperRecord) -> wrapper::Model {
    wrapper::Model {
        id: 0,
        experiment_id,
        name: wrapper.name.clone(),
    }
}

/// The row of a run.
pub fn run(experiment_id: i64, run: &RunRecord) -> experiment_run::Model {
    experiment_run::Model {
        id: 0,
        experiment_id,
        number: run.run_id,
        created_at: millis(run.created_at),
        modified_at: millis(run.modified_at),
        started_at: millis(run.started_at),
        finished_at: millis(run.finished_at),
        chunk_unit: text(run.chunk_unit.as_deref()),
        chunk_size: run.chunk_size,
        completed: run.completed,
        total: run.total,
        failed: run.failed,
        queuing: run.queuing,
        running: run.running,
        submitted: run.submitted,
        suspended: run.suspended,
    }
}

/// The row of an attempt.
pub fn attempt(experiment_id: i64, attempt: &AttemptRecord) -> job_attempt::Model {
    let (section, member) = section_and_member(attempt);
    job_attempt::Model {
        id: 0,
        experiment_id,
        job_name: attempt.job_name.clone(),
        number: attempt.counter,
        run_number: attempt.run_id,
        is_last: attempt.last,
        row_type: attempt.rowtype,
        status: attempt.status.map(JobStatus::code),
        created_at: millis(attempt.created_at),
        submitted_at: millis(attempt.submitted_at),
        started_at: millis(attempt.started_at),
        finished_at: millis(attempt.finished_at),
        processors: attempt.ncpus,
        node_count: attempt.nnodes,
        wallclock: text(attempt.wallclock.as_deref()),
        queue: text(attempt.qos.as_deref()),
        platform: text(attempt.platform.as_deref()),
        energy_joules: attempt.energy.filter(|energy| energy.is_finite()),
        section: text(section),
        date: attempt.date.map(|date| date.and_utc().millis()),
        member: text(member),
        chunk: attempt.chunk,
        split: attempt.split,
        splits: attempt.splits,
        remote_id: attempt.remote_id,
        out_log: attempt.out.as_deref().and_then(file_name),
        err_log: attempt.err.as_deref().and_then(file_name),
        workflow_commit: text(attempt.workflow_commit.as_deref()),
    }
}

/// The section and the member of an attempt. Old histories have them exchanged; the name of the job, which ends with its
/// section, tells.
fn section_and_member(attempt: &AttemptRecord) -> (Option<&str>, Option<&str>) {
    let (section, member) = (attempt.section.as_deref(), attempt.member.as_deref());
    let is_section = |text: Option<&str>| {
        let name = text.and_then(|text| attempt.job_name.strip_suffix(text));
        name.is_some_and(|rest| rest.ends_with('_'))
    };
    if is_section(member) && !is_section(section) {
        (member, section)
    } else {
        (section, member)
    }
}

fn millis(time: Option<chrono::DateTime<chrono::Utc>>) -> Option<i64> {
    time.map(|time| time.millis())
}

/// A text that says something, unless it is far longer than such texts are.
///
/// Every text of a foreign file but names comes through here or [`bounded`]; the readers bound names themselves.
fn text(text: Option<&str>) -> Option<String> {
    bounded(text, MAX_TEXT)
}

/// The address of a model's sources, or their branch; Autosubmit writes `NA` where there are none.
fn address(text: Option<&str>) -> Option<String> {
    bounded(text, MAX_ADDRESS).filter(|text| text != "NA")
}

fn bounded(text: Option<&str>, most: usize) -> Option<String> {
    text.filter(|text| text.len() <= most)
        .map(without_nul)
        .filter(|text| !text.trim().is_empty())
}

/// Old lists hold whole paths of another machine; the name is what counts.
fn file_name(path: &str) -> Option<String> {
    text(path.rsplit('/').next())
}
