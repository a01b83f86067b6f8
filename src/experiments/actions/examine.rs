//! Whether an action may be done: when it is asked for, and once more when it begins.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::request::{Actions, AskError, Asked};
use super::rights::{self, Subject};
use super::state::{ActionState, EndReason};
use super::{Action, ActionKind, Profile, launch};
use crate::auth::viewer::ViewerUser;
use crate::engine::Launch;
use crate::entity::action::{Column, Entity, Model};
use crate::entity::{experiment, user};
use crate::failure::{Failure, Rejection, RejectionCode};

/// How long the arguments of an action may be, in JSON, in bytes.
const LONGEST: usize = 256 * 1024;

impl Actions {
    /// The row id of a user who may ask for actions of this kind at all.
    pub(super) fn check_user(&self, user: &ViewerUser, kind: ActionKind) -> Result<i64, AskError> {
        self.check_enabled(kind).map_err(AskError::Forbidden)?;
        let no_account = || AskError::Forbidden("you have no account here".to_owned());
        user.id.ok_or_else(no_account)
    }

    fn check_enabled(&self, kind: ActionKind) -> Result<(), String> {
        if self.config.enabled.contains(&kind) {
            return Ok(());
        }
        let kind = kind.as_str();
        Err(format!(
            "{kind} is not enabled on this server: an administrator can add it to `actions.enabled`"
        ))
    }

    /// Checks whether a user may have an action done, and whether it can be now; gives the name of the profile.
    pub(super) async fn examine(
        &self,
        connection: &impl ConnectionTrait,
        user: &ViewerUser,
        user_id: i64,
        asked: &Asked,
    ) -> Result<&str, AskError> {
        let (kind, expid) = (asked.action.kind(), asked.action.expid());
        let experiment = find_experiment(connection, expid).await?;
        let subject = experiment.as_ref().map(Subject::of);
        if !rights::allows(connection, user_id, &user.username, kind, subject).await? {
            return Err(AskError::Forbidden(no_right(kind)));
        }
        check_present(experiment.as_ref()).map_err(Failure::Rejected)?;
        let (name, profile) = self.profile(&user.username, asked.profile.as_deref())?;
        let wrong = asked.action.check();
        if !wrong.is_empty() {
            return Err(AskError::Invalid(wrong));
        }
        launch(profile, &asked.action)
            .map_err(|refused| Failure::rejected(RejectionCode::BadInput, None, refused.0))?;
        if let Some(other) = under_way(connection, expid, kind).await? {
            let is_seen = user.is_admin || other.actor_id == user_id;
            return Err(conflict(is_seen.then_some(&other)).into());
        }
        let limits = &self.config.limits;
        limits.check(connection, user_id, kind).await?;
        Ok(name)
    }

    /// Checks once more, when an action is about to begin, what was checked when it was asked for: accounts, rights,
    /// experiments and configuration may have changed.
    pub(super) async fn check_again(
        &self,
        connection: &impl ConnectionTrait,
        row: &Model,
        action: &Action,
    ) -> Result<Result<Launch, (EndReason, String)>, Failure> {
        let kind = action.kind();
        if let Err(message) = self.check_enabled(kind) {
            return Ok(Err((EndReason::NotConfigured, message)));
        }
        let gone = |rejection: Rejection| Ok(Err((EndReason::ExperimentGone, rejection.message)));
        let account = user::Entity::find_by_id(row.actor_id)
            .one(connection)
            .await?
            .filter(|account| account.disabled_at.is_none());
        let experiment = match find_experiment(connection, action.expid()).await {
            Ok(experiment) => experiment,
            Err(Failure::Rejected(rejection)) => return gone(rejection),
            Err(failure) => return Err(failure),
        };
        let subject = experiment.as_ref().map(Subject::of);
        let allowed = match &account {
            Some(account) => {
                rights::allows(connection, account.id, &account.username, kind, subject).await?
            }
            None => false,
        };
        if !allowed {
            return Ok(Err((EndReason::RightWithdrawn, no_right(kind))));
        }
        if let Err(rejection) = check_present(experiment.as_ref()) {
            return gone(rejection);
        }
        let Ok((_, profile)) = self.profile(&row.actor, Some(&row.profile)) else {
            let message = format!("{} may not use the profile {}", row.actor, row.profile);
            return Ok(Err((EndReason::NotConfigured, message)));
        };
        Ok(launch(profile, action).map_err(|refused| (EndReason::NotStarted, refused.0)))
    }

