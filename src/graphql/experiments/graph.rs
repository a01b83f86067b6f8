//! The type `Graph`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result};
use macros::row;

use super::enums::{JobCount, JobStatus};
use super::job::{Job, job_level};
use crate::database::Database;
use crate::entity::{experiment, job};
use crate::experiments::graph::{
    self as domain, Drawing, GraphError, Workflow, groups, store, svg,
};
use crate::experiments::read;
use crate::experiments::read::jobs::JobOrder;
use crate::failure::Failure;
use crate::graphql::connection::PageInfo;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::{ErrorCode, internal};
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::count;
use crate::graphql::rows::{Rows, columns};
use crate::narrow::Columns;
use crate::paging::{self, PageArguments, PageSize};

/// How a workflow is drawn.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Layout")]
pub enum GraphLayout {
    /// In layers with few crossings of edges, as Graphviz's `dot` draws. A workflow of more than 10000 jobs is drawn as
    /// LEVELS instead, and `instead` says so.
    #[default]
    Dot,
    /// A row for each level, 150 pixels apart; each job stands near the middle of its parents, 320 pixels from the next.
    /// Any workflow can be drawn.
    Levels,
    /// By the eigenvectors of the normalised Laplacian: jobs that depend on each other much stand close together. For at
    /// most 10000 jobs.
    Laplacian,
}

/// What jobs have in common in a group.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
#[graphql(remote = "groups::Grouping")]
pub enum GraphGrouping {
    /// There are no groups.
    #[default]
    None,
    /// The status.
    Status,
    /// Start date and member; jobs without either are in no group.
    DateMember,
}

/// All nodes, unless a page of them is asked for.
const PAGE: PageSize = PageSize {
    default: 25_000,
    maximum: 25_000,
};

/// A workflow as a graph, drawn.
pub struct Graph {
    expid: Arc<str>,
    drawn: Arc<Drawn>,
    grouping: groups::Grouping,
    shown: Range<usize>,
    /// All jobs of the experiments that were asked together.
    level: Arc<Level>,
}

/// A workflow with its drawing.
pub struct Drawn {
    workflow: Arc<Workflow>,
    drawing: Arc<Drawing>,
    layout: domain::Layout,
    levels: Vec<usize>,
}

/// What is asked for.
pub struct GraphArguments {
    /// How it is drawn.
    pub layout: GraphLayout,
    /// Which groups there are.
    pub grouping: GraphGrouping,
    /// Which nodes.
    pub page: PageArguments,
}

impl Graph {
    /// The graph of an experiment on a level.
    pub async fn load(
        ctx: &Context<'_>,
        level: &Level,
        experiment: i64,
        expid: &str,
        arguments: GraphArguments,
    ) -> Result<Self> {
        let order = JobOrder::default();
        let page = arguments.page.resolve(PAGE, &order.ordering());
        let page = page.map_err(failed)?;
        let list = GraphList {
            layout: arguments.layout.into(),
            columns: needed(ctx),
        };
        let charge = || {
            let jobs = jobs_of(level);
            read::graph::check_jobs(jobs).map_err(failed)?;
            ctx.charge(jobs)
        };
        let loaded = level
            .checked_children(ctx.database()?, &list, experiment, charge)
            .await?;
        let (drawn, level) = match loaded {
            Some(Ok(loaded)) => loaded,
            Some(Err(error)) => return Err(refused(&error)),
            // There are no jobs.
            None => (
                Arc::new(Drawn::empty(list.layout)),
                Level::new(Vec::new(), Vec::new()),
            ),
        };
        let jobs = &drawn.workflow.jobs;
        let from = page
            .from
            .map_or(0, |key| jobs.partition_point(|job| order.key(job) <= key));
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let shown = from..from.saturating_add(limit).min(jobs.len());
        Ok(Self {
            expid: Arc::from(expid),
            drawn,
            grouping: arguments.grouping.into(),
            shown,
            level,
        })
    }

