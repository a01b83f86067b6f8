//! An Autosubmit root: central databases, and experiments in every form that Autosubmit has given its job list.
//!
//! File names, schemas and formats are those of Autosubmit 3.13 to 4.2.0. All times in the files are UTC, as on a host
//! whose clock shows UTC.

mod central;
mod config;
mod history;
mod job_list;
mod job_list_db;
mod laboratory;
mod logs;
mod own_logs;
mod play;
mod pulse;
mod scene;
mod section;
mod spec;
mod timeline;
mod workflow;
mod wrappers;

use std::{collections::BTreeMap, path::Path};

use chrono::{DateTime, Utc};

use self::{scene::Scene, timeline::Timeline, workflow::Workflow};
use super::{DemoError, files};

pub use super::files::MARKER;
pub use crate::experiments::status::JobStatus;

pub use self::{
    central::{DetailsKey, create as create_central},
    laboratory::laboratory,
    pulse::beat,
    section::{Dependency, Running, Section, Synchronize},
    spec::{
        ChunkUnit, ConfigForm, ExperimentSpec, HistorySchema, JobListForm, Progress, Wrappers,
        date, members, standard_sections,
    },
};

/// What a root holds, for comparison with what is read from it.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its experiments, in the order in which they were written.
    pub experiments: Vec<ExperimentSummary>,
}

impl Summary {
    /// The experiment of that identifier.
    pub fn get(&self, expid: &str) -> Option<&ExperimentSummary> {
        self.experiments
            .iter()
            .find(|experiment| experiment.expid == expid)
    }
}

/// What was written of an experiment.
#[derive(Debug, Clone)]
pub struct ExperimentSummary {
    /// Identifier.
    pub expid: String,
    /// Number in the central database.
    pub id: i64,
    /// How its job list is kept.
    pub form: JobListForm,
    /// Jobs.
    pub jobs: usize,
    /// Jobs by state; states without jobs are missing.
    pub statuses: BTreeMap<JobStatus, usize>,
    /// Edges of the workflow.
    pub edges: usize,
    /// Edges in a database: the structure database or, from 4.2.0, the job list. None where it was left out.
    pub stored_edges: Option<usize>,
    /// Rows of `experiment_run`.
    pub runs: usize,
    /// Rows of `job_data`.
    pub attempts: usize,
    /// Packages, real or preview.
    pub packages: usize,
    /// Jobs in packages.
    pub packaged_jobs: usize,
    /// Rows of user metrics.
    pub metrics: usize,
    /// Whether it is at work: RUNNING in `as_times.db`, and its job list is fresh.
    pub live: bool,
    /// Whether its job list is cut short and cannot be read.
    pub truncated: bool,
}

impl ExperimentSummary {
    /// Jobs in a state.
    pub fn count(&self, status: JobStatus) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }
}

/// Writes the demo's Autosubmit root: the experiments of [`laboratory`].
///
/// A demo that stands there already is replaced. A folder that holds anything else is left alone, with
/// [`DemoError::NotADemo`].
pub fn write_root(path: &Path, now: DateTime<Utc>) -> Result<Summary, DemoError> {
    files::folder(path)?;
    files::clear(path)?;
    let specs = laboratory();
    let mut own = vec!["autosubmit.db", "as_times.db", "metadata"];
    own.extend(specs.iter().map(|spec| spec.expid.as_str()));
    files::write(&path.join(MARKER), own.join("\n") + "\n", now)?;
    create_central(path, DetailsKey::None)?;
    let experiments = specs
        .iter()
        .map(|spec| write_experiment(path, spec, now))
        .collect::<Result<_, _>>()?;
    Ok(Summary { experiments })
}

/// Writes an experiment into a root, making the central databases if need be. An experiment of that identifier is
/// replaced and keeps its id, so that a test can let time pass by writing it again.
pub fn write_experiment(
    root: &Path,
    spec: &ExperimentSpec,
    now: DateTime<Utc>,
) -> Result<ExperimentSummary, DemoError> {
    spec.check()?;
    let workflow = Workflow::expand(spec)?;
    let mut timeline = Timeline::play(spec, &workflow, now);
    let packages = wrappers::pack(spec, &workflow, &mut timeline);
    let scene = Scene {
        root,
        spec,
        workflow: &workflow,
        timeline: &timeline,
        packages: &packages,
    };
    create_central(root, DetailsKey::None)?;
    for old in [
        spec.expid.clone(),
        format!("metadata/data/job_data_{}.db", spec.expid),
        format!("metadata/structures/structure_{}.db", spec.expid),
    ] {
        files::remove(&root.join(old))?;
    }
    for folder in ["conf", "proj", "plot"] {
        scene.folder(folder)?;
    }
    scene.metadata("structures")?;
    scene.metadata("logs")?;
    config::write(&scene)?;
    job_list_db::write_structure(&scene)?;
    history::write(&scene)?;
    wrappers::write(&scene)?;
    logs::write(&scene)?;
    own_logs::write(&scene)?;
    own_logs::write_status(&scene)?;
    let metrics = history::write_metrics(&scene)?;
    job_list_db::write(&scene)?;
    job_list::write(&scene)?;
    let id = central::enter(&scene)?;

    let edges = workflow.edges().count();
    Ok(ExperimentSummary {
        expid: spec.expid.clone(),
        id,
        form: spec.form,
        jobs: workflow.jobs.len(),
        statuses: timeline.counts(),
        edges,
        stored_edges: spec.structure.then_some(edges),
        runs: timeline.runs.len(),
        attempts: timeline.attempts.len(),
        packages: packages.len(),
        packaged_jobs: packages.iter().map(|package| package.jobs.len()).sum(),
        metrics,
        live: spec.progress.live,
        truncated: spec.truncated,
    })
}

#[cfg(test)]
mod tests;
