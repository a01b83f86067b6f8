//! Over SSH: through a shell as the far machine starts it, and through a private sshd on this machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use labql::engine::{End, Launch};
use labql::experiments::actions::{
    Action, Environment, Place, Profile, Ssh, Verdict, launch, verdict,
};
use proptest::prelude::*;

use super::arguments::{all_arrive, expected, texts};
use super::probe::{Probe, given, run, text};
use super::sshd::Sshd;

/// A profile of another machine.
fn profile(probe: &Probe, ssh: Ssh) -> Profile {
    Profile {
        place: Place::Ssh(ssh),
        ..probe.profile(Environment::None)
    }
}

fn nowhere() -> Ssh {
    Ssh {
        host: "login.example.org".into(),
        user: "esm".into(),
        port: 2222,
        known_hosts: "/etc/labql/known_hosts".into(),
        identity: Some("/etc/labql/key".into()),
    }
}

/// The script for the far shell, run by one here.
fn shell(shell: &str, launch: Launch) -> Launch {
    Launch {
        program: shell.into(),
        args: vec!["-s".into()],
        ..launch
    }
}

fn describe(description: &str) -> Action {
    Action::Describe {
        expid: "a000".into(),
        description: description.into(),
    }
}

#[test]
fn the_command_line_shows_nothing_of_the_action() {
    let mut profile = profile(&Probe::new(), nowhere());
    profile
        .variables
        .insert("SECRET".into(), "hunter2".to_owned().into());
    let launch = launch(&profile, &describe("some text")).expect("a program");
    let args: Vec<&str> = launch
        .args
        .iter()
        .map(|arg| arg.to_str().expect("text"))
        .collect();
    assert_eq!(launch.program, "ssh");
    assert_eq!(
        args[args.len() - 3..],
        ["--", "login.example.org", "exec sh -s"]
    );
    for option in [
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=yes",
        "-oForwardAgent=no",
        "-oIdentityAgent=none",
        "-oUserKnownHostsFile=/etc/labql/known_hosts",
        "-oGlobalKnownHostsFile=/dev/null",
    ] {
        assert!(args.contains(&option), "{option}");
    }
    let joined = args.join(" ");
    assert!(
        joined.contains("-i /etc/labql/key -p 2222 -l esm --"),
        "{joined}"
    );
    assert!(
        !joined.contains("hunter2") && !joined.contains("some text"),
        "{joined}"
    );
}

#[test]
fn any_text_arrives_through_the_far_shell() {
    for name in ["sh", "bash"] {
        let probe = Probe::new();
        let profile = profile(&probe, nowhere());
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 32,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        runner
            .run(&(texts(), texts()), |(text, secret)| {
                let mut profile = profile.clone();
                profile
                    .variables
                    .insert("SECRET".into(), secret.clone().into());
                let launch = launch(&profile, &describe(&text))
                    .map_err(|refused| TestCaseError::fail(refused.0))?;
                prop_assert_eq!(given(&run(&shell(name, launch))), expected(&text, &secret));
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn of_a_script_that_was_cut_off_nothing_is_done() {
    let probe = Probe::new();
    probe.write("autosubmit", "#!/bin/sh\necho done >&2\n");
    let launch = launch(&profile(&probe, nowhere()), &describe("it's\na text")).expect("a program");
    // Only the line end may be missing.
    let whole = launch.stdin.len() - 1;
    for length in (0..whole).rev().step_by(3) {
        let mut part = shell("sh", launch.clone());
        part.stdin.truncate(length);
        part.stop_word = None;
        let output = run(&part);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(printed, "", "{length}");
    }
}

#[test]
fn ends_and_answers_come_back() {
    let probe = Probe::new();
    let stop = Action::Stop {
        expid: "a000".into(),
        force: false,
    };
    let profile = profile(&probe, nowhere());
    let output = run(&shell("sh", launch(&profile, &stop).expect("a program")));
    assert_eq!(given(&output).input, b"y\n");
    for (code, told) in [(0, 0), (7, 7), (255, 254)] {
        probe.write("autosubmit", &format!("#!/bin/sh\nexit {code}\n"));
        for action in [
            &stop,
            &Action::Run {
                expid: "a000".into(),
            },
        ] {
            let output = run(&shell("sh", launch(&profile, action).expect("a program")));
            assert_eq!(output.status.code(), Some(told), "{action:?}");
        }
    }
}

#[test]
fn any_text_arrives_through_a_real_sshd() {
    let Some(sshd) = Sshd::start() else { return };
    let probe = Probe::new();
    let profile = profile(&probe, sshd.ssh("known_hosts"));
    // One that says why, before many.
    let output = run(&launch(&profile, &describe("it's")).expect("a program"));
    assert!(output.status.success(), "{output:?}\n{}", sshd.log());
    all_arrive(&profile, 12, (texts(), texts()));
}

#[test]
fn a_host_with_another_key_gets_nothing() {
    let Some(sshd) = Sshd::start() else { return };
    let probe = Probe::new();
    probe.write(
        "autosubmit",
        &format!("#!/bin/sh\necho > {}\n", text(&probe.path("done"))),
    );
    for hosts in ["no_hosts", "wrong_hosts"] {
        let profile = profile(&probe, sshd.ssh(hosts));
        let action = describe("text");
        let output = run(&launch(&profile, &action).expect("a program"));
        assert_eq!(output.status.code(), Some(255));
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let verdict = verdict(&profile, &action, &End::Exited(255), &said);
        assert!(
            matches!(&verdict, Verdict::Failed(why) if why == "Host key verification failed."),
            "{verdict:?}"
        );
    }
    assert!(!probe.path("done").exists());
}

#[test]
fn a_run_survives_the_loss_of_its_connection() {
    let Some(sshd) = Sshd::start() else { return };
    let probe = Probe::new();
    let (begun, go, done) = (probe.path("begun"), probe.path("go"), probe.path("done"));
    probe.write(
        "autosubmit",
        &format!(
            "#!/bin/sh\necho runs\n: > {}\nuntil [ -e {} ]; do sleep 0.05; done\necho \"$@\" > {}\n",
            text(&begun),
            text(&go),
            text(&done)
        ),
    );
    let profile = profile(&probe, sshd.ssh("known_hosts"));
    let launch = launch(
        &profile,
        &Action::Run {
            expid: "a000".into(),
        },
    )
    .expect("a program");
    assert_eq!(launch.time_limit, None);
    let mut child = Command::new(&launch.program)
        .args(&launch.args)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ssh");
    std::io::Write::write_all(&mut child.stdin.take().expect("its input"), &launch.stdin)
        .expect("the script");
    wait_for(&begun);
    child.kill().expect("the loss of the connection");
    child.wait().expect("its end");
    fs::write(&go, "").expect("a file");
    wait_for(&done);
    assert_eq!(fs::read_to_string(&done).expect("a file"), "run -- a000\n");
}

fn wait_for(path: &Path) {
    let began = Instant::now();
    while !fs::read_to_string(path).is_ok_and(|text| text.is_empty() || text.ends_with('\n')) {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "{}",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
