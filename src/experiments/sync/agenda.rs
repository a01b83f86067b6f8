//! What the next pass has to look at, and when it is time for one.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The owner of the central files, among owners that are experiments.
pub const CENTRE: &str = "";
/// A pass begins when nothing has been written for so long,
const QUIET: Duration = Duration::from_millis(200);
/// or so long after the first notification.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait with a source that could not be read just now.
const RETRY: Duration = Duration::from_secs(10);
/// From so many on, everything is looked at.
const MOST_OWNERS: usize = 5000;

/// What is to be looked at.
#[derive(Debug, Default)]
pub struct Dirty {
    /// Notifications were lost, or a pass did not come to its end: everything.
    pub all: bool,
    /// Experiments by expid, and [`CENTRE`].
    pub owners: HashSet<String>,
}

/// What has been noted since the last pass began.
#[derive(Debug, Default)]
pub struct Agenda {
    marks: Mutex<Marks>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Marks {
    dirty: Dirty,
    first: Option<Instant>,
    last: Option<Instant>,
    /// To be looked at again, though nothing may tell of it.
    retry: HashSet<String>,
    retry_at: Option<Instant>,
    /// When a running experiment falls silent.
    deadline: Option<DateTime<Utc>>,
}

/// What a panic of another thread has left is as good as before: each change is one step.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Marks {
    /// When a pass is due.
    fn due(&self) -> Option<Instant> {
        let quiet = self.last.map(|last| last + QUIET);
        let patience = self.first.map(|first| first + PATIENCE);
        let deadline = self.deadline.map(|deadline| {
            let wait = deadline - Utc::now();
            Instant::now() + wait.to_std().unwrap_or_default()
        });
        let settled = quiet.into_iter().chain(patience).min();
        [settled, self.retry_at, deadline]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Agenda {
    /// Returns when it is time for a pass.
    pub async fn wake(&self) {
        loop {
            let more = self.wake.notified();
            let Some(due) = lock(&self.marks).due() else {
                more.await;
                continue;
            };
            if due <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = more => {}
            }
        }
    }

    /// Takes what is to be looked at. What comes from here on is for the next pass.
    pub fn take(&self) -> Taken<'_> {
        let mut marks = lock(&self.marks);
        let mut dirty = std::mem::take(&mut marks.dirty);
        (marks.first, marks.last) = (None, None);
        if marks.retry_at.is_some_and(|at| at <= Instant::now()) {
            marks.retry_at = None;
            dirty.owners.extend(std::mem::take(&mut marks.retry));
        }
        Taken {
            agenda: self,
            dirty,
            done: false,
        }
    }

    /// Something of these owners may have changed.
    pub fn add(&self, owners: HashSet<String>) {
        self.mark(|dirty| dirty.owners.extend(owners));
    }

    /// Anything may have changed.
    pub fn add_all(&self) {
        self.mark(|dirty| dirty.all = true);
    }

    /// Has an owner looked at again in a while.
    pub fn retry(&self, owner: &str) {
        let mut marks = lock(&self.marks);
        marks.retry.insert(owner.to_owned());
        marks.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
        drop(marks);
        self.wake.notify_one();
    }

    /// When something is due although nothing changes.
    pub fn set_deadline(&self, deadline: Option<DateTime<Utc>>) {
        lock(&self.marks).deadline = deadline;
        self.wake.notify_one();
    }

    fn mark(&self, mark: impl FnOnce(&mut Dirty)) {
        let mut marks = lock(&self.marks);
        mark(&mut marks.dirty);
        if marks.dirty.owners.len() > MOST_OWNERS {
            marks.dirty.owners.clear();
            marks.dirty.all = true;
        }
        let now = Instant::now();
        marks.first.get_or_insert(now);
        marks.last = Some(now);
        drop(marks);
        self.wake.notify_one();
    }
}

/// What a pass has taken. Unless the pass comes to its end, everything is to be looked at next.
pub struct Taken<'a> {
    agenda: &'a Agenda,
    /// What it is.
    pub dirty: Dirty,
    done: bool,
}

impl Taken<'_> {
    /// The pass has come to its end.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut marks = lock(&self.agenda.marks);
            marks.dirty.all = true;
            marks.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
            // It may have passed; the next look finds it again.
            marks.deadline = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_pass_and_an_endless_one_several() {
        let first = Instant::now();
        let due = |last: Duration| {
            let marks = Marks {
                first: Some(first),
                last: Some(first + last),
                ..Marks::default()
            };
            marks.due().unwrap() - first
        };
        assert_eq!(due(Duration::ZERO), QUIET);
        assert_eq!(due(QUIET), QUIET * 2);
        assert_eq!(due(PATIENCE * 7), PATIENCE);
        assert_eq!(Marks::default().due(), None);
    }

    #[tokio::test]
    async fn what_is_noted_during_a_pass_is_for_the_next_one() {
        let agenda = Agenda::default();
        agenda.add(HashSet::from(["a000".to_owned()]));
        let taken = agenda.take();
        assert_eq!(taken.dirty.owners.len(), 1);
        agenda.add(HashSet::from(["a001".to_owned()]));
        taken.done();
        agenda.wake().await;
        let taken = agenda.take();
        assert_eq!(taken.dirty.owners, HashSet::from(["a001".to_owned()]));
        taken.done();
        assert_eq!(lock(&agenda.marks).due(), None);
    }

    #[test]
    fn a_pass_that_breaks_off_has_everything_looked_at() {
        let agenda = Agenda::default();
        agenda.add(HashSet::from(["a000".to_owned()]));
        drop(agenda.take());
        assert!(lock(&agenda.marks).due().is_some());
        let taken = agenda.take();
        assert!(taken.dirty.all);
        taken.done();
        assert!(!agenda.take().dirty.all);
    }
}
