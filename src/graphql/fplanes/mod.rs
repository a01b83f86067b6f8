//! Focal planes: what was in each slot and where, as of any instant and by what was known at any time.

mod correction;
mod difference;
mod history;
mod mutation;
mod nodes;
mod outcome;
mod plane;
mod problem;
mod query;
mod record;
mod sky;
mod slot;
mod source;
mod subscription;
mod tag;

pub use history::FplaneHistoryQuery;
pub use mutation::FplanesMutation;
pub use plane::Fplane;
pub use query::FplanesQuery;
pub use record::FplaneRecord;
pub use source::FplaneSource;
pub use subscription::FplaneUpdates;
pub use tag::FplaneTag;

pub(super) use nodes::by_ids;
