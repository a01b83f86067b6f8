//! A small laboratory of labql's own making, for `labql demo` and for tests.
//!
//! Everything here is generated: names and numbers are invented, times are relative to the moment that the
//! caller passes, and the same moment gives the same content. The writers know nothing of labql's readers, so that
//! a test which reads what they wrote compares two independent accounts of a format.
//!
//! Each part of the laboratory is one module, with a function that writes it and a `Summary`.

pub mod autosubmit;
mod chance;
pub mod dtool;
mod error;
mod files;
pub mod flows;
pub mod fplanes;
mod pickle_writer;

use std::path::Path;

use chrono::{DateTime, Utc};

pub use error::DemoError;

/// What the laboratory holds, part by part.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The Autosubmit root in the folder `autosubmit`.
    pub autosubmit: autosubmit::Summary,
    /// The datasets in the folder `datasets`.
    pub datasets: dtool::Summary,
    /// The focal planes in the folder `fplanes`.
    pub fplanes: fplanes::Summary,
    /// The workflows in the folder `flows`.
    pub flows: flows::Summary,
}

/// Writes the whole laboratory below `path`: its Autosubmit root, `path/autosubmit`, its datasets, `path/datasets`, its
/// focal planes, `path/fplanes`, and its workflows, `path/flows`.
///
/// A laboratory that stands there already is replaced; see [`autosubmit::write_root`] for what protects other files.
pub fn write(path: &Path, now: DateTime<Utc>) -> Result<Summary, DemoError> {
    Ok(Summary {
        autosubmit: autosubmit::write_root(&path.join("autosubmit"), now)?,
        datasets: dtool::write_base(&path.join("datasets"), now)?,
        fplanes: fplanes::write_planes(&path.join("fplanes"), now)?,
        flows: flows::write_flows(&path.join("flows"), now)?,
    })
}
