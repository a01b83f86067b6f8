//! How an attempt at a step is judged: why it did not end well, for programs and in words for people.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::engine::{Bounds, Breach, Finish};
use crate::flows::state::{Reason, RunState, StepState};
use crate::flows::write::states::Why;
use crate::text::shorten;

/// The longest message, in characters.
const LONGEST: usize = 500;
/// How often nothing may have begun before a step is given up that may have no other attempt; and how long is waited before
/// the next one, twice as long before each further one.
const MOST_UNBEGUN: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// What an attempt was held to.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub time_limit: Option<Duration>,
    pub bounds: Bounds,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why it did not end well; none: it did.
    pub why: Option<Why>,
    /// Its exit code, if it had one.
    pub exit_code: Option<i32>,
}

impl Verdict {
    /// It did not end well.
    pub fn bad(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            why: Some(Why::new(reason, message)),
            exit_code: None,
        }
    }

    /// Of what its executor tells. `root` is the folder of flows, whose path is nobody's business.
    pub fn of(finish: &Finish, held: &Held, root: &str) -> Self {
        let exit_code = match finish {
            Finish::Exited(code) => Some(*code),
            _ => None,
        };
        Self {
            why: reason(finish).map(|reason| Why::new(reason, message(finish, held, root))),
            exit_code,
        }
    }
}

/// Why a step did not end well that ended so.
fn reason(finish: &Finish) -> Option<Reason> {
    Some(match finish {
        Finish::Exited(0) => return None,
        Finish::Exited(_) => Reason::StepFailed,
        Finish::Signaled(_) => Reason::StepSignaled,
        Finish::TimedOut | Finish::Exceeded(Breach::Cpu) => Reason::TimedOut,
        Finish::Exceeded(Breach::Memory) => Reason::OutOfMemory,
        Finish::Exceeded(Breach::FileSize | Breach::Disk) => Reason::FileTooLarge,
        Finish::Canceled => Reason::Canceled,
        Finish::NotStarted(_) => Reason::NotStarted,
        Finish::Lost(_) => Reason::Lost,
    })
}

/// The same in words that follow the name of the step.
fn message(finish: &Finish, held: &Held, root: &str) -> String {
    let mebibytes = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!("{} MiB", bytes >> 20),
        None => "allowed".to_owned(),
    };
    let bounds = &held.bounds;
    match finish {
        Finish::Exited(code) => match signal_of(*code) {
            Some(signal) => format!("ended with code {code}, as after {signal}"),
            None => format!("ended with code {code}"),
        },
        Finish::Signaled(number) => match Signal::try_from(*number) {
            Ok(signal) => format!("was ended by {}", signal.as_str()),
            Err(_) => format!("was ended by signal {number}"),
        },
        Finish::TimedOut => match held.time_limit {
            Some(limit) => format!("took longer than {}", in_words(limit)),
            None => "took longer than it may".to_owned(),
        },
        Finish::Exceeded(Breach::Cpu) => "kept processors busy for longer than it may".to_owned(),
        Finish::Exceeded(Breach::Memory) => {
            format!("needed more memory than {}", mebibytes(bounds.memory))
        }
        Finish::Exceeded(Breach::FileSize) => {
            format!("wrote a larger file than {}", mebibytes(bounds.file_size))
        }
        Finish::Exceeded(Breach::Disk) => {
            format!("wrote more files than {}", mebibytes(bounds.disk))
        }
        Finish::Canceled => "was ended by somebody, not through labql".to_owned(),
        Finish::NotStarted(reason) => {
            format!("could not be started: {}", for_people(reason, root))
        }
        Finish::Lost(reason) => format!(
            "is gone, and nobody knows how it ended: {}",
            for_people(reason, root)
        ),
    }
}

/// The signal that a shell tells of by this code.
fn signal_of(code: i32) -> Option<&'static str> {
    let signal = Signal::try_from(code.checked_sub(128)?).ok()?;
    Some(signal.as_str())
}

/// A time for people: to the second, if it has any.
pub(super) fn in_words(time: Duration) -> String {
    let whole = Duration::from_secs(time.as_secs());
    let shown = if whole.is_zero() {
        Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    } else {
        whole
    };
    humantime::format_duration(shown).to_string()
}

