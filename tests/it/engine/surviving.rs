//! Whoever started or keeps a program may die, sleep or come too late.

use super::*;

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
    // Not even where it is, or not all of it.
    let (folder, longer) = (place.path("f"), place.path("further"));
    fs::create_dir(&folder).expect("a folder");
    fs::create_dir(&longer).expect("a folder");
    let told = longer.as_os_str().as_encoded_bytes();
    for part in [0, 1, told.len() - "urther".len(), told.len()] {
        keep_told(&folder, &told[..part]);
    }
    for folder in [folder, longer] {
        assert_eq!(fs::read_dir(folder).expect("a folder").count(), 0);
    }
    assert!(!place.path("ran").exists());
}

#[tokio::test]
async fn a_program_outlives_who_started_it() {
    for delay in [0, 1, 3, 5, 8, 12, 20, 40, 80, 160] {
        let place = Place::new();
        let mut starter = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "engine::surviving::starter",
                "--ignored",
                "--nocapture",
            ])
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
async fn who_wakes_up_too_late_starts_nothing() {
    let place = Place::new();
    let launch = place.shell("echo > $PLACE/ran");
    // Asleep before it made the folder.
    let folder = place.path("one");
    assert_eq!(bar(&folder).expect("a bar"), Look::Lost);
    let late = start(&launch, &folder).await;
    assert!(matches!(late, Err(EngineError::Taken(_))), "{late:?}");
    assert_eq!(look(&folder).expect("a look"), Look::Lost);
    assert_eq!(bar(&folder).expect("a bar"), Look::Lost);
    // Asleep between the folder and the keeper.
    let folder = place.path("two");
    fs::create_dir(&folder).expect("a folder");
    assert!(matches!(
        bar(&folder),
        Ok(Look::Ended {
            end: End::NotStarted(_),
            ..
        })
    ));
    keep(&folder, &serde_json::to_vec(&launch).expect("JSON"));
    assert!(matches!(end(&folder).await, End::NotStarted(_)));
    // The keeper was seen before it could see the bar.
    let folder = place.path("three");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("barred"), "true").expect("a file");
    keep(&folder, &serde_json::to_vec(&launch).expect("JSON"));
    assert!(matches!(end(&folder).await, End::NotStarted(_)));
    assert!(!place.path("ran").exists());
}

#[tokio::test]
async fn a_bar_changes_nothing_for_what_was_started() {
    let place = Place::new();
    let folder = place
        .start("until [ -e $PLACE/go ]; do sleep 0.02; done; exit 3")
        .await;
    assert!(matches!(bar(&folder), Ok(Look::Running { .. })));
    fs::write(place.path("go"), "").expect("a file");
    assert_eq!(end(&folder).await, End::Exited(3));
    assert!(matches!(
        bar(&folder),
        Ok(Look::Ended {
            end: End::Exited(3),
            ..
        })
    ));
}

/// Kills the keeper of a program, which knows nothing of it.
async fn orphan(folder: &Path) {
    let keeper = pid(folder, "keeper");
    send(keeper, Signal::SIGKILL);
    until(|| (!lives(keeper)).then_some(())).await;
}

#[tokio::test]
async fn a_program_whose_keeper_was_killed_runs_until_it_ends() {
    let place = Place::new();
    let folder = place
        .start("echo begun > $PLACE/begun; until [ -e $PLACE/go ]; do sleep 0.02; done")
        .await;
    place.read("begun").await;
    orphan(&folder).await;
    assert!(matches!(look(&folder), Ok(Look::Running { .. })));
    fs::write(place.path("go"), "").expect("a file");
    tokio::time::timeout(PATIENCE, engine::ended(&folder))
        .await
        .expect("an end");
    assert_eq!(look(&folder).expect("a look"), Look::Lost);
}

#[tokio::test]
async fn a_program_whose_keeper_was_killed_can_be_ended() {
    let place = Place::new();
    let folder = place
        .start("trap '' TERM; echo $$ > $PLACE/pid; while :; do sleep 1; done")
        .await;
    let program: i32 = place.read("pid").await.trim().parse().expect("a number");
    orphan(&folder).await;
    assert!(lives(program));
    stop(&folder, Duration::from_millis(100))
        .await
        .expect("an end");
    assert!(!lives(program));
    assert_eq!(end(&folder).await, End::Stopped);
}

#[tokio::test]
async fn as_long_as_any_of_its_group_lives_a_program_runs() {
    let place = Place::new();
    let folder = place
        .start("sh -c 'trap \"\" TERM; echo $$ > $PLACE/child; while :; do sleep 1; done' & wait")
        .await;
    let child: i32 = place.read("child").await.trim().parse().expect("a number");
    orphan(&folder).await;
    send(pid(&folder, "program"), Signal::SIGKILL);
    until(|| (!lives(pid(&folder, "program"))).then_some(())).await;
    assert!(lives(child));
    assert!(matches!(look(&folder), Ok(Look::Running { .. })));
    stop(&folder, Duration::ZERO).await.expect("an end");
    assert!(!lives(child));
    assert_eq!(end(&folder).await, End::Stopped);
}

/// Its keeper was killed after it had started the program, and before it could note it.
#[tokio::test]
async fn a_program_that_was_not_noted_is_found_by_its_session() {
    let place = Place::new();
    let folder = place.start("echo $$ > $PLACE/pid; exec sleep 1000").await;
    let program: i32 = place.read("pid").await.trim().parse().expect("a number");
    fs::remove_file(folder.join("program")).expect("no record");
    orphan(&folder).await;
    assert!(matches!(look(&folder), Ok(Look::Running { .. })));
    stop(&folder, Duration::from_secs(5)).await.expect("an end");
    assert!(!lives(program));
    assert_eq!(end(&folder).await, End::Stopped);
}

#[tokio::test]
async fn another_process_of_the_same_number_is_not_taken_for_it() {
    let place = Place::new();
    let folder = place.start("echo $$ > $PLACE/pid; exec sleep 1000").await;
    place.read("pid").await;
    let names = ["keeper", "program"];
    let [keeper, running] = names.map(|name| pid(&folder, name));
    let truly = names.map(|name| record(&folder, name));
    let write = |name: &str, record: &Value| {
        fs::write(folder.join(name), record.to_string()).expect("a record");
    };
    // Their numbers belong to others now, it seems; or the machine was started anew since.
    let earlier = |record: &Value| record["ticks"].as_u64().expect("ticks") - 1;
    let lies: [fn(&mut Value, u64); 2] = [
        |record, earlier| record["ticks"] = earlier.into(),
        |record, _| record["boot"] = "another".into(),
    ];
    for lie in lies {
        for (name, record) in names.iter().zip(&truly) {
            let mut other = record.clone();
            lie(&mut other, earlier(record));
            write(name, &other);
        }
        assert_eq!(look(&folder).expect("a look"), Look::Lost);
        stop(&folder, Duration::ZERO).await.expect("nothing to do");
        assert!(lives(keeper) && lives(running), "another was ended");
        assert_eq!(look(&folder).expect("a look"), Look::Lost);
        // Nor is the session of another searched.
        fs::remove_file(folder.join("program")).expect("no record");
        assert_eq!(look(&folder).expect("a look"), Look::Lost);
    }
    for (name, record) in names.iter().zip(&truly) {
        write(name, record);
    }
    stop(&folder, PATIENCE).await.expect("an end");
    assert!(!lives(running));
}
