//! The lease: who may run a worker, and until when.
//!
//! One process holds it and renews it long before it ends; another may take it when it has ended or was given back. The
//! time of a lease is that of the database where several machines share one, and of this machine where they cannot.

use std::time::Duration;

use chrono::Utc;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement};

use super::schedule::{due_at, millis};
use super::snapshot::RunOutcome;
use super::work::Work;
use crate::database::Database;
use crate::entity::worker::Model;
use crate::time::Millis;

/// This process, as holder of leases.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    /// Host, process and a random part: no two processes have the same, not even one after the other.
    pub id: String,
    /// The name of the machine.
    pub host: String,
}

impl Holder {
    /// This process; each call is another holder.
    pub fn new() -> Self {
        let host = nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .unwrap_or_else(|| "unknown".to_owned());
        let random = uuid::Uuid::new_v4().simple();
        Self {
            id: format!("{host}/{}/{random}", std::process::id()),
            host,
        }
    }

    /// Machine and process of a [`Self::id`].
    pub fn parts(id: &str) -> (&str, Option<i32>) {
        let mut parts = id.split('/');
        let host = parts.next().unwrap_or(id);
        (host, parts.next().and_then(|process| process.parse().ok()))
    }
}

/// The present time of leases, in milliseconds since 1970-01-01 UTC. Machines that share a PostgreSQL may disagree about
/// the time; a SQLite file is used from one machine.
pub(crate) async fn now(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    if connection.get_database_backend() != DatabaseBackend::Postgres {
        return Ok(Utc::now().millis());
    }
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";
    let row = connection
        .query_one_raw(Statement::from_string(DatabaseBackend::Postgres, sql))
        .await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the time".to_owned()))?
        .try_get("", "now")
}

/// Can somebody else take a lease that its holder cannot renew? Not on SQLite: what keeps the holder from writing there
/// is a long transaction, mostly its own, and that keeps the others from writing, too.
pub(super) fn may_be_taken_unseen(database: &Database) -> bool {
    database.backend() == DatabaseBackend::Postgres
}

/// Does somebody hold the worker? A lease that ends later than any lease can was written before the clock was set back:
/// it must not block the worker until the clock has caught up.
pub(super) fn is_live(row: &Model, now: i64) -> bool {
    let latest = now.saturating_add(row.lease_ms.saturating_mul(2));
    row.holder.is_some()
        && row
            .lease_until
            .is_some_and(|end| end > now && end <= latest)
}

/// Does this process hold it? Others may have taken it since, so this says it only of the row as it is.
pub(super) fn is_held_by(row: &Model, holder: &Holder) -> bool {
    row.holder.as_deref() == Some(holder.id.as_str())
}

/// Takes the lease, unless somebody holds it. A run that was lost ends here, and is made up for at once.
pub(super) fn take(
    row: &mut Model,
    holder: &Holder,
    work: &dyn Work,
    lease: Duration,
    now: i64,
) -> bool {
    if is_live(row, now) {
        return false;
    }
    if let Some(started_at) = row.started_at.take() {
        let host = row.host.as_deref().unwrap_or("an unknown host");
        row.last_error = Some(format!("the process that ran it on {host} is gone"));
        row.last_started_at = Some(started_at);
        row.last_finished_at = None;
        row.last_outcome = Some(RunOutcome::Lost.as_str().to_owned());
        row.last_changes = 0;
        "[]".clone_into(&mut row.last_problems);
        row.next_due_at = now;
    }
    work.kind().as_str().clone_into(&mut row.kind);
    row.schedule = work.schedule().to_string();
    row.interval_ms = work.schedule().interval_ms();
    // Nobody knows what has happened since somebody last held it; but a pause after failures goes on.
    row.next_due_at = if row.failures > 0 {
        due_at(row, now)
    } else {
        now
    };
    row.holder = Some(holder.id.clone());
    row.host = Some(holder.host.clone());
    renew(row, lease, now);
    true
}

/// Makes the lease last from now on.
pub(super) fn renew(row: &mut Model, lease: Duration, now: i64) {
    row.lease_ms = millis(lease);
    row.lease_until = Some(now.saturating_add(row.lease_ms));
    row.heartbeat_at = Some(now);
}

/// Gives the lease back.
pub(super) fn release(row: &mut Model) {
    row.holder = None;
    row.host = None;
    row.lease_until = None;
}
