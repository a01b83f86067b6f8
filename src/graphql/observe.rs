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

use std::time::Instant;

use async_graphql::{Response, ServerError, parser::types::OperationType};
use metrics::Counter;
use tracing::{Span, field};

use super::answer::Answer;
use super::error::label;

/// An operation that is being watched.
pub(super) struct Observation {
    kind: OperationType,
    since: Instant,
    span: Span,
    outcome: &'static str,
    ended: bool,
    /// The counter of the answers of a subscription: looked up once, not for each answer.
    answers: Option<Counter>,
}

impl Observation {
    pub(super) fn begin(kind: OperationType, name: Option<&str>) -> Self {
        let name: Option<String> = name.map(|name| name.chars().take(64).collect());
        let span = tracing::info_span!(
            "graphql",
            operation.kind = kind_label(kind),
            operation.name = name,
            duration_ms = field::Empty,
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
        }
    }

    /// A request that never became an operation.
    pub(super) fn refused(error: &ServerError) {
        let outcome = label(error);
        tracing::debug!(code = outcome, "refused a document");
        metrics::counter!("labql_graphql_operations_total", "kind" => "none", "outcome" => outcome)
            .increment(1);
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
        let elapsed = self.since.elapsed();
        let outcome = if self.kind == OperationType::Subscription || self.ended {
            self.outcome
        } else {
            "cancelled"
        };
        self.span.record("duration_ms", elapsed.as_secs_f64() * 1e3);
        self.span
            .in_scope(|| tracing::debug!(outcome, "operation ended"));
        metrics::counter!("labql_graphql_operations_total", "kind" => kind, "outcome" => outcome)
            .increment(1);
        if self.kind == OperationType::Subscription {
            metrics::gauge!("labql_graphql_subscriptions").decrement(1.0);
        } else {
            metrics::histogram!("labql_graphql_operation_duration_seconds", "kind" => kind)
                .record(elapsed.as_secs_f64());
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
