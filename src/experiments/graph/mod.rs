//! Workflows as graphs: where each job stands in a drawing, on which level, in which group.
//!
//! A [`Shape`] is all that a layout depends on: how many jobs there are, which waits for which, and which are sent as one.
//! Statuses are no part of it, so that jobs keep their places while they run. Everything here but [`store`] is a pure
//! function: the same shape gives the same [`Drawing`] everywhere.

mod barycentric;
pub mod groups;
mod layered;
mod levels;
mod spectral;
pub mod store;
pub mod svg;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::levels::levels;
use crate::entity::job;

/// How a workflow is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Layers with few crossings, as Graphviz's `dot` draws.
    Dot,
    /// A row for each level, each job near the middle of its parents.
    Levels,
    /// By the eigenvectors of the normalised Laplacian.
    Laplacian,
}

impl Layout {
    /// Its name and the version of its code. Whoever changes what it draws gives it another one, so that drawings made
    /// before are made anew.
    pub const fn engine(self) -> &'static str {
        match self {
            Self::Dot => "layered 1",
            Self::Levels => "barycentric 1",
            Self::Laplacian => "spectral 1",
        }
    }
}

/// A point of a drawing, in pixels: x to the right, y down.
pub type Point = [i32; 2];

/// What a layout depends on. Jobs are numbers from 0, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// How many jobs there are.
    pub jobs: usize,
    /// Parent and child of each edge, both below `jobs`, ascending and without repetition.
    pub edges: Vec<(usize, usize)>,
    /// The wrapper of each job.
    pub wrappers: Vec<Option<usize>>,
}

impl Shape {
    /// A shape of edges in any order. Those that lead from a job to itself or to no job are left out.
    pub fn new(
        jobs: usize,
        mut edges: Vec<(usize, usize)>,
        mut wrappers: Vec<Option<usize>>,
    ) -> Self {
        edges.retain(|&(parent, child)| parent != child && parent < jobs && child < jobs);
        edges.sort_unstable();
        edges.dedup();
        wrappers.resize(jobs, None);
        Self {
            jobs,
            edges,
            wrappers,
        }
    }

    /// Do both ends of an edge belong to the same wrapper?
    pub fn is_inside_wrapper(&self, (parent, child): (usize, usize)) -> bool {
        let of = |job: usize| self.wrappers.get(job).copied().flatten();
        of(parent).is_some() && of(parent) == of(child)
    }

    /// How many parents and how many children the job with the most of them has.
    pub fn most_neighbours(&self) -> (usize, usize) {
        let (mut parents, mut children) = (vec![0; self.jobs], vec![0; self.jobs]);
        for &(parent, child) in &self.edges {
            children[parent] += 1;
            parents[child] += 1;
        }
        let most = |counts: Vec<usize>| counts.into_iter().max().unwrap_or_default();
        (most(parents), most(children))
    }

    /// The neighbours of each job: parents, and children.
    fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut parents = vec![Vec::new(); self.jobs];
        let mut children = vec![Vec::new(); self.jobs];
        for &(parent, child) in &self.edges {
            children[parent].push(child);
            parents[child].push(parent);
        }
        (parents, children)
    }

    /// The parts that hang together, each with its jobs ascending; the part with the first job first.
    fn components(&self) -> Vec<Vec<usize>> {
        let (parents, children) = self.neighbours();
        let mut found = vec![false; self.jobs];
        let mut components = Vec::new();
        for first in 0..self.jobs {
            if std::mem::replace(&mut found[first], true) {
                continue;
            }
            let mut component = vec![first];
            let mut next = 0;
            while let Some(&job) = component.get(next) {
                next += 1;
                for &neighbour in parents[job].iter().chain(&children[job]) {
                    if !std::mem::replace(&mut found[neighbour], true) {
                        component.push(neighbour);
                    }
                }
            }
            component.sort_unstable();
            components.push(component);
        }
        components
    }

    /// The edges of each of these components, whose jobs are counted anew from 0 within it.
    fn split(&self, components: &[Vec<usize>]) -> Vec<Vec<(usize, usize)>> {
        let mut of = vec![(0, 0); self.jobs];
        for (number, component) in components.iter().enumerate() {
            for (place, &job) in component.iter().enumerate() {
                of[job] = (number, place);
            }
        }
        let mut edges = vec![Vec::new(); components.len()];
        for &(parent, child) in &self.edges {
            edges[of[parent].0].push((of[parent].1, of[child].1));
        }
        edges
    }
}

