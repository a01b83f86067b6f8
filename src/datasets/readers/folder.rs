//! A folder as an object store that can only be read, and out of which nothing leads.
//!
//! The local store of `object_store` follows symbolic links to anywhere. This one follows them while they stay inside
//! the folder, or lead into a folder that was allowed besides.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use nix::libc;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use tokio::task::spawn_blocking;

use crate::beneath::{Beneath, file_at, metadata_at};

/// A folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    allowed: Vec<PathBuf>,
}

impl Folder {
    /// The folder at a path, with further folders into which symbolic links may lead.
    pub(super) fn open(path: &std::path::Path, allowed: &[PathBuf]) -> io::Result<Self> {
        let canonical = |path: &std::path::Path| {
            let path = fs::canonicalize(path)?;
            if path.is_dir() {
                Ok(path)
            } else {
                Err(io::Error::from(io::ErrorKind::NotADirectory))
            }
        };
        let inner = Inner {
            root: canonical(path)?,
            allowed: allowed
                .iter()
                .map(|path| canonical(path))
                .collect::<io::Result<_>>()?,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Its canonical path.
    pub(super) fn root(&self) -> &std::path::Path {
        &self.inner.root
    }

    /// Does it lie in this folder, or is it this folder?
    pub(super) fn is_in(&self, folder: &std::path::Path) -> io::Result<bool> {
        Ok(self.inner.root.starts_with(fs::canonicalize(folder)?))
    }

    /// Does something with the folder on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        spawn_blocking(move || work(&inner)).await?
    }
}

impl Inner {
    /// The canonical path of something in the folder.
    fn resolve(&self, location: &str) -> Result<PathBuf> {
        let failed = |error| failure(location, error);
        let path = fs::canonicalize(self.root.join(location)).map_err(failed)?;
        let inside = path.starts_with(&self.root)
            || self.allowed.iter().any(|folder| path.starts_with(folder));
        if inside {
            Ok(path)
        } else {
            let message = "a symbolic link leads out of the folder";
            let error = io::Error::new(io::ErrorKind::PermissionDenied, message);
            Err(failed(error))
        }
    }

    fn get(&self, location: Path, options: &GetOptions) -> Result<GetResult> {
        let failed = |error| failure(location.as_ref(), error);
        let path = self.resolve(location.as_ref())?;
        // What has become a link since is not followed.
        let file = file_at(&path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let meta = meta(location, &metadata);
        options.check_preconditions(&meta)?;
        let range = options.range.as_ref();
        let range = range.map_or(Ok(0..meta.size), |range| range.as_range(meta.size));
        let range: Range<u64> = range.map_err(|source| Error::Generic {
            store: "folder",
            source: source.into(),
        })?;
        Ok(GetResult {
            payload: GetResultPayload::File(file, path),
            meta,
            range,
            attributes: object_store::Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    /// What is right in one folder, at most so much of it. What has a name that is no text, or no name for an object, is left
    /// out. A folder that is not there is empty, but that of the base URI.
    fn children(&self, folder: &str, most: usize) -> Result<ListResult> {
        let mut found = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Extensions::default(),
        };
        let failed = |error| failure(folder, error);
        let opened = self
            .resolve(folder)
            .and_then(|path| Beneath::open(&path).map_err(failed));
        let opened = match opened {
            Err(Error::NotFound { .. }) if !folder.is_empty() => return Ok(found),
            opened => opened?,
        };
        for name in opened.names().map_err(failed)? {
            let name = name.map_err(failed)?;
            let Some(name) = name.to_str() else { continue };
            let location = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            let Ok(path) = Path::parse(location) else {
                continue;
            };
            match self.child(&opened, name, &path) {
                Ok(metadata) if metadata.is_dir() => found.common_prefixes.push(path),
                Ok(metadata) if metadata.is_file() => found.objects.push(meta(path, &metadata)),
                Ok(_) | Err(Error::NotFound { .. }) => {}
                // A file or a folder: whoever reads it learns what is wrong.
                Err(_) => {
                    found.objects.push(unseen(path.clone()));
                    found.common_prefixes.push(path);
                }
            }
            if found.objects.len() + found.common_prefixes.len() >= most {
                break;
            }
        }
        Ok(found)
    }

    /// What is known of something in a folder, and of what a link there leads to.
    fn child(&self, folder: &Beneath, name: &str, path: &Path) -> Result<Metadata> {
        let failed = |error| failure(path.as_ref(), error);
        let metadata = folder.metadata(name).map_err(failed)?;
        if metadata.is_symlink() {
            return metadata_at(&self.resolve(path.as_ref())?).map_err(failed);
        }
        Ok(metadata)
    }
}

/// Something that is there, but cannot be seen: reading it will tell why.
pub(super) fn unseen(location: Path) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: DateTime::UNIX_EPOCH,
        size: 0,
        e_tag: None,
        version: None,
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn failure(location: &str, error: io::Error) -> Error {
    let path = location.to_owned();
    if is_missing(&error) {
        let source = error.into();
        return Error::NotFound { path, source };
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        let source = error.into();
        return Error::PermissionDenied { path, source };
    }
    // A link that leads to itself, a name that is too long.
    let lasting = matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENAMETOOLONG));
    let source = error.into();
    if lasting {
        Error::PermissionDenied { path, source }
    } else {
        let store = "folder";
        Error::Generic { store, source }
    }
}

fn meta(location: Path, metadata: &Metadata) -> ObjectMeta {
    // A file that was replaced has another inode, and new permissions show in the time of the inode alone.
    let e_tag = format!(
        "{:x}-{:x}.{:x}-{:x}.{:x}-{:x}",
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
        metadata.len(),
    );
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    ObjectMeta {
        location,
        last_modified: DateTime::<Utc>::from_timestamp(metadata.mtime(), nanoseconds)
            .unwrap_or_default(),
        size: metadata.len(),
        e_tag: Some(e_tag),
        version: None,
    }
}

fn read_only<T>() -> Result<T> {
    Err(Error::NotSupported {
        source: "the folder is read only".into(),
    })
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.root.display().fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Folder {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let location = location.clone();
        self.blocking(move |inner| inner.get(location, &options))
            .await
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = prefix.map(ToString::to_string).unwrap_or_default();
        self.blocking(move |inner| inner.children(&folder, usize::MAX))
            .await
    }

    /// Not implemented: datasets are read a folder at a time.
    fn list(&self, _prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let error = Error::NotImplemented {
            operation: "list".into(),
            implementer: self.to_string(),
        };
        stream::iter([Err(error)]).boxed()
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        read_only()
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        read_only()
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::iter([read_only()]).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        read_only()
    }
}

/// Of the options, the bound on the number of results is heeded. What is right in a folder comes as one page.
#[async_trait]
impl PaginatedListStore for Folder {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let folder = prefix.unwrap_or_default().trim_end_matches('/').to_owned();
        let most = options.max_keys.unwrap_or(usize::MAX);
        let result = self
            .blocking(move |inner| inner.children(&folder, most))
            .await?;
        Ok(PaginatedListResult {
            result,
            page_token: None,
        })
    }
}
