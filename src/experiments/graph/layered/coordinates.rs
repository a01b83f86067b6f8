//! Where the vertices of a layer stand.

use super::{ACROSS, BOX, Layers};

/// The room of a vertex that stands where an edge crosses a layer.
const EDGE: f64 = 14.0;
/// How often the layers are gone through.
const SWEEPS: usize = 40;
/// The last of these look both ways.
const BALANCING: usize = 8;

/// The middles of all vertices across. Each layer in turn is put as close to its neighbours as its order and the distances
/// allow: what minimises the sum of squares is found by pooling adjacent violators. Edges between vertices that are no
/// jobs count more, as in Gansner et al., *A Technique for Drawing Directed Graphs* (1993), so that long edges are
/// straight.
pub fn across(layers: &Layers) -> Vec<f64> {
    let mut x = vec![0.0; layers.above.len()];
    for row in &layers.rows {
        let offsets = offsets(layers, row);
        let middle = offsets.last().copied().unwrap_or_default() / 2.0;
        for (&vertex, offset) in row.iter().zip(&offsets) {
            x[vertex] = offset - middle;
        }
    }
    let height = layers.rows.len();
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let both = sweep + BALANCING >= SWEEPS;
        for step in 0..height {
            let rank = if down { step } else { height - 1 - step };
            pull(
                layers,
                &layers.rows[rank],
                down || both,
                !down || both,
                &mut x,
            );
        }
    }
    x
}

/// How far each vertex of a row stands from the first at least.
fn offsets(layers: &Layers, row: &[usize]) -> Vec<f64> {
    let room = |vertex: usize| {
        if layers.is_job(vertex) {
            BOX[0] + ACROSS
        } else {
            EDGE
        }
    };
    let mut at = 0.0;
    let mut last = None;
    row.iter()
        .map(|&vertex| {
            if let Some(last) = last.replace(vertex) {
                at += f64::midpoint(room(last), room(vertex));
            }
            at
        })
        .collect()
}

fn pull(layers: &Layers, row: &[usize], above: bool, below: bool, x: &mut [f64]) {
    let offsets = offsets(layers, row);
    let goals: Vec<(f64, f64)> = row
        .iter()
        .zip(&offsets)
        .map(|(&vertex, offset)| {
            let (goal, weight) = goal(layers, vertex, above, below, x);
            (goal - offset, weight)
        })
        .collect();
    for ((&vertex, offset), place) in row.iter().zip(&offsets).zip(isotonic(&goals)) {
        x[vertex] = place + offset;
    }
}

/// Where a vertex would like to stand, and how much.
fn goal(layers: &Layers, vertex: usize, above: bool, below: bool, x: &[f64]) -> (f64, f64) {
    let above = layers.above[vertex].iter().filter(|_| above);
    let below = layers.below[vertex].iter().filter(|_| below);
    let (mut sum, mut weight) = (0.0, 0.0);
    for &other in above.chain(below) {
        let priority = match (layers.is_job(vertex), layers.is_job(other)) {
            (true, true) => 1.0,
            (false, false) => 8.0,
            _ => 2.0,
        };
        sum += priority * x[other];
        weight += priority;
    }
    if weight > 0.0 {
        (sum / weight, weight)
    } else {
        // Nothing draws it: it stays, unless others need the room.
        (x[vertex], 0.01)
    }
}

/// The numbers that do not decrease and are closest to these goals with their weights.
fn isotonic(goals: &[(f64, f64)]) -> Vec<f64> {
    // Pools of goals: their mean, their weight and how many there are.
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(goals.len());
    for &(goal, weight) in goals {
        let mut pool = (goal, weight, 1);
        while let Some(&(mean, before, count)) = pools.last() {
            if mean <= pool.0 {
                break;
            }
            pools.pop();
            let together = before + pool.1;
            pool = (
                (mean * before + pool.0 * pool.1) / together,
                together,
                count + pool.2,
            );
        }
        pools.push(pool);
    }
    let spread = pools
        .into_iter()
        .flat_map(|(mean, _, count)| std::iter::repeat_n(mean, count));
    spread.collect()
}
