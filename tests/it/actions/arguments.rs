//! Any text arrives as it was sent, whatever stands between, and nothing can be taken for an option.

use labql::config::Secret;
use labql::experiments::actions::{
    Action, Create, Environment, FinalStatus, Profile, SetStatus, launch,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::probe::{Given, Probe, given, run, set_status};

/// Texts with what shells, programs and encodings stumble over.
pub fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,12}",
        prop::sample::select(vec![
            "'",
            "\"",
            "\\",
            "$(id)",
            "`id`",
            "; id",
            "| id",
            "& id",
            "> /dev/null",
            "$HOME",
            "${IFS}",
            "*",
            "~",
            "!x",
            "%s",
            "\n",
            "\t",
            " ",
            "--",
            "-x",
            "=",
            "#",
            "\\n",
            "'\\''",
            "é",
            "😀",
            "[1]",
            "{a,b}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("Autosubmit cannot take it", |text| text != "--")
}

fn describe(description: &str) -> Action {
    Action::Describe {
        expid: "a000".into(),
        description: description.to_owned(),
    }
}

/// What the program ought to be given for [`describe`].
pub fn expected(description: &str, secret: &str) -> Given {
    let words = ["updatedescrip", "--", "a000", description];
    Given {
        arguments: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
        secret: secret.as_bytes().to_vec(),
        input: Vec::new(),
    }
}

/// Sends texts through a profile.
pub fn all_arrive(profile: &Profile, cases: u32, texts: impl Strategy<Value = (String, String)>) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let arrives = runner.run(&texts, |(text, secret)| {
        let mut profile = profile.clone();
        profile
            .variables
            .insert("SECRET".into(), Secret::from(secret.clone()));
        let launch =
            launch(&profile, &describe(&text)).map_err(|refused| TestCaseError::fail(refused.0))?;
        prop_assert_eq!(given(&run(&launch)), expected(&text, &secret));
        Ok(())
    });
    arrives.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_text_arrives_directly() {
    let probe = Probe::new();
    all_arrive(&probe.profile(Environment::None), 64, (texts(), texts()));
}

#[test]
fn any_text_arrives_in_a_virtual_environment() {
    let probe = Probe::new();
    let folder = probe.path("");
    all_arrive(
        &probe.profile(Environment::Venv(folder)),
        16,
        (texts(), texts()),
    );
}

#[test]
fn any_text_arrives_behind_modules() {
    let probe = Probe::new();
    // What Lmod and Environment Modules put into each shell is a function; it tells what it loads, and reads what it may not.
    let home = probe.path("");
    let profile_file = "module() { printf 'loads %s\\n' \"$*\"; cat; [ \"$2\" != missing ]; }\n";
    probe.write(".bash_profile", profile_file);
    let mut profile = probe.profile(Environment::Modules(vec![
        "python/3.11".into(),
        "autosubmit".into(),
    ]));
    profile
        .variables
        .insert("HOME".into(), super::probe::text(&home).into());
    all_arrive(&profile, 32, (texts(), texts()));

    let stop = Action::Stop {
        expid: "a000".into(),
        force: true,
    };
    let output = run(&launch(&profile, &stop).expect("a program"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.starts_with("loads load python/3.11\nloads load autosubmit\n"),
        "{printed}"
    );
    assert_eq!(given(&output).input, b"y\n");

    profile.environment = Environment::Modules(vec!["missing".into()]);
    let output = run(&launch(&profile, &stop).expect("a program"));
    assert_eq!(output.status.code(), Some(97));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.ends_with("the module missing cannot be loaded\n"),
        "{printed}"
    );
}

#[test]
fn any_text_but_line_ends_arrives_through_conda() {
    let probe = Probe::new();
    // Not conda, but called as conda is.
    probe.write("conda", "#!/bin/sh\n[ \"$1 $2 $3 $4\" = 'run --no-capture-output -n as-4.1' ] || exit 9\nshift 4; exec \"$@\"\n");
    let mut profile = probe.profile(Environment::Conda("as-4.1".into()));
    let path = format!("{}:/usr/bin:/bin", super::probe::text(&probe.path("")));
    profile.variables.insert("PATH".into(), path.into());
    let one_line = texts().prop_map(|text| text.replace('\n', " "));
    all_arrive(&profile, 16, (one_line, texts()));
    let refused = launch(&profile, &describe("a\nb")).expect_err("a line end");
    assert_eq!(
        refused.to_string(),
        "`conda run` does not carry line ends in arguments"
    );
}

#[test]
fn actions_become_arguments() {
    let argv = |action: &Action| -> Vec<String> {
        assert_eq!(action.check(), [], "{action:?}");
        let argv = action.argv().into_iter();
        argv.map(|word| word.into_string().expect("text")).collect()
    };
    let expid = || "a000".to_owned();
    assert_eq!(argv(&Action::Run { expid: expid() }), ["run", "--", "a000"]);
    assert_eq!(
        argv(&Action::Stop {
            expid: expid(),
            force: false
        }),
        ["stop", "--", "a000"]
    );
    assert_eq!(
        argv(&Action::Stop {
            expid: expid(),
            force: true
        }),
        ["stop", "--force", "--", "a000"]
    );
    assert_eq!(
        argv(&Action::CreateJobList {
            expid: expid(),
            check_wrapper: true,
            update_version: true,
            force: true
        }),
        [
            "create",
            "-np",
            "--check_wrapper",
            "--update_version",
            "--force",
            "--",
            "a000"
        ]
    );
    assert_eq!(
        argv(&Action::Create(Create {
            description: "--testcase".into(),
            hpc: Some("MARENOSTRUM5".into()),
            copy: Some("a001".into()),
            git_repo: Some("https://example.org/x.git".into()),
            git_branch: Some("main".into()),
            config_path: Some("conf/as".into()),
            minimal: true,
            operational: true,
            ..Create::default()
        })),
        [
            "expid",
            "--description=--testcase",
            "--HPC=MARENOSTRUM5",
            "--copy=a001",
            "--git_repo=https://example.org/x.git",
            "--git_branch=main",
            "--git_as_conf=conf/as",
            "--minimal_configuration",
            "--operational",
        ]
    );
    assert_eq!(
        argv(&Action::SetStatus(SetStatus {
            expid: expid(),
            jobs: vec!["a000_20000101_fc0_1_SIM".into(), "a000_INI".into()],
            final_status: FinalStatus::Suspended,
            filter_chunks: Some("[ 20000101 [ fc0 [1-2] ] ]".into()),
            filter_status: vec!["FAILED".into(), "ANY".into()],
            filter_type: vec!["SIM [1-3]".into(), "POST".into()],
            filter_type_chunk: None,
            filter_type_chunk_split: None,
            check_wrapper: false,
            update_version: false,
        })),
        [
            "setstatus",
            "-np",
            "-s",
            "--status_final=SUSPENDED",
            "--list=a000_20000101_fc0_1_SIM a000_INI",
            "--filter_chunks=[ 20000101 [ fc0 [1-2] ] ]",
            "--filter_status=FAILED ANY",
            "--filter_type=SIM [1-3], POST",
            "--",
            "a000",
        ]
    );
}

#[test]
fn what_autosubmit_cannot_take_is_refused_with_the_reason() {
    let fields = |action: Action| -> Vec<&'static str> {
        action
            .check()
            .into_iter()
            .map(|fault| fault.field)
            .collect()
    };
    for expid in [
        "",
        "a00",
        "A000",
        "a000,a001",
        "a000 a001",
        "-f",
        "--all",
        "../a000",
        "a000\n",
        "é000",
    ] {
        assert_eq!(
            fields(Action::Run {
                expid: expid.into()
            }),
            ["expid"],
            "{expid:?}"
        );
        assert_eq!(
            fields(Action::Stop {
                expid: expid.into(),
                force: true
            }),
            ["expid"],
            "{expid:?}"
        );
    }
    for text in ["--", "a\0b", "a\rb", "\u{1b}[31m", "\u{85}"] {
        assert_eq!(fields(describe(text)), ["description"], "{text:?}");
    }
    assert_eq!(fields(describe("")), [""; 0]);
    assert_eq!(fields(describe(&"é".repeat(10_000))), ["description"]);
    let create = |change: fn(&mut Create)| {
        let mut create = Create {
            description: "text".into(),
            ..Create::default()
        };
        change(&mut create);
        fields(Action::Create(create))
    };
    assert_eq!(create(|_| ()), [""; 0]);
    assert_eq!(create(|c| c.description = " \n".into()), ["description"]);
    assert_eq!(create(|c| c.hpc = Some("a b".into())), ["hpc"]);
    assert_eq!(create(|c| c.hpc = Some("x\nJOBS:".into())), ["hpc"]);
    assert_eq!(create(|c| c.copy = Some("--all".into())), ["copy"]);
    assert_eq!(
        create(|c| (c.operational, c.testcase) = (true, true)),
        ["testcase"]
    );
    assert_eq!(
        create(|c| c.git_branch = Some("main".into())),
        ["git_branch"]
    );
    // What a shell that Autosubmit calls would understand.
    for repository in [
        "https://example.org/$(id)",
        "https://example.org/;id",
        "ext::sh -c id",
        "ext::id",
        "-uid",
        "ssh://-oProxyCommand=id",
        "git@-oProxyCommand:x",
        "../x",
        "",
        "a b",
        "https://example.org/a'b",
    ] {
        let mut create = Create {
            description: "text".into(),
            ..Create::default()
        };
        create.git_repo = Some(repository.into());
        assert_eq!(
            fields(Action::Create(create)),
            ["git_repo"],
            "{repository:?}"
        );
    }
    for repository in [
        "https://user@example.org:8443/x/y.git",
        "git@example.org:x/y.git",
        "ssh://git@example.org/x",
        "/srv/x.git",
    ] {
        let mut create = Create {
            description: "text".into(),
            ..Create::default()
        };
        create.git_repo = Some(repository.into());
        create.git_branch = Some("feature/x".into());
        assert_eq!(fields(Action::Create(create)), [""; 0], "{repository:?}");
    }
    let set = |change: fn(&mut SetStatus)| {
        let mut set = set_status("a000", FinalStatus::Ready);
        change(&mut set);
        fields(Action::SetStatus(set))
    };
    assert_eq!(set(|_| ()), ["jobs"]);
    assert_eq!(set(|s| s.jobs = vec!["ANY".into()]), ["jobs"]);
    assert_eq!(set(|s| s.jobs = vec!["a000_x a000_y".into()]), ["jobs"]);
    assert_eq!(set(|s| s.jobs = vec!["a000_[".into()]), ["jobs"]);
    assert_eq!(set(|s| s.jobs = vec!["a000_SIM".into(); 20_000]), ["jobs"]);
    assert_eq!(
        set(|s| s.filter_status = vec!["failed".into()]),
        ["filter_status"]
    );
    assert_eq!(
        set(|s| s.filter_type = vec!["SIM POST".into()]),
        ["filter_type"]
    );
    assert_eq!(
        set(|s| s.filter_type = vec!["SIM [1".into()]),
        ["filter_type"]
    );
    assert_eq!(
        set(|s| s.filter_type = vec!["SIM [1-]".into()]),
        ["filter_type"]
    );
    assert_eq!(
        set(|s| s.filter_type = vec!["SIM [1 2]".into(), "POST[Any]".into(), "X [1:3]".into()]),
        [""; 0]
    );
    assert_eq!(
        set(|s| s.filter_chunks = Some("[ 2000 [ fc0 ] ".into())),
        ["filter_chunks"]
    );
    assert_eq!(
        set(|s| s.filter_chunks = Some("[ $(id) ]".into())),
        ["filter_chunks"]
    );
    assert_eq!(
        set(|s| {
            s.filter_chunks = Some("[ 2000 [ fc0 [1] ] ]".into());
            s.filter_type_chunk = Some("[ 2000 [ fc0 [1] ] ],SIM".into());
        }),
        ["filter_chunks"]
    );
}

#[test]
fn actions_are_kept_as_json() {
    let action = Action::SetStatus(
        serde_json::from_value(
            serde_json::json!({"expid": "a000", "jobs": ["a000_INI"], "final_status": "READY"}),
        )
        .expect("an action"),
    );
    let text = serde_json::to_string(&action).expect("JSON");
    assert!(
        text.starts_with(r#"{"kind":"SET_STATUS","expid":"a000""#),
        "{text}"
    );
    assert_eq!(
        serde_json::from_str::<Action>(&text).expect("an action"),
        action
    );
}
