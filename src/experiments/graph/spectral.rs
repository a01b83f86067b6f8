//! LAPLACIAN: jobs stand by the eigenvectors of the normalised Laplacian, so that those that depend on each other much
//! stand close to each other.
//!
//! The matrix is L = I − D^(−1/2) A D^(−1/2) of the undirected graph, an edge inside a wrapper counting three times, as
//! in Autosubmit API. In a part that hangs together the smallest eigenvalue is 0 with the known vector D^(1/2)·1; of the
//! next two, λ₁ and λ₂ with v₁ and v₂, come x = 10·n/λ₁·v₁ and y = 10·n/λ₂·v₂. They are found by inverse iteration with
//! a block of vectors (Parlett, *The Symmetric Eigenvalue Problem*, chapter 14), each solved for by conjugate gradients
//! among the vectors that are orthogonal to the known one. That needs room for a dozen vectors and no more.
//!
//! An eigenvector has no sign, and of equal eigenvalues, as symmetric ensembles have them, any combination will do. Here
//! all begins from fixed vectors, and the sign is that of the first job that is not in the middle: it stands on the left, or
//! above. Parts that do not hang together are drawn beside each other; Autosubmit API cannot draw these.

use super::{Drawing, GraphError, Shape, float, pixel};

/// How many jobs are placed.
pub const MOST: usize = 10_000;
/// How many vectors are iterated: those that are wanted, and some that make it converge.
const BLOCK: usize = 6;
/// How often, at most.
const ITERATIONS: usize = 60;
/// Eigenvalues are good when they change by less than this part of themselves.
const TOLERANCE: f64 = 1e-10;
/// Steps of conjugate gradients, at most.
const STEPS: usize = 3_000;
/// How many multiplications are done about at most, over all iterations: some seconds. Chains of thousands of jobs come
/// here; what was found by then is drawn.
const WORK: usize = 2_000_000_000;
/// When a solution is good enough, relative to the right-hand side.
const RESIDUAL: f64 = 1e-9;
/// Between two parts that do not hang together, as a part of the larger one's width.
const GAP: f64 = 0.1;
/// Between two jobs that hang together with no other.
const ALONE: f64 = 100.0;
/// How much an edge inside a wrapper counts.
const WRAPPED: f64 = 3.0;

type Vector = Vec<f64>;

/// The drawing by eigenvectors.
pub fn draw(shape: &Shape) -> Result<Drawing, GraphError> {
    if shape.jobs > MOST {
        return Err(GraphError::TooManyForLaplacian {
            jobs: shape.jobs,
            most: MOST,
        });
    }
    let components = shape.components();
    let edges = shape.split(&components);
    let mut places = vec![[0, 0]; shape.jobs];
    let mut left = 0.0;
    let mut alone = Vec::new();
    for (component, edges) in components.iter().zip(edges) {
        if let [job] = component[..] {
            alone.push(job);
            continue;
        }
        let inside = |&(parent, child): &(usize, usize)| {
            shape.is_inside_wrapper((component[parent], component[child]))
        };
        let weights: Vec<f64> = edges
            .iter()
            .map(|edge| if inside(edge) { WRAPPED } else { 1.0 })
            .collect();
        let [x, y] = coordinates(component.len(), &edges, &weights);
        // One part alone stands around the origin, as in Autosubmit API.
        let (mut shift, mut width) = (0.0, 0.0);
        if components.len() > 1 {
            let low = x.iter().copied().fold(f64::INFINITY, f64::min);
            let high = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            width = high - low;
            shift = left - low;
        }
        for ((&job, x), y) in component.iter().zip(&x).zip(&y) {
            // Cut off, as there.
            places[job] = [pixel((x + shift).trunc()), pixel(y.trunc())];
        }
        left += width + ALONE.max(width * GAP);
    }
    let columns = alone.len().isqrt().max(1);
    for (number, &job) in alone.iter().enumerate() {
        let (row, column) = (number / columns, number % columns);
        places[job] = [
            pixel(left + float(column) * ALONE),
            pixel(float(row) * ALONE),
        ];
    }
    Ok(Drawing {
        places,
        ..Drawing::default()
    })
}

