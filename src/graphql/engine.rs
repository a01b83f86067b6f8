//! The one place where operations run, whatever transport brought them.
//!
//! Text → lexical check → parser → pre-check → cost → executor. Parsed and checked documents are kept by
//! their text in a bounded cache: clients send few different documents many times. Each operation runs
//! inside one tracing span, which never holds variables, and is counted once.
//!
//! What depends on the version of async-graphql stands here and in [`error`](super::error).

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{
    Executor, ObjectType, Request, Response, Schema, ServerError, SubscriptionType,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationType},
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
    answer::Answer,
    cost::{self, FieldTypes},
    document::{Document, Prepared, check_required, select},
    error::{self, ErrorCode},
    live::{self, Live, Stage},
    observe::{Observation, OperationMetrics},
    precheck::{self, Limits},
    request::GraphQlRequest,
    shape::Shape,
    size,
};
use crate::auth::{Access, Viewer};
use crate::events::Feed;

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
    /// Queries and mutations that run at once; subscriptions do not count. One whose answer may be large takes the place
    /// of several: of one more for each 10,000 of its cost.
    pub max_concurrent: usize,
    /// Subscriptions open at once; more are answered `UNAVAILABLE`.
    pub max_subscriptions: usize,
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
            max_subscriptions: 20_000,
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
#[derive(Clone)]
pub struct Caller {
    /// The user, or nobody in particular; a subscription asks again who it is.
    pub access: Access,
    /// The id of the last event that the client saw.
    pub resume_from: Option<String>,
}

impl<A: Into<Access>> From<A> for Caller {
    fn from(access: A) -> Self {
        Self {
            access: access.into(),
            resume_from: None,
        }
    }
}

