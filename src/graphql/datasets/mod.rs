//! Datasets and the base URIs that they lie in.

mod base_uri;
mod changes;
mod children;
mod dataset;
mod filter;
mod groups;
mod lineage;
mod manifest;
mod mutation;
mod overlay;
mod query;
mod related;
mod signed;
mod subscription;

pub use dataset::{Dataset, Person};
pub use filter::TimeRange;
pub use mutation::DatasetsMutation;
pub use query::DatasetsQuery;
pub use subscription::{DATASET_UPDATES, DatasetUpdates};
