//! The folder in which a template lies. It is not trusted: nothing outside of it is read, and links are not followed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nix::errno::Errno;

use super::path::RelativePath;
use crate::beneath::Beneath;

/// The most files that a template may bring, the most files and folders that are looked at, and the deepest folders.
const MOST_FILES: usize = 10_000;
const MOST_LOOKED_AT: usize = 20_000;
const DEEPEST: usize = 32;

/// An open folder.
pub(crate) struct Folder(Beneath);

/// A file that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub path: RelativePath,
    pub size_bytes: u64,
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("there is no such file")]
    Missing,
    #[error("it is no regular file, or a link, or lies behind one; links are not followed")]
    NotAFile,
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("there are more than {MOST_FILES} files, or folders deeper than {DEEPEST}")]
    TooMany,
    #[error("the name of a file in it is no UTF-8, or not allowed in a path")]
    Name,
    #[error("it cannot be read: {0}")]
    Failed(io::ErrorKind),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => Self::Missing,
            // A link where a folder or file was to be opened.
            Some(Errno::ENOTDIR | Errno::ELOOP) => Self::NotAFile,
            _ => Self::Failed(error.kind()),
        }
    }
}

impl Folder {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Beneath::open(&path.canonicalize()?)?))
    }

    /// The bytes of a file that is at most so large.
    pub fn read(&self, path: &RelativePath, most: u64) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        let file = self.file(path)?;
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
            Ok(bytes)
        } else {
            Err(ReadError::TooLarge(most))
        }
    }

    /// A regular file, open for reading.
    pub fn file(&self, path: &RelativePath) -> Result<File, ReadError> {
        let (folder, name) = self.enter(path)?;
        let folder = folder.as_ref().unwrap_or(&self.0);
        // What is there and is no file is not missing.
        let metadata = folder.metadata(name)?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile);
        }
        Ok(folder.file(name)?)
    }

    /// The folder in which a path ends, unless that is this one, and the last name of the path.
    fn enter<'p>(&self, path: &'p RelativePath) -> Result<(Option<Beneath>, &'p str), ReadError> {
        let mut folder = None;
        let mut names: Vec<&str> = path.names().collect();
        let last = names.pop().unwrap_or_default();
        for name in names {
            folder = Some(folder.as_ref().unwrap_or(&self.0).folder(name)?);
        }
        Ok((folder, last))
    }

    /// All files at or below a path, or in the whole folder without what Git keeps there; in the order of their paths.
    pub fn files(&self, path: Option<&RelativePath>) -> Result<Vec<Found>, ReadError> {
        let mut walk = Walk::default();
        match path {
            None => enter(&self.0, None, DEEPEST, &mut walk)?,
            Some(path) => {
                let (folder, name) = self.enter(path)?;
                let folder = folder.as_ref().unwrap_or(&self.0);
                visit(folder, name, path.clone(), DEEPEST, &mut walk)?;
            }
        }
        walk.found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(walk.found)
    }
}

/// What was found so far.
#[derive(Default)]
struct Walk {
    found: Vec<Found>,
    looked_at: usize,
}

fn enter(
    folder: &Beneath,
    path: Option<&RelativePath>,
    room: usize,
    walk: &mut Walk,
) -> Result<(), ReadError> {
    let room = room.checked_sub(1).ok_or(ReadError::TooMany)?;
    for name in folder.names()? {
        let name = name?.into_string().map_err(|_| ReadError::Name)?;
        if path.is_none() && name == ".git" {
            continue;
        }
        let below = RelativePath::file(&name).map_err(|_| ReadError::Name)?;
        let path = path.map_or_else(|| below.clone(), |path| path.join(&below));
        // A path that is too long as a whole.
        let path = RelativePath::file(path.as_str()).map_err(|_| ReadError::Name)?;
        visit(folder, &name, path, room, walk)?;
    }
    Ok(())
}

fn visit(
    folder: &Beneath,
    name: &str,
    path: RelativePath,
    room: usize,
    walk: &mut Walk,
) -> Result<(), ReadError> {
    walk.looked_at += 1;
    if walk.looked_at > MOST_LOOKED_AT {
        return Err(ReadError::TooMany);
    }
    let metadata = folder.metadata(name)?;
    if metadata.is_dir() {
        return enter(&folder.folder(name)?, Some(&path), room, walk);
    }
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    if walk.found.len() >= MOST_FILES {
        return Err(ReadError::TooMany);
    }
    let size_bytes = metadata.len();
    walk.found.push(Found { path, size_bytes });
    Ok(())
}
