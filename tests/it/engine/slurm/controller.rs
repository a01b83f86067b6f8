//! A controller that crashes and comes back, in a Slurm of this test alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use labql::engine::{
    Executor as _, ExecutorError, Finish, Slurm, SlurmSettings, Standing, SubmitError,
};
use tempfile::TempDir;
use tokio::time::timeout;

use super::Cluster;
use crate::engine::steps::{Steps, outcome, poll};
use crate::engine::{PATIENCE, until};

/// A Slurm of its own.
struct Own {
    cluster: Cluster,
    folder: TempDir,
}

impl Drop for Own {
    fn drop(&mut self) {
        script("stop", &self.folder.path().join("slurm"));
    }
}

impl Own {
    /// None where no Slurm is to be tested.
    fn start() -> Option<Self> {
        Cluster::open()?;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("slurm");
        assert!(script("start", &path), "a second Slurm does not start");
        let conf = path.join("slurm.conf");
        let cluster = Cluster { conf };
        Some(Self { cluster, folder })
    }

    fn halt(&self) {
        assert!(script("halt", &self.folder.path().join("slurm")));
    }

    fn resume(&self) {
        assert!(script("resume", &self.folder.path().join("slurm")));
    }

    /// Waits until the controller has saved what it knows of a step: before that a crash costs it the job.
    async fn until_saved(&self, id: &str) {
        let state = self.folder.path().join("slurm/state/job_state");
        until(|| {
            let saved = fs::read(&state).ok()?;
            let is_there = |part: &[u8]| part == id.as_bytes();
            saved.windows(id.len()).any(is_there).then_some(())
        })
        .await;
    }
}

/// Has the script do something with the Slurm of a folder. Its daemons would keep a pipe open.
fn script(what: &str, folder: &Path) -> bool {
    let done = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/slurm.sh"))
        .arg(what)
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status();
    done.expect("the script").success()
}

#[tokio::test]
async fn a_controller_that_is_down_says_nothing_of_steps() {
    let Some(own) = Own::start() else {
        return;
    };
    let (slurm, steps) = (own.cluster.executor(), Steps::new());
    let waits = own.cluster.holding();
    let text = |name: &str, code: i32| {
        format!(
            "echo ran >> ran; echo > ready; until [ -e $PLACE/go-{name} ]; do sleep 0.1; done; exit {code}"
        )
    };
    let short = steps.job("short", &text("short", 3));
    let long = steps.job("long", &text("long", 4));
    let held = steps.job("held", "echo ran >> ran");
    slurm.submit(&short).await.expect("a step");
    slurm.submit(&long).await.expect("a step");
    steps.read("work-short/ready").await;
    steps.read("work-long/ready").await;
    // What it has saved of this one it has saved of the others too, and that they run.
    waits.submit(&held).await.expect("a step");
    own.until_saved(&held.ticket.id).await;
    own.halt();
    // Slurm's commands take their time to give up.
    let hasty = Slurm::new(SlurmSettings {
        timeout: Duration::from_secs(1),
        ..own.cluster.settings()
    });
    fs::write(steps.path("go-short"), "").unwrap();
    // An end is told all the same; of the others nothing is known, and nothing is concluded.
    assert_eq!(outcome(&hasty, &short.ticket).await.end, Finish::Exited(3));
    for job in [&long, &held] {
        let standing = poll(&hasty, &job.ticket).await;
        assert!(matches!(standing, Standing::Unknown(_)), "{standing:?}");
    }
    let late = steps.job("late", "echo ran >> ran; exit 9");
    let submitted = slurm.submit(&late).await;
    assert!(
        matches!(submitted, Err(SubmitError::Unavailable(_))),
        "{submitted:?}"
    );
    let canceled = hasty.cancel(&held.ticket, Duration::ZERO).await;
    assert!(
        matches!(canceled, Err(ExecutorError::Unavailable(_))),
        "{canceled:?}"
    );
    own.resume();
    let submitting = async {
        while let Err(SubmitError::Unavailable(_)) = slurm.submit(&late).await {
            tokio::time::sleep(slurm.pace()).await;
        }
    };
    timeout(PATIENCE, submitting).await.expect("an answer");
    fs::write(steps.path("go-long"), "").unwrap();
    assert_eq!(outcome(&slurm, &long.ticket).await.end, Finish::Exited(4));
    assert_eq!(outcome(&slurm, &late.ticket).await.end, Finish::Exited(9));
    // The wish was noted: released, the job reads it.
    own.cluster
        .ask("scontrol", &["release", &super::number(&held)]);
    assert_eq!(outcome(&slurm, &held.ticket).await.end, Finish::Canceled);
    for name in ["short", "long", "late"] {
        assert_eq!(steps.text(&format!("work-{name}/ran")), "ran\n");
    }
    assert!(!steps.has("work-held/ran"));
}
