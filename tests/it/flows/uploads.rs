//! Files that people bring: streamed, counted and hashed, for those of the group, and gone when something went wrong.

use futures_util::future::{join, join_all};
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::caller::{Caller, run_input};
use super::draft::Draft;
use super::lab::Site;
use super::processes::until;
use super::workflows::files_below;
use crate::support::Lab;
use crate::support::client::{Address as _, code, header, json_of};

on_both_databases!(
    what_was_brought_comes_back,
    too_much_is_refused,
    what_breaks_off_leaves_nothing,
    only_those_of_the_group_bring_and_fetch,
    what_is_no_upload_is_refused,
    runs_are_given_what_was_brought,
    what_is_deleted_is_gone,
    what_is_given_may_be_deleted_at_that_moment,
    ones_own_are_listed,
);

async fn what_was_brought_comes_back(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Uploads", "true")).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let mut brought = Vec::new();
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for (name, content) in [
        ("a.txt", b"some text".to_vec()),
        ("empty", Vec::new()),
        ("a.txt", b"the same name again".to_vec()),
        ("large.bin", large),
    ] {
        let told = ann.upload(&group, name, content.clone()).await;
        let checksum = hex::encode(Sha256::digest(&content));
        assert_eq!(
            (&told["name"], &told["checksum"]),
            (&json!(name), &json!(checksum))
        );
        assert_eq!(
            told["sizeBytes"].as_f64(),
            Some(f64::from(u32::try_from(content.len()).expect("a size")))
        );
        let query = "query($id: ID!) { upload(id: $id) {
            id name sizeBytes checksum mediaType url createdBy { username } group { id }
        } }";
        let data = ann.data(query, json!({ "id": told["id"] })).await;
        let upload = &data["upload"];
        assert_eq!(
            (&upload["checksum"], &upload["createdBy"]["username"]),
            (&told["checksum"], &json!("ann"))
        );
        assert_eq!(upload["group"]["id"], json!(group));
        let url = upload["url"].as_str().expect("a URL");
        assert_eq!(ann.bytes(url).await, content);
        let etag = format!("\"{checksum}\"");
        assert_eq!(
            ann.get(url, &[("if-none-match", &etag)]).await.status(),
            304
        );
        brought.push(told["id"].clone());
    }
    let part = ann
        .data(
            "query($id: ID!) { upload(id: $id) { url } }",
            json!({ "id": brought[0] }),
        )
        .await;
    let url = part["upload"]["url"].as_str().expect("a URL");
    let part = ann.get(url, &[("range", "bytes=5-")]).await;
    assert_eq!(
        (part.status().as_u16(), part.text().await.expect("text")),
        (206, "text".to_owned())
    );
    let query = "query($id: ID!) { group(id: $id) { uploads { totalCount nodes { id } } } }";
    let data = ann.data(query, json!({ "id": group })).await;
    let uploads = &data["group"]["uploads"];
    assert_eq!(uploads["totalCount"], 4);
    brought.reverse();
    let ids = uploads["nodes"]
        .as_array()
        .expect("uploads")
        .iter()
        .map(|it| it["id"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), brought);
    // A name is only shown.
    let told = ann
        .upload(&group, "%C3%BCn%C3%AFc%C3%B6d%C3%A9%20%25.txt", "x")
        .await;
    assert_eq!(told["name"], "ünïcödé %.txt");
    let path = format!("/files/uploads?group={group}&name=..%2F..%2Fescaped");
    assert_eq!(status(&ann, &path, "x").await.0, 400);
}

/// How many files there are of uploads, finished and not.
fn kept(site: &Site) -> usize {
    files_below(&site.folder("uploads")) + files_below(&site.folder("drafts"))
}

async fn status(caller: &Caller, path: &str, body: impl Into<Body>) -> (u16, String) {
    let response = caller.send(Method::POST, path, body).await;
    let status = response.status().as_u16();
    let code = match status {
        201 => String::new(),
        _ => code(&json_of(response).await).to_owned(),
    };
    (status, code)
}

