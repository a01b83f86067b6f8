//! All that the root says of one experiment.

use std::collections::{HashMap, HashSet};

use super::{
    AttemptRecord, ConfigSummary, Edge, Expid, JobList, JobListForm, Part, Problem, Root,
    RunRecord, SourceError, SourceFile, SourceFingerprint, StatLine, WrapperRecord,
    config::read_config,
    history::read_history,
    job_list::{self, read_job_list},
    stats::read_stats,
    structure::read_structure,
    wrappers::read_wrappers,
};

/// One experiment as its files tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentRecord {
    /// Its identifier.
    pub expid: Expid,
    /// Its jobs; none if they cannot be read, which an absent list counts as.
    pub job_list: Option<JobList>,
    /// That this is because a server does not have it. Not among the problems, since it may have it in a moment:
    /// Autosubmit deletes the row before it writes it anew.
    pub absent_list: Option<Problem>,
    /// The edges between its jobs: the structure database's, or the job list's own where there is none.
    ///
    /// Edges of jobs that are no longer in the list are left out without a word: Autosubmit does not clean its
    /// structure database when a workflow is made anew.
    pub edges: Part<Vec<Edge>>,
    /// Its wrappers.
    pub wrappers: Part<Vec<WrapperRecord>>,
    /// Its runs.
    pub runs: Part<Vec<RunRecord>>,
    /// The attempts at its jobs.
    pub attempts: Part<Vec<AttemptRecord>>,
    /// The newest attempts at jobs that are on their way or have failed, where the history has none in their status, as
    /// their own files tell; by name.
    pub stats: HashMap<String, StatLine>,
    /// Its configuration.
    pub config: Part<ConfigSummary>,
    /// What its configuration leads to ([`ConfigSummary::watched`]), also where nothing of it could be read.
    pub watched: Vec<SourceFingerprint>,
    /// What is wrong with its files.
    pub problems: Vec<Problem>,
}

/// Reads an experiment, of a server best in a [`Root::picture`]; `version` is that of Autosubmit, as the central database tells it. What is broken is a problem,
/// and the rest is read.
///
/// Structure, packages, history and configuration may be absent: an experiment that never ran has not all of them.
/// A job list that is absent is a problem, or [`ExperimentRecord::absent_list`].
pub fn read_experiment(root: &Root, expid: &Expid, version: Option<&str>) -> ExperimentRecord {
    let mut problems = Vec::new();
    let mut absent_list = None;
    let mut job_list = match read_job_list(root, expid, version) {
        Ok(list) => Some(list),
        Err(error) => {
            let problem = missing_list(root, expid, version, &error);
            if root.has_server() && matches!(error, SourceError::Missing) {
                absent_list = Some(problem);
            } else {
                problems.push(problem);
            }
            None
        }
    };
    if let Some(list) = &mut job_list {
        problems.append(&mut list.problems);
    }
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
    let structure = if replaced {
        Part::Missing
    } else {
        structure.map(|mut structure| {
            problems.append(&mut structure.problems);
            structure.edges
        })
    };
    let own_edges = job_list.as_ref().and_then(|list| list.edges.clone());
    let mut edges = choose_edges(structure, own_edges);
    if let (Some(list), Part::Present(edges)) = (&job_list, &mut edges) {
        let names: HashSet<&str> = list.jobs.iter().map(|job| job.name.as_str()).collect();
        edges.retain(|edge| names.contains(edge.from.as_str()) && names.contains(edge.to.as_str()));
    }
    let wrappers = match job_list.as_ref().and_then(|list| list.wrappers.clone()) {
        Some(own) => Part::Present(own),
        None => packages.map(|mut packages| {
            problems.append(&mut packages.problems);
            packages.wrappers
        }),
    };
    let (runs, attempts) = match history {
        Part::Present(mut history) => {
            problems.append(&mut history.problems);
            (history.runs, history.attempts)
        }
        Part::Missing => (Part::Missing, Part::Missing),
        Part::Broken => (Part::Broken, Part::Broken),
    };
    let mut watched = Vec::new();
    let config = match config {
        Part::Present(mut config) => {
            problems.append(&mut config.problems);
            watched = std::mem::take(&mut config.watched);
            if config.files.is_empty() {
                Part::Broken
            } else {
                Part::Present(config)
            }
        }
        other => other,
    };
    let stats = match (&job_list, attempts.known()) {
        (Some(list), Some(attempts)) => newest_stats(root, expid, list, attempts),
        _ => HashMap::new(),
    };
    ExperimentRecord {
        expid: expid.clone(),
        job_list,
        absent_list,
        edges,
        wrappers,
        runs,
        attempts,
        stats,
        config,
        watched,
        problems,
    }
}

