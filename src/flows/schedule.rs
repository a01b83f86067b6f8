//! What is to be done next in a run: its steps run one after the other, and each may run again when it fails.

use std::time::Duration;

use super::state::{Reason, RunState, StepState};
use super::template::limits::Retry;

/// How often a step that is gone without a word runs again, if it may at all and its workflow says nothing of it.
const LOST_AGAIN: u32 = 3;

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its state.
    pub state: StepState,
    /// How often it was started.
    pub attempts: u32,
    /// Why the last attempt did not end well.
    pub reason: Option<Reason>,
    /// Whether it is to be left out.
    pub is_left_out: bool,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This step, counted from 0, is left out.
    Skip(usize),
    /// This step is started.
    Start {
        /// The step, counted from 0.
        step: usize,
        /// Its attempt, counted from 1.
        attempt: u32,
    },
    /// This step is waited for.
    Wait(usize),
    /// This step is stopped.
    Stop(usize),
    /// This step, whose turn has not come, is canceled.
    Cancel(usize),
    /// The run is over: this is its state, and the reason if it did not end well. Before a run is a success, its outputs
    /// are collected.
    Finish(RunState, Option<Reason>),
    /// Nothing: the run waits for its turn, or is over.
    Nothing,
}

/// What is to be done next in a run that has come so far.
pub fn next(run: RunState, steps: &[Progress]) -> Next {
    match run {
        RunState::Running => next_of_running(steps),
        RunState::Canceling => next_of_canceling(steps),
        RunState::Pending | RunState::Success | RunState::Error | RunState::Canceled => {
            Next::Nothing
        }
    }
}

fn next_of_running(steps: &[Progress]) -> Next {
    for (step, progress) in steps.iter().enumerate() {
        match progress.state {
            StepState::Success | StepState::Skipped => {}
            StepState::Pending if progress.is_left_out => return Next::Skip(step),
            StepState::Pending => {
                let attempt = progress.attempts.saturating_add(1);
                return Next::Start { step, attempt };
            }
            StepState::Starting | StepState::Running => return Next::Wait(step),
            StepState::Error | StepState::Canceled => {
                return end(steps, RunState::Error, progress.reason);
            }
        }
    }
    Next::Finish(RunState::Success, None)
}

fn next_of_canceling(steps: &[Progress]) -> Next {
    let active =
        |progress: &Progress| matches!(progress.state, StepState::Starting | StepState::Running);
    match steps.iter().position(active) {
        Some(step) => Next::Stop(step),
        None => end(steps, RunState::Canceled, Some(Reason::Canceled)),
    }
}

/// The steps whose turn has not come are canceled before a run is over.
fn end(steps: &[Progress], state: RunState, reason: Option<Reason>) -> Next {
    let waits = |progress: &Progress| progress.state == StepState::Pending;
    match steps.iter().position(waits) {
        Some(step) => Next::Cancel(step),
        None => Next::Finish(state, reason),
    }
}

