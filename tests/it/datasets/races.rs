//! Commands that meet: what comes out is what one after the other would have made.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::folder::{BASE, Folder};
use super::{Register, info, kind_and_uri, texts};
use crate::support::{Lab, Socket};

on_both_databases!(
    registrations_of_one_uri_by_two_servers,
    registrations_and_deletions,
    registrations_while_the_folder_is_read,
);

/// A dataset each part of which says the same number.
fn numbered(base: &str, name: &str, number: u64) -> Value {
    let mut sent = info(base, name, number);
    sent["tags"] = json!([format!("t{number}")]);
    sent["readme"] = json!(format!("number: {number}\n"));
    sent["annotations"] =
        json!({ "number": number, "source_dataset_uuid": super::uuid(number + 1) });
    let items: serde_json::Map<String, Value> = (0..=number % 3)
        .map(|it| {
            let item = json!({ "hash": "x", "relpath": format!("{number}-{it}"), "size_in_bytes": 1, "utc_timestamp": 1 });
            (format!("i{it}"), item)
        })
        .collect();
    sent["manifest"]["items"] = Value::Object(items);
    sent
}

const WHOLE: &str =
    "query($filter: DatasetFilter) { datasets(filter: $filter, first: 500) { totalCount nodes {
    uri uuid tags annotations readme { content } derivedFrom { uuid }
    manifest { items { totalCount nodes { relpath } } }
} } baseUris { nodes { uri datasetCount } } datasetSummary { count byTag { key count } } }";

/// Each dataset is one that somebody registered, in all its parts, and what is counted is what is there.
async fn whole(register: &Register) -> Vec<String> {
    let data = register.data("ada", WHOLE, json!({ "filter": {} })).await;
    let nodes = data["datasets"]["nodes"].as_array().expect("nodes");
    for node in nodes {
        let number = node["annotations"]["number"].as_u64().expect("a number");
        assert_eq!(node["uuid"], json!(super::uuid(number)), "{node}");
        assert_eq!(node["tags"], json!([format!("t{number}")]));
        assert_eq!(node["readme"]["content"], json!({ "number": number }));
        assert_eq!(
            node["derivedFrom"],
            json!([{ "uuid": super::uuid(number + 1) }])
        );
        let items = &node["manifest"]["items"];
        assert_eq!(items["totalCount"], number % 3 + 1);
        for path in texts(&items["nodes"], "relpath") {
            assert!(path.starts_with(&format!("{number}-")), "{node}");
        }
        // It is found by what it says, and by nothing that was there before.
        let mongo = json!({ "mongo": { "readme.number": number, "uri": node["uri"] } });
        assert_eq!(register.uris("ada", mongo).await.len(), 1);
    }
    let count = data["datasets"]["totalCount"].clone();
    assert_eq!(count, nodes.len());
    let counted = data["baseUris"]["nodes"].as_array().expect("base URIs");
    let sum: i64 = counted
        .iter()
        .map(|it| it["datasetCount"].as_i64().expect("a count"))
        .sum();
    assert_eq!(count, sum);
    assert_eq!(count, data["datasetSummary"]["count"]);
    let tags = data["datasetSummary"]["byTag"].as_array().expect("tags");
    let tags: i64 = tags
        .iter()
        .map(|it| it["count"].as_i64().expect("a count"))
        .sum();
    assert_eq!(count, tags);
    texts(&data["datasets"]["nodes"], "uri")
}

/// The changes from the beginning on, up to the first of this dataset.
async fn told(register: &Register, last: &str) -> Vec<(String, String)> {
    let mut socket = Socket::signed_in(&register.server, register.token("ada")).await;
    let query = "subscription { datasetUpdates(after: \"beginning\") { kind dataset { uri } } }";
    socket.subscribe("1", query).await;
    let mut told = Vec::new();
    loop {
        let heard = socket.hear().await;
        let (kind, uri) = kind_and_uri(&heard);
        if uri == last {
            return told;
        }
        told.push((kind, uri));
    }
}

