//! Readers of datasets as dtool writes them: bytes in, plain structs out.
//!
//! A reader knows neither labql's database nor its API. It trusts nothing that it reads and changes nothing. Folders and
//! buckets are read through one interface, that of `object_store`.

mod admin;
mod base_uri;
mod bucket;
mod content;
mod dataset;
mod folder;
pub(in crate::datasets) mod layout;
pub(in crate::datasets) mod manifest;
mod names;
mod problem;
mod readme;
mod settings;
mod storage;
mod store;
pub(in crate::datasets) mod time;

pub use base_uri::{BaseUri, DatasetUri, MAX_URI, Place, UriError};
pub use content::Part;
pub use dataset::{Reading, Survey};
pub use names::{MAX_LENGTH as MAX_NAME, is_valid as is_valid_name};
pub use problem::{Problem, ReadError, StoreError};
pub use readme::parse as parse_readme;
pub use settings::{BucketSettings, FolderSettings, Limits, StorageSettings};
pub use storage::Storage;
pub use store::Store;
