//! Levels and a topological order.

use super::Shape;

/// The jobs in an order in which parents come before their children. Autosubmit makes no cycles; should a file hold one,
/// the first job of those that wait for each other goes ahead.
pub fn topological(jobs: usize, parents: &[Vec<usize>], children: &[Vec<usize>]) -> Vec<usize> {
    let mut waits_for: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut placed = vec![false; jobs];
    let mut order: Vec<usize> = (0..jobs).filter(|&job| waits_for[job] == 0).collect();
    for &job in &order {
        placed[job] = true;
    }
    let (mut next, mut stuck) = (0, 0);
    loop {
        while let Some(&job) = order.get(next) {
            next += 1;
            for &child in &children[job] {
                waits_for[child] = waits_for[child].saturating_sub(1);
                if waits_for[child] == 0 && !std::mem::replace(&mut placed[child], true) {
                    order.push(child);
                }
            }
        }
        while placed.get(stuck) == Some(&true) {
            stuck += 1;
        }
        if stuck >= jobs {
            return order;
        }
        placed[stuck] = true;
        order.push(stuck);
    }
}

/// The level of each job, from 1: one more than the highest level among its parents, so that every edge leads down. An
/// edge that closes a cycle does not count.
pub fn levels(shape: &Shape) -> Vec<usize> {
    let (parents, children) = shape.neighbours();
    of_neighbours(&topological(shape.jobs, &parents, &children), &children)
}

/// The levels along this order.
pub fn of_neighbours(order: &[usize], children: &[Vec<usize>]) -> Vec<usize> {
    let mut place = vec![0; order.len()];
    for (at, &job) in order.iter().enumerate() {
        place[job] = at;
    }
    let mut levels = vec![1; order.len()];
    for &job in order {
        for &child in &children[job] {
            if place[child] > place[job] {
                levels[child] = levels[child].max(levels[job] + 1);
            }
        }
    }
    levels
}
