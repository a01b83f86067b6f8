//! A program that a keeper has started, until its end.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::Sender;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::folder::{Ended, Folder};
use super::members::Members;
use super::meter::{Meter, reap_all};
use super::pipes::{Printed, copy};
use super::process::{Group, ask_to_end};
use super::{Breach, End};

/// How long a program has to end where nobody said it.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long is waited for output of what the program left behind when it ended.
const DRAIN: Duration = Duration::from_secs(1);
/// How often is looked whether the rest of it has ended.
const TICK: Duration = Duration::from_millis(20);
/// How long what a program with bounds left running has to end.
const REST: Duration = Duration::from_secs(2);

/// How much of a program is ended with it.
pub(super) enum Reach {
    /// Its process group, if it is made to end.
    Group(Group),
    /// All that it began, however it ends.
    Whole(Box<(Members, Meter)>),
}

impl Reach {
    fn ask_to_end(&self) {
        match self {
            Self::Group(group) => ask_to_end(group),
            Self::Whole(whole) => whole.0.ask_to_end(),
        }
    }

    fn kill(&self) {
        match self {
            Self::Group(group) => group.signal(Signal::SIGKILL),
            Self::Whole(whole) => whole.0.kill(),
        }
    }
}

/// A program that runs.
pub(super) struct Program<'a> {
    pub folder: &'a Folder,
    pub child: Child,
    pub reach: Reach,
    pub word: Option<Sender<()>>,
    pub output: Printed,
    pub errors: Option<Printed>,
    pub asked: Asked,
    pub grace: Duration,
}

impl Program<'_> {
    /// Keeps its output and its bounds, and ends it if that is asked for. Returns when it has ended.
    pub async fn see_to_its_end(mut self, limit: Option<Duration>) -> Ended {
        let number = self.child.id();
        let mut waited = tokio::task::spawn_blocking(move || wait(number));
        let mut deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut look = self.next_look();
        // Why it is made to end, when it has, and how, if that is known at once.
        let (mut why, mut breach) = (None, None);
        let mut exited: Option<(Instant, Option<End>)> = None;
        let mut at = Utc::now();
        let mut is_ending = false;
        loop {
            if let Some((exited, _)) = &exited {
                let rest = self.has_rest(why.is_some());
                if !rest && (!self.prints() || exited.elapsed() > DRAIN) {
                    break;
                }
                if rest && !is_ending {
                    is_ending = true;
                    self.reach.ask_to_end();
                    deadline = Instant::now().checked_add(REST);
                }
            }
            tokio::select! {
                _ = &mut waited, if exited.is_none() => {
                    exited = Some((Instant::now(), self.exit()));
                    at = Utc::now();
                }
                () = self.output.copy() => {}
                () = copy(&mut self.errors) => {}
                () = self.asked.for_an_end(), if why.is_none() && exited.is_none() => {
                    let grace = self.folder.stop().ok().flatten().unwrap_or(GRACE);
                    (why, is_ending) = (Some(End::Stopped), true);
                    deadline = self.ask(grace);
                }
                () = until(deadline), if is_ending || exited.is_none() => {
                    if is_ending {
                        self.reach.kill();
                        deadline = Some(Instant::now() + TICK);
                    } else {
                        (why, is_ending) = (Some(End::TimedOut), true);
                        deadline = self.ask(self.grace);
                    }
                }
                () = until(look), if exited.is_none() && why.is_none() => {
                    breach = self.breach();
                    look = self.next_look();
                    if breach.is_some() {
                        // Who takes too much is not asked to take its time.
                        (why, is_ending) = (Some(End::Stopped), true);
                        deadline = Some(Instant::now());
                    }
                }
                () = sleep(TICK), if exited.is_some() => {}
            }
        }
        let by_itself = exited.and_then(|(_, end)| end);
        let end = why
            .or(by_itself)
            .unwrap_or_else(|| self.child.wait().map_or(End::Signalled(0), ended));
        self.tell(end, at, breach)
    }

    fn tell(self, end: End, at: DateTime<Utc>, breach: Option<Breach>) -> Ended {
        let (mut breach, mut usage) = (breach, None);
        if let Reach::Whole(whole) = &self.reach {
            let meter = &whole.1;
            let taken = meter.usage();
            if let End::Exited(number @ 1..) | End::Signalled(number) = end {
                breach = meter.last_look(number, &taken);
            }
            usage = Some(taken);
        }
        Ended {
            end,
            at,
            unwritten: self.output.kept.finish(),
            unwritten_errors: self.errors.map_or(0, |errors| errors.kept.finish()),
            breach,
            usage,
        }
    }

    /// How it has ended by itself; none: it stays unwaited for, because signals go to its group.
    fn exit(&mut self) -> Option<End> {
        match self.reach {
            Reach::Group(_) => None,
            Reach::Whole(_) => Some(self.child.wait().map_or(End::Signalled(0), ended)),
        }
    }

    /// Is there something left of it that has to end, too?
    fn has_rest(&self, is_made_to_end: bool) -> bool {
        match &self.reach {
            Reach::Group(group) => is_made_to_end && group.lives(),
            Reach::Whole(_) => reap_all(),
        }
    }

    fn prints(&self) -> bool {
        self.output.is_open || self.errors.as_ref().is_some_and(|errors| errors.is_open)
    }

    fn next_look(&mut self) -> Option<Instant> {
        match &mut self.reach {
            Reach::Group(_) => None,
            Reach::Whole(whole) => Instant::now().checked_add(whole.1.pause()),
        }
    }

    fn breach(&mut self) -> Option<Breach> {
        match &mut self.reach {
            Reach::Group(_) => None,
            Reach::Whole(whole) => {
                let (members, meter) = &mut **whole;
                meter.look(members, self.child.id())
            }
        }
    }

    /// Asks it to end, and gives when it will be made to.
    fn ask(&self, grace: Duration) -> Option<Instant> {
        let said = self.word.as_ref().is_some_and(|word| word.send(()).is_ok());
        if !said {
            self.reach.ask_to_end();
        }
        Instant::now().checked_add(grace)
    }
}

/// Requests to end the program. Whoever sends one has written down how long it has.
pub(super) struct Asked {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// Not a request: only heard so that it does not end this process.
    _hangup: tokio::signal::unix::Signal,
}

impl Asked {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn for_an_end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Never, if there is no such moment.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits for the end of a child and leaves it as a zombie, so that its number stays its own: signals go to its group.
fn wait(child: u32) {
    let Ok(child) = i32::try_from(child) else {
        return;
    };
    let how = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(Pid::from_raw(child)), how) == Err(Errno::EINTR) {}
}

fn ended(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or_default()),
    }
}
