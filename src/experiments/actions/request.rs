//! Asking for an action, and withdrawing it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    SqlErr,
};

use super::examine;
use super::state::{ActionState, EndReason};
use super::store::{self, ActionChangeKind};
use super::versions::Versions;
use super::{Action, ActionKind, ActionsConfig, Invalid, Place};
use crate::auth::idempotency::Replay;
use crate::auth::viewer::ViewerUser;
use crate::database::{self, Database};
use crate::entity::action::{Column, Entity, Model};
use crate::events::{self, Feed};
use crate::failure::{Failure, RejectionCode};
use crate::workers;

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
        let found = Entity::find()
            .filter(ActionState::is_open())
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
        let arguments = examine::written(&asked.action)?;
        let request = format!(
            "{}|{arguments}",
            asked.profile.as_deref().unwrap_or_default()
        );
        let key = asked.idempotency_key.as_deref();
        let replay = Replay::new(&user.username, mutation(kind), key, &request)?;
        let user_id = self.check_user(user, kind)?;
        let transaction = self.database.begin().await?;
        if let Some(id) = replay.seen(&transaction).await? {
            // Keys outlive what they made; a row id may have come to another action.
            let made = Entity::find_by_id(id)
                .filter(Column::ActorId.eq(user_id))
                .filter(Column::Kind.eq(kind.as_str()))
                .one(&transaction)
                .await?;
            let gone = || Failure::bad_input("idempotencyKey", "what it made is gone");
            return Ok(made.ok_or_else(gone)?);
        }
        // One after the other: those who ask at the same moment would all find room.
        database::lock(&transaction, "actions").await?;
        let profile = self.examine(&transaction, user, user_id, &asked).await?;
        let expid = asked.action.expid();
        let row = Model {
            kind: kind.as_str().to_owned(),
            expid: expid.map(str::to_owned),
            lane: examine::lane(kind).to_owned(),
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
            Some(SqlErr::UniqueConstraintViolation(_)) => examine::conflict(None),
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
        examine::written(&asked.action)?;
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

    /// Withdraws an action: one that has not begun never does, the program of one that is under way is asked to end, and
    /// made to if it does not. Twice is no error. For whoever asked for it, and for administrators.
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
}

/// What is shown of who withdrew an action.
pub(super) fn canceled_by(user: &str) -> String {
    format!("withdrawn by {user}")
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
