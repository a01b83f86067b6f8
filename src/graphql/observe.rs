//! One span and one count for each operation.
//!
//! | metric | labels | |
//! | --- | --- | --- |
//! | `labql_graphql_operations_total` | `kind`, `outcome` | operations that have ended |
//! | `labql_graphql_operation_duration_seconds` | `kind` | queries and mutations |
//! | `labql_graphql_subscriptions` | | subscriptions that are open |
//! | `labql_graphql_events_total` | | answers that subscriptions have delivered |
//!
//! `outcome` is `ok`, `cancelled` (nobody waited any more), or the code of the first error. Labels never
//! come from a client: an operation's name, which does, stands in the span alone.

use std::sync::Arc;
use std::time::Instant;

use async_graphql::{Response, ServerError, parser::types::OperationType};
use metrics::{Counter, Histogram};
use tracing::{Span, field};

use super::answer::Answer;
use super::error::label;
use crate::telemetry::PerLabels;

/// The metrics of operations. Clones share everything.
#[derive(Clone, Default)]
pub(super) struct OperationMetrics(Arc<Handles>);

#[derive(Default)]
struct Handles {
    ended: PerLabels<(&'static str, &'static str), Counter>,
    duration: PerLabels<&'static str, Histogram>,
}

impl OperationMetrics {
    /// A request that never became an operation.
    pub(super) fn refused(&self, error: &ServerError) {
        let outcome = label(error);
        tracing::debug!(code = outcome, "refused a document");
        self.ended("none", outcome);
    }

    fn ended(&self, kind: &'static str, outcome: &'static str) {
        let register = || metrics::counter!("labql_graphql_operations_total", "kind" => kind, "outcome" => outcome);
        self.0.ended.get(&(kind, outcome), register).increment(1);
    }

    fn took(&self, kind: &'static str, seconds: f64) {
        let register =
            || metrics::histogram!("labql_graphql_operation_duration_seconds", "kind" => kind);
        self.0.duration.get(&kind, register).record(seconds);
    }
}

/// Bytes of an operation's name that its span shows.
const MOST_OF_NAME: usize = 64;

/// An operation that is being watched.
pub(super) struct Observation {
    kind: OperationType,
    since: Instant,
    span: Span,
    outcome: &'static str,
    ended: bool,
    metrics: OperationMetrics,
    /// The counter of the answers of a subscription: looked up once, not for each answer.
    answers: Option<Counter>,
}

impl Observation {
    pub(super) fn begin(
        metrics: &OperationMetrics,
        kind: OperationType,
        name: Option<&str>,
    ) -> Self {
        let name = name.map(|name| &name[..name.floor_char_boundary(MOST_OF_NAME)]);
        let span = tracing::info_span!(
            "graphql",
            operation.kind = kind_label(kind),
            operation.name = name,
            errors = field::Empty,
        );
        let is_subscription = kind == OperationType::Subscription;
        if is_subscription {
            metrics::gauge!("labql_graphql_subscriptions").increment(1.0);
        }
        let answers = || metrics::counter!("labql_graphql_events_total");
        Self {
            answers: is_subscription.then(answers),
            kind,
            since: Instant::now(),
            span,
            outcome: "ok",
            ended: false,
            metrics: metrics.clone(),
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// One answer of a subscription.
    pub(super) fn event(&mut self, answer: &Answer) {
        if let Some(answers) = &self.answers {
            answers.increment(1);
        }
        if let Some(code) = answer.code {
            self.outcome = code;
        }
    }

    /// The only answer of a query or a mutation.
    pub(super) fn end(mut self, response: &Response) {
        self.ended = true;
        self.note(response);
    }

    fn note(&mut self, response: &Response) {
        if let Some(first) = response.errors.first() {
            self.outcome = label(first);
            let codes: Vec<_> = response.errors.iter().take(8).map(label).collect();
            self.span.record("errors", field::display(codes.join(",")));
        }
    }
}

/// Also when the client goes away in the middle.
impl Drop for Observation {
    fn drop(&mut self) {
        let kind = kind_label(self.kind);
        let elapsed = self.since.elapsed().as_secs_f64();
        let outcome = if self.kind == OperationType::Subscription || self.ended {
            self.outcome
        } else {
            "cancelled"
        };
        let duration_ms = elapsed * 1e3;
        tracing::debug!(parent: &self.span, outcome, duration_ms, "operation ended");
        self.metrics.ended(kind, outcome);
        if self.kind == OperationType::Subscription {
            metrics::gauge!("labql_graphql_subscriptions").decrement(1.0);
        } else {
            self.metrics.took(kind, elapsed);
        }
    }
}

fn kind_label(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}
