//! The type `JobFolder`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Result};
use macros::row;

use super::enums::JobCount;
use super::filter::{JobFilter, JobOrder};
use super::job::{Job, JobConnection, job_level};
use crate::database::Database;
use crate::entity::{experiment, job};
use crate::experiments::read::folders::{self, ByParent, FolderLevel};
use crate::experiments::read::jobs as jobs_read;
use crate::experiments::tree::{self, Folder, FolderPath, FolderValue};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::json::json_enums;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::count;
use crate::graphql::rows::{Rows, columns_of_page};
use crate::narrow::Columns;
use crate::paging::{self, Page, PageArguments, Slice};

/// What the folders on one level of a tree of jobs stand for.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "tree::JobGrouping")]
pub enum JobGrouping {
    /// The start date.
    Date,
    /// The ensemble member.
    Member,
    /// The section of the configuration that defines the jobs.
    Section,
    /// The chunk of simulated time.
    Chunk,
    /// The status.
    Status,
    /// The wrapper; a job in two of them is in two folders.
    Wrapper,
}

json_enums!(JobGrouping);

/// The groupings of a tree of which nothing else is said, as Autosubmit API draws it.
const USUAL: [tree::JobGrouping; 3] = [
    tree::JobGrouping::Date,
    tree::JobGrouping::Member,
    tree::JobGrouping::Section,
];

/// The tree that a folder stands in.
struct Tree {
    experiment: i64,
    expid: Arc<str>,
    level: Arc<Level>,
    /// Where it begins.
    top: FolderPath,
}

/// A folder of jobs that have something in common.
#[derive(Clone)]
pub struct JobFolder {
    tree: Arc<Tree>,
    folder: Arc<Folder>,
}

/// The folders of the experiment in the folder of the key `under`, or the outermost.
pub async fn tree(
    ctx: &Context<'_>,
    level: &Arc<Level>,
    experiment: &experiment::Model,
    by: Option<Vec<JobGrouping>>,
    under: Option<String>,
) -> Result<Rows<JobFolder>> {
    let by = by.map(|by| by.into_iter().map(Into::into).collect());
    let top = match under {
        Some(key) => {
            let path = FolderPath::of_key("under", &experiment.expid, &key).map_err(failed)?;
            match by {
                Some(by) => path.regrouped(by),
                None => Ok(path),
            }
        }
        None => FolderPath::root(by.unwrap_or_else(|| USUAL.to_vec())),
    };
    let tree = Tree::new(level, experiment, top.map_err(failed)?);
    let folders = tree.folders(ctx, &[]).await?;
    ctx.charge(folders.len())?;
    Ok(folders.into())
}

/// The folder of this key; none when there are no such jobs.
pub async fn of_key(
    ctx: &Context<'_>,
    level: &Arc<Level>,
    experiment: &experiment::Model,
    key: &str,
) -> Result<Option<JobFolder>> {
    let path = FolderPath::of_key("key", &experiment.expid, key).map_err(failed)?;
    let tree = Tree::new(level, experiment, path);
    let itself = FolderList(tree.list(0, jobs_read::JobFilter::default()));
    let found = level
        .children(ctx.database()?, &itself, experiment.id)
        .await?;
    let folder = found.values().flatten().next().cloned();
    Ok(folder.map(|folder| JobFolder { tree, folder }))
}

impl Tree {
    fn new(level: &Arc<Level>, experiment: &experiment::Model, top: FolderPath) -> Arc<Self> {
        Arc::new(Self {
            experiment: experiment.id,
            expid: Arc::from(experiment.expid.as_str()),
            level: Arc::clone(level),
            top,
        })
    }

    /// The folders so many levels below the top.
    fn list(&self, depth: usize, filter: jobs_read::JobFilter) -> FolderLevel {
        FolderLevel {
            under: self.top.steps.clone(),
            by: self.top.by.iter().copied().take(depth).collect(),
            filter,
        }
    }

    /// The folders in the one with these values.
    async fn folders(
        self: &Arc<Self>,
        ctx: &Context<'_>,
        parent: &[FolderValue],
    ) -> Result<Vec<JobFolder>> {
        if parent.len() >= self.top.by.len() {
            return Ok(Vec::new());
        }
        let list = FolderList(self.list(parent.len() + 1, jobs_read::JobFilter::default()));
        let database = ctx.database()?;
        let found = self
            .level
            .children(database, &list, self.experiment)
            .await?;
        Ok(self.inside(&found, parent))
    }

    fn inside(self: &Arc<Self>, found: &ByParent, parent: &[FolderValue]) -> Vec<JobFolder> {
        let folders = found.get(parent).into_iter().flatten();
        let folder = |folder| JobFolder {
            tree: Arc::clone(self),
            folder: Arc::clone(folder),
        };
        folders.map(folder).collect()
    }
}

impl JobFolder {
    fn depth(&self) -> usize {
        self.folder.values.len()
    }

    /// What it stands for, and its value.
    fn step(&self) -> Option<(tree::JobGrouping, &FolderValue)> {
        let top = &self.tree.top;
        match self.folder.values.last() {
            Some(value) => Some((*top.by.get(self.depth() - 1)?, value)),
            None => top.steps.last().map(|(by, value)| (*by, value)),
        }
    }
}

/// A folder of jobs that have something in common.
#[row]
impl JobFolder {
    /// Names the folder for `Experiment.jobFolder` and as `under` of `Experiment.jobTree`; it says also what the folders
    /// inside stand for. Clients need not understand it.
    fn key(&self) -> String {
        let path = self.tree.top.below(&self.folder.values);
        path.key(&self.tree.expid)
    }

