//! The content of datasets for others: items as files where they lie in folders, signed URLs where they lie in buckets.

use std::fs::File;
use std::io;
use std::time::Duration;

use object_store::signer::Method;
use tokio::task::spawn_blocking;

use super::base_uri::DatasetUri;
use super::layout::{Collection, DATA};
use super::problem::ReadError;
use super::store::Store;
use crate::beneath::Beneath;

/// A file of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// Who and what it is.
    Admin,
    /// The manifest.
    Manifest,
    /// The README.
    Readme,
    /// The overlay of a name.
    Overlay(&'p str),
    /// The annotation of a name.
    Annotation(&'p str),
    /// The item of an identifier.
    Item(&'p str),
}

impl Store {
    /// The file of an item in a folder, by its relative path; none: the dataset lies in a bucket. No link is followed, neither
    /// in the dataset nor to it.
    ///
    /// # Errors
    /// [`ReadError::Missing`], also for what is no file and what a link leads to; [`ReadError::Hostile`];
    /// [`ReadError::Denied`] and [`ReadError::Unavailable`] as the operating system says.
    pub async fn item_file(
        &self,
        uri: &DatasetUri,
        relpath: &str,
    ) -> Result<Option<File>, ReadError> {
        let Some(root) = self.folder() else {
            return Ok(None);
        };
        let mut names = vec![uri.name().to_owned(), DATA.to_owned()];
        let parts = relpath.split('/');
        names.extend(
            parts
                .filter(|part| !matches!(*part, "" | "."))
                .map(str::to_owned),
        );
        if names.iter().any(|name| name == "..") {
            return Err(ReadError::Hostile(relpath.to_owned()));
        }
        let root = root.to_owned();
        let opened = spawn_blocking(move || {
            let mut folder = Beneath::open(&root)?;
            let file = names.pop().unwrap_or_default();
            for name in &names {
                folder = folder.folder(name)?;
            }
            folder.file(&file)
        });
        match opened
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(file) => Ok(Some(file)),
            Err(error) => Err(ReadError::from(error)),
        }
    }

    /// URLs under which anybody can read these files of a dataset for so long (at most seven days), in their order; none for
    /// folders, which have no such URLs. Whether the files are there is not asked.
    ///
    /// # Errors
    /// What the storage says when it is asked where the dataset lies; [`ReadError::Hostile`].
    pub async fn signed_urls(
        &self,
        uri: &DatasetUri,
        parts: &[Part<'_>],
        expires_in: Duration,
    ) -> Result<Option<Vec<String>>, ReadError> {
        self.urls(uri, parts, Method::GET, expires_in).await
    }

    /// A URL for a request with this method for an item, as [`Store::signed_urls`] gives them.
    ///
    /// # Errors
    /// As for [`Store::signed_urls`].
    pub async fn signed_item(
        &self,
        uri: &DatasetUri,
        identifier: &str,
        method: Method,
        expires_in: Duration,
    ) -> Result<Option<String>, ReadError> {
        let parts = [Part::Item(identifier)];
        let urls = self.urls(uri, &parts, method, expires_in).await?;
        Ok(urls.and_then(|urls| urls.into_iter().next()))
    }

    async fn urls(
        &self,
        uri: &DatasetUri,
        parts: &[Part<'_>],
        method: Method,
        expires_in: Duration,
    ) -> Result<Option<Vec<String>>, ReadError> {
        let Some(signer) = self.signer() else {
            return Ok(None);
        };
        let layout = self.layout(uri).await?;
        let path = |part: &Part<'_>| {
            let in_folder = |of, name: &str| layout.collection(of).join(format!("{name}.json"));
            Ok(match part {
                Part::Admin => layout.admin(),
                Part::Manifest => layout.manifest(),
                Part::Readme => layout.readme(),
                Part::Overlay(name) => in_folder(Collection::Overlays, name),
                Part::Annotation(name) => in_folder(Collection::Annotations, name),
                Part::Item(identifier) => layout.object(identifier)?,
            })
        };
        let paths: Vec<_> = parts.iter().map(path).collect::<Result<_, ReadError>>()?;
        let urls = signer.signed_urls(method, &paths, expires_in).await?;
        Ok(Some(urls.iter().map(ToString::to_string).collect()))
    }
}
