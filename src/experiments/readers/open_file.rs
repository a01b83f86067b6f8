//! Files of a root that are open for reading. What is read of roots is counted here, and nowhere else:
//!
//! | metric | |
//! | --- | --- |
//! | `labql_source_files_opened_total` | files that were opened |
//! | `labql_source_folders_listed_total` | folders whose entries were gone through |
//! | `labql_source_bytes_total` | bytes that were read from those files |
//!
//! Looks at a file's size and times alone do not count.

use std::fs::{self, File, OpenOptions, ReadDir};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Deref;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

use super::SourceError;

/// A regular file that is open for reading.
#[derive(Debug)]
pub struct OpenFile(File);

impl OpenFile {
    /// Opens a regular file by its canonical path. A pipe does not block, and a link that has just taken the file's
    /// place is not followed.
    ///
    /// # Errors
    /// [`SourceError::Foreign`] if it is a folder, a pipe or a device; [`SourceError::Missing`];
    /// [`SourceError::Unreadable`].
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(SourceError::Foreign("not a regular file".into()));
        }
        metrics::counter!("labql_source_files_opened_total").increment(1);
        Ok(Self(file))
    }

    /// The file itself. What is read from it counts only if [`count_bytes`] is told of it.
    pub fn into_std(self) -> File {
        self.0
    }

    /// Fills the buffer from a place in the file.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)?;
        count_bytes(buffer.len() as u64);
        Ok(())
    }
}

/// Counts bytes that were read otherwise than through an [`OpenFile`].
pub fn count_bytes(bytes: u64) {
    metrics::counter!("labql_source_bytes_total").increment(bytes);
}

/// The entries of a folder.
pub(super) fn entries(path: &Path) -> Result<ReadDir, SourceError> {
    let entries = fs::read_dir(path)?;
    metrics::counter!("labql_source_folders_listed_total").increment(1);
    Ok(entries)
}

impl Deref for OpenFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        count_bytes(length as u64);
        Ok(length)
    }
}

impl Seek for OpenFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}
