//! Slurm's commands, with a time limit each. That one fails says nothing of jobs.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::time::sleep;

use super::queue::{Queue, Record, records};

/// Where programs are, if nobody says where Slurm's are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How many jobs are asked after in one call.
const MOST_JOBS: usize = 500;
/// For how long is taken that there is no accounting.
const NO_ACCOUNTING: Duration = Duration::from_mins(10);

/// How many times, and how often, is tried to signal a job that is about to begin.
const TRIES: u32 = 20;
const AGAIN: Duration = Duration::from_millis(250);

/// Slurm's commands.
#[derive(Debug)]
pub(super) struct Commands {
    folder: Option<PathBuf>,
    conf: Option<PathBuf>,
    timeout: Duration,
    /// When it was said that there is no accounting.
    no_accounting: Mutex<Option<Instant>>,
}

/// A command that failed.
pub(super) struct Failed {
    /// What it said, or why it could not be asked.
    pub words: String,
    /// Did it say so itself?
    pub answered: bool,
}

impl Commands {
    pub fn new(folder: Option<PathBuf>, conf: Option<PathBuf>, timeout: Duration) -> Self {
        Self {
            folder,
            conf,
            timeout,
            no_accounting: Mutex::new(None),
        }
    }

    /// Runs a command, and gives what it printed.
    pub async fn run(&self, name: &str, args: &[OsString]) -> Result<String, Failed> {
        let failed = |words: String, answered| Failed {
            words: format!("{name}: {words}"),
            answered,
        };
        let mut path = OsString::from(PATH);
        let mut program = PathBuf::from(name);
        if let Some(folder) = &self.folder {
            program = folder.join(name);
            path = [folder.as_os_str(), OsStr::new(PATH)].join(OsStr::new(":"));
        }
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", path)
            .env("LC_ALL", "C")
            // Times in seconds since 1970.
            .env("SLURM_TIME_FORMAT", "%s")
            .stdin(Stdio::null())
            .current_dir("/")
            .kill_on_drop(true);
        if let Some(conf) = &self.conf {
            command.env("SLURM_CONF", conf);
        }
        let done = match tokio::time::timeout(self.timeout, command.output()).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => return Err(failed(error.to_string(), false)),
            Err(_) => {
                let seconds = self.timeout.as_secs();
                return Err(failed(format!("no answer within {seconds} s"), false));
            }
        };
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let words: String = String::from_utf8_lossy(&done.stderr)
            .trim()
            .chars()
            .take(1000)
            .collect();
        Err(failed(words, true))
    }

    /// All jobs of this user, those included that have just ended.
    pub async fn squeue(&self) -> Result<Queue, String> {
        let args = ["--noheader", "--me", "--states=all", "--format=%A|%T|%j|%r"];
        let told = self.run("squeue", &args.map(OsString::from)).await;
        told.map(|text| Queue::parse(&text))
            .map_err(|failed| failed.words)
    }

    /// What accounting knows of these jobs. None: there is no accounting.
    pub async fn sacct(&self, numbers: &[u64]) -> Result<Option<Vec<Record>>, String> {
        let lately = |said: &Option<Instant>| said.is_some_and(|at| at.elapsed() < NO_ACCOUNTING);
        if lately(
            &self
                .no_accounting
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        ) {
            return Ok(None);
        }
        let mut all = Vec::new();
        for some in numbers.chunks(MOST_JOBS) {
            let jobs: Vec<String> = some.iter().map(u64::to_string).collect();
            let args = [
                "--noheader".to_owned(),
                "--parsable2".to_owned(),
                "--duplicates".to_owned(),
                "--format=JobIDRaw,State,End,UserCPU,SystemCPU,MaxRSS,JobName".to_owned(),
                format!("--jobs={}", jobs.join(",")),
            ];
            match self.run("sacct", &args.map(OsString::from)).await {
                Ok(text) => all.extend(records(&text)),
                Err(failed) if failed.words.contains("accounting storage is disabled") => {
                    let mut said = self
                        .no_accounting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    *said = Some(Instant::now());
                    return Ok(None);
                }
                Err(failed) => return Err(failed.words),
            }
        }
        Ok(Some(all))
    }

    /// Ends or signals jobs. That they have ended already is no failure.
    pub async fn scancel(&self, args: &[&str]) -> Result<(), String> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let mut left = TRIES;
        loop {
            left -= 1;
            match self.run("scancel", &args).await {
                Ok(_) => return Ok(()),
                Err(failed) if is_over(&failed.words) => return Ok(()),
                // Of a job that ends at this moment it says nothing at all, unless it is told to be verbose.
                Err(failed) if failed.answered && failed.words == "scancel: " => return Ok(()),
                // It is about to begin.
                Err(failed) if failed.words.contains("try again later") && left > 0 => {
                    sleep(AGAIN).await;
                }
                Err(failed) => return Err(failed.words),
            }
        }
    }
}

/// Does this say that the job has ended, or waits no longer?
fn is_over(words: &str) -> bool {
    let said = [
        "Invalid job id",
        "already completing or completed",
        "Job/step already",
    ];
    said.iter().any(|said| words.contains(said))
}

/// Does this say of `sbatch` that the job will never be taken, and not only that it could not be asked?
pub(super) fn is_refusal(words: &str) -> bool {
    let unreachable = [
        "Unable to contact",
        "Socket timed out",
        "Zero Bytes were transmitted",
        "onnection failure",
        "onnection refused",
        "Communication",
        "uthentication",
        "auth/munge",
        "standby",
        "temporarily",
        "shutting down",
        "limit",
        "Slurm temporarily unable to accept job",
        "Resource",
        "Message receive failure",
        "Header lengths",
        "SLURM_CONF",
        "configuration",
        "Write",
        "I/O",
    ];
    let is_temporary = unreachable.iter().any(|said| words.contains(said));
    words.contains("Batch job submission failed") && (!is_temporary || is_hopeless(words))
}

/// What no waiting mends, although its words are like those of what does.
fn is_hopeless(words: &str) -> bool {
    let said = [
        "Requested node configuration is not available",
        "Requested time limit is invalid",
        "Memory specification can not be satisfied",
    ];
    said.iter().any(|said| words.contains(said))
}

#[cfg(test)]
mod tests {
    use super::is_refusal;

    #[test]
    fn only_what_slurm_will_never_take_is_a_refusal() {
        let said = |why: &str| {
            is_refusal(&format!(
                "sbatch: error: Batch job submission failed: {why}"
            ))
        };
        for why in [
            "Invalid partition name specified",
            "Requested node configuration is not available",
            "Memory specification can not be satisfied",
            "Requested time limit is invalid (missing or exceeds some limit)",
            "Invalid account or account/partition combination specified",
        ] {
            assert!(said(why), "{why}");
        }
        for why in [
            "Unable to contact slurm controller (connect failure)",
            "Socket timed out on send/recv operation",
            "Slurm temporarily unable to accept job, sleeping and retrying",
            "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
            "Protocol authentication error",
        ] {
            assert!(!said(why), "{why}");
        }
        assert!(!is_refusal("sbatch: error: Unable to open file"));
    }
}
