//! Programs end, by themselves or not.

use super::*;

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
async fn a_word_asks_it_to_end() {
    let place = Place::new();
    let mut launch = place.shell(
        "trap 'echo signal' TERM; read one; echo \"$one\"; echo begun > $PLACE/begun; read two; echo \"$two\"; exit 4",
    );
    launch.stdin = b"first\n".to_vec();
    launch.stop_word = Some(b"the word\n".to_vec());
    let folder = place.launch(&launch).await;
    place.read("begun").await;
    stop(&folder, PATIENCE).await.expect("an end");
    assert_eq!(end(&folder).await, End::Stopped);
    assert_eq!(printed(&folder), "first\nthe word\n");
}

#[tokio::test]
async fn one_that_does_not_listen_to_the_word_is_killed() {
    let place = Place::new();
    let mut launch = place.shell("echo begun > $PLACE/begun; exec sleep 1000");
    launch.stop_word = Some(b"end\n".to_vec());
    let folder = place.launch(&launch).await;
    place.read("begun").await;
    let program = pid(&folder, "program");
    stop(&folder, Duration::from_millis(200))
        .await
        .expect("an end");
    assert_eq!(end(&folder).await, End::Stopped);
    assert!(!lives(program));
}
