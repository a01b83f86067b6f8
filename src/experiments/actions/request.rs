//! Asking for an action, and withdrawing it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, SqlErr,
};

use super::rights::{self, Subject};
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind};
use super::versions::Versions;
use super::{Action, ActionKind, ActionsConfig, Invalid, Place, Profile, launch};
use crate::auth::idempotency::Replay;
use crate::auth::viewer::ViewerUser;
use crate::database::Database;
use crate::engine::Launch;
use crate::entity::action::{Column, Entity, Model};
use crate::entity::{experiment, user};
use crate::events::{self, Feed};
use crate::failure::{Failure, RejectionCode};
use crate::workers;

/// How long the arguments of an action may be, in JSON, in bytes.
const LONGEST: usize = 256 * 1024;

/// How long a public key may be, in bytes.
const LONGEST_KEY: u64 = 16 * 1024;

/// What somebody wants to have done.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What.
    pub action: Action,
    /// With which profile; none: the only one that the user may use.
    pub profile: Option<String>,
    /// The same key makes nothing new.
    pub idempotency_key: Option<String>,
}

/// Why an action is not done.
#[derive(Clone, Debug)]
pub enum AskError {
    /// This user may not.
    Forbidden(String),
    /// Arguments are wrong.
    Invalid(Vec<Invalid>),
    /// Anything else.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for AskError {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

/// Where actions are asked for. Clones share everything.
#[derive(Clone)]
pub struct Actions {
    pub(super) database: Database,
    pub(super) feed: Feed,
    pub(super) config: Arc<ActionsConfig>,
    /// Where programs are kept.
    pub(super) folder: Arc<Path>,
    pub(super) versions: Arc<Versions>,
}

impl Actions {
    /// Over this database, by this configuration; programs are kept below labql's own data folder.
    pub fn new(database: &Database, feed: &Feed, config: &ActionsConfig, data: &Path) -> Self {
        let folder = data.join("actions");
        // Programs work in folders of their own, and are looked for from others.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Self {
            database: database.clone(),
            feed: feed.clone(),
            versions: Arc::new(Versions::of(config)),
            config: Arc::new(config.clone()),
            folder: Arc::from(folder),
        }
    }

    /// Has something been asked for that has not ended?
    pub async fn are_under_way(&self) -> Result<bool, Failure> {
        let open = [ActionState::Requested, ActionState::Running].map(ActionState::as_str);
        let found = Entity::find()
            .filter(Column::State.is_in(open))
            .one(self.database.read())
            .await?;
        Ok(found.is_some())
    }

