//! The loop: a task for each worker that this process has. It stands by until it gets the lease, and then runs the work
//! for as long as it holds it.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::lease::{self, Holder};
use super::schedule::due_at;
use super::store::{self, Seen, Step, Tale};
use super::turn::{self, Ending};
use super::work::{Cause, Run, Work};
use crate::database::Database;
use crate::entity::worker::Model;
use crate::events::Feed;
use crate::failure::Failure;

/// How often a row is looked at, at least: for what an administrator asks of its holder, and for a lease that was given
/// back.
const LOOK: Duration = Duration::from_secs(1);
/// A run that takes longer is told when it has taken so long.
const LONG_RUN: Duration = Duration::from_secs(1);
/// How long a run that was told to stop may take to do so.
const GRACE: Duration = Duration::from_secs(2);

/// The background work of this process.
#[derive(Clone, Debug)]
pub struct Workers {
    database: Database,
    feed: Feed,
    lease: Duration,
    holder: Holder,
    stop: CancellationToken,
}

impl Workers {
    /// Workers over this database that end when `stop` is cancelled. A process that says nothing for as long as `lease`
    /// loses its workers to others.
    pub fn new(database: Database, feed: Feed, lease: Duration, stop: CancellationToken) -> Self {
        Self {
            database,
            feed,
            lease,
            holder: Holder::new(),
            stop,
        }
    }

    /// Does this work whenever no other process does, until told to end.
    pub fn start(&self, tasks: &TaskTracker, work: Arc<dyn Work>) {
        let workers = self.clone();
        tasks.spawn(async move { workers.stand_by(work).await });
    }

    async fn stand_by(&self, work: Arc<dyn Work>) {
        let mut look = ticks(self.look_every());
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = look.tick() => {}
            }
            let renewed = Instant::now();
            match self.take(work.as_ref()).await {
                Ok(Some(seen)) => {
                    let mut held = Held {
                        workers: self,
                        work: &work,
                        look: ticks(self.look_every()),
                        seen,
                        renewed,
                    };
                    held.follow().await;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(worker = work.name(), %error, "a worker could not be looked at");
                }
            }
        }
    }

    /// Three looks fit into a lease.
    fn look_every(&self) -> Duration {
        LOOK.min(self.lease / 3)
    }

    /// How long work may take to give way, within a lease.
    fn grace(&self) -> Duration {
        GRACE.min(self.lease / 4)
    }

    /// Takes the lease, if nobody has it.
    async fn take(&self, work: &dyn Work) -> Result<Option<Seen>, Failure> {
        match store::read(&self.database, work.name()).await? {
            Some(seen) if lease::is_live(&seen.row, seen.now) => return Ok(None),
            Some(_) => {}
            None => store::register(&self.database, work, self.lease).await?,
        }
        let take = |row: &mut Model, now| {
            Ok(if lease::take(row, &self.holder, work, self.lease, now) {
                Step::Quiet
            } else {
                Step::Keep
            })
        };
        let seen = store::change(&self.database, &self.feed, work.name(), take).await?;
        Ok(seen.filter(|seen| lease::is_held_by(&seen.row, &self.holder)))
    }
}

/// A worker whose lease this process has, or believes to have.
struct Held<'a> {
    workers: &'a Workers,
    work: &'a Arc<dyn Work>,
    look: Interval,
    /// The row when it was last looked at.
    seen: Seen,
    /// When the last renewal that succeeded began.
    renewed: Instant,
}

/// Waits until there is something to do before it is due, in a task of its own: what that needs for a moment, such as a connection,
/// it would keep from others, and from us, while we do something else.
fn waking(work: &Arc<dyn Work>) -> AbortOnDropHandle<()> {
    let work = Arc::clone(work);
    AbortOnDropHandle::new(tokio::spawn(async move { work.wake().await }))
}

