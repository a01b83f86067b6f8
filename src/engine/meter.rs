//! What a program that runs takes, looked at now and then.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::members::{Members, children_of};
use super::process::Stat;
use super::{Bounds, Breach, Usage};

/// How often is looked, at first and at most, for programs that run for long.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(250));
/// How many times longer than a look at the files the pause until the next one is: on a large tree each takes its time.
const REST: u32 = 20;
/// How many files and folders are counted at most.
const MOST_FILES: usize = 1_000_000;

/// Looks whether a program keeps to its bounds.
pub(super) struct Meter {
    bounds: Bounds,
    working_dir: PathBuf,
    began: Instant,
    pause: Duration,
    /// When the files are looked at again.
    files_at: Instant,
    peak: u64,
}

impl Meter {
    /// Of a program that began at this moment.
    pub fn new(bounds: Bounds, working_dir: PathBuf, began: Instant) -> Self {
        Self {
            bounds,
            working_dir,
            began,
            pause: PAUSES.0,
            files_at: began,
            peak: 0,
        }
    }

    /// How long to wait until the next look.
    pub fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSES.1);
        pause
    }

    /// The bound that it is beyond, if it is.
    pub fn look(&mut self, members: &Members, program: u32) -> Option<Breach> {
        reap(program);
        let members = members.find();
        if let Some(most) = self.bounds.cpu {
            let ended = children();
            let cpu = members.iter().map(Stat::cpu).sum::<Duration>();
            if cpu + ended.user + ended.system > most {
                return Some(Breach::Cpu);
            }
        }
        let memory: u64 = members.iter().map(resident).sum();
        if let Some(most) = self.bounds.memory
            && memory > most
        {
            // Pages that several share were counted for each of them.
            let fair = members.iter().map(proportional).sum();
            self.peak = self.peak.max(fair);
            if fair > most {
                return Some(Breach::Memory);
            }
        } else {
            self.peak = self.peak.max(memory);
        }
        if self.bounds.memory.is_some_and(|most| memory > most / 2) {
            self.pause = PAUSES.0;
        }
        if let Some(most) = self.bounds.disk
            && self.files_at <= Instant::now()
        {
            let before = Instant::now();
            let extent = Extent::of(&self.working_dir, most);
            self.files_at = Instant::now() + before.elapsed() * REST;
            if extent.bytes > most {
                return Some(Breach::Disk);
            }
        }
        None
    }

    /// The bound that a program went beyond that has failed by itself: its end may tell, its files or its memory.
    pub fn last_look(&self, code_or_signal: i32, usage: &Usage) -> Option<Breach> {
        let told = self.bounds.breach_of(code_or_signal);
        let memory = || {
            let most = self.bounds.memory?;
            (usage.peak_memory > Some(most)).then_some(Breach::Memory)
        };
        let files = || {
            let longest = self.bounds.largest_file()?;
            let most = self.bounds.disk.unwrap_or(u64::MAX);
            let extent = Extent::of(&self.working_dir, most);
            if extent.bytes > most {
                Some(Breach::Disk)
            } else if extent.longest >= longest {
                self.bounds.file_breach()
            } else {
                None
            }
        };
        told.or_else(memory).or_else(files)
    }

    /// What the program took, once all of it was waited for.
    pub fn usage(&self) -> Usage {
        let ended = children();
        Usage {
            wall: self.began.elapsed(),
            peak_memory: ended.peak_memory.max(Some(self.peak)),
            ..ended
        }
    }
}

/// Waits for those who have become this process's children and have ended; not for the program itself, whose number is needed.
fn reap(program: u32) {
    let children = children_of(Pid::this().as_raw()).unwrap_or_default();
    for left in children.iter().filter(|child| !child.alive) {
        if u32::try_from(left.pid) != Ok(program) {
            let _ = waitpid(Pid::from_raw(left.pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// Waits for all children that have ended, once the program has been waited for. True: there are others.
pub(super) fn reap_all() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// What the children took that were waited for.
fn children() -> Usage {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else {
        return Usage::default();
    };
    // In KiB on Linux.
    let peak = u64::try_from(usage.max_rss()).ok();
    Usage {
        wall: Duration::ZERO,
        user: duration(usage.user_time()),
        system: duration(usage.system_time()),
        peak_memory: peak.map(|kib| kib.saturating_mul(1024)),
    }
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros))
}

/// The memory that a process has, in bytes.
fn resident(stat: &Stat) -> u64 {
    kib(&format!("/proc/{}/status", stat.pid), "VmRSS:").unwrap_or(0)
}

/// The same, with its share only of what it shares with others.
fn proportional(stat: &Stat) -> u64 {
    let shared = kib(&format!("/proc/{}/smaps_rollup", stat.pid), "Pss:");
    shared.unwrap_or_else(|| resident(stat))
}

/// A line of one of the files of `/proc` that tell numbers in KiB (proc(5)), in bytes.
fn kib(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

/// What the files of a folder take, those beneath it included. Links are not followed.
#[derive(Default)]
struct Extent {
    /// Of all, on the disk: one with holes takes less than its length.
    bytes: u64,
    /// The length of the longest.
    longest: u64,
}

impl Extent {
    /// Counted until it is more than `enough`.
    fn of(folder: &Path, enough: u64) -> Self {
        let mut folders = vec![folder.to_owned()];
        let (mut extent, mut seen) = (Self::default(), 0);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                seen += 1;
                if extent.bytes > enough || seen > MOST_FILES {
                    return extent;
                }
                match entry.metadata() {
                    Ok(about) if about.is_dir() => folders.push(entry.path()),
                    Ok(about) => {
                        let blocks = about.blocks().saturating_mul(512);
                        extent.bytes = extent.bytes.saturating_add(blocks);
                        extent.longest = extent.longest.max(about.len());
                    }
                    Err(_) => {}
                }
            }
        }
        extent
    }
}
