//! The decisions on a row, without a database.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use proptest::prelude::*;

use super::lease::{self, Holder};
use super::schedule::{Schedule, due_at, pause};
use super::status::{WorkerStatus, status_at};
use super::turn::{self, Ending};
use super::work::{Cause, Outcome, Run, Work, WorkerKind};
use crate::entity::worker::Model;
use crate::failure::Failure;

const NOW: i64 = 1_800_000_000_000;
const LEASE: i64 = 15_000;
const INTERVAL: i64 = 10_000;

/// Held, idle, due in a while.
fn row() -> Model {
    Model {
        id: 1,
        name: "work".to_owned(),
        kind: "AUTOSUBMIT_MIRROR".to_owned(),
        status: "IDLE".to_owned(),
        schedule: "every 10s".to_owned(),
        interval_ms: INTERVAL,
        next_due_at: NOW + 5_000,
        paused_at: None,
        paused_by: None,
        requested_at: None,
        requested_by: None,
        holder: Some("elsewhere/1/x".to_owned()),
        host: Some("elsewhere".to_owned()),
        lease_ms: LEASE,
        lease_until: Some(NOW + LEASE),
        heartbeat_at: Some(NOW),
        started_at: None,
        failures: 0,
        last_started_at: None,
        last_finished_at: None,
        last_outcome: None,
        last_changes: 0,
        last_problems: "[]".to_owned(),
        last_error: None,
    }
}

/// The row after a change of it.
fn with(change: impl FnOnce(&mut Model)) -> Model {
    let mut row = row();
    change(&mut row);
    row
}

struct Nothing;

impl Work for Nothing {
    fn name(&self) -> &'static str {
        "work"
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::EventRetention
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(Duration::from_mins(1))
    }

    fn run<'a>(&'a self, _: &'a Run) -> BoxFuture<'a, Result<Outcome, Failure>> {
        async { Ok(Outcome::default()) }.boxed()
    }
}

#[test]
fn the_status_follows_from_row_and_moment() {
    use WorkerStatus::{Failing, Idle, Lost, Paused, Running};
    let after = NOW + LEASE + 1;
    for (what, row, now, expected) in [
        ("waits", row(), NOW, Idle),
        ("nobody's, but not due for long", row(), after, Idle),
        ("nobody's and overdue", row(), NOW + 5_000 + LEASE + 1, Lost),
        (
            "given back, and overdue",
            with(|row| {
                lease::release(row);
                row.next_due_at = NOW - LEASE - 1;
            }),
            NOW,
            Lost,
        ),
        (
            "held, if late",
            with(|row| row.next_due_at = NOW - 10 * LEASE),
            NOW,
            Idle,
        ),
        ("runs", with(|row| row.started_at = Some(NOW)), NOW, Running),
        (
            "ran when its holder vanished",
            with(|row| row.started_at = Some(NOW)),
            after,
            Lost,
        ),
        ("fails", with(|row| row.failures = 2), NOW, Failing),
        (
            "runs again after failures",
            with(|row| {
                row.failures = 2;
                row.started_at = Some(NOW);
            }),
            NOW,
            Running,
        ),
        (
            "paused, although failing",
            with(|row| {
                row.failures = 2;
                row.paused_at = Some(NOW);
            }),
            NOW,
            Paused,
        ),
        (
            "paused is not overdue",
            with(|row| row.paused_at = Some(NOW)),
            NOW + 100 * LEASE,
            Paused,
        ),
        (
            "paused while it runs",
            with(|row| {
                row.paused_at = Some(NOW);
                row.started_at = Some(NOW);
            }),
            NOW,
            Running,
        ),
        (
            "its clock was set back: nobody holds it",
            with(|row| row.started_at = Some(NOW)),
            NOW - 2 * LEASE,
            Lost,
        ),
    ] {
        assert_eq!(status_at(&row, now), expected, "{what}");
    }
}

