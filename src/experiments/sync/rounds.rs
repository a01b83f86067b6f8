//! Everything is read again now and then, although nothing seems to have changed: a change that left no trace that is
//! looked at is found then.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

/// How long a round takes. Each owner has its own moment in it, so that they do not come all at once.
const ROUND: Duration = Duration::from_hours(6);

/// When each owner is to be read again.
#[derive(Debug, Default)]
pub struct Rounds(HashMap<String, Instant>);

impl Rounds {
    /// Whether an owner is to be read whatever its state; once a round. The first round begins when it is first asked
    /// for.
    pub fn is_due(&mut self, owner: &str, now: Instant) -> bool {
        let due = self.0.entry(owner.to_owned());
        let due = due.or_insert_with(|| now + moment(owner));
        if now < *due {
            return false;
        }
        *due = now + ROUND;
        true
    }
}

/// The moment of an owner in a round, but not its first one.
fn moment(owner: &str) -> Duration {
    let mut hash = DefaultHasher::new();
    owner.hash(&mut hash);
    Duration::from_secs(1 + hash.finish() % ROUND.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_a_round_and_not_all_at_once() {
        let (mut rounds, start) = (Rounds::default(), Instant::now());
        let owners: Vec<String> = (0..100).map(|number| format!("a{number:03}")).collect();
        let mut due_at = |after: Duration| {
            let owners = owners.iter();
            owners
                .filter(|owner| rounds.is_due(owner, start + after))
                .count()
        };
        assert_eq!(due_at(Duration::ZERO), 0);
        let half = due_at(ROUND / 2);
        assert!((25..75).contains(&half), "{half}");
        assert_eq!(due_at(ROUND), 100 - half);
        assert_eq!(due_at(ROUND), 0);
        assert_eq!(due_at(ROUND + ROUND / 2), half);
    }
}
