//! The order within the layers.

use super::Layers;
use crate::experiments::graph::float;

/// How often the layers are sorted, at most.
const SWEEPS: usize = 32;
/// After how many sweeps without fewer crossings no more are tried.
const PATIENCE: usize = 6;

/// Orders the layers so that few edges cross: by the barycentres of the neighbours above and below in turn, from the
/// order in which a depth-first walk finds the vertices. The best order that was met is kept.
pub fn arrange(layers: &mut Layers, ranks: &[usize]) {
    depth_first(layers, ranks);
    let mut position = positions(layers);
    let mut best = (crossings(layers, &position), layers.rows.clone());
    let mut patience = PATIENCE;
    for sweep in 0..SWEEPS {
        if best.0 == 0 || patience == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let height = layers.rows.len();
        for step in 1..height {
            let rank = if down { step } else { height - 1 - step };
            sort(layers, rank, down, &mut position);
        }
        let found = crossings(layers, &position);
        if found < best.0 {
            best = (found, layers.rows.clone());
            patience = PATIENCE;
        } else {
            patience -= 1;
        }
    }
    layers.rows = best.1;
}

/// Vertices in the order of a depth-first walk from the sources: what hangs together stands together.
fn depth_first(layers: &mut Layers, ranks: &[usize]) {
    let mut found = vec![false; ranks.len()];
    let sources = (0..ranks.len()).filter(|&vertex| layers.above[vertex].is_empty());
    let mut stack: Vec<usize> = sources.collect();
    stack.reverse();
    while let Some(vertex) = stack.pop() {
        if std::mem::replace(&mut found[vertex], true) {
            continue;
        }
        layers.rows[ranks[vertex]].push(vertex);
        stack.extend(layers.below[vertex].iter().rev());
    }
}

/// Where each vertex stands in its layer: the middle of its part of it, between 0 and 1, so that layers of different length
/// compare.
fn positions(layers: &Layers) -> Vec<f64> {
    let mut position = vec![0.0; layers.above.len()];
    for row in &layers.rows {
        place(row, &mut position);
    }
    position
}

fn place(row: &[usize], position: &mut [f64]) {
    for (at, &vertex) in row.iter().enumerate() {
        position[vertex] = (float(at) + 0.5) / float(row.len());
    }
}

fn sort(layers: &mut Layers, rank: usize, down: bool, position: &mut [f64]) {
    let neighbours = if down { &layers.above } else { &layers.below };
    let row = &mut layers.rows[rank];
    let mut sorted: Vec<(f64, usize)> = row
        .iter()
        .map(|&vertex| {
            let of = &neighbours[vertex];
            if of.is_empty() {
                return (position[vertex], vertex);
            }
            let sum: f64 = of.iter().map(|&other| position[other]).sum();
            (sum / float(of.len()), vertex)
        })
        .collect();
    // Equal ones stay as they are, but on the way up they change sides, so that not every sweep finds the same.
    if !down {
        sorted.reverse();
    }
    sorted.sort_by(|left, right| left.0.total_cmp(&right.0));
    row.clear();
    row.extend(sorted.into_iter().map(|(_, vertex)| vertex));
    place(row, position);
}

/// How many pairs of edges cross, by counting inversions (Barth, Mutzel and Jünger, *Simple and Efficient Bilayer Cross
/// Counting*, 2004).
fn crossings(layers: &Layers, position: &[f64]) -> usize {
    let mut crossings: usize = 0;
    let mut index = vec![0; position.len()];
    for row in &layers.rows {
        for (at, &vertex) in row.iter().enumerate() {
            index[vertex] = at;
        }
    }
    for rows in layers.rows.windows(2) {
        let mut tree = Fenwick::new(rows[1].len());
        let mut before = 0;
        for &vertex in &rows[0] {
            let mut ends: Vec<usize> = layers.below[vertex].iter().map(|&it| index[it]).collect();
            ends.sort_unstable();
            // Edges of one vertex do not cross each other.
            for &end in &ends {
                crossings = crossings.saturating_add(before - tree.up_to(end));
            }
            for &end in &ends {
                tree.add(end);
            }
            before += ends.len();
        }
    }
    crossings
}

/// Counts how many numbers are not larger than another.
struct Fenwick(Vec<usize>);

impl Fenwick {
    fn new(size: usize) -> Self {
        Self(vec![0; size + 1])
    }

    fn add(&mut self, number: usize) {
        let mut at = number + 1;
        while let Some(count) = self.0.get_mut(at) {
            *count += 1;
            at += at & at.wrapping_neg();
        }
    }

    fn up_to(&self, number: usize) -> usize {
        let mut at = number + 1;
        let mut sum = 0;
        while at > 0 {
            sum += self.0[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }
}
