//! The type `Wrapper`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};
use macros::row;

use super::filter::JobFilter;
use super::job::{Job, JobConnection};
use crate::database::Database;
use crate::entity::{job, wrapper};
use crate::experiments::read;
use crate::experiments::read::jobs::{JobFilter as DomainFilter, JobOrder, PAGE};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::level::{ChildList, Level};
use crate::paging::{self, PageArguments};

/// Jobs that are sent to the scheduler as one.
#[derive(Clone)]
pub struct Wrapper {
    row: Arc<wrapper::Model>,
    expid: Arc<str>,
    level: Arc<Level>,
}

impl Wrapper {
    /// A wrapper on the level of all that were loaded with it.
    pub fn new(row: wrapper::Model, expid: &Arc<str>, level: &Arc<Level>) -> Self {
        Self {
            row: Arc::new(row),
            expid: Arc::clone(expid),
            level: Arc::clone(level),
        }
    }
}

/// Jobs that are sent to the scheduler as one.
#[row]
impl Wrapper {
    /// The name that Autosubmit gave it.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Its jobs, by name.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which jobs.")] filter: Option<JobFilter>,
        #[graphql(desc = "The first so many, at most 25000; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 25000.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<JobConnection> {
        let order = JobOrder::default();
        let ordering = order.ordering();
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let list = WrappedJobs(filter.unwrap_or_default().try_into().map_err(failed)?);
        let (rows, jobs) = self
            .level
            .children(ctx.database()?, &list, self.row.id)
            .await?;
        let total = i64::try_from(rows.len()).ok();
        let rows = rows.iter().map(|row| (order.key(row), row));
        let slice = paging::cut(rows.collect(), &page);
        let slice = slice.map(|row| Job::new(Arc::clone(row), &self.expid, &jobs));
        Ok(JobConnection::new(slice, total, move |job| {
            paging::encode_cursor(&ordering, &order.key(&job.row))
        }))
    }
}

/// The wrappers of experiments.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct WrapperList;

impl ChildList for WrapperList {
    type Children = (Vec<wrapper::Model>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found = read::wrappers::of_experiments(database, level.parents()).await?;
        let ids = found.values().flatten().map(|row| row.id).collect();
        let next = Level::new(ids, level.experiments().to_vec());
        Ok(found
            .into_iter()
            .map(|(experiment, rows)| (experiment, (rows, Arc::clone(&next))))
            .collect())
    }
}

/// The jobs of wrappers.
#[derive(Clone, Hash, PartialEq, Eq)]
struct WrappedJobs(DomainFilter);

impl ChildList for WrappedJobs {
    type Children = (Vec<Arc<job::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let rows = read::jobs::of_wrappers(database, level.parents(), &self.0).await?;
        let jobs = rows.iter().map(|(_, row)| row.id).collect();
        let jobs = Level::new(jobs, level.experiments().to_vec());
        let mut found: HashMap<i64, Self::Children> = HashMap::new();
        for (wrapper, row) in rows {
            let (rows, _) = found
                .entry(wrapper)
                .or_insert_with(|| (Vec::new(), Arc::clone(&jobs)));
            rows.push(Arc::new(row));
        }
        Ok(found)
    }
}
