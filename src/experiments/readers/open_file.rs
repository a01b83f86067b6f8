//! Files of a root that are open for reading. What is read of roots is counted here, and nowhere else:
//!
//! | metric | |
//! | --- | --- |
//! | `labql_source_files_opened_total` | files that were opened |
//! | `labql_source_folders_listed_total` | folders whose entries were gone through |
//! | `labql_source_bytes_total` | bytes that were read from those files |
//!
//! Looks at a file's size and times alone do not count.
//!
//! Paths come here after all links in them have been followed and found to lead nowhere else. Whoever may write in an
//! experiment's folder can put a link in the place of a folder a moment later; so a path is gone along folder by folder, and
//! what has become a link meanwhile is not followed.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::SourceError;
use crate::beneath::{Astray, names, step_by_step};

/// A regular file that is open for reading.
#[derive(Debug)]
pub struct OpenFile(File);

impl OpenFile {
    /// Opens a regular file by its canonical path. A pipe does not block, and a link that has just taken the place of
    /// the file, or of a folder above it, is not followed.
    ///
    /// # Errors
    /// [`SourceError::Foreign`] if it is a folder, a pipe or a device; [`SourceError::Missing`];
    /// [`SourceError::Changing`] if a link has taken a place; [`SourceError::Unreadable`].
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let file = File::from(step_by_step(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
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

/// The names in a folder, by its canonical path.
///
/// # Errors
/// As for [`OpenFile::open`].
pub(super) fn entries(
    path: &Path,
) -> Result<impl Iterator<Item = io::Result<OsString>> + use<>, SourceError> {
    let folder = step_by_step(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let names = names(folder)?;
    metrics::counter!("labql_source_folders_listed_total").increment(1);
    Ok(names)
}

/// Size and times of what stands at a canonical path.
///
/// # Errors
/// As for [`OpenFile::open`], but for what is not a file.
pub(super) fn metadata(path: &Path) -> Result<Metadata, SourceError> {
    Ok(File::from(step_by_step(path, OFlag::O_PATH)?).metadata()?)
}

impl From<Astray> for SourceError {
    fn from(astray: Astray) -> Self {
        match astray {
            // There was no link here when the path was found.
            Astray::Changed | Astray::Failed(Errno::ELOOP) => Self::Changing,
            Astray::Failed(error) => io::Error::from(error).into(),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_not_followed_wherever_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(home.join("real/inner")).unwrap();
        fs::write(home.join("real/inner/log"), "text").unwrap();
        symlink("real", home.join("link")).unwrap();
        symlink("log", home.join("real/inner/other")).unwrap();
        let mut text = String::new();
        let mut file = OpenFile::open(&home.join("real/inner/log")).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        for swapped in ["link/inner/log", "real/inner/other"] {
            let opened = OpenFile::open(&home.join(swapped));
            assert!(matches!(opened, Err(SourceError::Changing)), "{opened:?}");
        }
        let names = |path: &str| -> Result<Vec<OsString>, SourceError> {
            Ok(entries(&home.join(path))?.collect::<io::Result<_>>()?)
        };
        assert_eq!(names("real").unwrap(), ["inner"]);
        assert!(matches!(names("link/inner"), Err(SourceError::Changing)));
        let size = |path: &str| Ok::<_, SourceError>(metadata(&home.join(path))?.len());
        assert_eq!(size("real/inner/log").unwrap(), 4);
        assert!(matches!(size("link/inner/log"), Err(SourceError::Changing)));
        assert!(!metadata(&home.join("real/inner/other")).unwrap().is_file());
        assert!(matches!(size("real/none"), Err(SourceError::Missing)));
    }
}
