//! LEVELS: a row for each level; within it each job stands near the middle of its parents.

use std::cmp::Ordering;

use super::levels::levels;
use super::{Drawing, Shape, float, pixel};

/// From one job of a row to the next, as in Autosubmit API.
const ACROSS: f64 = 320.0;
/// From one row to the next, as in Autosubmit API.
const DOWN: f64 = 150.0;

/// The barycentric drawing of Autosubmit API: the first row in the order of names, each further one by the mean place of
/// the parents, with the jobs of a wrapper beside each other. Linear but for the sorting, so that any workflow can be
/// drawn.
pub fn draw(shape: &Shape) -> Drawing {
    let levels = levels(shape);
    let (parents, _) = shape.neighbours();
    let mut rows = vec![Vec::new(); levels.iter().copied().max().unwrap_or_default()];
    for (job, &level) in levels.iter().enumerate() {
        rows[level - 1].push(job);
    }
    // Counted from 1. Parents stand in rows above, and have theirs.
    let mut place = vec![0.0; shape.jobs];
    for row in &mut rows {
        let middle = |job: usize| {
            let parents = &parents[job];
            let sum: f64 = parents.iter().map(|&parent| place[parent]).sum();
            sum / float(parents.len().max(1))
        };
        let mut sorted: Vec<(f64, usize)> = row.iter().map(|&job| (middle(job), job)).collect();
        sorted.sort_by(|left, right| {
            let by_middle = left.0.partial_cmp(&right.0).unwrap_or(Ordering::Equal);
            by_middle.then(left.1.cmp(&right.1))
        });
        *row = together(sorted.into_iter().map(|(_, job)| job), &shape.wrappers);
        for (at, &job) in row.iter().enumerate() {
            place[job] = float(at + 1);
        }
    }
    let places = levels.iter().zip(&place);
    Drawing {
        places: places
            .map(|(&level, place)| [pixel(place * ACROSS), pixel(float(level) * DOWN)])
            .collect(),
        ..Drawing::default()
    }
}

/// The same row; where the first job of a wrapper stands, the others of it follow.
fn together(row: impl Iterator<Item = usize>, wrappers: &[Option<usize>]) -> Vec<usize> {
    let mut stands: std::collections::HashMap<usize, usize> = std::collections::HashMap::new();
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for job in row {
        match wrappers[job] {
            Some(wrapper) => {
                let part = *stands.entry(wrapper).or_insert(parts.len());
                if part == parts.len() {
                    parts.push(Vec::new());
                }
                parts[part].push(job);
            }
            None => parts.push(vec![job]),
        }
    }
    parts.into_iter().flatten().collect()
}
