//! What has been asked for is begun, looked after, and brought to its end.
//!
//! A program is kept in a folder of this machine (see [`crate::engine`]). So an action belongs to the machine and the data
//! folder that began it, the **host** of its row; of the processes of labql there, one holds its lease and looks after it.
//! Others leave it alone, and one day take it for lost. That an action has begun is committed before its program is
//! started, so that no two processes, and no process twice, start it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sea_query::{Condition, Order};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clean::clean;
use super::programs::{Programs, Watched};
use super::request::Actions;
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind};
use super::watch::Watch;
use super::{Action, ActionKind, versions};
use crate::engine::{Host, Launch};
use crate::entity::action::{Column, Entity, Model};
use crate::events::{Feed, Filter, Follower, Topic};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::workers::{self, Holder};

/// How often is looked for what nobody told of.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait after something failed.
const RETRY: Duration = Duration::from_secs(1);
/// How many rows are looked at in one statement.
const PAGE: usize = 500;
/// How often what is not to be kept any longer is removed.
const CLEAN: Duration = Duration::from_hours(1);

/// What looks after the actions of this machine.
#[derive(Clone)]
pub(super) struct Keeper(pub Arc<Inner>);

pub(super) struct Inner {
    pub actions: Actions,
    holder: Holder,
    pub host: Host,
    lease: Duration,
    stop: CancellationToken,
}

/// Looks after the actions of this machine until `stop` is cancelled. A process that says nothing for as long as `lease`
/// loses them to another one here.
pub fn keep(actions: Actions, lease: Duration, stop: CancellationToken, tasks: &TaskTracker) {
    tasks.spawn(async move {
        let holder = Holder::new();
        let host = loop {
            let node = actions.config.node.as_deref();
            match Host::here(node, &holder.host, &actions.folder) {
                Ok(host) => break host,
                Err(error) => tracing::error!(%error, "actions cannot be kept in the data folder"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK) => {}
            }
        };
        let keeper = Keeper(Arc::new(Inner {
            actions,
            holder,
            host,
            lease,
            stop,
        }));
        keeper.follow().await;
    });
}

impl Keeper {
    async fn follow(self) {
        let mut programs = Programs::default();
        let mut news = None;
        let mut cleaned = None;
        loop {
            // Listens before it looks: nothing falls between.
            if news.is_none() {
                news = listen(&self.0.actions.feed).await;
            }
            if let Err(error) = self.look(&mut programs).await {
                tracing::warn!(%error, "actions could not be looked after");
            }
            if cleaned.is_none_or(|at: Instant| at.elapsed() > CLEAN) {
                cleaned = Some(Instant::now());
                self.clean().await;
            }
            tokio::select! {
                () = self.0.stop.cancelled() => break,
                heard = heard(&mut news) => if !heard { news = None; },
                () = programs.ended() => {}
                () = sleep(LOOK.min(self.0.lease / 3)) => {}
            }
        }
        // Each gives its lease back.
        programs.all_left().await;
    }

