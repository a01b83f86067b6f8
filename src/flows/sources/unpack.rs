//! What an archive has, written into a folder. The archive is not trusted: nothing is written outside of the folder, nothing
//! but regular files and folders is made, and what is too much is refused by what really comes, not by what is said of it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::files;
use crate::flows::template::path::{PathError, RelativePath};
use crate::text::shorten;

/// The most files and folders, and the deepest folders: what a template may have.
pub(super) const MOST_ENTRIES: usize = 20_000;
const DEEPEST: usize = 32;
/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}: {1}")]
    Path(String, PathError),
    #[error("the name {0:?} in it is no UTF-8")]
    Name(String),
    #[error("{0} is a link; links are not taken")]
    Link(String),
    #[error("{0} is neither a file nor a folder")]
    Special(String),
    #[error("{0} is in it twice, or is a file and a folder")]
    Twice(String),
    #[error("{0} is encrypted")]
    Encrypted(String),
    #[error("it has more than {MOST_ENTRIES} files and folders, or folders deeper than {DEEPEST}")]
    TooMany,
    #[error("unpacked, it is larger than {0} MiB")]
    TooLarge(u64),
    #[error("it cannot be read: {0}")]
    Broken(String),
    #[error("it is no archive: tar, tar.gz and zip are read")]
    Unknown,
    /// Not the archive's fault.
    #[error("{0}")]
    Disk(io::Error),
}

/// The folder into which an archive is unpacked.
pub(super) struct Unpacker {
    root: PathBuf,
    most_mib: u64,
    /// How many bytes may come.
    left: u64,
    entries: usize,
}

impl Unpacker {
    /// Into a folder that is empty and that nobody else writes to; at most so many MiB.
    pub fn new(root: &Path, most_mib: u64) -> Self {
        Self {
            root: root.to_owned(),
            most_mib,
            left: most_mib.saturating_mul(1 << 20),
            entries: 0,
        }
    }

    /// Counts something that the archive has.
    pub fn count(&mut self) -> Result<(), Refused> {
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return Err(Refused::TooMany);
        }
        Ok(())
    }

    /// Makes a folder, which may be there.
    pub fn folder(&mut self, name: &[u8]) -> Result<(), Refused> {
        self.count()?;
        match path(name)? {
            Some(path) => self.make_folder(&path),
            // The folder itself.
            None => Ok(()),
        }
    }

    /// Makes a file, which may not be there, of all that comes. Says how many bytes these were.
    pub fn file(
        &mut self,
        name: &[u8],
        is_executable: bool,
        bytes: &mut dyn Read,
    ) -> Result<u64, Refused> {
        self.count()?;
        let shown = show(name);
        let path = path(name)?.ok_or(Refused::Path(shown, PathError::Empty))?;
        if name.ends_with(b"/") {
            return Err(Refused::Path(path.to_string(), PathError::Folder));
        }
        if let Some(folder) = path.folder() {
            self.make_folder(&folder)?;
        }
        let mode = if is_executable { 0o700 } else { 0o600 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(self.root.join(path.as_str()))
            .map_err(|error| taken(&path, error))?;
        let mut piece = vec![0; PIECE];
        let mut written = 0_u64;
        loop {
            let count = match bytes.read(&mut piece) {
                Ok(0) => return Ok(written),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Refused::Broken(format!("{path}: {error}"))),
            };
            let length = u64::try_from(count).unwrap_or(u64::MAX);
            let left = self.left.checked_sub(length);
            self.left = left.ok_or(Refused::TooLarge(self.most_mib))?;
            written = written.saturating_add(length);
            let piece = piece.get(..count).unwrap_or_default();
            file.write_all(piece).map_err(Refused::Disk)?;
        }
    }

    fn make_folder(&self, path: &RelativePath) -> Result<(), Refused> {
        if path.names().count() > DEEPEST {
            return Err(Refused::TooMany);
        }
        let folder = self.root.join(path.as_str());
        files::private_folder(&folder).map_err(|error| taken(path, error))
    }
}

/// A name of the archive as it can be shown.
pub(super) fn show(name: &[u8]) -> String {
    shorten(&String::from_utf8_lossy(name), 200)
}

/// The path that a name in an archive means; none: the outermost folder.
fn path(name: &[u8]) -> Result<Option<RelativePath>, Refused> {
    let text = std::str::from_utf8(name).map_err(|_| Refused::Name(show(name)))?;
    match RelativePath::any(text) {
        Ok(path) => Ok(Some(path)),
        Err(PathError::Empty) if !text.is_empty() => Ok(None),
        Err(error) => Err(Refused::Path(show(name), error)),
    }
}

/// Why something cannot be made in a folder in which nobody else makes anything.
fn taken(path: &RelativePath, error: io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory => Refused::Twice(path.to_string()),
        io::ErrorKind::InvalidFilename => Refused::Path(path.to_string(), PathError::TooLong),
        _ => Refused::Disk(error),
    }
}

/// The folder that an archive is about: the only one in it, if there is nothing else.
pub(super) fn outermost(root: &Path) -> io::Result<PathBuf> {
    let mut entries = fs::read_dir(root)?;
    if let (Some(only), None) = (entries.next().transpose()?, entries.next())
        && only.file_type()?.is_dir()
    {
        return Ok(only.path());
    }
    Ok(root.to_owned())
}
