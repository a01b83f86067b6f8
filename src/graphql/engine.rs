//! The one place where operations run, whatever transport brought them.
//!
//! Text → lexical check → parser → pre-check → cost → executor. Parsed and checked documents are kept by
//! their text in a bounded cache: clients send few different documents many times. Each operation runs
//! inside one tracing span, which never holds variables, and is counted once.
//!
//! What depends on the version of async-graphql stands here and in [`error`](super::error).

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_graphql::{
    Executor, Name, ObjectType, Positioned, Request, Response, Schema, ServerError,
    SubscriptionType, Value, Variables,
    parser::{
        parse_query,
        types::{
            DocumentOperations, ExecutableDocument, FragmentDefinition, OperationDefinition,
            OperationType, Selection, SelectionSet,
        },
    },
};
use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{
    cost::{self, FieldTypes},
    error::{self, ErrorCode},
    observe::Observation,
    precheck::{self, Limits},
    request::GraphQlRequest,
    shape::Shape,
    size,
};
use crate::auth::Viewer;

/// How the engine runs operations.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSettings {
    /// How large documents may be.
    pub limits: Limits,
    /// A query that takes longer is given up and answered `UNAVAILABLE`.
    #[serde(with = "crate::human_duration")]
    pub query_timeout: Duration,
    /// A mutation that takes longer is given up and answered `UNAVAILABLE`; whether it took effect is
    /// unknown, which is what idempotency keys are for.
    #[serde(with = "crate::human_duration")]
    pub mutation_timeout: Duration,
    /// Queries and mutations that run at once; subscriptions do not count.
    pub max_concurrent: usize,
    /// How long an operation waits for its turn before it is answered `UNAVAILABLE`.
    #[serde(with = "crate::human_duration")]
    pub queue_timeout: Duration,
    /// Memory for parsed documents, in bytes (estimated).
    pub document_cache_bytes: u64,
    /// Bytes of one answer (estimated); a larger one is answered `TOO_COMPLEX`. A second line behind `max_cost`, which
    /// knows how many fields there can be and not how long their texts are.
    pub max_answer_bytes: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            query_timeout: Duration::from_secs(30),
            mutation_timeout: Duration::from_mins(1),
            max_concurrent: 256,
            queue_timeout: Duration::from_secs(5),
            document_cache_bytes: 16 * 1024 * 1024,
            max_answer_bytes: 64 * 1024 * 1024,
        }
    }
}

/// What each operation finds in its request data: the viewer, fresh loaders, what has to be read before all fields.
///
/// Called once an operation, never once a connection: authorisation changes while a socket is open. What it awaits is
/// over before the first resolver begins.
pub trait RequestContext: Send + Sync + 'static {
    /// Adds the data of one operation.
    fn attach<'a>(
        &'a self,
        viewer: &'a Arc<Viewer>,
        operation: &'a Prepared,
        request: Request,
    ) -> BoxFuture<'a, Request>;
}

/// A function is enough where nothing has to be awaited.
impl<F> RequestContext for F
where
    F: Fn(&Arc<Viewer>, Request) -> Request + Send + Sync + 'static,
{
    fn attach<'a>(
        &'a self,
        viewer: &'a Arc<Viewer>,
        _operation: &'a Prepared,
        request: Request,
    ) -> BoxFuture<'a, Request> {
        std::future::ready(self(viewer, request)).boxed()
    }
}

/// In the request data when a client of server-sent events comes back and tells the last event that it
/// saw (`Last-Event-ID`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeFrom(pub String);

/// Who asks, and from where on.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, or nobody in particular.
    pub viewer: Arc<Viewer>,
    /// The id of the last event that the client saw.
    pub resume_from: Option<String>,
}

impl From<Arc<Viewer>> for Caller {
    fn from(viewer: Arc<Viewer>) -> Self {
        Self {
            viewer,
            resume_from: None,
        }
    }
}

/// An operation that has passed all checks and can run.
pub struct Prepared {
    document: Arc<Document>,
    operation_name: Option<String>,
    kind: OperationType,
    variables: Variables,
    shape: Arc<Shape>,
}

impl Prepared {
    /// Query, mutation or subscription.
    pub fn kind(&self) -> OperationType {
        self.kind
    }

    /// The operation's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.operation_name.as_deref()
    }

    /// Whether this field stands at the root of the operation, under any alias.
    pub fn selects(&self, field: &str) -> bool {
        let document = &self.document.0;
        select(document, self.name()).is_ok_and(|(_, operation)| {
            names(&operation.selection_set.node, &document.fragments, field)
        })
    }
}

/// Whether a field stands at the top of a selection. The document has passed the pre-check, which bounds the walk.
fn names(
    set: &SelectionSet,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    field: &str,
) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(found) => found.node.name.node == field,
        Selection::InlineFragment(inline) => {
            names(&inline.node.selection_set.node, fragments, field)
        }
        Selection::FragmentSpread(spread) => fragments
            .get(&spread.node.fragment_name.node)
            .is_some_and(|found| names(&found.node.selection_set.node, fragments, field)),
    })
}

