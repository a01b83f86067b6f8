//! What steps print, and what they leave behind.

use std::fs;
use std::time::Duration;

use labql::engine::{Executor as _, Finish, Found, Standing, Stream, Ticket};

use super::local;
use crate::engine::steps::{Steps, log, outcome, poll, run};
use crate::engine::until;

#[tokio::test]
async fn output_is_told_while_it_comes_and_is_cut() {
    let (local, steps) = (local(), Steps::new());
    let text =
        "echo first; until [ -e go ]; do sleep 0.01; done; seq 1 100000; echo >&2; seq 5 >&2";
    let mut job = steps.job("a", text);
    job.log_limit = 1000;
    local.submit(&job).await.expect("a step");
    let file = job.ticket.folder.join("output");
    until(|| (fs::read(&file).ok()? == b"first\n").then_some(())).await;
    assert_eq!(log(&local, &job, Stream::Output).await, "first\n");
    let standing = poll(&local, &job.ticket).await;
    assert!(matches!(standing, Standing::Running { .. }));
    fs::write(job.working_dir.join("go"), "").unwrap();
    assert_eq!(outcome(&local, &job.ticket).await.end, Finish::Exited(0));
    let printed = log(&local, &job, Stream::Output).await;
    assert!(printed.starts_with("first\n1\n2\n"), "{printed}");
    assert!(printed.contains(" bytes left out]\n"), "{printed}");
    assert!(printed.ends_with("99999\n100000\n"), "{printed}");
    assert!(printed.len() < 1100);
    let errors = log(&local, &job, Stream::Errors).await;
    assert_eq!(errors, "\n1\n2\n3\n4\n5\n");
    let part = local.logs(&job.ticket, Stream::Output, 6, 4).await;
    assert_eq!(part.unwrap(), b"1\n2\n");
}

#[tokio::test]
async fn many_steps_are_polled_at_once() {
    let (local, steps) = (local(), Steps::new());
    let mut tickets: Vec<Ticket> = Vec::new();
    for number in 0..30 {
        let text = ["exec sleep 1000", "exit 0"][number % 2];
        let job = steps.job(&number.to_string(), text);
        local.submit(&job).await.expect("a step");
        tickets.push(job.ticket);
    }
    for ticket in tickets.iter().skip(1).step_by(2) {
        assert_eq!(outcome(&local, ticket).await.end, Finish::Exited(0));
    }
    for (number, standing) in local.poll(&tickets).await.iter().enumerate() {
        let ends = number % 2 == 1;
        assert_eq!(matches!(standing, Standing::Ended(_)), ends, "{standing:?}");
        let runs = matches!(standing, Standing::Running { .. });
        assert_eq!(runs, !ends, "{standing:?}");
    }
    for ticket in tickets.iter().step_by(2) {
        let canceled = local.cancel(ticket, Duration::from_secs(5)).await;
        canceled.expect("a wish");
        assert_eq!(outcome(&local, ticket).await.end, Finish::Canceled);
    }
    steps.check_nothing_is_left("all");
}

#[tokio::test]
async fn results_are_taken_and_nothing_else() {
    let (local, steps) = (local(), Steps::new());
    let text = "mkdir -p d/e empty; echo one > d/one; echo two > d/e/two; echo x > x; \
                ln -s /etc/passwd d/link; ln -s d alias; mkfifo pipe";
    let job = steps.job("a", text);
    assert_eq!(run(&local, &job).await.end, Finish::Exited(0));
    let wanted = [
        "x",
        "d",
        "alias/one",
        "none",
        "../a/output",
        "/etc/passwd",
        "pipe",
        "empty",
        "x/y",
    ];
    let wanted = wanted.map(String::from);
    let into = steps.path("into");
    // A second attempt takes the same.
    for _ in 0..2 {
        let taken = local.collect(&job.working_dir, &wanted, &into, 1000).await;
        let taken = taken.expect("results");
        let files: Vec<_> = taken
            .iter()
            .filter(|one| matches!(one.found, Found::File { .. }))
            .map(|one| one.path.as_str())
            .collect();
        assert_eq!(files, ["x", "d/e/two", "d/one"]);
        let found = |path: &str| &taken.iter().find(|one| one.path == path).unwrap().found;
        for path in [
            "d/link",
            "alias/one",
            "../a/output",
            "/etc/passwd",
            "pipe",
            "x/y",
        ] {
            assert_eq!(found(path), &Found::NotAFile, "{path}");
        }
        assert_eq!(found("none"), &Found::Missing);
        assert_eq!(found("empty"), &Found::EmptyFolder);
    }
    assert_eq!(steps.text("into/d/e/two"), "two\n");
    assert!(!steps.has("into/d/link"));
    let few = steps.path("few");
    let too_large = local
        .collect(&job.working_dir, &wanted[..2], &few, 7)
        .await
        .unwrap_err();
    assert_eq!(
        too_large.to_string(),
        "the results are larger than 7 bytes together"
    );
}
