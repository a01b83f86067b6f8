//! Datasets in folders.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Edit, backup, json};
use crate::beneath::{Beneath, check};
use crate::datasets::readers::ReadError;
use crate::datasets::readers::layout::{METADATA, README};

/// What in a mode is about who may do what; and of that, what the group may, and what it takes to read and write one's own.
const RIGHTS: u32 = 0o777;
const GROUP: u32 = 0o070;
const OWN: u32 = 0o600;

/// Changes the dataset of this name in this folder, where a README of at most so many bytes is kept beside a new one. No link is
/// followed.
pub(super) async fn write(
    root: PathBuf,
    name: String,
    edits: Vec<Edit>,
    longest: u64,
) -> Result<(), ReadError> {
    let done = spawn_blocking(move || write_all(&root, &name, &edits, longest)).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

fn write_all(root: &Path, name: &str, edits: &[Edit], longest: u64) -> Result<(), ReadError> {
    let dataset = Beneath::open(root)?.folder(name)?;
    let metadata = dataset.folder(METADATA)?;
    for edit in edits {
        match edit {
            Edit::PutTag(tag) => create(&made(&metadata, "tags")?, tag)?,
            Edit::RemoveTag(tag) => remove(&metadata, "tags", tag)?,
            Edit::PutAnnotation(name, value) => {
                let folder = made(&metadata, "annotations")?;
                let name = format!("{name}.json");
                replace(&metadata, &folder, &name, json(value).as_bytes())?;
            }
            Edit::RemoveAnnotation(name) => {
                remove(&metadata, "annotations", &format!("{name}.json"))?;
            }
            Edit::Readme(text) => {
                match content(&dataset, README, longest)? {
                    Some((before, _)) if before == text.as_bytes() => continue,
                    Some((before, like)) => keep(&dataset, &backup(), &before, &like)?,
                    None => {}
                }
                replace(&metadata, &dataset, README, text.as_bytes())?;
            }
        }
    }
    Ok(())
}

/// A folder, made if it is not there: copies by git lack those that were empty.
fn made(parent: &Beneath, name: &str) -> io::Result<Beneath> {
    check(name)?;
    match mkdirat(parent, name, Mode::from_bits_truncate(0o777)) {
        Ok(()) => fsync(parent)?,
        Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    parent.folder(name)
}

/// An empty file.
fn create(folder: &Beneath, name: &str) -> io::Result<()> {
    match new(folder, name, 0o666) {
        Ok(_) => Ok(fsync(folder)?),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn new(folder: &Beneath, name: &str, mode: u32) -> io::Result<File> {
    check(name)?;
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(folder, name, flags, Mode::from_bits_truncate(mode))?.into())
}

/// Puts a file in the place of the one with this name, at once. Until then it lies among what dtool keeps, where dtool does not
/// look for files that it does not know. Who may read it stays; where labql must not give its files to somebody else, the file
/// itself is written, as dtool does.
fn replace(aside: &Beneath, folder: &Beneath, name: &str, content: &[u8]) -> io::Result<()> {
    check(name)?;
    let before = match folder.file(name) {
        Ok(file) => Some(file.metadata()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let passing = format!("labql-{}.tmp", Uuid::new_v4());
    let put = || {
        let mut file = new(aside, &passing, before.as_ref().map_or(0o666, |_| OWN))?;
        if let Some(before) = &before {
            if !belongs_like(&file, before)? {
                unlinkat(aside, passing.as_str(), UnlinkatFlags::NoRemoveDir)?;
                return overwrite(folder, name, content);
            }
            file.set_permissions(before.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        renameat(aside, passing.as_str(), folder, name)?;
        fsync(folder)?;
        io::Result::Ok(())
    };
    put().inspect_err(|_| {
        // What is left of it does no harm.
        let _ = unlinkat(aside, passing.as_str(), UnlinkatFlags::NoRemoveDir);
    })
}

/// Writes a file where it is.
fn overwrite(folder: &Beneath, name: &str, content: &[u8]) -> io::Result<()> {
    let mut file = folder.writable(name)?;
    file.set_len(0)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A new file that nobody may read who may not read the one it is like.
fn keep(folder: &Beneath, name: &str, content: &[u8], like: &Metadata) -> io::Result<()> {
    let mut file = new(folder, name, OWN)?;
    let mode = like.mode() & RIGHTS;
    let mode = if belongs_like(&file, like)? {
        mode
    } else if file.metadata()?.gid() == like.gid() {
        mode | OWN
    } else {
        (mode & !GROUP) | OWN
    };
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(fsync(folder)?)
}

/// Gives a file to the owner and the group of another one, as far as that is allowed. Says whether it has both.
fn belongs_like(file: &File, other: &Metadata) -> io::Result<bool> {
    let is_like = || {
        let file = file.metadata()?;
        io::Result::Ok((file.uid(), file.gid()) == (other.uid(), other.gid()))
    };
    if is_like()? {
        return Ok(true);
    }
    // The group alone may be allowed, for one to which labql belongs.
    let _ = fchown(file, None, Some(other.gid()));
    let _ = fchown(file, Some(other.uid()), None);
    is_like()
}

fn remove(parent: &Beneath, folder: &str, name: &str) -> io::Result<()> {
    check(name)?;
    let folder = match parent.folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folder => folder?,
    };
    match unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) => Ok(fsync(&folder)?),
        Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is in a file of at most so many bytes, and what is known of it; none: it is not there.
fn content(
    folder: &Beneath,
    name: &str,
    longest: u64,
) -> Result<Option<(Vec<u8>, Metadata)>, ReadError> {
    let file = match folder.file(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    let mut content = Vec::new();
    // It may grow meanwhile.
    file.take(longest.saturating_add(1))
        .read_to_end(&mut content)?;
    let size = metadata.len().max(content.len() as u64);
    if size > longest {
        let limit = longest;
        return Err(ReadError::TooLarge { size, limit });
    }
    Ok(Some((content, metadata)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn who_may_read_what_was_replaced_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let readme = path.join(README);
        fs::write(&readme, "a long text").unwrap();
        fs::set_permissions(&readme, Permissions::from_mode(0o640)).unwrap();
        let beneath = Beneath::open(&path).unwrap();
        let before = fs::metadata(&readme).unwrap();
        // Where it must not be given away.
        overwrite(&beneath, README, b"short").unwrap();
        let after = fs::metadata(&readme).unwrap();
        assert_eq!(fs::read_to_string(&readme).unwrap(), "short");
        assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()));
        keep(&beneath, "kept", b"a long text", &before).unwrap();
        let kept = fs::metadata(path.join("kept")).unwrap();
        assert_eq!(kept.mode() & 0o777, 0o640);
        let (text, _) = content(&beneath, "kept", 11).unwrap().unwrap();
        assert_eq!(text, b"a long text");
        let refused = content(&beneath, "kept", 10).unwrap_err();
        assert!(matches!(
            refused,
            ReadError::TooLarge {
                size: 11,
                limit: 10
            }
        ));
    }
}