    /// The public key that labql shows the machine of a profile, as `ssh-keygen` writes it: the first line of the file
    /// beside the private key. None: no key is configured, or it has no such file.
    pub async fn public_key(&self, profile: &str) -> Option<String> {
        let Place::Ssh(ssh) = &self.config.profiles.get(profile)?.place else {
            return None;
        };
        let mut path = ssh.identity.clone()?.into_os_string();
        path.push(".pub");
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            let file = std::fs::File::open(path)?;
            io::Read::read_to_string(&mut io::Read::take(file, LONGEST_KEY), &mut text)?;
            Ok::<_, io::Error>(text)
        });
        let text = read.await.ok()?.ok()?;
        // A private key has another form: whatever stands there, it is not shown.
        let line = text.lines().next()?.trim();
        let is_public = ["ssh-", "ecdsa-", "sk-"]
            .iter()
            .any(|kind| line.starts_with(kind));
        is_public.then(|| line.to_owned())
    }

    /// The configuration.
    pub fn config(&self) -> &ActionsConfig {
        &self.config
    }

    /// Asks for an action: it is written down, and begins as soon as a server that keeps programs hears of it.
    pub async fn request(&self, user: &ViewerUser, asked: Asked) -> Result<Model, AskError> {
        let kind = asked.action.kind();
        let arguments = serde_json::to_string(&asked.action).map_err(Failure::internal)?;
        if arguments.len() > LONGEST {
            let message = format!("all arguments together have at most {LONGEST} bytes");
            return Err(Failure::rejected(RejectionCode::BadInput, None, message).into());
        }
        let request = format!(
            "{}|{arguments}",
            asked.profile.as_deref().unwrap_or_default()
        );
        let key = asked.idempotency_key.as_deref();
        let replay = Replay::new(&user.username, mutation(kind), key, &request)?;
        let user_id = self.check_user(user, kind)?;
        let transaction = self.database.begin().await?;
        if let Some(id) = replay.seen(&transaction).await? {
            let made = Entity::find_by_id(id).one(&transaction).await?;
            let gone = || Failure::bad_input("idempotencyKey", "what it made is gone");
            return Ok(made.ok_or_else(gone)?);
        }
        let (profile, _) = self.examine(&transaction, user, user_id, &asked).await?;
        let expid = asked.action.expid();
        if let Some(other) = under_way(&transaction, expid, kind).await? {
            return Err(conflict(&other).into());
        }
        let row = Model {
            kind: kind.as_str().to_owned(),
            expid: expid.map(str::to_owned),
            lane: lane(kind).to_owned(),
            profile: profile.to_owned(),
            arguments,
            actor_id: user_id,
            actor: user.username.clone(),
            state: ActionState::Requested.as_str().to_owned(),
            requested_at: workers::now(&transaction).await?,
            ..Model::default()
        };
        let mut new = row.into_active_model().reset_all();
        new.id = NotSet;
        let made = new.insert(&transaction).await;
        let made = made.map_err(|error| match error.sql_err() {
            // Somebody else asked at the same moment.
            Some(SqlErr::UniqueConstraintViolation(_)) => conflict_with("another action"),
            _ => error.into(),
        })?;
        replay.note(&transaction, made.id).await?;
        let event = store::event(&made, ActionChangeKind::Requested, None);
        events::append(&transaction, vec![event]).await?;
        transaction.commit().await?;
        self.feed.wake();
        tracing::info!(
            action = made.id,
            kind = made.kind,
            expid = made.expid,
            profile = made.profile,
            actor = made.actor,
            "an action was asked for"
        );
        metrics::counter!("labql_actions_requested_total", "kind" => kind.as_str()).increment(1);
        Ok(made)
    }

    /// What `autosubmit` would be called with; checked as if it were asked for. Machine and environment are left out:
    /// these are the administrator's.
    pub async fn dry_run(&self, user: &ViewerUser, asked: &Asked) -> Result<Vec<String>, AskError> {
        let user_id = self.check_user(user, asked.action.kind())?;
        self.examine(self.database.read(), user, user_id, asked)
            .await?;
        let arguments = asked.action.argv();
        let arguments = arguments
            .iter()
            .map(|text| text.to_string_lossy().into_owned());
        Ok(std::iter::once("autosubmit".to_owned())
            .chain(arguments)
            .collect())
    }

    /// Withdraws an action: one that has not begun never does, the program of one that is under way is ended. Twice is
    /// no error. For whoever asked for it, and for administrators.
    pub async fn cancel(&self, user: &ViewerUser, id: i64) -> Result<Model, Failure> {
        let unknown = || {
            let message = "there is no such action";
            Failure::rejected(RejectionCode::NotFound, Some("id"), message)
        };
        let open = store::open(&self.database, id).await?;
        let mut open = open
            .filter(|open| user.is_admin || Some(open.row.actor_id) == user.id)
            .ok_or_else(unknown)?;
        let (row, now) = (&mut open.row, open.now);
        let told = match store::state(row)? {
            ActionState::Canceled => return Ok(open.row),
            ActionState::Running if row.cancel_requested_at.is_some() => return Ok(open.row),
            ActionState::Running => ActionChangeKind::CancelRequested,
            ActionState::Requested => ActionChangeKind::Ended,
            ActionState::Succeeded | ActionState::Failed | ActionState::Lost => {
                let message = "it has ended already";
                return Err(Failure::rejected(
                    RejectionCode::Conflict,
                    Some("id"),
                    message,
                ));
            }
        };
        row.cancel_requested_at = Some(now);
        row.cancel_requested_by = Some(user.username.clone());
        if told == ActionChangeKind::Ended {
            let message = Some(canceled_by(&user.username));
            store::end(
                row,
                ActionState::Canceled,
                EndReason::Canceled,
                message,
                now,
            );
        }
        tracing::info!(
            action = id,
            actor = user.username,
            "an action was withdrawn"
        );
        open.tell(&self.feed, told).await
    }

    /// The row id of a user who may ask for actions of this kind at all.
    fn check_user(&self, user: &ViewerUser, kind: ActionKind) -> Result<i64, AskError> {
        self.check_enabled(kind).map_err(AskError::Forbidden)?;
        let no_account = || AskError::Forbidden("you have no account here".to_owned());
        user.id.ok_or_else(no_account)
    }

    pub(super) fn check_enabled(&self, kind: ActionKind) -> Result<(), String> {
        if self.config.enabled.contains(&kind) {
            return Ok(());
        }
        let kind = kind.as_str();
        Err(format!(
            "{kind} is not enabled on this server: an administrator can add it to `actions.enabled`"
        ))
    }

    /// Checks whether a user may have an action done, and whether it can be; gives the name of the profile, and what is
    /// called.
    async fn examine(
        &self,
        connection: &impl ConnectionTrait,
        user: &ViewerUser,
        user_id: i64,
        asked: &Asked,
    ) -> Result<(&str, Launch), AskError> {
        let kind = asked.action.kind();
        let experiment = find_experiment(connection, asked.action.expid()).await?;
        let subject = experiment.as_ref().map(Subject::of);
        if !rights::allows(connection, user_id, &user.username, kind, subject).await? {
            return Err(AskError::Forbidden(no_right(kind)));
        }
        if experiment.is_some_and(|row| row.archived_at.is_some()) {
            let message = "it is gone from its Autosubmit root";
            return Err(Failure::rejected(RejectionCode::Conflict, Some("expid"), message).into());
        }
        let (name, profile) = self.profile(&user.username, asked.profile.as_deref())?;
        let wrong = asked.action.check();
        if !wrong.is_empty() {
            return Err(AskError::Invalid(wrong));
        }
        let launch = launch(profile, &asked.action)
            .map_err(|refused| Failure::rejected(RejectionCode::BadInput, None, refused.0))?;
        Ok((name, launch))
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

    /// Checks once more, when an action is about to begin, what was checked when it was asked for: accounts, rights and
    /// configuration may have changed.
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
        let account = user::Entity::find_by_id(row.actor_id)
            .one(connection)
            .await?
            .filter(|account| account.disabled_at.is_none());
        let experiment = match find_experiment(connection, action.expid()).await {
            Ok(experiment) => experiment,
            Err(Failure::Rejected(rejection)) => {
                return Ok(Err((EndReason::NotConfigured, rejection.message)));
            }
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
        let Ok((_, profile)) = self.profile(&row.actor, Some(&row.profile)) else {
            let message = format!("{} may not use the profile {}", row.actor, row.profile);
            return Ok(Err((EndReason::NotConfigured, message)));
        };
        Ok(launch(profile, action).map_err(|refused| (EndReason::NotStarted, refused.0)))
    }
}

