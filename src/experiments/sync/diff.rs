//! What must change for the rows that are there to become the rows that should be.

use std::collections::HashMap;
use std::hash::Hash;

/// Rows to write, and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes<M> {
    /// New rows, their ids still to be given.
    pub insert: Vec<M>,
    /// Rows that differ, with the ids of those that they replace.
    pub update: Vec<Update<M>>,
    /// Rows that are no longer wanted, by their ids.
    pub delete: Vec<(i64, M)>,
}

/// A row and the one that takes its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Update<M> {
    pub before: M,
    pub after: M,
}

/// Compares by key. Of several wanted rows with one key the last counts.
pub fn diff<M: PartialEq, K: Hash + Eq>(
    existing: Vec<M>,
    wanted: Vec<M>,
    key: impl Fn(&M) -> K,
    id: impl Fn(&mut M) -> &mut i64,
) -> Changes<M> {
    let mut rest: HashMap<K, M> = existing.into_iter().map(|row| (key(&row), row)).collect();
    let mut latest: HashMap<K, usize> = HashMap::with_capacity(wanted.len());
    for (index, row) in wanted.iter().enumerate() {
        latest.insert(key(row), index);
    }
    let mut changes = Changes {
        insert: Vec::new(),
        update: Vec::new(),
        delete: Vec::new(),
    };
    for (index, mut row) in wanted.into_iter().enumerate() {
        let key = key(&row);
        if latest.get(&key) != Some(&index) {
            continue;
        }
        match rest.remove(&key) {
            None => changes.insert.push(row),
            Some(mut old) => {
                *id(&mut row) = *id(&mut old);
                if row != old {
                    changes.update.push(Update {
                        before: old,
                        after: row,
                    });
                }
            }
        }
    }
    let gone = rest.into_values().map(|mut row| (*id(&mut row), row));
    changes.delete = gone.collect();
    changes.delete.sort_unstable_by_key(|(id, _)| *id);
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Row(i64, &'static str, i32);

    #[test]
    fn only_differences_remain() {
        let existing = vec![Row(1, "a", 1), Row(2, "b", 2), Row(3, "c", 3)];
        let wanted = vec![
            Row(0, "d", 9),
            Row(0, "b", 5),
            Row(0, "a", 1),
            Row(0, "d", 4),
        ];
        let changes = diff(existing, wanted, |row| row.1, |row| &mut row.0);
        assert_eq!(
            changes,
            Changes {
                insert: vec![Row(0, "d", 4)],
                update: vec![Update {
                    before: Row(2, "b", 2),
                    after: Row(2, "b", 5),
                }],
                delete: vec![(3, Row(3, "c", 3))],
            }
        );
    }
}
