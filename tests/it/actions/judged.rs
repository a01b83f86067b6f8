//! What came of an action is read from its end and its output, as Autosubmit 4.1.17.1 writes it.

use labql::engine::End;
use labql::experiments::actions::{
    Action, Create, Environment, FinalStatus, Place, Profile, SetStatus, Ssh, Verdict, verdict,
    version_of,
};

use super::probe::set_status;

fn create() -> Action {
    Action::Create(Create {
        description: "Experiment b999 created".into(),
        ..Create::default()
    })
}

fn stop() -> Action {
    Action::Stop {
        expid: "a000".into(),
        force: false,
    }
}

fn judge(action: &Action, end: End, output: &str) -> Verdict {
    verdict(&Profile::default(), action, &end, output)
}

fn done(created: Option<&str>) -> Verdict {
    Verdict::Succeeded {
        created: created.map(str::to_owned),
    }
}

fn failed(reason: &str) -> Verdict {
    Verdict::Failed(reason.to_owned())
}

#[test]
fn a_new_experiment_is_known_by_its_expid() {
    let output = "Autosubmit is running with 4.1.17.1\nThe new experiment \"a00b\" has been registered.\n\
                  \u{1b}[32mExperiment a00b created\u{1b}[0m\u{1b}[39m\n";
    assert_eq!(judge(&create(), End::Exited(0), output), done(Some("a00b")));
    let silent = failed("Autosubmit did not say that it made an experiment");
    assert_eq!(judge(&create(), End::Exited(0), ""), silent);
    assert_eq!(
        judge(&create(), End::Exited(0), "Experiment ../x created\n"),
        silent
    );
    // It takes the expid before it makes the files.
    let half =
        "The new experiment \"a00b\" has been registered.\n[CRITICAL] No space left [eCode=7001]\n";
    assert_eq!(
        judge(&create(), End::Exited(89), half),
        failed("No space left [eCode=7001] (it had registered a00b by then)")
    );
    // An action that makes none finds none.
    assert_eq!(judge(&stop(), End::Exited(0), output), done(None));
}

#[test]
fn failures_tell_what_autosubmit_said() {
    let output = "\u{1b}[1m \u{1b}[31m[CRITICAL] Traceback (most recent call last):\n  File \"autosubmit.py\"\n\
                  autosubmit.log.log.AutosubmitCritical: Experiment does not exist\nError code: 7012\n\u{1b}[0m\u{1b}[39m\n\
                  \u{1b}[1m \u{1b}[31m[CRITICAL] Experiment does not exist [eCode=7012]\u{1b}[0m\u{1b}[39m\n\
                  More info at https://autosubmit.readthedocs.io/en/master/troubleshooting/error-codes.html\n";
    assert_eq!(
        judge(&stop(), End::Exited(100), output),
        failed("Experiment does not exist [eCode=7012]")
    );
    let usage = "error: argument -t/--testcase: not allowed with argument -op/--operational\nusage: autosubmit expid\n\nCreates\n";
    assert_eq!(
        judge(&create(), End::Exited(1), usage),
        failed("argument -t/--testcase: not allowed with argument -op/--operational")
    );
    assert_eq!(
        judge(&create(), End::Exited(3), "\n\n"),
        failed("it ended with code 3")
    );
    let run = Action::Run {
        expid: "a000".into(),
    };
    let output = "Some jobs have failed and reached maximum retrials\nROCRATE not present in experiment YAML configuration.\n";
    assert_eq!(
        judge(&run, End::Exited(1), output),
        failed("Some jobs have failed and reached maximum retrials")
    );
}

#[test]
fn a_run_that_was_stopped_is_no_failure() {
    let run = Action::Run {
        expid: "a000".into(),
    };
    let in_a_pause =
        "    time.sleep(safetysleeptime)\nKeyboardInterrupt\n\n[CRITICAL] Unexpected error: .\n";
    assert_eq!(judge(&run, End::Exited(88), in_a_pause), Verdict::Stopped);
    let well =
        "Interrupt signal received. Breaking main loop to perform cleanup.\nRun successful\n";
    assert_eq!(judge(&run, End::Exited(0), well), Verdict::Stopped);
    assert_eq!(judge(&run, End::Exited(0), "Run successful\n"), done(None));
}

