//! What lies beneath a folder, reached name by name without following a link: whatever somebody puts there meanwhile, nothing
//! outside of it is opened. The folder itself is reached by its canonical path in the same way.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct Beneath(OwnedFd);

impl Beneath {
    /// The folder at a canonical path.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let folder = step_by_step(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        Ok(Self(folder))
    }

    /// The names in it.
    pub(crate) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
        // A folder that is gone through has a place in it; another descriptor has one of its own.
        let here = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        names(openat(&self.0, ".", here, Mode::empty())?)
    }

    /// What is known of something in it; of a link, of the link itself.
    pub(crate) fn metadata(&self, name: &str) -> io::Result<Metadata> {
        File::from(self.at(name, OFlag::O_PATH)?).metadata()
    }

    /// A folder in it.
    pub(crate) fn folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        self.at(name, flags).map(Self)
    }

    /// A regular file in it, open for reading; a pipe does not block.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        regular(self.at(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?)
    }

    /// The same, open for writing.
    pub(crate) fn writable(&self, name: &str) -> io::Result<File> {
        regular(self.at(name, OFlag::O_WRONLY | OFlag::O_NONBLOCK)?)
    }

    fn at(&self, name: &str, flags: OFlag) -> io::Result<OwnedFd> {
        check(name)?;
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, Mode::empty())?)
    }
}

impl AsFd for Beneath {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A regular file at a canonical path, open for reading.
pub(crate) fn file_at(path: &Path) -> io::Result<File> {
    regular(step_by_step(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?)
}

/// What is known of what stands at a canonical path.
pub(crate) fn metadata_at(path: &Path) -> io::Result<Metadata> {
    File::from(step_by_step(path, OFlag::O_PATH)?).metadata()
}

fn regular(opened: OwnedFd) -> io::Result<File> {
    let file = File::from(opened);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The names in an open folder.
pub(crate) fn names(
    folder: OwnedFd,
) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
    let name = |entry: nix::Result<nix::dir::Entry>| {
        let entry = entry?;
        Ok(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
    };
    let is_other =
        |name: &io::Result<OsString>| !matches!(name, Ok(name) if *name == *"." || *name == *"..");
    let entries = Dir::from_fd(folder)?;
    Ok(entries.into_iter().map(name).filter(is_other))
}

/// Why a canonical path cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Astray {
    /// What was a folder on the way when the path was found is none any more, or a link.
    Changed,
    /// Anything else.
    Failed(Errno),
}

impl From<Astray> for io::Error {
    fn from(astray: Astray) -> Self {
        match astray {
            Astray::Changed => Self::other("its path has just changed"),
            Astray::Failed(error) => error.into(),
        }
    }
}

/// Opens a canonical path without following a link that has taken a place on it since.
pub(crate) fn step_by_step(path: &Path, flags: OFlag) -> Result<OwnedFd, Astray> {
    let step = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let enter = step | OFlag::O_PATH | OFlag::O_DIRECTORY;
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let mut names: Vec<&OsStr> = names.collect();
    let last = names.pop().unwrap_or_else(|| OsStr::new("."));
    let mut folder = open("/", enter, Mode::empty()).map_err(Astray::Failed)?;
    for name in names {
        folder = openat(&folder, name, enter, Mode::empty()).map_err(|error| match error {
            Errno::ENOTDIR | Errno::ELOOP => Astray::Changed,
            error => Astray::Failed(error),
        })?;
    }
    openat(&folder, last, step | flags, Mode::empty()).map_err(Astray::Failed)
}

/// One name, and none that leads up.
pub(crate) fn check(name: &str) -> io::Result<()> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(Errno::EINVAL.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("base");
        fs::create_dir_all(path.join("sub")).unwrap();
        fs::write(path.join("sub/file"), "x").unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        symlink("../secret", path.join("link")).unwrap();
        symlink("sub", path.join("folder-link")).unwrap();
        let base = Beneath::open(&path).unwrap();
        assert!(base.folder("sub").unwrap().file("file").is_ok());
        for name in [
            "link",
            "../secret",
            "..",
            ".",
            "",
            "sub",
            "sub/file",
            "none",
            "a\0b",
        ] {
            assert!(base.file(name).is_err(), "{name:?}");
        }
        for name in ["folder-link", "..", ".", "", "link", "sub/../.."] {
            assert!(base.folder(name).is_err(), "{name:?}");
        }
        let names: io::Result<Vec<_>> = base.names().unwrap().collect();
        assert_eq!(names.unwrap().len(), 3);
        assert!(base.metadata("link").unwrap().is_symlink());
    }

    #[test]
    fn a_path_in_which_a_link_has_taken_a_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::create_dir_all(path.join("real/sub")).unwrap();
        fs::write(path.join("real/sub/file"), "x").unwrap();
        symlink("real", path.join("link")).unwrap();
        symlink("sub", path.join("real/link")).unwrap();
        assert!(Beneath::open(&path.join("real/sub")).is_ok());
        assert!(file_at(&path.join("real/sub/file")).is_ok());
        assert!(metadata_at(&path.join("real/sub/file")).unwrap().is_file());
        for wrong in ["link/sub", "real/link", "link"] {
            assert!(Beneath::open(&path.join(wrong)).is_err(), "{wrong}");
        }
        for wrong in ["link/sub/file", "real/link/file", "real/sub"] {
            assert!(file_at(&path.join(wrong)).is_err(), "{wrong}");
        }
        assert!(metadata_at(&path.join("link/sub/file")).is_err());
    }
}
