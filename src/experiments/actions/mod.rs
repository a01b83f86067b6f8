//! What people may do with Autosubmit through labql.
//!
//! Below: actions as typed values, and how `autosubmit` is called for each ([`Action`], [`Profile`], [`launch`](launch())).
//! These know no database, and nothing of who may do what. Above: who may ([`rights`]), asking ([`Actions`]), and what
//! becomes of it ([`state`], [`keep`]).

mod action;
mod begin;
mod check;
mod clean;
mod conclude;
mod examine;
mod far;
mod keeping;
mod launch;
mod limits;
mod nudge;
mod pieces;
mod profile;
mod programs;
pub mod read;
mod request;
pub mod rights;
pub mod state;
mod store;
mod versions;
mod watch;
mod work;

pub use action::{Action, ActionKind, Create, FinalStatus, Invalid, SetStatus};
pub use keeping::Keeping;
pub use launch::{Refused, Verdict, launch, verdict, version, version_of};
pub use limits::Limits;
pub use profile::{ActionsConfig, Environment, Place, Profile, ProfileError, Ssh};
pub use request::{Actions, AskError, Asked};
pub use store::{ActionChange, ActionChangeKind, Piece};
pub use work::keep;
