//! Results of steps: copied out of the folder that they worked in, with their checksums. What a step put there is not trusted:
//! no link is followed, and nothing outside is read.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::beneath::Beneath;
use crate::files;

/// How many files are taken at most, and how deep folders may lie.
const MOST: (usize, usize) = (100_000, 64);

/// What has become of a result that was wanted; of a folder, of each file beneath it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Its path in the folder that steps worked in.
    pub path: String,
    /// What was there.
    pub found: Found,
}

/// What was found at the place of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file, which was copied.
    File {
        /// Its length.
        bytes: u64,
        /// The SHA-256 of its bytes, in hexadecimal.
        sha256: String,
    },
    /// A folder without files.
    EmptyFolder,
    /// Nothing.
    Missing,
    /// Neither a file nor a folder, a link for instance; or a path that leads out of the folder.
    NotAFile,
}

/// Why results cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// They are more than there is room for.
    #[error("the results are larger than {most} bytes together")]
    TooLarge {
        /// How many bytes there may be.
        most: u64,
    },
    /// They are too many.
    #[error("the results are more than {} files, or lie deeper than {} folders", MOST.0, MOST.1)]
    TooMany,
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Copies files, or folders with all that is beneath them, from one folder into another, which is made if it is not there; at most
/// so many bytes together. What is there already from an attempt before is written anew.
///
/// # Errors
/// If there are too many or too much of them, or if they cannot be read or written. That something is missing is no error.
pub fn collect(
    from: &Path,
    wanted: &[String],
    into: &Path,
    most: u64,
) -> Result<Vec<Collected>, CollectError> {
    files::private_folder(into).map_err(failed(into))?;
    let base = fs::canonicalize(from).and_then(|path| Beneath::open(&path));
    let mut collection = Collection {
        into,
        all: Vec::new(),
        left: most,
        most,
    };
    let base = match base {
        Ok(base) => base,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let missing = wanted.iter().map(|path| Collected {
                path: path.clone(),
                found: Found::Missing,
            });
            return Ok(missing.collect());
        }
        Err(error) => return Err(failed(from)(error)),
    };
    for path in wanted {
        let names: Vec<&str> = path
            .split('/')
            .filter(|name| !matches!(*name, "" | "."))
            .collect();
        if path.starts_with('/') || path.contains('\0') || names.contains(&"..") {
            collection.note(path, Found::NotAFile);
        } else {
            collection.take(&base, &names, "")?;
        }
    }
    Ok(collection.all)
}

struct Collection<'a> {
    into: &'a Path,
    all: Vec<Collected>,
    /// How many bytes may still come.
    left: u64,
    most: u64,
}

impl Collection<'_> {
    fn note(&mut self, path: &str, found: Found) {
        self.all.push(Collected {
            path: path.to_owned(),
            found,
        });
    }

    /// Takes what these names lead to from a folder, which has this path itself.
    fn take(&mut self, folder: &Beneath, names: &[&str], path: &str) -> Result<(), CollectError> {
        let Some((name, rest)) = names.split_first() else {
            return self.take_all(folder, path);
        };
        let path = joined(path, name);
        if self.all.len() >= MOST.0 || path.split('/').count() > MOST.1 {
            return Err(CollectError::TooMany);
        }
        let whole = || {
            rest.iter()
                .fold(path.clone(), |path, name| joined(&path, name))
        };
        let about = match folder.metadata(name) {
            Ok(about) => about,
            Err(error) if is_absent(&error) => {
                self.note(&whole(), Found::Missing);
                return Ok(());
            }
            Err(error) => return Err(failed(Path::new(&path))(error)),
        };
        if about.is_dir() {
            let below = folder.folder(name).map_err(failed(Path::new(&path)))?;
            self.take(&below, rest, &path)
        } else if about.is_file() && rest.is_empty() {
            let file = folder.file(name).map_err(failed(Path::new(&path)))?;
            self.copy(file, &path)
        } else {
            self.note(&whole(), Found::NotAFile);
            Ok(())
        }
    }

    /// Takes all that is in a folder.
    fn take_all(&mut self, folder: &Beneath, path: &str) -> Result<(), CollectError> {
        let names = folder.names().and_then(Iterator::collect);
        let mut names: Vec<_> = names.map_err(failed(Path::new(path)))?;
        if names.is_empty() {
            self.note(path, Found::EmptyFolder);
        }
        names.sort_unstable();
        for name in names {
            match name.to_str() {
                Some(name) => self.take(folder, &[name], path)?,
                None => self.note(&joined(path, &name.to_string_lossy()), Found::NotAFile),
            }
        }
        Ok(())
    }

    fn copy(&mut self, mut file: File, path: &str) -> Result<(), CollectError> {
        let target = self.into.join(path);
        if let Some(parent) = target.parent() {
            files::private_folder(parent).map_err(failed(parent))?;
        }
        match fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&target)(error));
            }
            _ => {}
        }
        let mut copy = files::private_file(&target).map_err(failed(&target))?;
        let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(Path::new(path))(error)),
            };
            let piece = buffer.get(..read).unwrap_or_default();
            let length = piece.len() as u64;
            let most = self.most;
            self.left = self
                .left
                .checked_sub(length)
                .ok_or(CollectError::TooLarge { most })?;
            bytes += length;
            hash.update(piece);
            copy.write_all(piece).map_err(failed(&target))?;
        }
        // The folder that it came from may be deleted next.
        copy.sync_all().map_err(failed(&target))?;
        let sha256 = hex::encode(hash.finalize());
        self.note(path, Found::File { bytes, sha256 });
        Ok(())
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

/// A name that no file can have is that of none.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotFound};
    matches!(error.kind(), NotFound | InvalidFilename | InvalidInput)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> CollectError {
    let path = path.to_owned();
    move |source| CollectError::File { path, source }
}
