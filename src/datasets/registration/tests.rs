use proptest::prelude::*;
use serde_json::json;

use super::*;

fn info() -> Value {
    json!({
        "uuid": "11111111-1111-4111-8111-11111111AAAA",
        "base_uri": "s3://bucket",
        "uri": "s3://bucket/11111111",
        "name": "a-name",
        "type": "dataset",
        "readme": "---\ndescription: x\n",
        "manifest": {
            "dtoolcore_version": "3.19.0",
            "hash_function": "md5sum_hexdigest",
            "items": {
                "b": { "hash": "h", "relpath": "f.txt", "size_in_bytes": 3, "utc_timestamp": 1_604_864_525.5 },
                "a": { "hash": "h", "relpath": "g.txt", "size_in_bytes": "4", "utc_timestamp": "5" },
            },
        },
        "creator_username": "zoë-w",
        "frozen_at": "1604864525.691",
        "created_at": 1_604_860_720.736_269,
        "annotations": { "k": [1, null] },
        "tags": ["b", "a", "b"],
        "number_of_items": "2",
        "dtoolcore_version": "3.17.0",
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut info = info();
    info[field] = value;
    info
}

/// The fields at fault.
fn wrong(info: &Value) -> Vec<&'static str> {
    let wrong = parse(info).expect_err("something wrong");
    wrong.into_iter().filter_map(|it| it.field).collect()
}

#[test]
fn a_description_is_read() {
    let document = parse(&info()).unwrap();
    assert_eq!(document.uuid, "11111111-1111-4111-8111-11111111aaaa");
    assert_eq!(document.frozen_at, Some(1_604_864_525_691_000));
    assert_eq!(document.created_at, Some(1_604_860_720_736_269));
    assert_eq!(document.item_count, Some(2));
    // Nobody said so: the manifest does.
    assert_eq!(document.size_bytes, Some(7));
    assert_eq!(Vec::from_iter(&document.tags), ["a", "b"]);
    let items = document.manifest.unwrap().items;
    assert_eq!(items[0].identifier, "a");
    assert_eq!(items[1].modified_at, 1_604_864_525_500_000);
}

#[test]
fn without_a_time_of_making_it_is_that_of_freezing() {
    let document = parse(&with("created_at", Value::Null)).unwrap();
    assert_eq!(document.created_at, document.frozen_at);
    let empty = parse(&with("manifest", json!({}))).unwrap();
    assert_eq!(empty.size_bytes, None);
}

#[test]
fn each_field_is_checked() {
    for field in [
        "uuid",
        "uri",
        "base_uri",
        "name",
        "type",
        "readme",
        "manifest",
        "creator_username",
        "frozen_at",
        "annotations",
        "tags",
    ] {
        assert_eq!(wrong(&with(field, Value::Null)), [field]);
        assert_eq!(wrong(&with(field, json!(true))), [field]);
    }
    for (field, value) in [
        ("uuid", json!("xyz")),
        ("uuid", json!("11111111111141118111111111111111")),
        ("type", json!("protodataset")),
        ("uri", json!("s3://bucket/a/b")),
        ("uri", json!("s3://other/a")),
        ("uri", json!("/srv/data")),
        ("base_uri", json!("s3://bucket/")),
        ("name", json!("")),
        ("name", json!("a\0b")),
        ("readme", json!("\0")),
        ("readme", json!({})),
        ("frozen_at", json!("today")),
        ("frozen_at", json!(1e300)),
        ("created_at", json!("NaN")),
        ("created_at", json!([])),
        ("tags", json!(["a", 1])),
        ("tags", json!("a")),
        ("number_of_items", json!(-1)),
        ("size_in_bytes", json!(1.5)),
        ("annotations", json!([])),
        ("dtoolcore_version", json!(3)),
        ("manifest", json!({ "more": 1 })),
    ] {
        assert_eq!(
            wrong(&with(field, value.clone())),
            [field],
            "{field} {value}"
        );
    }
    assert_eq!(wrong(&with("nope", json!(1))), ["info"]);
    assert_eq!(wrong(&json!([])), ["info"]);
    for item in [
        json!(1),
        json!({}),
        json!({ "hash": "h", "relpath": "f", "size_in_bytes": 3, "utc_timestamp": 1, "extra": 1 }),
        json!({ "hash": "h", "relpath": "f", "size_in_bytes": -3, "utc_timestamp": 1 }),
        json!({ "hash": "h", "relpath": "f\0", "size_in_bytes": 3, "utc_timestamp": 1 }),
        json!({ "hash": "h", "relpath": "../f", "size_in_bytes": 3, "utc_timestamp": 1 }),
        json!({ "hash": "h", "relpath": "f", "size_in_bytes": 3, "utc_timestamp": 1e12 }),
    ] {
        let manifest = json!({ "items": { "a": item } });
        assert_eq!(wrong(&with("manifest", manifest)), ["manifest.items"]);
    }
}

#[test]
fn all_that_is_wrong_is_told_and_not_more_than_is_read() {
    let missing = wrong(&json!({}));
    assert_eq!(missing.len(), 11, "{missing:?}");
    let tags: Vec<i32> = (0..10_000).collect();
    assert_eq!(wrong(&with("tags", json!(tags))).len(), MOST_TOLD);
}

#[test]
fn base_uris_and_names_are_checked() {
    for good in [
        "s3://bucket",
        "file://host/srv/data",
        "file:///srv/a b",
        "smb://share//x",
    ] {
        assert!(check_base_uri("uri", good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "s3://",
        "s3:/x",
        "://x",
        "s3://b/",
        "s3://b\n",
        "a b://c",
        "s3://b/c",
        "file:///a//b",
        "file://a",
    ] {
        assert!(check_base_uri("uri", bad).is_err(), "{bad}");
    }
    assert!(check_dtool_name("tags", "a.b_c-1").is_ok());
    for bad in ["", ".", "..", "a b", "ü", "a/b", &"a".repeat(81)] {
        assert!(check_dtool_name("tags", bad).is_err(), "{bad}");
    }
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}|items|hash", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_or_refused(place in 0..FIELDS.len(), value in anything()) {
        if let Err(wrong) = parse(&with(FIELDS[place], value)) {
            prop_assert!(!wrong.is_empty());
        }
    }
}
