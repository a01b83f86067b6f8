//! The storage of a base URI: which datasets are in it, and their bytes.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::base_uri::{BaseUri, DatasetUri, Place, UriError};
use super::bucket::Bucket;
use super::folder::Folder;
use super::layout::{ADMIN_IN_FOLDER, Layout, REGISTRATION};
use super::problem::{Problem, ReadError, StoreError};
use super::settings::{FolderSettings, Limits, StorageSettings};

/// The most of a registration that is read, in bytes; it holds a prefix of keys.
const MAX_REGISTRATION: u64 = 1024;
/// How much of a bucket a page has: no service gives more.
const PAGE: usize = 1000;
/// Folders that are looked into at once, to see whether they are datasets.
const LOOKS_AT_ONCE: usize = 16;

/// Storage that lists by prefixes, in pages.
trait Objects: ObjectStore + PaginatedListStore {}
impl<T: ObjectStore + PaginatedListStore> Objects for T {}

/// The storage of one base URI. A clone is the same storage.
#[derive(Clone)]
pub struct Store {
    base: BaseUri,
    objects: Arc<dyn Objects>,
    signer: Option<Arc<dyn Signer>>,
    /// Of a folder its canonical path.
    folder: Option<PathBuf>,
    limits: Limits,
}

impl Store {
    /// The storage of a base URI. A folder must be there; of a bucket nothing is asked yet. This blocks: see
    /// [`Storage`](super::Storage).
    ///
    /// # Errors
    /// [`StoreError`]: the settings do not allow it, or it cannot be used.
    pub fn open(base: &BaseUri, settings: &StorageSettings) -> Result<Self, StoreError> {
        let limits = settings.limits.clone();
        match base.place() {
            Place::Folder(_) => {
                let folder = open_folder(base, settings)?;
                Ok(Self {
                    base: base.clone(),
                    folder: Some(folder.root().to_owned()),
                    objects: Arc::new(folder),
                    signer: None,
                    limits,
                })
            }
            Place::Bucket(name) => {
                let bucket = open_bucket(base, name, settings)?;
                Ok(Self {
                    base: base.clone(),
                    objects: Arc::new(bucket.store),
                    signer: Some(Arc::new(bucket.signer)),
                    folder: None,
                    limits,
                })
            }
        }
    }

