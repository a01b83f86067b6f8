//! Background workers: what they do, and commands to them.

mod mutation;
mod query;
mod subscription;
mod types;

pub use mutation::WorkersMutation;
pub use query::WorkersQuery;
pub use subscription::WorkerUpdates;
pub use types::Worker;
