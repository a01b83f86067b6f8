//! The logs of jobs: `tmp/LOG_<expid>/<job>.<stamp>.{out,err}[_attempt_<n>][.gz|.xz]`, and how logs are found and opened.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;

use super::open_file::{self, OpenFile};
use super::own_logs::OwnLogName;
use super::{Expid, FileStamp, Root, SourceError};

/// Memory that a compressed file may ask its decoder for, in bytes; `xz -9` takes 65 MiB.
const MAX_DECODER_MEMORY: u64 = 128 << 20;
/// The most entries of a folder that are looked at.
pub(super) const MAX_ENTRIES: usize = 1_000_000;

/// One of the two logs of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl LogStream {
    const fn extension(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }
}

/// The folders with the logs of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFolder {
    /// Those of its jobs.
    Jobs,
    /// Those of Autosubmit itself. Before 3.13 Autosubmit kept them in `tmp`, among much else: there nothing but them can be
    /// opened.
    Autosubmit,
}

impl LogFolder {
    pub(super) fn path(self, root: &Root, expid: &Expid) -> String {
        match self {
            Self::Jobs => root.log_folder(expid),
            Self::Autosubmit => root.run_log_folder(expid),
        }
    }
}

/// How a log is compressed, as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// The `.xz` file format.
    Xz,
}

/// A log that is open for reading, from its beginning.
#[derive(Debug)]
pub struct OpenLog {
    /// The file.
    pub file: OpenFile,
    /// Its size and times.
    pub stamp: FileStamp,
    /// How it is compressed, if it is.
    pub compression: Option<Compression>,
}

/// Opens a log by its bare name, to read the whole of it. Compression is found by the first bytes, not by the name.
///
/// # Errors
/// `Hostile` for anything but the name of a file in the folder (or a link that leads out of it); `Foreign` for what is
/// not a regular file; `Missing`; `Unreadable`.
pub fn open_log(
    root: &Root,
    expid: &Expid,
    folder: LogFolder,
    name: &str,
) -> Result<OpenLog, SourceError> {
    let (_, path) = locate(root, expid, folder, name)?;
    let mut file = OpenFile::open(&path)?;
    let compression = compression(&mut file)?;
    let stamp = FileStamp::of(&file.metadata()?);
    Ok(OpenLog {
        file,
        stamp,
        compression,
    })
}

/// The content of a compressed file. What is damaged or cut off ends in an error.
///
/// # Errors
/// `Corrupt` if there is no memory for it.
pub fn decompressed(
    file: OpenFile,
    compression: Compression,
) -> Result<Box<dyn Read + Send>, SourceError> {
    Ok(match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
        Compression::Xz => {
            let stream =
                Stream::new_stream_decoder(MAX_DECODER_MEMORY, liblzma::stream::CONCATENATED)
                    .map_err(|error| SourceError::Corrupt(error.to_string()))?;
            Box::new(XzDecoder::new_stream(file, stream))
        }
    })
}

/// A log that exists, as its folder tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its name in its folder, for [`tail`](super::tail()) and [`open_log`].
    pub name: String,
    /// Where it is, relative to the root.
    pub path: String,
    /// Bytes, as stored.
    pub size: u64,
    /// When it was last written.
    pub modified_at: DateTime<Utc>,
}

/// What is known of a log without opening it. None if there is none of this name.
///
/// # Errors
/// As for [`open_log`].
pub fn find_log(
    root: &Root,
    expid: &Expid,
    folder: LogFolder,
    name: &str,
) -> Result<Option<LogFile>, SourceError> {
    let (relative, path) = match locate(root, expid, folder, name) {
        Err(SourceError::Missing) => return Ok(None),
        found => found?,
    };
    let metadata = open_file::metadata(&path)?;
    if !metadata.is_file() {
        return Err(SourceError::Foreign("not a regular file".into()));
    }
    Ok(Some(LogFile {
        name: name.to_owned(),
        path: relative,
        size: metadata.len(),
        modified_at: metadata.modified()?.into(),
    }))
}

/// What the name of a job's log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLogName {
    /// The name.
    pub name: String,
    /// Which of the two it is.
    pub stream: LogStream,
    /// The time of the attempt in digits; none where the attempt goes on, or Autosubmit did not come back for its logs: such
    /// a log is still called as the script wrote it.
    stamp: Option<String>,
    /// Whether Autosubmit put it aside for a further attempt at once (`_attempt_<n>`).
    put_aside: bool,
}

impl JobLogName {
    /// The job, and what else the name tells; none for other names: `<job>.<stamp>.{out,err}[_attempt_<n>]` and
    /// `<job>.cmd.{out,err}[.<n>]`, each perhaps with `.gz` or `.xz`.
    pub fn parse(name: &str) -> Option<(&str, Self)> {
        let stem = without_compression(name);
        let (stem, put_aside) = match stem.rsplit_once("_attempt_") {
            Some((stem, number)) if is_digits(number) => (stem, true),
            _ => (stem, false),
        };
        let (rest, stream) = match split_stream(stem) {
            Some(found) => found,
            None => split_stream(stem.rsplit_once('.').filter(|(_, end)| is_digits(end))?.0)
                .filter(|(rest, _)| rest.rsplit('.').next() == Some("cmd"))?,
        };
        let (job, stamp) = rest.rsplit_once('.')?;
        let stamp = match stamp {
            "cmd" => None,
            digits if is_digits(digits) => Some(digits.to_owned()),
            _ => return None,
        };
        let name = name.to_owned();
        let found = Self {
            name,
            stream,
            stamp,
            put_aside,
        };
        (!job.is_empty()).then_some((job, found))
    }

    /// Whether it can be the newest log of its job.
    pub fn is_whole(&self) -> bool {
        self.stamp.is_some() && !self.put_aside
    }
}