async fn too_much_is_refused(mut lab: Lab) {
    lab.set("LABQL_FLOWS__FILES__UPLOAD_MIB", "1");
    lab.set("LABQL_FLOWS__FILES__GROUP_MIB", "2");
    lab.set("LABQL_FLOWS__FILES__GROUP_UPLOADS", "4");
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Uploads", "true")).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let path = format!("/files/uploads?group={group}&name=f");
    let mib = vec![7; 1 << 20];
    let more = vec![7; (1 << 20) + 1];
    assert_eq!(
        status(&ann, &path, more.clone()).await,
        (413, "TOO_COMPLEX".to_owned())
    );
    // Nobody says beforehand how much it will be.
    let pieces = || {
        stream::iter(
            more.chunks(10_000)
                .map(|it| Ok::<_, std::io::Error>(it.to_vec()))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        status(&ann, &path, Body::wrap_stream(pieces())).await.0,
        413
    );
    assert_eq!(kept(&site), 0);
    assert_eq!(status(&ann, &path, mib.clone()).await.0, 201);
    assert_eq!(status(&ann, &path, mib.clone()).await.0, 201);
    // The group has all that it may have.
    let (refused, _) = status(&ann, &path, "x").await;
    assert!(matches!(refused, 409 | 413 | 429), "{refused}");
    // What another group has does not count.
    let other = ann.group(&workflow, "other", &[]).await;
    let path = format!("/files/uploads?group={other}&name=f");
    for _ in 0..4 {
        assert_eq!(status(&ann, &path, "x").await.0, 201);
    }
    let (refused, _) = status(&ann, &path, "x").await;
    assert!(matches!(refused, 409 | 413 | 429), "{refused}");
    assert_eq!(kept(&site), 6);
}

async fn what_breaks_off_leaves_nothing(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Uploads", "true")).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    for sent in [0, 10, 100_000] {
        let mut stream = TcpStream::connect(ann.address()).await.expect("a server");
        let head = format!(
            "POST /files/uploads?group={group}&name=f HTTP/1.1\r\nhost: labql\r\nauthorization: Bearer {}\r\ncontent-length: 1000000\r\n\r\n",
            site.token("ann"),
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(&vec![7; sent]).await.expect("sent");
        stream.flush().await.expect("sent");
        if sent > 0 {
            until(|| (files_below(&site.folder("drafts")) > 0).then_some(())).await;
        }
        drop(stream);
        until(|| (kept(&site) == 0).then_some(())).await;
    }
    // A server that is killed meanwhile leaves something, which is nobody's upload.
    let mut stream = TcpStream::connect(ann.address()).await.expect("a server");
    let head = format!(
        "POST /files/uploads?group={group}&name=f HTTP/1.1\r\nhost: labql\r\nauthorization: Bearer {}\r\ncontent-length: 1000000\r\n\r\nsome",
        site.token("ann"),
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    until(|| (files_below(&site.folder("drafts")) > 0).then_some(())).await;
    let site = site.crashed().await;
    let query = "query($id: ID!) { group(id: $id) { uploads { totalCount } } }";
    let data = site.who("ann").data(query, json!({ "id": group })).await;
    assert_eq!(data["group"]["uploads"]["totalCount"], 0);
    assert_eq!(files_below(&site.folder("uploads")), 0);
}

async fn only_those_of_the_group_bring_and_fetch(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben", "eve"]).await;
    let workflow = site.workflow(&Draft::of("Uploads", "true")).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[("ben", "VIEWER")]).await;
    let path = format!("/files/uploads?group={group}&name=f");
    let upload = ann.upload(&group, "f", "secret").await;
    let data = ann
        .data(
            "query($id: ID!) { upload(id: $id) { url } }",
            json!({ "id": upload["id"] }),
        )
        .await;
    let url = data["upload"]["url"].as_str().expect("a URL");
    for (caller, brings, fetches) in [
        (site.nobody(), 401, 401),
        (site.who("eve"), 404, 404),
        (site.who("ben"), 404, 200),
        (site.who("ann"), 201, 200),
        (site.admin(), 201, 200),
    ] {
        assert_eq!(status(&caller, &path, "x").await.0, brings);
        assert_eq!(caller.get(url, &[]).await.status(), fetches);
    }
    // One's own file is for nobody else but administrators.
    let response = ann
        .send(Method::POST, "/files/uploads?name=own", "own")
        .await;
    let location = header(response.headers(), "location").to_owned();
    for (caller, fetches) in [
        (site.who("eve"), 404),
        (site.who("ben"), 404),
        (site.who("ann"), 200),
        (site.admin(), 200),
    ] {
        assert_eq!(caller.get(&location, &[]).await.status(), fetches);
    }
}

async fn what_is_no_upload_is_refused(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&Draft::of("Uploads", "true")).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let long = "n".repeat(10_000);
    for (query, expected) in [
        (format!("group={group}"), 400),
        (format!("group={group}&name="), 400),
        (format!("group={group}&name={long}"), 400),
        (format!("group={group}&name=a%00b"), 400),
        (format!("group={group}&name=a%0Ab"), 400),
        (format!("group={group}&name=a&name=b"), 400),
        (format!("group={group}&name=a&size=3"), 400),
        ("group=nothing&name=a".to_owned(), 404),
        (format!("group={workflow}&name=a"), 404),
    ] {
        let (refused, _) = status(&ann, &format!("/files/uploads?{query}"), "x").await;
        assert_eq!(refused, expected, "{query}");
    }
    for key in ["nothing", "..%2F..%2Flabql.db", "%00", &"0".repeat(32)] {
        assert_eq!(
            ann.get(&format!("/files/uploads/{key}"), &[])
                .await
                .status(),
            404,
            "{key}"
        );
    }
    assert_eq!(kept(&site), 0);
}

