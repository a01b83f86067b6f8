//! How steps end that Slurm runs.

use std::time::Duration;

use labql::engine::{Breach, Executor as _, Finish, Job, Outcome, Standing, Stream, SubmitError};

use super::Cluster;
use crate::engine::steps::{Steps, log, outcome, poll, run};

#[tokio::test]
async fn a_step_says_how_it_ended() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let text = r#"echo out; echo err >&2; pwd; printf '%s|' "$@"; echo; echo "$V"; exit 7"#;
    let mut job = steps.job("a", text);
    // No shell reads them, nor does Slurm put anything in their place.
    let odd = [
        "a b",
        "$(touch $PLACE/pwned)",
        "q'\"`x`",
        "-n",
        "--",
        "new\nline",
        "",
        "%j",
        "ü",
    ];
    job.args.push("sh".into());
    job.args.extend(odd.iter().map(Into::into));
    let value = "$(x) `y` '\" \\ %j\nline=2";
    job.environment.push(("V".into(), value.into()));
    assert_eq!(run(&slurm, &job).await.end, Finish::Exited(7));
    let printed = log(&slurm, &job, Stream::Output).await;
    let work = job.working_dir.display();
    let words = odd.join("|");
    assert_eq!(printed, format!("out\n{work}\n{words}|\n{value}\n"));
    assert_eq!(log(&slurm, &job, Stream::Errors).await, "err\n");
    assert!(!steps.has("pwned"));
    let killed = steps.job("b", "kill -9 $$");
    assert_eq!(run(&slurm, &killed).await.end, Finish::Exited(137));
    let mut none = steps.job("c", "");
    none.program = "no-such-program".into();
    assert_eq!(run(&slurm, &none).await.end, Finish::Exited(127));
    let errors = log(&slurm, &none, Stream::Errors).await;
    assert!(errors.contains("no-such-program"), "{errors}");
    steps.until_nothing_is_left().await;
}

#[tokio::test]
async fn what_cannot_be_begun_says_why() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let mut none = steps.job("a", "");
    none.working_dir = steps.path("nowhere");
    let end = run(&slurm, &none).await.end;
    assert!(matches!(end, Finish::NotStarted(_)), "{end:?}");
    let mut large = steps.job("b", "");
    large.bounds.memory = Some(1 << 50);
    let refused = slurm.submit(&large).await;
    assert!(
        matches!(refused, Err(SubmitError::Refused(_))),
        "{refused:?}"
    );
    let standing = poll(&slurm, &large.ticket).await;
    assert!(
        matches!(
            &standing,
            Standing::Ended(Outcome {
                end: Finish::NotStarted(_),
                ..
            })
        ),
        "{standing:?}"
    );
}

#[tokio::test]
async fn limits_hold_and_nothing_runs_after_the_end() {
    let Some(cluster) = Cluster::open() else {
        return;
    };
    let (slurm, steps) = (cluster.executor(), Steps::new());
    let mut cases = Vec::new();
    let mut add = |text: &str, end: Finish, bound: &dyn Fn(&mut Job)| {
        let mut job = steps.job(&cases.len().to_string(), text);
        bound(&mut job);
        cases.push((job, end));
    };
    let time = |job: &mut Job| job.time_limit = Some(Duration::from_millis(700));
    let large = |job: &mut Job| job.bounds.file_size = Some(1 << 20);
    let cpu = |job: &mut Job| job.bounds.cpu = Some(Duration::from_secs(1));
    add("seq 1 100000", Finish::Exited(0), &|job| {
        job.log_limit = 1000;
    });
    add("sleep 1000", Finish::TimedOut, &time);
    add(
        "trap '' TERM; (setsid sleep 1000 &); while :; do sleep 1; done",
        Finish::TimedOut,
        &time,
    );
    add(
        "dd if=/dev/zero of=big bs=64k count=100",
        Finish::Exceeded(Breach::FileSize),
        &large,
    );
    add("while :; do :; done", Finish::Exceeded(Breach::Cpu), &cpu);
    add(
        "python3 $PLACE/double.py; exit 4",
        Finish::Exited(4),
        &|_| (),
    );
    add(
        "(trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &) ; exit 4",
        Finish::Exited(4),
        &|_| (),
    );
    add("exit 0", Finish::Exited(0), &|job| {
        job.time_limit = Some(Duration::from_mins(1));
        job.bounds.memory = Some(200 << 20);
        job.bounds.disk = Some(1 << 20);
    });
    for (job, _) in &cases {
        slurm.submit(job).await.expect("a step");
    }
    for (job, end) in &cases {
        let ended = outcome(&slurm, &job.ticket).await;
        let errors = log(&slurm, job, Stream::Errors).await;
        assert_eq!(&ended.end, end, "{:?}: {errors}", job.args);
    }
    let printed = log(&slurm, &cases[0].0, Stream::Output).await;
    assert!(printed.starts_with("1\n2\n"), "{printed}");
    assert!(printed.ends_with(" bytes left out]\n"), "{printed}");
    assert!(printed.len() < 1100);
    // Who waits to kill ends within a moment after the step.
    steps.until_nothing_is_left().await;
}
