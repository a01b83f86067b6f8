//! Lists of datasets: every order, every filter, pages, groups and sums, compared with what was registered.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{Register, info, texts, uuid};
use crate::support::Lab;

on_both_databases!(
    every_order_in_pages,
    every_filter,
    sums_and_groups,
    what_makes_no_sense_is_refused,
);

const BASES: [&str; 3] = ["s3://a", "s3://b", "file://host/c"];

/// A register of some datasets, and what was registered.
async fn some(lab: Lab, count: u64) -> (Register, Vec<Value>) {
    let register = Register::open(lab, &["ada"]).await;
    for base in BASES {
        register.base_uri(base, &[("ada", true, true)]).await;
    }
    let mut random = StdRng::seed_from_u64(6);
    let mut infos = Vec::new();
    for number in 0..count {
        let base = BASES[random.random_range(0..BASES.len())];
        let mut sent = info(
            base,
            &format!("name-{}-{number}", random.random_range(0..9)),
            number,
        );
        // Copies here and there.
        sent["uuid"] = json!(uuid(random.random_range(0..count)));
        sent["name"] = json!(["same", "same", "Other", "zoë"][random.random_range(0..4)]);
        sent["creator_username"] = json!(["ahuber", "zoë-w", "B"][random.random_range(0..3)]);
        sent["created_at"] = json!(f64::from(random.random_range(0..20)) + 0.25);
        sent["frozen_at"] = json!(random.random_range(20..40));
        let tags = ["x", "y", "z"].into_iter();
        let tags: Vec<&str> = tags.filter(|_| random.random_bool(0.5)).collect();
        sent["tags"] = json!(tags);
        sent["manifest"] = json!({});
        for field in ["number_of_items", "size_in_bytes"] {
            sent[field] = match random.random_range(0..5) {
                0 => Value::Null,
                number => json!(number * 1000),
            };
        }
        register.registered("ada", &sent).await;
        infos.push(sent);
    }
    (register, infos)
}

fn text(of: &Value) -> String {
    of.as_str().expect("a text").to_owned()
}

fn number(of: &Value) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    of.as_f64().map_or(-1, |number| (number * 100.0) as i64)
}

async fn every_order_in_pages(lab: Lab) {
    let (register, infos) = some(lab, 40).await;
    let query = "query($order: [DatasetOrder!], $filter: DatasetFilter, $after: String, $first: Int,
            $before: String, $last: Int) {
        datasets(orderBy: $order, filter: $filter, after: $after, first: $first, before: $before, last: $last) {
            totalCount pageInfo { hasNextPage hasPreviousPage endCursor startCursor } nodes { uri }
        }
    }";
    for (order, field) in [
        ("URI", "uri"),
        ("NAME", "name"),
        ("UUID", "uuid"),
        ("BASE_URI", "base_uri"),
        ("CREATOR_USERNAME", "creator_username"),
        ("CREATED_AT", "created_at"),
        ("FROZEN_AT", "frozen_at"),
        ("SIZE_BYTES", "size_in_bytes"),
        ("ITEM_COUNT", "number_of_items"),
    ] {
        for (direction, filter) in [
            ("ASC", json!({})),
            ("DESC", json!({ "baseUris": ["s3://a"] })),
            (
                "DESC",
                json!({ "tags": ["x"], "baseUris": ["s3://a", "s3://b"] }),
            ),
        ] {
            let of = |info: &&Value| {
                let bases = filter["baseUris"].as_array();
                let tags = info["tags"].as_array().expect("tags");
                bases.is_none_or(|bases| bases.contains(&info["base_uri"]))
                    && (filter["tags"].is_null() || tags.contains(&json!("x")))
            };
            let mut expected: Vec<_> = infos
                .iter()
                .filter(of)
                .map(|info| match &info[field] {
                    Value::String(of) => (Some(of.clone()), 0, text(&info["uri"])),
                    of => (None, number(of), text(&info["uri"])),
                })
                .collect();
            expected.sort();
            if direction == "DESC" {
                expected.reverse();
            }
            let expected: Vec<String> = expected.into_iter().map(|(_, _, uri)| uri).collect();
            assert!(expected.len() > 5);

            let order = json!([{ "field": order, "direction": direction }]);
            let (mut found, mut after) = (Vec::new(), Value::Null);
            loop {
                let variables =
                    json!({ "order": order, "filter": filter, "after": after, "first": 7 });
                let page = register.data("ada", query, variables).await["datasets"].take();
                assert_eq!(page["totalCount"], expected.len(), "{filter}");
                found.extend(texts(&page["nodes"], "uri"));
                after = page["pageInfo"]["endCursor"].clone();
                if page["pageInfo"]["hasNextPage"] == false {
                    break;
                }
            }
            assert_eq!(found, expected, "{order} {filter}");
            let last = json!({ "order": order, "filter": filter, "last": 3 });
            let page = register.data("ada", query, last).await;
            let last = texts(&page["datasets"]["nodes"], "uri");
            assert_eq!(last, expected[expected.len() - 3..], "{order} {filter}");
        }
    }
}

