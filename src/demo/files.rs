//! Writing files with the time of modification that they would have had.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Component, Path},
};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Transaction};

use super::DemoError;

/// The file that marks a folder as a demo; it lists, one a line, what the demo has written beside it.
pub const MARKER: &str = ".labql-demo";

/// Makes a folder and those above it.
pub fn folder(path: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(path).map_err(DemoError::io(path))
}

/// Writes a file, last modified at `time`.
pub fn write(path: &Path, content: impl AsRef<[u8]>, time: DateTime<Utc>) -> Result<(), DemoError> {
    let mut file = File::create(path).map_err(DemoError::io(path))?;
    file.write_all(content.as_ref())
        .and_then(|()| file.set_modified(time.into()))
        .map_err(DemoError::io(path))
}

/// Sets when a file was last modified.
pub fn touch(path: &Path, time: DateTime<Utc>) -> Result<(), DemoError> {
    File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(time.into()))
        .map_err(DemoError::io(path))
}

/// Removes a file or a folder with all in it, if it is there.
pub fn remove(path: &Path) -> Result<(), DemoError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(DemoError::io(path))
}

/// Removes what an earlier demo has written into a folder, and nothing else. A folder in which others have written is left
/// alone, with [`DemoError::NotADemo`].
pub fn clear(root: &Path) -> Result<(), DemoError> {
    let marker = root.join(MARKER);
    let own = match fs::read_to_string(&marker) {
        Ok(own) => own,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut entries = fs::read_dir(root).map_err(DemoError::io(root))?;
            return match entries.next() {
                None => Ok(()),
                Some(_) => Err(DemoError::NotADemo {
                    path: root.to_owned(),
                }),
            };
        }
        Err(error) => return Err(DemoError::io(&marker)(error)),
    };
    for name in own.lines() {
        // Only what lies directly in the root can be its own.
        let mut parts = Path::new(name).components();
        if let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) {
            remove(&root.join(name))?;
        }
    }
    Ok(())
}

/// Fills a database in one transaction, making the file if need be.
pub fn database<T>(
    path: &Path,
    fill: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> Result<T, DemoError> {
    let fill_all = || {
        let mut connection = Connection::open(path)?;
        // A demo that is cut short is written anew: there is nothing to be safe about.
        connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
        let transaction = connection.transaction()?;
        let value = fill(&transaction)?;
        transaction.commit()?;
        Ok(value)
    };
    fill_all().map_err(DemoError::database(path))
}

/// A count as `SQLite` and pickles store it.
pub fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
