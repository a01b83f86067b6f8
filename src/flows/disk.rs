//! Files of flows as they get their places and go: what is put together where nobody looks, and removed if nothing comes of it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::files;

/// What is removed when this is dropped, unless it has got its place: a file or a folder that nobody knows of yet.
#[derive(Debug)]
pub(crate) struct Draft(Option<PathBuf>);

impl Draft {
    /// What will be, or is, at this path.
    pub fn at(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// An empty folder, for its owner only.
    pub fn folder(path: PathBuf) -> io::Result<Self> {
        files::private_folder(&path)?;
        Ok(Self::at(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Puts it into its place for good. Blocks.
    pub fn place(mut self, place: &Path) -> io::Result<()> {
        let Some(draft) = &self.0 else { return Ok(()) };
        let folder = place.parent().unwrap_or(place);
        files::private_folder(folder)?;
        fs::rename(draft, place)?;
        self.0 = None;
        sync(folder)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let Some(path) = self.0.take() else { return };
        let remove = move || remove(&path);
        // Whoever drops it may be about to answer somebody.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Removes a file or folder, if it is there. What cannot be removed is told to the log: it is tried again when what nobody
/// names is looked for. Blocks.
pub(crate) fn remove(path: &Path) {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => files::remove_tree(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "it could not be removed");
        }
        _ => {}
    }
}

/// Removes files and folders beside all else.
pub(crate) async fn remove_all(paths: Vec<PathBuf>) {
    if paths.is_empty() {
        return;
    }
    let removed = tokio::task::spawn_blocking(move || {
        for path in &paths {
            remove(path);
        }
    });
    if let Err(error) = removed.await {
        tracing::warn!(%error, "files could not be removed");
    }
}

/// Sees to it that what was made in a folder is there after a failure of the machine, too. Blocks.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The failure that a file of labql's own cannot be written or read.
pub(crate) fn failed(error: &io::Error) -> Failure {
    let inside = format!("the files of flows: {error}");
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem => Failure::Unwritable(inside),
        _ => Failure::internal(inside),
    }
}