/// What a program or the system says, without where the server has its files.
pub(super) fn for_people(text: &str, root: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut text = lines.collect::<Vec<_>>().join("; ");
    if root.len() > 1 {
        text = text.replace(root, "…");
    }
    shorten(&text, LONGEST)
}

/// The state of a step after an attempt that does not run again. `doom` is why the run is over, whatever becomes of the attempt.
pub(super) fn settle(
    run: RunState,
    verdict: &Verdict,
    doom: Option<&Why>,
) -> (StepState, Option<Why>) {
    let Some(why) = &verdict.why else {
        return (StepState::Success, None);
    };
    let is_canceling = run == RunState::Canceling;
    let (state, why) = match why.reason {
        Reason::Canceled | Reason::NotStarted if is_canceling => {
            let why = Why::new(Reason::Canceled, "was canceled");
            (StepState::Canceled, why)
        }
        reason => match doom.filter(|_| !is_canceling) {
            Some(doom) => (StepState::Error, doom.clone()),
            None if reason == Reason::Canceled => (StepState::Canceled, why.clone()),
            None => (StepState::Error, why.clone()),
        },
    };
    (state, Some(why))
}

/// How long to wait before the next attempt after nothing was begun for this many times; none: it is given up.
pub(super) fn after_unbegun(times: u32) -> Option<Duration> {
    let doublings = times.saturating_sub(1).min(10);
    (times < MOST_UNBEGUN).then(|| PAUSE * (1 << doublings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(finish: &Finish) -> Verdict {
        let held = Held {
            time_limit: Some(Duration::from_millis(90_500)),
            bounds: Bounds {
                memory: Some(64 << 20),
                ..Bounds::default()
            },
        };
        Verdict::of(finish, &held, "/srv/flows")
    }

    #[test]
    fn ends_are_told_in_words() {
        for (finish, expected) in [
            (Finish::Exited(3), "ended with code 3"),
            (Finish::Exited(137), "ended with code 137, as after SIGKILL"),
            (Finish::Exited(255), "ended with code 255"),
            (Finish::Exited(i32::MIN), "ended with code -2147483648"),
            (Finish::Signaled(11), "was ended by SIGSEGV"),
            (Finish::TimedOut, "took longer than 1m 30s"),
            (
                Finish::Exceeded(Breach::Memory),
                "needed more memory than 64 MiB",
            ),
            (
                Finish::NotStarted("/srv/flows/runs/a: No such file\n\nmore\n".into()),
                "could not be started: …/runs/a: No such file; more",
            ),
        ] {
            let why = verdict(&finish).why.unwrap();
            assert_eq!(why.message, expected);
        }
        assert_eq!(verdict(&Finish::Exited(0)).why, None);
        assert_eq!(verdict(&Finish::Exited(7)).exit_code, Some(7));
    }

    #[test]
    fn what_is_canceled_is_no_failure() {
        use RunState::{Canceling, Running};
        let state =
            |run, finish: &Finish, doom: Option<&Why>| settle(run, &verdict(finish), doom).0;
        let late = Why::new(Reason::TimedOut, "late");
        assert_eq!(
            state(Canceling, &Finish::Canceled, None),
            StepState::Canceled
        );
        assert_eq!(
            state(Canceling, &Finish::NotStarted("x".into()), None),
            StepState::Canceled
        );
        assert_eq!(
            state(Canceling, &Finish::Exited(0), None),
            StepState::Success
        );
        assert_eq!(
            state(Canceling, &Finish::Lost("x".into()), None),
            StepState::Error
        );
        assert_eq!(state(Running, &Finish::Canceled, None), StepState::Canceled);
        let (state, why) = settle(Running, &verdict(&Finish::Canceled), Some(&late));
        assert_eq!((state, why), (StepState::Error, Some(late)));
    }

    #[test]
    fn what_never_began_is_given_up_one_day() {
        let waits: Vec<_> = (1..=5).map(after_unbegun).collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            waits,
            [seconds(1), seconds(2), seconds(4), seconds(8), None]
        );
    }
}
