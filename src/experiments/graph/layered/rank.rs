//! The layer of each job.

use crate::experiments::graph::levels::{of_neighbours, topological};

/// The layers of jobs that hang together, from 0. Every edge leads down but those that close a cycle.
///
/// The longest path puts every job as high as it can stand. One with more children than parents, such as the start of a
/// member, is then lowered to its children, which shortens more edges than it lengthens.
pub fn ranks(jobs: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut parents = vec![Vec::new(); jobs];
    let mut children = vec![Vec::new(); jobs];
    for &(parent, child) in edges {
        parents[child].push(parent);
        children[parent].push(child);
    }
    let order = topological(jobs, &parents, &children);
    let mut ranks = of_neighbours(&order, &children);
    for &job in order.iter().rev() {
        if children[job].len() <= parents[job].len() {
            continue;
        }
        let below = children[job].iter().map(|&child| ranks[child]);
        let below = below.filter(|&rank| rank > ranks[job]).min();
        // On a cycle a child may stand above.
        let free = children[job].iter().all(|&child| ranks[child] > ranks[job]);
        if let (Some(below), true) = (below, free) {
            ranks[job] = below - 1;
        }
    }
    let top = ranks.iter().copied().min().unwrap_or_default();
    ranks.iter().map(|rank| rank - top).collect()
}
