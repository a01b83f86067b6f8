//! A base URI with datasets as dtool 3.27 keeps them in a folder: raw data, what was derived from them, and figures.

mod dataset;
mod laboratory;
mod readme;
mod tables;

use std::path::Path;

use chrono::{DateTime, Utc};

use super::{DemoError, files};

/// The base URI under which the datasets are registered, wherever their folder is.
pub const BASE_URI: &str = "file://demo/datasets";

/// What a base URI holds, for comparison with what is read from it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its datasets, in the order in which they were written.
    pub datasets: Vec<DatasetSummary>,
}

/// What was written of a dataset.
#[derive(Clone, Debug)]
pub struct DatasetSummary {
    /// Its name, which is the last part of its URI.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Whether it is frozen; one that is not is none yet.
    pub is_frozen: bool,
    /// How many items it has.
    pub items: usize,
    /// Their size together, in bytes.
    pub size_bytes: u64,
    /// The UUIDs of what it was derived from, registered or not.
    pub derived_from: Vec<String>,
}

/// Writes the demo's base URI: a dozen datasets.
///
/// A demo that stands there already is replaced. A folder that holds anything else is left alone, with
/// [`DemoError::NotADemo`].
pub fn write_base(path: &Path, now: DateTime<Utc>) -> Result<Summary, DemoError> {
    files::folder(path)?;
    files::clear(path)?;
    let datasets = laboratory::datasets();
    let names: Vec<&str> = datasets.iter().map(|dataset| dataset.name).collect();
    files::write(&path.join(files::MARKER), names.join("\n") + "\n", now)?;
    let datasets = datasets
        .iter()
        .map(|dataset| dataset.write(&path.join(dataset.name), now))
        .collect::<Result<_, _>>()?;
    Ok(Summary { datasets })
}