/// The coordinates of jobs that hang together.
fn coordinates(jobs: usize, edges: &[(usize, usize)], weights: &[f64]) -> [Vector; 2] {
    let laplacian = Laplacian::new(jobs, edges, weights);
    let mut found = smallest(&laplacian, 2).into_iter();
    [(); 2].map(|()| match found.next() {
        Some((value, vector)) => {
            let scale = 10.0 * float(jobs) / value;
            vector.into_iter().map(|part| part * scale).collect()
        }
        None => vec![0.0; jobs],
    })
}

/// A normalised Laplacian in rows, and the vector that it makes 0.
struct Laplacian {
    /// Where the entries of each row begin.
    rows: Vec<usize>,
    /// Column and value beside the diagonal, which is 1.
    entries: Vec<(usize, f64)>,
    null: Vector,
}

impl Laplacian {
    fn new(jobs: usize, edges: &[(usize, usize)], weights: &[f64]) -> Self {
        let mut neighbours = vec![Vec::new(); jobs];
        let mut degree = vec![0.0; jobs];
        for (&(from, to), &weight) in edges.iter().zip(weights) {
            neighbours[from].push((to, weight));
            neighbours[to].push((from, weight));
            degree[from] += weight;
            degree[to] += weight;
        }
        let (mut rows, mut entries) = (vec![0], Vec::new());
        for (job, of) in neighbours.iter().enumerate() {
            for &(other, weight) in of {
                entries.push((other, -weight / (degree[job] * degree[other]).sqrt()));
            }
            rows.push(entries.len());
        }
        let mut null: Vector = degree.iter().map(|degree| degree.sqrt()).collect();
        normalise(&mut null);
        Self {
            rows,
            entries,
            null,
        }
    }

    fn times(&self, vector: &[f64]) -> Vector {
        let rows = self.rows.windows(2).zip(vector);
        rows.map(|(row, own)| {
            let entries = &self.entries[row[0]..row[1]];
            let others = entries
                .iter()
                .map(|&(column, value)| value * vector[column]);
            own + others.sum::<f64>()
        })
        .collect()
    }

    /// Takes away what the matrix makes 0.
    fn project(&self, vector: &mut [f64]) {
        let part = dot(vector, &self.null);
        add(vector, -part, &self.null);
    }

    /// The solution of L·x = b, orthogonal to the null vector as b is, by conjugate gradients; and
    /// how many steps they took.
    fn solve(&self, right: &[f64]) -> (Vector, usize) {
        let mut solution = vec![0.0; right.len()];
        let mut residual = right.to_vec();
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let enough = square * RESIDUAL * RESIDUAL;
        let mut steps = 0;
        while steps < STEPS {
            if square <= enough || square == 0.0 {
                break;
            }
            let image = self.times(&direction);
            let curvature = dot(&direction, &image);
            if curvature <= 0.0 {
                break;
            }
            let step = square / curvature;
            add(&mut solution, step, &direction);
            add(&mut residual, -step, &image);
            let next = dot(&residual, &residual);
            let ratio = next / square;
            for (direction, residual) in direction.iter_mut().zip(&residual) {
                *direction = residual + ratio * *direction;
            }
            square = next;
            steps += 1;
        }
        self.project(&mut solution);
        (solution, steps)
    }
}

/// So many of the smallest eigenvalues above 0, with their vectors of length 1.
fn smallest(laplacian: &Laplacian, wanted: usize) -> Vec<(f64, Vector)> {
    let jobs = laplacian.null.len();
    let size = BLOCK.min(jobs.saturating_sub(1));
    let wanted = wanted.min(size);
    if wanted == 0 {
        return Vec::new();
    }
    let mut block: Vec<Vector> = (0..size).map(|number| start(number, jobs)).collect();
    orthonormalise(&mut block, laplacian);
    let mut values = vec![f64::INFINITY; size];
    let mut work = 0;
    for _ in 0..ITERATIONS {
        for vector in &mut block {
            let (solution, steps) = laplacian.solve(vector);
            work += steps * (laplacian.entries.len() + 6 * jobs);
            *vector = solution;
        }
        orthonormalise(&mut block, laplacian);
        let (next, rotated) = rayleigh_ritz(laplacian, &block);
        block = rotated;
        let settled = (0..wanted).all(|place| {
            let (old, new) = (values[place], next[place]);
            (old - new).abs() <= TOLERANCE * new.abs()
        });
        values = next;
        if settled || work > WORK {
            break;
        }
    }
    let mut found: Vec<(f64, Vector)> = values.into_iter().zip(block).take(wanted).collect();
    for (_, vector) in &mut found {
        give_sign(vector);
    }
    found.retain(|(value, _)| *value > 0.0);
    found
}

