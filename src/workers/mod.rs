//! Background work: named, recurring, one run at a time over all processes that share the database.
//!
//! A process that has a worker configured tries to hold its **lease**, and runs the work as long as it does. Everything
//! that is known of a worker stands in one row of the database; each change of it is a pure function of the row and the
//! moment ([`lease`], [`turn`], [`commands`]), done in one transaction together with the event that tells of it
//! ([`store`]). The status is told from the row and the moment ([`status`]), so a process that vanished shows as what it
//! is, although nobody wrote that down.

pub mod commands;
mod lease;
pub mod read;
mod retention;
mod run;
mod schedule;
mod settings;
mod snapshot;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod turn;
mod work;

pub(crate) use lease::{Holder, now};
pub use retention::EventRetention;
pub use run::Workers;
pub use schedule::Schedule;
pub use settings::WorkersSettings;
pub use snapshot::{LastRun, RunOutcome, Snapshot, Telling};
pub use status::WorkerStatus;
pub use work::{Cause, Outcome, Run, Work, WorkerKind, WorkerProblem};
