//! The folder of a program: what is written where, and that it is there wholly or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::members::Members;
use super::process::{Group, Process};
use super::{Breach, End, EngineError, Stream, Usage};
use crate::files;

/// Who keeps the program. Without it nothing was started here.
const KEEPER: &str = "keeper";
/// The program itself.
const PROGRAM: &str = "program";
/// What it printed.
const OUTPUT: &str = "output";
/// What it printed on its standard error, if that is kept apart.
const ERRORS: &str = "errors";
/// That it shall end, and how long it has for it.
const STOP: &str = "stop";
/// That nothing is to be started here any more.
const BAR: &str = "barred";
/// How it ended.
const END: &str = "end";
/// What the keeper itself had to say.
const KEEPER_LOG: &str = "keeper.log";

/// Room for the end, taken at the beginning: the disk may be full when it comes.
const END_ROOM: usize = 4096;

/// The largest file that is taken for one of ours.
const MOST: u64 = 64 * 1024;

/// The folder of a program.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

#[derive(Serialize, Deserialize)]
pub(super) struct Ended {
    /// How.
    pub end: End,
    /// When.
    pub at: DateTime<Utc>,
    /// How many bytes of its output could not be written after all that is in the file.
    pub unwritten: u64,
    /// The same of its standard error, if that is kept apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unwritten_errors: u64,
    /// The bound that it went beyond, and was ended for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach: Option<Breach>,
    /// What it and all that it began took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl Ended {
    /// An end of which nothing else is known.
    pub fn now(end: End) -> Self {
        Self {
            end,
            at: Utc::now(),
            unwritten: 0,
            unwritten_errors: 0,
            breach: None,
            usage: None,
        }
    }

    /// How many bytes of a stream could not be written after all that is in its file.
    pub fn unwritten_of(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Output => self.unwritten,
            Stream::Errors => self.unwritten_errors,
        }
    }
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is written down of an end.
pub(super) enum Told {
    /// Nothing yet.
    Nothing,
    /// The end.
    Ended(Ended),
    /// What cannot be understood.
    Garbled,
}

#[derive(Serialize, Deserialize)]
struct Stop {
    grace: Duration,
}

