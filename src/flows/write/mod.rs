//! Commands on workflows, groups and runs. Each is one transaction with its events, which are appended last; files are put in
//! their places before the rows that name them are there, and removed after these are gone.

pub mod cancel;
pub mod delete;
pub mod groups;
mod limits;
pub mod register;
pub mod retention;
pub mod start;
pub mod states;
pub mod uploads;
mod version;
pub mod workflows;

pub use crate::datasets::write::Author;

use sea_orm::ConnectionTrait;

use super::rights::{Asker, Role};
use crate::auth::viewer::ViewerUser;
use crate::entity::flow_run;
use crate::failure::{Failure, RejectionCode};

/// The lock under which runs are started and counted.
const QUEUE: &str = "flow-queue";

/// The row id of somebody who has an account.
fn account(user: &ViewerUser) -> Result<i64, Failure> {
    let none = || {
        let message = "this is for those who have an account here";
        Failure::rejected(RejectionCode::NotFound, None, message)
    };
    user.id.ok_or_else(none)
}

/// What is not there, or not for this caller.
fn unknown(field: &'static str, what: &str) -> Failure {
    let message = format!("there is no such {what}");
    Failure::rejected(RejectionCode::NotFound, Some(field), message)
}

/// What contradicts what is there.
fn conflict(field: Option<&'static str>, message: impl Into<String>) -> Failure {
    Failure::rejected(RejectionCode::Conflict, field, message)
}

/// Refuses whoever has not this role in the group of a run. What was made of the runs of all groups is for administrators to
/// change. Who may not see the run does not learn that there is one.
async fn check_run(
    connection: &impl ConnectionTrait,
    user: &ViewerUser,
    run: &flow_run::Model,
    role: Role,
) -> Result<(), Failure> {
    let asker = Asker::of_user(user);
    let has = match run.group_id {
        Some(group) => asker.role(connection, group).await?,
        None if user.is_admin => Some(Role::Owner),
        None if asker.takes_part(connection, run.workflow_id).await? => Some(Role::Viewer),
        None => None,
    };
    match has {
        Some(has) if has >= role => Ok(()),
        Some(_) => {
            let message = match run.group_id {
                Some(_) => format!("this needs the role {role} in the group of the run"),
                None => "this is for administrators".to_owned(),
            };
            let code = RejectionCode::NotFound;
            Err(Failure::rejected(code, Some("id"), message))
        }
        None => Err(unknown("id", "run")),
    }
}
