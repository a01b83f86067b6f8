//! SQLite: events are numbered as they are written, since there is one writer at a time.

use std::future::{pending, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::feed::Backend;
use crate::failure::Failure;

/// Commits of other processes on the same file, such as an import, are noticed by looking.
const POLL: Duration = Duration::from_millis(500);

/// What is particular to SQLite.
pub struct Sqlite;

impl Backend for Sqlite {
    fn poll(&self) -> Duration {
        POLL
    }

    fn statements_per_look(&self) -> u64 {
        1
    }

    fn number(&self) -> BoxFuture<'_, Result<bool, Failure>> {
        ready(Ok(false)).boxed()
    }

    fn listen<'a>(&'a self, _wake: &'a Notify) -> BoxFuture<'a, ()> {
        pending().boxed()
    }
}