/// What is shown of who withdrew an action.
pub(super) fn canceled_by(user: &str) -> String {
    format!("withdrawn by {user}")
}

fn no_right(kind: ActionKind) -> String {
    let kind = kind.as_str();
    format!("this needs the right {kind} on the experiment, which an administrator can grant")
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

/// What two actions on one experiment cannot use at once. Autosubmit has the first three lock the experiment, and
/// refuses the second of them itself; a run can be stopped, and an experiment described, at any time.
const fn lane(kind: ActionKind) -> &'static str {
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
    let open = [ActionState::Requested, ActionState::Running].map(ActionState::as_str);
    Ok(Entity::find()
        .filter(Column::Expid.eq(expid))
        .filter(Column::Lane.eq(lane(kind)))
        .filter(Column::State.is_in(open))
        .one(connection)
        .await?)
}

fn conflict(other: &Model) -> Failure {
    conflict_with(&format!("{} (action {})", other.kind, other.id))
}

fn conflict_with(other: &str) -> Failure {
    let message = format!("{other} is under way on this experiment");
    Failure::rejected(RejectionCode::Conflict, Some("expid"), message)
}

/// Under which name idempotency keys are remembered.
const fn mutation(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Run => "runExperiment",
        ActionKind::Stop => "stopExperiment",
        ActionKind::Create => "createExperiment",
        ActionKind::CreateJobList => "createJobList",
        ActionKind::SetStatus => "setJobStatus",
        ActionKind::Describe => "updateExperimentDescription",
    }
}
