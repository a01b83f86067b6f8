//! How steps end, and that nothing of them runs then.

use labql::engine::{Executor as _, Finish, Stream, SubmitError};

use super::local;
use crate::engine::steps::{Steps, log, run};

#[tokio::test]
async fn a_step_says_how_it_ended() {
    let (local, steps) = (local(), Steps::new());
    let text = "echo out; echo err >&2; pwd; echo x > made; env | sort; exit 7";
    let job = steps.job("a", text);
    let outcome = run(&local, &job).await;
    assert_eq!(outcome.end, Finish::Exited(7));
    assert!(outcome.usage.unwrap().peak_memory.unwrap() > 0);
    assert_eq!(log(&local, &job, Stream::Errors).await, "err\n");
    let printed = log(&local, &job, Stream::Output).await;
    let work = job.working_dir.display();
    assert!(printed.starts_with(&format!("out\n{work}\n")), "{printed}");
    assert!(job.working_dir.join("made").exists());
    // Nothing of the environment is inherited.
    let variables = printed.lines().skip(2);
    let names: Vec<_> = variables
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    assert_eq!(names, ["LABQL_STEP", "PATH", "PLACE", "PWD", "TOKEN"]);
    let killed = steps.job("b", "kill -9 $$");
    assert_eq!(run(&local, &killed).await.end, Finish::Signaled(9));
    steps.check_nothing_is_left("ended");
}

#[tokio::test]
async fn what_cannot_be_begun_says_why() {
    let (local, steps) = (local(), Steps::new());
    let mut none = steps.job("a", "");
    none.program = "no-such-program".into();
    let end = run(&local, &none).await.end;
    assert!(
        matches!(&end, Finish::NotStarted(reason) if reason.contains("no-such-program")),
        "{end:?}"
    );
    let mut none = steps.job("b", "");
    none.working_dir = steps.path("nowhere");
    let end = run(&local, &none).await.end;
    assert!(
        matches!(&end, Finish::NotStarted(reason) if reason.contains("nowhere")),
        "{end:?}"
    );
    for bad in ["", "a/b", "ä", &"x".repeat(101)] {
        let mut job = steps.job("c", "");
        job.ticket.id = bad.into();
        let refused = local.submit(&job).await;
        assert!(matches!(refused, Err(SubmitError::Refused(_))), "{bad:?}");
    }
    let mut job = steps.job("d", "");
    job.environment.push(("A=B".into(), "".into()));
    let refused = local.submit(&job).await;
    assert!(matches!(refused, Err(SubmitError::Refused(_))));
    assert!(!steps.has("c") && !steps.has("d"));
}

#[tokio::test]
async fn nothing_runs_after_the_end() {
    let (local, steps) = (local(), Steps::new());
    for (number, text) in [
        "python3 $PLACE/double.py $TOKEN; exit 4",
        r#"env -i setsid sh -c ": $TOKEN; sleep 1000 & sleep 1001" & exit 4"#,
        "(trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &) ; exit 4",
        "for i in 1 2 3 4 5 6 7 8 9; do (setsid sh -c 'sleep 1000 & sleep 1000' &); done; exit 4",
        // It keeps the pipe open, and prints.
        "(setsid sh -c 'while :; do echo x; sleep 0.01; done' &); exit 4",
    ]
    .into_iter()
    .enumerate()
    {
        let job = steps.job(&number.to_string(), text);
        assert_eq!(run(&local, &job).await.end, Finish::Exited(4), "{text}");
        steps.check_nothing_is_left(text);
    }
}
