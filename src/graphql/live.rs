//! Subscriptions to the event log.
//!
//! The root of the subscriptions is an ordinary object ([`schema::Updates`](super::schema::Updates)) whose fields each
//! do one thing: say which events they tell ([`Updates::update`]), and turn one event into its object. An operation is
//! executed once to begin with, as a query on that object: this checks rights and arguments, and finds out what to follow. From then on it is executed as a query for each event.
//!
//! An answer is made once for all subscribers who ask for the same; see [`group`]. What the steps of a run print is in a table
//! of its own, and followed there; see [`run_log`].

mod group;
mod run_log;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_graphql::{Context, Response, Value};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::time::sleep;

use self::group::{Group, Groups};
pub use self::run_log::RunLog;
use super::answer::Answer;
use super::context::{ContextExt, failed};
use super::datasets::DATASET_UPDATES;
use super::document::Prepared;
use super::engine::{Caller, Engine, ErasedSchema, ResumeFrom};
use super::error::{self, ErrorCode};
use super::flows::{RUN_UPDATES, RunLogLine};
use crate::auth::AuthError;
use crate::auth::viewer::{Rights, Viewer};
use crate::events::{Event, Feed, Filter, Follower, Lost, Start};

/// Fields that tell each viewer something else, whatever their rights: what stands in an update below one of them is made
/// for its subscriber alone.
const PERSONAL: [&str; 3] = ["actions", DATASET_UPDATES, RUN_UPDATES];

/// How long to wait before asking again what the database could not answer.
const RETRY: Duration = Duration::from_secs(1);

/// What an operation on the root of subscriptions is executed for; in the data of its request.
pub enum Stage {
    /// To find out what to follow.
    Begin(Mutex<Option<Followed>>),
    /// To tell this event to those who listen for what passes this filter.
    Tell(Arc<Event>, Arc<Filter>, PassedOver),
    /// To tell this piece of the log of a run.
    Piece(RunLogLine),
}

/// What a subscription follows.
pub enum Followed {
    /// The log of changes.
    Events(Follower),
    /// What the steps of a run print.
    RunLog(Box<RunLog>),
}

/// Whether an event is none that this subscriber is told.
#[derive(Default)]
pub struct PassedOver(AtomicBool);

/// For the fields of the root of subscriptions.
pub trait Updates {
    /// The event to tell. When the operation begins, there is none yet: then this notes what to follow, and ends the
    /// field with an error that nobody sees.
    fn update(
        &self,
        filter: Filter,
        after: Option<String>,
    ) -> impl Future<Output = async_graphql::Result<Arc<Event>>> + Send;

    /// What the subscribers listen for whom an event is told; none: there is no event yet.
    fn followed(&self) -> Option<&Filter>;

    /// Ends the field: the subscriber is not told of this event, and waits for the next.
    fn pass_over(&self) -> async_graphql::Error;

    /// The piece of the log of a run to tell; none: the operation begins.
    fn piece(&self) -> Option<&RunLogLine>;

    /// Notes the log of a run to follow, and ends the field, which begins, with an error that nobody sees.
    fn follow_log(&self, log: RunLog) -> async_graphql::Error;

    /// The cursor after which to go on: what the client has seen last, by its transport, counts more than the argument.
    fn resumed(&self, after: Option<String>) -> Option<String>;
}

