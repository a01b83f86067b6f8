//! What becomes of actions, as it happens.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::Action;
use crate::events::{Event, Filter, Topic};
use crate::experiments::actions::{self, ActionChange, Piece};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{ErrorCode, internal};
use crate::graphql::id::GlobalId;
use crate::graphql::live::Updates;
use crate::graphql::number::count;
use crate::time::from_millis;

/// What happened to an action.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "actions::ActionChangeKind")]
pub enum ActionUpdateKind {
    /// Somebody asked for it.
    Requested,
    /// It has begun.
    Began,
    /// Its program printed something.
    Output,
    /// Somebody withdrew it while it was under way.
    CancelRequested,
    /// It has ended.
    Ended,
}

/// A piece of what the program of an action printed, standard output and standard error as they came.
#[derive(Clone, Debug, SimpleObject)]
pub struct ActionOutput {
    /// How many bytes came before it. Pieces follow each other without gaps.
    offset: i32,
    /// How many bytes it stands for.
    bytes: i32,
    /// These as text, of at most 8 KiB. No character is cut in two, and no line that fits; what is no UTF-8 is replaced
    /// by U+FFFD.
    text: String,
}

impl From<Piece> for ActionOutput {
    fn from(piece: Piece) -> Self {
        Self {
            offset: count(piece.offset),
            bytes: count(piece.bytes),
            text: piece.text,
        }
    }
}

/// Something that became of an action.
#[derive(SimpleObject)]
pub struct ActionUpdate {
    /// The position of this change in the log: subscribe with `after` to go on from here.
    cursor: String,
    /// When it happened.
    recorded_at: Option<DateTime<Utc>>,
    /// What happened; null: something that this server does not know yet.
    kind: Option<ActionUpdateKind>,
    /// The action as this change left it; its arguments and the end of its output are as they are now.
    action: Action,
    /// What was printed; null unless this is what happened.
    output: Option<ActionOutput>,
}

impl ActionUpdate {
    fn of(ctx: &Context<'_>, event: &Event) -> Result<Self> {
        let change = ActionChange::of(event).map_err(internal)?;
        Ok(Self {
            cursor: ctx.services()?.feed.cursor(event).to_string(),
            recorded_at: from_millis(event.recorded_at),
            kind: actions::ActionChangeKind::from_name(&event.kind).map(Into::into),
            action: Action(Arc::new(change.action)),
            output: change.output.map(Into::into),
        })
    }
}

/// What becomes of actions, as it happens.
#[derive(Default)]
pub struct ActionUpdates;

#[Object]
impl ActionUpdates {
    /// Tells what becomes of your actions, and everybody's for administrators: that they were asked for, begin, print
    /// something, are withdrawn and end. With `after`, first what was since that cursor, none lost and none twice;
    /// without, what is from now on.
    async fn action_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of this action.")] id: Option<ID>,
        #[graphql(desc = "Only of your own, also if you are an administrator.")] mine: Option<bool>,
        #[graphql(
            desc = "The cursor of the last change that was seen; `beginning`: all that the log still has."
        )]
        after: Option<String>,
    ) -> Result<ActionUpdate> {
        let user = ctx.signed_in()?;
        let mine = mine.unwrap_or_default();
        // Who has no account here may bear the name of somebody who has.
        if ctx.followed().is_none() && user.id.is_none() && (mine || !user.is_admin) {
            return Err(ErrorCode::Forbidden.error("you have no account here, so no actions"));
        }
        let subject = match id.as_ref().map(GlobalId::decode) {
            None => None,
            Some(Some(GlobalId::Action(id))) => Some(id.to_string()),
            Some(_) => return Err(ErrorCode::BadInput.error("id: there is no such action")),
        };
        let by = (mine || !user.is_admin).then(|| user.username.clone());
        let filter = Filter::topic(Topic::Action).about(subject).by(by);
        let event = ctx.update(filter, after).await?;
        // Whoever was an administrator when this began may be none now.
        if ctx.followed().is_some_and(|filter| filter.actor.is_none()) {
            ctx.administrator()?;
        }
        ActionUpdate::of(ctx, &event)
    }
}
