//! The logs of jobs: `tmp/LOG_<expid>/<job>.<stamp>.{out,err}[.gz|.xz]`, and those of Autosubmit itself: `tmp/ASLOGS`.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
};

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use liblzma::{read::XzDecoder, stream::Stream};

use super::{Expid, FileStamp, Root, SourceError, root::open_regular};

/// The most lines that one call gives.
pub const MAX_LINES: usize = 10_000;
/// Memory that a compressed file may ask its decoder for, in bytes; `xz -9` takes 65 MiB.
const MAX_DECODER_MEMORY: u64 = 128 << 20;

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
    /// Those of Autosubmit itself.
    Autosubmit,
}

impl LogFolder {
    fn path(self, root: &Root, expid: &Expid) -> String {
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
    pub file: File,
    /// Its size and times.
    pub stamp: FileStamp,
    /// How it is compressed, if it is.
    pub compression: Option<Compression>,
}

/// Opens a log by its bare name, to read the whole of it.
///
/// # Errors
/// As for [`tail_within`].
pub fn open_log(
    root: &Root,
    expid: &Expid,
    folder: LogFolder,
    name: &str,
) -> Result<OpenLog, SourceError> {
    let mut file = open_in(root, &folder.path(root, expid), name)?;
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
    file: File,
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

/// A log that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its name in the log folder, for [`tail`].
    pub name: String,
    /// Where it is, relative to the root.
    pub path: String,
    /// Bytes, as stored.
    pub size: u64,
    /// When it was last written.
    pub modified_at: DateTime<Utc>,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The last lines, without line ends. What is not UTF-8 becomes U+FFFD.
    pub lines: Vec<String>,
    /// Whether there is more before them.
    pub truncated: bool,
}

/// How much work and memory a log may cost, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailLimits {
    /// The most that is decompressed to find the end of a file.
    pub max_decompressed: u64,
    /// The most that is kept: lines of more than this are cut at their front.
    pub max_window: u64,
}

impl Default for TailLimits {
    fn default() -> Self {
        Self {
            max_decompressed: 256 << 20,
            max_window: 1 << 20,
        }
    }
}

/// The newest log of a job: the last name in byte order, as the names carry the time. None if it has no log.
///
/// # Errors
/// [`SourceError`] if the log folder cannot be read.
pub fn newest_log(
    root: &Root,
    expid: &Expid,
    job: &str,
    stream: LogStream,
) -> Result<Option<LogFile>, SourceError> {
    let folder = root.log_folder(expid);
    let entries = match root.resolve(&folder) {
        Err(SourceError::Missing) => return Ok(None),
        path => fs::read_dir(path?)?,
    };
    let mut newest: Option<String> = None;
    for entry in entries {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        if is_log(&name, job, stream) && newest.as_ref().is_none_or(|newest| *newest < name) {
            newest = Some(name);
        }
    }
    let Some(name) = newest else { return Ok(None) };
    let file = open(root, expid, &name)?;
    let metadata = file.metadata()?;
    let modified_at = metadata.modified()?.into();
    Ok(Some(LogFile {
        path: format!("{folder}/{name}"),
        name,
        size: metadata.len(),
        modified_at,
    }))
}

/// `<job>.<stamp>.<out|err>[.gz|.xz]`
fn is_log(name: &str, job: &str, stream: LogStream) -> bool {
    let Some(rest) = name
        .strip_prefix(job)
        .and_then(|rest| rest.strip_prefix('.'))
    else {
        return false;
    };
    let rest = rest
        .strip_suffix(".gz")
        .or_else(|| rest.strip_suffix(".xz"))
        .unwrap_or(rest);
    let Some((stamp, extension)) = rest.split_once('.') else {
        return false;
    };
    extension == stream.extension()
        && !stamp.is_empty()
        && stamp.bytes().all(|byte| byte.is_ascii_digit())
}

/// The last lines of a log, with the default limits.
///
/// # Errors
/// As for [`tail_within`].
pub fn tail(root: &Root, expid: &Expid, file: &str, lines: usize) -> Result<Tail, SourceError> {
    tail_within(root, expid, file, lines, &TailLimits::default())
}

