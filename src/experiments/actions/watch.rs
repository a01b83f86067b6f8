//! One action that is under way: its program is started, what it prints is told, and how it ended is written down.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Action;
use super::pieces::{PIECE, TAIL, keep_end};
use super::request::Actions;
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind, Piece};
use crate::engine::{self, EngineError, Launch, Look, text, whole};
use crate::entity::action::Model;
use crate::failure::Failure;
use crate::time::Millis;

/// How often is looked for output: the longer it is quiet, the less often.
const BUSY: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_secs(2);
/// How long a program that is told to end may take, before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long after its time was up a program runs only because nobody keeps it.
const OVERTIME: Duration = Duration::from_secs(40);
/// How long to wait before asking again what the database or the disk did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// An action that this process looks after.
pub(super) struct Watch {
    pub actions: Actions,
    /// This process.
    pub holder: String,
    /// The folder of its program.
    pub folder: PathBuf,
    pub row: Model,
    pub action: Action,
    /// Somebody withdrew it.
    pub cancel: CancellationToken,
    /// This process ends; the program goes on.
    pub stop: CancellationToken,
    /// It was ended from here because its time was up.
    pub overdue: bool,
}

/// Why a watch is over.
enum Over {
    /// The process ends.
    Stopped,
    /// Another process looks after the action, or it has ended already.
    NotMine,
}

impl Watch {
    /// Starts this program, and looks after it to its end.
    pub async fn begin(mut self, launch: Launch) {
        if let Err(message) = self.start(&launch).await {
            let now = chrono::Utc::now().millis();
            let end = (ActionState::Failed, EndReason::NotStarted, Some(message));
            self.finish(end, None, None, now).await;
            return;
        }
        self.follow().await;
    }

    /// Looks after a program that another process has started, or was about to start: from now on it cannot any more.
    pub async fn take_over(self) {
        while let Err(error) = self.ask(engine::bar).await {
            tracing::warn!(action = self.row.id, %error, "an action could not be taken over");
            if self.pause().await {
                return self.release().await;
            }
        }
        self.follow().await;
    }

    async fn follow(mut self) {
        let over = loop {
            if let Err(over) = self.until_ended().await {
                break over;
            }
            match self.ended().await {
                Ok(Some(look)) => return self.conclude(look).await,
                // It could not be looked at for a moment.
                Ok(None) => {}
                Err(over) => break over,
            }
        };
        match over {
            Over::Stopped => self.release().await,
            Over::NotMine => {}
        }
    }

    /// Starts the program. An error is for the user: nothing runs.
    async fn start(&self, launch: &Launch) -> Result<(), String> {
        match engine::start(launch, &self.folder).await {
            Ok(()) => Ok(()),
            // Another process has taken over the action, and this row is not ours to end; or the folder is another action's.
            Err(EngineError::Taken(folder)) => {
                let folder = folder.display();
                tracing::warn!(action = self.row.id, %folder, "the folder of a program was there before it");
                Err("the folder for its program was there already".to_owned())
            }
            Err(error) => {
                tracing::error!(action = self.row.id, %error, "a program could not be kept");
                match self.ask(engine::look).await {
                    Ok(Look::Running { .. } | Look::Ended { .. }) => Ok(()),
                    _ => Err("the server could not start a program".to_owned()),
                }
            }
        }
    }