impl Folder {
    /// The folder of this path, whether it is there or not.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the folder, for its owner only.
    pub fn create(path: &Path) -> Result<Self, EngineError> {
        if let Some(parent) = path.parent() {
            files::private_folder(parent).map_err(failed(parent))?;
        }
        match fs::DirBuilder::new().mode(0o700).create(path) {
            // A keeper works elsewhere: the path must mean the same there.
            Ok(()) => {
                let path = fs::canonicalize(path).map_err(failed(path))?;
                // It must be there after a failure of the machine, too.
                if let Some(parent) = path.parent() {
                    let synced = File::open(parent).and_then(|parent| parent.sync_all());
                    synced.map_err(failed(parent))?;
                }
                Ok(Self(path))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(EngineError::Taken(path.to_owned()))
            }
            Err(error) => Err(failed(path)(error)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn exists(&self) -> bool {
        self.0.is_dir()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn stream_file(&self, stream: Stream) -> PathBuf {
        self.file(match stream {
            Stream::Output => OUTPUT,
            Stream::Errors => ERRORS,
        })
    }

    /// Who keeps the program. A record that cannot be understood is nobody's who lives.
    pub fn keeper(&self) -> Result<Option<Process>, EngineError> {
        self.read(KEEPER, Process::unknown)
    }

    pub fn note_keeper(&self, keeper: &Process) -> Result<(), EngineError> {
        self.write(KEEPER, keeper)
    }

    /// The program, once it was started.
    pub fn program(&self) -> Result<Option<Process>, EngineError> {
        self.read(PROGRAM, Process::unknown)
    }

    /// Not made to survive a failure of the machine, which no program does: that one was to be started is known from its keeper.
    pub fn note_program(&self, program: &Process) -> Result<(), EngineError> {
        let text = json(&self.file(PROGRAM), program)?;
        self.put_bytes(PROGRAM, &text, false)
    }

    /// What there may be of the program without its keeper: its group, or that of one that could not be noted if any of it
    /// lives, and who bears its mark.
    pub fn members(&self) -> Result<Option<Members>, EngineError> {
        let Some(keeper) = self.keeper()? else {
            return Ok(None);
        };
        let group = match self.program()? {
            Some(program) => Some(Group::new(program, keeper.pid)),
            None => Group::of_session(&keeper),
        };
        Ok(Some(Members::new(group, keeper, self.path())))
    }

    /// May nothing be started here any more?
    pub fn is_barred(&self) -> Result<bool, EngineError> {
        Ok(self.bar()?.is_some())
    }

    /// The bar, if there is one: whether somebody had claimed the folder before.
    pub fn bar(&self) -> Result<Option<bool>, EngineError> {
        self.read(BAR, || false)
    }

    pub fn note_bar(&self, was_claimed: bool) -> Result<(), EngineError> {
        self.write(BAR, &was_claimed)
    }

    /// Writes down that nothing was begun, which several may find out at the same time.
    pub fn note_not_started(&self, reason: &str) -> Result<(), EngineError> {
        self.write(END, &Ended::now(super::End::NotStarted(reason.to_owned())))
    }

    /// How long the program has to end, if it shall.
    pub fn stop(&self) -> Result<Option<Duration>, EngineError> {
        let stop = self.read(STOP, || Stop {
            grace: Duration::ZERO,
        })?;
        Ok(stop.map(|stop| stop.grace))
    }

    pub fn note_stop(&self, grace: Duration) -> Result<(), EngineError> {
        self.write(STOP, &Stop { grace })
    }

    /// What is written down of the end.
    pub fn end(&self) -> Result<Told, EngineError> {
        Ok(match self.read::<Option<Ended>>(END, || None)? {
            None => Told::Nothing,
            Some(None) => Told::Garbled,
            Some(Some(ended)) => Told::Ended(ended),
        })
    }

    /// Takes room for [`Self::note_end`].
    pub fn take_room_for_end(&self) -> Result<(), EngineError> {
        let path = self.file(&partial(END));
        let mut file = fresh(&path).map_err(failed(&path))?;
        file.write_all(&[b' '; END_ROOM]).map_err(failed(&path))
    }

    /// Writes down how the program ended, in the room that was taken for it.
    pub fn note_end(&self, ended: &Ended) -> Result<(), EngineError> {
        let path = self.file(&partial(END));
        let mut text = json(&path, ended)?;
        // Blanks after the value are nothing in JSON, and the file stays as long as it was.
        text.resize(text.len().max(END_ROOM), b' ');
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            file.write_all(&text)?;
            file.sync_all()?;
            self.put(&partial(END), END)
        };
        write().map_err(failed(&path))
    }

    /// Where the keeper's own words go; whoever starts it may have opened that before.
    pub fn keeper_log(&self) -> Result<File, EngineError> {
        let path = self.file(KEEPER_LOG);
        let mut log = OpenOptions::new();
        log.append(true).create(true).mode(0o600);
        log.open(&path).map_err(failed(&path))
    }

    /// What the keeper said, if it said anything.
    pub fn keepers_words(&self) -> Option<String> {
        let words = fs::read(self.file(KEEPER_LOG)).ok()?;
        let words = String::from_utf8_lossy(&words);
        let words: String = words.trim().chars().take(1000).collect();
        (!words.is_empty()).then_some(words)
    }

    /// A file of the folder; none if it is not there, `otherwise` if nothing can be made of it.
    pub fn read<T: DeserializeOwned>(
        &self,
        name: &str,
        otherwise: impl FnOnce() -> T,
    ) -> Result<Option<T>, EngineError> {
        let path = self.file(name);
        let text = match fs::metadata(&path) {
            Ok(about) if !about.is_file() || about.len() > MOST => return Ok(Some(otherwise())),
            Ok(_) => fs::read(&path),
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => Ok(Some(
                serde_json::from_slice(&text).unwrap_or_else(|_| otherwise()),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // The folder is not one.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            Err(error) => Err(failed(&path)(error)),
        }
    }

    /// Writes a file so that it is there wholly or not at all, whenever the machine fails.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), EngineError> {
        self.write_bytes(name, &json(&self.file(name), value)?)
    }

    /// The same with these bytes.
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), EngineError> {
        self.put_bytes(name, bytes, true)
    }

    fn put_bytes(&self, name: &str, bytes: &[u8], durably: bool) -> Result<(), EngineError> {
        // Others may write the same at the same time.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = partial(&format!("{name}.{}.{number}", std::process::id()));
        let path = self.file(&own);
        let write = || {
            let mut file = fresh(&path)?;
            file.write_all(bytes)?;
            if durably {
                file.sync_all()?;
                return self.put(&own, name);
            }
            fs::rename(&path, self.file(name))
        };
        write().map_err(failed(&path)).inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })
    }

    /// Gives a file that is complete its name.
    fn put(&self, partial: &str, name: &str) -> io::Result<()> {
        fs::rename(self.file(partial), self.file(name))?;
        File::open(&self.0)?.sync_all()
    }
}

fn json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, EngineError> {
    serde_json::to_vec(value).map_err(|error| failed(path)(error.into()))
}

fn partial(name: &str) -> String {
    format!("{name}.new")
}

/// An empty file for its owner only, in place of one that was left half written.
fn fresh(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Tells which file it was.
pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::File { path, source }
}