    fn groups_of_all(&self) -> Vec<groups::Group> {
        let (jobs, places) = (&self.drawn.workflow.jobs, &self.drawn.drawing.places);
        groups::groups(self.grouping, &self.expid, jobs, places)
    }
}

impl Drawn {
    fn empty(layout: domain::Layout) -> Self {
        Self {
            workflow: Arc::default(),
            drawing: Arc::default(),
            layout,
            levels: Vec::new(),
        }
    }
}

/// How many jobs the experiments of a level have: so many are read for the graph of any of them.
fn jobs_of(level: &Level) -> usize {
    let rows = level.rows::<Vec<Arc<experiment::Model>>>();
    let jobs = rows.into_iter().flatten().flat_map(|row| {
        let counts = read::jobs::kept_counts(&row.job_counts);
        counts
            .into_values()
            .map(|jobs| usize::try_from(jobs).unwrap_or_default())
    });
    jobs.fold(0, usize::saturating_add)
}

/// The columns of jobs that the selection below a graph needs.
fn needed(ctx: &Context<'_>) -> Columns<job::Model> {
    use job::Column;
    let ahead = ctx.look_ahead();
    let nodes = ahead.field("nodes").field("job").selection_fields();
    let mut needed = columns::<Job, _>(nodes);
    if ["nodes", "groups", "svg"]
        .iter()
        .any(|field| ahead.field(field).exists())
    {
        needed = needed.with(Column::Status);
    }
    if ["groups", "svg"]
        .iter()
        .any(|field| ahead.field(field).exists())
    {
        let more = [Column::Section, Column::Date, Column::Member];
        needed = needed.and(Columns::of(&more));
    }
    needed
}

fn refused(error: &GraphError) -> async_graphql::Error {
    ErrorCode::TooComplex.error(error.to_string())
}

/// A workflow as a graph, drawn. Jobs keep their places while their statuses change.
#[allow(clippy::unused_async, reason = "fields of an object are async")]
#[Object]
impl Graph {
    /// The jobs of this page, by name.
    async fn nodes(&self, ctx: &Context<'_>) -> Result<Rows<GraphNode>> {
        ctx.charge(self.shown.len())?;
        let drawn = &self.drawn;
        let node = |place: usize| GraphNode {
            job: Job::new(
                Arc::clone(&drawn.workflow.jobs[place]),
                &self.expid,
                &self.level,
            ),
            drawn: Arc::clone(drawn),
            place,
        };
        Ok(self.shown.clone().map(node).collect())
    }

    /// The edges that lead to the jobs of this page: all pages together have each edge once.
    async fn edges(&self, ctx: &Context<'_>) -> Result<Rows<GraphEdge>> {
        let edges = self.drawn.workflow.shape.edges.iter().enumerate();
        let here = edges.filter(|(_, (_, child))| self.shown.contains(child));
        let edge = |(place, _)| GraphEdge {
            drawn: Arc::clone(&self.drawn),
            place,
        };
        let edges: Rows<GraphEdge> = here.map(edge).collect();
        ctx.charge(edges.len())?;
        Ok(edges)
    }

    /// The groups of all jobs, whatever the page: statuses in their logical order, others by date and member.
    async fn groups(&self, ctx: &Context<'_>) -> Result<Rows<GraphGroup>> {
        let groups: Rows<GraphGroup> = self.groups_of_all().into_iter().map(GraphGroup).collect();
        ctx.charge(groups.len())?;
        Ok(groups)
    }

    /// A picture of the jobs of this page in SVG, coloured by status; with `groupBy`, of all groups. At most 3000 jobs or
    /// 1000 groups; above that the error is `TOO_COMPLEX`.
    async fn svg(&self) -> Result<String> {
        let (drawn, expid) = (Arc::clone(&self.drawn), Arc::clone(&self.expid));
        let (grouping, shown) = (self.grouping, self.shown.clone());
        let groups = self.groups_of_all();
        let draw = move || match grouping {
            groups::Grouping::None => svg::jobs(
                &expid,
                &drawn.workflow,
                &drawn.drawing,
                drawn.layout,
                &shown,
            ),
            _ => svg::groups(&expid, &groups),
        };
        let picture = tokio::task::spawn_blocking(draw).await;
        picture.map_err(internal)?.map_err(|error| refused(&error))
    }

