//! Processes told apart by number and beginning, and groups of them.

use std::fs;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process. The number alone comes back in others once it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// Its number.
    pub pid: i32,
    /// When it began, in clock ticks since the machine did (`starttime` in proc(5)).
    pub ticks: u64,
    /// Which life of the machine that was.
    boot: String,
    /// When it began, by the clock.
    pub since: DateTime<Utc>,
}

impl Process {
    /// The process of a number that certainly is it now: this one, or a child that nobody has waited for.
    pub fn of(pid: i32) -> io::Result<Self> {
        let stat = Stat::of(pid).ok_or_else(|| io::Error::other("no such process in /proc"))?;
        Ok(Self {
            pid,
            ticks: stat.ticks,
            boot: boot()?,
            since: Utc::now(),
        })
    }

    /// This one.
    pub fn own() -> io::Result<Self> {
        Self::of(Pid::this().as_raw())
    }

    /// A child that nobody has waited for, so that its number is its own even if it has ended.
    pub fn child(child: &std::process::Child, parent: &Self) -> Self {
        let pid = i32::try_from(child.id()).unwrap_or(-1);
        Self::of(pid).unwrap_or_else(|_| Self {
            pid,
            since: Utc::now(),
            ..parent.clone()
        })
    }

    /// One that never lived, in place of a record that cannot be understood.
    pub fn unknown() -> Self {
        Self {
            pid: -1,
            ticks: 0,
            boot: String::new(),
            since: DateTime::UNIX_EPOCH,
        }
    }

    /// Is it still there, and no zombie?
    pub fn lives(&self) -> bool {
        Stat::of(self.pid).is_some_and(|stat| stat.alive && self.is(&stat))
    }

    fn is(&self, stat: &Stat) -> bool {
        stat.ticks == self.ticks && self.is_of_this_boot()
    }

    /// Was it of this life of the machine?
    pub fn is_of_this_boot(&self) -> bool {
        boot().is_ok_and(|boot| boot == self.boot)
    }

    /// Sends a signal to it alone, if it lives.
    pub fn signal(&self, signal: Signal) {
        if self.lives() {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }
}

/// The process group of a program, in the session of its keeper.
#[derive(Clone, Debug)]
pub(super) struct Group {
    leader: Process,
    session: i32,
}

impl Group {
    /// The group that the program leads.
    pub fn new(leader: Process, session: i32) -> Self {
        Self { leader, session }
    }

    /// The group in the session of a keeper that has started its program, perhaps, and could not note it any more.
    pub fn of_session(keeper: &Process) -> Option<Self> {
        let number_is_taken = Stat::of(keeper.pid).is_some_and(|stat| !keeper.is(&stat));
        if number_is_taken || !keeper.is_of_this_boot() {
            return None;
        }
        let group = Stat::all().find(|stat| {
            let apart = stat.session == keeper.pid && stat.group != keeper.pid;
            stat.alive && apart && stat.ticks >= keeper.ticks
        })?;
        let leader = Process {
            pid: group.group,
            // The leader may be gone. Then nobody has its number as long as the group lives.
            ticks: Stat::of(group.group).map_or(keeper.ticks, |leader| leader.ticks),
            ..keeper.clone()
        };
        Some(Self::new(leader, keeper.pid))
    }

    /// Does any of it live? A leader that is a zombie does not.
    pub fn lives(&self) -> bool {
        if !self.leader.is_of_this_boot() {
            return false;
        }
        // The number of a group is given to no new process as long as the group has members. So who has the leader's number
        // and is not the leader shows that the group is gone.
        match Stat::of(self.leader.pid) {
            Some(stat) if !self.leader.is(&stat) => return false,
            Some(stat) if stat.alive => return true,
            Some(_) | None => {}
        }
        Stat::all().any(|stat| self.has(&stat))
    }

    /// Is this one of it? Asked of a process that lives while the group does.
    pub fn has(&self, stat: &Stat) -> bool {
        stat.alive
            && stat.group == self.leader.pid
            && stat.session == self.session
            && stat.ticks >= self.leader.ticks
    }

    /// Sends a signal to all of it, if any lives.
    pub fn signal(&self, signal: Signal) {
        // 0 would be our own group, and 1 everybody's.
        if self.leader.pid > 1 && self.lives() {
            send(self.leader.pid, signal);
        }
    }
}

/// Asks all of the group to end. One that was suspended is woken to hear it.
pub(super) fn ask_to_end(group: &Group) {
    group.signal(Signal::SIGTERM);
    group.signal(Signal::SIGCONT);
}

fn send(group: i32, signal: Signal) {
    match killpg(Pid::from_raw(group), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => tracing::warn!(group, %signal, %error, "the signal cannot be sent"),
    }
}

/// How many of the ticks of `/proc` a second has: on Linux the same on all machines.
const TICKS_PER_SECOND: u64 = 100;

/// What `/proc/<pid>/stat` says (proc(5)).
#[derive(Clone, Debug)]
pub(super) struct Stat {
    pub pid: i32,
    /// Neither a zombie nor dead.
    pub alive: bool,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    /// When it began, as in [`Process`].
    pub ticks: u64,
    /// How long it and its children that it has waited for have kept a processor busy, in ticks.
    busy: u64,
}

impl Stat {
    pub fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// How long it and its children that it has waited for have kept a processor busy.
    pub fn cpu(&self) -> Duration {
        Duration::from_millis(self.busy.saturating_mul(1000 / TICKS_PER_SECOND))
    }

    /// Sends a signal to it, if it is still who has its number.
    pub fn signal(&self, signal: Signal) {
        // 0 and less would be groups, and 1 is init.
        if self.pid > 1 && Self::of(self.pid).is_some_and(|now| now.ticks == self.ticks) {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Those of all processes.
    pub fn all() -> impl Iterator<Item = Self> {
        let processes = fs::read_dir("/proc").into_iter().flatten();
        processes
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::of)
    }

    /// The name of the program is the second field, in parentheses, and may hold anything.
    fn parse(stat: &[u8]) -> Option<Self> {
        let name = stat.iter().position(|byte| *byte == b'(')?;
        let pid = std::str::from_utf8(stat.get(..name)?).ok()?;
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let times = fields.get(11..15)?.iter();
        Some(Self {
            pid: pid.trim().parse().ok()?,
            alive: !matches!(*fields.first()?, "Z" | "X" | "x"),
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            ticks: fields.get(19)?.parse().ok()?,
            busy: times.filter_map(|time| time.parse::<u64>().ok()).sum(),
        })
    }
}

/// The name of this life of the machine.
fn boot() -> io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim().to_owned())
}
