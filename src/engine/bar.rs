//! Keeping a program from being started by who comes too late.

use std::path::Path;

use super::folder::Folder;
use super::{EngineError, Look, look};

/// What is told of a program that was kept from being started.
pub(super) const BARRED: &str = "who should have started it did not in time";

/// Keeps anything from being started in a folder, unless it has been already; gives what is known of it then, which is never
/// [`Look::Absent`]. For who takes over a program whose starter is taken for gone: if that one only slept, it finds the folder
/// taken ([`EngineError::Taken`]), or its keeper finds it barred. Several may do so at the same time, and one that did so may
/// have been killed half-way.
///
/// A folder that was not there is made, so that nobody else can, and is [`Look::Lost`] for ever.
///
/// # Errors
/// If files of the folder cannot be read or written: then nothing is kept from anything.
pub fn bar(path: &Path) -> Result<Look, EngineError> {
    let (folder, was_claimed) = match Folder::create(path) {
        Ok(folder) => (folder, false),
        Err(EngineError::Taken(_)) => (Folder::at(path), true),
        Err(error) => return Err(error),
    };
    if folder.keeper()?.is_none() {
        // A keeper first notes itself and then looks for the bar; here it is the other way round. So one of the two sees the
        // other, however slow either is.
        if folder.bar()?.is_none() {
            folder.note_bar(was_claimed)?;
        }
        if look(path)? == Look::Absent && folder.keeper()?.is_none() {
            folder.note_not_started(BARRED)?;
        }
    }
    look(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::End;

    #[test]
    fn who_bars_may_be_killed_half_way() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("claimed");
        let folder = Folder::create(&path).unwrap();
        folder.note_bar(true).unwrap();
        // Nobody may take it for lost meanwhile.
        assert_eq!(look(&path).unwrap(), Look::Absent);
        let barred = bar(&path).unwrap();
        let Look::Ended { end, .. } = &barred else {
            panic!("{barred:?}");
        };
        assert_eq!(*end, End::NotStarted(BARRED.into()));
        assert_eq!(bar(&path).unwrap(), barred);
    }

    #[test]
    fn a_folder_that_was_not_there_is_lost() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("gone");
        assert_eq!(bar(&path).unwrap(), Look::Lost);
        assert_eq!(bar(&path).unwrap(), Look::Lost);
    }
}
