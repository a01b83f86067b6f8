//! Group commit: commands that meet share a transaction.
//!
//! A commit costs a write to the disk, whatever is in it. So while one transaction is under way, further commands wait,
//! and go together in the next. Nobody waits for company: a command that finds nothing under way begins at once, and the
//! busier the database is, the more commands share a transaction.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;

/// How many commands one transaction takes.
const MOST_TOGETHER: usize = 256;
/// How many wait for the next; who comes then waits for room.
const MOST_WAITING: usize = 1024;

/// How commands of a kind are done together.
pub trait Commit: Send + Sync + 'static {
    /// What one caller asks for.
    type Command: Send + 'static;
    /// What it is told when that has been committed.
    type Done: Send + 'static;

    /// The name of the kind in metrics.
    const NAME: &'static str;

    /// Does all of them in one transaction. The results are in the order of the commands: one that cannot be done is
    /// refused alone.
    ///
    /// # Errors
    /// If the transaction failed: then none of them was done.
    fn commit(
        &self,
        commands: Vec<Self::Command>,
    ) -> impl Future<Output = Result<Vec<Result<Self::Done, Failure>>, Failure>> + Send;
}

/// The queue of commands of a kind. Clones share it; it ends with the last of them.
pub struct GroupCommit<C: Commit>(mpsc::Sender<Waiting<C>>);

struct Waiting<C: Commit> {
    command: C::Command,
    reply: oneshot::Sender<Result<C::Done, Failure>>,
}

impl<C: Commit> Clone for GroupCommit<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Commit> GroupCommit<C> {
    /// Begins to do commands, in a task of its own.
    pub fn start(commit: C) -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        tokio::spawn(work(commit, receiver));
        Self(sender)
    }

    /// Does a command, and waits until it has been committed. If this is given up, the command is done nevertheless or
    /// not at all, and those of others are not touched.
    pub async fn run(&self, command: C::Command) -> Result<C::Done, Failure> {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { command, reply };
        let gone = || Failure::internal(format_args!("{} are not done any more", C::NAME));
        self.0.send(waiting).await.map_err(|_| gone())?;
        metrics::counter!("labql_group_commit_commands_total", "of" => C::NAME).increment(1);
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

async fn work<C: Commit>(commit: C, mut queue: mpsc::Receiver<Waiting<C>>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, MOST_TOGETHER).await > 0 {
        let split = waiting.drain(..).map(|each| (each.command, each.reply));
        let (commands, replies): (Vec<_>, Vec<_>) = split.unzip();
        let done = AssertUnwindSafe(commit.commit(commands)).catch_unwind();
        let done = done
            .await
            .unwrap_or_else(|_| Err(Failure::internal(format_args!("{} panicked", C::NAME))));
        metrics::counter!("labql_group_commits_total", "of" => C::NAME).increment(1);
        match done {
            Ok(results) => {
                for (reply, result) in replies.into_iter().zip(results) {
                    // Who has given up is not told.
                    let _ = reply.send(result);
                }
            }
            Err(failure) => {
                for reply in replies {
                    let _ = reply.send(Err(failure.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