/// A parsed document and the shapes of the answers to its operations, each made when it is first asked for.
struct Document(ExecutableDocument, Mutex<HashMap<Option<Name>, Arc<Shape>>>);

impl Document {
    fn shape(
        &self,
        name: Option<&Name>,
        operation: &OperationDefinition,
        types: &FieldTypes,
    ) -> Arc<Shape> {
        let mut shapes = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let shape = shapes
            .entry(name.cloned())
            .or_insert_with(|| Arc::new(Shape::of(&self.0, operation, types)));
        Arc::clone(shape)
    }
}

/// Runs operations. Clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    schema: Box<dyn ErasedSchema>,
    types: FieldTypes,
    context: Box<dyn RequestContext>,
    settings: EngineSettings,
    documents: Cache<String, Arc<Document>>,
    turns: Semaphore,
}

impl Engine {
    /// `schema` is any async-graphql schema; its own depth limits must not be tighter than
    /// `settings.limits`, or clients get their vaguer messages.
    pub fn new<Q, M, S>(
        schema: Schema<Q, M, S>,
        context: impl RequestContext,
        settings: EngineSettings,
    ) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        // Without types every field with a selection counts as a list: too strict, and never too lax.
        let types = FieldTypes::read(&schema.sdl()).unwrap_or_else(|error| {
            tracing::error!(%error, "the schema cannot be read: the cost of operations is guessed");
            FieldTypes::default()
        });
        let documents = Cache::builder()
            .max_capacity(settings.document_cache_bytes)
            .weigher(|text: &String, _| {
                u32::try_from(text.len().saturating_mul(PARSED_SIZE)).unwrap_or(u32::MAX)
            })
            .build();
        let turns = Semaphore::new(settings.max_concurrent.min(Semaphore::MAX_PERMITS));
        Self(Arc::new(Inner {
            schema: Box::new(schema),
            types,
            context: Box::new(context),
            settings,
            documents,
            turns,
        }))
    }

    /// The limits that documents have to keep.
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Parses, selects the operation and checks. Errors are request errors: the answer has no data.
    pub fn prepare(&self, request: GraphQlRequest) -> Result<Prepared, ServerError> {
        let result = self.check(request);
        if let Err(error) = &result {
            Observation::refused(error);
        }
        result
    }

    fn check(&self, request: GraphQlRequest) -> Result<Prepared, ServerError> {
        let document = self.document(&request.query)?;
        let (name, operation) = select(&document.0, request.operation_name.as_deref())?;
        check_required(operation, &request.variables)?;
        let (types, limits) = (&self.0.types, self.limits());
        cost::check(&document.0, operation, &request.variables, types, limits)?;
        Ok(Prepared {
            kind: operation.ty,
            operation_name: name.map(ToString::to_string),
            shape: document.shape(name, operation, &self.0.types),
            document: Arc::clone(&document),
            variables: request.variables,
        })
    }

    fn document(&self, text: &str) -> Result<Arc<Document>, ServerError> {
        if let Some(document) = self.0.documents.get(text) {
            return Ok(document);
        }
        precheck::check_text(text, self.limits())?;
        let parsed = parse_query(text).map_err(|error| {
            let located = ServerError::from(error);
            ServerError {
                locations: located.locations,
                ..ErrorCode::BadInput.server_error(located.message)
            }
        })?;
        precheck::check_document(&parsed, self.limits())?;
        let document = Arc::new(Document(parsed, Mutex::default()));
        self.0
            .documents
            .insert(text.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    /// Runs a query or a mutation to its end.
    pub async fn execute(&self, operation: Prepared, caller: Caller) -> Response {
        let observation = Observation::begin(operation.kind, operation.name());
        let span = observation.span();
        let shape = Arc::clone(&operation.shape);
        let mut response = self
            .run(operation, &caller)
            .instrument(span.clone())
            .await
            .unwrap_or_else(|error| Response::from_errors(vec![error]));
        self.bound(&mut response);
        shape.restore(&mut response);
        span.in_scope(|| error::finish(&mut response));
        observation.end(&response);
        response
    }

    async fn run(&self, operation: Prepared, caller: &Caller) -> Result<Response, ServerError> {
        let settings = &self.0.settings;
        let limit = match operation.kind {
            OperationType::Mutation => settings.mutation_timeout,
            OperationType::Query | OperationType::Subscription => settings.query_timeout,
        };
        let _turn = timeout(settings.queue_timeout, self.0.turns.acquire())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| {
                ErrorCode::Unavailable.server_error("the server is busy, try again later")
            })?;
        let execution = async {
            let request = self.request(operation, caller).await;
            self.0.schema.run(request).await
        };
        let execution = AssertUnwindSafe(execution).catch_unwind();
        match timeout(limit, execution).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(panic)) => Err(panicked(panic.as_ref())),
            Err(_) => Err(ErrorCode::Unavailable.server_error(format!(
                "the operation took longer than {}",
                humantime::format_duration(limit)
            ))),
        }
    }

    /// Runs an operation of any kind as a stream of answers: a query or a mutation gives one, a
    /// subscription one for each event. The stream ends after an answer that is a request error.
    ///
    /// It runs in a task of its own, which ends when the stream is dropped: an operation that waits for its reader
    /// could otherwise hold a connection of the database that the reader itself is waiting for.
    pub fn subscribe(&self, operation: Prepared, caller: Caller) -> BoxStream<'static, Response> {
        let mut answers = self.answers(operation, caller);
        let (sender, mut receiver) = mpsc::channel(READ_AHEAD);
        let drive = async move {
            while let Some(answer) = answers.next().await {
                if sender.send(answer).await.is_err() {
                    return;
                }
            }
        };
        let task = AbortOnDropHandle::new(tokio::spawn(drive.in_current_span()));
        stream::poll_fn(move |context| {
            let _running = &task;
            receiver.poll_recv(context)
        })
        .boxed()
    }

    fn answers(&self, operation: Prepared, caller: Caller) -> BoxStream<'static, Response> {
        let engine = self.clone();
        if operation.kind != OperationType::Subscription {
            return stream::once(async move { engine.execute(operation, caller).await }).boxed();
        }
        let mut observation = Observation::begin(operation.kind, operation.name());
        let span = observation.span();
        let shape = Arc::clone(&operation.shape);
        let begin = {
            let engine = engine.clone();
            async move {
                let request = engine.request(operation, &caller).await;
                engine.0.schema.stream(request)
            }
        };
        let events = stream::once(begin.instrument(span.clone())).flatten();
        let events = AssertUnwindSafe(events).catch_unwind().map(move |event| {
            let mut event =
                event.unwrap_or_else(|panic| Response::from_errors(vec![panicked(panic.as_ref())]));
            engine.bound(&mut event);
            event
        });
        let events = events.scan(false, |ended, event| {
            let next = (!*ended).then_some(event);
            *ended |= next.as_ref().is_some_and(error::is_request_error);
            std::future::ready(next)
        });
        events
            .map(move |mut response| {
                shape.restore(&mut response);
                span.in_scope(|| error::finish(&mut response));
                observation.event(&response);
                response
            })
            .boxed()
    }

    /// Gives up an answer that is too large.
    fn bound(&self, response: &mut Response) {
        let limit = self.0.settings.max_answer_bytes;
        if size::exceeds(&response.data, limit) {
            let message = format!("the answer has more than {limit} bytes; ask for less");
            *response = Response::from_errors(vec![ErrorCode::TooComplex.server_error(message)]);
        }
    }

    async fn request(&self, mut operation: Prepared, caller: &Caller) -> Request {
        // The text is not needed any more; the executor takes the document by value.
        let variables = std::mem::take(&mut operation.variables);
        let mut request = Request::new(String::new()).variables(variables);
        request.operation_name = operation.operation_name.clone();
        request.set_parsed_query(operation.document.0.clone());
        if let Some(id) = &caller.resume_from {
            request = request.data(ResumeFrom(id.clone()));
        }
        let context = &self.0.context;
        context.attach(&caller.viewer, &operation, request).await
    }
}

