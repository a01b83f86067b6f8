//! Programs are kept: whoever started them may die, and what became of them can be told.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use labql::engine::{self, End, EngineError, Launch, Look, look, output, stop};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long something may take that is only waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder for programs.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The folder of the one program of a test.
    fn program(&self) -> PathBuf {
        self.path("program")
    }

    /// Starts a text of the shell; `$PLACE` is this folder.
    async fn start(&self, text: &str) -> PathBuf {
        self.launch(&self.shell(text)).await
    }

    async fn launch(&self, launch: &Launch) -> PathBuf {
        let folder = self.program();
        start(launch, &folder).await.expect("a program");
        folder
    }

    fn shell(&self, text: &str) -> Launch {
        let mut launch = program("/bin/sh", &["-c", text]);
        launch
            .environment
            .push(("PLACE".into(), self.0.path().into()));
        launch
    }

    /// What a program wrote into a file, as soon as it has.
    async fn read(&self, name: &str) -> String {
        let path = self.path(name);
        until(|| {
            fs::read_to_string(&path)
                .ok()
                .filter(|text| text.ends_with('\n'))
        })
        .await
    }
}

fn program(program: &str, args: &[&str]) -> Launch {
    Launch {
        program: program.into(),
        args: args.iter().map(OsString::from).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        stdin: Vec::new(),
        working_dir: None,
        time_limit: None,
        output_limit: 100_000,
    }
}

async fn start(launch: &Launch, folder: &Path) -> Result<(), EngineError> {
    engine::start_with(Path::new(env!("CARGO_BIN_EXE_labql")), launch, folder).await
}

/// Waits until there is something.
async fn until<T>(mut something: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(something) = something() {
                return something;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it never came")
}

/// How the program ended, once it has.
async fn end(folder: &Path) -> End {
    tokio::time::timeout(PATIENCE, engine::ended(folder))
        .await
        .expect("an end");
    match look(folder).expect("a look") {
        Look::Ended { end, .. } => end,
        other => panic!("{other:?}"),
    }
}

fn printed(folder: &Path) -> String {
    String::from_utf8(output(folder, 0, usize::MAX).expect("output")).expect("text")
}

fn lives(pid: i32) -> bool {
    // A zombie that its parent has not waited for yet has ended.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .starts_with('Z')
    })
}

/// A record in the folder of a program.
fn record(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).expect("a record")).expect("JSON")
}

fn pid(folder: &Path, name: &str) -> i32 {
    let pid = record(folder, name)["pid"].as_i64().expect("a number");
    i32::try_from(pid).expect("a number of a process")
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("a signal");
}

#[tokio::test]
async fn a_program_gets_what_it_is_given_and_nothing_else() {
    let place = Place::new();
    let mut launch = place.shell("cat; echo to-error >&2; echo \"$2|$SECRET\"; env; pwd; exit 7");
    launch
        .args
        .extend(["sh".into(), "one".into(), "t w'o\n".into()]);
    launch
        .environment
        .push(("SECRET".into(), "pass\nword".into()));
    launch.stdin = b"hello\n".repeat(50_000);
    launch.working_dir = Some("/usr".into());
    launch.output_limit = 10_000_000;
    let folder = place.launch(&launch).await;
    assert_eq!(end(&folder).await, End::Exited(7));
    let said = printed(&folder);
    let said = said
        .strip_prefix(&"hello\n".repeat(50_000))
        .expect("standard input");
    let said = said
        .strip_prefix("to-error\nt w'o\n|pass\nword\n")
        .expect("arguments");
    let names: Vec<&str> = said
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    for name in names {
        let own = ["PATH", "PLACE", "SECRET", "PWD", "SHLVL", "_", "OLDPWD"];
        assert!(own.contains(&name), "{name} is inherited");
    }
    assert!(said.ends_with("\n/usr\n"), "{said}");
}

#[tokio::test]
async fn the_folder_is_private_and_holds_no_secret() {
    let place = Place::new();
    let mut launch = place.shell("echo begun > $PLACE/begun; exec sleep 1000");
    launch.environment.push(("TOKEN".into(), "hunter2".into()));
    launch.stdin = b"hunter2".to_vec();
    let folder = place.launch(&launch).await;
    place.read("begun").await;
    let keeper = pid(&folder, "keeper");
    for file in ["cmdline", "environ"] {
        let seen = fs::read(format!("/proc/{keeper}/{file}")).expect("the keeper");
        assert!(
            !String::from_utf8_lossy(&seen).contains("hunter2"),
            "{file}"
        );
    }
    stop(&folder, PATIENCE).await.expect("an end");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in fs::read_dir(&folder).expect("a folder") {
        let path = file.expect("a file").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let text = fs::read(&path).expect("a file");
        assert!(
            !String::from_utf8_lossy(&text).contains("hunter2"),
            "{}",
            path.display()
        );
    }
}

