//! All that the root says of one experiment.

use std::collections::HashSet;

use super::{
    AttemptRecord, CentralExperiment, ConfigSummary, Edge, Expid, JobList, JobListForm, Problem,
    Root, RunRecord, SourceError, SourceFile, WrapperRecord,
    config::read_config,
    history::read_history,
    job_list::{self, read_job_list},
    structure::read_structure,
    wrappers::read_wrappers,
};

/// One experiment as its files tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentRecord {
    /// Its identifier.
    pub expid: Expid,
    /// Its jobs; none if they cannot be read.
    pub job_list: Option<JobList>,
    /// The edges between its jobs: the structure database's, or the job list's own where there is none.
    ///
    /// Edges of jobs that are no longer in the list are left out without a word: Autosubmit does not clean its
    /// structure database when a workflow is made anew.
    pub edges: Vec<Edge>,
    /// Its wrappers.
    pub wrappers: Vec<WrapperRecord>,
    /// Its runs.
    pub runs: Vec<RunRecord>,
    /// The attempts at its jobs.
    pub attempts: Vec<AttemptRecord>,
    /// Its configuration; none if it cannot be read.
    pub config: Option<ConfigSummary>,
    /// What is wrong with its files.
    pub problems: Vec<Problem>,
}

/// Reads an experiment. What is broken is a problem, and the rest is read.
///
/// Structure, packages, history and configuration may be absent: an experiment that never ran has not all of them.
/// A job list that is absent is a problem.
pub fn read_experiment(root: &Root, experiment: &CentralExperiment) -> ExperimentRecord {
    let expid = &experiment.expid;
    let mut problems = Vec::new();
    let version = experiment.autosubmit_version.as_deref();

    let mut job_list = match read_job_list(root, expid, version) {
        Ok(list) => Some(list),
        Err(error) => {
            problems.push(Problem::of(
                root.relative(job_list::source(root, expid, version), expid),
                &error,
            ));
            None
        }
    };
    if let Some(list) = &mut job_list {
        problems.append(&mut list.problems);
    }
    let own_edges = job_list.as_ref().and_then(|list| list.edges.clone());
    let own_wrappers = job_list.as_ref().and_then(|list| list.wrappers.clone());

    let mut optional = Optional {
        root,
        expid,
        problems: &mut problems,
    };
    let structure = optional.read(SourceFile::Structure, read_structure);
    let packages = optional.read(SourceFile::Packages, read_wrappers);
    let history = optional.read(SourceFile::History, read_history);
    let config = optional.read(SourceFile::Config, read_config);

    // The SQLite form has taken the structure database's place: one that is still there is out of date.
    let replaced = job_list
        .as_ref()
        .is_some_and(|list| list.form == JobListForm::Sqlite);
    let mut edges = match structure {
        Some(structure) if !replaced => {
            problems.extend(structure.problems);
            // The graph form knows the edges too; an empty table knows none.
            if structure.edges.is_empty() {
                own_edges.unwrap_or_default()
            } else {
                structure.edges
            }
        }
        _ => own_edges.unwrap_or_default(),
    };
    if let Some(list) = &job_list {
        let names: HashSet<&str> = list.jobs.iter().map(|job| job.name.as_str()).collect();
        edges.retain(|edge| names.contains(edge.from.as_str()) && names.contains(edge.to.as_str()));
    }
    let wrappers = match (own_wrappers, packages) {
        (Some(own), _) => own,
        (None, Some(packages)) => {
            problems.extend(packages.problems);
            packages.wrappers
        }
        (None, None) => Vec::new(),
    };
    let (runs, attempts) = history.map_or_else(Default::default, |history| {
        problems.extend(history.problems);
        (history.runs, history.attempts)
    });
    let config = config.and_then(|mut config| {
        problems.append(&mut config.problems);
        (!config.files.is_empty()).then_some(config)
    });
    ExperimentRecord {
        expid: expid.clone(),
        job_list,
        edges,
        wrappers,
        runs,
        attempts,
        config,
        problems,
    }
}

struct Optional<'a> {
    root: &'a Root,
    expid: &'a Expid,
    problems: &'a mut Vec<Problem>,
}

impl Optional<'_> {
    fn read<T>(
        &mut self,
        source: SourceFile,
        read: fn(&Root, &Expid) -> Result<T, SourceError>,
    ) -> Option<T> {
        match read(self.root, self.expid) {
            Ok(value) => Some(value),
            Err(SourceError::Missing) => None,
            Err(error) => {
                self.problems
                    .push(Problem::of(self.root.relative(source, self.expid), &error));
                None
            }
        }
    }
}