    /// Its name, for people. The jobs without a date are in `Keys`, those without a member in `DEFAULT`.
    fn label(&self) -> String {
        self.step()
            .map(|(by, value)| by.label(value))
            .unwrap_or_default()
    }

    /// What it stands for.
    fn by(&self) -> JobGrouping {
        self.step()
            .map_or(tree::JobGrouping::Date, |(by, _)| by)
            .into()
    }

    /// What its jobs have in common, for programs: a date as in `Job.date`, a chunk in digits, a status or a name; null
    /// for the jobs that have none.
    fn value(&self) -> Option<String> {
        self.step().and_then(|(by, value)| by.value(value))
    }

    /// Its jobs by status, those in folders inside among them; statuses without jobs are left out.
    fn job_counts(&self) -> Vec<JobCount> {
        let counts = self.folder.counts.iter();
        counts
            .map(|(status, jobs)| JobCount {
                status: (*status).into(),
                count: count(*jobs),
            })
            .collect()
    }

    /// How many jobs are in it.
    fn total(&self) -> i32 {
        count(self.folder.total())
    }

    /// The folders inside: dates and chunks by number, members and wrappers by name, sections in the order of the
    /// configuration, statuses from suspended to completed; what has no value comes last. Empty in the innermost.
    async fn children(
        folders: &[JobFolder],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&JobFolder) -> Rows<JobFolder>> {
        let found = match folders.first() {
            Some(first) if first.depth() < first.tree.top.by.len() => {
                let filter = jobs_read::JobFilter::default();
                let list = FolderList(first.tree.list(first.depth() + 1, filter));
                let levels = folders.iter().map(|folder| &folder.tree.level);
                Some(Level::children_of_rows(levels, ctx.database()?, &list).await?)
            }
            _ => None,
        };
        let inside = move |folder: &JobFolder| {
            let found = found.as_ref()?.of(folder.tree.experiment)?;
            Some(folder.tree.inside(found, &folder.folder.values))
        };
        let count = |folder| inside(folder).map_or(0, |folders| folders.len());
        ctx.charge(folders.iter().map(count).sum())?;
        Ok(move |folder: &JobFolder| inside(folder).unwrap_or_default().into())
    }

    /// Its jobs, those in folders inside among them.
    #[allow(clippy::too_many_arguments)]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<JobFilter>,
        #[graphql(desc = "In which order; by name when absent.")] order_by: Option<JobOrder>,
        #[graphql(desc = "The first so many, at most 25000; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 25000.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<JobConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let filter = filter.unwrap_or_default().try_into().map_err(failed)?;
        let order: jobs_read::JobOrder = order_by.map(Into::into).unwrap_or_default();
        let ordering = order.ordering();
        let page = page.resolve(jobs_read::PAGE, &ordering).map_err(failed)?;
        let (tree, values) = (&self.tree, &self.folder.values);
        let level = tree.list(self.depth(), filter);
        let database = ctx.database()?;
        let total = match ctx.wants_total() {
            false => None,
            true if level.filter.is_empty() => Some(self.folder.total()),
            true => {
                let list = FolderList(level.clone());
                let counted = tree
                    .level
                    .children(database, &list, tree.experiment)
                    .await?;
                let mut folders = counted.values().flatten();
                let same = folders.find(|folder| folder.values == *values);
                Some(same.map_or(0, |folder| folder.total()))
            }
        };
        let columns = columns_of_page::<Job, _>(ctx);
        let list = FolderJobs {
            level,
            order,
            page,
            columns,
        };
        let found = tree
            .level
            .children(database, &list, tree.experiment)
            .await?;
        let slice = found.pages.get(values).cloned().unwrap_or_default();
        let slice = slice.map(|row| Job::new(row, &tree.expid, &found.level));
        Ok(JobConnection::new(slice, total, move |job| {
            paging::encode_cursor(&ordering, &order.key(&job.row))
        }))
    }
}

/// Folders of experiments.
#[derive(Clone, Hash, PartialEq, Eq)]
struct FolderList(FolderLevel);

impl ChildList for FolderList {
    type Children = Arc<ByParent>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found = folders::of_experiments(database, level.parents(), &self.0).await?;
        let shared = |(experiment, folders)| (experiment, Arc::new(folders));
        Ok(found.into_iter().map(shared).collect())
    }
}

/// A page of the jobs of each folder on a level of the trees of experiments.
#[derive(Clone, Hash, PartialEq, Eq)]
struct FolderJobs {
    level: FolderLevel,
    order: jobs_read::JobOrder,
    page: Page,
    columns: Columns<job::Model>,
}

/// Pages of jobs by the values of their folders.
#[derive(Default)]
struct Pages {
    pages: HashMap<Vec<FolderValue>, Slice<Arc<job::Model>>>,
    level: Arc<Level>,
}

impl ChildList for FolderJobs {
    type Children = Arc<Pages>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (order, columns) = (self.order, self.columns);
        let experiments = level.parents();
        let found = folders::jobs_of(
            database,
            experiments,
            &self.level,
            order,
            &self.page,
            columns,
        )
        .await?;
        let rows = found.values().flat_map(|slice| &slice.rows);
        let jobs = job_level(rows, level.experiments(), columns);
        let mut pages: HashMap<i64, HashMap<_, _>> = HashMap::new();
        for ((experiment, values), slice) in found {
            pages.entry(experiment).or_default().insert(values, slice);
        }
        let shared = |(experiment, pages)| {
            let level = Arc::clone(&jobs);
            (experiment, Arc::new(Pages { pages, level }))
        };
        Ok(pages.into_iter().map(shared).collect())
    }
}
