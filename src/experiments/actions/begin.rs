//! What was asked for is begun, or given up.

use super::programs::Programs;
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind};
use super::work::{Keeper, millis};
use super::{Action, ActionKind};
use crate::engine::Launch;
use crate::entity::action::Model;
use crate::failure::Failure;

impl Keeper {
    /// An action that nobody has begun yet.
    pub(super) async fn requested(
        &self,
        row: &Model,
        now: i64,
        programs: &mut Programs,
    ) -> Result<(), Failure> {
        let keeping = &self.0.actions.config.keeping;
        // One that knows nothing of the profile leaves it to those who do.
        let is_known = self.0.actions.config.profiles.contains_key(&row.profile);
        let has_place = programs.have_place_for(ActionKind::from_name(&row.kind));
        if now.saturating_sub(row.requested_at) > millis(keeping.begin_within) {
            let (reason, message) = if is_known && !has_place {
                let message = "the server was busy with other actions for too long";
                (EndReason::Busy, message)
            } else {
                (EndReason::NotBegunInTime, "no server began it in time")
            };
            return self.give_up(row.id, reason, message).await;
        }
        if is_known
            && has_place
            && let Some((row, action, launch)) = self.begin(row.id).await?
        {
            self.watch(row, action, Some(launch), programs);
        }
        Ok(())
    }

    /// Writes down that an action begins, if it still may: from then on it is this process that starts its program.
    async fn begin(&self, id: i64) -> Result<Option<(Model, Action, Launch)>, Failure> {
        let actions = &self.0.actions;
        let Some(mut open) = store::open(&actions.database, id).await? else {
            return Ok(None);
        };
        if store::state(&open.row)? != ActionState::Requested {
            return Ok(None);
        }
        let checked = match serde_json::from_str::<Action>(&open.row.arguments) {
            Ok(action) => actions
                .check_again(&open.transaction, &open.row, &action)
                .await?
                .map(|launch| (action, launch)),
            Err(error) => {
                tracing::error!(action = id, %error, "what was asked for cannot be read");
                let message = "this server cannot read what was asked for";
                Err((EndReason::NotConfigured, message.to_owned()))
            }
        };
        let now = open.now;
        match checked {
            Ok((action, launch)) => {
                let row = &mut open.row;
                ActionState::Running.as_str().clone_into(&mut row.state);
                row.began_at = Some(now);
                row.keeper = Some(self.0.host.keeper.clone());
                self.take(row, now);
                let row = open.tell(&actions.feed, ActionChangeKind::Began).await?;
                Ok(Some((row, action, launch)))
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
}
