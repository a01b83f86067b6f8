//! What a program is given, and what it leaves on the disk.

use super::*;

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
