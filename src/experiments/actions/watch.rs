//! One action that is under way: its program is started, what it prints is told, and how it ended is written down.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::request::{Actions, canceled_by};
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind, Piece};
use super::{Action, Verdict, nudge, verdict};
use crate::engine::{self, End, EngineError, Launch, Look};
use crate::entity::action::Model;
use crate::failure::Failure;
use crate::time::Millis;

/// How long the output of one event is at most, in bytes.
const PIECE: usize = 8 * 1024;
/// How much of the end of the output stands in the row, in bytes.
const TAIL: usize = 8 * 1024;
/// How often is looked for output: the longer it is quiet, the less often.
const BUSY: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_secs(2);
/// How long a program that is told to end may take, before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long it may take from the folder of a program to the program.
const START: Duration = Duration::from_secs(10);
/// How long to wait before asking again what the database or the disk did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// A note at the limit of the output may go beyond it by so much, in bytes.
const NOTE: u64 = 4096;

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
}

/// Why a watch is over.
enum Over {
    /// The process ends.
    Stopped,
    /// Another process looks after the action, or it has ended already.
    NotMine,
}

impl Watch {
    /// Starts the program, if it was not before, and looks after it to its end.
    pub async fn follow(mut self, launch: Option<Launch>) {
        if let Some(launch) = launch
            && let Err(message) = self.start(&launch).await
        {
            let now = chrono::Utc::now().millis();
            let end = (ActionState::Failed, EndReason::NotStarted, Some(message));
            self.finish(end, None, None, now).await;
            return;
        }
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
            // Taken: somebody started it, which is as good.
            Ok(()) | Err(EngineError::Taken(_)) => Ok(()),
            Err(error) => {
                tracing::error!(action = self.row.id, %error, "a program could not be kept");
                match self.look().await {
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
        let mut told_to_end = false;
        let mut pause = BUSY;
        loop {
            pause = match self.copy(false).await {
                Ok(true) => BUSY,
                Ok(false) => (pause * 2).min(QUIET),
                Err(Copying::NotMine) => return Err(Over::NotMine),
                Err(Copying::Failed) => RETRY,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Over::Stopped),
                () = &mut ended => break,
                () = cancel.cancelled(), if !told_to_end => {
                    told_to_end = true;
                    let (folder, action) = (folder.clone(), self.row.id);
                    let given_up = stop.clone();
                    tokio::spawn(given_up.run_until_cancelled_owned(async move {
                        while let Err(error) = engine::stop(&folder, GRACE).await {
                            tracing::error!(action, %error, "a program could not be ended");
                            sleep(RETRY).await;
                        }
                    }));
                }
                () = sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// What is known of a program that runs no longer. None: it does.
    async fn ended(&self) -> Result<Option<Look>, Over> {
        let mut waited = Duration::ZERO;
        loop {
            match self.look().await {
                // Somebody may be about to start it; later nobody will.
                Ok(Look::Absent) if waited < START => {}
                Ok(Look::Running { .. }) => return Ok(None),
                Ok(look) => return Ok(Some(look)),
                Err(error) => {
                    tracing::warn!(action = self.row.id, %error, "a program could not be looked at");
                }
            }
            if self.pause().await {
                return Err(Over::Stopped);
            }
            waited += RETRY;
        }
    }

    /// Writes down how the program ended.
    async fn conclude(&mut self, look: Look) {
        let output = loop {
            match self.copy(true).await {
                Ok(true) => {}
                Ok(false) => break self.all_output().await,
                Err(Copying::NotMine) => return,
                Err(Copying::Failed) => {
                    if self.pause().await {
                        return self.release().await;
                    }
                }
            }
        };
        let now = chrono::Utc::now().millis();
        let (end, at) = match look {
            Look::Ended { end, at } => (end, at.millis()),
            Look::Absent => {
                let message = "the server ended before it could start a program";
                let end = (
                    ActionState::Failed,
                    EndReason::NotStarted,
                    Some(message.to_owned()),
                );
                return self.finish(end, None, None, now).await;
            }
            Look::Lost | Look::Running { .. } => {
                let message = "its program is gone, and nobody noted how it ended";
                let end = (
                    ActionState::Lost,
                    EndReason::ProcessGone,
                    Some(message.to_owned()),
                );
                return self.finish(end, None, None, now).await;
            }
        };
        let code = match &end {
            End::Exited(code) => Some(i64::from(*code)),
            _ => None,
        };
        let reason = match &end {
            End::Exited(_) => EndReason::Exited,
            End::Signalled(_) => EndReason::Signaled,
            End::TimedOut => EndReason::TimedOut,
            End::Stopped => EndReason::Canceled,
            End::NotStarted(_) => EndReason::NotStarted,
        };
        let profile = self.actions.config.profiles.get(&self.row.profile);
        let profile = profile.cloned().unwrap_or_default();
        let (state, reason, message, created) = match verdict(&profile, &self.action, &end, &output)
        {
            Verdict::Succeeded { created } => (ActionState::Succeeded, reason, None, created),
            Verdict::Failed(message) => (ActionState::Failed, reason, Some(message), None),
            Verdict::Stopped => (ActionState::Canceled, EndReason::Canceled, None, None),
            Verdict::Lost => {
                let message = "the connection to the other machine broke";
                let reason = EndReason::ConnectionLost;
                (ActionState::Lost, reason, Some(message.to_owned()), None)
            }
        };
        self.finish((state, reason, message), code, created, at)
            .await;
    }

    /// Brings the row to its end, however long the database takes.
    async fn finish(
        &mut self,
        (state, reason, message): (ActionState, EndReason, Option<String>),
        exit_code: Option<i64>,
        created: Option<String>,
        at: i64,
    ) {
        let message = message.map(|message| text(message.as_bytes()));
        loop {
            let ended = self.write_end(
                (state, reason, message.clone()),
                exit_code,
                created.clone(),
                at,
            );
            match ended.await {
                Ok(done) => {
                    if done {
                        let (action, state) = (self.row.id, state.as_str());
                        tracing::info!(action, state, exit_code, "an action has ended");
                        metrics::counter!("labql_actions_ended_total", "state" => state)
                            .increment(1);
                        nudge::mirrors(&self.actions, &self.row.actor).await;
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(action = self.row.id, %error, "the end of an action could not be stored");
                }
            }
            if self.pause().await {
                return self.release().await;
            }
        }
    }

    /// False: it is not this process's to end.
    async fn write_end(
        &self,
        (state, reason, message): (ActionState, EndReason, Option<String>),
        exit_code: Option<i64>,
        created: Option<String>,
        at: i64,
    ) -> Result<bool, Failure> {
        let Some(mut open) = self.open().await? else {
            return Ok(false);
        };
        let row = &mut open.row;
        let message = message.or_else(|| match (state, &row.cancel_requested_by) {
            (ActionState::Canceled, Some(user)) => Some(canceled_by(user)),
            (ActionState::Canceled, None) => Some("it was stopped".to_owned()),
            _ => None,
        });
        row.exit_code = exit_code;
        if created.is_some() {
            row.expid = created;
        }
        store::end(row, state, reason, message, at);
        open.tell(&self.actions.feed, ActionChangeKind::Ended)
            .await?;
        Ok(true)
    }

    /// The row, if it is this process's to change.
    async fn open(&self) -> Result<Option<store::Open>, Failure> {
        let open = store::open(&self.actions.database, self.row.id).await?;
        let mine = |open: &store::Open| {
            open.row.holder.as_ref() == Some(&self.holder)
                && open.row.state == ActionState::Running.as_str()
        };
        Ok(open.filter(mine))
    }

    /// Tells the next piece of output. False: there is none yet. The row says up to where it is known, and that goes with
    /// the event in one transaction: so nothing is told twice, and nothing is left out.
    async fn copy(&mut self, is_last: bool) -> Result<bool, Copying> {
        let known = self.row.output_bytes;
        let (folder, from) = (self.folder.clone(), u64::try_from(known).unwrap_or(0));
        let read = move || engine::output(&folder, from, PIECE);
        // Before the program is started there is none, and after its folder has gone there never will be.
        let Ok(Ok(bytes)) = tokio::task::spawn_blocking(read).await else {
            return Ok(false);
        };
        let bytes = &bytes[..whole(&bytes, is_last)];
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

    async fn all_output(&self) -> String {
        let profile = self.actions.config.profiles.get(&self.row.profile);
        let limit = profile.map_or(0, |profile| profile.output_limit_bytes);
        let known = u64::try_from(self.row.output_bytes).unwrap_or(0);
        let most = usize::try_from(limit.max(known).saturating_add(NOTE)).unwrap_or(usize::MAX);
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || engine::output(&folder, 0, most)).await;
        match read {
            Ok(Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(Err(_)) | Err(_) => self.row.output_tail.clone(),
        }
    }

    async fn look(&self) -> Result<Look, Failure> {
        let folder = self.folder.clone();
        let look = tokio::task::spawn_blocking(move || engine::look(&folder)).await?;
        look.map_err(Failure::internal)
    }

    /// Gives the lease back: the next process here takes over at once.
    async fn release(&self) {
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
    async fn pause(&self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => true,
            () = sleep(RETRY) => false,
        }
    }
}

/// Why output was not told.
enum Copying {
    NotMine,
    Failed,
}

/// How many of these bytes make a piece: no character is cut in two, and of a full piece no line if it has a whole one.
fn whole(bytes: &[u8], is_last: bool) -> usize {
    if bytes.len() >= PIECE
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        return end + 1;
    }
    // A character has at most four bytes; the last one begins among the last three if it is cut.
    let cut = (1..=bytes.len().min(3)).find(|back| {
        let wanted = match bytes[bytes.len() - back] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 0,
        };
        wanted > *back
    });
    match cut {
        Some(back) if !is_last => bytes.len() - back,
        _ => bytes.len(),
    }
}

/// Bytes as text that both databases take.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{FFFD}")
}

/// Keeps the end of a text, in at most so many bytes.
fn keep_end(text: &mut String, most: usize) {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.drain(..from);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_piece_ends_with_a_line_if_it_is_full() {
        let mut bytes = vec![b'a'; PIECE];
        assert_eq!(whole(&bytes, false), PIECE);
        bytes[10] = b'\n';
        assert_eq!(whole(&bytes, false), 11);
        assert_eq!(whole(b"a\nb", false), 3);
    }

    #[test]
    fn what_is_no_text_does_not_hold_it_up() {
        assert_eq!(whole(b"a\xFF", false), 2);
        assert_eq!(whole(b"a\xE2\x82", false), 1);
        assert_eq!(whole(b"a\xE2\x82", true), 3);
        assert_eq!(text(b"a\0\xFF"), "a\u{FFFD}\u{FFFD}");
    }

    proptest! {
        /// However text comes in pieces, no character is lost.
        #[test]
        fn characters_stay_whole(sent: String, step in 1_usize..9) {
            let bytes = sent.replace('\0', "").into_bytes();
            let (mut told, mut from, mut seen) = (String::new(), 0, 0);
            while seen < bytes.len() {
                seen = (seen + step).min(bytes.len());
                let cut = whole(&bytes[from..seen], seen == bytes.len());
                told.push_str(&text(&bytes[from..from + cut]));
                from += cut;
            }
            prop_assert_eq!(told.into_bytes(), bytes);
        }

        #[test]
        fn the_end_of_a_text_is_kept(sent: String, most in 0_usize..20) {
            let mut kept = sent.clone();
            keep_end(&mut kept, most);
            prop_assert!(kept.len() <= most && sent.ends_with(&kept));
        }
    }
}
