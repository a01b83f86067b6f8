//! Those who ask for the same: an answer is made and encoded once for all of them, before any of them is woken.
//!
//! An answer depends on the event, on what is selected below the root field, and on what the viewer may do; arguments of
//! the root field only choose events. It is made in a task of its own that no slow client can hold up.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use async_graphql::parser::types::{Directive, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Response, Value, Variables};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::{Instant, sleep};

use super::{Live, PassedOver, RETRY, Stage, lock, refuse};
use crate::auth::viewer::{Rights, Viewer};
use crate::events::{Event, Filter, Follower, Relay};
use crate::graphql::answer::Answer;
use crate::graphql::document::Prepared;
use crate::graphql::engine::Engine;
use crate::graphql::error::{self, ErrorCode};

/// Answers that a group keeps for those of its members who come later.
const MOST_KEPT: usize = 1024;
/// Bytes that the answers of all groups take together; beyond it, answers are made for one member each.
const MOST_KEPT_BYTES: usize = 32 * 1024 * 1024;
/// A subscription that cannot be told of an event although the database answers ends after so many attempts.
const ATTEMPTS: u32 = 3;

/// All groups of a server.
#[derive(Default)]
pub(super) struct Groups {
    by_key: Mutex<HashMap<Key, Weak<Group>>>,
    /// Bytes of kept answers.
    kept: Arc<AtomicUsize>,
}

/// What an answer depends on, apart from the event, and which events there are.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    document: Arc<str>,
    name: Option<String>,
    variables: String,
    filter: Arc<Filter>,
    rights: Rights,
}

impl Groups {
    /// The group of those who ask for the same. It lives as long as its members.
    pub(super) fn join(
        &self,
        engine: &Engine,
        operation: &Arc<Prepared>,
        rights: Rights,
        follower: &Follower,
    ) -> Arc<Group> {
        let key = Key {
            document: operation.text(),
            name: operation.name().map(str::to_owned),
            variables: telling_variables(operation).to_string(),
            filter: follower.filter(),
            rights,
        };
        let mut groups = lock(&self.by_key);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            group.be_many(engine, follower);
            return group;
        }
        groups.retain(|_, group| group.strong_count() > 0);
        let group = Arc::new(Group {
            operation: Arc::clone(operation),
            viewer: Arc::new(rights.anybody()),
            filter: follower.filter(),
            answers: Mutex::default(),
            kept: Arc::clone(&self.kept),
            relay: OnceLock::new(),
        });
        groups.insert(key, Arc::downgrade(&group));
        group
    }
}

type Pending = Shared<BoxFuture<'static, Answer>>;

/// Those who ask for the same.
pub(super) struct Group {
    operation: Arc<Prepared>,
    /// Anybody who may do what its members may.
    viewer: Arc<Viewer>,
    /// What all of them listen for.
    filter: Arc<Filter>,
    answers: Mutex<Answers>,
    kept: Arc<AtomicUsize>,
    /// Once there is more than one member, they hear of events when their answers are made.
    relay: OnceLock<Relay>,
}

/// The newest answers of a group by the positions of their events.
#[derive(Default)]
struct Answers {
    by_position: HashMap<i64, (Pending, usize)>,
    order: VecDeque<i64>,
}

impl Group {
    /// Who tells the members of events, if it is not the feed itself.
    pub(super) fn relay(&self) -> Option<&Relay> {
        self.relay.get()
    }

    /// From now on answers are made ahead: who is woken finds them ready, and is woken once.
    fn be_many(self: &Arc<Self>, engine: &Engine, follower: &Follower) {
        self.relay.get_or_init(|| {
            let (engine, group) = (engine.clone(), Arc::downgrade(self));
            follower.relay(move |event| {
                // Does not keep the group alive while it waits.
                let group = group.upgrade();
                let pending = group.map(|group| group.answer(&engine, &event));
                async move {
                    if let Some(pending) = pending {
                        pending.await;
                    }
                }
            })
        });
    }

    /// What its members are told of an event.
    pub(super) fn answer(self: &Arc<Self>, engine: &Engine, event: &Arc<Event>) -> Pending {
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
        let filter = Arc::clone(&self.filter);
        let group = Arc::downgrade(self);
        let making = tokio::spawn(async move {
            let answer = tell(&engine, &operation, &viewer, &event, &filter, &group).await;
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
    filter: &Arc<Filter>,
    group: &Weak<Group>,
) -> Answer {
    let live = engine.live();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let began = Instant::now();
        let stage = Stage::Tell(Arc::clone(event), Arc::clone(filter), PassedOver::default());
        let stage = Arc::new(stage);
        let telling = engine.execute_update(operation, viewer, None, Arc::clone(&stage));
        let mut response = telling.await;
        if matches!(&*stage, Stage::Tell(_, _, passed_over) if passed_over.0.load(Ordering::Relaxed))
        {
            return Answer::passed_over();
        }
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

fn is_unavailable(response: &Response) -> bool {
    let unavailable = Some(ErrorCode::Unavailable.as_str());
    let mut errors = response.errors.iter();
    errors.any(|error| error::code_of(error) == unavailable)
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

fn directives(given: &[Positioned<Directive>], names: &mut HashSet<Name>) {
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
