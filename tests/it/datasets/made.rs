//! Datasets that dtool itself makes, through labql's API, as far as dtool tells of them: in a folder that is indexed, and in a
//! bucket that tells of its changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::bucket::{BASE, Bucket};
use super::dtool::{self, S3};
use super::expected::micros;
use super::updates::heard;
use super::{Register, texts};
use crate::support::Lab;
use crate::support::client::{Address, get, header, http};

on_both_databases!(
    a_folder_is_what_dtool_says,
    a_bucket_tells_and_is_what_dtool_says,
);

const SECRET: &str = "a-secret-of-the-storage";

const INDEX: &str = "mutation($uri: String!) { indexBaseUri(input: { uri: $uri }) {
    registered updated unchanged removed finished problems { source message } errors { message }
} }";

const WHOLE: &str = "query($uri: String!) { dataset(uri: $uri) {
    uri baseUri uuid name creatorUsername createdAt frozenAt dtoolcoreVersion tags annotations itemCount sizeBytes
    readme { text content problem }
    manifest { hashFunction dtoolcoreVersion items(first: 500) {
        totalCount nodes { identifier relpath hash sizeBytes modifiedAt url signedUrl }
    } }
    overlays { name values(first: 500) { nodes { identifier value } } }
    derivedFrom { uuid keys dataset { uri } }
    derivatives { uri }
} }";