/// How long to wait before a step runs again that has not ended well for the `attempts`-th time, counted from 1; none if it
/// does not run again. A step that does not say that it is repeatable never does, not even if nobody knows whether it ran.
pub fn again(
    is_repeatable: bool,
    retry: &Retry,
    attempts: u32,
    reason: Reason,
) -> Option<Duration> {
    if !is_repeatable || !reason.may_pass() {
        return None;
    }
    if reason == Reason::Lost && retry.limit < LOST_AGAIN {
        let limit = LOST_AGAIN;
        return Retry {
            limit,
            ..retry.clone()
        }
        .delay(attempts);
    }
    retry.delay(attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(state: StepState) -> Progress {
        Progress {
            state,
            attempts: 1,
            reason: (state == StepState::Error).then_some(Reason::StepFailed),
            is_left_out: false,
        }
    }

    #[test]
    fn steps_follow_each_other() {
        use StepState::{Error, Pending, Running, Skipped, Starting, Success};
        let next = |run, states: &[StepState]| {
            let steps: Vec<_> = states.iter().copied().map(progress).collect();
            super::next(run, &steps)
        };
        let running = RunState::Running;
        for (states, expected) in [
            (
                &[Pending, Pending][..],
                Next::Start {
                    step: 0,
                    attempt: 2,
                },
            ),
            (&[Starting, Pending], Next::Wait(0)),
            (
                &[Success, Pending],
                Next::Start {
                    step: 1,
                    attempt: 2,
                },
            ),
            (&[Success, Running], Next::Wait(1)),
            (&[Skipped, Success], Next::Finish(RunState::Success, None)),
            (&[Error, Pending], Next::Cancel(1)),
            (
                &[Error, StepState::Canceled],
                Next::Finish(RunState::Error, Some(Reason::StepFailed)),
            ),
        ] {
            assert_eq!(next(running, states), expected, "{states:?}");
        }
        let canceling = RunState::Canceling;
        assert_eq!(next(canceling, &[Success, Running, Pending]), Next::Stop(1));
        assert_eq!(next(canceling, &[Success, Error, Pending]), Next::Cancel(2));
        let end = Next::Finish(RunState::Canceled, Some(Reason::Canceled));
        assert_eq!(next(canceling, &[Success, StepState::Canceled]), end);
        assert_eq!(next(RunState::Pending, &[Pending]), Next::Nothing);
        let mut left_out = progress(Pending);
        left_out.is_left_out = true;
        assert_eq!(super::next(running, &[left_out]), Next::Skip(0));
    }

    /// Whatever becomes of the attempts, only legal states follow each other, and every run ends.
    #[test]
    fn every_run_ends() {
        for outcomes in 0..4_u32.pow(5) {
            let mut steps = [progress(StepState::Pending); 3];
            let retry = Retry {
                limit: 1,
                ..Retry::default()
            };
            let (mut run, mut choice) = (RunState::Running, outcomes);
            let mut turns = 0;
            let set = |progress: &mut Progress, state: StepState| {
                assert_eq!(progress.state.becomes(state), Ok(true));
                progress.state = state;
            };
            while !run.is_final() {
                turns += 1;
                assert!(turns < 50);
                match next(run, &steps) {
                    Next::Start { step, attempt } => {
                        steps[step].attempts = attempt;
                        set(&mut steps[step], StepState::Starting);
                    }
                    Next::Wait(step) if steps[step].state == StepState::Starting => {
                        set(&mut steps[step], StepState::Running);
                    }
                    Next::Wait(step) => {
                        let outcome = choice % 4;
                        choice /= 4;
                        let attempts = steps[step].attempts - 1;
                        match outcome {
                            0 | 3 => set(&mut steps[step], StepState::Success),
                            1 => {
                                steps[step].reason = Some(Reason::StepFailed);
                                let state = again(true, &retry, attempts, Reason::StepFailed)
                                    .map_or(StepState::Error, |_| StepState::Pending);
                                set(&mut steps[step], state);
                            }
                            _ => {
                                assert_eq!(run.becomes(RunState::Canceling), Ok(true));
                                run = RunState::Canceling;
                            }
                        }
                    }
                    Next::Stop(step) | Next::Cancel(step) => {
                        set(&mut steps[step], StepState::Canceled);
                    }
                    Next::Skip(step) => set(&mut steps[step], StepState::Skipped),
                    Next::Finish(state, _) => {
                        assert_eq!(run.becomes(state), Ok(true));
                        run = state;
                    }
                    Next::Nothing => panic!("nothing to do in {run}"),
                }
            }
            assert!(steps.iter().all(|step| step.state.is_final()));
        }
    }

    #[test]
    fn only_what_says_so_runs_again() {
        let retry = Retry {
            limit: 1,
            ..Retry::default()
        };
        assert!(again(true, &retry, 1, Reason::StepFailed).is_some());
        assert!(again(true, &retry, 2, Reason::StepFailed).is_none());
        assert!(again(true, &retry, 3, Reason::Lost).is_some());
        assert!(again(true, &retry, 4, Reason::Lost).is_none());
        assert!(again(true, &retry, 1, Reason::Canceled).is_none());
        for reason in Reason::ALL {
            assert_eq!(again(false, &retry, 1, reason), None);
        }
    }
}