impl Updates for Context<'_> {
    async fn update(
        &self,
        filter: Filter,
        after: Option<String>,
    ) -> async_graphql::Result<Arc<Event>> {
        let stage = self.data::<Arc<Stage>>();
        let slot = match &**stage.map_err(|error| error::internal(error.message))? {
            Stage::Tell(event, ..) => return Ok(Arc::clone(event)),
            Stage::Piece(_) => return Err(error::internal("a piece of a log is no event")),
            Stage::Begin(slot) => slot,
        };
        // No subject has one, and PostgreSQL cannot compare with it.
        if filter
            .subject
            .as_ref()
            .is_some_and(|subject| subject.contains('\0'))
        {
            return Err(ErrorCode::BadInput.error("there is no such thing to follow"));
        }
        let start = start(self.resumed(after).as_deref())?;
        let follower = self.services()?.feed.subscribe(filter, start).await;
        *lock(slot) = Some(Followed::Events(follower.map_err(lost)?));
        Err(begins())
    }

    fn followed(&self) -> Option<&Filter> {
        match &**self.data_opt::<Arc<Stage>>()? {
            Stage::Tell(_, filter, _) => Some(filter),
            Stage::Begin(_) | Stage::Piece(_) => None,
        }
    }

    fn pass_over(&self) -> async_graphql::Error {
        if let Ok(Stage::Tell(_, _, passed_over)) = self.data::<Arc<Stage>>().map(AsRef::as_ref) {
            passed_over.0.store(true, Ordering::Relaxed);
        }
        ErrorCode::Internal.error("this event is not told")
    }

    fn piece(&self) -> Option<&RunLogLine> {
        match &**self.data_opt::<Arc<Stage>>()? {
            Stage::Piece(piece) => Some(piece),
            Stage::Begin(_) | Stage::Tell(..) => None,
        }
    }

    fn follow_log(&self, log: RunLog) -> async_graphql::Error {
        if let Ok(Stage::Begin(slot)) = self.data::<Arc<Stage>>().map(AsRef::as_ref) {
            *lock(slot) = Some(Followed::RunLog(Box::new(log)));
        }
        begins()
    }

    fn resumed(&self, after: Option<String>) -> Option<String> {
        let resume = self.data_opt::<ResumeFrom>().map(|resume| resume.0.clone());
        resume.or(after)
    }
}

/// Ends the field of an operation that begins. Not `internal`, which would tell the log of a fault.
fn begins() -> async_graphql::Error {
    ErrorCode::Internal.error("the subscription begins")
}

/// Reads the argument `after`.
pub fn start(after: Option<&str>) -> async_graphql::Result<Start> {
    Start::parse(after).map_err(|error| ErrorCode::BadInput.error(format!("after: {error}")))
}

/// Why a cursor cannot be followed, for the client that gave it.
pub fn lost(lost: Lost) -> async_graphql::Error {
    let message = format!("after: {lost}");
    match lost {
        Lost::Unknown(_) => ErrorCode::BadInput.error(message),
        Lost::Failed(failure) => failed(failure),
        Lost::Expired { oldest, .. } => {
            let mut error = ErrorCode::CursorExpired.error(message);
            let extensions = error.extensions.get_or_insert_default();
            extensions.set("oldestCursor", oldest.to_string());
            error
        }
    }
}

/// All subscriptions of a server.
pub struct Live {
    schema: Box<dyn ErasedSchema>,
    feed: Feed,
    groups: Groups,
}

impl Live {
    pub(super) fn new(schema: Box<dyn ErasedSchema>, feed: Feed) -> Self {
        Self {
            schema,
            feed,
            groups: Groups::default(),
        }
    }

    /// The schema whose query root is the root of subscriptions.
    pub(super) fn schema(&self) -> &dyn ErasedSchema {
        &*self.schema
    }
}

/// The source of events is refused: a request error, of no field in particular (GraphQL specification, section "Source
/// Stream").
fn refuse(response: &mut Response) {
    response.data = Value::Null;
    for error in &mut response.errors {
        error.path.clear();
    }
}

/// Begins a subscription: its answers, or why there are none.
pub(super) async fn subscribe(
    engine: Engine,
    operation: Arc<Prepared>,
    caller: Caller,
) -> BoxStream<'static, Answer> {
    match begin(&engine, &operation, &caller).await {
        Ok(Followed::RunLog(log)) => {
            Engine::detached(run_log::stream(engine, operation, caller, log))
        }
        Ok(Followed::Events(follower)) => {
            let mut member = Member {
                is_personal: PERSONAL
                    .into_iter()
                    .any(|field| operation.selects_anywhere(field)),
                engine,
                operation,
                caller,
                follower,
                group: None,
                relayed: false,
            };
            member.join(member.rights_of(&member.caller.access.known()));
            // Boxed: each step passes it on.
            stream::unfold(Some(Box::new(member)), |member| async {
                let mut member = member?;
                match member.next().await {
                    Ok(answer) => Some((answer, Some(member))),
                    Err(answer) => Some((answer, None)),
                }
            })
            .boxed()
        }
        Err(answer) => stream::once(async { answer }).boxed(),
    }
}

