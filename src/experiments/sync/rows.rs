//! From what the readers found to the rows of the mirror.

use std::collections::{BTreeMap, HashMap};

use crate::entity::{experiment, experiment_run, job, job_attempt};
use crate::experiments::readers::{
    AttemptRecord, CentralExperiment, ConfigSummary, ExperimentRecord, JobRecord, RunRecord,
};
use crate::experiments::status::{ExperimentStatus, JobStatus};
use crate::time::Millis;

/// The row of an experiment as far as the central databases tell.
pub fn experiment(source_id: i64, central: &CentralExperiment) -> experiment::Model {
    let status = match central.running {
        Some(true) => ExperimentStatus::Running,
        _ => ExperimentStatus::NotRunning,
    };
    experiment::Model {
        id: 0,
        source_id,
        expid: central.expid.as_str().to_owned(),
        autosubmit_id: central.id,
        description: text(central.description.as_deref()).unwrap_or_default(),
        owner: text(central.owner.as_deref()),
        hpc: text(central.hpc.as_deref()),
        autosubmit_version: text(central.autosubmit_version.as_deref()),
        kind: central.expid.kind().code(),
        status: status.code(),
        created_at: central.created_at.map(|at| at.millis()),
        modified_at: None,
        archived_at: None,
        chunk_size: None,
        chunk_unit: None,
        model: text(central.model.as_deref()),
        branch: text(central.branch.as_deref()),
        workflow_commit: None,
        job_counts: "{}".into(),
    }
}

/// The same row with the columns that only its own files tell taken from `old`.
pub fn keep_own_columns(new: &mut experiment::Model, old: &experiment::Model) {
    new.id = old.id;
    new.modified_at = old.modified_at;
    new.chunk_size = old.chunk_size;
    new.chunk_unit.clone_from(&old.chunk_unit);
    new.workflow_commit.clone_from(&old.workflow_commit);
    new.job_counts.clone_from(&old.job_counts);
    // Where the central database does not say, the experiment's configuration did.
    if new.model.is_none() {
        new.model.clone_from(&old.model);
    }
    if new.branch.is_none() {
        new.branch.clone_from(&old.branch);
    }
}

/// Completes the row of an experiment with what its own files tell.
pub fn complete_experiment(row: &mut experiment::Model, record: &ExperimentRecord) {
    if let Some(list) = &record.job_list {
        row.modified_at = Some(list.modified_at.millis());
        row.job_counts = job_counts(&list.jobs);
    }
    if let Some(config) = &record.config {
        row.chunk_size = Some(config.chunk_size);
        row.chunk_unit = text(config.chunk_unit.as_deref());
        if row.model.is_none() {
            row.model = text(config.model.as_deref());
        }
        if row.branch.is_none() {
            row.branch = text(config.branch.as_deref());
        }
    }
    let commit = record
        .config
        .as_ref()
        .and_then(|config| config.workflow_commit.as_deref());
    let last_run = record.runs.iter().max_by_key(|run| run.run_id);
    let commit = commit.or_else(|| last_run.and_then(|run| run.workflow_commit.as_deref()));
    if let Some(commit) = text(commit) {
        row.workflow_commit = Some(commit);
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

/// The rows of the jobs: what the job list says, completed from the configuration and the newest attempt.
pub fn jobs(experiment_id: i64, jobs: &[JobRecord], record: &ExperimentRecord) -> Vec<job::Model> {
    let last: HashMap<&str, &AttemptRecord> = record
        .attempts
        .iter()
        .filter(|attempt| attempt.last && attempt.rowtype >= 2)
        .map(|attempt| (attempt.job_name.as_str(), attempt))
        .collect();
    jobs.iter()
        .map(|job| {
            let attempt = last.get(job.name.as_str()).copied();
            job_row(experiment_id, job, attempt, record.config.as_ref())
        })
        .collect()
}

fn job_row(
    experiment_id: i64,
    job: &JobRecord,
    attempt: Option<&AttemptRecord>,
    config: Option<&ConfigSummary>,
) -> job::Model {
    let settings = job
        .section
        .as_deref()
        .and_then(|section| config?.resolve(section));
    let settings = settings.as_ref();
    // The newest attempt tells the times of this state only if it is in this state.
    let current = attempt
        .filter(|attempt| attempt.status == Some(job.status) && job.status != JobStatus::Suspended);
    let positive = |number: Option<i64>| number.filter(|number| *number > 0);
    job::Model {
        id: 0,
        experiment_id,
        name: job.name.replace('\0', ""),
        status: job.status.code(),
        priority: job.priority,
        section: text(job.section.as_deref()),
        date: job.date.map(|date| date.and_utc().millis()),
        member: text(job.member.as_deref()),
        chunk: job.chunk,
        split: job.split,
        splits: job.splits,
        platform: first([
            settings.and_then(|settings| settings.platform.as_deref()),
            job.platform.as_deref(),
            attempt.and_then(|attempt| attempt.platform.as_deref()),
        ]),
        queue: first([
            settings.and_then(|settings| settings.queue.as_deref()),
            attempt.and_then(|attempt| attempt.qos.as_deref()),
            None,
        ]),
        processors: positive(
            settings.and_then(|settings| i64::try_from(settings.processor_count()).ok()),
        )
        .or_else(|| positive(attempt?.ncpus)),
        wallclock: first([
            settings.and_then(|settings| settings.wallclock.as_deref()),
            job.wallclock.as_deref(),
            attempt.and_then(|attempt| attempt.wallclock.as_deref()),
        ]),
        remote_id: attempt
            .and_then(|attempt| positive(attempt.remote_id))
            .or_else(|| positive(job.remote_id)),
        workflow_commit: first([
            attempt.and_then(|attempt| attempt.workflow_commit.as_deref()),
            job.workflow_commit.as_deref(),
            None,
        ]),
        submitted_at: current.and_then(|attempt| millis(attempt.submitted_at)),
        started_at: current.and_then(|attempt| millis(attempt.started_at)),
        finished_at: current.and_then(|attempt| millis(attempt.finished_at)),
        out_log: job.out_local.as_deref().and_then(file_name),
        err_log: job.err_local.as_deref().and_then(file_name),
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
    job_attempt::Model {
        id: 0,
        experiment_id,
        job_name: attempt.job_name.replace('\0', ""),
        number: attempt.counter,
        run_number: attempt.run_id,
        is_last: attempt.last,
        row_type: attempt.rowtype,
        status: attempt.status.map(|status| status.code()),
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
        section: text(attempt.section.as_deref()),
        member: text(attempt.member.as_deref()),
        chunk: attempt.chunk,
        splits: attempt.splits,
        remote_id: attempt.remote_id,
        out_log: attempt.out.as_deref().and_then(file_name),
        err_log: attempt.err.as_deref().and_then(file_name),
        workflow_commit: text(attempt.workflow_commit.as_deref()),
    }
}

fn millis(time: Option<chrono::DateTime<chrono::Utc>>) -> Option<i64> {
    time.map(|time| time.millis())
}

/// A text that says something. PostgreSQL cannot keep zero bytes.
fn text(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
        .map(|text| text.replace('\0', ""))
}

fn first(texts: [Option<&str>; 3]) -> Option<String> {
    texts.into_iter().find_map(text)
}

/// Old lists hold whole paths of another machine; the name is what counts.
fn file_name(path: &str) -> Option<String> {
    text(path.rsplit('/').next())
}
