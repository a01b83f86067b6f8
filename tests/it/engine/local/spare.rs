//! A keeper comes up ahead of the step that it will keep.

use std::fs;

use labql::engine::{Executor as _, Finish, Local};
use nix::sys::signal::Signal;

use crate::engine::steps::{Steps, outcome};
use crate::engine::{lives, pid, send, until};

fn local(steps: &Steps) -> Local {
    Local::with_keeper(
        env!("CARGO_BIN_EXE_labql").into(),
        steps.folder().to_owned(),
    )
}

/// The keepers that wait for a step of these, by their commands.
fn waiting(steps: &Steps) -> Vec<i32> {
    let command = format!("labql\0keep\0{}\0", steps.folder().display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("processes").flatten() {
        let Ok(number) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let is_keeper =
            fs::read(entry.path().join("cmdline")).is_ok_and(|it| it == command.as_bytes());
        // One that has a folder has its log there for standard error.
        let errors = fs::read_link(entry.path().join("fd/2"));
        if is_keeper && errors.is_ok_and(|it| !it.ends_with("keeper.log")) {
            found.push(number);
        }
    }
    found
}

#[tokio::test]
async fn the_next_step_is_kept_by_who_has_come_up_already() {
    let steps = Steps::new();
    let local = local(&steps);
    assert_eq!(waiting(&steps), [0; 0]);
    let mut next = None;
    for id in ["a", "b", "c"] {
        let job = steps.job(id, "exit 3");
        local.submit(&job).await.expect("a step");
        let keeper = pid(&job.ticket.folder, "keeper");
        assert!(next.is_none_or(|next| next == keeper));
        assert_eq!(outcome(&local, &job.ticket).await.end, Finish::Exited(3));
        let one = until(|| waiting(&steps).first().copied()).await;
        assert_eq!(waiting(&steps), [one]);
        next = Some(one);
    }
    // It waits for nobody else.
    drop(local);
    until(|| waiting(&steps).is_empty().then_some(())).await;
}

#[tokio::test]
async fn steps_do_without_a_keeper_that_was_killed_while_it_waited() {
    let steps = Steps::new();
    let local = local(&steps);
    for id in ["a", "b", "c"] {
        let job = steps.job(id, "exit 3");
        local.submit(&job).await.expect("a step");
        assert_eq!(outcome(&local, &job.ticket).await.end, Finish::Exited(3));
        let one = until(|| waiting(&steps).first().copied()).await;
        send(one, Signal::SIGKILL);
        until(|| (!lives(one)).then_some(())).await;
    }
}

#[tokio::test]
async fn many_steps_at_once_have_a_keeper_each() {
    let steps = Steps::new();
    let local = local(&steps);
    let jobs: Vec<_> = (0..20)
        .map(|number| steps.job(&number.to_string(), "echo $LABQL_STEP >> $PLACE/ran"))
        .collect();
    let submitted = jobs.iter().map(|job| local.submit(job));
    for submitted in futures_util::future::join_all(submitted).await {
        submitted.expect("a step");
    }
    let mut keepers = Vec::new();
    for job in &jobs {
        assert_eq!(outcome(&local, &job.ticket).await.end, Finish::Exited(0));
        keepers.push(pid(&job.ticket.folder, "keeper"));
    }
    keepers.sort_unstable();
    keepers.dedup();
    assert_eq!(keepers.len(), jobs.len());
    let ran = steps.text("ran");
    assert_eq!(ran.lines().count(), jobs.len(), "{ran}");
    until(|| (waiting(&steps).len() == 1).then_some(())).await;
    drop(local);
    until(|| waiting(&steps).is_empty().then_some(())).await;
}
