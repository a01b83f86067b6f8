//! What the jobs of an experiment used and wasted. Autosubmit notes that in a file beside each job; they are read when
//! somebody asks, since that is seldom, and since a mirror would have to look at thousands of files at each pass.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::jobs::always;
use super::logs::{RootFolders, blocking};
use super::performance::of_sections;
use crate::database::Database;
use crate::entity::{job, job_section};
use crate::experiments::performance::statistics::{Request, Usage};
use crate::experiments::performance::times::wallclock_seconds;
use crate::experiments::readers::{Expid, SourceError, StatLine, read_stats};
use crate::failure::Failure;
use crate::narrow::{self, Columns};

/// The jobs of an experiment that can have statistics.
pub struct Candidates {
    jobs: Vec<Arc<job::Model>>,
    requests: HashMap<String, Request>,
}

/// What a job used.
#[derive(Clone, Debug)]
pub struct JobUsage {
    /// The job.
    pub row: Arc<job::Model>,
    /// What it could use.
    pub request: Request,
    /// What it used.
    pub usage: Usage,
}

/// The jobs of an experiment, or those of a section of it, with these columns; two statements.
pub async fn candidates(
    database: &Database,
    experiment: i64,
    section: Option<&str>,
    columns: Columns<job::Model>,
) -> Result<Candidates, Failure> {
    use job::Column;
    let columns = columns.and(always()).and(Columns::of(&[
        Column::Section,
        Column::Date,
        Column::Member,
        Column::Chunk,
        Column::Wallclock,
    ]));
    let mut condition = Condition::all().add(Column::ExperimentId.eq(experiment));
    if let Some(section) = section {
        condition = condition.add(of_sections(&[section]));
    }
    let mut jobs = narrow::find::<job::Entity>(database, condition, columns).await?;
    jobs.sort_unstable_by_key(|job| job.id);
    // Jobs without a date come last, in the order of the list.
    jobs.sort_by(|left, right| match (left.date, right.date) {
        (Some(date), Some(other)) => (date.cmp(&other))
            .then_with(|| left.member.cmp(&right.member))
            .then_with(|| left.section.cmp(&right.section))
            .then_with(|| left.chunk.cmp(&right.chunk)),
        (date, other) => date.is_none().cmp(&other.is_none()),
    });
    let sections = job_section::Entity::find()
        .filter(job_section::Column::ExperimentId.eq(experiment))
        .all(database.read())
        .await?;
    let request = |section: job_section::Model| {
        let wallclock = section.wallclock.as_deref().and_then(wallclock_seconds);
        let request = Request {
            processing_elements: section.processing_elements,
            wallclock: wallclock.unwrap_or_default(),
        };
        (section.name, request)
    };
    Ok(Candidates {
        jobs,
        requests: sections.into_iter().map(request).collect(),
    })
}

impl Candidates {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// What they used in their last attempts: those that have any, and any since `since`.
    pub async fn usage(
        self,
        root: RootFolders,
        expid: &str,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<JobUsage>, SourceError> {
        let expid = Expid::parse(expid)?;
        let names: HashSet<String> = self.jobs.iter().map(|job| job.name.clone()).collect();
        let stats = blocking(move || read_stats(&root.open()?, &expid, &names)).await?;
        Ok(self.used(&stats, since))
    }

    fn used(
        self,
        stats: &HashMap<String, Vec<StatLine>>,
        since: Option<DateTime<Utc>>,
    ) -> Vec<JobUsage> {
        let usage = |row: Arc<job::Model>| {
            let lines = stats.get(&row.name)?;
            let section = row.section.as_deref().unwrap_or_default();
            let request = self.requests.get(section).copied().unwrap_or_default();
            let usage = Usage::of(lines, request, since)?;
            Some(JobUsage {
                row,
                request,
                usage,
            })
        };
        self.jobs.into_iter().filter_map(usage).collect()
    }
}
