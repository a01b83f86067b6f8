//! What a program printed: kept up to a limit, with a mark where something is left out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::EngineError;
use super::folder::{Folder, Told, failed};

/// Where a program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Its standard output.
    Output,
    /// Its standard error.
    Errors,
}

/// Bytes of the output, standard output and error as they came, from `from` on, at most so many. Of more than the limit
/// of [`Launch`](super::Launch) the first half is there while it comes; when the program has ended, a mark that tells how
/// much was left out and the last bytes follow. Only appended to: what was read at a place once stays there.
///
/// # Errors
/// If the file cannot be read.
pub fn output(folder: &Path, from: u64, most: usize) -> Result<Vec<u8>, EngineError> {
    printed(folder, Stream::Output, from, most)
}

/// The same of one of its streams. Standard error is with the output, unless the program has [`Bounds`](super::Bounds).
///
/// # Errors
/// If the file cannot be read.
pub fn printed(
    folder: &Path,
    stream: Stream,
    from: u64,
    most: usize,
) -> Result<Vec<u8>, EngineError> {
    let folder = Folder::at(folder);
    // Asked first: what comes after the file is known only once the file is complete.
    let told = folder.end()?;
    let path = folder.stream_file(stream);
    let (mut bytes, length) = read_file(&path, from, most)?;
    if let Told::Ended(ended) = told
        && ended.unwritten_of(stream) > 0
    {
        let unwritten = ended.unwritten_of(stream);
        let mark = format!("\n[{unwritten} bytes could not be written]\n");
        let skipped = usize::try_from(from.saturating_sub(length)).unwrap_or(usize::MAX);
        let room = most - bytes.len();
        bytes.extend(mark.bytes().skip(skipped).take(room));
    }
    Ok(bytes)
}

/// Bytes of a file from a place on, and how long it is. One that is not there is empty.
pub(super) fn read_file(
    path: &Path,
    from: u64,
    most: usize,
) -> Result<(Vec<u8>, u64), EngineError> {
    match read(path, from, most) {
        Ok(read) => Ok(read),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((Vec::new(), 0)),
        Err(error) => Err(failed(path)(error)),
    }
}

fn read(path: &Path, from: u64, most: usize) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if from < length {
        file.seek(SeekFrom::Start(from))?;
        file.take(most as u64).read_to_end(&mut bytes)?;
    }
    Ok((bytes, length))
}

/// Keeps output: the first half of the limit in the file at once, the last bytes until the end is known.
pub(super) struct Kept {
    /// None once it could not be written.
    file: Option<File>,
    head_left: u64,
    tail: VecDeque<u8>,
    tail_most: usize,
    left_out: u64,
    has_written: bool,
}

impl Kept {
    pub fn new(file: File, limit: u64) -> Self {
        let tail = limit / 2;
        Self {
            file: Some(file),
            head_left: limit - tail,
            tail: VecDeque::new(),
            tail_most: usize::try_from(tail).unwrap_or(usize::MAX),
            left_out: 0,
            has_written: false,
        }
    }

    /// Takes what was printed.
    pub fn take(&mut self, bytes: &[u8]) {
        let room = usize::try_from(self.head_left).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        let written = self.write(head);
        self.head_left -= written as u64;
        if written < head.len() {
            self.head_left = 0;
            self.keep_last(&head[written..]);
        }
        self.keep_last(rest);
    }

    fn keep_last(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.tail_most)..];
        let surplus = (self.tail.len() + kept.len()).saturating_sub(self.tail_most);
        self.tail.drain(..surplus);
        self.tail.extend(kept);
        self.left_out += (surplus + bytes.len() - kept.len()) as u64;
    }

    /// Writes as much as can be written, and gives how much that was.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while let Some(file) = &mut self.file
            && written < bytes.len()
        {
            match file.write(&bytes[written..]) {
                Ok(0) => break,
                Ok(more) => {
                    written += more;
                    self.has_written = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Of what comes now the last bytes are kept, in case there is room at the end.
                Err(_) => break,
            }
        }
        written
    }

    /// Writes the rest, with a mark before it if something is left out. Gives how many bytes could not be written.
    pub fn finish(mut self) -> u64 {
        let mut rest = Vec::new();
        if self.left_out > 0 {
            rest.extend(format!("\n[{} bytes left out]\n", self.left_out).into_bytes());
        }
        let mark = rest.len();
        rest.extend(&self.tail);
        let written = self.write(&rest);
        if let Some(file) = &self.file
            && self.has_written
        {
            // The end will tell that it is complete.
            let _ = file.sync_all();
        }
        if written < mark {
            // Half a mark is none.
            return self.left_out + self.tail.len() as u64;
        }
        (rest.len() - written) as u64
    }
}
