//! A private copy of a foreign SQLite file, taken without a lock and without leaving a trace beside it.
//!
//! Autosubmit writes its databases while labql reads. Opening them in place would take shared locks (and Autosubmit
//! would meet "database is locked"), would create `-shm` files in WAL mode, and would roll back a hot journal inside
//! somebody else's folder. So the file is copied, with what belongs to it, and only the copy is opened.
//!
//! When is a copy good? (See "Atomic Commit In SQLite", "File Locking And Concurrency" and "Write-Ahead Logging" on
//! sqlite.org.)
//! - Rollback journal: a writer changes the file only under PENDING and EXCLUSIVE, which `F_GETLK` shows. If neither
//!   is held before and after the copy and the file's stamp and change counter are the same, the copy is one committed
//!   state; a journal
//!   beside it is hot (its writer died) unless somebody holds RESERVED, and then goes into the copy, to be rolled
//!   back there.
//! - WAL: the log only grows until it is restarted, which changes its header. With the same header before the file
//!   and after the log are copied, the log covers every page that a checkpoint may have changed meanwhile.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};
use tempfile::TempDir;

use super::{
    SourceError,
    open_file::{OpenFile, count_bytes},
    root::{FileStamp, Root, beside},
};

/// The largest database that is read, with its log and journal, in bytes.
pub(crate) const MAX_DATABASE: u64 = 2 << 30;

/// How long to wait for a writer in all.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// A file that changed so recently may change again without a new time stamp: file systems count in clock ticks.
const TICK: Duration = Duration::from_millis(20);

/// SQLite's lock bytes (`os.h`): PENDING, RESERVED, then 510 bytes for SHARED and EXCLUSIVE.
const PENDING_BYTE: i64 = 0x4000_0000;
const RESERVED_BYTE: i64 = PENDING_BYTE + 1;
const SHARED_FIRST: i64 = PENDING_BYTE + 2;
const SHARED_SIZE: i64 = 510;

/// The first bytes of every SQLite 3 file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The first bytes of a rollback journal, and the last ones of a journal that names a super-journal.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// A consistent copy in a folder of its own, which goes with this value.
#[derive(Debug)]
pub(crate) struct Snapshot {
    _folder: TempDir,
    /// The copy.
    pub(crate) path: PathBuf,
    /// Bytes of the copy and its companions.
    pub(crate) size: u64,
}

/// Why one try gave no copy.
enum Failure {
    Again(SourceError),
    Final(SourceError),
}

impl<E: Into<SourceError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

