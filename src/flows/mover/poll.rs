//! One that asks after all steps of an executor at once, and tells those who wait for them: Slurm is asked once, however many
//! there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Executor, Standing, Ticket};

/// The least time between two questions to an executor that is asked seldom, as a part of its pace: each submission to it is
/// news, too.
const SELDOM: Duration = Duration::from_secs(1);
const PART: u32 = 20;

/// An executor, and who waits for its steps.
#[derive(Debug)]
pub(super) struct Poller {
    pub executor: Arc<dyn Executor>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    number: AtomicU64,
    /// Somebody wants to know at once.
    hurry: Notify,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    standing: watch::Sender<Option<Standing>>,
}

/// Somebody who waits for a step, until this is dropped.
#[derive(Debug)]
pub(super) struct Watched {
    poller: Arc<Poller>,
    number: u64,
    /// How it stood when it was last asked after.
    pub standing: watch::Receiver<Option<Standing>>,
}

impl Poller {
    /// Asks until `stop` is cancelled.
    pub fn start(
        executor: Arc<dyn Executor>,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        let poller = Arc::new(Self {
            executor,
            waiting: Mutex::default(),
            number: AtomicU64::default(),
            hurry: Notify::new(),
        });
        let this = Arc::clone(&poller);
        tasks.spawn(async move {
            stop.run_until_cancelled(this.ask_on_and_on()).await;
        });
        poller
    }

    /// Waits for a step that was submitted. (Before, its folder may not be there, and it would be taken for lost.) `seen` is the
    /// count of [`Executor::changes`] before that: if there were any since, it may have ended already.
    pub fn watch(self: &Arc<Self>, ticket: &Ticket, seen: u64) -> Watched {
        let (sender, standing) = watch::channel(None);
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting {
            ticket: ticket.clone(),
            standing: sender,
        };
        let is_first = {
            let mut all = self.lock();
            all.insert(number, waiting);
            all.len() == 1
        };
        if is_first || *self.executor.changes().borrow() != seen {
            self.hurry.notify_one();
        }
        Watched {
            poller: Arc::clone(self),
            number,
            standing,
        }
    }

    /// Has all steps be asked after at once.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask_on_and_on(&self) {
        let pace = self.executor.pace();
        let pause = if pace >= SELDOM {
            pace / PART
        } else {
            Duration::ZERO
        };
        let mut changes = self.executor.changes();
        loop {
            // What changes while it asks is asked for again.
            changes.borrow_and_update();
            if !self.ask().await {
                self.hurry.notified().await;
                continue;
            }
            sleep(pause).await;
            tokio::select! {
                // Its sender is the executor's, which this one has.
                _ = changes.changed() => {}
                () = self.hurry.notified() => {}
                () = sleep(pace) => {}
            }
        }
    }

    /// Asks after all, and tells who waits. False: nobody does.
    async fn ask(&self) -> bool {
        let (numbers, tickets): (Vec<u64>, Vec<Ticket>) = {
            let all = self.lock();
            let all = all.iter();
            all.map(|(number, waiting)| (*number, waiting.ticket.clone()))
                .unzip()
        };
        if tickets.is_empty() {
            return false;
        }
        let standings = self.executor.poll(&tickets).await;
        let all = self.lock();
        for (number, standing) in numbers.iter().zip(standings) {
            let Some(waiting) = all.get(number) else {
                continue;
            };
            if let Standing::Unknown(reason) = &standing {
                tracing::debug!(
                    step = waiting.ticket.id,
                    reason,
                    "a step cannot be asked after"
                );
            }
            waiting.standing.send_if_modified(|known| {
                let is_news = known.as_ref() != Some(&standing);
                *known = Some(standing);
                is_news
            });
        }
        true
    }
}

impl Watched {
    /// Has it be asked after at once.
    pub fn hurry(&self) {
        self.poller.hurry();
    }

    /// What became of it since it was last asked for; waits for that.
    pub async fn news(&mut self) -> Standing {
        loop {
            // Its sender is dropped with this only.
            if self.standing.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(standing) = self.standing.borrow_and_update().clone() {
                return standing;
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.poller.lock().remove(&self.number);
    }
}
