//! What is shown of an experiment's configuration: of its files, and of its runs as they recorded it.
//!
//! Both sides go through the same filter ([`filter`]), so that they can be compared ([`difference`]): what belongs to the
//! server is left out, what looks like a secret is hidden, and the experiment's folder is `%ROOTDIR%` wherever it is
//! mounted.

mod difference;
mod filter;

pub use difference::{Difference, differences};
pub use filter::{HIDDEN, OF_SERVER};

use std::io::{self, Read, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde_json::Value;

use super::readers::{Configuration, Expid, Root};

/// The longest record of a run's configuration that is looked at, in bytes.
pub const MAX_RECORD: usize = 2 << 20;
/// The most bytes that one may take when it is packed.
const MAX_PACKED: usize = 256 << 10;
/// Changes whenever what is kept of a record changes, so that all are made anew.
pub const RULES: u32 = 1;

/// What may be shown of the configuration in the files of an experiment.
pub fn of_files(configuration: Configuration, root: &Root, expid: &Expid) -> Value {
    let above = root.path().display().to_string();
    let home = format!("{above}/{expid}");
    filter::shown(configuration.tree, &home, &above)
}

/// What may be shown of the configuration that a run recorded, as JSON; none if it is none, or far too large.
pub fn of_run(record: &str) -> Option<String> {
    if record.len() > MAX_RECORD {
        return None;
    }
    let record: Value = serde_json::from_str(record).ok()?;
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let home = text("ROOTDIR").trim_end_matches('/').to_owned();
    let above = match text("LOCAL_ROOT_DIR") {
        "" => home.rsplit_once('/').map_or("", |(above, _)| above),
        above => above.trim_end_matches('/'),
    };
    let above = above.to_owned();
    record
        .is_object()
        .then(|| filter::shown(record, &home, &above).to_string())
}

/// A text in fewer bytes; none if these are still far too many.
pub fn pack(text: &str) -> io::Result<Option<Vec<u8>>> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes())?;
    let packed = packer.finish()?;
    Ok((packed.len() <= MAX_PACKED).then_some(packed))
}

/// The text again.
pub fn unpack(packed: &[u8]) -> io::Result<String> {
    // Hiding can make a text longer than it was, though not by much.
    let most = (4 * MAX_RECORD) as u64;
    let mut text = String::new();
    ZlibDecoder::new(packed)
        .take(most)
        .read_to_string(&mut text)?;
    Ok(text)
}
