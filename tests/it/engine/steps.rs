//! What tests of executors share: steps with folders of their own, and what is asked of whoever runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use labql::engine::{Bounds, Executor, Job, Outcome, Standing, Stream, Ticket};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{PATIENCE, Place, until};

/// A process that leaves its group, its session and its parents behind, and closes what it printed to.
pub const DOUBLE: &str = "import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for fd in range(3): os.close(fd)
time.sleep(1000)
";

/// A folder for steps, and a word that all their processes have in their environment.
pub struct Steps {
    place: Place,
    pub token: String,
}

impl Steps {
    pub fn new() -> Self {
        let place = Place::new();
        let token = format!("T{}", place.0.path().file_name().unwrap().to_str().unwrap());
        fs::write(place.path("double.py"), DOUBLE).unwrap();
        Self { place, token }
    }

    pub fn folder(&self) -> &Path {
        self.place.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    /// A step that is a text of the shell; `$PLACE` is this folder, and it works in `work-<id>` in it.
    pub fn job(&self, id: &str, text: &str) -> Job {
        job(self.folder(), &self.token, id, text)
    }

    /// What a step wrote into a file, as soon as it has.
    pub async fn read(&self, name: &str) -> String {
        self.place.read(name).await
    }

    /// Whether a step has made a file.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// What is in a file, if it is there.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Nothing of any step runs.
    pub fn check_nothing_is_left(&self, of: &str) {
        assert_eq!(left(&self.token), [""; 0], "{of}");
    }

    /// Waits until nothing of any step runs.
    pub async fn until_nothing_is_left(&self) {
        until(|| left(&self.token).is_empty().then_some(())).await;
    }
}

/// See [`Steps::job`].
pub fn job(folder: &Path, token: &str, id: &str, text: &str) -> Job {
    let working_dir = folder.join(format!("work-{id}"));
    fs::create_dir_all(&working_dir).unwrap();
    Job {
        ticket: Ticket {
            id: format!("{token}.{id}"),
            folder: folder.join(id),
        },
        program: "/bin/sh".into(),
        args: vec!["-c".into(), text.into()],
        environment: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("TOKEN".into(), token.into()),
            ("PLACE".into(), folder.into()),
        ],
        working_dir,
        time_limit: None,
        bounds: Bounds {
            grace: Duration::from_millis(500),
            ..Bounds::default()
        },
        processors: 1,
        log_limit: 100_000,
    }
}

/// Processes that live and have the word in their environment or their command.
fn left(token: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let read = |file: &str| {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let words = read("cmdline");
        let has_word = words.contains(token) || read("environ").contains(token);
        if has_word && super::lives(name.parse().unwrap()) {
            found.push(format!("{name}: {words}"));
        }
    }
    found
}

pub async fn poll(executor: &dyn Executor, ticket: &Ticket) -> Standing {
    let mut standings = executor.poll(std::slice::from_ref(ticket)).await;
    assert_eq!(standings.len(), 1);
    standings.remove(0)
}

/// How a step ended, once it has. Looks when the executor says so, and at its pace.
pub async fn outcome(executor: &dyn Executor, ticket: &Ticket) -> Outcome {
    let mut changes = executor.changes();
    let mut last = None;
    let ending = async {
        loop {
            changes.borrow_and_update();
            match poll(executor, ticket).await {
                Standing::Ended(outcome) => return outcome,
                other => last = Some(other),
            }
            let _ = timeout(executor.pace(), changes.changed()).await;
        }
    };
    let ended = timeout(PATIENCE, ending).await;
    ended.unwrap_or_else(|_| panic!("{} does not end: {last:?}", ticket.id))
}

/// Waits until a step stands as it should. What has ended otherwise has failed.
pub async fn until_it(
    executor: &dyn Executor,
    ticket: &Ticket,
    stands: impl Fn(&Standing) -> bool,
) {
    let mut changes = executor.changes();
    let standing = async {
        loop {
            changes.borrow_and_update();
            match poll(executor, ticket).await {
                standing if stands(&standing) => return,
                Standing::Ended(outcome) => panic!("{outcome:?}"),
                _ => {}
            }
            let _ = timeout(executor.pace(), changes.changed()).await;
        }
    };
    timeout(PATIENCE, standing).await.expect("to stand so");
}

pub async fn until_it_runs(executor: &dyn Executor, ticket: &Ticket) {
    until_it(executor, ticket, |standing| {
        matches!(standing, Standing::Running { .. })
    })
    .await;
}

pub async fn run(executor: &dyn Executor, job: &Job) -> Outcome {
    executor.submit(job).await.expect("a step");
    outcome(executor, &job.ticket).await
}

/// All that a step printed.
pub async fn log(executor: &dyn Executor, job: &Job, stream: Stream) -> String {
    let bytes = executor.logs(&job.ticket, stream, 0, usize::MAX).await;
    String::from_utf8(bytes.expect("its output")).expect("text")
}

/// How often something is tried that happens at another instant each time: more often with `LABQL_TEST_ROUNDS`.
pub fn rounds(usual: usize) -> usize {
    let rounds = std::env::var("LABQL_TEST_ROUNDS").ok();
    rounds.map_or(usual, |rounds| rounds.parse().expect("a number"))
}

/// Random instants, others than usual with `LABQL_TEST_SEED`.
pub struct Instants(StdRng);

impl Instants {
    pub fn new() -> Self {
        let seed = std::env::var("LABQL_TEST_SEED").ok();
        let seed = seed.map_or(8, |seed| seed.parse().expect("a number"));
        println!("seed {seed}");
        Self(StdRng::seed_from_u64(seed))
    }

    /// A random instant after one of these files is there, or before any is. Counted in looks and not in time, so it is the same
    /// on a machine that is busy.
    pub async fn after_one_of(&mut self, files: &[PathBuf]) -> Option<PathBuf> {
        let file = self.0.random_range(0..=files.len());
        let file = files.get(file);
        if let Some(file) = file {
            there(file).await;
        }
        self.pass().await;
        file.cloned()
    }

    /// A random instant after this file is there.
    pub async fn after(&mut self, file: &Path) {
        there(file).await;
        self.pass().await;
    }

    async fn pass(&mut self) {
        for _ in 0..self.0.random_range(0..2_000) {
            yield_now().await;
        }
    }
}

/// Waits for a file without missing the instant at which it comes.
async fn there(file: &Path) {
    let coming = async {
        while !file.exists() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, coming).await.expect("a file");
}