async fn begin(
    engine: &Engine,
    operation: &Arc<Prepared>,
    caller: &Caller,
) -> Result<Followed, Answer> {
    operation.check_single_field().map_err(Answer::refused)?;
    if let Some(refused) = engine.validate(operation).await {
        return Err(Answer::new(&refused, None));
    }
    let viewer = caller.access.known();
    let slot = Arc::new(Stage::Begin(Mutex::default()));
    let resume_from = caller.resume_from.as_ref();
    let mut response = engine
        .execute_update(operation, &viewer, resume_from, Arc::clone(&slot))
        .await;
    refuse(&mut response);
    let followed = match &*slot {
        Stage::Begin(slot) => lock(slot).take(),
        Stage::Tell(..) | Stage::Piece(_) => None,
    };
    followed.ok_or_else(|| Answer::new(&response, None))
}

/// One subscriber.
struct Member {
    engine: Engine,
    operation: Arc<Prepared>,
    /// Whether the answers depend on who it is.
    is_personal: bool,
    caller: Caller,
    follower: Follower,
    group: Option<(Rights, Arc<Group>)>,
    /// Whether it hears of events from the group.
    relayed: bool,
}

impl Member {
    /// The next answer; the last one is an error.
    async fn next(&mut self) -> Result<Answer, Answer> {
        loop {
            let answer = self.told().await?;
            if !answer.passed_over {
                return Ok(answer);
            }
        }
    }

    /// What it is told of the next event.
    async fn told(&mut self) -> Result<Answer, Answer> {
        let event = match self.follower.next().await {
            Ok(event) => event,
            Err(reason) => {
                let error = lost(reason).into_server_error(async_graphql::Pos::default());
                return Err(Answer::refused(error));
            }
        };
        let rights = self.rights().await;
        if self.group.as_ref().is_none_or(|(of, _)| *of != rights) {
            self.join(rights);
        }
        let Some((_, group)) = &self.group else {
            let error = error::internal_server_error("there is no live feed");
            return Err(Answer::refused(error));
        };
        // Whoever was alone at first is not any more.
        if !self.relayed
            && let Some(relay) = group.relay()
        {
            self.follower.hear_from(relay);
            self.relayed = true;
        }
        let answer = group.answer(&self.engine, &event).await;
        if answer.refusal.is_some() {
            return Err(answer);
        }
        Ok(answer)
    }

    /// Becomes one of those who ask for the same and may do the same.
    fn join(&mut self, rights: Rights) {
        let Some(live) = self.engine.live() else {
            return;
        };
        let groups = &live.groups;
        let group = groups.join(&self.engine, &self.operation, rights, &self.follower);
        match group.relay() {
            Some(relay) => self.follower.hear_from(relay),
            None => self.follower.hear_from_feed(),
        }
        self.relayed = group.relay().is_some();
        self.group = Some((rights, group));
    }

    /// What of the rights of a viewer makes a difference here.
    fn rights_of(&self, viewer: &Viewer) -> Rights {
        match self.engine.live() {
            Some(live) if self.is_personal => viewer.own_rights(live.feed.accounts_changed()),
            _ => viewer.rights(),
        }
    }

    /// What the subscriber may do at this moment: nothing is told before that is known. Whoever was shown out hears
    /// nothing more; the connection, which watches the same access, is about to end.
    async fn rights(&self) -> Rights {
        loop {
            match self.caller.access.viewer().await {
                Ok(viewer) => return self.rights_of(&viewer),
                Err(AuthError::Rejected) => std::future::pending().await,
                Err(AuthError::Unavailable) => sleep(RETRY).await,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
