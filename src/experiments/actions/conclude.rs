//! The end of an action: what came of its program is judged and written down.

use super::request::canceled_by;
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind};
use super::watch::{Copying, Watch};
use super::{Verdict, nudge, verdict};
use crate::engine::{self, End, Look, text};
use crate::failure::Failure;
use crate::time::Millis;

/// How often is tried to read the last of the output.
const READS: u32 = 30;
/// A note at the limit of the output may go beyond it by so much, in bytes.
const NOTE: u64 = 4096;

impl Watch {
    /// Writes down how the program ended.
    pub(super) async fn conclude(&mut self, look: Look) {
        let mut unread = 0;
        let output = loop {
            match self.copy(true).await {
                Ok(true) => {}
                Ok(false) => break self.all_output().await,
                Err(Copying::NotMine) => return,
                Err(Copying::Unreadable) if unread >= READS => break None,
                Err(failed) => {
                    unread += u32::from(failed == Copying::Unreadable);
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
        let end = match end {
            End::Stopped if self.overdue && !self.cancel.is_cancelled() => End::TimedOut,
            end => end,
        };
        let code = match &end {
            End::Exited(code) => Some(i64::from(*code)),
            _ => None,
        };
        let (end, created) = self.judge(&end, output.as_deref());
        self.finish(end, code, created, at).await;
    }

    /// What came of the action, by how its program ended and what it printed; and the experiment that was made.
    fn judge(
        &self,
        end: &End,
        output: Option<&str>,
    ) -> ((ActionState, EndReason, Option<String>), Option<String>) {
        let reason = match end {
            End::Exited(_) => EndReason::Exited,
            End::Signalled(_) => EndReason::Signaled,
            End::TimedOut => EndReason::TimedOut,
            End::Stopped => EndReason::Canceled,
            End::NotStarted(_) => EndReason::NotStarted,
        };
        if let End::NotStarted(why) = end {
            return ((ActionState::Failed, reason, Some(why.clone())), None);
        }
        // Without it nobody can tell whether the program was here or on another machine.
        let Some(profile) = self.actions.config.profiles.get(&self.row.profile) else {
            let why = format!(
                "how it ended cannot be told: the profile {} is not configured any more",
                self.row.profile
            );
            let end = (ActionState::Lost, EndReason::NotConfigured, Some(why));
            return (end, None);
        };
        let Some(output) = output else {
            let why = "how it ended cannot be told: what it printed cannot be read".to_owned();
            return ((ActionState::Lost, reason, Some(why)), None);
        };
        let (state, reason, message, created) = match verdict(profile, &self.action, end, output) {
            Verdict::Succeeded { created } => (ActionState::Succeeded, reason, None, created),
            Verdict::Failed(why) => (ActionState::Failed, reason, Some(why), None),
            Verdict::Stopped => (ActionState::Canceled, EndReason::Canceled, None, None),
            Verdict::Lost(why) => {
                let reason = EndReason::ConnectionLost;
                (ActionState::Lost, reason, Some(why), None)
            }
        };
        ((state, reason, message), created)
    }

    /// Brings the row to its end, however long the database takes.
    pub(super) async fn finish(
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

    /// All that was printed; none: it cannot be read.
    async fn all_output(&self) -> Option<String> {
        let profile = self.actions.config.profiles.get(&self.row.profile);
        let limit = profile.map_or(0, |profile| profile.output_limit_bytes);
        let known = u64::try_from(self.row.output_bytes).unwrap_or(0);
        let most = usize::try_from(limit.max(known).saturating_add(NOTE)).unwrap_or(usize::MAX);
        let read = self.ask(move |folder| engine::output(folder, 0, most));
        let bytes = read.await.ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
