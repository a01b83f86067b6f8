//! A commit of a repository, fetched by `git`.
//!
//! The repository is not trusted. Nothing of it is checked out: the files of the commit come as an archive, which is unpacked
//! like any other. git knows neither our environment nor anybody's configuration, runs no hooks, asks nobody, and speaks only
//! the transports that are allowed.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::address;
use super::unpack::Refused;
use crate::failure::Failure;
use crate::flows::settings::FlowSettings;
use crate::flows::template::path::RelativePath;
use crate::text::shorten;

/// Where programs are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Runs a program whose files cannot be larger than so many blocks of 512 bytes.
const BOUNDED: &str = r#"ulimit -f "$0" && exec "$@""#;
/// How much git may say before it is listened to no more, in bytes.
const MOST_WORDS: u64 = 16 << 10;
/// How many characters of that are told.
const TOLD_WORDS: usize = 500;

/// A commit, and the folder of its files that is wanted.
#[derive(Debug)]
pub(super) struct Commit<'a> {
    url: &'a str,
    /// In lower case.
    pub hash: String,
    folder: Option<RelativePath>,
}

impl<'a> Commit<'a> {
    /// Checks what somebody asks for.
    ///
    /// # Errors
    /// A rejection.
    pub fn new(
        settings: &FlowSettings,
        url: &'a str,
        commit: &str,
        folder: Option<&str>,
    ) -> Result<Self, Failure> {
        if settings.git.protocols.is_empty() {
            let message = "no workflows are taken from repositories (`flows.git.protocols`)";
            return Err(Failure::bad_input("git", message));
        }
        address::check(url)?;
        let is_hash =
            matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            let message = "the commit is its full hash: 40 or 64 hexadecimal digits";
            return Err(Failure::bad_input("git", message));
        }
        let folder = folder.filter(|folder| !matches!(*folder, "" | "." | "./"));
        let folder = folder.map(RelativePath::any).transpose();
        let folder = folder.map_err(|error| Failure::bad_input("git", error.to_string()))?;
        Ok(Self {
            url,
            hash: commit.to_ascii_lowercase(),
            folder,
        })
    }

    /// Fetches the commit below a folder of labql's own, and gives its files as a tar archive.
    ///
    /// # Errors
    /// A rejection if it cannot be had.
    pub async fn fetch(&self, settings: &FlowSettings, draft: &Path) -> Result<File, Failure> {
        let limit = settings.git.timeout;
        let fetched = timeout(limit, self.fetch_in(settings, draft, limit)).await;
        fetched.unwrap_or_else(|_| Err(too_slow(limit)))
    }

    async fn fetch_in(
        &self,
        settings: &FlowSettings,
        draft: &Path,
        limit: Duration,
    ) -> Result<File, Failure> {
        let repository = draft.join("repository");
        let archive = draft.join("archive.tar");
        let git = Git {
            home: draft,
            protocols: &settings.git.protocols,
            blocks: settings.files.template_mib.saturating_mul(2 << 10),
            limit,
        };
        let format = if self.hash.len() == 64 {
            "--object-format=sha256"
        } else {
            "--object-format=sha1"
        };
        let init = ["init", "--quiet", "--bare", "--template=", format, "--"];
        let init = init.map(OsStr::new);
        git.run(init.iter().copied().chain([repository.as_os_str()]))
            .await
            .map_err(|words| self.told(&words))?;
        let mut of_repository = "--git-dir=".to_owned().into_bytes();
        of_repository.extend_from_slice(repository.as_os_str().as_encoded_bytes());
        let of_repository = os_string(of_repository);
        let fetch = [
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--",
            self.url,
            &self.hash,
        ];
        let fetch = fetch.map(OsStr::new);
        git.run([of_repository.as_os_str()].into_iter().chain(fetch))
            .await
            .map_err(|words| self.told(&words))?;
        let tree = match &self.folder {
            Some(folder) => format!("{}:{folder}", self.hash),
            None => self.hash.clone(),
        };
        let mut output = "--output=".to_owned().into_bytes();
        output.extend_from_slice(archive.as_os_str().as_encoded_bytes());
        let output = os_string(output);
        let pack = ["archive", "--format=tar"].map(OsStr::new);
        let pack = [of_repository.as_os_str()].into_iter().chain(pack);
        let pack = pack.chain([output.as_os_str(), OsStr::new(&tree)]);
        git.run(pack).await.map_err(|words| self.told(&words))?;
        File::open(&archive).map_err(|error| super::refuse("git", Refused::Disk(error)))
    }

    fn told(&self, words: &str) -> Failure {
        let words = address::mask_in(words, self.url);
        let lines: Vec<&str> = words.lines().map(str::trim).collect();
        let words = shorten(&lines.join("; "), TOLD_WORDS);
        let url = address::mask(self.url);
        let message = format!("{url} at {}: {words}", self.hash);
        Failure::bad_input("git", message)
    }
}

fn too_slow(limit: Duration) -> Failure {
    let limit = humantime::format_duration(limit);
    let message = format!("the commit was not fetched within {limit} (`flows.git.timeout`)");
    Failure::bad_input("git", message)
}

fn os_string(bytes: Vec<u8>) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes)
}

/// How git is run.
struct Git<'a> {
    home: &'a Path,
    protocols: &'a str,
    /// How large a file it may write, in 512 bytes.
    blocks: u64,
    limit: Duration,
}

impl Git<'_> {
    /// Runs git with these arguments.
    ///
    /// # Errors
    /// What it said, or why it could not be run.
    async fn run<'s>(&self, args: impl Iterator<Item = &'s OsStr>) -> Result<(), String> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", BOUNDED, &self.blocks.to_string(), "git"])
            // None of these is the repository's to say.
            .args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"])
            .args(args)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.home)
            .env("LC_ALL", "C")
            .env("GIT_ALLOW_PROTOCOL", self.protocols)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
            .env("GIT_CEILING_DIRECTORIES", self.home)
            .current_dir(self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // What it starts ends with it.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("git: {error}"))?;
        let _group = Group(child.id());
        let words = child.stderr.take();
        let listen = async {
            let mut said = Vec::new();
            if let Some(words) = words {
                // What it says beyond that would keep it from going on if nobody took it.
                let mut words = words.take(MOST_WORDS);
                let _ = words.read_to_end(&mut said).await;
                let mut rest = words.into_inner();
                let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
            }
            said
        };
        let both = async { tokio::join!(child.wait(), listen) };
        let (status, said) = timeout(self.limit, both)
            .await
            .map_err(|_| "it took too long".to_owned())?;
        let status = status.map_err(|error| format!("git: {error}"))?;
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        if said.trim().is_empty() {
            return Err(format!("git ended with {status}"));
        }
        Err(said.into_owned())
    }
}

/// Ends the group of processes of this number when it is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // Most often all of them have ended.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}
