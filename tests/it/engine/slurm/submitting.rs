//! A step that Slurm runs begins once at most.

use std::fs;
use std::time::Duration;

use labql::engine::{Executor as _, Finish, Outcome, Standing, Ticket};
use tokio::time::timeout;

use super::{Cluster, number};
use crate::engine::steps::{Steps, outcome, poll, until_it_runs};
use crate::engine::{PATIENCE, until};

#[tokio::test]
async fn a_job_whose_number_was_lost_is_found_by_its_name() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let job = steps.job("a", "echo ran >> $PLACE/ran; echo > ready; sleep 1000");
    slurm.submit(&job).await.expect("a step");
    fs::remove_file(job.ticket.folder.join("job")).unwrap();
    slurm.submit(&job).await.expect("the same step");
    steps.read("work-a/ready").await;
    let _ = fs::remove_file(job.ticket.folder.join("job"));
    // Another process knows of it no less.
    let other = cluster.executor();
    until_it_runs(&other, &job.ticket).await;
    other.submit(&job).await.expect("the same step");
    let canceled = other.cancel(&job.ticket, Duration::ZERO).await;
    canceled.expect("a wish");
    let end = outcome(&other, &job.ticket).await.end;
    assert_eq!(end, Finish::Canceled);
    assert_eq!(steps.text("ran"), "ran\n");
    steps.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_step_that_is_submitted_by_many_at_once_begins_once() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let steps = Steps::new();
    let job = steps.job("a", "echo ran >> $PLACE/ran; exit 6");
    let submissions: Vec<_> = (0..5)
        .map(|_| {
            let (slurm, job) = (cluster.executor(), job.clone());
            tokio::spawn(async move { slurm.submit(&job).await })
        })
        .collect();
    for submission in submissions {
        let submitted = submission.await.expect("an answer");
        submitted.expect("a step");
    }
    let end = outcome(&cluster.executor(), &job.ticket).await.end;
    assert_eq!(end, Finish::Exited(6));
    // There may be several jobs; the others find that it was begun.
    until(|| cluster.open_jobs(&job).is_empty().then_some(())).await;
    assert_eq!(steps.text("ran"), "ran\n");
}

#[tokio::test]
async fn a_step_that_was_only_claimed_is_barred() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let is_unstarted = |standing: &Standing| {
        matches!(
            standing,
            Standing::Ended(Outcome {
                end: Finish::NotStarted(_),
                ..
            })
        )
    };
    let mut job = steps.job("a", "echo ran >> $PLACE/ran");
    fs::create_dir(&job.ticket.folder).unwrap();
    assert_eq!(poll(&slurm, &job.ticket).await, Standing::Absent);
    let barred = slurm.bar(&job.ticket).await.expect("a bar");
    assert!(is_unstarted(&barred), "{barred:?}");
    slurm.submit(&job).await.expect("a step that is taken");
    let standing = poll(&slurm, &job.ticket).await;
    assert!(is_unstarted(&standing), "{standing:?}");
    job.ticket.folder = steps.path("nowhere");
    let standing = poll(&slurm, &job.ticket).await;
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

/// Its job waits; when its turn comes it finds that nothing is to begin.
#[tokio::test]
async fn a_job_that_comes_late_begins_nothing() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.holding(), Steps::new());
    let job = steps.job("a", "echo ran >> $PLACE/ran");
    slurm.submit(&job).await.expect("a step");
    let number = number(&job);
    fs::create_dir(job.ticket.folder.join("begun")).unwrap();
    fs::write(job.ticket.folder.join("begun/barred"), "true").unwrap();
    cluster.ask("scontrol", &["release", &number]);
    let asked = [
        "--noheader",
        "--states=all",
        "--format=%T",
        "--jobs",
        &number,
    ];
    until(|| {
        cluster
            .ask("squeue", &asked)
            .contains("COMPLETED")
            .then_some(())
    })
    .await;
    assert!(!steps.has("ran"));
}

#[tokio::test]
async fn many_steps_run_and_are_polled_at_once() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let mut tickets: Vec<Ticket> = Vec::new();
    for number in 0..20 {
        let text = format!("echo ran >> ran; exit {}", number % 3);
        let job = steps.job(&number.to_string(), &text);
        slurm.submit(&job).await.expect("a step");
        tickets.push(job.ticket);
    }
    let mut changes = slurm.changes();
    let ending = async {
        loop {
            let all = slurm.poll(&tickets).await;
            let unknown =
                |standing: &Standing| matches!(standing, Standing::Unknown(_) | Standing::Absent);
            assert!(!all.iter().any(unknown), "{all:?}");
            if all
                .iter()
                .all(|standing| matches!(standing, Standing::Ended(_)))
            {
                return all;
            }
            let _ = timeout(slurm.pace(), changes.changed()).await;
        }
    };
    let all = timeout(PATIENCE, ending).await.expect("all ends");
    for (number, standing) in all.iter().enumerate() {
        let Standing::Ended(outcome) = standing else {
            panic!("{standing:?}");
        };
        let code = i32::try_from(number % 3).expect("a code");
        assert_eq!(outcome.end, Finish::Exited(code), "{number}");
        assert_eq!(steps.text(&format!("work-{number}/ran")), "ran\n");
    }
    assert_eq!(slurm.poll(&tickets).await, all);
}
