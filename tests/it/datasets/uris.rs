//! URIs: their one form, and what is refused.

use labql::datasets::readers::{
    BaseUri, BucketSettings, DatasetUri, FolderSettings, StorageSettings, Store,
};

use super::fixture::Fixture;

fn base(text: &str) -> Result<String, String> {
    let uri = BaseUri::parse(text).map_err(|error| error.to_string())?;
    Ok(uri.to_string())
}

fn refusal(text: &str) -> String {
    base(text).expect_err("a refusal")
}

#[test]
fn a_base_uri_has_one_form() {
    for (text, form) in [
        ("file://host/srv/data", "file://host/srv/data"),
        ("file://host/srv/data/", "file://host/srv/data"),
        ("file://host//srv///data//", "file://host/srv/data"),
        ("file:///srv/data", "file:///srv/data"),
        ("file://host/a b/ü/+&=;", "file://host/a b/ü/+&=;"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://my.bucket-1_x", "s3://my.bucket-1_x"),
    ] {
        assert_eq!(base(text).as_deref(), Ok(form), "{text}");
    }
}

#[test]
fn what_is_no_base_uri_is_refused_with_a_reason() {
    for (text, reason) in [
        ("", "is no URI"),
        ("/srv/data", "is no URI"),
        ("data", "is no URI"),
        ("ftp://host/x", "has the scheme \"ftp\""),
        ("FILE://host/x", "has the scheme \"FILE\""),
        ("file://host", "names no folder"),
        ("file://host/", "names no folder"),
        ("file://srv", "names no folder"),
        ("file://user@host/x", "has a host"),
        ("file://host/a/../b", "holds a relative part"),
        ("file://host/./b", "holds a relative part"),
        ("file://host/a%20b", "without percent-encoding"),
        ("file://host/a?b", "holds '?'"),
        ("file://host/a#b", "holds '#'"),
        ("file://host/a\nb", "holds '\\n'"),
        ("file://host/a\0b", "holds '\\0'"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://.", "names no bucket"),
        ("s3://a..b", "names no bucket"),
        ("s3://bücket", "names no bucket"),
        ("s3://bucket/prefix", "holds a path"),
    ] {
        let told = refusal(text);
        assert!(told.contains(reason), "{text}: {told}");
    }
    assert!(refusal(&format!("file://h/{}", "x/".repeat(1000))).contains("bytes"));
    assert!(refusal(&format!("file://h/{}", "x".repeat(300))).contains("no file can have it"));
}

#[test]
fn the_uri_of_a_dataset_is_taken_apart() {
    let uri = DatasetUri::parse("file://host/srv/data/my-set/").expect("a URI");
    assert_eq!(
        (uri.as_str(), uri.base().as_str(), uri.name()),
        (
            "file://host/srv/data/my-set",
            "file://host/srv/data",
            "my-set"
        )
    );
    let uuid = "cc8c3a39-2a58-4d02-8c1d-3fc56552ec44";
    let uri = DatasetUri::parse(&format!("s3://bucket/{uuid}")).expect("a URI");
    assert_eq!((uri.base().as_str(), uri.name()), ("s3://bucket", uuid));
    for text in [
        "file://host/set",
        "s3://bucket",
        "s3://bucket/x",
        "s3://bucket/a/b",
    ] {
        DatasetUri::parse(text).expect_err(text);
    }
    let base = BaseUri::parse("file://host/srv").expect("a base URI");
    for name in ["", ".", "..", "a/b", "/a", "a%b", "a\0"] {
        base.dataset(name).expect_err(name);
    }
}

#[test]
fn only_what_is_configured_can_be_opened() {
    let fixture = Fixture::new();
    fixture.write("inner/file", "");
    let open = |uri: &str, settings: &StorageSettings| {
        let opened = Store::open(&BaseUri::parse(uri).expect("a URI"), settings);
        opened.map(|_| ()).map_err(|error| error.to_string())
    };
    let uri = fixture.uri();
    let refused = open(&uri, &StorageSettings::default()).expect_err("a refusal");
    assert!(refused.contains("datasets.folders"), "{refused}");
    let mut settings = fixture.settings.clone();
    assert_eq!(open(&uri, &settings), Ok(()));
    let missing = open(&format!("{uri}/nothing"), &settings).expect_err("no folder");
    assert!(missing.contains("nothing: No such file"), "{missing}");
    let file = open(&format!("{uri}/inner/file"), &settings).expect_err("no folder");
    assert!(file.contains("ot a directory"), "{file}");

    std::os::unix::fs::symlink("/", fixture.path("link")).expect("a link");
    let led_out = open(&format!("{uri}/link"), &settings).expect_err("a refusal");
    assert!(led_out.contains("datasets.folders"), "{led_out}");

    let folder = |uri: &str, path: &str| FolderSettings {
        uri: uri.into(),
        path: Some(fixture.path(path)),
        allowed_folders: Vec::new(),
    };
    // Of two that fit, the inner one counts.
    settings.folders = vec![
        folder("file://lab/data", ""),
        folder("file://lab/data/elsewhere", "inner"),
    ];
    assert_eq!(open("file://lab/data/elsewhere", &settings), Ok(()));
    assert_eq!(open("file://lab/data", &settings), Ok(()));
    assert_eq!(open("file://lab/data/inner", &settings), Ok(()));
    for other in [uri.as_str(), "file://lab/database", "file://other/data"] {
        let refused = open(other, &settings).expect_err("a refusal");
        assert!(refused.contains("datasets.folders"), "{refused}");
    }

    let refused = open("s3://lab", &settings).expect_err("a refusal");
    assert!(refused.contains("datasets.buckets"), "{refused}");
    let keys = BucketSettings {
        endpoint: Some("http://127.0.0.1:1".into()),
        access_key_id: Some("k".into()),
        ..BucketSettings::default()
    };
    settings.buckets.insert("lab".into(), keys);
    let refused = open("s3://lab", &settings).expect_err("half of the keys");
    assert!(
        refused.starts_with("the configuration of s3://lab:"),
        "{refused}"
    );
}
