//! DOT: a layered drawing as Graphviz's `dot` makes it, after Sugiyama, Tagawa and Toda (1981).
//!
//! 1. Layers: the longest path, and then sources drawn close to what waits for them ([`rank`]).
//! 2. Edges across several layers become chains of vertices of their own, so that they find a way between the jobs.
//! 3. Orders within the layers with few crossings, by barycentres ([`order`]).
//! 4. Coordinates, so that neighbours stand above each other and long edges are straight ([`coordinates`]).
//! 5. Parts that do not hang together are packed into rows; jobs without any edge become a grid.
//!
//! Every step is bounded in time and without recursion, so that no workflow that a file may hold brings the server down.

mod coordinates;
mod order;
mod rank;

use super::{Drawing, Point, Shape, float, pixel};

/// How many jobs are drawn.
pub const MOST_JOBS: usize = 10_000;
/// How many layers all edges cross together.
pub const MOST_SEGMENTS: usize = 200_000;

/// Width and height of a job, in pixels.
pub const BOX: [f64; 2] = [132.0, 44.0];
/// Between two jobs of a layer.
const ACROSS: f64 = 24.0;
/// Between two layers.
const DOWN: f64 = 48.0;
/// Between two parts that do not hang together.
const APART: f64 = 72.0;
/// How much wider than high a drawing is that has the choice.
const ASPECT: f64 = 1.6;

/// A component in layers. The first vertices are its jobs; the others stand where an edge crosses a layer.
struct Layers {
    /// How many vertices are jobs.
    jobs: usize,
    /// The vertices of each layer, from left to right.
    rows: Vec<Vec<usize>>,
    /// The neighbours of each vertex in the layer above.
    above: Vec<Vec<usize>>,
    /// The neighbours of each vertex in the layer below.
    below: Vec<Vec<usize>>,
    /// The vertices that an edge passes, from parent to child; for each edge.
    chains: Vec<Vec<usize>>,
}

impl Layers {
    fn is_job(&self, vertex: usize) -> bool {
        vertex < self.jobs
    }
}

/// A component that has been drawn, its left top corner at the origin.
struct Part {
    places: Vec<(f64, f64)>,
    bends: Vec<Vec<(f64, f64)>>,
    width: f64,
    height: f64,
}

/// The layered drawing; or why it would be too much.
pub fn draw(shape: &Shape) -> Result<Drawing, String> {
    if shape.jobs > MOST_JOBS {
        return Err(format!(
            "DOT draws at most {MOST_JOBS} jobs, and there are {}",
            shape.jobs
        ));
    }
    let components = shape.components();
    let (single, joined): (Vec<_>, Vec<_>) =
        components.into_iter().partition(|jobs| jobs.len() == 1);
    let mut segments = 0;
    let mut layered = Vec::with_capacity(joined.len());
    for (jobs, edges) in joined.iter().zip(shape.split(&joined)) {
        let ranks = rank::ranks(jobs.len(), &edges);
        segments += edges
            .iter()
            .map(|&(from, to)| ranks[from].abs_diff(ranks[to]))
            .sum::<usize>();
        if segments > MOST_SEGMENTS {
            return Err(format!(
                "DOT draws edges that cross at most {MOST_SEGMENTS} layers together"
            ));
        }
        layered.push(layers(&ranks, &edges));
    }
    let mut parts: Vec<Part> = layered.iter().map(part).collect();
    let single: Vec<usize> = single.into_iter().flatten().collect();
    let mut members = joined;
    if !single.is_empty() {
        parts.push(grid(single.len()));
        members.push(single);
    }
    Ok(pack(shape, &members, &parts))
}

/// Splits edges at the layers that they cross, and orders the layers.
fn layers(ranks: &[usize], edges: &[(usize, usize)]) -> Layers {
    let jobs = ranks.len();
    let height = ranks.iter().copied().max().unwrap_or_default() + 1;
    let mut layers = Layers {
        jobs,
        rows: vec![Vec::new(); height],
        above: vec![Vec::new(); jobs],
        below: vec![Vec::new(); jobs],
        chains: Vec::with_capacity(edges.len()),
    };
    let mut rank_of = ranks.to_vec();
    for &(parent, child) in edges {
        // An edge that closes a cycle leads up.
        let down = ranks[parent] <= ranks[child];
        let (from, to) = if down {
            (parent, child)
        } else {
            (child, parent)
        };
        let mut chain = Vec::new();
        let mut last = from;
        for rank in ranks[from] + 1..=ranks[to] {
            let next = if rank == ranks[to] {
                to
            } else {
                let vertex = layers.above.len();
                layers.above.push(Vec::new());
                layers.below.push(Vec::new());
                rank_of.push(rank);
                chain.push(vertex);
                vertex
            };
            layers.below[last].push(next);
            layers.above[next].push(last);
            last = next;
        }
        if !down {
            chain.reverse();
        }
        layers.chains.push(chain);
    }
    order::arrange(&mut layers, &rank_of);
    layers
}

