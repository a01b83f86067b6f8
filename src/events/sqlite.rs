//! SQLite: events are numbered as they are written, since there is one writer at a time.

use std::future::{pending, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::feed::{Backend, Unnumbered};
use crate::failure::Failure;

/// Commits of other processes on the same file, such as an import, are noticed by looking.
const POLL: Duration = Duration::from_millis(500);

/// What is particular to SQLite.
pub struct Sqlite;

impl Backend for Sqlite {
    fn poll(&self) -> Duration {
        POLL
    }

    // An event gets its position with its commit.
    fn unnumbered(&self) -> BoxFuture<'_, Result<Option<Unnumbered>, Failure>> {
        ready(Ok(None)).boxed()
    }

    fn number(&self, _unnumbered: Unnumbered) -> BoxFuture<'_, Result<(), Failure>> {
        ready(Ok(())).boxed()
    }

    fn listen<'a>(&'a self, _wake: &'a Notify) -> BoxFuture<'a, ()> {
        pending().boxed()
    }
}
