//! Canceling what Slurm runs, or will, and others who do.

use std::time::Duration;

use labql::engine::{Executor as _, Finish, Standing};
use nix::sys::signal::Signal;

use super::{Cluster, number};
use crate::engine::send;
use crate::engine::steps::{Instants, Steps, outcome, rounds, until_it, until_it_runs};

#[tokio::test]
async fn all_that_a_step_began_ends() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let mut jobs = Vec::new();
    for (number, text) in [
        "echo > ready; sleep 1000",
        "trap '' TERM INT HUP; echo > ready; while :; do sleep 1; done",
        "python3 $PLACE/double.py; echo > ready; sleep 1000",
    ]
    .into_iter()
    .enumerate()
    {
        let job = steps.job(&number.to_string(), text);
        slurm.submit(&job).await.expect("a step");
        jobs.push(job);
    }
    for (number, job) in jobs.iter().enumerate() {
        steps.read(&format!("work-{number}/ready")).await;
        until_it_runs(&slurm, &job.ticket).await;
        for _ in 0..2 {
            let grace = Duration::from_millis(900);
            slurm.cancel(&job.ticket, grace).await.expect("a wish");
        }
        let end = outcome(&slurm, &job.ticket).await.end;
        assert_eq!(end, Finish::Canceled, "{number}");
    }
    steps.until_nothing_is_left().await;
}

#[tokio::test]
async fn what_waits_never_begins() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.holding(), Steps::new());
    let job = steps.job("a", "echo ran >> $PLACE/ran");
    slurm.submit(&job).await.expect("a step");
    until_it(&slurm, &job.ticket, |standing| {
        matches!(standing, Standing::Queued(Some(_)))
    })
    .await;
    let canceled = slurm.cancel(&job.ticket, Duration::ZERO).await;
    canceled.expect("a wish");
    let end = outcome(&slurm, &job.ticket).await.end;
    assert_eq!(end, Finish::Canceled);
    assert_eq!(cluster.open_jobs(&job), "");
    assert!(!steps.has("ran"));
}

#[tokio::test]
async fn a_step_is_canceled_while_it_begins() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let mut instants = Instants::new();
    for round in 0..rounds(10) {
        let job = steps.job(&round.to_string(), "sleep 1000");
        slurm.submit(&job).await.expect("a step");
        let files = ["begun", "begun/job", "output"].map(|file| job.ticket.folder.join(file));
        let file = instants.after_one_of(&files).await;
        let canceled = slurm.cancel(&job.ticket, Duration::ZERO).await;
        canceled.expect("a wish");
        let end = outcome(&slurm, &job.ticket).await.end;
        assert_eq!(end, Finish::Canceled, "{round}: {file:?}");
    }
    steps.until_nothing_is_left().await;
}

#[tokio::test]
async fn others_end_a_step() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    // Somebody cancels the job: its program alone is signalled, or its script too.
    let job = steps.job("a", "echo > ready; sleep 1000");
    slurm.submit(&job).await.expect("a step");
    steps.read("work-a/ready").await;
    cluster.ask("scancel", &[&number(&job)]);
    let end = outcome(&slurm, &job.ticket).await.end;
    assert!(
        matches!(
            end,
            Finish::Canceled | Finish::Exited(143) | Finish::Lost(_)
        ),
        "{end:?}"
    );
    steps.until_nothing_is_left().await;
    // The script is killed: nobody can tell how the program ends.
    let job = steps.job("b", "echo $PPID $$ > ready; exec sleep 1000");
    slurm.submit(&job).await.expect("a step");
    let ready = steps.read("work-b/ready").await;
    let [script, program] = [0, 1].map(|at| {
        let number = ready.split_whitespace().nth(at);
        number.expect("a number").parse().expect("a number")
    });
    send(script, Signal::SIGKILL);
    let end = outcome(&slurm, &job.ticket).await.end;
    assert!(matches!(end, Finish::Lost(_)), "{end:?}");
    if crate::engine::lives(program) {
        send(program, Signal::SIGKILL);
    }
}