/// The last lines of a log. Compression is found by the first bytes, not by the name.
///
/// # Errors
/// `Hostile` for anything but the name of a file in the log folder (or a link that leads out of it); `TooLarge` for a
/// compressed file that is larger than the limit once decompressed; `Corrupt` for a damaged one; `Foreign` for what is
/// not a regular file; `Missing`; `Unreadable`.
pub fn tail_within(
    root: &Root,
    expid: &Expid,
    file: &str,
    lines: usize,
    limits: &TailLimits,
) -> Result<Tail, SourceError> {
    let mut file = open(root, expid, file)?;
    let compression = compression(&mut file)?;
    let window = Window::new(
        lines.min(MAX_LINES),
        usize::try_from(limits.max_window).unwrap_or(usize::MAX),
    );
    match compression {
        Some(compression) => decompress(decompressed(file, compression)?, window, limits),
        None => plain(file, window, limits),
    }
}

/// Reads the first bytes of a file, and goes back to its beginning.
fn compression(file: &mut File) -> Result<Option<Compression>, SourceError> {
    let mut magic = [0_u8; 6];
    let length = read_up_to(file, &mut magic)?;
    file.rewind()?;
    Ok(match magic.get(..length) {
        Some([0x1f, 0x8b, ..]) => Some(Compression::Gzip),
        Some([0xfd, b'7', b'z', b'X', b'Z', 0]) => Some(Compression::Xz),
        _ => None,
    })
}

/// Opens a log of a job by its bare name.
fn open(root: &Root, expid: &Expid, name: &str) -> Result<File, SourceError> {
    open_in(root, &root.log_folder(expid), name)
}

/// Opens a file right in a folder of the root by its bare name.
fn open_in(root: &Root, folder: &str, name: &str) -> Result<File, SourceError> {
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        return Err(SourceError::Hostile("not the name of a log file".into()));
    }
    let path = root.resolve(&format!("{folder}/{name}"))?;
    if !path.starts_with(root.resolve(folder)?) {
        return Err(SourceError::Hostile(
            "a symbolic link leads out of the log folder".into(),
        ));
    }
    open_regular(&path)
}

/// The end of a plain file, read from its end.
fn plain(mut file: File, mut window: Window, limits: &TailLimits) -> Result<Tail, SourceError> {
    let size = file.metadata()?.len();
    let start = size.saturating_sub(limits.max_window);
    file.seek(SeekFrom::Start(start))?;
    let mut end = file.take(limits.max_window);
    window.cut = start > 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match end.read(&mut buffer)? {
            0 => return Ok(window.finish()),
            length => window.push(buffer.get(..length).unwrap_or_default()),
        }
    }
}

fn decompress(
    mut from: impl Read,
    mut window: Window,
    limits: &TailLimits,
) -> Result<Tail, SourceError> {
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0_u64;
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(window.finish()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(SourceError::Corrupt(format!(
                    "it cannot be decompressed: {error}"
                )));
            }
        };
        size = size.saturating_add(length as u64);
        if size > limits.max_decompressed {
            return Err(SourceError::TooLarge {
                size,
                limit: limits.max_decompressed,
            });
        }
        window.push(buffer.get(..length).unwrap_or_default());
    }
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

/// The last lines of what goes through it.
struct Window {
    lines: VecDeque<Vec<u8>>,
    /// The line that has not ended yet.
    open: Vec<u8>,
    /// Bytes in `lines`.
    kept: usize,
    max_lines: usize,
    max_bytes: usize,
    cut: bool,
}

impl Window {
    fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            open: Vec::new(),
            kept: 0,
            max_lines,
            max_bytes,
            cut: false,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.open.extend_from_slice(part);
            if self.open.len() > self.max_bytes {
                // The front of an endless line goes.
                let excess = self.open.len() - self.max_bytes;
                self.open.drain(..excess);
                self.cut = true;
            }
            if parts.peek().is_some() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.open);
        self.kept += line.len();
        self.lines.push_back(line);
        while self.lines.len() > self.max_lines || self.kept > self.max_bytes {
            let Some(line) = self.lines.pop_front() else {
                break;
            };
            self.kept -= line.len();
            self.cut = true;
        }
    }

    fn finish(mut self) -> Tail {
        if !self.open.is_empty() {
            self.end_line();
        }
        let text = |line: Vec<u8>| {
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            String::from_utf8_lossy(line).into_owned()
        };
        Tail {
            lines: self.lines.into_iter().map(text).collect(),
            truncated: self.cut,
        }
    }
}