/// A workflow: what is drawn.
#[derive(Clone, Debug, Default)]
pub struct Workflow {
    /// The jobs, by name.
    pub jobs: Vec<Arc<job::Model>>,
    /// How they hang together.
    pub shape: Shape,
    /// The names of the wrappers that the shape speaks of.
    pub wrappers: Vec<Arc<str>>,
}

/// Where jobs stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawing {
    /// The middle of each job.
    pub places: Vec<Point>,
    /// Through which points an edge goes on its way from parent to child, by the place of the edge; those of edges that go
    /// straight are left out. Ascending.
    pub bends: Vec<(usize, Vec<Point>)>,
    /// Why the layout is another one than was asked for.
    pub instead: Option<String>,
}

impl Drawing {
    /// The points between parent and child of the edge at this place.
    pub fn bends_of(&self, edge: usize) -> &[Point] {
        match self.bends.binary_search_by_key(&edge, |(edge, _)| *edge) {
            Ok(place) => &self.bends[place].1,
            Err(_) => &[],
        }
    }

    /// The corners of the smallest rectangle around the middles of all jobs: left top, right bottom.
    pub fn bounds(&self) -> (Point, Point) {
        let Some(&first) = self.places.first() else {
            return ([0, 0], [0, 0]);
        };
        let wider = |(low, high): (Point, Point), &[x, y]: &Point| {
            (
                [low[0].min(x), low[1].min(y)],
                [high[0].max(x), high[1].max(y)],
            )
        };
        self.places.iter().fold((first, first), wider)
    }
}

/// Why there is no drawing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A layout is asked for more than it can do.
    #[error(
        "LAPLACIAN places at most {most} jobs, and there are {jobs}; LEVELS and DOT place any number"
    )]
    TooManyForLaplacian {
        /// How many there are.
        jobs: usize,
        /// How many it can do.
        most: usize,
    },
    /// Nobody could read it.
    #[error(
        "a picture shows at most {most} {what}, and this one would show {count}; group the jobs (groupBy) or ask for \
         fewer (first)"
    )]
    TooLargeForPicture {
        /// Jobs, edges or groups.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many it can show.
        most: usize,
    },
}

/// A key for the drawing of this shape with these names of jobs.
pub fn key<'a>(layout: Layout, shape: &Shape, names: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    let mut number = |number: usize| hash.update((number as u64).to_le_bytes());
    number(shape.jobs);
    number(shape.edges.len());
    for &(parent, child) in &shape.edges {
        number(parent);
        number(child);
    }
    for wrapper in &shape.wrappers {
        number(wrapper.map_or(0, |wrapper| wrapper + 1));
    }
    for name in names {
        hash.update(name);
        hash.update([0]);
    }
    hash.update(layout.engine());
    hex::encode(hash.finalize())
}

/// Draws a shape. Takes up to some seconds for tens of thousands of jobs.
pub fn draw(layout: Layout, shape: &Shape) -> Result<Drawing, GraphError> {
    match layout {
        Layout::Dot => Ok(layered::draw(shape).unwrap_or_else(|why| Drawing {
            instead: Some(why),
            ..barycentric::draw(shape)
        })),
        Layout::Levels => Ok(barycentric::draw(shape)),
        Layout::Laplacian => spectral::draw(shape),
    }
}

/// Counts and places of a drawing stay far below 2^53.
#[allow(clippy::cast_precision_loss)]
const fn float(number: usize) -> f64 {
    number as f64
}

/// The nearest pixel.
#[allow(clippy::cast_possible_truncation)]
const fn pixel(at: f64) -> i32 {
    // A cast of floats stays within the limits of the type.
    at.round() as i32
}
