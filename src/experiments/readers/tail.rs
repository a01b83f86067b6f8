//! The last lines of logs, within bounds of work and memory.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

use super::logs::{LogFolder, decompressed, open_log};
use super::open_file::OpenFile;
use super::{Expid, Root, SourceError};

/// The most lines that one call gives.
pub const MAX_LINES: usize = 10_000;
/// How much of the end of a plain file is read at first, in bytes: enough for some hundred lines.
const FIRST_PIECE: u64 = 64 << 10;

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The last lines, without line ends. What is not UTF-8 becomes U+FFFD.
    pub lines: Vec<String>,
    /// Whether there is more before them.
    pub truncated: bool,
}

impl Tail {
    /// The last so many of its lines.
    fn last(mut self, lines: usize) -> Self {
        let excess = self.lines.len().saturating_sub(lines);
        self.lines.drain(..excess);
        self.truncated |= excess > 0;
        self
    }
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

/// The last lines of a log, with the default limits.
///
/// # Errors
/// As for [`tail_within`].
pub fn tail(
    root: &Root,
    expid: &Expid,
    folder: LogFolder,
    name: &str,
    lines: usize,
) -> Result<Tail, SourceError> {
    tail_within(root, expid, folder, name, lines, &TailLimits::default())
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
    folder: LogFolder,
    name: &str,
    lines: usize,
    limits: &TailLimits,
) -> Result<Tail, SourceError> {
    let log = open_log(root, expid, folder, name)?;
    let most = lines.min(MAX_LINES);
    match log.compression {
        Some(compression) => {
            let window = Window::new(most, in_memory(limits.max_window));
            decompress(decompressed(log.file, compression)?, window, limits)
        }
        None => plain(log.file, most, limits),
    }
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The end of a plain file, read from its end: a piece, and a larger one as long as it holds too few lines.
fn plain(mut file: OpenFile, lines: usize, limits: &TailLimits) -> Result<Tail, SourceError> {
    let size = file.metadata()?.len();
    let mut piece = FIRST_PIECE.min(limits.max_window);
    loop {
        let start = size.saturating_sub(piece);
        let tail = end(&mut file, start, piece, lines)?;
        let largest = start == 0 || piece >= limits.max_window;
        // The first of the lines may have lost its beginning.
        if largest || tail.lines.len() > lines {
            return Ok(tail.last(lines));
        }
        piece = piece.saturating_mul(4).min(limits.max_window);
    }
}

/// The last lines of a piece of a file, one more than wanted.
fn end(file: &mut OpenFile, start: u64, length: u64, lines: usize) -> Result<Tail, SourceError> {
    file.seek(SeekFrom::Start(start))?;
    let mut window = Window::new(lines.saturating_add(1), in_memory(length));
    window.cut = start > 0;
    let mut piece = file.take(length);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match piece.read(&mut buffer)? {
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
