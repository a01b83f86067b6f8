//! Datasets that are broken, or meant to do harm: a clear word on each, and the others are read.

use std::fs;

use labql::datasets::readers::ReadError;
use serde_json::{Value, json};

use super::fixture::{Fixture, admin, item, link, list, manifest, outside};

#[tokio::test]
async fn datasets_are_found_among_other_things() {
    let fixture = Fixture::new();
    fixture.dataset("one").dataset("two");
    fixture
        .write("a file", "")
        .write("no dataset/README.yml", "")
        .write("half/.dtool/manifest.json", "{}")
        .dataset("a#name")
        .dataset("100%");
    let (names, problems) = list(&fixture.store()).await;
    assert_eq!(names, ["one", "two"]);
    let mut told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    told.sort();
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("/100%: the URI holds '%'"), "{}", told[0]);
    assert!(
        told[1].contains("/a#name: the URI holds '#'"),
        "{}",
        told[1]
    );
}

#[tokio::test]
async fn a_fixture_is_read() {
    let fixture = Fixture::new();
    fixture.dataset("one");
    let reading = fixture.read("one").await.expect("a dataset");
    assert_eq!(reading.problems, []);
    let document = reading.document;
    assert_eq!(document.uri, format!("{}/one", fixture.uri()));
    assert_eq!(document.created_at, Some(1_712_016_000_000_000));
    assert_eq!(document.frozen_at, Some(1_712_017_020_820_888));
    assert_eq!(
        (document.item_count, document.size_bytes),
        (Some(1), Some(10))
    );
    let text = serde_json::to_string(&document).expect("JSON");
    assert_eq!(
        serde_json::from_str::<super::expected::Kept>(&text)
            .expect("a document")
            .0,
        document
    );
}

#[tokio::test]
async fn what_is_missing_is_empty_or_told() {
    let fixture = Fixture::new();
    fixture.write("bare/.dtool/dtool", admin("bare").to_string());
    assert_eq!(
        fixture.refusal("bare").await,
        "/.dtool/manifest.json: the dataset is frozen, but has no manifest"
    );
    fixture.write("bare/.dtool/manifest.json", manifest(json!({})).to_string());
    let document = fixture.read("bare").await.expect("a dataset").document;
    assert_eq!(document.readme.content, Ok(Value::Null));
    assert_eq!(document.item_count, Some(0));
    assert_eq!(fixture.refusal("nothing").await, ": there is no dataset");
}

#[tokio::test]
async fn wrong_admin_metadata_is_refused() {
    let fixture = Fixture::new();
    let with = |field: &str, value: Value| {
        let mut admin = admin("one");
        admin[field] = value;
        admin.to_string()
    };
    for (content, reason) in [
        (String::new(), "EOF while parsing"),
        ("[]".into(), "invalid type"),
        ("[".repeat(60_000), "invalid type: sequence"),
        (format!("{{\"a\":{}", "[".repeat(60_000)), "recursion limit"),
        (
            "x".repeat(100_000),
            "is too large: 100000 bytes, at most 65536 are read",
        ),
        ("\u{feff}{}".into(), "expected value"),
        (json!({}).to_string(), "missing field `uuid`"),
        (with("uuid", json!(7)), "invalid type"),
        (with("uuid", json!("../../etc")), "is no UUID"),
        (with("name", json!("")), "name is empty"),
        (
            with("name", json!("a\u{0}b")),
            "name holds control characters",
        ),
        (with("name", json!("x".repeat(300))), "name has 300 bytes"),
        (
            with("type", json!("folder")),
            "neither dataset nor protodataset",
        ),
        (with("frozen_at", Value::Null), "frozen_at is missing"),
        (
            with("frozen_at", json!("soon")),
            "frozen_at: \"soon\" is no time",
        ),
        (
            with("frozen_at", json!("NaN")),
            "frozen_at: \"NaN\" lies outside",
        ),
        (with("created_at", json!([1])), "created_at: [1] is no time"),
        (
            with("created_at", json!(1e300)),
            "lies outside the years 1 to 9999",
        ),
        (
            with("created_at", json!(-1e12)),
            "lies outside the years 1 to 9999",
        ),
    ] {
        fixture.dataset("one").write("one/.dtool/dtool", content);
        let told = fixture.refusal("one").await;
        assert!(
            told.starts_with("/.dtool/dtool: ") && told.contains(reason),
            "{reason}: {told}"
        );
    }
    let text = with("frozen_at", json!("1712017020.820888"));
    fixture.write("one/.dtool/dtool", text);
    let document = fixture.read("one").await.expect("a dataset").document;
    assert_eq!(document.frozen_at, Some(1_712_017_020_820_888));
    fixture.write("one/.dtool/dtool", with("type", json!("protodataset")));
    let document = fixture.read("one").await.expect("a proto dataset").document;
    assert_eq!((document.frozen_at, document.manifest), (None, None));
}