    /// Where this page of nodes stands among all.
    async fn page_info(&self) -> PageInfo {
        let order = JobOrder::default();
        let jobs = &self.drawn.workflow.jobs[self.shown.clone()];
        let cursor =
            |job: &Arc<job::Model>| paging::encode_cursor(&order.ordering(), &order.key(job));
        PageInfo {
            has_previous_page: self.shown.start > 0,
            has_next_page: self.shown.end < self.drawn.workflow.jobs.len(),
            start_cursor: jobs.first().map(cursor),
            end_cursor: jobs.last().map(cursor),
        }
    }

    /// How many jobs the whole workflow has.
    async fn total_count(&self) -> i32 {
        count(self.drawn.workflow.jobs.len())
    }

    /// How many edges the whole workflow has. An edge to a job that is not in the job list is none.
    async fn edge_count(&self) -> i32 {
        count(self.drawn.workflow.shape.edges.len())
    }

    /// How many levels the whole workflow has.
    async fn level_count(&self) -> i32 {
        count(self.drawn.levels.iter().copied().max().unwrap_or_default())
    }

    /// How many parents the job with the most of them has.
    async fn max_parents(&self) -> i32 {
        count(self.drawn.workflow.shape.most_neighbours().0)
    }

    /// How many children the job with the most of them has.
    async fn max_children(&self) -> i32 {
        count(self.drawn.workflow.shape.most_neighbours().1)
    }

    /// From the leftmost to the rightmost job of the whole workflow, in pixels, middle to middle.
    async fn width(&self) -> f64 {
        let (low, high) = self.drawn.drawing.bounds();
        f64::from(high[0]) - f64::from(low[0])
    }

    /// From the highest to the lowest job of the whole workflow, in pixels, middle to middle.
    async fn height(&self) -> f64 {
        let (low, high) = self.drawn.drawing.bounds();
        f64::from(high[1]) - f64::from(low[1])
    }

    /// The layout that was used: the one that was asked for, unless `instead` says why not.
    async fn layout(&self) -> GraphLayout {
        match self.drawn.drawing.instead {
            Some(_) => GraphLayout::Levels,
            None => self.drawn.layout.into(),
        }
    }

    /// Why another layout was used than was asked for; null when it was not.
    async fn instead(&self) -> Option<&str> {
        self.drawn.drawing.instead.as_deref()
    }
}

/// A job in a drawing.
#[derive(Clone)]
pub struct GraphNode {
    job: Job,
    drawn: Arc<Drawn>,
    place: usize,
}

/// A job in a drawing.
#[row]
impl GraphNode {
    /// The job.
    fn job(&self) -> &Job {
        &self.job
    }

    /// How far its middle stands to the right, in pixels.
    fn x(&self) -> f64 {
        self.drawn.drawing.places[self.place][0].into()
    }

    /// How far its middle stands down, in pixels.
    fn y(&self) -> f64 {
        self.drawn.drawing.places[self.place][1].into()
    }

    /// From 1: one more than the highest level among its parents, so that every edge leads to a higher one.
    fn level(&self) -> i32 {
        count(self.drawn.levels[self.place])
    }

    /// The wrapper that it is sent in; null when it is sent alone.
    fn wrapper(&self) -> Option<&str> {
        let workflow = &self.drawn.workflow;
        let wrapper = workflow.shape.wrappers[self.place]?;
        workflow.wrappers.get(wrapper).map(AsRef::as_ref)
    }

    /// The CSS colour that Autosubmit gives its status.
    fn color(&self) -> &str {
        groups::status(&self.job.row).color()
    }
}

/// A dependency in a drawing.
#[derive(Clone)]
pub struct GraphEdge {
    drawn: Arc<Drawn>,
    place: usize,
}

