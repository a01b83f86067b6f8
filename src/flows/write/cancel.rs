//! Canceling runs.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::states::{OpenRun, Why, step_state};
use super::{check_run, conflict, unknown};
use crate::auth::viewer::ViewerUser;
use crate::entity::{flow_run, flow_step};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::rights::Role;
use crate::flows::state::{Reason, RunState, StepState};
use crate::text::shorten;

/// How much of a reason is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Cancels a run, for members of its group: one that waits is canceled at once, one that runs is ended by whoever moves it.
/// One that is to end already stays as it is.
///
/// # Errors
/// A rejection if there is no such run, or it has ended.
pub async fn cancel(
    flows: &Flows,
    user: &ViewerUser,
    run: i64,
    reason: Option<&str>,
) -> Result<flow_run::Model, Failure> {
    let open = OpenRun::open(&flows.database, run).await?;
    let mut open = open.ok_or_else(|| unknown("id", "run"))?;
    check_run(open.transaction(), user, &open.run, Role::Member).await?;
    let state = open.state()?;
    match state {
        RunState::Canceling => return Ok(open.run),
        RunState::Pending | RunState::Running => {}
        RunState::Success | RunState::Error | RunState::Canceled => {
            return Err(conflict(
                Some("id"),
                format!("it has ended already: {state}"),
            ));
        }
    }
    open.by(&user.username);
    open.run.cancel_requested_at = Some(open.now);
    open.run.cancel_requested_by = Some(user.username.clone());
    let message = message(&user.username, reason);
    if state == RunState::Running {
        // The reason of its end is for whoever ends it to say; these are the words for it.
        open.run.message = Some(message);
        open.set_state(RunState::Canceling, None)?;
    } else {
        let steps = flow_step::Entity::find()
            .filter(flow_step::Column::RunId.eq(run))
            .order_by_asc(flow_step::Column::Position)
            .all(open.transaction())
            .await?;
        for mut step in steps {
            if !step_state(&step)?.is_final() {
                let why = Why::new(Reason::Canceled, "its turn did not come");
                open.set_step(&mut step, StepState::Canceled, Some(why))?;
            }
        }
        // It has no folder yet.
        open.run.cleaned_at = Some(open.now);
        let why = Why::new(Reason::Canceled, message);
        open.set_state(RunState::Canceled, Some(why))?;
    }
    let canceled = open.commit(&flows.feed).await?;
    tracing::info!(run, actor = user.username, "a run was canceled");
    Ok(canceled)
}

/// What is told of who canceled a run, and why.
fn message(user: &str, reason: Option<&str>) -> String {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    match reason {
        Some(reason) => format!("canceled by {user}: {}", shorten(reason, LONGEST_REASON)),
        None => format!("canceled by {user}"),
    }
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn reasons_are_told() {
        assert_eq!(message("ada", None), "canceled by ada");
        assert_eq!(message("ada", Some("  ")), "canceled by ada");
        assert_eq!(
            message("ada", Some("too\nslow")),
            "canceled by ada: too\u{fffd}slow"
        );
    }
}
