//! The folder that the steps of a run work in: put together as a draft, and given its place when it is complete. So one that is
//! there is complete, whoever made it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::files;
use crate::flows::disk;
use crate::flows::places::{Places, RunPlaces};
use crate::flows::state::Reason;
use crate::flows::template::path::RelativePath;
use crate::flows::write::states::Why;

/// A file that a run is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// Where it is.
    pub from: PathBuf,
    /// Where it is put.
    pub target: RelativePath,
    /// What it is, for people: `the upload for "names"`.
    pub what: String,
}

/// A text that a run is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub target: RelativePath,
    pub text: String,
}

/// All that a run is given. What comes later takes the place of what comes before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inputs {
    pub files: Vec<Input>,
    pub texts: Vec<Text>,
}

/// Why the folder is not there.
#[derive(Debug)]
pub(super) enum NotPrepared {
    /// It never will be.
    Never(Why),
    /// The disk does not do it now.
    Later {
        /// What is being done, for people.
        doing: String,
        error: io::Error,
    },
    /// The process ends.
    Stopped,
}

/// Prepares the folder, unless it is there.
///
/// # Errors
/// Why it is not there. What was made until then is removed.
pub(super) fn prepare(
    places: &Places,
    run: &RunPlaces,
    inputs: &Inputs,
    stop: &CancellationToken,
) -> Result<(), NotPrepared> {
    let work = run.work();
    if work.is_dir() {
        return Ok(());
    }
    if run.is_closed() {
        // Somebody else brought it to its end while this process was suspended.
        let closed = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(later("the run is over")(closed));
    }
    let draft = places.draft();
    let made = fill(&draft, inputs, stop).and_then(|()| {
        let into_place = || {
            files::private_folder(&run.folder)?;
            fs::rename(&draft, &work)
        };
        match into_place() {
            // Somebody else was first.
            Err(_) if work.is_dir() => Ok(()),
            done => done.map_err(later("its folder cannot be made")),
        }
    });
    disk::remove(&draft);
    made
}

fn fill(draft: &Path, inputs: &Inputs, stop: &CancellationToken) -> Result<(), NotPrepared> {
    files::private_folder(draft).map_err(later("its folder cannot be made"))?;
    for input in &inputs.files {
        if stop.is_cancelled() {
            return Err(NotPrepared::Stopped);
        }
        put(draft, input)?;
    }
    for Text { target, text } in &inputs.texts {
        let path = draft.join(target.as_str());
        let write = || {
            make_parent(&path)?;
            fs::write(&path, text)
        };
        write().map_err(later(format!("{target} cannot be written")))?;
    }
    Ok(())
}

fn put(draft: &Path, input: &Input) -> Result<(), NotPrepared> {
    let Input { from, target, what } = input;
    let gone = || {
        let message = format!("{what} is not there any more");
        NotPrepared::Never(Why::new(Reason::InputMissing, message))
    };
    match fs::symlink_metadata(from) {
        Ok(about) if about.is_file() => {}
        Ok(_) => return Err(gone()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(gone()),
        Err(error) => return Err(later(format!("{what} cannot be read"))(error)),
    }
    let path = draft.join(target.as_str());
    let copy = || {
        make_parent(&path)?;
        fs::copy(from, &path)?;
        // Steps may change what they are given; what it is a copy of may be nobody's to write.
        let mode = fs::metadata(&path)?.permissions().mode();
        fs::set_permissions(&path, Permissions::from_mode(mode | 0o600))
    };
    copy().map_err(later(format!("{what} cannot be copied")))
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), files::private_folder)
}

fn later(doing: impl Into<String>) -> impl FnOnce(io::Error) -> NotPrepared {
    let doing = doing.into();
    |error| NotPrepared::Later { doing, error }
}

/// Makes what an attempt at a step needs besides: the folders of the files that it says it makes, and its commands if they are a
/// file. What steps before have put in the way of the folders is theirs to explain.
///
/// # Errors
/// If the disk does not do it now.
pub(super) fn prepare_step(
    work: &Path,
    outputs: &[RelativePath],
    script: Option<&(PathBuf, String)>,
) -> Result<(), NotPrepared> {
    for output in outputs {
        let Err(error) = make_parent(&work.join(output.as_str())) else {
            continue;
        };
        if is_of_disk(&error) {
            let doing = format!("the folder of {output} cannot be made");
            return Err(later(doing)(error));
        }
    }
    if let Some((path, script)) = script {
        let write = || {
            make_parent(path)?;
            fs::write(path, script)
        };
        write().map_err(later("its commands cannot be written"))?;
    }
    Ok(())
}

/// Is it the disk that fails, and not what lies on it?
fn is_of_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StaleNetworkFileHandle, StorageFull};
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | ReadOnlyFilesystem | StaleNetworkFileHandle
    ) || error.raw_os_error() == Some(nix::libc::EIO)
}
