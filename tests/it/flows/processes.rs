//! What runs on this machine because of a site: its steps have a mark in their environment, and whoever keeps them or runs them
//! for Slurm has a folder of the site in its command. So has the one keeper that a server or worker has waiting for its next step.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::lab::Site;
use crate::support::client::PATIENCE;

/// The processes that have a word in their environment, or in their command, each with that.
fn having(word: &str, file: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let (mut found, mut waited_for) = (Vec::new(), HashSet::new());
    for entry in fs::read_dir("/proc").expect("processes").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // Whoever has ended and was not waited for yet has neither.
        let read = |file: &str| {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        if read(file).contains(word) {
            // One for each that lives.
            if waits_for(&entry.path()).is_some_and(|parent| waited_for.insert(parent)) {
                continue;
            }
            found.push(format!("{name}: {}", read("cmdline")));
        }
    }
    found
}

/// The server or worker that a keeper without a folder waits for; none: it is another process, or waits for nobody.
fn waits_for(process: &Path) -> Option<String> {
    let words = fs::read_link(process.join("fd/2")).ok()?;
    let command = fs::read(process.join("cmdline")).ok()?;
    if !command.starts_with(b"labql\0keep\0") || words.ends_with("keeper.log") {
        return None;
    }
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // After the name, which may have anything in it: state and parent.
    let parent = stat.rsplit(") ").next()?.split(' ').nth(1)?;
    let command = fs::read_to_string(format!("/proc/{parent}/cmdline")).ok()?;
    let mut words = command.split('\0');
    let is_labql = words.any(|word| matches!(word, "serve" | "worker"));
    is_labql.then(|| parent.to_owned())
}

/// What steps of a site run now.
pub fn of_steps(site: &Site) -> Vec<String> {
    having(site.mark(), "environ")
}

/// Nothing of any step runs.
pub fn check_none_is_left(site: &Site) {
    assert_eq!(of_steps(site), [""; 0]);
}

/// Waits until nothing of any step runs, nor who kept it.
pub async fn until_none_is_left(site: &Site) {
    let folder = site.lab.data().display().to_string();
    let left = || [of_steps(site), having(&folder, "cmdline")].concat();
    let gone = async {
        while !left().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let gone = timeout(PATIENCE, gone).await;
    assert!(gone.is_ok(), "left behind: {:?}", left());
}

/// Waits until something is so that labql does not tell of.
pub async fn until<T>(mut something: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(something) = something() {
                return something;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it never came")
}
