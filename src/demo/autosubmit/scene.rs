use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{
    spec::ExperimentSpec,
    timeline::{Attempt, Timeline},
    workflow::Workflow,
    wrappers::Package,
};
use crate::demo::{DemoError, files};

/// Where the invented laboratory keeps its root: what paths inside of files speak of. It is not where the demo is
/// written, so that the content is the same wherever that is.
pub const SITE: &str = "/esm/autosubmit";

/// All that the writers of an experiment's files have to know.
pub struct Scene<'a> {
    /// The Autosubmit root.
    pub root: &'a Path,
    /// What was asked for.
    pub spec: &'a ExperimentSpec,
    /// Its jobs and edges.
    pub workflow: &'a Workflow,
    /// What has become of them.
    pub timeline: &'a Timeline,
    /// Jobs submitted together.
    pub packages: &'a [Package],
}

impl Scene<'_> {
    /// A folder inside of the experiment's, made if need be.
    pub fn folder(&self, name: &str) -> Result<PathBuf, DemoError> {
        let path = self.root.join(&self.spec.expid).join(name);
        files::folder(&path)?;
        Ok(path)
    }

    /// A folder below `metadata`, made if need be.
    pub fn metadata(&self, name: &str) -> Result<PathBuf, DemoError> {
        let path = self.root.join("metadata").join(name);
        files::folder(&path)?;
        Ok(path)
    }

    /// When the first run was created.
    pub fn created(&self) -> DateTime<Utc> {
        moment(self.timeline.runs.first().map_or(0, |run| run.created))
    }

    /// When the job list last changed.
    pub fn changed(&self) -> DateTime<Utc> {
        moment(self.timeline.changed)
    }

    /// The name of an attempt's log, without its ending.
    pub fn log_name(&self, attempt: &Attempt) -> String {
        format!(
            "{}.{}",
            self.workflow.jobs[attempt.job].name,
            stamp(attempt.submit)
        )
    }
}

/// A moment from seconds since the epoch.
pub fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// Seconds since the epoch as `YYYYMMDDHHMMSS`, on a host whose clock shows UTC.
pub fn stamp(seconds: i64) -> String {
    moment(seconds).format("%Y%m%d%H%M%S").to_string()
}