async fn every_filter(lab: Lab) {
    let (register, infos) = some(lab, 40).await;
    let expect = async |filter: Value, admits: &dyn Fn(&Value) -> bool| {
        let admitted = infos.iter().filter(|info| admits(info));
        let mut expected: Vec<String> = admitted.map(|info| text(&info["uri"])).collect();
        expected.sort();
        assert_eq!(
            register.uris("ada", filter.clone()).await,
            expected,
            "{filter}"
        );
        expected.len()
    };
    let some = expect(json!({}), &|_| true).await;
    assert_eq!(some, 40);
    let (one, two) = (&infos[3]["uuid"], &infos[7]["uuid"]);
    expect(json!({ "uuids": [one] }), &|it| it["uuid"] == *one).await;
    let both = json!({ "uuids": [one, two, "none", "\0"] });
    expect(both, &|it| it["uuid"] == *one || it["uuid"] == *two).await;
    expect(json!({ "uuids": [] }), &|_| false).await;
    expect(json!({ "baseUris": [] }), &|_| false).await;
    expect(json!({ "baseUris": ["s3://none"] }), &|_| false).await;
    expect(json!({ "baseUris": ["s3://b"] }), &|it| {
        it["base_uri"] == "s3://b"
    })
    .await;
    let bases = json!({ "baseUris": ["s3://b", "s3://a", "s3://none"] });
    expect(bases, &|it| it["base_uri"] != "file://host/c").await;
    let of = json!({ "creatorUsernames": ["zoë-w"] });
    expect(of, &|it| it["creator_username"] == "zoë-w").await;
    let of = json!({ "creatorUsernames": ["b", "B", "ahuber"], "baseUris": ["s3://a"] });
    expect(of, &|it| {
        it["creator_username"] != "zoë-w" && it["base_uri"] == "s3://a"
    })
    .await;
    let has = |it: &Value, tag: &str| it["tags"].as_array().expect("tags").contains(&json!(tag));
    expect(json!({ "tags": ["x"] }), &|it| has(it, "x")).await;
    expect(json!({ "tags": ["x", "z", "x"] }), &|it| {
        has(it, "x") && has(it, "z")
    })
    .await;
    expect(json!({ "tags": [] }), &|_| true).await;
    expect(json!({ "tags": ["X"] }), &|_| false).await;

    let from = json!({ "createdAt": { "from": "1970-01-01T00:00:05.250000Z" } });
    expect(from, &|it| number(&it["created_at"]) >= 525).await;
    let before = json!({ "createdAt": { "before": "1970-01-01T00:00:05.250000Z" } });
    expect(before, &|it| number(&it["created_at"]) < 525).await;
    let during = json!({ "frozenAt": {
        "from": "1970-01-01T00:00:25Z", "before": "1970-01-01T00:00:30.000001Z",
    } });
    expect(during, &|it| {
        (2500..=3000).contains(&number(&it["frozen_at"]))
    })
    .await;
    let sizes = json!({ "sizeBytes": { "min": 1000.5, "max": 3000 } });
    expect(sizes, &|it| {
        (200_000..=300_000).contains(&number(&it["size_in_bytes"]))
    })
    .await;
    let small = json!({ "itemCount": { "max": 2000 } });
    expect(small, &|it| {
        (0..=200_000).contains(&number(&it["number_of_items"]))
    })
    .await;
    let known = json!({ "itemCount": { "min": -5 } });
    expect(known, &|it| number(&it["number_of_items"]) >= 0).await;
}

