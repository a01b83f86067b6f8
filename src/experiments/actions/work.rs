//! What has been asked for is begun, looked after, and brought to its end.
//!
//! A program is kept in a folder of this machine (see [`crate::engine`]). So an action belongs to the machine and the data
//! folder that began it, the **host** of its row; of the processes of labql there, one holds its lease and looks after it.
//! Others leave it alone, and one day take it for lost. That an action has begun is committed before its program is
//! started, so that no two processes, and no process twice, start it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Action;
use super::request::Actions;
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind};
use super::watch::Watch;
use crate::engine::Launch;
use crate::entity::action::{Column, Entity, Model};
use crate::events::{Feed, Filter, Follower, Start, Topic};
use crate::failure::Failure;
use crate::files;
use crate::narrow::{self, Columns};
use crate::time::Millis;
use crate::workers::{self, Holder};

/// How often is looked for what nobody told of.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait after something failed.
const RETRY: Duration = Duration::from_secs(1);
/// How many commands are under way at once, beside runs of experiments.
const MOST_COMMANDS: usize = 8;
/// How often what is not to be kept any longer is removed.
const CLEAN: Duration = Duration::from_hours(1);

/// What looks after the actions of this machine.
#[derive(Clone)]
pub(super) struct Keeper(Arc<Inner>);

struct Inner {
    actions: Actions,
    holder: Holder,
    /// This machine with this data folder.
    keeper: String,
    lease: Duration,
    stop: CancellationToken,
}

/// A program that is looked after.
struct Watched {
    action: i64,
    /// Does its action stay as long as an experiment runs?
    stays: bool,
    cancel: CancellationToken,
}

/// Looks after the actions of this machine until `stop` is cancelled. A process that says nothing for as long as `lease`
/// loses them to another one here.
pub fn keep(actions: Actions, lease: Duration, stop: CancellationToken, tasks: &TaskTracker) {
    tasks.spawn(async move {
        let keeper = loop {
            match identity(&actions.folder) {
                Ok(keeper) => break keeper,
                Err(error) => tracing::error!(%error, "actions cannot be kept in the data folder"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK) => {}
            }
        };
        let holder = Holder::new();
        let keeper = Keeper(Arc::new(Inner {
            keeper: format!("{}/{keeper}", holder.host),
            holder,
            actions,
            lease,
            stop,
        }));
        keeper.follow().await;
    });
}