    /// Tells what the program prints, until it runs no longer.
    async fn until_ended(&mut self) -> Result<(), Over> {
        let folder = self.folder.clone();
        let mut ended = pin!(engine::ended(&folder));
        let (cancel, stop) = (self.cancel.clone(), self.stop.clone());
        let left = self.time_left().await;
        let mut overtime = pin!(sleep(left.unwrap_or_default()));
        let mut told_to_end = false;
        let mut pause = BUSY;
        loop {
            pause = match self.copy(false).await {
                Ok(true) => BUSY,
                Ok(false) => (pause * 2).min(QUIET),
                Err(Copying::NotMine) => return Err(Over::NotMine),
                Err(Copying::Unreadable | Copying::Failed) => RETRY,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Over::Stopped),
                () = &mut ended => break,
                () = cancel.cancelled(), if !told_to_end => {
                    told_to_end = true;
                    self.end();
                }
                () = &mut overtime, if left.is_some() && !self.overdue && !told_to_end => {
                    self.overdue = true;
                    self.end();
                }
                () = sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Has the program ended, however long that takes.
    fn end(&self) {
        let (folder, action) = (self.folder.clone(), self.row.id);
        let given_up = self.stop.clone();
        tokio::spawn(given_up.run_until_cancelled_owned(async move {
            while let Err(error) = engine::stop(&folder, GRACE).await {
                tracing::error!(action, %error, "a program could not be ended");
                sleep(RETRY).await;
            }
        }));
    }

    /// How long it takes until the program is ended from here, if its keeper does not do it: that may have been killed. None:
    /// it has no limit, or does not run.
    async fn time_left(&self) -> Option<Duration> {
        let profile = self.actions.config.profiles.get(&self.row.profile)?;
        let Ok(Look::Running { since }) = self.ask(engine::look).await else {
            return None;
        };
        if self.action.stays() {
            return None;
        }
        let ran = (chrono::Utc::now() - since).to_std().unwrap_or_default();
        let most = Duration::from_secs(profile.time_limit_seconds) + OVERTIME;
        Some(most.saturating_sub(ran))
    }

    /// What is known of a program that runs no longer. None: it does.
    async fn ended(&self) -> Result<Option<Look>, Over> {
        loop {
            match self.ask(engine::look).await {
                Ok(Look::Running { .. }) => return Ok(None),
                Ok(look) => return Ok(Some(look)),
                Err(error) => {
                    tracing::warn!(action = self.row.id, %error, "a program could not be looked at");
                }
            }
            if self.pause().await {
                return Err(Over::Stopped);
            }
        }
    }

    /// The row, if it is this process's to change.
    pub(super) async fn open(&self) -> Result<Option<store::Open>, Failure> {
        let open = store::open(&self.actions.database, self.row.id).await?;
        let mine = |open: &store::Open| {
            open.row.holder.as_ref() == Some(&self.holder)
                && open.row.state == ActionState::Running.as_str()
        };
        Ok(open.filter(mine))
    }

    /// Tells the next piece of output. False: there is none yet. The row says up to where it is known, and that goes with
    /// the event in one transaction: so nothing is told twice, and nothing is left out.
    pub(super) async fn copy(&mut self, is_last: bool) -> Result<bool, Copying> {
        let known = self.row.output_bytes;
        let from = u64::try_from(known).unwrap_or(0);
        // Before the program is started there is none, and after its folder has gone there never will be: that is no error.
        let read = self.ask(move |folder| engine::output(folder, from, PIECE));
        let bytes = match read.await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(action = self.row.id, %error, "output could not be read");
                return Err(Copying::Unreadable);
            }
        };
        let bytes = &bytes[..whole(&bytes, PIECE, is_last)];
        if bytes.is_empty() {
            return Ok(false);
        }
        let piece = Piece {
            offset: known,
            bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            text: text(bytes),
        };
        match self.store(piece).await {
            Ok(true) => Ok(true),
            Ok(false) => Err(Copying::NotMine),
            Err(error) => {
                tracing::warn!(action = self.row.id, %error, "output could not be stored");
                Err(Copying::Failed)
            }
        }
    }

    async fn store(&mut self, piece: Piece) -> Result<bool, Failure> {
        let Some(mut open) = self.open().await? else {
            return Ok(false);
        };
        let row = &mut open.row;
        if row.output_bytes == piece.offset {
            row.output_bytes = row.output_bytes.saturating_add(piece.bytes);
            row.output_tail.push_str(&piece.text);
            keep_end(&mut row.output_tail, TAIL);
            let told = Some((ActionChangeKind::Output, Some(piece)));
            self.row = open.save(&self.actions.feed, told).await?;
        } else {
            // What was stored although the database did not say so.
            self.row = open.row;
        }
        Ok(true)
    }

    /// Asks the engine something about the folder of the program, on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Path) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, Failure> {
        let folder = self.folder.clone();
        let answer = tokio::task::spawn_blocking(move || question(&folder)).await?;
        answer.map_err(Failure::internal)
    }

    /// Gives the lease back: the next process here takes over at once.
    pub(super) async fn release(&self) {
        let released = async {
            if let Some(mut open) = self.open().await? {
                open.row.holder = None;
                open.row.lease_until = Some(open.now);
                open.save(&self.actions.feed, None).await?;
            }
            Ok::<_, Failure>(())
        };
        if let Err(error) = released.await {
            tracing::warn!(action = self.row.id, %error, "a lease could not be given back");
        }
    }

    /// Waits before something is tried again. True: the process ends.
    pub(super) async fn pause(&self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => true,
            () = sleep(RETRY) => false,
        }
    }
}

/// Why output was not told.
#[derive(PartialEq, Eq)]
pub(super) enum Copying {
    /// Another process looks after the action.
    NotMine,
    /// It cannot be read from the disk.
    Unreadable,
    /// It cannot be stored.
    Failed,
}