#[tokio::test]
async fn a_folder_is_for_one_program() {
    let place = Place::new();
    let text = "echo once >> $PLACE/times";
    let folder = place.start(text).await;
    let again = start(&place.shell(text), &folder).await;
    assert!(matches!(again, Err(EngineError::Taken(_))), "{again:?}");
    assert_eq!(end(&folder).await, End::Exited(0));
    assert_eq!(place.read("times").await, "once\n");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let place = Place::new();
    fs::write(place.path("plain"), "text").expect("a file");
    let plain = place.path("plain").display().to_string();
    let mut nowhere = program("/bin/true", &[]);
    nowhere.working_dir = Some(place.path("nowhere"));
    let mut odd = program("/bin/true", &[]);
    odd.args = vec!["a\0b".into()];
    let cases = [
        (
            program("/nowhere/autosubmit", &[]),
            "there is no program /nowhere/autosubmit".to_owned(),
        ),
        (
            program("no-such-program", &[]),
            "there is no program no-such-program".into(),
        ),
        (program(&plain, &[]), format!("{plain} may not be executed")),
        (
            nowhere,
            format!(
                "the folder to work in, {}, is not there",
                place.path("nowhere").display()
            ),
        ),
        (
            odd,
            "/bin/true cannot be started: nul byte found in provided data".into(),
        ),
    ];
    for (number, (launch, reason)) in cases.into_iter().enumerate() {
        let folder = place.path(&number.to_string());
        start(&launch, &folder).await.expect("an answer");
        // It is known at once, without waiting.
        let seen = look(&folder).expect("a look");
        assert!(
            matches!(&seen, Look::Ended { end: End::NotStarted(why), .. } if *why == reason),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn the_path_of_the_environment_finds_the_program() {
    let place = Place::new();
    fs::write(place.path("mine"), "#!/bin/sh\necho found\n").expect("a file");
    fs::set_permissions(place.path("mine"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut launch = program("mine", &[]);
    launch.environment = vec![("PATH".into(), place.0.path().into())];
    let folder = place.launch(&launch).await;
    assert_eq!(end(&folder).await, End::Exited(0));
    assert_eq!(printed(&folder), "found\n");
}

#[tokio::test]
async fn a_signal_from_elsewhere_is_told() {
    let place = Place::new();
    let folder = place.start("kill -KILL $$").await;
    assert_eq!(end(&folder).await, End::Signalled(9));
}

#[tokio::test]
async fn time_runs_out() {
    let place = Place::new();
    let mut launch = place.shell("echo begun; sleep 1000");
    launch.time_limit = Some(Duration::from_millis(300));
    let folder = place.launch(&launch).await;
    assert_eq!(end(&folder).await, End::TimedOut);
    assert_eq!(printed(&folder), "begun\n");
}

#[tokio::test]
async fn a_stop_reaches_all_of_the_group_even_what_does_not_listen() {
    let place = Place::new();
    let deaf = "trap '' TERM; (echo $$ > $PLACE/first; sh -c 'echo $$ > $PLACE/second; sleep 1000') & sleep 1000; sleep 1000";
    let folder = place.start(deaf).await;
    let second: i32 = place.read("second").await.trim().parse().expect("a number");
    let since = match look(&folder).expect("a look") {
        Look::Running { since } => since,
        other => panic!("{other:?}"),
    };
    stop(&folder, Duration::from_millis(200))
        .await
        .expect("an end");
    let Look::Ended {
        end: End::Stopped,
        at,
    } = look(&folder).expect("a look")
    else {
        panic!("{:?}", look(&folder));
    };
    assert!(at >= since);
    assert!(!lives(second), "a child lives");
    // Once more changes nothing.
    stop(&folder, Duration::ZERO).await.expect("an end");
}

#[tokio::test]
async fn a_stop_lets_a_program_end_well() {
    let place = Place::new();
    let folder = place
        .start("trap 'echo well; exit 0' TERM; echo begun > $PLACE/begun; while :; do sleep 0.05; done")
        .await;
    place.read("begun").await;
    stop(&folder, PATIENCE).await.expect("an end");
    assert_eq!(end(&folder).await, End::Stopped);
    // The shell may say, too, that what it waited for was ended.
    assert!(printed(&folder).ends_with("well\n"), "{}", printed(&folder));
}

#[tokio::test]
async fn a_stop_comes_before_the_start() {
    let place = Place::new();
    let folder = place.program();
    fs::create_dir(&folder).expect("a folder");
    assert_eq!(look(&folder).expect("a look"), Look::Absent);
    stop(&folder, Duration::ZERO)
        .await
        .expect("nothing to stop");
    keep(
        &folder,
        &serde_json::to_vec(&place.shell("echo > $PLACE/ran")).expect("JSON"),
    );
    assert_eq!(end(&folder).await, End::Stopped);
    assert!(!place.path("ran").exists());
}

/// A keeper as it comes up, told these bytes by one that ends then.
fn keep(folder: &Path, told: &[u8]) {
    let mut keeper = Command::new(env!("CARGO_BIN_EXE_labql"))
        .arg("keep")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a keeper");
    let _ = keeper.stdin.take().expect("its input").write_all(told);
    keeper.wait().expect("an end");
}

#[tokio::test]
async fn a_starter_that_dies_before_all_is_said_has_started_nothing() {
    let place = Place::new();
    let said = serde_json::to_vec(&place.shell("echo > $PLACE/ran")).expect("JSON");
    for (number, part) in [0, 1, said.len() / 2, said.len() - 1]
        .into_iter()
        .enumerate()
    {
        let folder = place.path(&number.to_string());
        fs::create_dir(&folder).expect("a folder");
        keep(&folder, &said[..part]);
        assert!(matches!(end(&folder).await, End::NotStarted(_)));
    }
    assert!(!place.path("ran").exists());
}

#[tokio::test]
async fn a_program_outlives_who_started_it() {
    for delay in [0, 1, 3, 5, 8, 12, 20, 40, 80, 160] {
        let place = Place::new();
        let mut starter = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "engine::starter", "--ignored", "--nocapture"])
            .env("LABQL_TEST_PLACE", place.0.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("a starter");
        // It is killed at some instant; at the last one the program runs.
        if delay == 160 {
            place.read("ran").await;
        } else {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        starter.kill().expect("its end");
        starter.wait().expect("its end");
        let folder = place.program();
        tokio::time::timeout(PATIENCE, engine::ended(&folder))
            .await
            .expect("an end");
        let ran = fs::read_to_string(place.path("ran")).unwrap_or_default();
        match look(&folder).expect("a look") {
            Look::Ended {
                end: End::Exited(3),
                ..
            } => assert_eq!(ran, "once\n"),
            Look::Absent
            | Look::Lost
            | Look::Ended {
                end: End::NotStarted(_),
                ..
            } if delay < 160 => {
                assert_eq!(ran, "");
            }
            other => panic!("{other:?}, {delay} ms"),
        }
    }
}

/// Not a test: the process that [`a_program_outlives_who_started_it`] kills.
#[tokio::test]
#[ignore = "started by a test"]
async fn starter() {
    let Some(place) = std::env::var_os("LABQL_TEST_PLACE") else {
        return;
    };
    let mut launch = program(
        "/bin/sh",
        &["-c", "echo once >> $PLACE/ran; sleep 0.3; exit 3"],
    );
    launch.environment.push(("PLACE".into(), place.clone()));
    start(&launch, &Path::new(&place).join("program"))
        .await
        .expect("a program");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_program_whose_keeper_was_killed_is_lost_and_can_be_ended() {
    let place = Place::new();
    let folder = place
        .start("trap '' TERM; echo $$ > $PLACE/pid; while :; do sleep 1; done")
        .await;
    let program: i32 = place.read("pid").await.trim().parse().expect("a number");
    send(pid(&folder, "keeper"), Signal::SIGKILL);
    engine::ended(&folder).await;
    assert_eq!(look(&folder).expect("a look"), Look::Lost);
    assert!(lives(program));
    stop(&folder, Duration::from_millis(100))
        .await
        .expect("an end");
    assert!(!lives(program));
    assert_eq!(end(&folder).await, End::Stopped);
}

#[tokio::test]
async fn of_a_lost_program_the_rest_of_its_group_is_ended() {
    let place = Place::new();
    let folder = place
        .start("sh -c 'trap \"\" TERM; echo $$ > $PLACE/child; while :; do sleep 1; done' & wait")
        .await;
    let child: i32 = place.read("child").await.trim().parse().expect("a number");
    send(pid(&folder, "keeper"), Signal::SIGKILL);
    engine::ended(&folder).await;
    send(pid(&folder, "program"), Signal::SIGKILL);
    until(|| (!lives(pid(&folder, "program"))).then_some(())).await;
    assert!(lives(child));
    stop(&folder, Duration::ZERO).await.expect("an end");
    assert!(!lives(child));
}

#[tokio::test]
async fn another_process_of_the_same_number_is_not_taken_for_it() {
    let place = Place::new();
    let folder = place.start("echo $$ > $PLACE/pid; exec sleep 1000").await;
    place.read("pid").await;
    let (keeper, running) = (pid(&folder, "keeper"), pid(&folder, "program"));
    let begun_before = |name: &str| {
        let mut other = record(&folder, name);
        other["ticks"] = (other["ticks"].as_u64().expect("ticks") - 1).into();
        fs::write(folder.join(name), other.to_string()).expect("a record");
    };
    // The keeper's number belongs to another now, it seems.
    let truly = record(&folder, "keeper");
    begun_before("keeper");
    assert_eq!(look(&folder).expect("a look"), Look::Lost);
    // And the program's.
    let program = record(&folder, "program");
    begun_before("program");
    stop(&folder, Duration::ZERO).await.expect("nothing to do");
    assert!(lives(keeper) && lives(running), "another was ended");
    assert_eq!(look(&folder).expect("a look"), Look::Lost);
    // The machine was started anew since.
    let mut earlier = truly.clone();
    earlier["boot"] = "another".into();
    fs::write(folder.join("keeper"), earlier.to_string()).expect("a record");
    assert_eq!(look(&folder).expect("a look"), Look::Lost);
    fs::write(folder.join("keeper"), truly.to_string()).expect("a record");
    fs::write(folder.join("program"), program.to_string()).expect("a record");
    stop(&folder, PATIENCE).await.expect("an end");
    assert!(!lives(running));
}

#[tokio::test]
async fn a_folder_that_cannot_be_understood_is_lost() {
    let place = Place::new();
    for (number, (name, text)) in [
        ("end", "{"),
        ("end", ""),
        ("end", r#"{"end":{"exited":"x"}}"#),
        ("keeper", "\0\0\0"),
        ("keeper", r#"{"pid":-1}"#),
        (
            "keeper",
            r#"{"pid":0,"ticks":0,"boot":"","since":"2000-01-01T00:00:00Z"}"#,
        ),
        (
            "program",
            r#"{"pid":1,"ticks":0,"boot":"","since":"2000-01-01T00:00:00Z"}"#,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = place.path(&number.to_string());
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join(name), text).expect("a file");
        assert_eq!(look(&folder).expect("a look"), Look::Lost, "{name}: {text}");
        stop(&folder, Duration::ZERO).await.expect("nothing to do");
        assert_eq!(printed(&folder), "");
    }
    assert_eq!(look(&place.path("none")).expect("a look"), Look::Lost);
    stop(&place.path("none"), Duration::ZERO)
        .await
        .expect("nothing to do");
    let file = place.path("file");
    fs::write(&file, "").expect("a file");
    assert_eq!(look(&file).expect("a look"), Look::Lost);
    let large = place.path("large");
    fs::create_dir(&large).expect("a folder");
    fs::write(large.join("end"), vec![b' '; 1 << 20]).expect("a file");
    assert_eq!(look(&large).expect("a look"), Look::Lost);
}

#[tokio::test]
async fn of_much_output_the_beginning_and_the_end_are_kept() {
    let place = Place::new();
    let mut launch = place.shell("echo first; yes | head -c 50000000; echo last");
    launch.output_limit = 1001;
    let folder = place.launch(&launch).await;
    assert_eq!(end(&folder).await, End::Exited(0));
    let said = printed(&folder);
    assert!(said.starts_with("first\ny\ny\n"), "{said}");
    assert!(said.ends_with("y\ny\nlast\n"), "{said}");
    let mark = format!("\n[{} bytes left out]\n", 50_000_011 - 1001);
    assert_eq!(said.len(), 1001 + mark.len());
    assert_eq!(said.find(&mark), Some(501), "{said}");
}

#[tokio::test]
async fn output_of_just_the_limit_is_whole() {
    for limit in [0, 1, 2, 11, 12, 13] {
        let place = Place::new();
        let mut launch = place.shell("printf '%s\\n' hello; printf world.");
        launch.output_limit = limit;
        let folder = place.launch(&launch).await;
        assert_eq!(end(&folder).await, End::Exited(0));
        let said = printed(&folder);
        match limit {
            0 => assert_eq!(said, "\n[12 bytes left out]\n"),
            1 => assert_eq!(said, "h\n[11 bytes left out]\n"),
            2 => assert_eq!(said, "h\n[10 bytes left out]\n."),
            11 => assert_eq!(said, "hello\n\n[1 bytes left out]\norld."),
            _ => assert_eq!(said, "hello\nworld."),
        }
    }
}

#[tokio::test]
async fn output_is_read_in_pieces_while_it_comes() {
    let place = Place::new();
    let folder = place
        .start("echo one; until [ -e $PLACE/go ]; do sleep 0.02; done; echo two")
        .await;
    until(|| (printed(&folder) == "one\n").then_some(())).await;
    assert!(matches!(look(&folder), Ok(Look::Running { .. })));
    fs::write(place.path("go"), "").expect("a file");
    assert_eq!(end(&folder).await, End::Exited(0));
    let mut pieces = Vec::new();
    loop {
        let piece = output(&folder, pieces.len() as u64, 3).expect("output");
        if piece.is_empty() {
            break;
        }
        assert!(piece.len() <= 3);
        pieces.extend(piece);
    }
    assert_eq!(pieces, b"one\ntwo\n");
    assert_eq!(output(&folder, 1000, 10).expect("output"), b"");
    assert_eq!(output(&folder, u64::MAX, usize::MAX).expect("output"), b"");
}

#[tokio::test]
async fn what_a_program_leaves_behind_does_not_keep_its_end_from_being_told() {
    let place = Place::new();
    // One in the group, one in a session of its own, both with the output open.
    let text = "sh -c 'echo $$ > $PLACE/one; exec sleep 1000' & setsid sh -c 'echo $$ > $PLACE/two; exec sleep 1000' & \
                until [ -s $PLACE/two ] && [ -s $PLACE/one ]; do sleep 0.02; done; echo done";
    let folder = place.start(text).await;
    let keeper = pid(&folder, "keeper");
    assert_eq!(end(&folder).await, End::Exited(0));
    assert_eq!(printed(&folder), "done\n");
    until(|| (!Path::new(&format!("/proc/{keeper}")).exists()).then_some(())).await;
    for name in ["one", "two"] {
        let left: i32 = place.read(name).await.trim().parse().expect("a number");
        assert!(lives(left), "{name} belongs to nobody here");
        send(left, Signal::SIGKILL);
    }
}

#[tokio::test]
async fn a_keeper_has_a_session_of_its_own_and_leaves_nothing() {
    let place = Place::new();
    let folder = place
        .start("grep THP_enabled /proc/self/status; read line")
        .await;
    let (keeper, program) = (pid(&folder, "keeper"), pid(&folder, "program"));
    let fields = |pid: i32| -> Vec<i32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit(") ").next().unwrap_or_default().to_owned();
        rest.split(' ')
            .skip(2)
            .take(2)
            .filter_map(|field| field.parse().ok())
            .collect()
    };
    let keepers = fields(keeper);
    if !keepers.is_empty() {
        assert_eq!(keepers, [keeper, keeper]);
    }
    end(&folder).await;
    // No zombie either: this process has waited for it.
    until(|| (!Path::new(&format!("/proc/{keeper}")).exists()).then_some(())).await;
    assert!(!lives(program));
    // labql does without huge pages; others get them.
    let said = printed(&folder);
    assert!(said.is_empty() || said.trim_end().ends_with('1'), "{said}");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["end", "keeper", "keeper.log", "output", "program"]);
    assert_eq!(
        fs::read_to_string(folder.join("keeper.log")).expect("a log"),
        ""
    );
}

#[tokio::test]
async fn a_keeper_that_is_asked_to_end_ends_the_program() {
    let place = Place::new();
    let folder = place
        .start("echo begun > $PLACE/begun; exec sleep 1000")
        .await;
    place.read("begun").await;
    send(pid(&folder, "keeper"), Signal::SIGHUP);
    send(pid(&folder, "keeper"), Signal::SIGTERM);
    assert_eq!(end(&folder).await, End::Stopped);
}

#[tokio::test]
async fn a_full_disk_costs_output_and_not_the_end() {
    let place = Place::new();
    let disk = place.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "labql-test"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        println!("skipped: only an administrator may mount a small disk");
        return;
    }
    let folder = disk.join("program");
    let mut launch = place
        .shell("head -c 200000 /dev/zero | tr '\\0' x; echo; echo last; echo ran > $PLACE/ran");
    launch.output_limit = 150_000;
    start(&launch, &folder).await.expect("a program");
    let ended = end(&folder).await;
    let said = printed(&folder);
    let _ = Command::new("umount").arg("-l").arg(&disk).status();
    assert_eq!(ended, End::Exited(0));
    assert!(place.path("ran").exists());
    assert!(
        said.ends_with(" bytes could not be written]\n"),
        "{}",
        &said[said.len() - 100..]
    );
}
