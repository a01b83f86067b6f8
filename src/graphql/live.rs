//! Subscriptions to the event log.
//!
//! The root of the subscriptions is an ordinary object ([`schema::Updates`](super::schema::Updates)) whose fields each
//! do one thing: say which events they tell ([`Updates::update`]), and turn one event into its object. An operation is
//! executed once to begin with, as a query on that object: this checks rights and arguments, and finds out what to follow. From then on it is executed as a query for each event.
//!
//! An answer depends on the event, on what is selected below the root field, and on what the viewer may do; arguments of
//! the root field only choose events. So it is made and encoded once for all subscribers who ask for the same, in a task
//! of its own that no slow client can hold up.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_graphql::parser::types::{Selection, SelectionSet};
use async_graphql::{Context, Name, Positioned, Response, Value, Variables};
use futures_util::future::{BoxFuture, Shared};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep};

use super::answer::Answer;
use super::context::{ContextExt, failed};
use super::document::Prepared;
use super::engine::{Caller, Engine, ErasedSchema, ResumeFrom};
use super::error::{self, ErrorCode};
use crate::auth::AuthError;
use crate::auth::viewer::{Rights, Viewer};
use crate::events::{Event, Feed, Filter, Follower, Lost, Start};

/// Answers that a group keeps for those of its members who come later.
const MOST_KEPT: usize = 1024;
/// Bytes that the answers of all groups take together; beyond it, answers are made for one member each.
const MOST_KEPT_BYTES: usize = 32 * 1024 * 1024;
/// How long to wait before asking again what the database could not answer.
const RETRY: Duration = Duration::from_secs(1);
/// A subscription that cannot be told of an event although the database answers ends after so many attempts.
const ATTEMPTS: u32 = 3;

/// What an operation on the root of subscriptions is executed for; in the data of its request.
pub enum Stage {
    /// To find out what to follow.
    Begin(Mutex<Option<Follower>>),
    /// To tell this event.
    Tell(Arc<Event>),
}

/// For the fields of the root of subscriptions.
pub trait Updates {
    /// The event to tell. When the operation begins, there is none yet: then this notes what to follow, and ends the
    /// field with an error that nobody sees.
    fn update(
        &self,
        filter: Filter,
        after: Option<String>,
    ) -> impl Future<Output = async_graphql::Result<Arc<Event>>> + Send;
}

impl Updates for Context<'_> {
    async fn update(
        &self,
        filter: Filter,
        after: Option<String>,
    ) -> async_graphql::Result<Arc<Event>> {
        let stage = self.data::<Arc<Stage>>();
        let slot = match &**stage.map_err(|error| error::internal(error.message))? {
            Stage::Tell(event) => return Ok(Arc::clone(event)),
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
        let resume = self.data_opt::<ResumeFrom>().map(|resume| resume.0.clone());
        let start = start(resume.or(after).as_deref())?;
        let follower = self.services()?.feed.subscribe(filter, start).await;
        *lock(slot) = Some(follower.map_err(lost)?);
        // Not `internal`, which would tell the log of a fault.
        Err(ErrorCode::Internal.error("the subscription begins"))
    }
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
    groups: Mutex<HashMap<GroupKey, Weak<Group>>>,
    /// Bytes of kept answers.
    kept: Arc<AtomicUsize>,
}

impl Live {
    pub(super) fn new(schema: Box<dyn ErasedSchema>, feed: Feed) -> Self {
        Self {
            schema,
            feed,
            groups: Mutex::default(),
            kept: Arc::default(),
        }
    }

    /// The schema whose query root is the root of subscriptions.
    pub(super) fn schema(&self) -> &dyn ErasedSchema {
        &*self.schema
    }

    /// The group of those who ask for the same. It lives as long as its members.
    fn group(&self, operation: &Arc<Prepared>, rights: Rights) -> Arc<Group> {
        let key = GroupKey {
            document: operation.text(),
            name: operation.name().map(str::to_owned),
            variables: telling_variables(operation).to_string(),
            rights,
        };
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        groups.retain(|_, group| group.strong_count() > 0);
        let group = Arc::new(Group {
            operation: Arc::clone(operation),
            viewer: Arc::new(rights.anybody()),
            answers: Mutex::default(),
            kept: Arc::clone(&self.kept),
        });
        groups.insert(key, Arc::downgrade(&group));
        group
    }
}

/// What an answer depends on, apart from the event.
#[derive(PartialEq, Eq, Hash)]
struct GroupKey {
    document: Arc<str>,
    name: Option<String>,
    variables: String,
    rights: Rights,
}