    /// Begins what was asked for, takes over what nobody looks after, and gives up what cannot be found any more.
    async fn look(&self, programs: &mut Programs) -> Result<(), Failure> {
        let mut after = 0;
        loop {
            let rows = self.page(after).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.id;
            let is_last = rows.len() < PAGE;
            let now = workers::now(self.0.actions.database.read()).await?;
            self.renew(&rows, now).await?;
            for row in rows {
                let id = row.id;
                if let Err(error) = self.look_at(&row, now, programs).await {
                    tracing::warn!(action = id, %error, "an action could not be looked after");
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What has not ended, after this one: as much of it as is needed to see whether there is something to do.
    async fn page(&self, after: i64) -> Result<Vec<Arc<Model>>, Failure> {
        let condition = Condition::all()
            .add(ActionState::is_open())
            .add(Column::Id.gt(after));
        let columns = Columns::of(&[
            Column::Id,
            Column::Kind,
            Column::Profile,
            Column::State,
            Column::RequestedAt,
            Column::BeganAt,
            Column::CancelRequestedAt,
            Column::Keeper,
            Column::Holder,
            Column::LeaseUntil,
        ]);
        let mut query = narrow::select::<Entity>(condition, columns);
        query.order_by(Column::Id, Order::Asc).limit(PAGE as u64);
        Ok(narrow::all(&self.0.actions.database, &query, columns).await?)
    }

    async fn look_at(&self, row: &Model, now: i64, programs: &mut Programs) -> Result<(), Failure> {
        if store::state(row)? == ActionState::Requested {
            return self.requested(row, now, programs).await;
        }
        if row.keeper.as_ref() == Some(&self.0.host.keeper) {
            return self.running(row, now, programs).await;
        }
        self.of_other(row, now).await
    }

    /// Renews the leases of what this process looks after, before they have run for a half.
    async fn renew(&self, rows: &[Arc<Model>], now: i64) -> Result<(), Failure> {
        let half = now.saturating_add(self.lease() / 2);
        let short =
            |row: &Arc<Model>| self.holds(row) && row.lease_until.is_none_or(|end| end < half);
        if !rows.iter().any(short) {
            return Ok(());
        }
        let transaction = self.0.actions.database.begin().await?;
        Entity::update_many()
            .col_expr(Column::LeaseUntil, now.saturating_add(self.lease()).into())
            .filter(Column::Holder.eq(self.0.holder.id.as_str()))
            .filter(Column::State.eq(ActionState::Running.as_str()))
            .exec(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// An action whose program is on this machine.
    async fn running(&self, row: &Model, now: i64, programs: &mut Programs) -> Result<(), Failure> {
        if let Some(watched) = programs.of(row.id) {
            if row.cancel_requested_at.is_some() {
                watched.cancel.cancel();
            }
            return Ok(());
        }
        if !self.may_take(row, now) {
            return Ok(());
        }
        let Some(mut open) = store::open(&self.0.actions.database, row.id).await? else {
            return Ok(());
        };
        let still = store::state(&open.row)? == ActionState::Running;
        if !still || !self.may_take(&open.row, open.now) {
            return Ok(());
        }
        let action =
            serde_json::from_str::<Action>(&open.row.arguments).map_err(Failure::internal)?;
        let now = open.now;
        self.take(&mut open.row, now);
        let row = open.save(&self.0.actions.feed, None).await?;
        tracing::info!(action = row.id, "took over an action that is under way");
        self.watch(row, action, None, programs);
        Ok(())
    }

    /// An action whose program is on another machine. Nobody but its processes can tell what becomes of it; when none of
    /// them has been heard of for too long, nobody ever will.
    async fn of_other(&self, row: &Model, now: i64) -> Result<(), Failure> {
        let actions = &self.0.actions;
        let after = millis(actions.config.keeping.host_lost_after);
        let is_lost = |row: &Model, now: i64| heard_at(row).saturating_add(after) < now;
        if !is_lost(row, now) {
            return Ok(());
        }
        let Some(mut open) = store::open(&actions.database, row.id).await? else {
            return Ok(());
        };
        let still = store::state(&open.row)? == ActionState::Running;
        if !still || !is_lost(&open.row, open.now) {
            return Ok(());
        }
        let host = open.row.host.as_deref().unwrap_or("an unknown machine");
        let message =
            format!("{host}, which keeps its program, has not been heard of for too long");
        tracing::warn!(action = row.id, message, "an action was lost");
        let now = open.now;
        let (state, reason) = (ActionState::Lost, EndReason::HostGone);
        store::end(&mut open.row, state, reason, Some(message), now);
        open.tell(&actions.feed, ActionChangeKind::Ended).await?;
        Ok(())
    }

    /// Removes what is not kept any longer.
    async fn clean(&self) {
        let actions = &self.0.actions;
        if let Err(error) = clean(actions).await {
            tracing::warn!(%error, "old actions could not be removed");
        }
        if let Err(error) = versions::clean(&actions.folder).await {
            tracing::warn!(%error, "old questions could not be removed");
        }
    }

    pub(super) fn watch(
        &self,
        row: Model,
        action: Action,
        launch: Option<Launch>,
        programs: &mut Programs,
    ) {
        let cancel = CancellationToken::new();
        if row.cancel_requested_at.is_some() {
            cancel.cancel();
        }
        let watched = Watched {
            action: row.id,
            kind: ActionKind::from_name(&row.kind),
            cancel: cancel.clone(),
        };
        let watch = Watch {
            actions: self.0.actions.clone(),
            holder: self.0.holder.id.clone(),
            folder: folder_of(&self.0.actions.folder, &row),
            row,
            action,
            cancel,
            stop: self.0.stop.clone(),
            overdue: false,
        };
        match launch {
            Some(launch) => programs.add(watched, watch.begin(launch)),
            None => programs.add(watched, watch.take_over()),
        }
    }

    /// May this process take an action of this machine? Not while another one looks after it. A lease that ends later
    /// than any lease can was written before the clock was set back.
    fn may_take(&self, row: &Model, now: i64) -> bool {
        let latest = now.saturating_add(self.lease().saturating_mul(2));
        let held = row
            .lease_until
            .is_some_and(|end| end > now && end <= latest);
        row.holder.is_none() || self.holds(row) || !held
    }

    fn holds(&self, row: &Model) -> bool {
        row.holder.as_ref() == Some(&self.0.holder.id)
    }

    pub(super) fn take(&self, row: &mut Model, now: i64) {
        row.host = Some(self.0.host.name.clone());
        row.holder = Some(self.0.holder.id.clone());
        row.lease_until = Some(now.saturating_add(self.lease()));
    }

    fn lease(&self) -> i64 {
        millis(self.0.lease)
    }
}

/// When something was last heard of the machine of an action.
fn heard_at(row: &Model) -> i64 {
    row.lease_until.or(row.began_at).unwrap_or(row.requested_at)
}

/// The folder of an action's program. A database that was made anew counts from 1 again: then the moment differs.
pub(super) fn folder_of(folder: &Path, row: &Model) -> PathBuf {
    folder.join(format!("{}-{}", row.id, row.requested_at))
}

/// What is told of actions from now on; none: it cannot be followed just now.
async fn listen(feed: &Feed) -> Option<Follower> {
    feed.listen(Filter::topic(Topic::Action)).await.ok()
}

/// Waits for something that there is to do. False: the log was lost.
async fn heard(news: &mut Option<Follower>) -> bool {
    let Some(follower) = news else {
        sleep(RETRY).await;
        return false;
    };
    loop {
        match follower.next().await {
            Ok(event) => {
                let kind = ActionChangeKind::from_name(&event.kind);
                if matches!(
                    kind,
                    Some(ActionChangeKind::Requested | ActionChangeKind::CancelRequested)
                ) {
                    return true;
                }
            }
            Err(_) => return false,
        }
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