/// The name of a data folder: made at random when it is first asked for.
fn identity(folder: &Path) -> io::Result<String> {
    let path = folder.join("keeper");
    files::private_folder(folder)?;
    if !path.exists() {
        // Another process may do the same: whoever links first has made the name.
        let name = uuid::Uuid::new_v4().simple().to_string();
        let draft = folder.join(format!("keeper-{name}"));
        io::Write::write_all(&mut files::private_file(&draft)?, name.as_bytes())?;
        let linked = std::fs::hard_link(&draft, &path);
        std::fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    std::fs::read_to_string(&path)
}

/// All programs that this process looks after.
#[derive(Default)]
struct Programs {
    tasks: JoinSet<()>,
    watched: HashMap<tokio::task::Id, Watched>,
}

impl Programs {
    fn of(&self, action: i64) -> Option<&Watched> {
        let mut watched = self.watched.values();
        watched.find(|watched| watched.action == action)
    }

    fn commands(&self) -> usize {
        self.watched.values().filter(|one| !one.stays).count()
    }

    /// Waits for one to end, for ever if there is none.
    async fn ended(&mut self) {
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
                if let Err(error) = self.clean().await {
                    tracing::warn!(%error, "old actions could not be removed");
                }
            }
            tokio::select! {
                () = self.0.stop.cancelled() => break,
                heard = heard(&mut news) => if !heard { news = None; },
                () = programs.ended() => {}
                () = sleep(LOOK.min(self.0.lease / 3)) => {}
            }
        }
        // Each gives its lease back.
        while programs.tasks.join_next().await.is_some() {}
    }

    /// Begins what was asked for, takes over what nobody looks after, and gives up what cannot be found any more.
    async fn look(&self, programs: &mut Programs) -> Result<(), Failure> {
        let database = &self.0.actions.database;
        let open = [ActionState::Requested, ActionState::Running].map(ActionState::as_str);
        let rows = Entity::find()
            .filter(Column::State.is_in(open))
            .order_by_asc(Column::Id)
            .all(database.read())
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let now = workers::now(database.read()).await?;
        self.renew(&rows, now).await?;
        for row in rows {
            let id = row.id;
            let done = match store::state(&row) {
                Ok(ActionState::Requested) => self.requested(row, now, programs).await,
                Ok(_) if row.keeper.as_ref() != Some(&self.0.keeper) => {
                    self.of_other(row, now).await
                }
                Ok(_) => self.running(row, now, programs).await,
                Err(failure) => Err(failure),
            };
            if let Err(error) = done {
                tracing::warn!(action = id, %error, "an action could not be looked after");
            }
        }
        Ok(())
    }

    /// Renews the leases of what this process looks after, before they have run for a half.
    async fn renew(&self, rows: &[Model], now: i64) -> Result<(), Failure> {
        let half = now.saturating_add(self.lease() / 2);
        let short = |row: &Model| self.holds(row) && row.lease_until.is_none_or(|end| end < half);
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

    async fn requested(
        &self,
        row: Model,
        now: i64,
        programs: &mut Programs,
    ) -> Result<(), Failure> {
        let actions = &self.0.actions;
        let waited = now.saturating_sub(row.requested_at);
        if waited > millis(actions.config.keeping.begin_within) {
            return self
                .give_up(
                    row.id,
                    EndReason::NotBegunInTime,
                    "no server began it in time",
                )
                .await;
        }
        // One that knows nothing of the profile leaves it to those who do.
        if !actions.config.profiles.contains_key(&row.profile) {
            return Ok(());
        }
        let action = match serde_json::from_str::<Action>(&row.arguments) {
            Ok(action) => action,
            Err(error) => {
                tracing::error!(action = row.id, %error, "what was asked for cannot be read");
                let message = "this server cannot read what was asked for";
                return self
                    .give_up(row.id, EndReason::NotConfigured, message)
                    .await;
            }
        };
        if !action.stays() && programs.commands() >= MOST_COMMANDS {
            return Ok(());
        }
        if let Some((row, launch)) = self.begin(row.id, &action).await? {
            self.watch(row, action, Some(launch), programs);
        }
        Ok(())
    }

    /// Writes down that an action begins, if it still may: from then on it is this process that starts its program.
    async fn begin(&self, id: i64, action: &Action) -> Result<Option<(Model, Launch)>, Failure> {
        let actions = &self.0.actions;
        let Some(mut open) = store::open(&actions.database, id).await? else {
            return Ok(None);
        };
        if store::state(&open.row)? != ActionState::Requested {
            return Ok(None);
        }
        let checked = actions
            .check_again(&open.transaction, &open.row, action)
            .await?;
        let now = open.now;
        match checked {
            Ok(launch) => {
                let row = &mut open.row;
                ActionState::Running.as_str().clone_into(&mut row.state);
                row.began_at = Some(now);
                row.keeper = Some(self.0.keeper.clone());
                self.take(row, now);
                let row = open.tell(&actions.feed, ActionChangeKind::Began).await?;
                Ok(Some((row, launch)))
            }
            Err((reason, message)) => {
                tracing::warn!(action = id, message, "an action was not begun");
                store::end(
                    &mut open.row,
                    ActionState::Failed,
                    reason,
                    Some(message),
                    now,
                );
                open.tell(&actions.feed, ActionChangeKind::Ended).await?;
                Ok(None)
            }
        }
    }

    /// An action that nobody began.
    async fn give_up(&self, id: i64, reason: EndReason, message: &str) -> Result<(), Failure> {
        let actions = &self.0.actions;
        let Some(mut open) = store::open(&actions.database, id).await? else {
            return Ok(());
        };
        if store::state(&open.row)? == ActionState::Requested {
            let message = Some(message.to_owned());
            let now = open.now;
            store::end(&mut open.row, ActionState::Failed, reason, message, now);
            open.tell(&actions.feed, ActionChangeKind::Ended).await?;
        }
        Ok(())
    }

    /// An action whose program is on this machine.
    async fn running(&self, row: Model, now: i64, programs: &mut Programs) -> Result<(), Failure> {
        if let Some(watched) = programs.of(row.id) {
            if row.cancel_requested_at.is_some() {
                watched.cancel.cancel();
            }
            return Ok(());
        }
        if !self.may_take(&row, now) {
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
    async fn of_other(&self, row: Model, now: i64) -> Result<(), Failure> {
        let actions = &self.0.actions;
        let after = millis(actions.config.keeping.host_lost_after);
        let is_lost = |row: &Model, now: i64| heard_at(row).saturating_add(after) < now;
        if !is_lost(&row, now) {
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

    fn watch(&self, row: Model, action: Action, launch: Option<Launch>, programs: &mut Programs) {
        let cancel = CancellationToken::new();
        if row.cancel_requested_at.is_some() {
            cancel.cancel();
        }
        let watched = Watched {
            action: row.id,
            stays: action.stays(),
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
        };
        let task = programs.tasks.spawn(watch.follow(launch));
        programs.watched.insert(task.id(), watched);
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

    fn take(&self, row: &mut Model, now: i64) {
        row.host = Some(self.0.holder.host.clone());
        row.holder = Some(self.0.holder.id.clone());
        row.lease_until = Some(now.saturating_add(self.lease()));
    }

    fn lease(&self) -> i64 {
        millis(self.0.lease)
    }

    /// Removes actions that are not to be kept any longer, and the folders of programs whose actions are gone.
    async fn clean(&self) -> Result<(), Failure> {
        let actions = &self.0.actions;
        let Some(days) = actions.config.keeping.days else {
            return Ok(());
        };
        let kept = Duration::from_hours(24).saturating_mul(days);
        let oldest = chrono::Utc::now().millis().saturating_sub(millis(kept));
        let over = ActionState::ALL.into_iter().filter(|state| state.is_over());
        let transaction = actions.database.begin().await?;
        let gone = Entity::delete_many()
            .filter(Column::State.is_in(over.map(ActionState::as_str)))
            .filter(Column::EndedAt.lt(oldest))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        if gone.rows_affected > 0 {
            tracing::info!(actions = gone.rows_affected, "removed old actions");
        }
        // The folders first: a row is there before its folder, so that the folder of an action that begins meanwhile either
        // is not among these or has its row.
        let folder = actions.folder.clone();
        let found = tokio::task::spawn_blocking(move || program_folders(&folder)).await?;
        let found = found.map_err(Failure::internal)?;
        let columns = Columns::of(&[Column::Id, Column::RequestedAt]);
        let kept = narrow::find::<Entity>(&actions.database, Condition::all(), columns).await?;
        let kept: HashSet<PathBuf> = kept
            .iter()
            .map(|row| folder_of(&actions.folder, row))
            .collect();
        tokio::task::spawn_blocking(move || {
            for folder in found.iter().filter(|folder| !kept.contains(*folder)) {
                if let Err(error) = std::fs::remove_dir_all(folder) {
                    tracing::warn!(folder = %folder.display(), %error, "an old folder was not removed");
                }
            }
        })
        .await?;
        Ok(())
    }
}

/// When something was last heard of the machine of an action.
fn heard_at(row: &Model) -> i64 {
    row.lease_until.or(row.began_at).unwrap_or(row.requested_at)
}

/// The folders of programs.
fn program_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_program = name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()));
        if is_program && path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The folder of an action's program. A database that was made anew counts from 1 again: then the moment differs.
fn folder_of(folder: &Path, row: &Model) -> PathBuf {
    folder.join(format!("{}-{}", row.id, row.requested_at))
}

/// What is told of actions from now on; none: it cannot be followed just now.
async fn listen(feed: &Feed) -> Option<Follower> {
    let follower = feed
        .subscribe(Filter::topic(Topic::Action), Start::Now)
        .await;
    follower.ok()
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
