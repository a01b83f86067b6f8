//! Changes of datasets where they lie, in folders and buckets: tags, annotations and READMEs, as dtool itself changes those of
//! datasets that are frozen. Items and manifests are never touched.
//!
//! Each file is changed at once: whoever reads it meanwhile, dtool or labql, finds it as it was or as it is.

mod bucket;
mod folder;

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::Value;

use super::readers::layout::{Collection, Layout, README};
use super::readers::{DatasetUri, ReadError, Store};

/// A change of one file.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// There is this tag.
    PutTag(String),
    /// There is no such tag.
    RemoveTag(String),
    /// This annotation has this value.
    PutAnnotation(String, Value),
    /// There is no such annotation.
    RemoveAnnotation(String),
    /// The README is this text. What it was is kept beside it, as dtool does.
    Readme(String),
}

impl Store {
    /// The tags of a dataset, as they are now; none: there is no dataset.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn tags(&self, uri: &DatasetUri) -> Result<Option<BTreeSet<String>>, ReadError> {
        let Some(layout) = self.found(uri).await? else {
            return Ok(None);
        };
        let folder = layout.collection(Collection::Tags);
        let files = self
            .children(&folder, self.limits().metadata_files)
            .await?
            .objects;
        let names = files.iter().filter_map(|file| file.location.filename());
        Ok(Some(names.map(str::to_owned).collect()))
    }

    /// Changes a dataset, one file after the other; what is so already stays as it is. Says whether there is a dataset. After an
    /// error some files may have changed.
    ///
    /// # Errors
    /// [`ReadError::Denied`] where labql may not write; [`ReadError::Invalid`] for what dtool could not read;
    /// [`ReadError::TooLarge`] if the README that would be kept is larger than those that are read; [`ReadError::Missing`] where a link would have to be followed; [`ReadError::Unavailable`].
    pub async fn edit(&self, uri: &DatasetUri, edits: Vec<Edit>) -> Result<bool, ReadError> {
        let Some(layout) = self.found(uri).await? else {
            return Ok(false);
        };
        match self.folder() {
            Some(root) => {
                let (root, name) = (root.to_owned(), uri.name().to_owned());
                folder::write(root, name, edits, self.limits().readme_bytes).await?;
            }
            None => bucket::write(self, &layout, &edits).await?,
        }
        Ok(true)
    }

    /// Where a dataset is at this moment; none: there is none.
    ///
    /// # Errors
    /// What the storage says.
    pub(super) async fn found(&self, uri: &DatasetUri) -> Result<Option<Layout>, ReadError> {
        let layout = match self.layout(uri).await {
            Ok(layout) => layout,
            Err(ReadError::Missing) => return Ok(None),
            Err(error) => return Err(error),
        };
        let admin = self.stat(&layout.admin()).await?;
        Ok(admin.map(|_| layout))
    }
}

/// What a README that is replaced is called afterwards: its name, and when that was in seconds.
fn backup() -> String {
    let now = Utc::now();
    let (seconds, micros) = (now.timestamp(), now.timestamp_subsec_micros());
    format!("{README}-{seconds}.{micros:06}")
}

/// JSON as dtool writes it.
fn json(value: &Value) -> String {
    // A value always becomes JSON.
    serde_json::to_string_pretty(value).unwrap_or_default()
}
