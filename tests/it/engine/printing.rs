//! What programs print is kept.

use super::*;

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