impl Held<'_> {
    /// Runs the work whenever it is time, until the lease is lost or the process ends.
    async fn follow(&mut self) {
        let (stop, work) = (self.workers.stop.clone(), Arc::clone(self.work));
        tracing::debug!(worker = work.name(), "holds a worker");
        let mut wake = waking(&work);
        loop {
            let row = &self.seen.row;
            let waits = row.paused_at.is_none();
            let heeds = waits && row.failures == 0;
            let cause = tokio::select! {
                biased;
                () = stop.cancelled() => return self.release().await,
                () = sleep(self.until_due()), if waits => Cause::Due,
                woken = &mut wake, if heeds => {
                    if let Err(error) = woken {
                        tracing::error!(worker = work.name(), %error, "what wakes a worker failed");
                        // Not again before it is due.
                        wake = AbortOnDropHandle::new(tokio::spawn(pending()));
                        continue;
                    }
                    Cause::Woken
                }
                _ = self.look.tick() => {
                    if self.look().await {
                        continue;
                    }
                    return;
                }
            };
            // What it has heard by now, this run sees to; what comes meanwhile, it hears afterwards.
            if cause != Cause::Woken {
                wake.abort();
                let _ = wake.await;
            }
            if !self.run(cause).await {
                return;
            }
            wake = waking(&work);
        }
    }

    /// How long until the next run.
    fn until_due(&self) -> Duration {
        if self.seen.row.requested_at.is_some() {
            return Duration::ZERO;
        }
        let left = due_at(&self.seen.row, self.seen.now).saturating_sub(self.seen.now);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        left.saturating_sub(self.seen.at.elapsed())
    }

    /// Runs the work once. False: the lease is lost.
    async fn run(&mut self, cause: Cause) -> bool {
        let mut requested = false;
        let begin = |row: &mut Model, now| {
            requested = row.requested_at.is_some();
            (turn::begin(row, now) && requested).then(|| Tale::of("running"))
        };
        match self.change(begin).await {
            Ok(true) if self.seen.row.started_at.is_some() => {}
            Ok(held) => return held,
            Err(error) => {
                tracing::warn!(worker = self.work.name(), %error, "a run could not begin");
                self.look.tick().await;
                return self.look().await;
            }
        }
        let cause = if requested { Cause::Requested } else { cause };
        match self.watch(cause, requested).await {
            Some((ending, told)) => self.finish(&ending, cause, told).await,
            None => false,
        }
    }

    /// Does the work and keeps the lease meanwhile; says how it ended, and whether its beginning was told. None: the lease
    /// was lost under it.
    async fn watch(&mut self, cause: Cause, mut told: bool) -> Option<(Ending, bool)> {
        let name = self.work.name();
        let process = self.workers.stop.clone();
        let stop = process.child_token();
        // In a task of its own: work that is slow to give way must not keep the lease from being renewed.
        let (work, run) = (Arc::clone(self.work), stop.clone());
        let run = Run { cause, stop: run };
        let mut task = AbortOnDropHandle::new(tokio::spawn(async move { work.run(&run).await }));
        let long = sleep(LONG_RUN);
        tokio::pin!(long);
        loop {
            tokio::select! {
                biased;
                ended = &mut task => {
                    let ending = match ended {
                        Ok(Ok(outcome)) => Ending::Succeeded(outcome),
                        // What a run that is told to stop says of its end is no failure.
                        Ok(Err(_)) if process.is_cancelled() => Ending::Interrupted,
                        Ok(Err(failure)) => Ending::failed(name, failure),
                        Err(error) => Ending::panicked(name, &error),
                    };
                    return Some((ending, told));
                }
                () = process.cancelled() => {
                    let ending = match timeout(GRACE, &mut task).await {
                        Ok(Ok(Ok(outcome))) => Ending::Succeeded(outcome),
                        _ => Ending::Interrupted,
                    };
                    return Some((ending, told));
                }
                () = &mut long, if !told => {
                    match self.change(|_, _| Some(Tale::of("running"))).await {
                        // Whether the lease is lost, the next look sees.
                        Ok(_) => told = true,
                        Err(error) => {
                            tracing::warn!(worker = name, %error, "a run could not be told");
                            long.set(sleep(LONG_RUN));
                        }
                    }
                }
                _ = self.look.tick() => {
                    if !self.look().await {
                        stop.cancel();
                        let _ = timeout(self.workers.grace(), &mut task).await;
                        return None;
                    }
                }
            }
        }
    }

    /// Notes how the run ended, for as long as nobody else can have taken the worker. False: the lease is lost.
    async fn finish(&mut self, ending: &Ending, cause: Cause, told: bool) -> bool {
        let kind = self.seen.row.kind.clone();
        metrics::counter!(
            "labql_worker_runs_total",
            "kind" => kind,
            "outcome" => ending.outcome().as_str(),
        )
        .increment(1);
        let chance = rand::random();
        loop {
            let finish = |row: &mut Model, now| {
                turn::finish(row, ending, (cause, told), chance, now).map(Tale::of)
            };
            let finished = self.change(finish);
            match finished.await {
                Ok(held) => return held,
                Err(error) => {
                    tracing::warn!(worker = self.work.name(), %error, "the end of a run could not be stored");
                    if !self.believes() {
                        return false;
                    }
                    self.look.tick().await;
                }
            }
        }
    }

    /// Sees what became of the row, and renews the lease in time. False: it is lost.
    async fn look(&mut self) -> bool {
        let soon = self.renewed.elapsed() + self.workers.look_every();
        let looked = if soon > self.workers.lease / 3 {
            self.change(|_, _| None).await
        } else {
            self.read().await
        };
        let held = looked.unwrap_or_else(|error| {
            tracing::warn!(worker = self.work.name(), %error, "a worker could not be looked at");
            self.believes()
        });
        if !held {
            tracing::warn!(worker = self.work.name(), "lost a worker");
        }
        held
    }

    async fn read(&mut self) -> Result<bool, Failure> {
        let (database, name) = (self.workers.database.clone(), self.work.name());
        let seen = self.in_time(store::read(&database, name)).await?;
        Ok(self.keep(seen))
    }

    /// Changes the row, if it is still held by this process, and renews the lease with that. False: it is another's.
    async fn change(
        &mut self,
        decide: impl FnOnce(&mut Model, i64) -> Option<Tale> + Send,
    ) -> Result<bool, Failure> {
        let began = Instant::now();
        let workers = self.workers;
        let change = |row: &mut Model, now| {
            if !lease::is_held_by(row, &workers.holder) {
                return Ok(Step::Keep);
            }
            lease::renew(row, workers.lease, now);
            Ok(decide(row, now).map_or(Step::Quiet, Step::Tell))
        };
        let change = store::change(&workers.database, &workers.feed, self.work.name(), change);
        let seen = self.in_time(change).await?;
        let held = self.keep(seen);
        if held {
            self.renewed = began;
        }
        Ok(held)
    }

    /// Is the row still this process's?
    fn keep(&mut self, seen: Option<Seen>) -> bool {
        match seen {
            Some(seen) if lease::is_held_by(&seen.row, &self.workers.holder) => {
                self.seen = seen;
                true
            }
            _ => false,
        }
    }

    /// Gives up on the database when the lease is over, if others could have taken it by then.
    async fn in_time<T>(
        &self,
        question: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if !lease::may_be_taken_unseen(&self.workers.database) {
            return question.await;
        }
        let left = self.workers.lease.saturating_sub(self.renewed.elapsed());
        match timeout(left, question).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Unavailable("it took longer than the lease".into())),
        }
    }

    /// May this process still act as holder, although it cannot ask the database?
    fn believes(&self) -> bool {
        !lease::may_be_taken_unseen(&self.workers.database)
            || self.renewed.elapsed() + self.workers.grace() < self.workers.lease
    }

    /// Gives the lease back, so that another process need not wait until it ends.
    async fn release(&mut self) {
        let release = |row: &mut Model, _| {
            lease::release(row);
            None
        };
        if let Err(error) = self.change(release).await {
            tracing::warn!(worker = self.work.name(), %error, "a lease could not be given back");
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests;
