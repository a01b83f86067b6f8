//! Waiting for the end of a program.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::{Look, look};

/// How often is looked at first, for programs that end at once, and at most, for those that run for days.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Returns when the program runs no longer, as [`look`] tells it. May be dropped at any time.
///
/// A look is a few small files. A notification of the file system would not tell of a keeper that was killed.
pub async fn ended(folder: &Path) {
    let (mut pause, most) = PAUSES;
    while let Ok(Look::Running { .. }) = look(folder) {
        sleep(pause).await;
        pause = (pause * 2).min(most);
    }
}