const OWN: &str = "query($first: Int, $after: String) {
    uploads(first: $first, after: $after) { totalCount nodes { id name group { id } } pageInfo { endCursor hasNextPage } }
}";

async fn ones_own_are_listed(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let workflow = site.workflow(&with_file()).await;
    let (ann, ben) = (site.who("ann"), site.who("ben"));
    let group = ann.group(&workflow, "team", &[]).await;
    ann.upload(&group, "of the group", "g").await;
    let mut brought = Vec::new();
    for name in ["one", "two", "three"] {
        let path = format!("/files/uploads?name={name}");
        let answer = ann.send(Method::POST, &path, name).await;
        assert_eq!(answer.status(), 201);
        brought.push(json_of(answer).await["id"].clone());
    }
    brought.reverse();
    let first = ann.data(OWN, json!({ "first": 2 })).await;
    let page = &first["uploads"];
    assert_eq!(page["totalCount"], 3);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let after = json!({ "after": page["pageInfo"]["endCursor"] });
    let second = ann.data(OWN, after).await;
    let nodes = [&first, &second].map(|it| it["uploads"]["nodes"].as_array().expect("a list"));
    let listed: Vec<_> = nodes.iter().flat_map(|it| it.iter()).collect();
    let ids: Vec<_> = listed.iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, brought);
    assert!(listed.iter().all(|it| it["group"].is_null()));
    for other in [&ben, &site.admin()] {
        let data = other.data(OWN, json!({})).await;
        assert_eq!(data["uploads"]["totalCount"], 0);
        assert_eq!(data["uploads"]["nodes"], json!([]));
    }
}

/// The arguments of all of them are files.
fn with_file() -> Draft {
    Draft::of("Given", "cat in/given.txt; cat ${file}")
        .variable("file", json!({ "dtype": "file", "target": "in/given.txt" }))
}