impl GraphEdge {
    fn ends(&self) -> (usize, usize) {
        self.drawn.workflow.shape.edges[self.place]
    }
}

/// A dependency in a drawing.
#[row]
impl GraphEdge {
    /// The name of the job that is waited for.
    fn from(&self) -> &str {
        &self.drawn.workflow.jobs[self.ends().0].name
    }

    /// The name of the job that waits.
    fn to(&self) -> &str {
        &self.drawn.workflow.jobs[self.ends().1].name
    }

    /// Whether both are sent in the same wrapper.
    fn inside_wrapper(&self) -> bool {
        self.drawn.workflow.shape.is_inside_wrapper(self.ends())
    }

    /// The points that it passes on its way, so that it does not cross jobs; none where it goes straight.
    fn bends(&self) -> Vec<GraphPoint> {
        let bends = self.drawn.drawing.bends_of(self.place);
        bends.iter().map(|&[x, y]| GraphPoint { x, y }).collect()
    }
}

/// A point of a drawing.
#[derive(Clone)]
pub struct GraphPoint {
    x: i32,
    y: i32,
}

/// A point of a drawing.
#[row]
impl GraphPoint {
    /// How far to the right, in pixels.
    fn x(&self) -> f64 {
        self.x.into()
    }

    /// How far down, in pixels.
    fn y(&self) -> f64 {
        self.y.into()
    }
}

/// Jobs of a drawing that have something in common.
#[derive(Clone)]
pub struct GraphGroup(groups::Group);

/// Jobs of a drawing that have something in common.
#[row]
impl GraphGroup {
    /// The status, or the beginning of the jobs' names: `<expid>_<date>_<member>_`.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The status that it shows: of a group by date and member the first that a job of it has among FAILED, RUNNING,
    /// SUSPENDED, SUBMITTED, QUEUING and COMPLETED, else WAITING.
    fn status(&self) -> JobStatus {
        self.0.status.into()
    }

    /// The CSS colour that Autosubmit gives this status.
    fn color(&self) -> &str {
        self.0.status.color()
    }

    /// The mean place of its jobs to the right, in pixels.
    fn x(&self) -> f64 {
        self.0.place[0].into()
    }

    /// The mean place of its jobs down, in pixels; groups by date and member that would cover each other are moved apart.
    fn y(&self) -> f64 {
        self.0.place[1].into()
    }

    /// Its jobs by status; statuses without jobs are left out.
    fn job_counts(&self) -> Vec<JobCount> {
        let counts = self.0.counts.iter();
        counts
            .map(|(status, jobs)| JobCount {
                status: (*status).into(),
                count: count(*jobs),
            })
            .collect()
    }
}

/// The drawn workflows of experiments.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct GraphList {
    layout: domain::Layout,
    columns: Columns<job::Model>,
}

impl ChildList for GraphList {
    /// None without jobs.
    type Children = Option<Result<(Arc<Drawn>, Arc<Level>), GraphError>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let layout = self.layout;
        let found = read::graph::of_experiments(database, level.parents(), self.columns).await?;
        let (experiments, workflows): (Vec<i64>, Vec<Arc<Workflow>>) = found.into_iter().unzip();
        let drawings = store::drawings(database, layout, &workflows).await?;
        let jobs = workflows.iter().flat_map(|workflow| &workflow.jobs);
        let jobs = job_level(jobs, level.experiments(), self.columns);
        let drawn = |(workflow, drawing): (Arc<Workflow>, store::Drawn)| {
            let drawn = drawing.map(|drawing| Drawn {
                levels: domain::levels(&workflow.shape),
                workflow,
                drawing,
                layout,
            });
            Some(drawn.map(|drawn| (Arc::new(drawn), Arc::clone(&jobs))))
        };
        let drawn = workflows.into_iter().zip(drawings).map(drawn);
        Ok(experiments.into_iter().zip(drawn).collect())
    }
}
