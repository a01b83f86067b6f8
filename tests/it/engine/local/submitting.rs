//! A step begins once at most.

use std::fs;

use labql::engine::{Executor as _, Finish, Outcome, Standing};

use super::local;
use crate::engine::steps::{Steps, outcome, poll};

#[tokio::test]
async fn a_step_that_is_submitted_by_many_at_once_begins_once() {
    let (local, steps) = (local(), Steps::new());
    let job = steps.job("a", "echo ran >> $PLACE/ran; exit 5");
    let submissions: Vec<_> = (0..20)
        .map(|_| {
            let (local, job) = (super::local(), job.clone());
            tokio::spawn(async move { local.submit(&job).await })
        })
        .collect();
    for submission in submissions {
        let submitted = submission.await.expect("an answer");
        submitted.expect("a step");
    }
    assert_eq!(outcome(&local, &job.ticket).await.end, Finish::Exited(5));
    local.submit(&job).await.expect("a step");
    assert_eq!(outcome(&local, &job.ticket).await.end, Finish::Exited(5));
    assert_eq!(steps.text("ran"), "ran\n");
}

/// Whoever claimed it is gone: it is barred, and who wakes up late begins nothing.
#[tokio::test]
async fn a_step_that_was_only_claimed_is_barred() {
    let (local, steps) = (local(), Steps::new());
    let job = steps.job("a", "echo ran >> $PLACE/ran");
    fs::create_dir(&job.ticket.folder).unwrap();
    assert_eq!(poll(&local, &job.ticket).await, Standing::Absent);
    let barred = local.bar(&job.ticket).await.expect("a bar");
    assert!(
        matches!(
            &barred,
            Standing::Ended(Outcome {
                end: Finish::NotStarted(_),
                ..
            })
        ),
        "{barred:?}"
    );
    local.submit(&job).await.expect("a step that is taken");
    assert_eq!(poll(&local, &job.ticket).await, barred);
    assert!(!steps.has("ran"));
}