/// Answers of an operation that wait for their reader.
const READ_AHEAD: usize = 8;

/// Bytes that a parsed document takes for each byte of its text, roughly.
const PARSED_SIZE: usize = 16;

fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<(Option<&'a Name>, &'a OperationDefinition), ServerError> {
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some((None, &operation.node)),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get_key_value(name)
            .map(|(name, operation)| (Some(name), &operation.node)),
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.iter();
            let (Some((name, operation)), None) = (all.next(), all.next()) else {
                return Err(ErrorCode::BadInput
                    .server_error("the document has several operations: operationName is needed"));
            };
            Some((Some(name), &operation.node))
        }
    };
    found.ok_or_else(|| {
        ErrorCode::BadInput.server_error("the document has no operation of this name")
    })
}

/// The executor notices a missing variable only when a field needs it, and blames the field.
fn check_required(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        let (name, of) = (&definition.node.name.node, &definition.node.var_type.node);
        let given = match variables.get(name) {
            Some(value) => *value != Value::Null,
            None => definition.node.default_value.is_some(),
        };
        if !of.nullable && !given {
            return Err(ServerError {
                locations: vec![definition.pos],
                ..ErrorCode::BadInput.server_error(format!(
                    "the variable \"${name}\" of the type \"{of}\" has no value"
                ))
            });
        }
    }
    Ok(())
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> ServerError {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    error::internal_server_error(format_args!("a resolver panicked: {text}"))
}

/// The schema without its three type parameters: a box an operation is nothing beside its resolvers,
/// and everything above stays free of them.
trait ErasedSchema: Send + Sync {
    fn run(&self, request: Request) -> BoxFuture<'_, Response>;
    fn stream(&self, request: Request) -> BoxStream<'static, Response>;
}

impl<E: Executor> ErasedSchema for E {
    fn run(&self, request: Request) -> BoxFuture<'_, Response> {
        self.execute(request).boxed()
    }

    fn stream(&self, request: Request) -> BoxStream<'static, Response> {
        self.execute_stream(request, None)
    }
}

#[cfg(test)]
mod tests;
