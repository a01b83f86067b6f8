//! What lies beneath a folder, reached name by name without following a link: whatever somebody puts there meanwhile, nothing
//! outside of it is opened.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

/// A folder that is open.
#[derive(Debug)]
pub(in crate::datasets) struct Beneath(OwnedFd);

impl Beneath {
    /// The folder at a path, which may have links in it.
    pub(in crate::datasets) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// A folder in it.
    pub(in crate::datasets) fn folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        self.at(name, flags).map(Self)
    }

    /// A regular file in it, open for reading; a pipe does not block.
    pub(in crate::datasets) fn file(&self, name: &str) -> io::Result<File> {
        let file = File::from(self.at(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
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

/// One name, and none that leads up.
pub(in crate::datasets) fn check(name: &str) -> io::Result<()> {
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
        let path = folder.path().join("base");
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
    }
}