#[tokio::test]
async fn wrong_manifests_are_refused() {
    let fixture = Fixture::new();
    let with = |field: &str, value: Value| {
        let mut item = item("a.txt");
        item["47ddfe38b8c66c0f9d98b9d802f220c84b4b30d4"][field] = value;
        manifest(item).to_string()
    };
    for (content, reason) in [
        ("null".to_owned(), "expected a manifest"),
        ("{}".into(), "missing field `items`"),
        (
            manifest(json!([])).to_string(),
            "expected items by their identifiers",
        ),
        (
            manifest(json!({"../x": item("x")["47ddfe38b8c66c0f9d98b9d802f220c84b4b30d4"]}))
                .to_string(),
            "this is no identifier",
        ),
        (
            with("relpath", json!("../secret")),
            "\"../secret\" leads out of the dataset",
        ),
        (
            with("relpath", json!("a/../../x")),
            "leads out of the dataset",
        ),
        (
            with("relpath", json!("/etc/passwd")),
            "leads out of the dataset",
        ),
        (with("relpath", json!("")), "the path is empty"),
        (with("relpath", json!("a\u{0}")), "holds a NUL"),
        (with("relpath", json!("x".repeat(5000))), "has 5000 bytes"),
        (with("size_in_bytes", json!(-1)), "invalid value"),
        (with("size_in_bytes", json!(1.5)), "invalid type"),
        (with("size_in_bytes", json!(u64::MAX)), "too large"),
        (with("utc_timestamp", json!(1e18)), "is no time"),
        (with("utc_timestamp", json!("x")), "invalid type"),
        (with("hash", Value::Null), "invalid type"),
        (
            with("hash", json!(1)).replace(":1", ":NaN"),
            "expected value",
        ),
        (format!("{} x", manifest(json!({}))), "trailing characters"),
        (
            format!("{{\"other\":{}", "[".repeat(1_000_000)),
            "EOF while parsing",
        ),
    ] {
        fixture
            .dataset("one")
            .write("one/.dtool/manifest.json", content);
        let told = fixture.refusal("one").await;
        assert!(
            told.starts_with("/.dtool/manifest.json: ") && told.contains(reason),
            "{reason}: {told}"
        );
    }
}

#[tokio::test]
async fn a_manifest_of_200_000_items_is_read_and_one_too_large_is_refused() {
    let mut fixture = Fixture::new();
    let items: serde_json::Map<String, Value> = (0..200_000)
        .map(|number| {
            let identifier = format!("{number:040x}");
            let size = json!({"hash": "x", "relpath": format!("f/{number}"), "size_in_bytes": number, "utc_timestamp": 0});
            (identifier, size)
        })
        .collect();
    fixture.dataset("one").write(
        "one/.dtool/manifest.json",
        manifest(items.into()).to_string(),
    );
    let document = fixture.read("one").await.expect("a dataset").document;
    assert_eq!(document.item_count, Some(200_000));
    assert_eq!(document.size_bytes, Some(199_999 * 100_000));
    fixture.settings.limits.items = 199_999;
    assert!(
        fixture
            .refusal("one")
            .await
            .contains("there are more than 199999 items")
    );
    fixture.settings.limits.manifest_bytes = 1 << 20;
    let told = fixture.refusal("one").await;
    assert!(told.ends_with("bytes, at most 1048576 are read"), "{told}");
}

