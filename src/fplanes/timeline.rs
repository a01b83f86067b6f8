//! One track over time: what it holds from which instant on, and at which instants anybody said anything about it.
//!
//! Whoever says what a track holds says it from an instant on, until the next instant at which somebody says something
//! about it, *even if that says what had been there anyway*. So a message that comes late changes nothing of what was told
//! of later times. A correction is said of a stretch of time: what was told of instants in the stretch is no longer said, and
//! at its end the track holds what it held there before.
//!
//! Times are microseconds since 1970-01-01 UTC. Of a timeline in the database no more is read than what can change, see
//! [`Window`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

/// What a track holds in `[from, until)`; `until` none: for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<V, S> {
    /// Since when.
    pub from: i64,
    /// Until when.
    pub until: Option<i64>,
    /// What it holds.
    pub value: V,
    /// Who said so first.
    pub source: S,
}

/// A part of time that commands change: of the pieces of a track they touch no others than those that reach into it, the
/// last before it and the first behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant that is told of.
    pub from: i64,
    /// The last instant that is told of; none: there is no end.
    pub until: Option<i64>,
}

/// What a track holds over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline<V, S> {
    /// What it holds from an instant on. No two that follow each other hold the same.
    steps: BTreeMap<i64, Option<(V, S)>>,
    /// When anything was said. All instants of `steps` are among them.
    said: BTreeSet<i64>,
}

impl<V: Clone + PartialEq, S: Copy> Timeline<V, S> {
    /// The timeline of these pieces, which do not overlap, and of which no two that follow each other hold the same.
    pub fn of(pieces: impl IntoIterator<Item = Piece<V, S>>) -> Self {
        let mut steps = BTreeMap::new();
        for piece in pieces {
            steps.insert(piece.from, Some((piece.value, piece.source)));
            if let Some(until) = piece.until {
                steps.entry(until).or_insert(None);
            }
        }
        let said = steps.keys().copied().collect();
        Self { steps, said }
    }

    /// At these instants something was said, too.
    pub fn was_said(&mut self, instants: impl IntoIterator<Item = i64>) {
        self.said.extend(instants);
    }

    /// The first instant after this one at which something was said.
    pub fn said_after(&self, at: i64) -> Option<i64> {
        self.said.range((Excluded(at), Unbounded)).next().copied()
    }

    /// What it holds at an instant.
    pub fn value(&self, at: i64) -> Option<&V> {
        Some(&self.held(at)?.0)
    }

    /// Somebody says what it holds from an instant on; none: nothing.
    pub fn claim(&mut self, at: i64, value: Option<V>, source: S) {
        // What is there already has been said by somebody else first.
        if self.value(at) != value.as_ref() {
            let next = self.said_after(at);
            if let Some(next) = next {
                self.divide(next);
            }
            self.steps.insert(at, value.map(|value| (value, source)));
            if let Some(next) = next {
                self.join(next);
            }
            self.join(at);
        }
        self.said.insert(at);
    }

    /// Somebody says what it holds in `[from, until)`, whatever was told of that time before. An empty stretch has no
    /// instants: nothing changes.
    pub fn correct(&mut self, from: i64, until: Option<i64>, value: Option<V>, source: S) {
        if until.is_some_and(|until| until <= from) {
            return;
        }
        if let Some(until) = until {
            self.divide(until);
        }
        let is_within = |at: &i64| *at >= from && until.is_none_or(|until| *at < until);
        self.steps.retain(|at, _| !is_within(at));
        self.said.retain(|at| !is_within(at));
        self.steps.insert(from, value.map(|value| (value, source)));
        self.said.insert(from);
        if let Some(until) = until {
            self.said.insert(until);
            self.join(until);
        }
        self.join(from);
    }

    /// What it holds, in order of time.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<V, S>> {
        let ends = self.steps.keys().skip(1).copied().map(Some);
        let steps = self.steps.iter().zip(ends.chain([None]));
        steps.filter_map(|((from, held), until)| {
            let (value, source) = held.clone()?;
            Some(Piece {
                from: *from,
                until,
                value,
                source,
            })
        })
    }

    fn held(&self, at: i64) -> Option<&(V, S)> {
        self.steps.range(..=at).next_back()?.1.as_ref()
    }

    /// Begins a step at an instant, with what is held there.
    fn divide(&mut self, at: i64) {
        let held = self.held(at).cloned();
        self.steps.entry(at).or_insert(held);
    }

    /// Ends the step that begins at an instant, if the one before holds the same.
    fn join(&mut self, at: i64) {
        let before = self.steps.range(..at).next_back();
        let before = before.and_then(|(_, held)| held.as_ref());
        let value = |(value, _): &(V, S)| value.clone();
        if let Some(here) = self.steps.get(&at)
            && here.as_ref().map(value) == before.map(value)
        {
            self.steps.remove(&at);
        }
    }
}

/// What becomes of the pieces of a track, which have keys, when it becomes this timeline: the keys of those that end, and
/// the new ones. Who said it does not make a piece another one.
pub fn difference<K: Copy, V: Clone + PartialEq, S: Copy>(
    before: &[(K, Piece<V, S>)],
    after: &Timeline<V, S>,
) -> (Vec<K>, Vec<Piece<V, S>>) {
    let new: Vec<Piece<V, S>> = after.pieces().collect();
    let mut is_new = vec![true; new.len()];
    let mut ended = Vec::new();
    for (key, old) in before {
        let is_same = |new: &Piece<V, S>| {
            new.from == old.from && new.until == old.until && new.value == old.value
        };
        match new.binary_search_by_key(&old.from, |new| new.from) {
            Ok(place) if new.get(place).is_some_and(is_same) => {
                if let Some(is_new) = is_new.get_mut(place) {
                    *is_new = false;
                }
            }
            _ => ended.push(*key),
        }
    }
    let new = new.into_iter().zip(is_new);
    let new = new.filter_map(|(piece, is_new)| is_new.then_some(piece));
    (ended, new.collect())
}

/// That a source names a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saying {
    /// Its place in the order in which things were told.
    pub order: i64,
    /// The instant from which on it tells of the track.
    pub from: i64,
    /// Of corrections: the instant until which.
    pub until: Option<i64>,
    /// Does it take the place of all that was told before of the instants in between?
    pub is_correction: bool,
}

/// The instants at which these say something about a track, and are not corrected. `corrections` are those of the track.
pub fn instants(sayings: &[Saying], corrections: &[Saying]) -> BTreeSet<i64> {
    let is_corrected = |at: i64, order: i64| {
        corrections
            .iter()
            .any(|by| by.order > order && by.from <= at && by.until.is_none_or(|until| at < until))
    };
    let of = |saying: &Saying| {
        let end = saying.until.filter(|_| saying.is_correction);
        let order = saying.order;
        [Some(saying.from), end]
            .into_iter()
            .flatten()
            .filter(move |at| !is_corrected(*at, order))
            .collect::<Vec<_>>()
    };
    sayings.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
