//! What `squeue` and `sacct` tell.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::notes::Notes;

/// What the names of labql's jobs begin with.
pub(super) const PREFIX: &str = "labql-";

/// A state of a job, as far as it makes a difference here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits.
    Waits,
    /// It runs, or is about to be over.
    Runs,
    /// It is over, in one of the ways below.
    Over(Over),
}

/// In which way a job is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Its script has ended.
    Ended,
    Canceled,
    TimedOut,
    OutOfMemory,
    /// The node, or Slurm, ended it.
    Broken,
}

impl State {
    /// Names of states as in squeue(1), section "job state codes"; sacct tells who has cancelled a job after the name. None: a
    /// name that is not known.
    fn of(name: &str) -> Option<Self> {
        let name = name.split_ascii_whitespace().next()?;
        Some(match name.trim_end_matches('+') {
            "PENDING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "SPECIAL_EXIT"
            | "RESV_DEL_HOLD" => Self::Waits,
            "RUNNING" | "CONFIGURING" | "COMPLETING" | "SIGNALING" | "STAGE_OUT" | "SUSPENDED"
            | "STOPPED" | "RESIZING" => Self::Runs,
            "COMPLETED" | "FAILED" => Self::Over(Over::Ended),
            "CANCELLED" | "REVOKED" => Self::Over(Over::Canceled),
            "TIMEOUT" | "DEADLINE" => Self::Over(Over::TimedOut),
            "OUT_OF_MEMORY" => Self::Over(Over::OutOfMemory),
            "NODE_FAIL" | "BOOT_FAIL" | "PREEMPTED" => Self::Over(Over::Broken),
            _ => return None,
        })
    }

    /// Which of two jobs by the same name tells more: the one that is further from being over.
    fn rank(self) -> u8 {
        match self {
            Self::Runs => 2,
            Self::Waits => 1,
            Self::Over(_) => 0,
        }
    }
}

/// A job in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub number: u64,
    /// The step's.
    pub id: String,
    pub state: State,
    /// Why it waits.
    pub reason: Option<String>,
}

/// labql's jobs that Slurm has not forgotten.
#[derive(Debug, Default)]
pub(super) struct Queue {
    by_number: HashMap<u64, Entry>,
    by_name: HashMap<String, Entry>,
}

impl Queue {
    /// Lines of number, state, name and reason. Others' names may hold anything.
    pub fn parse(text: &str) -> Self {
        let mut queue = Self::default();
        for line in text.lines() {
            let mut fields = line.trim().splitn(4, '|');
            let (Some(number), Some(state), Some(name), Some(reason)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let (Ok(number), Some(state), Some(id)) =
                (number.parse(), State::of(state), name.strip_prefix(PREFIX))
            else {
                continue;
            };
            let entry = Entry {
                number,
                id: id.to_owned(),
                state,
                reason: (!matches!(reason, "" | "None")).then(|| reason.to_owned()),
            };
            queue.by_number.insert(number, entry.clone());
            let known = queue.by_name.entry(id.to_owned()).or_insert(entry.clone());
            if (known.state.rank(), known.number) < (state.rank(), number) {
                *known = entry;
            }
        }
        queue
    }

    /// The job of a step: the one that has begun it, or that is known to be its, or that has its name.
    pub fn find(&self, notes: &Notes) -> Option<&Entry> {
        if let Some(number) = notes.number() {
            // A controller that has lost its state gives numbers anew.
            let entry = self.by_number.get(&number);
            return entry.filter(|entry| entry.id == notes.id);
        }
        self.by_name.get(&notes.id)
    }
}

/// What accounting tells of a job or of one of its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub number: u64,
    /// Its name; none of one of its steps.
    pub name: Option<String>,
    pub state: Option<State>,
    /// When it was over.
    pub ended: Option<DateTime<Utc>>,
    pub user: Option<Duration>,
    pub system: Option<Duration>,
    /// In bytes.
    pub peak_memory: Option<u64>,
}

impl Record {
    /// Is it of the job of this step, or of a part of it?
    pub fn is_of(&self, notes: &Notes) -> bool {
        let own = |name: &String| name.strip_prefix(PREFIX) == Some(notes.id.as_str());
        Some(self.number) == notes.number() && self.name.as_ref().is_none_or(own)
    }
}

/// Lines of number, state, end and what was taken; of steps, after a dot, too, whose states say nothing of the job. Of one that
/// was queued anew the last counts.
pub(super) fn records(text: &str) -> Vec<Record> {
    text.lines().filter_map(record).collect()
}

fn record(line: &str) -> Option<Record> {
    let mut fields = line.trim().split('|');
    let number = fields.next()?;
    let state = State::of(fields.next()?);
    let ended = fields.next()?.parse().ok();
    let (job, is_step) = match number.split_once('.') {
        Some((job, _)) => (job, true),
        None => (number, false),
    };
    let user = fields.next().and_then(duration);
    let system = fields.next().and_then(duration);
    let peak_memory = fields.next().and_then(bytes);
    let name = fields.next().map(str::to_owned);
    Some(Record {
        number: job.parse().ok()?,
        name: name.filter(|_| !is_step),
        state: state.filter(|_| !is_step),
        ended: ended.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        user,
        system,
        peak_memory,
    })
}

/// A time as `[DD-[HH:]]MM:SS[.mmm]`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (days.parse::<u64>().ok()?, rest),
        None => (0, text),
    };
    let mut seconds = Duration::ZERO;
    let parts: Vec<&str> = rest.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for part in parts {
        let part: f64 = part.parse().ok()?;
        seconds = seconds.checked_mul(60)?;
        seconds = seconds.checked_add(Duration::try_from_secs_f64(part).ok()?)?;
    }
    seconds.checked_add(Duration::from_secs(days.checked_mul(86_400)?))
}

/// A number of bytes with a unit of 1024: `1234K`, `1.5M`.
fn bytes(text: &str) -> Option<u64> {
    let at = text.find(|char: char| char.is_ascii_alphabetic());
    let (number, unit) = text.split_at(at.unwrap_or(text.len()));
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = match part.get(..2).unwrap_or(part) {
        "" => 0,
        tens if tens.len() == 1 => tens.parse::<u64>().ok()? * 10,
        hundreds => hundreds.parse().ok()?,
    };
    let whole = whole
        .checked_shl(shift)
        .filter(|bytes| bytes >> shift == whole)?;
    whole.checked_add(((part << shift) / 100).min(1 << shift))
}

#[cfg(test)]
mod tests;