#[tokio::test]
async fn readmes_of_all_kinds_leave_the_dataset_readable() {
    let fixture = Fixture::new();
    let nine = |n: usize| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(9));
    let bomb = format!("a0: &a0 [x]\n{}", (1..10).map(nine).collect::<String>());
    for (content, reason) in [
        (vec![0xff, 0xfe, b'a'], "is not UTF-8"),
        (bomb.into_bytes(), "aliases make the document far larger"),
        ("[".repeat(100_000).into_bytes(), "too many brackets"),
        (b"a: *nothing".to_vec(), "unknown anchor"),
        (b"a: 1\n---\nb: 2".to_vec(), "more than one document"),
        (b"? [a, b]\n: 1".to_vec(), "a key is not a scalar"),
        ("- ".repeat(400).into_bytes(), "recursion limit"),
    ] {
        fixture.dataset("one").write("one/README.yml", &content);
        let reading = fixture.read("one").await.expect("a dataset");
        assert_eq!(reading.problems, [], "{reason}");
        let problem = reading.document.readme.content.expect_err(reason);
        assert!(
            problem.message.contains(reason),
            "{reason}: {}",
            problem.message
        );
        assert_eq!(
            reading.document.readme.text,
            String::from_utf8_lossy(&content)
        );
    }
    fixture.write("one/README.yml", "x".repeat(20 << 20));
    let reading = fixture.read("one").await.expect("a dataset");
    let told = reading.problems[0].to_string();
    assert!(
        told.ends_with("/one/README.yml: is too large: 20971520 bytes, at most 4194304 are read"),
        "{told}"
    );
    assert!(reading.document.readme.content.is_err());
}

#[tokio::test]
async fn broken_annotations_overlays_and_tags_are_told_and_left_out() {
    let mut fixture = Fixture::new();
    fixture
        .dataset("one")
        .write(
            "one/.dtool/annotations/good.name.json",
            "{\"a\": [0.1, 1e400]}".replace("1e400", "30000000000000004"),
        )
        .write("one/.dtool/annotations/bad.json", "{")
        .write("one/.dtool/annotations/nan.json", "NaN")
        .write("one/.dtool/annotations/deep.json", "[".repeat(10_000))
        .write("one/.dtool/annotations/a b.json", "1")
        .write("one/.dtool/annotations/.hidden.swp", "1")
        .write("one/.dtool/annotations/folder.json/x", "1")
        .write("one/.dtool/overlays/list.json", "[]")
        .write("one/.dtool/overlays/kept.json", "{\"id\": null}")
        .write("one/.dtool/tags/a-tag", "")
        .write("one/.dtool/tags/no tag", "");
    let reading = fixture.read("one").await.expect("a dataset");
    let document = &reading.document;
    assert_eq!(
        json!(document.annotations),
        json!({"good.name": {"a": [0.1, 30_000_000_000_000_004_u64]}})
    );
    assert_eq!(json!(document.overlays), json!({"kept": {"id": null}}));
    assert!(document.tags.iter().eq(["a-tag"]));
    let uri = format!("{}/one/.dtool/", fixture.uri());
    let mut told: Vec<String> = reading
        .problems
        .iter()
        .map(|problem| problem.to_string().replace(&uri, ""))
        .collect();
    told.sort();
    let begins = [
        "annotations/.hidden.swp: is not read",
        "annotations/a b.json: is not read",
        "annotations/bad.json: EOF",
        "annotations/deep.json: recursion limit",
        "annotations/nan.json: expected value",
        "overlays/list.json: is not an object",
        "tags/no tag: is not read",
    ];
    assert_eq!(told.len(), begins.len(), "{told:?}");
    for (told, begin) in told.iter().zip(begins) {
        assert!(told.starts_with(begin), "{told}");
    }
    fixture.settings.limits.metadata_files = 1;
    assert_eq!(
        fixture.refusal("one").await,
        "/.dtool/overlays: holds more than 1 files"
    );
}

