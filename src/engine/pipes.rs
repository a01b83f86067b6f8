//! The pipes that a program prints into.

use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::folder::{Folder, failed};
use super::output::Kept;
use super::{EngineError, Stream};
use crate::files;

/// What a program prints, on its way into a file.
pub(super) struct Printed<K = Kept> {
    pipe: pipe::Receiver,
    pub kept: K,
    pub is_open: bool,
    buffer: Vec<u8>,
}

/// A pipe for a stream, and the file that it is kept in.
pub(super) fn printed(
    folder: &Folder,
    stream: Stream,
) -> Result<(Printed<File>, PipeWriter), EngineError> {
    let path = folder.stream_file(stream);
    let file = files::private_file(&path).map_err(failed(&path))?;
    let (printed, printing) = io::pipe().map_err(failed(&path))?;
    let printed = pipe::Receiver::from_owned_fd(OwnedFd::from(printed)).map_err(failed(&path))?;
    let printed = Printed {
        pipe: printed,
        kept: file,
        is_open: true,
        buffer: vec![0; 64 * 1024],
    };
    Ok((printed, printing))
}

impl Printed<File> {
    pub fn kept_to(self, limit: u64) -> Printed {
        Printed {
            pipe: self.pipe,
            kept: Kept::new(self.kept, limit),
            is_open: self.is_open,
            buffer: self.buffer,
        }
    }
}

impl Printed {
    /// Keeps what is printed next; never returns once there is no more.
    pub async fn copy(&mut self) {
        if !self.is_open {
            return std::future::pending().await;
        }
        match self.pipe.read(&mut self.buffer).await {
            Ok(0) | Err(_) => self.is_open = false,
            Ok(some) => self.kept.take(self.buffer.get(..some).unwrap_or_default()),
        }
    }
}

/// The same of a stream that may not be kept apart.
pub(super) async fn copy(printed: &mut Option<Printed>) {
    match printed {
        Some(printed) => printed.copy().await,
        None => std::future::pending().await,
    }
}