async fn runs_are_given_what_was_brought(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&with_file()).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "f.txt", "given\n").await;
    let more = || json!({ "group": group });
    let run = ann
        .start_with(&workflow, json!({ "file": upload["id"] }), more())
        .await;
    ann.done(&run).await;
    assert_eq!(ann.log(&run).await, "given\ngiven\n");
    // To another place, if the caller says so; never out of the folder.
    let draft = Draft::of("Moved", "cat ${file}")
        .variable("file", json!({ "dtype": "file", "target": "in.txt" }));
    let workflow = site.workflow(&draft.file("static.txt", "s")).await;
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "f.txt", "given\n").await;
    let moved_to =
        |target: &str| json!({ "file": { "fileId": upload["id"], "targetPath": target } });
    let run = ann
        .start_with(
            &workflow,
            moved_to("some/where.txt"),
            json!({ "group": group }),
        )
        .await;
    ann.done(&run).await;
    assert_eq!(ann.log(&run).await, "given\n");
    for target in [
        "../escaped",
        "/tmp/escaped",
        "a/../../escaped",
        "",
        "a\0b",
        "static.txt",
    ] {
        let input = run_input(&workflow, &moved_to(target), json!({ "group": group }));
        let answer = ann.tell("startRun", input).await;
        assert_eq!(
            answer["argumentErrors"][0]["code"], "INVALID_ARGUMENT",
            "{target:?}: {answer}"
        );
    }
    assert!(!site.path("escaped").exists());
}

/// Who starts a run and who deletes what it is given wait for each other in one order only.
async fn what_is_given_may_be_deleted_at_that_moment(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&with_file()).await;
    let ann = site.who("ann");
    for _ in 0..10 {
        let group = ann.group(&workflow, "team", &[]).await;
        let upload = ann.upload(&group, "f.txt", "given\n").await;
        let input = || {
            let file = json!({ "file": upload["id"] });
            run_input(&workflow, &file, json!({ "group": group }))
        };
        let starts = join_all((0..3).map(|_| ann.tell("startRun", input())));
        let deletion = ann.tell("deleteGroup", json!({ "id": group }));
        let (started, deleted) = join(starts, deletion).await;
        let runs = started.iter().filter(|it| it["run"].is_object());
        let is_deleted = deleted["errors"] == json!([]);
        // Either of them came first, and nothing was wrong inside.
        assert_eq!(runs.count() == 0, is_deleted, "{started:?} {deleted}");
        for run in started.iter().filter_map(|it| it["run"]["id"].as_str()) {
            ann.cancel(run).await;
        }
        if !is_deleted {
            ann.told("deleteGroup", json!({ "id": group })).await;
        }
    }
}

async fn what_is_deleted_is_gone(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let workflow = site.workflow(&with_file()).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[("ben", "VIEWER")]).await;
    let upload = ann.upload(&group, "f.txt", "given\n").await;
    let more = || json!({ "group": group });
    let run = ann
        .start_with(&workflow, json!({ "file": upload["id"] }), more())
        .await;
    let of_it = || json!({ "id": upload["id"] });
    // Not while somebody waits for it.
    assert_eq!(ann.refused("deleteUpload", of_it()).await.0, "CONFLICT");
    ann.cancel(&run).await;
    assert_eq!(
        site.who("ben").refused("deleteUpload", of_it()).await.0,
        "NOT_FOUND"
    );
    ann.told("deleteUpload", of_it()).await;
    assert_eq!(ann.refused("deleteUpload", of_it()).await.0, "NOT_FOUND");
    assert_eq!(kept(&site), 0);
    // What vanished otherwise is told by the run that needs it.
    let upload = ann.upload(&group, "f.txt", "given\n").await;
    let run = ann
        .start_with(&workflow, json!({ "file": upload["id"] }), more())
        .await;
    std::fs::remove_dir_all(site.folder("uploads")).expect("a folder");
    let site = site.restarted(true).await;
    let run = site.who("ann").ended(&run).await;
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("ERROR"), &json!("INPUT_MISSING")),
        "{run}"
    );
}