async fn sums_and_groups(lab: Lab) {
    let (register, infos) = some(lab, 30).await;
    // What is expected of the groups that a text of each dataset makes.
    let groups = |key: &dyn Fn(&Value) -> Vec<Value>| {
        let mut groups: Vec<(Value, i64, f64)> = Vec::new();
        for info in &infos {
            for key in key(info) {
                let size = info["size_in_bytes"].as_f64().unwrap_or_default();
                match groups.iter_mut().find(|(known, _, _)| *known == key) {
                    Some((_, count, sum)) => (*count, *sum) = (*count + 1, *sum + size),
                    None => groups.push((key, 1, size)),
                }
            }
        }
        // Null stands before all texts.
        groups.sort_by_key(|(key, count, _)| (-count, key.to_string().replace("null", " ")));
        let group = |(key, count, size)| json!({ "key": key, "count": count, "sizeBytes": size });
        groups.into_iter().map(group).collect::<Value>()
    };
    let query = "{ datasetSummary { count sizeBytes
        byCreator { key count sizeBytes } byBaseUri { key count sizeBytes } byTag { key count sizeBytes }
    } }";
    let summary = register.data("ada", query, json!({})).await["datasetSummary"].take();
    let all = groups(&|_| vec![json!(null)]);
    assert_eq!(summary["count"], all[0]["count"]);
    assert_eq!(summary["sizeBytes"], all[0]["sizeBytes"]);
    let by = |field: &'static str| move |it: &Value| vec![it[field].clone()];
    let tags = |it: &Value| it["tags"].as_array().expect("tags").clone();
    assert_eq!(summary["byCreator"], groups(&by("creator_username")));
    assert_eq!(summary["byBaseUri"], groups(&by("base_uri")));
    assert_eq!(summary["byTag"], groups(&tags));

    let query = "query($filter: DatasetFilter, $by: [String!]!) {
        datasetGroups(filter: $filter, by: $by) { key count sizeBytes }
    }";
    let variables = json!({ "by": ["name", "creatorUsername"] });
    let found = register.data("ada", query, variables).await["datasetGroups"].take();
    let both = |it: &Value| vec![json!([it["name"], it["creator_username"]])];
    assert_eq!(found, groups(&both));
    let variables = json!({ "by": ["dtoolcoreVersion"], "filter": { "tags": ["none"] } });
    let found = register.data("ada", query, variables).await["datasetGroups"].take();
    assert_eq!(found, json!([]));
    let variables = json!({ "by": ["hashFunction"] });
    let found = register.data("ada", query, variables).await["datasetGroups"].take();
    assert_eq!(found[0]["key"], json!([null]));
    assert_eq!(found[0]["count"], 30);
    let variables = json!({ "by": ["tags"] });
    let found = register.data("ada", query, variables).await["datasetGroups"].take();
    let each_or_null = |it: &Value| match it["tags"].as_array().expect("tags") {
        none if none.is_empty() => vec![json!([null])],
        tags => tags.iter().map(|tag| json!([tag])).collect(),
    };
    assert_eq!(found, groups(&each_or_null));
    let variables = json!({ "by": ["readme.description", "annotations.none"] });
    let found = register.data("ada", query, variables).await["datasetGroups"].take();
    let described = |it: &Value| {
        let readme = it["readme"].as_str().expect("a README");
        let description = readme.trim().rsplit(": ").next();
        vec![json!([description, null])]
    };
    assert_eq!(found, groups(&described));
    for by in [
        json!([]),
        json!(["nope"]),
        json!(["manifest.items"]),
        json!(["readme..x"]),
        json!(["name", "name"]),
        json!(["a.b"]),
    ] {
        let answer = register.ask("ada", query, json!({ "by": by })).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_INPUT",
            "{by}"
        );
    }
}

async fn what_makes_no_sense_is_refused(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    let query = "query($filter: DatasetFilter, $after: String, $first: Int) {
        datasets(filter: $filter, after: $after, first: $first) { nodes { uri } }
    }";
    let many: Vec<String> = (0..501).map(|number| number.to_string()).collect();
    for variables in [
        json!({ "first": 501 }),
        json!({ "after": "x" }),
        json!({ "filter": { "uuids": many } }),
        json!({ "filter": { "tags": many[..21] } }),
        json!({ "filter": { "createdAt": { "from": "yesterday" } } }),
        json!({ "filter": { "nope": 1 } }),
    ] {
        let answer = register.ask("ada", query, variables.clone()).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_INPUT",
            "{variables}"
        );
    }
}