#[tokio::test]
async fn links_do_not_lead_out_of_the_base_uri() {
    let mut fixture = Fixture::new();
    let (_kept, secret) = outside("0123456789");
    fixture
        .dataset("one")
        .dataset("two")
        .dataset("three")
        .dataset("four");
    let replace = |name: &str| {
        fs::remove_file(fixture.path(name)).expect("a file");
        link(&secret, &fixture.path(name));
    };
    replace("one/.dtool/dtool");
    replace("two/README.yml");
    replace("three/data/a.txt");
    fs::remove_file(fixture.path("four/data/a.txt")).expect("a file");
    link(
        &fixture.path("two/data/a.txt"),
        &fixture.path("four/data/a.txt"),
    );
    let elsewhere = secret.parent().expect("a folder");
    fs::create_dir(elsewhere.join(".dtool")).expect("a folder");
    fs::write(elsewhere.join(".dtool/dtool"), "{}").expect("a file");
    link(elsewhere, &fixture.path("five"));
    link(&fixture.path("six"), &fixture.path("six"));

    let (names, problems) = list(&fixture.store()).await;
    assert_eq!(names, ["four", "three", "two"]);
    let mut told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    told.sort();
    assert_eq!(told.len(), 3, "{told:?}");
    for (told, (name, why)) in told.iter().zip([
        ("five", "a symbolic link leads out of the folder"),
        ("one", "a symbolic link leads out of the folder"),
        ("six", "Too many levels of symbolic links"),
    ]) {
        let begin = format!(
            "{}/{name}/.dtool/dtool: cannot be read: {why}",
            fixture.uri()
        );
        assert!(told.starts_with(&begin), "{told}");
    }

    let reading = fixture.read("two").await.expect("a dataset");
    assert_eq!(reading.document.readme.text, "");
    assert!(
        reading.problems[0]
            .message
            .contains("a symbolic link leads out")
    );

    // Of items no link is followed.
    let store = fixture.store();
    for name in ["three", "four"] {
        let uri = store.dataset(name).expect("a URI");
        let refused = store.item_file(&uri, "a.txt").await.expect_err(name);
        assert!(matches!(refused, ReadError::Missing), "{refused}");
    }
    fixture.settings.folders[0].allowed_folders = vec![secret.parent().expect("a folder").into()];
    let reading = fixture.read("two").await.expect("a dataset");
    assert_eq!(reading.document.readme.text, "0123456789");
}

#[tokio::test]
async fn items_out_of_place_are_refused() {
    let fixture = Fixture::new();
    fixture.dataset("one").write("one/data/sub/b.txt", "b");
    let store = fixture.store();
    let uri = store.dataset("one").expect("a URI");
    for relpath in ["../.dtool/dtool", "a/../../x", ".."] {
        let refused = store.item_file(&uri, relpath).await.expect_err(relpath);
        assert!(matches!(refused, ReadError::Hostile(_)), "{refused}");
    }
    for relpath in ["b.txt", "sub", "", "a.txt/x", "a\0b"] {
        let refused = store.item_file(&uri, relpath).await.expect_err(relpath);
        assert!(
            matches!(refused, ReadError::Missing),
            "{relpath}: {refused}"
        );
    }
    // As the operating system reads a path.
    for relpath in ["a.txt", ".//a.txt", "sub//b.txt"] {
        let opened = store.item_file(&uri, relpath).await;
        assert!(opened.expect(relpath).is_some());
    }
}

#[tokio::test]
async fn a_fingerprint_tells_of_every_change_but_that_of_items() {
    let fixture = Fixture::new();
    fixture.dataset("one");
    let store = fixture.store();
    let uri = store.dataset("one").expect("a URI");
    let fingerprint = async || {
        store
            .survey(&uri)
            .await
            .expect("a dataset")
            .fingerprint()
            .to_owned()
    };
    let mut seen = vec![fingerprint().await];
    fixture.write("one/data/b.txt", "more");
    assert_eq!(fingerprint().await, seen[0]);
    for name in [
        "README.yml",
        ".dtool/manifest.json",
        ".dtool/dtool",
        ".dtool/tags/new",
        ".dtool/annotations/a.json",
        ".dtool/overlays/o.json",
        ".dtool/overlays/o.json",
    ] {
        // Written anew: another inode, whatever the clock says.
        let path = fixture.path("fresh");
        fs::write(&path, "{}").expect("a file");
        let target = fixture.path(&format!("one/{name}"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("folders");
        fs::rename(path, target).expect("in its place");
        let now = fingerprint().await;
        assert!(!seen.contains(&now), "{name}");
        seen.push(now);
    }
}
