//! Which rows a dotted path reaches.
//!
//! The rows of a dataset name a path without the places in arrays, because a query mostly does: `readme.owners.name` is
//! meant of each owner. MongoDB looks through one array at each step by itself; arrays directly in arrays only open to a
//! number in the path. So for each array that lies directly in an array the path has a mark, and the places in the arrays
//! stand in a column of their own, for the few queries that name them.

use sha2::{Digest, Sha256};

/// Stands in a path for an array directly in an array.
pub const NESTED: char = '\u{1}';
/// The most steps of a path.
pub const MOST_STEPS: usize = 20;
/// The longest path, in bytes.
pub const LONGEST: usize = 1_000;
/// The most steps of a path that are numbers: each can be a key or a place.
pub const MOST_NUMBERS: usize = 3;

/// A dotted path: its steps, none of them empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<String>);

/// Rows that a path reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The path that the rows name.
    pub path: String,
    /// What their places in arrays are like, as a pattern of LIKE.
    pub places: Option<String>,
    /// Whether the path ends with the place of an element.
    pub at_place: bool,
}

/// Rows in which the rest of a path may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The rows; none for the document that the path begins in.
    pub reach: Option<Reach>,
    /// If any of the paths with these [hashes](hash) is found below a row, the rest is not missing there.
    pub present: Vec<i64>,
}

/// A key and the places after it, in one reading of a path.
#[derive(Clone, Debug)]
struct Step<'a> {
    key: &'a str,
    places: Vec<&'a str>,
    /// How many steps of the path are read with this one.
    end: usize,
}

impl Path {
    /// Reads a dotted path.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("a path has 1,000 bytes at most");
        }
        let steps: Vec<_> = text.split('.').map(clean_key).collect();
        if steps.iter().any(String::is_empty) {
            return Err("a path has no empty steps");
        }
        if steps.len() > MOST_STEPS {
            return Err("a path has 20 steps at most");
        }
        if steps.iter().skip(1).filter(|step| is_place(step)).count() > MOST_NUMBERS {
            return Err("a path has 3 numbers at most");
        }
        Ok(Self(steps))
    }

    /// Its steps.
    pub fn steps(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// The rows at the end of the path, below a row that names the path `base`.
    pub fn ends(&self, base: &str) -> Vec<Reach> {
        let readings = self.readings();
        let ends = readings.iter().flat_map(|steps| reach(base, steps, false));
        ends.collect()
    }

    /// The elements of the arrays at the end of the path.
    pub fn elements(&self, base: &str) -> Vec<Reach> {
        let mut elements = Vec::new();
        for steps in self.readings() {
            let in_place = steps.last().is_some_and(|last| !last.places.is_empty());
            for end in reach(base, &steps, false) {
                elements.push(if in_place { inner(end) } else { end });
            }
        }
        elements
    }

    /// Where the path, or the rest of it, may be missing.
    pub fn contexts(&self, base: &str) -> Vec<Context> {
        let mut contexts = vec![Context {
            reach: None,
            present: self.beginnings(base, 0),
        }];
        for steps in self.readings() {
            for length in 1..steps.len() {
                let Some(read) = steps.get(..length) else {
                    continue;
                };
                let end = read.last().map_or(0, |step| step.end);
                for reach in reach(base, read, true) {
                    let present = self.beginnings(&reach.path, end);
                    contexts.push(Context {
                        reach: Some(reach),
                        present,
                    });
                }
            }
        }
        contexts
    }

    /// How many [ends](Self::ends) there are, and as many [elements](Self::elements).
    pub fn end_count(&self) -> usize {
        let readings = self.readings();
        let ends = readings.iter().map(|steps| match steps.split_last() {
            Some((_, before)) => reach_count(before),
            None => 1,
        });
        ends.sum()
    }

    /// How many [contexts](Self::contexts) there are.
    pub fn context_count(&self) -> usize {
        let readings = self.readings();
        let within = readings.iter().map(|steps| {
            let lengths = 1..steps.len();
            let within = lengths.filter_map(|length| steps.get(..length));
            within.map(reach_count).sum::<usize>()
        });
        1 + within.sum::<usize>()
    }

    /// The hashes of the paths of `base` and the steps from `from`, one more each time.
    fn beginnings(&self, base: &str, from: usize) -> Vec<i64> {
        let mut path = base.to_owned();
        let mut beginnings = Vec::new();
        for step in self.0.iter().skip(from) {
            path = below(&path, step);
            beginnings.push(hash(&path));
        }
        beginnings
    }

    /// All ways to read the numbers in the path: as keys or as places.
    fn readings(&self) -> Vec<Vec<Step<'_>>> {
        let mut readings: Vec<Vec<Step<'_>>> = vec![Vec::new()];
        for (place, step) in self.0.iter().enumerate() {
            let mut more = Vec::new();
            for reading in &mut readings {
                if place > 0 && is_place(step) {
                    let mut other = reading.clone();
                    if let Some(last) = other.last_mut() {
                        last.places.push(step);
                        last.end = place + 1;
                    }
                    more.push(other);
                }
                reading.push(Step {
                    key: step,
                    places: Vec::new(),
                    end: place + 1,
                });
            }
            readings.append(&mut more);
        }
        readings
    }
}