impl Snapshot {
    /// Copies a database of the root.
    ///
    /// # Errors
    /// [`SourceError::Locked`] or [`SourceError::Changing`] if a writer was busy all the time; `Missing`,
    /// `Unreadable`, `Corrupt`, `Foreign`, `TooLarge`, `Hostile` as their names say.
    pub(crate) fn take(root: &Root, relative: &str, limit: u64) -> Result<Self, SourceError> {
        let start = Instant::now();
        loop {
            let patient = start.elapsed() < PATIENCE;
            match Self::attempt(&root.resolve(relative)?, limit, patient) {
                Ok(snapshot) => return Ok(snapshot),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(error)) if !patient => return Err(error),
                Err(Failure::Again(_)) => thread::sleep(PAUSE),
            }
        }
    }

    fn attempt(path: &Path, limit: u64, patient: bool) -> Result<Self, Failure> {
        let file = OpenFile::open(path)?;
        let before = State::of(path)?;
        before.check_size(limit)?;
        if before.main.size == 0 {
            return Err(SourceError::Corrupt("it is empty".into()).into());
        }
        let lock = Lock::of(&file);
        if lock == Lock::Exclusive {
            return Err(Failure::Again(SourceError::Locked));
        }
        let header = Header::read(&file)?;
        if patient && !header.wal && before.is_fresh() {
            return Err(Failure::Again(SourceError::Changing));
        }
        let log = before
            .wal
            .filter(|log| header.wal && log.size > 0)
            .map(|_| beside(path, "-wal"));
        let log_header = log.as_deref().map(read_log_header).transpose()?;
        let journal = before
            .journal
            .filter(|journal| !header.wal && journal.size > 0 && lock == Lock::None)
            .map(|_| beside(path, "-journal"));

        let folder = tempfile::Builder::new()
            .prefix("labql-")
            .tempdir()
            .map_err(SourceError::Unreadable)?;
        let copy = folder.path().join("copy.db");
        let mut size = copy_file(file.try_clone()?, &copy, limit)?;
        if let Some(journal) = &journal {
            let journal = OpenFile::open(journal).map_err(changed)?;
            refuse_super_journal(&journal)?;
            size += copy_file(journal.into_std(), &beside(&copy, "-journal"), limit)?;
        }
        if let Some(log) = &log {
            size += copy_file(
                OpenFile::open(log).map_err(changed)?.into_std(),
                &beside(&copy, "-wal"),
                limit,
            )?;
        }

        let after = State::of(path)?;
        let log_header_after = log.as_deref().map(read_log_header).transpose()?;
        let consistent = if log.is_some() {
            log_header == log_header_after
                && before.main.inode == after.main.inode
                && before.wal.map(|log| log.inode) == after.wal.map(|log| log.inode)
        } else {
            before.main == after.main
                && header.change == Header::read(&file)?.change
                && Lock::of(&file) != Lock::Exclusive
                && (journal.is_none() || before.journal == after.journal)
        };
        if !consistent || FileStamp::of(&file.metadata()?).inode != after.main.inode {
            return Err(Failure::Again(SourceError::Changing));
        }
        if log.is_none() && journal.is_none() {
            header.check_complete(before.main.size)?;
        }
        Ok(Self {
            _folder: folder,
            path: copy,
            size,
        })
    }
}

/// A companion that was there a moment ago and is not any more.
fn changed(error: SourceError) -> Failure {
    match error {
        SourceError::Missing => Failure::Again(SourceError::Changing),
        other => Failure::Final(other),
    }
}

/// The stamps of a database and of what stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    main: FileStamp,
    wal: Option<FileStamp>,
    journal: Option<FileStamp>,
}

impl State {
    fn of(path: &Path) -> Result<Self, SourceError> {
        let side = |suffix| match fs::symlink_metadata(beside(path, suffix)) {
            Ok(metadata) if metadata.is_file() => Ok(Some(FileStamp::of(&metadata))),
            Ok(_) => Err(SourceError::Hostile(format!(
                "{suffix} beside the database is not a regular file"
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        };
        let main = FileStamp::of(&fs::symlink_metadata(path)?);
        Ok(Self {
            main,
            wal: side("-wal")?,
            journal: side("-journal")?,
        })
    }

    fn check_size(&self, limit: u64) -> Result<(), SourceError> {
        let side = |file: Option<FileStamp>| file.map_or(0, |file| file.size);
        let total = self
            .main
            .size
            .saturating_add(side(self.wal))
            .saturating_add(side(self.journal));
        if total > limit {
            Err(SourceError::TooLarge { size: total, limit })
        } else {
            Ok(())
        }
    }

    /// Whether the file changed within the last clock tick. (A time in the future says nothing.)
    fn is_fresh(&self) -> bool {
        let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) else {
            return false;
        };
        let modified = Duration::from_nanos(u64::try_from(self.main.mtime_ns).unwrap_or(0));
        now.checked_sub(modified).is_some_and(|age| age < TICK)
    }
}

/// What SQLite's header says ("Database File Format" on sqlite.org, 1.3).
#[derive(Debug, Clone, Copy)]
struct Header {
    wal: bool,
    page_size: u64,
    /// Goes up with every commit outside WAL mode.
    change: u32,
    /// Pages, where the header's count is valid.
    pages: Option<u64>,
}

impl Header {
    fn read(file: &OpenFile) -> Result<Self, SourceError> {
        let mut bytes = [0_u8; 100];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let mut start = [0_u8; 16];
                return Err(match file.read_exact_at(&mut start, 0) {
                    Ok(()) if &start == MAGIC => {
                        SourceError::Corrupt("it ends within its header".into())
                    }
                    _ => SourceError::Foreign("not an SQLite database".into()),
                });
            }
            Err(error) => return Err(error.into()),
        }
        if &bytes[..16] != MAGIC {
            return Err(SourceError::Foreign("not an SQLite database".into()));
        }
        let page_size = match u16::from_be_bytes([bytes[16], bytes[17]]) {
            1 => 65_536,
            size => u64::from(size),
        };
        let word = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let change = word(24);
        let pages = (change == word(92)).then(|| u64::from(word(28)));
        Ok(Self {
            wal: bytes[18] == 2 || bytes[19] == 2,
            page_size,
            change,
            pages,
        })
    }

