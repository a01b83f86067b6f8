//! Bounds of a program: what it and all that it begins may take.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

/// What a program and all that it begins may take. A program with bounds is seen to whole: its standard error is kept apart from
/// its output, and what it leaves running when it ends is ended too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// How long all its processes together may keep processors busy. Each one alone is held to it by `RLIMIT_CPU`.
    pub cpu: Option<Duration>,
    /// How many bytes of memory all its processes together may have. Each one alone gets no more than a quarter above that
    /// from the system (`RLIMIT_DATA`): it fails there by itself, if it grows faster than is looked.
    pub memory: Option<u64>,
    /// How many bytes each file that it writes may have (`RLIMIT_FSIZE`).
    pub file_size: Option<u64>,
    /// How many bytes all files in the folder that it works in may have together.
    pub disk: Option<u64>,
    /// How long it has to end when its time is up, before it is killed.
    pub grace: Duration,
}

impl Default for Bounds {
    /// Only seen to whole.
    fn default() -> Self {
        Self {
            cpu: None,
            memory: None,
            file_size: None,
            disk: None,
            grace: Duration::from_secs(10),
        }
    }
}

/// The bound that a program went beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// [`Bounds::cpu`].
    Cpu,
    /// [`Bounds::memory`].
    Memory,
    /// [`Bounds::file_size`].
    FileSize,
    /// [`Bounds::disk`].
    Disk,
}

/// What a program and all that it began took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// How long it ran, by the clock.
    pub wall: Duration,
    /// How long processors were busy with it.
    pub user: Duration,
    /// How long they were busy for it in the system.
    pub system: Duration,
    /// The most memory that it had at a time, in bytes: of the largest of its processes, or of all together where that was
    /// looked at. No less than its keeper had when it started it. None: it is not known.
    pub peak_memory: Option<u64>,
}

/// Smallest room above [`Bounds::memory`] that the system gives a process.
const MEMORY_ROOM: u64 = 64 << 20;

impl Bounds {
    /// Arguments of `prlimit` of util-linux that hold each process to them; none if they say nothing of single processes.
    pub fn prlimit(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(cpu) = self.cpu {
            // Whole seconds, and SIGXCPU before SIGKILL.
            let soft = cpu.as_secs().saturating_add(1);
            words.push(format!("--cpu={soft}:{}", soft.saturating_add(5)));
        }
        if let Some(memory) = self.memory {
            let most = memory.saturating_add((memory / 4).max(MEMORY_ROOM));
            words.push(format!("--data={most}:{most}"));
        }
        if let Some(size) = self.largest_file() {
            words.push(format!("--fsize={size}:{size}"));
        }
        words
    }

    /// No file may be larger than all together.
    pub(super) fn largest_file(&self) -> Option<u64> {
        match (self.file_size, self.disk) {
            (Some(size), Some(disk)) => Some(size.min(disk)),
            (size, disk) => size.or(disk),
        }
    }

    /// The bound that an end tells of by itself: the signals of the limits, or what a shell makes of them.
    pub(super) fn breach_of(&self, code_or_signal: i32) -> Option<Breach> {
        let signal = match code_or_signal {
            code @ 129.. => code - 128,
            signal => signal,
        };
        match Signal::try_from(signal) {
            Ok(Signal::SIGXCPU) => self.cpu.map(|_| Breach::Cpu),
            Ok(Signal::SIGXFSZ) => self.file_breach(),
            _ => None,
        }
    }

    /// What the largest file is beyond.
    pub(super) fn file_breach(&self) -> Option<Breach> {
        match (self.file_size, self.disk) {
            (Some(size), Some(disk)) if disk < size => Some(Breach::Disk),
            (Some(_), _) => Some(Breach::FileSize),
            (None, disk) => disk.map(|_| Breach::Disk),
        }
    }
}
