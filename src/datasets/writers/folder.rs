//! Datasets in folders.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Edit, backup, json};
use crate::datasets::readers::ReadError;
use crate::datasets::readers::beneath::{Beneath, check};

const METADATA: &str = ".dtool";
const README: &str = "README.yml";

/// Changes the dataset of this name in this folder. No link is followed.
pub(super) async fn write(root: PathBuf, name: String, edits: Vec<Edit>) -> Result<(), ReadError> {
    let done = spawn_blocking(move || write_all(&root, &name, &edits)).await;
    Ok(done.unwrap_or_else(|error| Err(io::Error::other(error)))?)
}

fn write_all(root: &Path, name: &str, edits: &[Edit]) -> io::Result<()> {
    let dataset = Beneath::open(root)?.folder(name)?;
    let metadata = dataset.folder(METADATA)?;
    for edit in edits {
        match edit {
            Edit::PutTag(tag) => create(&made(&metadata, "tags")?, tag)?,
            Edit::RemoveTag(tag) => remove(&metadata, "tags", tag)?,
            Edit::PutAnnotation(name, value) => {
                let folder = made(&metadata, "annotations")?;
                replace(
                    &metadata,
                    &folder,
                    &format!("{name}.json"),
                    json(value).as_bytes(),
                )?;
            }
            Edit::RemoveAnnotation(name) => {
                remove(&metadata, "annotations", &format!("{name}.json"))?;
            }
            Edit::Readme(text) => {
                let before = content(&dataset, README)?;
                match before {
                    Some(before) if before == text.as_bytes() => continue,
                    Some(before) => replace(&metadata, &dataset, &backup(), &before)?,
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
    match new(folder, name) {
        Ok(_) => Ok(fsync(folder)?),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn new(folder: &Beneath, name: &str) -> io::Result<File> {
    check(name)?;
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(folder, name, flags, Mode::from_bits_truncate(0o666))?.into())
}

/// Puts a file in the place of the one with this name, at once. Until then it lies among what dtool keeps, where dtool does not
/// look for files that it does not know.
fn replace(aside: &Beneath, folder: &Beneath, name: &str, content: &[u8]) -> io::Result<()> {
    check(name)?;
    let passing = format!("labql-{}.tmp", Uuid::new_v4());
    let put = || {
        let mut file = new(aside, &passing)?;
        file.write_all(content)?;
        // Who may read it stays.
        if let Ok(before) = folder.file(name) {
            file.set_permissions(before.metadata()?.permissions())?;
        }
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

/// What is in a file; none: it is not there.
fn content(folder: &Beneath, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    match folder.file(name) {
        Ok(mut file) => file.read_to_end(&mut content)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(content))
}
