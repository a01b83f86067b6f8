//! Items, overlays, and the content of items.

use std::fs;

use serde_json::{Value, json};

use super::Register;
use super::fixture::{link, outside};
use super::folder::{BASE, Folder};
use crate::support::Lab;
use crate::support::client::{Address, code, get, header, http, json_of};

on_both_databases!(items_are_downloaded, overlays_have_pages);

const ITEM: &str = "47ddfe38b8c66c0f9d98b9d802f220c84b4b30d4";

impl Register {
    /// Where an item is sent.
    async fn url(&self, name: &str) -> String {
        let selection =
            format!("manifest {{ item(identifier: \"{ITEM}\") {{ relpath url signedUrl }} }}");
        let found = self.in_folder("ada", name, &selection).await;
        let item = &found["manifest"]["item"];
        assert_eq!(item["signedUrl"], Value::Null);
        item["url"].as_str().expect("a URL").to_owned()
    }

    async fn fetch(&self, who: &str, url: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let token = format!("Bearer {}", self.token(who));
        let headers = [&[("authorization", token.as_str())], headers].concat();
        get(&self.server, url, &headers).await
    }
}

async fn items_are_downloaded(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    let register = Register::open(lab, &["ada", "bob"]).await;
    register.index_folder();
    register.grant_folder("ada", true, false).await;
    register.grant_folder("bob", false, true).await;
    let url = register.url("a").await;
    assert!(url.starts_with("/files/datasets/"), "{url}");

    let whole = register.fetch("ada", &url, &[]).await;
    assert_eq!(whole.status(), 200);
    let headers = whole.headers().clone();
    let etag = header(&headers, "etag").to_owned();
    assert!(
        etag.starts_with("\"781e5e245d69b566979b86e28d23f2c7-"),
        "{etag}"
    );
    assert_eq!(header(&headers, "accept-ranges"), "bytes");
    assert_eq!(header(&headers, "content-length"), "10");
    assert_eq!(header(&headers, "content-type"), "application/octet-stream");
    assert_eq!(
        header(&headers, "content-disposition"),
        "attachment; filename*=UTF-8''a.txt"
    );
    assert_eq!(whole.text().await.expect("text"), "0123456789");
    let part = register
        .fetch("ada", &url, &[("range", "bytes=2-4"), ("if-range", &etag)])
        .await;
    assert_eq!(part.status(), 206);
    assert_eq!(header(part.headers(), "content-range"), "bytes 2-4/10");
    assert_eq!(part.text().await.expect("text"), "234");
    let known = register
        .fetch("ada", &url, &[("if-none-match", &etag)])
        .await;
    assert_eq!(known.status(), 304);
    let beyond = register.fetch("ada", &url, &[("range", "bytes=10-")]).await;
    assert_eq!(beyond.status(), 416);
    let head = http()
        .head(format!("http://{}{url}", register.server.address()))
        .bearer_auth(register.token("ada"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(head.status(), 200);
    assert_eq!(header(head.headers(), "content-length"), "10");

    // Who may not search there finds nothing, and nobody finds what is not there.
    let strange = url.replace(ITEM, "nothing");
    for (who, url) in [
        ("bob", url.as_str()),
        ("ada", &strange),
        ("ada", "/files/datasets/x/items/y"),
    ] {
        let answer = register.fetch(who, url, &[]).await;
        assert_eq!(answer.status(), 404, "{who} {url}");
    }
    let nobody = get(&register.server, &url, &[]).await;
    assert_eq!(nobody.status(), 401);

    // Who has a part of a file that was changed meanwhile gets all of it.
    folder.write("a/data/a.txt", "9876543210");
    let part = [("range", "bytes=2-4"), ("if-range", etag.as_str())];
    let changed = register.fetch("ada", &url, &part).await;
    assert_eq!(changed.status(), 200);
    assert_ne!(header(changed.headers(), "etag"), etag);

    // Another size is not what was frozen.
    folder.write("a/data/a.txt", "changed");
    let changed = register.fetch("ada", &url, &[]).await;
    assert_eq!(changed.status(), 502);
    let told = json_of(changed).await;
    assert_eq!(code(&told), "SOURCE_BROKEN");
    let message = told["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("it had 10 bytes, and has 7"), "{message}");

    // Links are not followed: of the file, of a folder on the way, of the dataset.
    let (_kept, secret) = outside("0123456789");
    let item = folder.path("a/data/a.txt");
    fs::remove_file(&item).expect("removed");
    link(&secret, &item);
    assert_eq!(register.fetch("ada", &url, &[]).await.status(), 404);
    fs::remove_file(&item).expect("removed");
    folder.write("elsewhere/a.txt", "0123456789");
    fs::remove_dir(folder.path("a/data")).expect("removed");
    link(&folder.path("elsewhere"), &folder.path("a/data"));
    assert_eq!(register.fetch("ada", &url, &[]).await.status(), 404);
    fs::rename(folder.path("a"), folder.path("moved")).expect("moved");
    link(&folder.path("moved"), &folder.path("a"));
    assert_eq!(register.fetch("ada", &url, &[]).await.status(), 404);

    // Of what somebody has told of, nothing can be sent.
    register.base_uri("s3://far", &[("ada", true, true)]).await;
    register
        .registered("ada", &super::info("s3://far", "x", 1))
        .await;
    let query = "{ dataset(uri: \"s3://far/x\") { signedUrls { manifest }
        manifest { items { nodes { url signedUrl } } } } }";
    let found = register.data("ada", query, json!({})).await;
    assert_eq!(found["dataset"]["signedUrls"], Value::Null);
    let url = found["dataset"]["manifest"]["items"]["nodes"][0]["url"]
        .as_str()
        .expect("a URL");
    let answer = register.fetch("ada", url, &[]).await;
    assert_eq!(answer.status(), 404);
}

async fn overlays_have_pages(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    for name in ["a", "b"] {
        folder.dataset(name);
        let values: serde_json::Map<String, Value> = (0..120)
            .map(|it| (format!("{it:03}"), json!({ "n": it, "of": name })))
            .collect();
        folder.write(
            &format!("{name}/.dtool/overlays/about.json"),
            json!(values).to_string(),
        );
        folder.write(
            &format!("{name}/.dtool/overlays/more.json"),
            json!({ "x": null }).to_string(),
        );
    }
    let register = Register::open(lab, &["ada"]).await;
    register.index_folder();
    register.grant_folder("ada", true, false).await;
    let selection = "overlays { name values(first: 2, after: null) {
        totalCount pageInfo { hasNextPage endCursor } nodes { identifier value }
    } }";
    let found = register.in_folder("ada", "a", selection).await;
    let overlays = &found["overlays"];
    assert_eq!(overlays[0]["name"], "about");
    assert_eq!(overlays[0]["values"]["totalCount"], 120);
    assert_eq!(
        overlays[0]["values"]["nodes"],
        json!([
            { "identifier": "000", "value": { "n": 0, "of": "a" } },
            { "identifier": "001", "value": { "n": 1, "of": "a" } },
        ])
    );
    let more = json!([{ "identifier": "x", "value": null }]);
    assert_eq!(overlays[1]["values"]["nodes"], more);
    let cursor = overlays[0]["values"]["pageInfo"]["endCursor"]
        .as_str()
        .expect("a cursor");
    let selection = format!(
        "overlays {{ values(first: 1, after: \"{cursor}\") {{ nodes {{ identifier }} }} }}"
    );
    let found = register.in_folder("ada", "a", &selection).await;
    assert_eq!(
        found["overlays"][0]["values"]["nodes"],
        json!([{ "identifier": "002" }])
    );

    // Those of all datasets of a page come together.
    let query = "{ datasets { nodes { overlays { name values(identifiers: [\"007\", \"x\"]) {
        nodes { identifier value }
    } } } } }";
    let found = register.data("ada", query, json!({})).await;
    for (place, name) in ["a", "b"].into_iter().enumerate() {
        let overlays = &found["datasets"]["nodes"][place]["overlays"];
        let seven = json!([{ "identifier": "007", "value": { "n": 7, "of": name } }]);
        assert_eq!(overlays[0]["values"]["nodes"], seven);
        assert_eq!(overlays[1]["values"]["nodes"], more);
    }
    assert!(BASE.starts_with("file://"));
}