#[test]
fn code_0_does_not_mean_that_it_was_done() {
    let output =
        "Confirm stopping the experiment: a000 (y/n)[enter=y]? Expid a000 was not running\n";
    assert_eq!(
        judge(&stop(), End::Exited(0), output),
        failed("the experiment was not running")
    );
    let set = Action::SetStatus(SetStatus {
        jobs: vec!["a000_INI".into()],
        ..set_status("a000", FinalStatus::Ready)
    });
    let none = "The selected number of jobs to change is: 0\n\u{1b}[33;20m[WARNING] No changes were performed.\u{1b}[0m\n";
    assert_eq!(
        judge(&set, End::Exited(0), none),
        failed("no job was selected")
    );
    let one =
        "The selected number of jobs to change is: 1\nCHANGED: job: a000_INI status to: READY\n";
    assert_eq!(judge(&set, End::Exited(0), one), done(None));
}

#[test]
fn other_ends_are_told() {
    assert_eq!(judge(&stop(), End::Stopped, ""), Verdict::Stopped);
    assert_eq!(
        judge(&stop(), End::Signalled(9), ""),
        failed("signal 9 ended it")
    );
    assert_eq!(
        judge(&stop(), End::TimedOut, ""),
        failed("it was not done within 600 s, and was ended")
    );
    assert_eq!(
        judge(&stop(), End::NotStarted("there is no program x".into()), ""),
        failed("there is no program x")
    );
    // Where it is, is the administrator's to know.
    let there = |profile: Profile, program: &str| {
        let end = End::NotStarted(format!("{program} may not be executed"));
        verdict(&profile, &stop(), &end, "")
    };
    let by_path = Profile {
        autosubmit: "/opt/as/bin/autosubmit".into(),
        ..Profile::default()
    };
    let by_venv = Profile {
        environment: Environment::Venv("/opt/as".into()),
        ..Profile::default()
    };
    for profile in [by_path, by_venv] {
        assert_eq!(
            there(profile, "/opt/as/bin/autosubmit"),
            failed("autosubmit may not be executed")
        );
    }
}

#[test]
fn a_lost_connection_is_told_from_one_that_never_was() {
    let judge = |code, output: &str| far(&stop(), End::Exited(code), output);
    assert_eq!(
        judge(
            255,
            "ssh: connect to host login port 22: Connection refused\r\n"
        ),
        failed("ssh: connect to host login port 22: Connection refused")
    );
    assert!(matches!(
        judge(255, "[labql: begun]\nAutosubmit is running\n"),
        Verdict::Lost(_)
    ));
    assert_eq!(judge(0, "[labql: begun]\n"), done(None));
}

/// What came of an action on another machine.
fn far(action: &Action, end: End, output: &str) -> Verdict {
    let profile = Profile {
        place: Place::Ssh(Ssh {
            host: "login".into(),
            user: "ada".into(),
            port: 22,
            known_hosts: "/etc/ssh/ssh_known_hosts".into(),
            identity: None,
        }),
        ..Profile::default()
    };
    verdict(&profile, action, &end, output)
}

#[test]
fn the_end_of_ssh_is_not_the_end_of_what_it_began() {
    let begun = "[labql: begun]\nworks\n";
    let ended = "[labql: begun]\nworks\n[labql: ended]\n";
    for end in [End::Stopped, End::TimedOut, End::Signalled(9)] {
        let told = far(&stop(), end.clone(), begun);
        let Verdict::Lost(why) = &told else {
            panic!("{told:?}")
        };
        assert!(why.contains("may go on there"), "{why}");
        // A command that had not begun ends at once if it begins now; a run stays.
        assert!(!matches!(far(&stop(), end.clone(), ""), Verdict::Lost(_)));
        let run = Action::Run {
            expid: "a000".into(),
        };
        assert!(matches!(far(&run, end.clone(), ""), Verdict::Lost(_)));
        assert!(!matches!(far(&run, end, ended), Verdict::Lost(_)));
    }
    assert_eq!(far(&stop(), End::Stopped, ended), Verdict::Stopped);
    assert_eq!(
        far(&stop(), End::TimedOut, ended),
        failed("it was not done within 600 s, and was ended")
    );
}

#[test]
fn the_version_is_read() {
    assert_eq!(version_of("4.1.17.1\n").as_deref(), Some("4.1.17.1"));
    assert_eq!(
        version_of("loads x\n\u{1b}[0mAutosubmit v4.0.98\u{1b}[0m\n\n").as_deref(),
        Some("4.0.98")
    );
    assert_eq!(version_of("4.2.0b1").as_deref(), Some("4.2.0b1"));
    assert_eq!(version_of("bash: autosubmit: command not found\n"), None);
    assert_eq!(version_of(""), None);
}