/// Runs operations. Clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    schema: Box<dyn ErasedSchema>,
    /// The same without validation.
    trusting: Option<Box<dyn ErasedSchema>>,
    types: FieldTypes,
    context: Box<dyn RequestContext>,
    settings: EngineSettings,
    documents: Cache<String, Arc<Document>>,
    turns: Semaphore,
    subscriptions: Arc<Semaphore>,
    live: Option<Live>,
    metrics: OperationMetrics,
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
        let permits = |count: usize| Semaphore::new(count.min(Semaphore::MAX_PERMITS));
        let turns = permits(settings.max_concurrent);
        let subscriptions = Arc::new(permits(settings.max_subscriptions));
        Self(Arc::new(Inner {
            schema: Box::new(schema),
            trusting: None,
            types,
            context: Box::new(context),
            settings,
            documents,
            turns,
            subscriptions,
            live: None,
            metrics: OperationMetrics::default(),
        }))
    }

    /// What was valid once is executed on `trusting` from then on: the same schema in `ValidationMode::Fast`. Without it
    /// everything is validated each time.
    #[must_use]
    pub fn trusting<Q, M, S>(self, trusting: Schema<Q, M, S>) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let mut inner = self.0;
        if let Some(inner) = Arc::get_mut(&mut inner) {
            inner.trusting = Some(Box::new(trusting));
        }
        Self(inner)
    }

    /// Subscriptions follow the event log: `updates` has their root as the root of its queries. Without it the schema's
    /// own streams are used.
    #[must_use]
    pub fn following<Q, M, S>(self, updates: Schema<Q, M, S>, feed: Feed) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let mut inner = self.0;
        if let Some(inner) = Arc::get_mut(&mut inner) {
            inner.live = Some(Live::new(Box::new(updates), feed));
        }
        Self(inner)
    }

    pub(super) fn live(&self) -> Option<&Live> {
        self.0.live.as_ref()
    }

    /// The limits that documents have to keep.
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Parses, selects the operation and checks. Errors are request errors: the answer has no data.
    pub fn prepare(&self, request: GraphQlRequest) -> Result<Prepared, ServerError> {
        let result = self.check(request);
        if let Err(error) = &result {
            self.0.metrics.refused(error);
        }
        result
    }

    fn check(&self, request: GraphQlRequest) -> Result<Prepared, ServerError> {
        let document = self.document(&request.query)?;
        let name = request.operation_name.as_deref();
        let (name, definition) = select(&document.executable, name)?;
        let definition = &definition.node;
        let (types, limits, variables) = (&self.0.types, self.limits(), &request.variables);
        check_required(definition, variables)?;
        let operation = document.operation(name, definition, types);
        let cost = operation
            .cost(|| cost::reckon(&document.executable, definition, variables, types, limits));
        cost::check(cost, limits)?;
        Ok(Prepared {
            kind: definition.ty,
            operation_name: name.cloned(),
            operation,
            cost,
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
        let document = Arc::new(Document::new(text, parsed));
        self.0
            .documents
            .insert(text.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    /// Runs a query or a mutation to its end.
    pub async fn execute(&self, operation: Prepared, caller: Caller) -> Response {
        let observation = Observation::begin(&self.0.metrics, operation.kind, operation.name());
        let span = observation.span();
        let (definition, _) = operation.definition();
        let nulls = definition
            .and_then(|definition| self.0.types.inputs.nulls(definition, &operation.variables));
        let trusting = self.0.trusting.as_deref().filter(|_| {
            let is_valid = |nulls| operation.operation.is_valid(nulls);
            nulls.is_some_and(is_valid)
        });
        let request = async {
            let resume_from = caller.resume_from.as_ref();
            let request = match trusting {
                Some(_) => request_alone(&operation, operation.alone(), resume_from),
                None => request(&operation, resume_from),
            };
            let viewer = caller.access.known();
            self.0.context.attach(&viewer, &operation, request).await
        };
        let schema = trusting.unwrap_or(&*self.0.schema);
        let execution = self.run(schema, &operation, operation.kind, request);
        let response = execution.instrument(span).await;
        if let Some(nulls) = nulls
            && trusting.is_none()
            && !error::is_request_error(&response)
        {
            operation.operation.found_valid(nulls);
        }
        observation.end(&response);
        response
    }

    /// Runs a subscription once: to begin it, or to tell an event.
    pub(super) async fn execute_update(
        &self,
        operation: &Prepared,
        viewer: &Arc<Viewer>,
        resume_from: Option<&String>,
        stage: Arc<Stage>,
    ) -> Response {
        let Some(live) = &self.0.live else {
            let error = error::internal_server_error("there is no live feed");
            return Response::from_errors(vec![error]);
        };
        let request = async {
            let mut document = operation.alone();
            ask(&mut document);
            let request = request_alone(operation, document, resume_from).data(stage);
            self.0.context.attach(viewer, operation, request).await
        };
        let kind = OperationType::Query;
        self.run(live.schema(), operation, kind, request).await
    }

    /// Validates a subscription in the whole of its document. The schema's own stream of it has nothing to say.
    pub(super) async fn validate(&self, operation: &Prepared) -> Option<Response> {
        let mut stream = self.0.schema.stream(request(operation, None));
        let mut refused = stream.next().await?;
        self.finish(&mut refused, operation.shape());
        Some(refused)
    }

    /// Runs a request in its turn and in its time, and puts the answer into its final form.
    async fn run(
        &self,
        schema: &dyn ErasedSchema,
        operation: &Prepared,
        kind: OperationType,
        request: impl Future<Output = Request>,
    ) -> Response {
        let execution = async { schema.run(request.await).await };
        let mut response = self
            .in_turn(kind, operation.cost, execution)
            .await
            .unwrap_or_else(|error| Response::from_errors(vec![error]));
        self.finish(&mut response, operation.shape());
        response
    }

    /// How many turns an operation of this cost takes: never more than there are.
    fn turns(&self, cost: u64) -> u32 {
        let all = self.0.settings.max_concurrent.min(Semaphore::MAX_PERMITS);
        let turns = usize::try_from(1 + cost / COST_OF_A_TURN).unwrap_or(usize::MAX);
        u32::try_from(turns.min(all).max(1)).unwrap_or(u32::MAX)
    }

    async fn in_turn(
        &self,
        kind: OperationType,
        cost: u64,
        execution: impl Future<Output = Response>,
    ) -> Result<Response, ServerError> {
        let settings = &self.0.settings;
        let limit = match kind {
            OperationType::Mutation => settings.mutation_timeout,
            OperationType::Query | OperationType::Subscription => settings.query_timeout,
        };
        let _turn = timeout(
            settings.queue_timeout,
            self.0.turns.acquire_many(self.turns(cost)),
        )
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or_else(|| {
            ErrorCode::Unavailable.server_error("the server is busy, try again later")
        })?;
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

    /// Gives up an answer that is too large, and puts right what the executor leaves undone.
    fn finish(&self, response: &mut Response, shape: &Shape) {
        let limit = self.0.settings.max_answer_bytes;
        if size::exceeds(&response.data, limit) {
            let message = format!("the answer has more than {limit} bytes; ask for less");
            *response = Response::from_errors(vec![ErrorCode::TooComplex.server_error(message)]);
        }
        shape.restore(response);
        error::finish(response);
    }

    /// Runs an operation of any kind as a stream of answers: a query or a mutation gives one, a
    /// subscription one for each event. The stream ends after an answer that is a request error.
    pub fn subscribe(&self, operation: Prepared, caller: Caller) -> BoxStream<'static, Answer> {
        if operation.kind != OperationType::Subscription {
            let engine = self.clone();
            let answer = async move {
                let response = engine.execute(operation, caller).await;
                Answer::new(&response, None)
            };
            return Self::detached(stream::once(answer).boxed());
        }
        let open = Arc::clone(&self.0.subscriptions);
        let Ok(permit) = open.try_acquire_owned() else {
            let error = ErrorCode::Unavailable.server_error("too many subscriptions are open");
            return stream::once(async { Answer::refused(error) }).boxed();
        };
        let mut observation = Observation::begin(&self.0.metrics, operation.kind, operation.name());
        let answers = if self.0.live.is_some() {
            let begin = live::subscribe(self.clone(), Arc::new(operation), caller);
            stream::once(begin.instrument(observation.span()))
                .flatten()
                .boxed()
        } else {
            Self::detached(self.streamed(operation, caller, observation.span()))
        };
        answers
            .map(move |answer| {
                let _held = &permit;
                observation.event(&answer);
                answer
            })
            .boxed()
    }

    /// The answers of a task of its own, which ends when the stream is dropped: an operation that waits for its reader
    /// could otherwise hold a connection of the database that the reader itself is waiting for.
    pub(super) fn detached(mut answers: BoxStream<'static, Answer>) -> BoxStream<'static, Answer> {
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

    /// The schema's own stream.
    fn streamed(
        &self,
        operation: Prepared,
        caller: Caller,
        span: tracing::Span,
    ) -> BoxStream<'static, Answer> {
        let engine = self.clone();
        let shape = Arc::clone(operation.shape());
        let begin = {
            let engine = engine.clone();
            async move {
                let request = request(&operation, caller.resume_from.as_ref());
                let viewer = caller.access.known();
                let context = &engine.0.context;
                let request = context.attach(&viewer, &operation, request).await;
                engine.0.schema.stream(request)
            }
        };
        let events = stream::once(begin.instrument(span.clone())).flatten();
        let answers = AssertUnwindSafe(events).catch_unwind().map(move |event| {
            let mut response =
                event.unwrap_or_else(|panic| Response::from_errors(vec![panicked(panic.as_ref())]));
            span.in_scope(|| engine.finish(&mut response, &shape));
            Answer::new(&response, None)
        });
        let until_refused = answers.scan(false, |ended, answer| {
            let next = (!*ended).then_some(answer);
            *ended |= next.as_ref().is_some_and(|answer| answer.refusal.is_some());
            std::future::ready(next)
        });
        until_refused.boxed()
    }
}

/// The request of an operation in the whole of its document.
fn request(operation: &Prepared, resume_from: Option<&String>) -> Request {
    let document = operation.document.executable.clone();
    let mut request = request_alone(operation, document, resume_from);
    request.operation_name = operation.name().map(str::to_owned);
    request
}

/// The request of an operation as the only one of its document. The text is not needed any more.
fn request_alone(
    operation: &Prepared,
    document: ExecutableDocument,
    resume_from: Option<&String>,
) -> Request {
    let mut request = Request::new(String::new()).variables(operation.variables.clone());
    request.set_parsed_query(document);
    match resume_from {
        Some(id) => request.data(ResumeFrom(id.clone())),
        None => request,
    }
}

/// Makes a subscription a query.
fn ask(document: &mut ExecutableDocument) {
    match &mut document.operations {
        DocumentOperations::Single(operation) => operation.node.ty = OperationType::Query,
        DocumentOperations::Multiple(operations) => {
            for operation in operations.values_mut() {
                operation.node.ty = OperationType::Query;
            }
        }
    }
}

/// The cost for which an operation takes one turn more.
const COST_OF_A_TURN: u64 = 10_000;

/// Answers of an operation that wait for their reader.
const READ_AHEAD: usize = 8;

/// Bytes that a parsed document takes for each byte of its text, roughly.
const PARSED_SIZE: usize = 16;

fn panicked(panic: &(dyn std::any::Any + Send)) -> ServerError {
    error::panicked("a resolver", panic)
}

/// The schema without its three type parameters: a box an operation is nothing beside its resolvers,
/// and everything above stays free of them.
pub(super) trait ErasedSchema: Send + Sync {
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
