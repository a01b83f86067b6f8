//! The versions of Autosubmit, as asked of it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::launch::VERSION_LIMIT;
use super::request::Actions;
use super::{ActionsConfig, version, version_of};
use crate::{engine, files};

/// How long an answer holds good, and how long none does.
const HOLDS: Duration = Duration::from_mins(10);
const RETRY: Duration = Duration::from_mins(1);
/// How long somebody waits for that. The answer comes later for whoever asks again.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it may take to end when its time is up; its keeper ends it before that.
const GRACE: Duration = Duration::from_secs(15);
/// A question so old was left behind by a server that ended before the answer.
const OLD: Duration = Duration::from_mins(10);
/// What the folders of questions begin with.
const PREFIX: &str = "version-";
/// How much of what it says is read, in bytes.
const LONGEST: usize = 4096;

/// What was answered, and when.
type Answer = Mutex<Option<(Instant, Option<String>)>>;

/// The answers by profile.
#[derive(Debug, Default)]
pub(super) struct Versions(HashMap<String, Answer>);

impl Versions {
    pub fn of(config: &ActionsConfig) -> Self {
        let profiles = config.profiles.keys();
        Self(
            profiles
                .map(|name| (name.clone(), Answer::default()))
                .collect(),
        )
    }
}

impl Actions {
    /// The version of Autosubmit that a profile calls, asked of it at most every ten minutes. None: it did not say.
    pub async fn version(&self, profile: &str) -> Option<String> {
        let (actions, profile) = (self.clone(), profile.to_owned());
        // In a task of its own, so that what is asked is kept, although whoever asked may be gone.
        let asking = tokio::spawn(async move { actions.known_version(&profile).await });
        timeout(PATIENCE, asking).await.ok()?.ok()?
    }

    async fn known_version(&self, profile: &str) -> Option<String> {
        // Who comes while it is asked waits for the answer.
        let mut known = self.versions.0.get(profile)?.lock().await;
        if let Some((at, version)) = &*known
            && at.elapsed() < if version.is_some() { HOLDS } else { RETRY }
        {
            return version.clone();
        }
        let version = self.ask_version(profile).await;
        *known = Some((Instant::now(), version.clone()));
        version
    }

    async fn ask_version(&self, profile: &str) -> Option<String> {
        let launch = version(self.config.profiles.get(profile)?);
        let folder = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
        let folder = self.folder.join(folder);
        let asked = async {
            let (below, asked) = (self.folder.clone(), folder.clone());
            tokio::task::spawn_blocking(move || files::private_folder(&below))
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())?;
            let started = engine::start(&launch, &folder).await;
            started.map_err(|error| error.to_string())?;
            if timeout(VERSION_LIMIT + GRACE, engine::ended(&folder))
                .await
                .is_err()
            {
                let _ = engine::stop(&folder, Duration::ZERO).await;
                return Err("it took too long".to_owned());
            }
            let output = move || engine::output(&asked, 0, LONGEST);
            tokio::task::spawn_blocking(output)
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())
        };
        let output = asked.await;
        let gone = tokio::fs::remove_dir_all(&folder).await;
        if let Err(error) = gone {
            tracing::debug!(%error, "the folder of a question was not removed");
        }
        match output {
            Ok(output) => version_of(&String::from_utf8_lossy(&output)),
            Err(error) => {
                tracing::warn!(profile, error, "Autosubmit did not say its version");
                None
            }
        }
    }
}

/// Removes what questions left behind whose server ended before it had the answer, and ends their programs.
pub(super) async fn clean(folder: &Path) -> io::Result<()> {
    let folder = folder.to_owned();
    for old in tokio::task::spawn_blocking(move || left_behind(&folder)).await?? {
        // One that cannot be ended is tried again the next time.
        if engine::stop(&old, Duration::ZERO).await.is_ok() {
            tokio::fs::remove_dir_all(&old).await?;
        }
    }
    Ok(())
}

fn left_behind(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_question = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        let is_old = || {
            let changed = entry.metadata().and_then(|about| about.modified());
            changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD))
        };
        if is_question && is_old() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
