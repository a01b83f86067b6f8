//! How many runs may leave the queue: by executor, by user and by workflow.

use std::collections::{HashMap, HashSet};

use crate::flows::settings::{ExecutorName, QueueSettings};

/// A run in the queue, as far as it matters here. Who has no account counts as user 0, and has no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub run: i64,
    pub executor: ExecutorName,
    pub user: i64,
    pub workflow: i64,
}

/// How many runs are under way at once, and how many may be. A limit of 0 is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    /// How many more may begin on each executor that this process has.
    pub free: HashMap<ExecutorName, usize>,
    /// Of each user.
    pub per_user: u64,
    /// Of each workflow that says nothing else.
    pub per_workflow: u64,
    /// Of these workflows: of all users, and of each one.
    pub of_workflows: HashMap<i64, (Option<u64>, Option<u64>)>,
    users: HashMap<i64, u64>,
    workflows: HashMap<i64, u64>,
    pairs: HashMap<(i64, i64), u64>,
}

/// Whose runs have no room just now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Full {
    pub users: Vec<i64>,
    pub workflows: Vec<i64>,
    /// Users in workflows.
    pub pairs: Vec<(i64, i64)>,
}

impl Room {
    pub fn new(free: HashMap<ExecutorName, usize>, settings: &QueueSettings) -> Self {
        Self {
            free,
            per_user: settings.running_per_user.into(),
            per_workflow: settings.running_per_workflow.into(),
            ..Self::default()
        }
    }

    /// So many runs of this user in this workflow are under way.
    pub fn count(&mut self, user: i64, workflow: i64, runs: u64) {
        *self.users.entry(user).or_default() += runs;
        *self.workflows.entry(workflow).or_default() += runs;
        *self.pairs.entry((user, workflow)).or_default() += runs;
    }

    /// How many may begin at most.
    pub fn free(&self) -> usize {
        self.free.values().sum()
    }

    /// The executors on which some may.
    pub fn executors(&self) -> Vec<ExecutorName> {
        let mut names = ExecutorName::ALL.to_vec();
        names.retain(|name| self.free_on(*name) > 0);
        names
    }

    fn free_on(&self, executor: ExecutorName) -> usize {
        self.free.get(&executor).copied().unwrap_or(0)
    }

    /// Lets a run begin, if there is room for it.
    pub fn take(&mut self, candidate: Candidate) -> bool {
        let Candidate { user, workflow, .. } = candidate;
        if self.free_on(candidate.executor) == 0
            || self.is_full_for_user(user)
            || self.is_full_for_workflow(workflow)
            || self.is_full_for_pair(user, workflow)
        {
            return false;
        }
        self.free
            .entry(candidate.executor)
            .and_modify(|free| *free -= 1);
        self.count(user, workflow, 1);
        true
    }

    /// Whose runs need not be looked at.
    pub fn full(&self) -> Full {
        fn sorted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
            let mut all: Vec<T> = all.collect();
            all.sort_unstable();
            all
        }
        let users = self.users.keys().copied();
        let workflows = self.workflows.keys().copied();
        let pairs = self.pairs.keys().copied();
        let users = sorted(users.filter(|user| self.is_full_for_user(*user)));
        let workflows = sorted(workflows.filter(|it| self.is_full_for_workflow(*it)));
        let known: (HashSet<&i64>, HashSet<&i64>) =
            (users.iter().collect(), workflows.iter().collect());
        let pairs = sorted(pairs.filter(|(user, workflow)| {
            !known.0.contains(user)
                && !known.1.contains(workflow)
                && self.is_full_for_pair(*user, *workflow)
        }));
        Full {
            users,
            workflows,
            pairs,
        }
    }

    fn is_full_for_user(&self, user: i64) -> bool {
        user != 0 && is_full(self.users.get(&user), self.per_user)
    }

    fn is_full_for_workflow(&self, workflow: i64) -> bool {
        let own = self.of_workflows.get(&workflow).and_then(|it| it.0);
        is_full(
            self.workflows.get(&workflow),
            own.unwrap_or(self.per_workflow),
        )
    }

    fn is_full_for_pair(&self, user: i64, workflow: i64) -> bool {
        let most = self.of_workflows.get(&workflow).and_then(|it| it.1);
        user != 0 && is_full(self.pairs.get(&(user, workflow)), most.unwrap_or(0))
    }
}

fn is_full(count: Option<&u64>, most: u64) -> bool {
    most > 0 && count.is_some_and(|count| *count >= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(run: i64, user: i64, workflow: i64) -> Candidate {
        Candidate {
            run,
            executor: ExecutorName::Local,
            user,
            workflow,
        }
    }

    fn room(free: usize) -> Room {
        let free = HashMap::from([(ExecutorName::Local, free)]);
        Room::new(free, &QueueSettings::default())
    }

    #[test]
    fn places_of_executors_are_counted() {
        let mut room = room(2);
        assert_eq!(room.executors(), [ExecutorName::Local]);
        let slurm = Candidate {
            executor: ExecutorName::Slurm,
            ..candidate(1, 1, 1)
        };
        assert!(!room.take(slurm));
        assert!(room.take(candidate(2, 1, 1)));
        assert!(room.take(candidate(3, 1, 1)));
        assert!(!room.take(candidate(4, 1, 1)));
        assert_eq!(
            (room.free(), room.executors(), room.full()),
            (0, vec![], Full::default())
        );
    }

    #[test]
    fn who_has_no_room_keeps_nobody_waiting() {
        let mut room = room(10);
        room.per_user = 2;
        room.per_workflow = 3;
        room.of_workflows.insert(7, (Some(0), Some(1)));
        room.count(1, 1, 2);
        assert!(!room.take(candidate(1, 1, 2)));
        assert!(room.take(candidate(2, 2, 1)));
        assert!(!room.take(candidate(3, 3, 1)));
        assert!(room.take(candidate(4, 4, 7)));
        assert!(!room.take(candidate(5, 4, 7)));
        assert!(room.take(candidate(6, 5, 7)));
        // What nobody started has no user's limit.
        for run in 7..10 {
            assert!(room.take(candidate(run, 0, 7)));
        }
        let full = room.full();
        assert_eq!((full.users, full.workflows), (vec![1], vec![1]));
        assert_eq!(full.pairs, [(4, 7), (5, 7)]);
    }
}