impl Register {
    async fn index_by_api(&self, uri: &str) -> Value {
        let mut data = self.data("ada", INDEX, json!({ "uri": uri })).await;
        let report = data["indexBaseUri"].take();
        assert_eq!(
            (&report["errors"], &report["problems"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(report["finished"], true);
        report
    }

    async fn whole(&self, uri: &str) -> Value {
        let mut data = self.data("ada", WHOLE, json!({ "uri": uri })).await;
        data["dataset"].take()
    }

    async fn fetched(&self, url: &Value) -> reqwest::Response {
        let token = format!("Bearer {}", self.token("ada"));
        let url = url.as_str().expect("a URL");
        get(&self.server, url, &[("authorization", token.as_str())]).await
    }
}

/// Compares every field of what labql answers with what dtool tells.
fn compare(shown: &Value, told: &Value, base: &str) {
    let admin = &told["admin_metadata"];
    let name = told["uri"].as_str().and_then(|uri| uri.rsplit('/').next());
    let uri = format!("{base}/{}", name.expect("a name"));
    assert_eq!(
        (&shown["uri"], &shown["baseUri"]),
        (&json!(uri), &json!(base))
    );
    for (ours, theirs) in [
        ("uuid", "uuid"),
        ("name", "name"),
        ("creatorUsername", "creator_username"),
        ("dtoolcoreVersion", "dtoolcore_version"),
    ] {
        assert_eq!(shown[ours], admin[theirs], "{uri}: {ours}");
    }
    assert_eq!(
        moment(&shown["createdAt"]),
        micros(&admin["created_at"]),
        "{uri}"
    );
    assert_eq!(
        moment(&shown["frozenAt"]),
        micros(&admin["frozen_at"]),
        "{uri}"
    );
    assert_eq!(shown["readme"]["text"], told["readme"], "{uri}");
    assert_eq!(shown["readme"]["problem"], Value::Null, "{uri}");
    assert_eq!(shown["tags"], told["tags"], "{uri}");
    assert_eq!(shown["annotations"], told["annotations"], "{uri}");

    let manifest = &told["manifest"];
    assert_eq!(
        shown["manifest"]["hashFunction"], manifest["hash_function"],
        "{uri}"
    );
    assert_eq!(
        shown["manifest"]["dtoolcoreVersion"],
        manifest["dtoolcore_version"]
    );
    let items = manifest["items"].as_object().expect("items");
    let sizes = items.values().map(|item| item["size_in_bytes"].as_f64());
    assert_eq!(shown["itemCount"], items.len(), "{uri}");
    assert_eq!(shown["sizeBytes"].as_f64(), sizes.sum(), "{uri}");
    let nodes = list(&shown["manifest"]["items"]["nodes"]);
    let identifiers = texts(&shown["manifest"]["items"]["nodes"], "identifier");
    assert_eq!(json!(identifiers), told["identifiers"], "{uri}");
    for (item, identifier) in nodes.iter().zip(&identifiers) {
        let theirs = &items[identifier];
        assert_eq!(item["relpath"], theirs["relpath"], "{uri}");
        assert_eq!(item["hash"], theirs["hash"], "{uri}");
        assert_eq!(item["sizeBytes"].as_f64(), theirs["size_in_bytes"].as_f64());
        assert_eq!(
            moment(&item["modifiedAt"]),
            micros(&theirs["utc_timestamp"])
        );
    }

    let overlays = list(&shown["overlays"]).iter().map(|overlay| {
        let values = list(&overlay["values"]["nodes"]).iter();
        let value = |it: &Value| (text(&it["identifier"]), it["value"].clone());
        let values: Map<String, Value> = values.map(value).collect();
        (text(&overlay["name"]), Value::Object(values))
    });
    let overlays: Map<String, Value> = overlays.collect();
    assert_eq!(Value::Object(overlays), told["overlays"], "{uri}");
}

/// Compares all frozen datasets of a base URI, and what hangs together.
async fn agree(register: &Register, told: &[Value], base: &str) -> BTreeMap<String, Value> {
    let frozen = told.iter().filter(|told| told.get("manifest").is_some());
    let mut shown = BTreeMap::new();
    for told in frozen {
        let name = told["uri"].as_str().and_then(|uri| uri.rsplit('/').next());
        let uri = format!("{base}/{}", name.expect("a name"));
        let dataset = register.whole(&uri).await;
        compare(&dataset, told, base);
        shown.insert(text(&dataset["name"]), dataset);
    }
    let uris: BTreeSet<String> = register.uris("ada", json!({})).await.into_iter().collect();
    assert!(shown.values().all(|it| uris.contains(&text(&it["uri"]))));
    assert_eq!(uris.len(), shown.len());
    let (source, derived) = (&shown["from-the-library"], &shown["derived"]);
    let parents = json!([{
        "uuid": source["uuid"],
        "keys": ["annotations.source_dataset_uuid", "readme.derived_from.uuid"],
        "dataset": { "uri": source["uri"] },
    }]);
    assert_eq!(derived["derivedFrom"], parents);
    assert_eq!(source["derivatives"], json!([{ "uri": derived["uri"] }]));
    shown
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn moment(value: &Value) -> Option<i64> {
    let moment = DateTime::parse_from_rfc3339(value.as_str()?).expect("a time");
    Some(moment.timestamp_micros())
}

async fn a_folder_is_what_dtool_says(mut lab: Lab) {
    let Some(python) = dtool::python() else {
        return;
    };
    let folder = lab.path("dtool");
    std::fs::create_dir(&folder).expect("a folder");
    let folder = folder.canonicalize().expect("a path");
    let base = format!("file://storage.example.org{}", folder.display());
    lab.set("LABQL_DATASETS__FOLDERS", format!("[{{uri=\"{base}\"}}]"));
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(&base, &[("ada", true, true)]).await;
    let told = dtool::make(&python, &base, None, "");
    assert_eq!(told.len(), 4);
    let report = register.index_by_api(&base).await;
    // What is not frozen yet is none.
    assert_eq!(report["registered"], 3);
    let shown = agree(&register, &told, &base).await;
    let by_hand = &shown["from-the-command-line"];
    assert_eq!(
        by_hand["readme"]["content"],
        json!({ "project": "Tests", "started": "2024-02-29" })
    );
    assert_eq!(by_hand["tags"], json!(["late", "measured"]));
    for item in list(&shown["from-the-library"]["manifest"]["items"]["nodes"]) {
        let answer = register.fetched(&item["url"]).await;
        let etag = header(answer.headers(), "etag");
        let begin = format!("\"{}-", text(&item["hash"]));
        assert!(etag.starts_with(&begin), "{etag}");
        assert_eq!(answer.text().await.expect("text"), text(&item["relpath"]));
    }
    assert_eq!(register.index_by_api(&base).await["unchanged"], 3);
}

/// A topic that tells labql of the bucket, which is in the URL with its secret.
const SUBSCRIBE: &str = r"
import json, sys
import boto3
endpoint, bucket, hook = sys.argv[1:]
access = dict(endpoint_url=endpoint, region_name='us-east-1', aws_access_key_id='key', aws_secret_access_key='secret')
topics, storage = boto3.client('sns', **access), boto3.client('s3', **access)
topic = topics.create_topic(Name='datasets')['TopicArn']
topics.subscribe(TopicArn=topic, Protocol='http', Endpoint=hook)
told = {'TopicArn': topic, 'Events': ['s3:ObjectCreated:*', 's3:ObjectRemoved:*']}
storage.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={'TopicConfigurations': [told]})
print('[]')
";

/// Changes a dataset with dtool; the dataset itself is printed anew.
const CHANGE: &str = r"
import json, sys, warnings
warnings.filterwarnings('ignore')
import dtoolcore
it = dtoolcore.DataSet.from_uri(sys.argv[1])
it.put_tag('late')
it.put_annotation('late', {'a': [1, None]})
json.dump([sorted(it.list_tags()), it.get_annotation('late')], sys.stdout)
";

/// Deletes all objects of a dataset.
const DELETE: &str = r"
import json, sys
import boto3
endpoint, bucket, uuid = sys.argv[1:]
access = dict(endpoint_url=endpoint, region_name='us-east-1', aws_access_key_id='key', aws_secret_access_key='secret')
storage = boto3.client('s3', **access)
for prefix in ['dtool-' + uuid, uuid + '/']:
    for it in storage.list_objects_v2(Bucket=bucket, Prefix=prefix).get('Contents', []):
        storage.delete_object(Bucket=bucket, Key=it['Key'])
print('[]')
";

async fn a_bucket_tells_and_is_what_dtool_says(mut lab: Lab) {
    let Some(python) = dtool::python() else {
        return;
    };
    lab.set("LABQL_DATASETS__WEBHOOK__SECRET", SECRET);
    let bucket = Bucket::of(&mut lab, S3::start(&python)).await;
    let endpoint = bucket.server.endpoint.clone();
    let register = Register::working(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    assert_eq!(register.index_by_api(BASE).await["registered"], 0);
    // A client that is away misses nothing: what is told while Python runs is heard afterwards.
    let since = async |cursor: &Value| register.listen("ada", json!({ "after": cursor })).await;
    let run = |script: &str, arguments: &[&str]| {
        let mut all = vec!["-c".as_ref(), script.as_ref()];
        all.extend(arguments.iter().map(std::ffi::OsStr::new));
        dtool::run(&python, &all, Some(&endpoint), "")
    };
    let hook = format!(
        "http://storage:{SECRET}@{}/hooks/datasets/s3",
        register.server.address()
    );
    run(SUBSCRIBE, &[&endpoint, dtool::BUCKET, &hook]);

    let cursor = register.cursor().await;
    let told = dtool::make(&python, BASE, Some(&endpoint), "");
    let mut socket = since(&cursor).await;
    let mut registered = BTreeSet::new();
    while registered.len() < 2 {
        let (kind, uri) = heard(&mut socket).await;
        if kind == "REGISTERED" {
            registered.insert(uri);
        }
    }
    // Nothing is left for an index.
    let report = register.index_by_api(BASE).await;
    assert_eq!(
        (&report["registered"], &report["removed"]),
        (&json!(0), &json!(0))
    );
    let shown = agree(&register, &told, BASE).await;
    let source = &shown["from-the-library"];
    for item in list(&source["manifest"]["items"]["nodes"]) {
        let content = async |url: &str| {
            let answer = http().get(url).send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            answer.bytes().await.expect("bytes")
        };
        let signed = content(item["signedUrl"].as_str().expect("a URL")).await;
        assert_eq!(signed, text(&item["relpath"]));
        let led = register.fetched(&item["url"]).await;
        assert_eq!(led.status(), 307);
        assert_eq!(content(header(led.headers(), "location")).await, signed);
    }

    let cursor = register.cursor().await;
    let changed = run(CHANGE, &[source["uri"].as_str().expect("a URI")]);
    let mut socket = since(&cursor).await;
    let late = loop {
        let (kind, uri) = heard(&mut socket).await;
        if json!(uri) != source["uri"] {
            continue;
        }
        assert_eq!(kind, "UPDATED");
        let now = register.whole(&uri).await;
        if now["annotations"].get("late").is_some() {
            break now;
        }
    };
    assert_eq!(late["tags"], changed[0]);
    assert_eq!(late["annotations"]["late"], changed[1]);
    assert_eq!(register.index_by_api(BASE).await["unchanged"], 2);

    let derived = &shown["derived"];
    let cursor = register.cursor().await;
    run(
        DELETE,
        &[
            &endpoint,
            dtool::BUCKET,
            derived["uuid"].as_str().expect("a UUID"),
        ],
    );
    let mut socket = since(&cursor).await;
    loop {
        let (kind, uri) = heard(&mut socket).await;
        if kind == "DELETED" {
            assert_eq!(json!(uri), derived["uri"]);
            break;
        }
    }
    assert_eq!(register.whole(&text(&derived["uri"])).await, Value::Null);
    let report = register.index_by_api(BASE).await;
    assert_eq!(
        (&report["unchanged"], &report["removed"]),
        (&json!(1), &json!(0))
    );
}