#[test]
fn a_lease_is_taken_when_nobody_has_it() {
    let me = Holder::new();
    let take = |row: &mut Model, now| {
        let lease = Duration::from_secs(15);
        lease::take(row, &me, &Nothing, lease, now)
    };
    for (what, row, now, free) in [
        ("another's", row(), NOW, false),
        ("another's to the end", row(), NOW + LEASE - 1, false),
        ("over", row(), NOW + LEASE, true),
        ("given back", with(lease::release), NOW, true),
        // Written by a clock that was ahead by an hour.
        (
            "of the future",
            with(|row| row.lease_until = Some(NOW + 3_600_000)),
            NOW,
            true,
        ),
    ] {
        let mut taken = row.clone();
        assert_eq!(take(&mut taken, now), free, "{what}");
        assert_eq!(lease::is_held_by(&taken, &me), free, "{what}");
        if free {
            assert!(lease::is_live(&taken, now), "{what}");
            assert_eq!(taken.lease_until, Some(now + LEASE));
            assert_eq!(taken.schedule, "every 1m");
        } else {
            assert_eq!(taken, row, "{what}");
        }
    }
    // Whoever takes over a run that was lost does it again at once.
    let mut lost = with(|row| row.started_at = Some(NOW));
    assert!(take(&mut lost, NOW + LEASE));
    assert_eq!((lost.started_at, lost.next_due_at), (None, NOW + LEASE));
    assert_eq!(lost.last_outcome.as_deref(), Some("LOST"));
    assert_eq!(
        lost.last_error.as_deref(),
        Some("the process that ran it on elsewhere is gone")
    );
    // Two processes are never the same holder.
    assert_ne!(Holder::new().id, Holder::new().id);
}

#[test]
fn a_pause_grows_with_failures() {
    let pauses: Vec<i64> = (0..9).map(|n| pause(INTERVAL, n, 0.0)).collect();
    assert_eq!(
        pauses,
        [
            10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000, 600_000
        ]
    );
    assert_eq!(pause(INTERVAL, 1, 1.0), 22_000);
    // Never more often than when it goes well.
    assert_eq!(pause(86_400_000, 3, 0.5), 86_400_000);
}

#[test]
fn a_due_time_beyond_reach_is_now() {
    let row = with(|row| row.next_due_at = NOW + 3_600_000);
    assert_eq!(due_at(&row, NOW), NOW);
    assert_eq!(due_at(&row, NOW + 3_595_000), NOW + 3_600_000);
}

#[test]
fn quiet_runs_are_not_told() {
    let run = |row: &mut Model, ending: &Ending| {
        assert!(turn::begin(row, NOW));
        turn::finish(row, ending, (Cause::Due, false), 0.0, NOW + 100)
    };
    let quiet = Ending::Succeeded(Outcome::default());
    let busy = Ending::Succeeded(Outcome {
        changes: 3,
        ..Outcome::default()
    });
    let failed = Ending::Failed("no".to_owned());
    let mut row = row();
    assert_eq!(run(&mut row, &quiet), None);
    assert_eq!(run(&mut row, &busy), Some("finished"));
    assert_eq!(run(&mut row, &quiet), None);
    assert_eq!(run(&mut row, &failed), Some("failed"));
    assert_eq!((row.failures, row.last_changes), (1, 0));
    assert_eq!(row.next_due_at, NOW + 100 + 2 * INTERVAL);
    assert_eq!(run(&mut row, &failed), Some("failed"));
    // Broken off: nothing is known of how it would have gone.
    assert_eq!(run(&mut row, &Ending::Interrupted), None);
    assert_eq!((row.failures, row.next_due_at), (2, NOW + 100));
    assert_eq!(run(&mut row, &failed), Some("failed"));
    assert_eq!(run(&mut row, &quiet), Some("finished"));
    assert_eq!(row.failures, 0);
    row.paused_at = Some(NOW);
    assert!(!turn::begin(&mut row, NOW));
}