/// Fixed numbers that look like chance (`SplitMix64`), between −1 and 1.
fn start(number: usize, jobs: usize) -> Vector {
    let mut state = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let upper = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default();
        f64::from(upper) / f64::from(u32::MAX) * 2.0 - 1.0
    };
    (0..jobs).map(|_| next()).collect()
}

/// Gram–Schmidt, twice, since once is not enough in finite precision.
fn orthonormalise(block: &mut [Vector], laplacian: &Laplacian) {
    for number in 0..block.len() {
        let (before, from) = block.split_at_mut(number);
        let Some(vector) = from.first_mut() else {
            return;
        };
        for _ in 0..2 {
            laplacian.project(vector);
            for other in before.iter() {
                let part = dot(vector, other);
                add(vector, -part, other);
            }
            normalise(vector);
        }
    }
}

/// The eigenvalues, ascending, and vectors of the matrix within the space of the block.
fn rayleigh_ritz(laplacian: &Laplacian, block: &[Vector]) -> (Vec<f64>, Vec<Vector>) {
    let size = block.len();
    let images: Vec<Vector> = block.iter().map(|vector| laplacian.times(vector)).collect();
    let entry = |row: usize, column: usize| dot(&block[row], &images[column]);
    let mut small: Vec<Vector> = (0..size)
        .map(|row| (0..size).map(|column| entry(row, column)).collect())
        .collect();
    let turned = jacobi(&mut small);
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&left, &right| small[left][left].total_cmp(&small[right][right]));
    let values = order.iter().map(|&place| small[place][place]).collect();
    let combine = |&place: &usize| {
        let mut vector = vec![0.0; block[0].len()];
        for (part, of) in turned.iter().zip(block) {
            add(&mut vector, part[place], of);
        }
        vector
    };
    (values, order.iter().map(combine).collect())
}

/// Makes a small symmetric matrix diagonal by rotations, and gives their product: its columns are the eigenvectors.
fn jacobi(matrix: &mut [Vector]) -> Vec<Vector> {
    let size = matrix.len();
    let unit = |row: usize| (0..size).map(move |column| f64::from(u8::from(row == column)));
    let mut product: Vec<Vector> = (0..size).map(|row| unit(row).collect()).collect();
    for _ in 0..50 {
        let mut largest = 0.0_f64;
        for p in 0..size {
            for q in p + 1..size {
                let off = matrix[p][q];
                largest = largest.max(off.abs());
                if off.abs() < f64::MIN_POSITIVE {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * off);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for row in matrix.iter_mut().chain(&mut product) {
                    (row[p], row[q]) = (
                        cosine * row[p] - sine * row[q],
                        sine * row[p] + cosine * row[q],
                    );
                }
                let (upper, lower) = matrix.split_at_mut(q);
                for (above, below) in upper[p].iter_mut().zip(&mut lower[0]) {
                    (*above, *below) = (
                        cosine * *above - sine * *below,
                        sine * *above + cosine * *below,
                    );
                }
            }
        }
        if largest < 1e-300 {
            break;
        }
    }
    product
}

/// The first part that is not small becomes negative.
fn give_sign(vector: &mut [f64]) {
    let largest = vector
        .iter()
        .fold(0.0_f64, |most, part| most.max(part.abs()));
    let first = vector.iter().find(|part| part.abs() > largest * 1e-6);
    if first.is_some_and(|first| *first > 0.0) {
        for part in vector {
            *part = -*part;
        }
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], times: f64, vector: &[f64]) {
    for (to, part) in to.iter_mut().zip(vector) {
        *to += times * part;
    }
}

fn normalise(vector: &mut [f64]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        for part in vector {
            *part /= length;
        }
    }
}