async fn registrations_of_one_uri_by_two_servers(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    let log = register.lab.path("second.log");
    let command = register.lab.command(["serve", "--listen", "127.0.0.1:0"]);
    let second = crate::support::Server::start(command, &log).await;
    let second = second.signed_in(register.token("ada"));
    let query = "mutation($info: JSON!) { registerDataset(input: { info: $info }) { created errors { message } } }";
    let both = join_all((0..12).map(async |number| {
        let sent = numbered("s3://a", "x", number);
        let answer = if number % 2 == 0 {
            register.data("ada", query, json!({ "info": sent })).await
        } else {
            second.data(query, json!({ "info": sent })).await
        };
        answer["registerDataset"].clone()
    }));
    let answers = both.await;
    assert!(
        answers.iter().all(|it| it["errors"] == json!([])),
        "{answers:?}"
    );
    let created = answers.iter().filter(|it| it["created"] == true).count();
    assert_eq!(created, 1, "{answers:?}");
    assert_eq!(whole(&register).await, ["s3://a/x"]);
    register
        .registered("ada", &numbered("s3://a", "last", 1))
        .await;
    let told = told(&register, "s3://a/last").await;
    assert_eq!((told.len(), told[0].0.as_str()), (12, "REGISTERED"));
    assert!(
        told[1..].iter().all(|(kind, _)| kind == "UPDATED"),
        "{told:?}"
    );
}

async fn registrations_and_deletions(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    for round in 0..6 {
        let all = join_all((0..8).map(async |number| {
            if number % 2 == 0 {
                let answer = register
                    .register("ada", &numbered("s3://a", "x", round * 8 + number))
                    .await;
                assert_eq!(answer["errors"], json!([]));
            } else {
                let answer = register.delete("ada", "s3://a/x").await;
                assert_eq!(answer["errors"], json!([]));
            }
        }));
        all.await;
        assert!(whole(&register).await.len() <= 1);
    }
    let left = whole(&register).await;
    register
        .registered("ada", &numbered("s3://a", "last", 1))
        .await;
    // The log tells a story that holds together, and ends with what is there.
    let mut is_there = false;
    for (kind, uri) in told(&register, "s3://a/last").await {
        assert_eq!(uri, "s3://a/x");
        assert_eq!(kind == "REGISTERED", !is_there, "{kind}");
        is_there = kind != "DELETED";
    }
    assert_eq!(is_there, !left.is_empty());
}

async fn registrations_while_the_folder_is_read(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    for number in 0..6 {
        folder.dataset(&format!("n{number}"));
    }
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    let index = "mutation($uri: String!) { indexBaseUri(input: { uri: $uri }) {
        finished unchanged errors { code message } problems { source message } } }";
    let read =
        async || register.data("ada", index, json!({ "uri": BASE })).await["indexBaseUri"].take();
    for round in 0..3_u64 {
        let reading = async {
            let report = read().await;
            assert_eq!(
                (&report["errors"], &report["problems"]),
                (&json!([]), &json!([])),
                "{report}"
            );
        };
        let others = join_all((0..12).map(async |number| {
            let name = format!("n{}", number % 8);
            if number % 4 == 3 {
                register.delete("ada", &format!("{BASE}/{name}")).await;
            } else {
                let sent = numbered(BASE, &name, round * 12 + number);
                register.registered("ada", &sent).await;
            }
        }));
        let ((), _) = tokio::join!(reading, others);
        let data = register.data("ada", WHOLE, json!({ "filter": {} })).await;
        let count = &data["datasets"]["totalCount"];
        assert_eq!(count, &data["baseUris"]["nodes"][0]["datasetCount"]);
    }
    // In the end the folder is what counts.
    let report = read().await;
    assert_eq!(report["finished"], true, "{report}");
    let uris: Vec<String> = (0..6).map(|it| format!("{BASE}/n{it}")).collect();
    assert_eq!(register.uris("ada", json!({})).await, uris);
    assert_eq!(read().await["unchanged"], 6);
    // Two readings at once: one of them says that the other is under way, or comes after it.
    let (one, other) = tokio::join!(read(), read());
    for report in [one, other] {
        let error = &report["errors"][0]["code"];
        assert!(error.is_null() || error == "CONFLICT", "{report}");
    }
}
