//! What is told of runs, as far as it is something to do for who moves them.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::sleep;

use crate::events::{Event, Feed, Filter, Follower, Topic};
use crate::flows::changes::ChangeKind;

/// How long to wait before the log is listened to again.
const RETRY: Duration = Duration::from_secs(1);
/// How many events are heard together.
const MOST: usize = 1_000;

/// What there is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// A run may have its turn: there is one more, or room for one more.
    pub is_room: bool,
    /// These are to end.
    pub canceling: Vec<i64>,
}

/// Listens to what is told of runs.
#[derive(Default)]
pub(super) struct News(Option<Follower>);

impl News {
    /// Listens from now on, if it does not already. True: it has just begun to, so nobody knows what was told before.
    pub async fn listen(&mut self, feed: &Feed) -> bool {
        if self.0.is_some() {
            return false;
        }
        let filter = Filter::topic(Topic::Flow);
        self.0 = feed.listen(filter).await.ok();
        self.0.is_some()
    }

    /// Waits for something that there is to do, or until the log is lost. Can be given up at any await without losing anything.
    pub async fn heard(&mut self) -> Heard {
        let Some(follower) = &mut self.0 else {
            sleep(RETRY).await;
            return Heard::default();
        };
        loop {
            let mut heard = Heard::default();
            if let Ok(event) = follower.next().await {
                heard.add(&event);
            } else {
                self.0 = None;
                return heard;
            }
            // Many are often told together.
            for _ in 0..MOST {
                match follower.next().now_or_never() {
                    Some(Ok(event)) => heard.add(&event),
                    Some(Err(_)) => {
                        self.0 = None;
                        return heard;
                    }
                    None => break,
                }
            }
            if heard != Heard::default() {
                return heard;
            }
        }
    }
}

impl Heard {
    fn add(&mut self, event: &Event) {
        match ChangeKind::from_name(&event.kind) {
            Some(ChangeKind::Created | ChangeKind::Ended) => self.is_room = true,
            Some(ChangeKind::Canceling) => self.canceling.extend(event.subject.parse::<i64>()),
            Some(
                ChangeKind::Started
                | ChangeKind::TakenOver
                | ChangeKind::Step
                | ChangeKind::Deleted,
            )
            | None => {}
        }
    }
}
