//! The processes that move runs forward: a server that does it itself, or workers beside one that does not. They are killed, and
//! come back.

use std::fs::File;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::process::Child;
use tokio::sync::watch;

use super::caller::Caller;
use super::follow::Callers;
use super::lab::Site;
use crate::support::{Lab, Server};

/// Processes of a site that come and go.
pub struct Crew {
    pub site: Site,
    workers: Vec<Worker>,
    who: &'static str,
    callers: watch::Sender<Caller>,
}

/// A `labql worker`, killed when it goes out of scope.
struct Worker(Child);

impl Worker {
    fn start(lab: &Lab, number: usize) -> Self {
        let log = File::create(lab.path(&format!("worker-{number}.log")));
        let mut command = tokio::process::Command::from(lab.command(["worker"]));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .kill_on_drop(true)
            .spawn();
        Self(child.expect("the binary"))
    }
}

impl Crew {
    /// The server does all by itself, or leaves it to so many workers. `who` follows what happens.
    pub async fn open(mut lab: Lab, workers: usize, who: &'static str) -> Self {
        lab.set("LABQL_WORKERS__LEASE", "1s");
        let site = if workers == 0 {
            Site::open(lab, &[who]).await
        } else {
            Site::idle(lab, &[who]).await
        };
        let workers = (0..workers).map(|number| Worker::start(&site.lab, number));
        let (callers, _) = watch::channel(site.who(who));
        Self {
            workers: workers.collect(),
            site,
            who,
            callers,
        }
    }

    /// Where the server is, now and later.
    pub fn callers(&self) -> Callers {
        self.callers.subscribe()
    }

    /// Whoever follows what happens.
    pub fn caller(&self) -> Caller {
        self.site.who(self.who)
    }

    /// Kills any of the processes, or several, and starts them again.
    pub async fn strike(&mut self, random: &mut StdRng) {
        let number = self.workers.len();
        // One that does nothing is not often worth it.
        let hits_server = number == 0 || random.random_bool(0.2);
        for place in 0..number {
            if random.random_bool(0.5) {
                self.workers[place].0.kill().await.expect("its end");
                self.workers[place] = Worker::start(&self.site.lab, place);
            }
        }
        if hits_server {
            self.strike_server().await;
        }
    }

    /// Kills the server and starts it again.
    pub async fn strike_server(&mut self) {
        end(&self.site.server);
        self.site.server = self.site.lab.serve().await;
        self.callers.send_replace(self.site.who(self.who));
    }
}

/// Takes a process away without a word.
fn end(server: &Server) {
    let id = i32::try_from(server.id()).expect("the number of a process");
    kill(Pid::from_raw(id), Signal::SIGKILL).expect("its end");
}
