//! What is odd in buckets, against a server that speaks S3.

use std::ffi::OsStr;

use serde_json::{Value, json};

use super::Register;
use super::dtool::{self, BUCKET, S3};
use crate::statements::cost;
use crate::support::Lab;
use crate::support::client::{Address, header, http};

/// Puts objects into the bucket, or deletes them.
const OBJECTS: &str = "
import json, sys
import boto3
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1',
                  aws_access_key_id='key', aws_secret_access_key='secret')
for key in sys.argv[3:]:
    if sys.argv[2] == 'put':
        s3.put_object(Bucket='lab', Key=key, Body=b'')
    else:
        s3.delete_object(Bucket='lab', Key=key)
json.dump([], sys.stdout)
";

fn objects(python: &std::ffi::OsString, server: &S3, what: &str, keys: &[&str]) {
    let mut arguments: Vec<&OsStr> = vec!["-c".as_ref(), OBJECTS.as_ref()];
    arguments.extend([server.endpoint.as_ref(), OsStr::new(what)]);
    arguments.extend(keys.iter().map(OsStr::new));
    dtool::run(python, &arguments, Some(&server.endpoint), "");
}

#[tokio::test]
async fn odd_keys_and_deleted_datasets() {
    let Some(python) = dtool::python() else {
        return;
    };
    let server = S3::start(&python);
    let base = format!("s3://{BUCKET}");
    let mut told = dtool::make(&python, &base, Some(&server.endpoint), "");
    told.retain(|dataset| dataset.get("manifest").is_some());
    let items = |dataset: &Value| {
        dataset["manifest"]["items"]
            .as_object()
            .map_or(0, serde_json::Map::len)
    };
    let with_items = told.iter().find(|dataset| items(dataset) > 0);
    let with_items = with_items.expect("a dataset with items");
    let uri = with_items["uri"].as_str().expect("a URI");
    let (_, name) = uri.rsplit_once('/').expect("a name");
    let mut lab = Lab::sqlite();
    let buckets = format!(
        r#"{{{BUCKET}={{endpoint="{}",access_key_id="key",secret_access_key="secret"}}}}"#,
        server.endpoint
    );
    lab.set("LABQL_DATASETS__BUCKETS", buckets);
    let mut register = Register::open(lab, &["ada"]).await;

    // A key with an empty part, and what other programs make to show a folder.
    let (marker, tags) = (format!("{name}/"), format!("{name}/tags/"));
    objects(&python, &server, "put", &["dtool-x//y", &marker, &tags]);
    let index = |register: &Register| -> Value {
        let done = register.lab.done(&["index", &base, "--json"]);
        serde_json::from_str(&done).expect("JSON")
    };
    let report = index(&register);
    assert_eq!(report["complete"], true, "{report}");
    assert_eq!(report["registered"], told.len());
    assert_eq!(report["problems"], json!([]));
    register.grant("ada", &base, true, true).await;
    let query = "query($uri: String!) { dataset(uri: $uri) { tags manifest { items(first: 1) { nodes { url relpath } } } } }";
    let seen = register.data("ada", query, json!({ "uri": uri })).await;
    assert_eq!(seen["dataset"]["tags"], with_items["tags"]);

    // A client that asks for the headers alone is led to where it gets them.
    let item = &seen["dataset"]["manifest"]["items"]["nodes"][0];
    let client = crate::support::client::http_builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let asked = client
        .head(register.server.url(item["url"].as_str().expect("a URL")))
        .bearer_auth(register.token("ada"));
    let answer = asked.send().await.expect("an answer");
    assert_eq!(answer.status(), 307);
    let location = header(answer.headers(), "location").to_owned();
    let answer = http().head(&location).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);

    // URLs of all datasets of a page: the page, and the names of their overlays.
    let token = register.token("ada").to_owned();
    register.server = register.server.signed_in(&token);
    let query = "{ datasets { nodes { uri signedUrls { manifest overlays { name } } } } }";
    let (statements, signed) = cost(&register.server, &json!({ "query": query })).await;
    assert_eq!(statements, 2);
    let nodes = signed["datasets"]["nodes"].as_array().expect("datasets");
    assert_eq!(nodes.len(), told.len());
    for node in nodes {
        let (_, name) = node["uri"]
            .as_str()
            .expect("a URI")
            .rsplit_once('/')
            .expect("a name");
        let url = node["signedUrls"]["manifest"].as_str().expect("a URL");
        assert!(url.contains(&format!("{name}/manifest.json?")), "{url}");
    }

    // What says who and what it is has gone: dtool finds no dataset any more.
    let admin = format!("{name}/dtool");
    objects(&python, &server, "delete", &[&admin]);
    let report = index(&register);
    assert_eq!(
        (&report["removed"], &report["problems"]),
        (&json!(1), &json!([]))
    );
    assert_eq!(register.uris("ada", json!({})).await.len(), told.len() - 1);
}