    /// Are these one, with the same connections?
    #[cfg(test)]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.objects, &other.objects)
    }

    /// The base URI.
    pub fn base(&self) -> &BaseUri {
        &self.base
    }

    /// Of a folder its canonical path.
    pub(in crate::datasets) fn folder(&self) -> Option<&FilePath> {
        self.folder.as_deref()
    }

    /// Of a bucket what its objects are reached by.
    pub(in crate::datasets) fn objects(&self) -> &dyn ObjectStore {
        &self.objects
    }

    pub(super) fn signer(&self) -> Option<&dyn Signer> {
        self.signer.as_deref()
    }

    pub(in crate::datasets) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The URI of what lies here under a name.
    ///
    /// # Errors
    /// [`UriError`]: the name cannot stand in a URI.
    pub fn dataset(&self, name: &str) -> Result<DatasetUri, UriError> {
        self.base.dataset(name)
    }

    /// The datasets, frozen or not, as they are found and in no order. What looks like one and cannot be one is a
    /// problem; the last problem may be that the storage itself could not be listed to its end.
    pub fn list(&self) -> BoxStream<'static, Result<DatasetUri, Problem>> {
        match self.base.place() {
            Place::Folder(_) => self.list_folders(),
            Place::Bucket(_) => self.list_registrations(),
        }
    }

    /// A folder is a dataset if `.dtool/dtool` is in it.
    fn list_folders(&self) -> BoxStream<'static, Result<DatasetUri, Problem>> {
        let pages = self.pages(None);
        let store = self.clone();
        pages
            .map_ok(|page| stream::iter(page.folders.into_iter().map(Ok)))
            .try_flatten()
            .map(move |name: Result<Path, Problem>| {
                let store = store.clone();
                async move {
                    match name {
                        Ok(name) => store.look(&name).await,
                        Err(problem) => Some(Err(problem)),
                    }
                }
            })
            .buffer_unordered(LOOKS_AT_ONCE)
            .filter_map(std::future::ready)
            .boxed()
    }

    async fn look(&self, folder: &Path) -> Option<Result<DatasetUri, Problem>> {
        let admin = Path::parse(format!("{folder}/{ADMIN_IN_FOLDER}")).ok()?;
        match self.objects.head(&admin).await.map_err(ReadError::from) {
            Ok(_) => Some(self.dataset(folder.as_ref()).map_err(|error| {
                let source = format!("{}/{folder}", self.base);
                Problem::new(source, format_args!("the URI {error}"))
            })),
            Err(ReadError::Missing) => None,
            Err(error) => Some(Err(Problem::of(format!("{}/{admin}", self.base), &error))),
        }
    }

    /// A bucket has an object `dtool-UUID` for each dataset.
    fn list_registrations(&self) -> BoxStream<'static, Result<DatasetUri, Problem>> {
        let base = self.base.clone();
        // What has a slash is none, and would spoil a page if it had two.
        self.pages(Some(REGISTRATION.to_owned()))
            .map_ok(|page| stream::iter(page.objects.into_iter().map(Ok)))
            .try_flatten()
            .map_ok(|object| object.location)
            .map(move |key: Result<Path, Problem>| {
                let key = key?;
                let uuid = key
                    .as_ref()
                    .strip_prefix(REGISTRATION)
                    .unwrap_or(key.as_ref());
                let uri = base.dataset(uuid);
                uri.map_err(|error| Problem::new(format!("{base}/{key}"), error))
            })
            .boxed()
    }

    /// What begins with a prefix and goes no deeper, a page at a time.
    fn pages(&self, prefix: Option<String>) -> BoxStream<'static, Result<Children, Problem>> {
        let store = self.clone();
        // The token of the next page; none after the last one.
        let first: Option<Option<String>> = Some(None);
        stream::try_unfold(first, move |token| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(token) = token else { return Ok(None) };
                let page = store
                    .page(prefix.as_deref(), token, None)
                    .await
                    .map_err(|error| Problem::of(store.base.as_str(), &error))?;
                let (children, next) = page;
                Ok(Some((children, next.map(Some))))
            }
        })
        .boxed()
    }

    async fn page(
        &self,
        prefix: Option<&str>,
        token: Option<String>,
        most: Option<usize>,
    ) -> Result<(Children, Option<String>), ReadError> {
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            page_token: token,
            max_keys: most,
            ..PaginatedListOptions::default()
        };
        let page = self.objects.list_paginated(prefix, options).await?;
        let children = Children {
            objects: page.result.objects,
            folders: page.result.common_prefixes,
        };
        Ok((children, page.page_token))
    }

    /// What is right in a folder, unless that is more than so much.
    pub(in crate::datasets) async fn children(
        &self,
        folder: &Path,
        most: usize,
    ) -> Result<Children, ReadError> {
        let prefix = format!("{folder}/");
        let mut found = Children::default();
        let mut token = None;
        loop {
            // One more than allowed tells that there are too many.
            let left = most.saturating_add(1).saturating_sub(found.len());
            // What is in a folder comes as one page.
            let left = match self.base.place() {
                Place::Folder(_) => left,
                Place::Bucket(_) => left.min(PAGE),
            };
            let (page, next) = self.page(Some(&prefix), token, Some(left)).await?;
            // Some programs show a folder by an object of its name.
            let objects = page.objects.into_iter();
            found
                .objects
                .extend(objects.filter(|object| object.location != *folder));
            found.folders.extend(page.folders);
            if found.len() > most {
                return Err(ReadError::TooMany(most));
            }
            token = next;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// What is known of a file; none if it is not there.
    pub(in crate::datasets) async fn stat(
        &self,
        location: &Path,
    ) -> Result<Option<ObjectMeta>, ReadError> {
        match self.objects.head(location).await.map_err(ReadError::from) {
            Ok(meta) => Ok(Some(meta)),
            Err(ReadError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All bytes of a file of at most so many.
    pub(in crate::datasets) async fn bytes(
        &self,
        location: &Path,
        limit: u64,
    ) -> Result<Bytes, ReadError> {
        let result = self.objects.get(location).await?;
        let size = result.meta.size;
        if size > limit {
            return Err(ReadError::TooLarge { size, limit });
        }
        Ok(result.bytes().await?)
    }

    /// Fails unless the bucket can be listed, and holds no registration of this dataset: an object is not found either
    /// where there is no such bucket.
    pub(super) async fn confirm_absence(&self, uri: &DatasetUri) -> Result<(), ReadError> {
        if self.folder.is_some() {
            return Ok(());
        }
        let key = format!("{REGISTRATION}{}", uri.name());
        let (page, _) = self.page(Some(&key), None, Some(1)).await?;
        if page.objects.iter().any(|it| it.location.as_ref() == key) {
            return Err(ReadError::Unavailable("it is being written".into()));
        }
        Ok(())
    }

    /// Where a dataset lies. For one in a bucket this asks for its registration.
    pub(in crate::datasets) async fn layout(&self, uri: &DatasetUri) -> Result<Layout, ReadError> {
        match self.base.place() {
            Place::Folder(_) => Layout::folder(uri.name()),
            Place::Bucket(_) => {
                let key = Path::from(format!("{REGISTRATION}{}", uri.name()));
                let prefix = self.bytes(&key, MAX_REGISTRATION).await?;
                let prefix = std::str::from_utf8(&prefix).map_err(|error| {
                    ReadError::Invalid(format!("{key} holds no prefix: {error}"))
                })?;
                Layout::bucket(prefix, uri.name())
            }
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// What is in a folder, or begins with a prefix.
#[derive(Default)]
pub(in crate::datasets) struct Children {
    pub(in crate::datasets) objects: Vec<ObjectMeta>,
    pub(super) folders: Vec<Path>,
}

impl Children {
    fn len(&self) -> usize {
        self.objects.len().saturating_add(self.folders.len())
    }

    /// Whether a folder of this name is among it.
    pub(super) fn has_folder(&self, name: &str) -> bool {
        self.folders
            .iter()
            .any(|folder| folder.filename() == Some(name))
    }

    /// The file of a name.
    pub(super) fn file(&self, location: &Path) -> Option<&ObjectMeta> {
        self.objects
            .iter()
            .find(|object| object.location == *location)
    }
}

fn open_folder(base: &BaseUri, settings: &StorageSettings) -> Result<Folder, StoreError> {
    let failed = |path: &FilePath| {
        let path = path.display().to_string();
        |source| StoreError::Folder { path, source }
    };
    let mut nearest: Option<(&FolderSettings, &FilePath, PathBuf)> = None;
    let aboves = settings
        .folders
        .iter()
        .map(|folder| BaseUri::parse(&folder.uri));
    let aboves: Vec<BaseUri> = aboves.collect::<Result<_, _>>()?;
    for (folder, above) in settings.folders.iter().zip(&aboves) {
        let (Some(rest), Place::Folder(in_uri)) = (base.below(above), above.place()) else {
            continue;
        };
        let is_nearer = |(_, known, _): &(_, &FilePath, _)| {
            rest.components().count() < known.components().count()
        };
        if nearest.as_ref().is_none_or(is_nearer) {
            let root = folder.path.as_ref().unwrap_or(in_uri);
            nearest = Some((folder, rest, root.clone()));
        }
    }
    let (folder, rest, root) = nearest.ok_or_else(|| StoreError::NoFolder(base.to_string()))?;
    // Not into other base URIs below the same folder: those are for other people.
    let path = root.join(rest);
    let opened = Folder::open(&path, &folder.allowed_folders).map_err(failed(&path))?;
    // Whoever may write there could have made a link of the base URI itself.
    let may_be = opened.is_in(&root).map_err(failed(&root))?
        || folder
            .allowed_folders
            .iter()
            .any(|allowed| opened.is_in(allowed).unwrap_or_default());
    if may_be {
        Ok(opened)
    } else {
        Err(StoreError::NoFolder(base.to_string()))
    }
}

fn open_bucket(
    base: &BaseUri,
    name: &str,
    settings: &StorageSettings,
) -> Result<Bucket, StoreError> {
    let bucket = settings
        .bucket(name)
        .ok_or_else(|| StoreError::NoBucket(base.to_string()))?;
    Bucket::open(name, bucket).map_err(|error| StoreError::Settings {
        bucket: base.to_string(),
        message: error.to_string(),
    })
}
