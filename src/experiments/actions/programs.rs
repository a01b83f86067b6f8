//! The programs that this process looks after, and whether there is a place for more.

use std::collections::HashMap;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::ActionKind;

/// How many commands are under way at once, beside runs of experiments; and how many that stop one, beside these, so that
/// it can be stopped however busy the house is.
const MOST: usize = 8;

/// A program that is looked after.
pub(super) struct Watched {
    pub action: i64,
    pub kind: Option<ActionKind>,
    pub cancel: CancellationToken,
}

/// All programs that this process looks after.
#[derive(Default)]
pub(super) struct Programs {
    tasks: JoinSet<()>,
    watched: HashMap<tokio::task::Id, Watched>,
}

impl Programs {
    pub fn of(&self, action: i64) -> Option<&Watched> {
        let mut watched = self.watched.values();
        watched.find(|watched| watched.action == action)
    }

    /// Is there a place for one more of this kind?
    pub fn have_place_for(&self, kind: Option<ActionKind>) -> bool {
        if kind == Some(ActionKind::Run) {
            return true;
        }
        let stops = |kind| kind == Some(ActionKind::Stop);
        let taken = self
            .watched
            .values()
            .filter(|one| one.kind != Some(ActionKind::Run) && stops(one.kind) == stops(kind));
        taken.count() < MOST
    }

    /// Waits for one to end, for ever if there is none.
    pub async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => {
                self.watched.remove(&id);
            }
            Some(Err(error)) => {
                self.watched.remove(&error.id());
                tracing::error!(%error, "looking after an action failed");
            }
            None => std::future::pending().await,
        }
    }

    /// Looks after one more.
    pub fn add(&mut self, watched: Watched, following: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(following);
        self.watched.insert(task.id(), watched);
    }

    /// Waits until none is looked after any more.
    pub async fn all_left(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