/// What wakes a worker may go on and on: what is due comes all the same.
#[test]
fn who_is_woken_again_and_again_is_still_due() {
    let mut row = with(|row| row.next_due_at = NOW + 1000);
    let quiet = Ending::Succeeded(Outcome::default());
    for now in (NOW..NOW + 1000).step_by(100) {
        assert!(turn::begin(&mut row, now));
        turn::finish(&mut row, &quiet, (Cause::Woken, false), 0.0, now + 50);
        assert_eq!(due_at(&row, now), NOW + 1000);
    }
    assert!(turn::begin(&mut row, NOW + 1000));
    turn::finish(&mut row, &quiet, (Cause::Due, false), 0.0, NOW + 1000);
    assert_eq!(row.next_due_at, NOW + 1000 + INTERVAL);
}

#[test]
fn reasons_of_the_inside_stay_inside() {
    let sql = "syntax error in SELECT secret FROM user".to_owned();
    for failure in [
        Failure::Internal(sql.clone()),
        Failure::Unavailable(sql.clone()),
        Failure::Unwritable(sql.clone()),
    ] {
        let Ending::Failed(shown) = Ending::failed("work", failure) else {
            panic!("a failure");
        };
        assert!(!shown.contains("SELECT"), "{shown}");
    }
    let shown = Ending::failed("work", Failure::bad_input("root", "/as: not there\0"));
    assert_eq!(shown, Ending::Failed("/as: not there".to_owned()));
}

/// What may become of a row.
#[derive(Clone, Copy, Debug)]
enum Act {
    Take,
    Renew,
    Release,
    Begin,
    Succeed,
    Fail,
    Interrupt,
    Pause,
    Resume,
    Wait(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        Just(Act::Take),
        Just(Act::Renew),
        Just(Act::Release),
        Just(Act::Begin),
        Just(Act::Succeed),
        Just(Act::Fail),
        Just(Act::Interrupt),
        Just(Act::Pause),
        Just(Act::Resume),
        (-60_000_i64..60_000).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 1..60)
}

proptest! {
    /// Whatever happens, by a clock that may jump both ways, each state is one that may follow the one before.
    #[test]
    fn no_path_leaves_the_table(acts in acts()) {
        let me = Holder::new();
        let lease = Duration::from_secs(15);
        let (mut row, mut now) = (with(lease::release), NOW);
        let mut status = WorkerStatus::Idle;
        for act in acts {
            if let Act::Wait(time) = act {
                now += time;
            }
            // As a change does it: what was lost is noted first.
            if status_at(&row, now) == WorkerStatus::Lost {
                prop_assert!(status.may_become(WorkerStatus::Lost), "{status:?} was lost");
                status = WorkerStatus::Lost;
            }
            let mine = lease::is_held_by(&row, &me);
            match act {
                Act::Take => {
                    lease::take(&mut row, &me, &Nothing, lease, now);
                }
                Act::Pause => row.paused_at = Some(now),
                Act::Resume if row.paused_at.take().is_some() => {
                    row.next_due_at = due_at(&row, now).max(now);
                }
                _ if !mine => {}
                Act::Renew => lease::renew(&mut row, lease, now),
                Act::Release if row.started_at.is_none() => lease::release(&mut row),
                Act::Begin if row.started_at.is_none() => {
                    lease::renew(&mut row, lease, now);
                    turn::begin(&mut row, now);
                }
                Act::Succeed | Act::Fail | Act::Interrupt if row.started_at.is_some() => {
                    lease::renew(&mut row, lease, now);
                    let ending = match act {
                        Act::Succeed => Ending::Succeeded(Outcome::default()),
                        Act::Fail => Ending::Failed("no".to_owned()),
                        _ => Ending::Interrupted,
                    };
                    turn::finish(&mut row, &ending, (Cause::Due, false), 0.5, now);
                }
                _ => {}
            }
            // A wait alone changes no row.
            if !matches!(act, Act::Wait(_)) {
                let next = status_at(&row, now);
                prop_assert!(status.may_become(next), "{status:?} to {next:?} by {act:?}");
                status = next;
            }
        }
    }
}
