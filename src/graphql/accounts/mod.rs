//! Users, API keys and logging in.

mod mutation;
mod query;
mod types;

pub use mutation::AccountsMutation;
pub use query::AccountsQuery;
pub use types::{ApiKey, BaseUriGrant, User};