/// `<rest>.<out|err>`
fn split_stream(stem: &str) -> Option<(&str, LogStream)> {
    let (rest, extension) = stem.rsplit_once('.')?;
    [LogStream::Out, LogStream::Err]
        .into_iter()
        .find(|stream| stream.extension() == extension)
        .map(|stream| (rest, stream))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name without `.gz` or `.xz`.
pub(super) fn without_compression(name: &str) -> &str {
    name.strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".xz"))
        .unwrap_or(name)
}

/// The logs of these jobs, by job: those that go on first, then by the times in their names, the newest first. The folder is
/// gone through once.
///
/// # Errors
/// [`SourceError`] if the log folder is there and cannot be read.
pub fn job_logs(
    root: &Root,
    expid: &Expid,
    jobs: &HashSet<String, impl BuildHasher>,
) -> Result<HashMap<String, Vec<JobLogName>>, SourceError> {
    let mut found: HashMap<String, Vec<JobLogName>> = HashMap::new();
    let names = match names_in(root, expid, &root.log_folder(expid), MAX_ENTRIES) {
        Err(SourceError::Missing) => return Ok(found),
        names => names?,
    };
    for name in names {
        if let Some((job, log)) = JobLogName::parse(&name).filter(|(job, _)| jobs.contains(*job)) {
            found.entry(job.to_owned()).or_default().push(log);
        }
    }
    for logs in found.values_mut() {
        logs.sort_by(|left, right| {
            let key = |log: &JobLogName| (log.stamp.is_none(), log.stamp.clone());
            key(right)
                .cmp(&key(left))
                .then_with(|| left.name.cmp(&right.name))
        });
    }
    Ok(found)
}

/// The newest of a job's logs of a stream: the last name in byte order, as the names carry the time.
pub fn newest_of(logs: &[JobLogName], stream: LogStream) -> Option<&JobLogName> {
    logs.iter()
        .filter(|log| log.stream == stream && log.is_whole())
        .max_by(|left, right| left.name.cmp(&right.name))
}

/// The newest log of a job. None if it has no log.
///
/// # Errors
/// [`SourceError`] if the log folder, or the log, cannot be read.
pub fn newest_log(
    root: &Root,
    expid: &Expid,
    job: &str,
    stream: LogStream,
) -> Result<Option<LogFile>, SourceError> {
    let logs = job_logs(root, expid, &HashSet::from([job.to_owned()]))?;
    match logs.get(job).and_then(|logs| newest_of(logs, stream)) {
        Some(log) => find_log(root, expid, LogFolder::Jobs, &log.name),
        None => Ok(None),
    }
}

/// The names in a log folder of an experiment.
pub(super) fn names_in(
    root: &Root,
    expid: &Expid,
    folder: &str,
    most: usize,
) -> Result<impl Iterator<Item = String> + use<>, SourceError> {
    enter(root, expid, folder)?;
    root.names_in(folder, most)
}

/// The path of a log relative to the root, and its canonical one.
fn locate(
    root: &Root,
    expid: &Expid,
    folder: LogFolder,
    name: &str,
) -> Result<(String, PathBuf), SourceError> {
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        return Err(SourceError::Hostile("not the name of a log file".into()));
    }
    match locate_in(root, expid, &folder.path(root, expid), name) {
        Err(SourceError::Missing)
            if folder == LogFolder::Autosubmit && OwnLogName::is_dated(name) =>
        {
            let found = locate_in(root, expid, &root.tmp_folder(expid), name)?;
            let leads_to = found.1.file_name().and_then(|name| name.to_str());
            // A link may stand there under the name of a log, and lead to something else in the same folder.
            match leads_to {
                Some(name) if OwnLogName::is_dated(name) => Ok(found),
                _ => Err(leads_out()),
            }
        }
        found => found,
    }
}

fn locate_in(
    root: &Root,
    expid: &Expid,
    folder: &str,
    name: &str,
) -> Result<(String, PathBuf), SourceError> {
    let inside = enter(root, expid, folder)?;
    let relative = format!("{folder}/{name}");
    let path = root.resolve(&relative)?;
    if path.starts_with(inside) {
        Ok((relative, path))
    } else {
        Err(leads_out())
    }
}

/// The canonical path of a log folder. It is where it should be, or a link leads to a folder that is allowed and is no other
/// one of the experiment: else whoever may make links there could have anything shown that labql may read.
fn enter(root: &Root, expid: &Expid, folder: &str) -> Result<PathBuf, SourceError> {
    let path = root.resolve(folder)?;
    let home = root.resolve(expid.as_str())?;
    let inside = Path::new(folder).strip_prefix(expid.as_str());
    let is_own = inside.is_ok_and(|inside| path == home.join(inside));
    let is_allowed = || {
        root.allowed()
            .iter()
            .any(|allowed| path.starts_with(allowed))
    };
    if is_own || (!path.starts_with(&home) && is_allowed()) {
        Ok(path)
    } else {
        Err(leads_out())
    }
}

fn leads_out() -> SourceError {
    SourceError::Hostile("a symbolic link leads out of the log folder".into())
}

/// Reads the first bytes of a file, and goes back to its beginning.
fn compression(file: &mut OpenFile) -> Result<Option<Compression>, SourceError> {
    let mut magic = [0_u8; 6];
    let length = read_up_to(file, &mut magic)?;
    file.rewind()?;
    Ok(match magic.get(..length) {
        Some([0x1f, 0x8b, ..]) => Some(Compression::Gzip),
        Some([0xfd, b'7', b'z', b'X', b'Z', 0]) => Some(Compression::Xz),
        _ => None,
    })
}

fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize, SourceError> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match from.read(rest)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}
