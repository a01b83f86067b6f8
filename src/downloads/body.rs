//! Bodies that are read as they are sent. A client that goes away takes its file and its places with it.

use std::fs::File;
use std::io::{self, Read, SeekFrom};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;

use super::archive::Archive;
use crate::experiments::readers::{Compression, OpenFile, SourceError, count_bytes, decompressed};

/// How much of a file is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// So many bytes of a file. If it has become shorter meanwhile, the answer breaks off.
pub async fn stored(
    file: File,
    from: u64,
    length: u64,
    place: OwnedSemaphorePermit,
) -> io::Result<Body> {
    let mut file = tokio::fs::File::from_std(file);
    file.seek(SeekFrom::Start(from)).await?;
    let pieces = ReaderStream::with_capacity(file.take(length), PIECE);
    let held = pieces.inspect(move |piece| {
        let _ = &place;
        if let Ok(bytes) = piece {
            count_bytes(bytes.len() as u64);
        }
    });
    Ok(Body::from_stream(held))
}

type Decoder = Box<dyn Read + Send>;

/// The content of a compressed file. Its first piece is unpacked before there is an answer, so that a file that is damaged
/// from the beginning is told of; damage further on breaks the answer off, so that nobody takes a part for the whole.
pub async fn unpacked(
    file: OpenFile,
    compression: Compression,
    places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
) -> Result<Body, SourceError> {
    let corrupt = |error: io::Error| SourceError::Corrupt(error.to_string());
    let decoder = decompressed(file, compression)?;
    let (first, decoder) = piece(decoder).await.map_err(corrupt)?;
    let rest = stream::try_unfold(decoder, |decoder| async move {
        let Some(decoder) = decoder else {
            return Ok(None);
        };
        let (bytes, decoder) = piece(decoder).await?;
        Ok::<_, io::Error>(Some((bytes, decoder)))
    });
    let rest = rest.inspect_err(|error| {
        tracing::warn!(%error, "a compressed file that is being sent is damaged");
    });
    let pieces = stream::iter([Ok(first)]).chain(rest);
    let filled = pieces.try_filter(|bytes| future::ready(!bytes.is_empty()));
    let held = filled.inspect(move |_| {
        let _ = &places;
    });
    Ok(Body::from_stream(held))
}

/// An archive, made as fast as the client takes it. What is wrong with a file breaks the answer off.
pub fn packed(archive: Archive, places: (OwnedSemaphorePermit, OwnedSemaphorePermit)) -> Body {
    let pieces = stream::try_unfold(archive, |mut archive| async move {
        // On a thread for blocking work for one piece alone, as below.
        let next = move || Ok(archive.piece()?.map(|piece| (piece, archive)));
        let done = spawn_blocking(next).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
    });
    let pieces = pieces.inspect_err(|error| {
        tracing::warn!(%error, "a file of an archive that is being sent cannot be read");
    });
    let held = pieces.inspect(move |_| {
        let _ = &places;
    });
    Body::from_stream(held)
}

/// The next piece, and the decoder unless that was the last. It works on a thread for blocking work for this piece alone,
/// so that a client that takes its time holds none.
async fn piece(mut decoder: Decoder) -> io::Result<(Bytes, Option<Decoder>)> {
    let read = move || {
        let mut bytes = Vec::with_capacity(PIECE);
        decoder
            .by_ref()
            .take(PIECE as u64)
            .read_to_end(&mut bytes)?;
        let more = bytes.len() == PIECE;
        Ok((Bytes::from(bytes), more.then_some(decoder)))
    };
    let done = spawn_blocking(read).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}
