//! The newest events, kept in memory for those who follow closely.

use std::collections::VecDeque;
use std::sync::Arc;

use super::log::{Event, Filter};

/// So many events are kept at most,
const MOST_EVENTS: usize = 10_000;
/// which take so many bytes at most.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The newest events: consecutive positions.
#[derive(Debug, Default)]
pub struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

impl Ring {
    /// Adds the next event. One that does not follow the last begins the ring anew.
    pub fn push(&mut self, event: Event) {
        let follows = |last: &Arc<Event>| last.position + 1 == event.position;
        if !self.events.back().is_none_or(follows) {
            self.clear();
        }
        self.bytes += event.size();
        self.events.push_back(Arc::new(event));
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next `limit` events behind `after`, up to `until`, that pass the filter, and the position up to which the
    /// ring was searched; none if the ring does not reach back so far.
    pub fn page(
        &self,
        filter: &Filter,
        after: i64,
        until: i64,
        limit: usize,
    ) -> Option<(Vec<Arc<Event>>, i64)> {
        let first = self.events.front()?.position;
        let skip = usize::try_from(after.checked_add(1)? - first).ok()?;
        let mut found = Vec::new();
        let mut searched = after;
        for event in self.events.range(skip.min(self.events.len())..) {
            if event.position > until || found.len() == limit {
                break;
            }
            searched = event.position;
            if filter.admits(event) {
                found.push(Arc::clone(event));
            }
        }
        Some((found, searched))
    }

    /// When the event of this position was recorded, if it is here.
    pub fn recorded_at(&self, position: i64) -> Option<i64> {
        let first = self.events.front()?.position;
        let index = usize::try_from(position.checked_sub(first)?).ok()?;
        self.events.get(index).map(|event| event.recorded_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Topic;

    fn event(position: i64, size: usize) -> Event {
        Event {
            position,
            recorded_at: position * 10,
            topic: Some(Topic::Job),
            subject: if position % 2 == 0 { "even" } else { "odd" }.to_owned(),
            kind: "changed".to_owned(),
            payload: " ".repeat(size),
            actor: None,
        }
    }

    fn positions(page: Option<(Vec<Arc<Event>>, i64)>) -> Option<(Vec<i64>, i64)> {
        page.map(|(events, searched)| (events.iter().map(|e| e.position).collect(), searched))
    }

    #[test]
    fn pages_are_filtered_and_bounded() {
        let mut ring = Ring::default();
        for position in 5..=12 {
            ring.push(event(position, 1));
        }
        let all = Filter::topic(Topic::Job);
        let odd = all.clone().about(Some("odd".to_owned()));
        assert_eq!(positions(ring.page(&all, 3, 12, 9)), None);
        assert_eq!(positions(ring.page(&all, 4, 6, 9)), Some((vec![5, 6], 6)));
        assert_eq!(
            positions(ring.page(&odd, 5, 11, 9)),
            Some((vec![7, 9, 11], 11))
        );
        assert_eq!(positions(ring.page(&odd, 5, 12, 2)), Some((vec![7, 9], 9)));
        assert_eq!(positions(ring.page(&all, 12, 12, 9)), Some((vec![], 12)));
        assert_eq!(ring.recorded_at(7), Some(70));
        assert_eq!(ring.recorded_at(13), None);
    }

    #[test]
    fn memory_is_bounded_and_gaps_begin_anew() {
        let mut ring = Ring::default();
        for position in 1..=40 {
            ring.push(event(position, MOST_BYTES / 16));
        }
        assert!(ring.bytes <= MOST_BYTES && ring.events.len() < 16);
        ring.push(event(50, 1));
        assert_eq!(ring.events.len(), 1);
    }
}
