//! What people have Autosubmit do: asking for it, withdrawing it, what became of it, and who may.

mod mutation;
mod profile;
mod query;
mod rights;
mod subscription;
mod types;

pub use mutation::ActionsMutation;
pub use query::ActionsQuery;
pub(super) use query::{ActionList, ActionOrder};
pub use rights::{ActionRight, ActionRightsMutation};
pub use subscription::ActionUpdates;
pub use types::{Action, ActionConnection};
