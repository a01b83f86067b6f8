//! What runs on another machine is ended there, too: through a shell as the far machine starts it, and a private sshd.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use labql::engine::{self, End, Launch, Look};
use labql::experiments::actions::{Action, Environment, Place, Profile, Verdict, launch, verdict};

use super::probe::{Probe, run, text};
use super::sshd::Sshd;

/// How long something may take that is only waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Notes its number and that of a child, and works for ever.
const WORKS: &str = "sh -c 'echo $$ > @/child; while :; do sleep 1; done' &\n\
    echo $$ > @/leader; while :; do sleep 1; done\n";

fn command() -> Action {
    Action::Describe {
        expid: "a000".into(),
        description: "a text".into(),
    }
}

fn stays() -> Action {
    Action::Run {
        expid: "a000".into(),
    }
}

/// A program that does this on the other machine; `@/` is the folder of the probe.
fn probe(script: &str) -> Probe {
    let probe = Probe::new();
    let script = script.replace("@/", &text(&probe.path("")));
    probe.write("autosubmit", &format!("#!/bin/sh\n{script}"));
    probe
}

fn profile(probe: &Probe, sshd: Option<&Sshd>) -> Profile {
    let nowhere = || labql::experiments::actions::Ssh {
        host: "login".into(),
        user: "esm".into(),
        port: 22,
        known_hosts: "/etc/labql/known_hosts".into(),
        identity: None,
    };
    Profile {
        place: Place::Ssh(sshd.map_or_else(nowhere, |sshd| sshd.ssh("known_hosts"))),
        ..probe.profile(Environment::None)
    }
}

/// How the other machine is reached: as a shell here, or through a sshd.
#[derive(Clone, Copy)]
enum Way<'a> {
    Shell(&'static str),
    Ssh(&'a Sshd),
}

impl Way<'_> {
    fn profile(self, probe: &Probe) -> Profile {
        match self {
            Self::Shell(_) => profile(probe, None),
            Self::Ssh(sshd) => profile(probe, Some(sshd)),
        }
    }

    fn launch(self, profile: &Profile, action: &Action) -> Launch {
        let launch = launch(profile, action).expect("a program");
        match self {
            Self::Shell(shell) => Launch {
                program: shell.into(),
                args: vec!["-s".into()],
                ..launch
            },
            Self::Ssh(_) => launch,
        }
    }

    /// Starts it as labql does; gives its folder.
    async fn start(self, probe: &Probe, launch: &Launch) -> PathBuf {
        let folder = probe.path("kept");
        engine::start_with(Path::new(env!("CARGO_BIN_EXE_labql")), launch, &folder)
            .await
            .expect("a program");
        folder
    }
}

/// Tries something in every way that there is here.
async fn in_every_way(tried: impl AsyncFn(Way<'_>)) {
    for shell in ["sh", "bash"] {
        tried(Way::Shell(shell)).await;
    }
    if let Some(sshd) = Sshd::start() {
        tried(Way::Ssh(&sshd)).await;
    }
}

fn number(probe: &Probe, name: &str) -> i32 {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(probe.path(name)).unwrap_or_default();
        if let Some(number) = text.strip_suffix('\n') {
            return number.parse().expect("a number");
        }
        assert!(began.elapsed() < PATIENCE, "there is no {name}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// How it ended, and what it printed.
async fn end(folder: &Path) -> (End, String) {
    tokio::time::timeout(PATIENCE, engine::ended(folder))
        .await
        .expect("an end");
    let output = engine::output(folder, 0, usize::MAX).expect("output");
    match engine::look(folder).expect("a look") {
        Look::Ended { end, .. } => (end, String::from_utf8(output).expect("text")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_withdraws_ends_it_there() {
    in_every_way(async |way| {
        for action in [command(), stays()] {
            let probe = probe(WORKS);
            let profile = way.profile(&probe);
            let folder = way.start(&probe, &way.launch(&profile, &action)).await;
            let numbers = ["leader", "child"].map(|name| number(&probe, name));
            engine::stop(&folder, PATIENCE).await.expect("an end");
            let (end, output) = end(&folder).await;
            assert_eq!(end, End::Stopped);
            assert!(output.ends_with("[labql: ended]\n"), "{output}");
            assert!(numbers.iter().all(|number| !lives(*number)), "{output}");
            assert_eq!(verdict(&profile, &action, &end, &output), Verdict::Stopped);
        }
    })
    .await;
}

#[tokio::test]
async fn what_does_not_listen_is_killed_there() {
    let probe = probe(&format!("trap '' TERM\n{WORKS}"));
    let way = Way::Shell("sh");
    let launch = way.launch(&way.profile(&probe), &command());
    let folder = way.start(&probe, &launch).await;
    let numbers = ["leader", "child"].map(|name| number(&probe, name));
    engine::stop(&folder, PATIENCE).await.expect("an end");
    let (_, output) = end(&folder).await;
    assert!(output.ends_with("[labql: ended]\n"), "{output}");
    assert!(numbers.iter().all(|number| !lives(*number)));
}

#[tokio::test]
async fn when_its_time_is_up_it_is_ended_there() {
    in_every_way(async |way| {
        let probe = probe(WORKS);
        let profile = way.profile(&probe);
        let mut launch = way.launch(&profile, &command());
        launch.time_limit = Some(Duration::from_secs(1));
        let folder = way.start(&probe, &launch).await;
        let numbers = ["leader", "child"].map(|name| number(&probe, name));
        let (end, output) = end(&folder).await;
        assert_eq!(end, End::TimedOut);
        assert!(output.ends_with("[labql: ended]\n"), "{output}");
        assert!(numbers.iter().all(|number| !lives(*number)));
        let told = verdict(&profile, &command(), &end, &output);
        assert!(matches!(told, Verdict::Failed(_)), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn when_the_other_machine_does_not_confirm_it_nobody_knows() {
    let Some(sshd) = Sshd::start() else { return };
    let probe = probe(&format!("trap '' TERM\n{WORKS}"));
    let way = Way::Ssh(&sshd);
    let profile = way.profile(&probe);
    let folder = way.start(&probe, &way.launch(&profile, &command())).await;
    let numbers = ["leader", "child"].map(|name| number(&probe, name));
    // Less time than it takes there.
    engine::stop(&folder, Duration::from_millis(300))
        .await
        .expect("an end");
    let (end, output) = end(&folder).await;
    assert_eq!(end, End::Stopped);
    let told = verdict(&profile, &command(), &end, &output);
    assert!(matches!(told, Verdict::Lost(_)), "{told:?}");
    // It was asked all the same.
    let began = Instant::now();
    while numbers.iter().any(|number| lives(*number)) {
        assert!(began.elapsed() < PATIENCE, "it goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn without_a_connection_a_command_is_ended_and_a_run_goes_on() {
    for shell in ["sh", "bash"] {
        let way = Way::Shell(shell);
        let works = probe(WORKS);
        let mut launch = way.launch(&way.profile(&works), &command());
        launch.stop_word = None;
        let output = run(&launch);
        assert_eq!(output.status.code(), Some(143), "{output:?}");
        let ends = probe("echo works; sleep 1; echo \"$@\" > @/done\n");
        let mut launch = way.launch(&way.profile(&ends), &stays());
        launch.stop_word = None;
        let output = run(&launch);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let done = fs::read_to_string(ends.path("done")).expect("a file");
        assert_eq!(done, "run -- a000\n");
    }
}
