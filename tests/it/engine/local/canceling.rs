//! Canceling ends all of a step, in whatever state it is.

use std::time::Duration;

use labql::engine::{Executor as _, Finish, Outcome, Standing};

use super::local;
use crate::engine::steps::{Instants, Steps, outcome, poll, rounds, run};

#[tokio::test]
async fn all_that_a_step_began_ends() {
    let (local, steps) = (local(), Steps::new());
    for (number, text) in [
        "echo > ready; sleep 1000",
        "trap '' TERM INT HUP; echo > ready; while :; do sleep 1; done",
        "python3 $PLACE/double.py; echo > ready; sleep 1000",
        "trap '' TERM; env -i setsid sh -c \": $TOKEN; trap '' TERM; while :; do sleep 1; done\" & \
         echo > ready; sleep 1000; sleep 1000",
        // It begins others all the time.
        "echo > ready; trap '' TERM; while :; do (setsid sh -c 'trap \"\" TERM; sleep 2; sleep 2' &); done",
        // It is suspended.
        "(echo > ready; kill -STOP $$) & wait; sleep 1000",
    ]
    .into_iter()
    .enumerate()
    {
        let job = steps.job(&number.to_string(), text);
        local.submit(&job).await.expect("a step");
        steps.read(&format!("work-{number}/ready")).await;
        for _ in 0..2 {
            let grace = Duration::from_millis(300);
            local.cancel(&job.ticket, grace).await.expect("a wish");
        }
        let ended = outcome(&local, &job.ticket).await;
        assert_eq!(ended.end, Finish::Canceled, "{text}");
        steps.check_nothing_is_left(text);
    }
}

#[tokio::test]
async fn a_folder_that_was_canceled_first_is_nobodys() {
    let (local, steps) = (local(), Steps::new());
    let job = steps.job("a", "echo ran >> $PLACE/ran");
    let canceled = local.cancel(&job.ticket, Duration::ZERO).await;
    canceled.expect("nothing to do");
    local.submit(&job).await.expect("a step that is taken");
    let standing = poll(&local, &job.ticket).await;
    assert!(
        matches!(
            &standing,
            Standing::Ended(Outcome {
                end: Finish::Lost(_),
                ..
            })
        ),
        "{standing:?}"
    );
    assert!(!steps.has("ran"));
}

#[tokio::test]
async fn an_end_does_not_change() {
    let (local, steps) = (local(), Steps::new());
    let job = steps.job("a", "exit 3");
    let ended = run(&local, &job).await;
    assert_eq!(ended.end, Finish::Exited(3));
    let canceled = local.cancel(&job.ticket, Duration::ZERO).await;
    canceled.expect("nothing to do");
    assert_eq!(outcome(&local, &job.ticket).await, ended);
}

#[tokio::test]
async fn a_step_is_canceled_while_it_begins() {
    let (local, steps) = (local(), Steps::new());
    let mut instants = Instants::new();
    for round in 0..rounds(12) {
        let job = steps.job(&round.to_string(), "sleep 1000");
        let folder = job.ticket.folder.clone();
        let submitted = tokio::spawn({
            let (local, job) = (local.clone(), job.clone());
            async move { local.submit(&job).await }
        });
        // Before there is a folder nothing can be asked of it.
        instants.after(&folder).await;
        instants
            .after_one_of(&["keeper", "program"].map(|file| folder.join(file)))
            .await;
        let grace = Duration::from_millis(200);
        let canceled = local.cancel(&job.ticket, grace).await;
        canceled.expect("a wish");
        // Whether it was told that it had begun is its own affair.
        let _ = submitted.await.expect("an answer");
        let end = outcome(&local, &job.ticket).await.end;
        assert!(
            matches!(end, Finish::Canceled | Finish::NotStarted(_)),
            "{round}: {end:?}"
        );
        steps.check_nothing_is_left(&round.to_string());
    }
}
