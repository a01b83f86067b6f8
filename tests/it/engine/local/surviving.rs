//! Whoever began a step, or keeps it, is killed at some instant.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use labql::engine::{Executor as _, Finish, Standing};
use nix::sys::signal::Signal;

use super::local;
use crate::engine::steps::{Instants, Steps, job, outcome, poll, rounds};
use crate::engine::{pid, send};

/// How many steps are begun by one server.
const STEPS: usize = 3;

#[tokio::test]
async fn a_killed_keeper_leaves_nothing() {
    let (local, steps) = (local(), Steps::new());
    let mut instants = Instants::new();
    for round in 0..rounds(8) {
        let text = "echo ran >> ran; python3 $PLACE/double.py; setsid sleep 1000 & \
                    echo > ready; while :; do sleep 1; done";
        let job = steps.job(&round.to_string(), text);
        let submitted = tokio::spawn({
            let (local, job) = (local.clone(), job.clone());
            async move { local.submit(&job).await }
        });
        let folder = &job.ticket.folder;
        // Until there is a keeper there is nobody to kill.
        instants.after(&folder.join("keeper")).await;
        if round % 2 == 0 {
            steps.read(&format!("work-{round}/ready")).await;
        }
        send(pid(folder, "keeper"), Signal::SIGKILL);
        // Whether it was told that it had begun is its own affair.
        let _ = submitted.await.expect("an answer");
        let is_canceled = round % 4 == 0;
        if is_canceled {
            let grace = Duration::from_millis(100);
            local.cancel(&job.ticket, grace).await.expect("a wish");
        }
        let end = outcome(&local, &job.ticket).await.end;
        match end {
            Finish::Canceled if is_canceled => {}
            Finish::Lost(_) if !is_canceled => {}
            other => panic!("{round}: {other:?}"),
        }
        steps.check_nothing_is_left(&round.to_string());
        local.submit(&job).await.expect("a step that is taken");
        let ran = steps.text(&format!("work-{round}/ran"));
        assert!(matches!(&*ran, "" | "ran\n"), "{ran}");
    }
}

#[tokio::test]
async fn what_a_killed_server_began_is_told_truly() {
    let local = local();
    let mut instants = Instants::new();
    for round in 0..rounds(10) {
        let steps = Steps::new();
        let mut server = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "engine::local::surviving::server",
                "--ignored",
                "--nocapture",
            ])
            .env("LABQL_TEST_PLACE", steps.folder())
            .env("LABQL_TEST_TOKEN", &steps.token)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a server");
        let files: Vec<_> = (0..STEPS)
            .flat_map(|step| {
                let files = ["", "keeper", "program", "end"];
                files.map(|file| steps.path(&step.to_string()).join(file))
            })
            .collect();
        let file = instants.after_one_of(&files).await;
        server.kill().expect("its end");
        server.wait().expect("its end");
        for step in 0..STEPS {
            let ticket = steps.job(&step.to_string(), "").ticket;
            let mut standing = poll(&local, &ticket).await;
            let was_claimed = ticket.folder.exists();
            if standing == Standing::Absent {
                standing = local.bar(&ticket).await.expect("a bar");
            }
            let end = match standing {
                Standing::Ended(outcome) => outcome.end,
                Standing::Absent => panic!("it was barred"),
                _ => outcome(&local, &ticket).await.end,
            };
            let ran = steps.text(&format!("work-{step}/ran"));
            let about = format!("round {round}, step {step}, {file:?}: {end:?}");
            match end {
                Finish::Exited(5) => assert_eq!(ran, "ran\n", "{about}"),
                Finish::NotStarted(_) => assert_eq!(ran, "", "{about}"),
                Finish::Lost(_) if !was_claimed => assert_eq!(ran, "", "{about}"),
                _ => panic!("{about}, {ran:?}"),
            }
        }
        steps.until_nothing_is_left().await;
    }
}

/// Not a test: the process that [`what_a_killed_server_began_is_told_truly`] kills.
#[tokio::test]
#[ignore = "started by a test"]
async fn server() {
    let (Some(place), Ok(token)) = (
        std::env::var_os("LABQL_TEST_PLACE"),
        std::env::var("LABQL_TEST_TOKEN"),
    ) else {
        return;
    };
    let local = local();
    for step in 0..STEPS {
        let text = "echo ran >> ran; sleep 0.01; exit 5";
        let job = job(Path::new(&place), &token, &step.to_string(), text);
        local.submit(&job).await.expect("a step");
    }
    std::future::pending::<()>().await;
}