/// The variables that can make a difference to what is told of an event: not those that only arguments of the root
/// field name, since these have done their work when the operation has begun.
fn telling_variables(operation: &Prepared) -> Value {
    let mut names = HashSet::new();
    let (definition, document) = operation.definition();
    for selection in definition
        .into_iter()
        .flat_map(|definition| &definition.selection_set.node.items)
    {
        if let Selection::Field(field) = &selection.node {
            directives(&field.node.directives, &mut names);
            variables_in(&field.node.selection_set.node, &mut names);
        } else {
            selection_variables(&selection.node, &mut names);
        }
    }
    for fragment in document.fragments.values() {
        variables_in(&fragment.node.selection_set.node, &mut names);
    }
    let given: &Variables = operation.variables();
    let of_use = given.iter().filter(|(name, _)| names.contains(*name));
    Value::Object(
        of_use
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn variables_in(set: &SelectionSet, names: &mut HashSet<Name>) {
    for selection in &set.items {
        selection_variables(&selection.node, names);
    }
}

fn selection_variables(selection: &Selection, names: &mut HashSet<Name>) {
    match selection {
        Selection::Field(field) => {
            for (_, value) in &field.node.arguments {
                value_variables(&value.node, names);
            }
            directives(&field.node.directives, names);
            variables_in(&field.node.selection_set.node, names);
        }
        Selection::InlineFragment(fragment) => {
            directives(&fragment.node.directives, names);
            variables_in(&fragment.node.selection_set.node, names);
        }
        Selection::FragmentSpread(spread) => directives(&spread.node.directives, names),
    }
}

fn directives(
    given: &[Positioned<async_graphql::parser::types::Directive>],
    names: &mut HashSet<Name>,
) {
    for directive in given {
        for (_, value) in &directive.node.arguments {
            value_variables(&value.node, names);
        }
    }
}

fn value_variables(value: &async_graphql_value::Value, names: &mut HashSet<Name>) {
    use async_graphql_value::Value;
    match value {
        Value::Variable(name) => {
            names.insert(name.clone());
        }
        Value::List(values) => values
            .iter()
            .for_each(|value| value_variables(value, names)),
        Value::Object(fields) => fields
            .values()
            .for_each(|value| value_variables(value, names)),
        _ => {}
    }
}

type Pending = Shared<BoxFuture<'static, Answer>>;

/// Those who ask for the same.
struct Group {
    operation: Arc<Prepared>,
    /// Anybody who may do what its members may.
    viewer: Arc<Viewer>,
    answers: Mutex<Answers>,
    kept: Arc<AtomicUsize>,
}

/// The newest answers of a group by the positions of their events.
#[derive(Default)]
struct Answers {
    by_position: HashMap<i64, (Pending, usize)>,
    order: VecDeque<i64>,
}

impl Group {
    /// What its members are told of an event.
    fn answer(self: &Arc<Self>, engine: &Engine, event: &Arc<Event>) -> Pending {
        let mut answers = lock(&self.answers);
        if let Some((pending, _)) = answers.by_position.get(&event.position) {
            return pending.clone();
        }
        let pending = self.make(engine, event);
        let alone = Arc::strong_count(self) == 1;
        if !alone {
            let entry = (pending.clone(), 0);
            answers.by_position.insert(event.position, entry);
            answers.order.push_back(event.position);
            self.bound(&mut answers);
        }
        pending
    }

    /// Forgets the oldest answers while there are too many of this group, or they and those of others take too much; the
    /// newest stays, since its neighbours come for it at this moment.
    fn bound(&self, answers: &mut Answers) {
        let full = || self.kept.load(Ordering::Relaxed) > MOST_KEPT_BYTES;
        while answers.order.len() > MOST_KEPT || (answers.order.len() > 1 && full()) {
            let oldest = answers.order.pop_front();
            let gone = oldest.and_then(|oldest| answers.by_position.remove(&oldest));
            if let Some((_, size)) = gone {
                self.kept.fetch_sub(size, Ordering::Relaxed);
            }
        }
    }

    fn make(self: &Arc<Self>, engine: &Engine, event: &Arc<Event>) -> Pending {
        let (engine, event) = (engine.clone(), Arc::clone(event));
        let (operation, viewer) = (Arc::clone(&self.operation), Arc::clone(&self.viewer));
        let group = Arc::downgrade(self);
        let making = tokio::spawn(async move {
            let answer = tell(&engine, &operation, &viewer, &event, &group).await;
            if let Some(group) = group.upgrade() {
                group.note_size(event.position, answer.json.get().len());
            }
            answer
        });
        let made = async move {
            making.await.unwrap_or_else(|error| {
                Answer::refused(error::internal_server_error(format_args!(
                    "an update could not be made: {error}"
                )))
            })
        };
        made.boxed().shared()
    }

    fn note_size(&self, position: i64, bytes: usize) {
        if let Some((_, size)) = lock(&self.answers).by_position.get_mut(&position) {
            self.kept.fetch_add(bytes, Ordering::Relaxed);
            let before = std::mem::replace(size, bytes);
            self.kept.fetch_sub(before, Ordering::Relaxed);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let answers = self.answers.get_mut();
        let answers = answers.unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = answers.by_position.values().map(|(_, size)| size).sum();
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Makes the answer for an event. An event must not be lost because the database was away when it was told: then this
/// asks again until it is back, or until nobody waits.
async fn tell(
    engine: &Engine,
    operation: &Arc<Prepared>,
    viewer: &Arc<Viewer>,
    event: &Arc<Event>,
    group: &Weak<Group>,
) -> Answer {
    let live = engine.live();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let began = Instant::now();
        let stage = Arc::new(Stage::Tell(Arc::clone(event)));
        let mut response = engine.execute_update(operation, viewer, None, stage).await;
        if is_forbidden(&response) {
            refuse(&mut response);
        }
        metrics::counter!("labql_graphql_updates_made_total").increment(1);
        if !is_unavailable(&response) {
            let cursor = live.map(|live| live.feed.cursor(event).to_string());
            return Answer::new(&response, cursor);
        }
        let is_back = |live: &Live| live.feed.was_read_since(began);
        let given_up = attempts >= ATTEMPTS && live.is_none_or(is_back);
        if given_up || group.strong_count() == 0 {
            // Not told, so not passed over either: the client comes back for it.
            refuse(&mut response);
            return Answer::new(&response, None);
        }
        sleep(RETRY).await;
    }
}

/// Whether nothing of an update may be seen.
fn is_forbidden(response: &Response) -> bool {
    let forbidden = Some(ErrorCode::Forbidden.as_str());
    let mut errors = response.errors.iter();
    response.data == Value::Null && errors.any(|error| error::code_of(error) == forbidden)
}

/// The source of events is refused: a request error, of no field in particular (GraphQL specification, section "Source
/// Stream").
fn refuse(response: &mut Response) {
    response.data = Value::Null;
    for error in &mut response.errors {
        error.path.clear();
    }
}

fn is_unavailable(response: &Response) -> bool {
    let unavailable = Some(ErrorCode::Unavailable.as_str());
    let mut errors = response.errors.iter();
    errors.any(|error| error::code_of(error) == unavailable)
}

/// Begins a subscription: its answers, or why there are none.
pub(super) async fn subscribe(
    engine: Engine,
    operation: Arc<Prepared>,
    caller: Caller,
) -> BoxStream<'static, Answer> {
    match begin(&engine, &operation, &caller).await {
        Ok(follower) => {
            let member = Member {
                engine,
                operation,
                caller,
                follower,
                group: None,
            };
            stream::unfold(Some(member), |member| async {
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
) -> Result<Follower, Answer> {
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
    let follower = match &*slot {
        Stage::Begin(slot) => lock(slot).take(),
        Stage::Tell(_) => None,
    };
    follower.ok_or_else(|| Answer::new(&response, None))
}

/// One subscriber.
struct Member {
    engine: Engine,
    operation: Arc<Prepared>,
    caller: Caller,
    follower: Follower,
    group: Option<(Rights, Arc<Group>)>,
}

impl Member {
    /// The next answer; the last one is an error.
    async fn next(&mut self) -> Result<Answer, Answer> {
        let event = match self.follower.next().await {
            Ok(event) => event,
            Err(reason) => {
                let error = lost(reason).into_server_error(async_graphql::Pos::default());
                return Err(Answer::refused(error));
            }
        };
        let rights = self.rights().await;
        if self.group.as_ref().is_none_or(|(of, _)| *of != rights) {
            let live = self.engine.live();
            self.group = live.map(|live| (rights, live.group(&self.operation, rights)));
        }
        let Some((_, group)) = &self.group else {
            let error = error::internal_server_error("there is no live feed");
            return Err(Answer::refused(error));
        };
        let answer = group.answer(&self.engine, &event).await;
        if answer.refusal.is_some() {
            return Err(answer);
        }
        Ok(answer)
    }

    /// What the subscriber may do at this moment: nothing is told before that is known. Whoever was shown out hears
    /// nothing more; the connection, which watches the same access, is about to end.
    async fn rights(&self) -> Rights {
        loop {
            match self.caller.access.viewer().await {
                Ok(viewer) => return viewer.rights(),
                Err(AuthError::Rejected) => std::future::pending().await,
                Err(AuthError::Unavailable) => sleep(RETRY).await,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
