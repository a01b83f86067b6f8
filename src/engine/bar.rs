//! Keeping a program from being started by who comes too late.

use std::path::Path;

use super::folder::{Ended, Folder};
use super::{End, EngineError, Look, look};

/// What is told of a program that was kept from being started.
pub(super) const BARRED: &str = "who should have started it did not in time";

/// Keeps anything from being started in a folder, unless it has been already; gives what is known of it then, which is never
/// [`Look::Absent`]. For who takes over a program whose starter is taken for gone: if that one only slept, it finds the folder
/// taken ([`EngineError::Taken`]), or its keeper finds it barred.
///
/// A folder that was not there is made, so that nobody else can, and is [`Look::Lost`] for ever.
///
/// # Errors
/// If files of the folder cannot be read or written: then nothing is kept from anything.
pub fn bar(path: &Path) -> Result<Look, EngineError> {
    let (folder, was_there) = match Folder::create(path) {
        Ok(folder) => (folder, false),
        Err(EngineError::Taken(_)) => (Folder::at(path), true),
        Err(error) => return Err(error),
    };
    if folder.keeper()?.is_none() {
        // A keeper first notes itself and then looks for the bar; here it is the other way round. So one of the two sees the
        // other, however slow either is.
        let before = look(path)?;
        folder.note_bar()?;
        if was_there && before == Look::Absent && folder.keeper()?.is_none() {
            folder.note_end(&Ended::now(End::NotStarted(BARRED.into())))?;
        }
    }
    look(path)
}