/// Why there is no job list.
fn missing_list(root: &Root, expid: &Expid, version: Option<&str>, error: &SourceError) -> Problem {
    let source = job_list::source(root, expid, version);
    let source = source.unwrap_or(SourceFile::JobListPickle);
    let name = root.name_of(source, expid);
    match (error, source) {
        (SourceError::Missing, SourceFile::JobListPickle) if root.has_server() => {
            Problem::new(name, format_args!("there is no row of {expid}"))
        }
        (SourceError::Missing, _) if root.has_server() => {
            Problem::new(name, "there is no such table")
        }
        _ => Problem::of(name, error),
    }
}

/// The newest lines of the stat files of jobs for whose status the history has no attempt. The files change with the job
/// list, so they are read when that is.
fn newest_stats(
    root: &Root,
    expid: &Expid,
    list: &JobList,
    attempts: &[AttemptRecord],
) -> HashMap<String, StatLine> {
    use crate::experiments::status::JobStatus::{Failed, Queuing, Running, Submitted};
    let mut wanted: HashMap<&str, _> = list
        .jobs
        .iter()
        .filter(|job| matches!(job.status, Running | Submitted | Queuing | Failed))
        .map(|job| (job.name.as_str(), job.status))
        .collect();
    for attempt in attempts.iter().filter(|attempt| attempt.is_newest()) {
        let name = attempt.job_name.as_str();
        if wanted.get(name).copied() == attempt.status {
            wanted.remove(name);
        }
    }
    let names: HashSet<String> = wanted.into_keys().map(str::to_owned).collect();
    // Times that cannot be read are missing, which is no fault of the job list.
    let stats = read_stats(root, expid, &names).unwrap_or_default();
    let newest = |(name, mut lines): (String, Vec<StatLine>)| Some((name, lines.pop()?));
    stats.into_iter().filter_map(newest).collect()
}

/// The structure database's edges, or the job list's own: its graph form knows them too, and a structure database that
/// is empty knows none.
fn choose_edges(structure: Part<Vec<Edge>>, own: Option<Vec<Edge>>) -> Part<Vec<Edge>> {
    let own = own.filter(|edges| !edges.is_empty());
    match (structure, own) {
        (Part::Present(edges), Some(own)) if edges.is_empty() => Part::Present(own),
        (Part::Missing | Part::Broken, Some(own)) => Part::Present(own),
        (structure, _) => structure,
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
    ) -> Part<T> {
        match read(self.root, self.expid) {
            Ok(value) => Part::Present(value),
            Err(SourceError::Missing) => Part::Missing,
            Err(error) => {
                self.problems
                    .push(Problem::of(self.root.name_of(source, self.expid), &error));
                Part::Broken
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_a_broken_structure_stay_as_they_are() {
        let edges = |names: &[&str]| -> Vec<Edge> {
            names.iter().map(|name| Edge::new(*name, "z")).collect()
        };
        let choose = choose_edges;
        assert_eq!(choose(Part::Broken, None), Part::Broken);
        assert_eq!(choose(Part::Broken, Some(Vec::new())), Part::Broken);
        assert_eq!(choose(Part::Missing, None), Part::Missing);
        assert_eq!(
            choose(Part::Present(Vec::new()), Some(edges(&["a"]))),
            Part::Present(edges(&["a"]))
        );
        assert_eq!(
            choose(Part::Present(edges(&["b"])), Some(edges(&["a"]))),
            Part::Present(edges(&["b"]))
        );
    }
}