/// The path of a key below a path.
pub fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A key as it stands in a path: without the marks that labql sets, and without NUL, which PostgreSQL cannot store.
pub fn clean_key(key: &str) -> String {
    key.replace(['\0', NESTED], "\u{fffd}")
}

/// The number that stands for a path in the database: the first eight bytes of its SHA-256.
pub fn hash(path: &str) -> i64 {
    let digest = Sha256::digest(path.as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0_i64, |hash, byte| (hash << 8) | i64::from(*byte))
}

/// The elements of the arrays that are elements themselves.
fn inner(reach: Reach) -> Reach {
    Reach {
        path: format!("{}{NESTED}", reach.path),
        places: reach.places.map(|places| format!("{places},%")),
        at_place: true,
    }
}

/// How many ways there are through all of these steps, each within a longer path.
fn reach_count(steps: &[Step<'_>]) -> usize {
    let at_places = steps.iter().filter(|step| !step.places.is_empty()).count();
    1 << at_places.min(MOST_NUMBERS)
}

/// The rows of one reading: at its end, or, `within` a longer path, also the elements of an array there.
fn reach(base: &str, steps: &[Step<'_>], within: bool) -> Vec<Reach> {
    let keys = if base.is_empty() {
        0
    } else {
        base.split('.').count()
    };
    let mut reached = vec![Reach {
        path: base.to_owned(),
        places: Some(vec!["%"; keys].join(";")),
        at_place: false,
    }];
    for (number, step) in steps.iter().enumerate() {
        let opens = within || number + 1 < steps.len();
        reached = reached
            .into_iter()
            .flat_map(|before| after(&before, step, opens))
            .collect();
    }
    if steps.iter().all(|step| step.places.is_empty()) {
        for reach in &mut reached {
            reach.places = None;
        }
    }
    reached
}

fn after(before: &Reach, step: &Step<'_>, opens: bool) -> Vec<Reach> {
    let mut path = below(&before.path, step.key);
    let mut places = before.places.clone().unwrap_or_default();
    if !before.path.is_empty() {
        places.push(';');
    }
    for _ in 1..step.places.len() {
        path.push(NESTED);
    }
    let Some((first, rest)) = step.places.split_first() else {
        places.push('%');
        return vec![Reach {
            path,
            places: Some(places),
            at_place: false,
        }];
    };
    places.push_str(first);
    for place in rest {
        places.push(',');
        places.push_str(place);
    }
    let here = Reach {
        path,
        places: Some(places),
        at_place: true,
    };
    if opens {
        vec![inner(here.clone()), here]
    } else {
        vec![here]
    }
}

fn is_place(step: &str) -> bool {
    step == "0"
        || (step.len() < 10 && !step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit()))
}