    fn check_complete(&self, size: u64) -> Result<(), SourceError> {
        let expected = self.pages.unwrap_or(0).saturating_mul(self.page_size);
        if size < expected {
            return Err(SourceError::Corrupt(format!(
                "it is cut off: {size} of {expected} bytes are there"
            )));
        }
        Ok(())
    }
}

/// What other processes hold on a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// Nothing, or shared locks only.
    None,
    /// A writer prepares a change: its journal is not hot, the file is still as it was.
    Reserved,
    /// A writer changes the file or is about to.
    Exclusive,
}

impl Lock {
    fn of(file: &File) -> Self {
        if write_locked(file, PENDING_BYTE, 1) || write_locked(file, SHARED_FIRST, SHARED_SIZE) {
            Self::Exclusive
        } else if write_locked(file, RESERVED_BYTE, 1) {
            Self::Reserved
        } else {
            Self::None
        }
    }
}

/// Whether another process holds a write lock on these bytes. A file system without locks answers no.
#[allow(
    clippy::cast_possible_truncation,
    reason = "F_RDLCK, F_UNLCK and SEEK_SET are tiny constants"
)]
fn write_locked(file: &File, start: i64, length: i64) -> bool {
    let mut lock = libc::flock {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: length,
        l_pid: 0,
    };
    fcntl(file.as_fd(), FcntlArg::F_GETLK(&mut lock)).is_ok()
        && lock.l_type != libc::F_UNLCK as libc::c_short
}

fn read_log_header(path: &Path) -> Result<[u8; 32], Failure> {
    let mut header = [0_u8; 32];
    let log = OpenFile::open(path).map_err(changed)?;
    log.read_exact_at(&mut header, 0)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Failure::Again(SourceError::Changing),
            _ => Failure::Final(error.into()),
        })?;
    Ok(header)
}

/// SQLite deletes the super-journal that a hot journal names, wherever that name points. Autosubmit never writes
/// one, so a journal that ends like this is not played back.
fn refuse_super_journal(journal: &OpenFile) -> Result<(), SourceError> {
    let size = journal.metadata()?.len();
    let mut end = [0_u8; 8];
    if let Some(at) = size.checked_sub(16) {
        journal.read_exact_at(&mut end, at + 8)?;
        if end == JOURNAL_MAGIC {
            return Err(SourceError::Hostile(
                "the journal names a super-journal".into(),
            ));
        }
    }
    Ok(())
}

fn copy_file(from: File, to: &Path, limit: u64) -> Result<u64, SourceError> {
    let mut to = File::create_new(to).map_err(SourceError::Unreadable)?;
    let size = io::copy(&mut from.take(limit.saturating_add(1)), &mut to)
        .map_err(SourceError::Unreadable)?;
    count_bytes(size);
    if size > limit {
        Err(SourceError::TooLarge { size, limit })
    } else {
        Ok(size)
    }
}