/// Draws a component.
fn part(layers: &Layers) -> Part {
    let x = coordinates::across(layers);
    let mut y = vec![0.0; x.len()];
    let mut top = BOX[1] / 2.0;
    for (rank, row) in layers.rows.iter().enumerate() {
        if rank > 0 {
            // The wider the edges between two layers reach, the more room they get to fall.
            let reach = |&vertex: &usize| {
                let above = layers.above[vertex].iter();
                above
                    .map(|&other| (x[other] - x[vertex]).abs())
                    .fold(0.0, f64::max)
            };
            let widest = row.iter().map(reach).fold(0.0, f64::max);
            top += BOX[1] + DOWN + (widest / 10.0).min(3.0 * DOWN);
        }
        for &vertex in row {
            y[vertex] = top;
        }
    }
    let left = x
        .iter()
        .take(layers.jobs)
        .copied()
        .fold(f64::INFINITY, f64::min)
        - BOX[0] / 2.0;
    let right = x
        .iter()
        .take(layers.jobs)
        .copied()
        .fold(f64::NEG_INFINITY, f64::max)
        + BOX[0] / 2.0;
    let at = |vertex: usize| (x[vertex] - left, y[vertex]);
    Part {
        places: (0..layers.jobs).map(at).collect(),
        bends: layers
            .chains
            .iter()
            .map(|chain| chain.iter().map(|&vertex| at(vertex)).collect())
            .collect(),
        width: right - left,
        height: top + BOX[1] / 2.0,
    }
}

/// Jobs without edges.
fn grid(jobs: usize) -> Part {
    let cell = (BOX[0] + ACROSS, BOX[1] + ACROSS);
    let columns = (1..=jobs)
        .find(|&columns| {
            let rows = jobs.div_ceil(columns);
            float(columns) * cell.0 >= ASPECT * float(rows) * cell.1
        })
        .unwrap_or(jobs);
    let place = |number: usize| {
        (
            float(number % columns) * cell.0 + BOX[0] / 2.0,
            float(number / columns) * cell.1 + BOX[1] / 2.0,
        )
    };
    Part {
        places: (0..jobs).map(place).collect(),
        bends: Vec::new(),
        width: float(columns) * cell.0 - ACROSS,
        height: float(jobs.div_ceil(columns)) * cell.1 - ACROSS,
    }
}

/// Puts the parts side by side, in rows that are about as wide as all is high.
fn pack(shape: &Shape, members: &[Vec<usize>], parts: &[Part]) -> Drawing {
    let area: f64 = parts
        .iter()
        .map(|part| (part.width + APART) * (part.height + APART))
        .sum();
    let widest = parts.iter().map(|part| part.width).fold(0.0, f64::max);
    let limit = widest.max((area * ASPECT).sqrt());
    let mut places = vec![[0, 0]; shape.jobs];
    // A chain for each edge of the parts, in the order of the shape's edges among their parts.
    let mut chains: Vec<Vec<Vec<Point>>> = Vec::with_capacity(parts.len());
    let (mut left, mut top, mut height) = (0.0, 0.0, 0.0_f64);
    for (jobs, part) in members.iter().zip(parts) {
        if left > 0.0 && left + part.width > limit {
            top += height + APART;
            (left, height) = (0.0, 0.0);
        }
        let at = |&(x, y): &(f64, f64)| [pixel(left + x), pixel(top + y)];
        for (&job, place) in jobs.iter().zip(&part.places) {
            places[job] = at(place);
        }
        let moved = part
            .bends
            .iter()
            .map(|bends| bends.iter().map(at).collect());
        chains.push(moved.collect());
        left += part.width + APART;
        height = height.max(part.height);
    }
    let mut of = vec![0; shape.jobs];
    for (number, jobs) in members.iter().enumerate() {
        for &job in jobs {
            of[job] = number;
        }
    }
    let mut chains: Vec<_> = chains.into_iter().map(Vec::into_iter).collect();
    let mut bends = Vec::new();
    for (edge, &(parent, _)) in shape.edges.iter().enumerate() {
        let chain = chains.get_mut(of[parent]).and_then(Iterator::next);
        bends.extend(
            chain
                .filter(|chain| !chain.is_empty())
                .map(|chain| (edge, chain)),
        );
    }
    Drawing {
        places,
        bends,
        instead: None,
    }
}