    /// The profile of a name, for a user who may use it; without a name the only one.
    fn profile(&self, user: &str, name: Option<&str>) -> Result<(&str, &Profile), Failure> {
        let mut usable = self.profiles_of(user);
        let reject = |code, message| Err(Failure::rejected(code, Some("profile"), message));
        match name {
            Some(name) => match usable.find(|(known, _)| *known == name) {
                Some(found) => Ok(found),
                None => reject(RejectionCode::NotFound, "there is no such profile for you"),
            },
            None => match (usable.next(), usable.next()) {
                (Some(only), None) => Ok(only),
                (Some(_), Some(_)) => reject(
                    RejectionCode::BadInput,
                    "there is more than one: name the profile",
                ),
                (None, _) => reject(RejectionCode::NotFound, "there is no profile for you"),
            },
        }
    }

    /// The profiles that a user may use, by name.
    pub fn profiles_of(&self, user: &str) -> impl Iterator<Item = (&str, &Profile)> {
        let profiles = self.config.profiles.iter();
        profiles
            .filter(move |(_, profile)| profile.allows(user))
            .map(|(name, profile)| (name.as_str(), profile))
    }
}

/// An action as it is kept: in JSON.
pub(super) fn written(action: &Action) -> Result<String, Failure> {
    let arguments = serde_json::to_string(action).map_err(Failure::internal)?;
    if arguments.len() > LONGEST {
        let message = format!("all arguments together have at most {LONGEST} bytes");
        return Err(Failure::rejected(RejectionCode::BadInput, None, message));
    }
    Ok(arguments)
}

fn no_right(kind: ActionKind) -> String {
    let on = match kind {
        ActionKind::Create => "",
        _ => " on the experiment",
    };
    let kind = kind.as_str();
    format!("this needs the right {kind}{on}, which an administrator can grant")
}

/// The experiment that an action is about; none: about none.
async fn find_experiment(
    connection: &impl ConnectionTrait,
    expid: Option<&str>,
) -> Result<Option<experiment::Model>, Failure> {
    let Some(expid) = expid else { return Ok(None) };
    let unknown = || {
        let message = "there is no such experiment";
        Failure::rejected(RejectionCode::NotFound, Some("expid"), message)
    };
    // PostgreSQL cannot look for it.
    if expid.contains('\0') {
        return Err(unknown());
    }
    let found = experiment::Entity::find()
        .filter(experiment::Column::Expid.eq(expid))
        .one(connection)
        .await?;
    found.ok_or_else(unknown).map(Some)
}

/// Autosubmit can do nothing with an experiment that is gone.
fn check_present(experiment: Option<&experiment::Model>) -> Result<(), Rejection> {
    if experiment.is_none_or(|row| row.archived_at.is_none()) {
        return Ok(());
    }
    Err(Rejection {
        code: RejectionCode::Conflict,
        field: Some("expid"),
        message: "it is gone from its Autosubmit root".to_owned(),
    })
}

/// What two actions on one experiment cannot use at once. Autosubmit has the first three lock the experiment, and
/// refuses the second of them itself; a run can be stopped, and an experiment described, at any time.
pub(super) const fn lane(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Run | ActionKind::CreateJobList | ActionKind::SetStatus => "JOB_LIST",
        ActionKind::Stop => "STOP",
        ActionKind::Describe => "DESCRIPTION",
        ActionKind::Create => "NEW",
    }
}

/// The action that keeps another of this kind from being asked for.
async fn under_way(
    connection: &impl ConnectionTrait,
    expid: Option<&str>,
    kind: ActionKind,
) -> Result<Option<Model>, Failure> {
    let Some(expid) = expid else { return Ok(None) };
    Ok(Entity::find()
        .filter(Column::Expid.eq(expid))
        .filter(Column::Lane.eq(lane(kind)))
        .filter(ActionState::is_open())
        .one(connection)
        .await?)
}

/// Another action is under way; none: one that the user may not see.
pub(super) fn conflict(other: Option<&Model>) -> Failure {
    let other = match other {
        Some(other) => format!("{} (action {})", other.kind, other.id),
        None => "another action".to_owned(),
    };
    let message = format!("{other} is under way on this experiment");
    Failure::rejected(RejectionCode::Conflict, Some("expid"), message)
}
