//! Files of runs as they are downloaded: whole, in ranges, all in one archive; and what is shown of them without.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::caller::id;
use super::draft::Draft;
use super::lab::Site;
use crate::support::Lab;
use crate::support::client::{code, header, json_of};

on_both_databases!(
    a_file_is_sent_whole_and_in_ranges,
    names_are_what_templates_like,
    all_files_in_one,
    the_beginning_is_shown,
    what_was_changed_is_not_sent,
    the_folder_that_steps_worked_in_is_gone,
);

fn checksum(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

async fn a_file_is_sent_whole_and_in_ranges(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Digits", "printf 0123456789 > digits.txt; : > empty.csv")
        .output("digits.txt")
        .output("empty.csv");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.make(&workflow, json!({})).await;
    let file = &run["files"][0];
    let url = file["url"].as_str().expect("a URL");
    assert_eq!(file["checksum"], checksum(b"0123456789"));
    assert_eq!(
        (file["sizeBytes"].as_f64(), &file["mediaType"]),
        (Some(10.0), &json!("text/plain"))
    );

    let whole = ann.get(url, &[]).await;
    assert_eq!(whole.status(), 200);
    let headers = whole.headers().clone();
    let etag = format!("\"{}\"", checksum(b"0123456789"));
    assert_eq!(header(&headers, "etag"), etag);
    assert_eq!(header(&headers, "accept-ranges"), "bytes");
    assert_eq!(header(&headers, "content-length"), "10");
    assert!(header(&headers, "content-type").starts_with("text/plain"));
    // What others wrote is not shown by a browser as a page of this server.
    assert_eq!(
        header(&headers, "content-disposition"),
        "attachment; filename*=UTF-8''digits.txt"
    );
    assert!(header(&headers, "cache-control").contains("private"));
    assert_eq!(whole.text().await.expect("text"), "0123456789");

    for (range, status, told, text) in [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=8-", 206, "bytes 8-9/10", "89"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=5-100", 206, "bytes 5-9/10", "56789"),
        ("lines=1-2", 200, "", "0123456789"),
    ] {
        let part = ann.get(url, &[("range", range)]).await;
        assert_eq!(part.status(), status, "{range}");
        assert_eq!(header(part.headers(), "content-range"), told, "{range}");
        assert_eq!(part.text().await.expect("text"), text, "{range}");
    }
    let beyond = ann.get(url, &[("range", "bytes=10-")]).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(beyond.headers(), "content-range"), "bytes */10");
    let mine = ann
        .get(url, &[("range", "bytes=0-0"), ("if-range", &etag)])
        .await;
    assert_eq!(mine.status(), 206);
    let another = ann
        .get(url, &[("range", "bytes=0-0"), ("if-range", "\"x\"")])
        .await;
    assert_eq!(another.status(), 200);
    assert_eq!(
        ann.get(url, &[("if-none-match", &etag)]).await.status(),
        304
    );
    assert_eq!(ann.get(url, &[("if-match", "\"x\"")]).await.status(), 412);
    let head = ann.send(Method::HEAD, url, Vec::new()).await;
    assert_eq!(
        (
            head.status().as_u16(),
            header(head.headers(), "content-length")
        ),
        (200, "10")
    );
    assert_eq!(ann.send(Method::POST, url, Vec::new()).await.status(), 405);
    let empty = run["files"][1]["url"].as_str().expect("a URL");
    assert_eq!(ann.bytes(empty).await, b"");

    // Nothing but its files is below a run.
    let folder = url.strip_suffix("digits.txt").expect("its name");
    for name in [
        "none",
        "",
        "..%2Fdigits.txt",
        "..%2F..%2F..%2Flabql.db",
        "%00",
        ".",
        "results/digits.txt",
    ] {
        let none = ann.get(&format!("{folder}{name}"), &[]).await;
        assert_eq!(none.status(), 404, "{name}");
        assert_eq!(code(&json_of(none).await), "NOT_FOUND", "{name}");
    }
}

async fn names_are_what_templates_like(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let names = [
        "plain.txt",
        "deep/er/still.json",
        "with space & more.csv",
        "ünïcödé/☃.txt",
        "100%/a?b#c=d;e.txt",
        ".hidden",
        "it's \"quoted\".txt",
    ];
    let program = "import json, os, sys
for number, name in enumerate(json.load(open('names.json'))):
    os.makedirs(os.path.dirname(name) or '.', exist_ok=True)
    open(name, 'w').write(str(number))
";
    let mut draft = Draft::of("Names", "${python} make.py")
        .file("make.py", program)
        .file("names.json", json!(names).to_string());
    for (number, name) in names.iter().enumerate() {
        draft = match number % 2 {
            0 => draft.output(name),
            _ => draft.output_with(json!({ "source": name, "key": format!("key {number}/ü?") })),
        };
    }
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.make(&workflow, json!({})).await;
    assert_eq!(run["state"], "SUCCESS", "{run}");
    let files = run["files"].as_array().expect("files");
    // In the order of the template.
    let paths: Vec<&str> = files
        .iter()
        .map(|file| file["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(paths, names);
    for (number, file) in files.iter().enumerate() {
        let url = file["url"].as_str().expect("a URL");
        assert_eq!(ann.bytes(url).await, number.to_string().as_bytes(), "{url}");
    }
}

async fn all_files_in_one(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let gate = site.gate("go");
    let command = format!(
        "mkdir deep; echo a > a.txt; head -c 300000 /dev/urandom > deep/b.bin; : > c; {gate}"
    );
    let draft = Draft::of("Packed", &command)
        .output("a.txt")
        .output_with(json!({ "source": "deep/b.bin", "key": "b" }))
        .output("c");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    let url = ann.run(&run).await["archiveUrl"]
        .as_str()
        .expect("a URL")
        .to_owned();
    // There is nothing to be had of a run that has not ended well.
    assert_eq!(ann.get(&url, &[]).await.status(), 404);
    site.open_gate("go");
    let run = ann.done(&run).await;
    let mut expected = BTreeMap::new();
    for name in ["a.txt", "b", "c"] {
        let files = run["files"].as_array().expect("files");
        let file = files
            .iter()
            .find(|file| file["name"] == name)
            .expect("a file");
        let path = file["path"].as_str().expect("a path").to_owned();
        expected.insert(path, ann.file(&run, name).await);
    }
    let whole = ann.get(&url, &[]).await;
    assert_eq!(whole.status(), 200);
    let headers = whole.headers().clone();
    assert_eq!(header(&headers, "content-type"), "application/gzip");
    assert!(header(&headers, "content-disposition").contains(".tar.gz"));
    let bytes = whole.bytes().await.expect("a whole body");
    let mut archive = tar::Archive::new(GzDecoder::new(bytes.as_ref()));
    let mut found = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry
            .path()
            .expect("a path")
            .to_str()
            .expect("UTF-8")
            .to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        found.insert(path, content);
    }
    assert_eq!(found, expected);
    let etag = header(&headers, "etag");
    assert_eq!(
        ann.get(&url, &[("if-none-match", etag)]).await.status(),
        304
    );
    assert_eq!(ann.bytes(&url).await, bytes);
}

async fn the_beginning_is_shown(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let program = "import json
open('notes.txt', 'w').write('first\\n' + 'x' * 300000)
open('table.csv', 'w').write('name,size\\n' + '\"a, b\",1\\n\"say \"\"hi\"\"\",2\\n' + 'c,3\\n' * 5000)
open('plain.csv', 'w').write('1;2\\n3;4\\n')
open('data.json', 'w').write(json.dumps({'a': [1, 2]}))
open('plot.svg', 'w').write('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')
open('raw.bin', 'wb').write(bytes(range(256)))
open('empty.txt', 'w').close()
";
    let csv = json!({ "type": "csv", "header": false, "columns": ["one", "two"] });
    let draft = Draft::of("Shown", "${python} make.py")
        .file("make.py", program)
        .output("notes.txt")
        .output_with(json!({ "source": "table.csv", "format": { "type": "csv", "header": true } }))
        .output_with(json!({ "source": "plain.csv", "format": csv }))
        .output("data.json")
        .output_with(json!({ "source": "plot.svg", "format": { "type": "image" } }))
        .output("raw.bin")
        .output("empty.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = id(&ann.make(&workflow, json!({})).await);
    let query = "query($id: ID!, $bytes: Int!, $rows: Int!) { run(id: $id) { state files {
        name url preview(bytes: $bytes, rows: $rows) { kind text rows truncated }
    } } }";
    let shown = async |bytes: i32, rows: i32| {
        let variables = json!({ "id": run, "bytes": bytes, "rows": rows });
        let mut data = ann.data(query, variables).await;
        assert_eq!(data["run"]["state"], "SUCCESS", "{data}");
        data["run"]["files"].take()
    };
    let files = shown(16_384, 50).await;
    let of = |name: &str| {
        let mut files = files.as_array().expect("files").iter();
        files.find(|file| file["name"] == name).expect("a file")
    };
    let told = |name: &str, field: &str| of(name)["preview"][field].clone();
    let notes = told("notes.txt", "text");
    let notes = notes.as_str().expect("a text");
    assert!(
        notes.starts_with("first\nxxx") && notes.len() == 16_384,
        "{}",
        notes.len()
    );
    assert_eq!(
        (told("notes.txt", "kind"), told("notes.txt", "truncated")),
        (json!("TEXT"), json!(true))
    );
    assert_eq!(
        (told("table.csv", "kind"), told("table.csv", "truncated")),
        (json!("TABLE"), json!(true))
    );
    let rows = told("table.csv", "rows");
    let expected = [
        ["name", "size"],
        ["a, b", "1"],
        ["say \"hi\"", "2"],
        ["c", "3"],
    ];
    for (place, row) in expected.iter().enumerate() {
        assert_eq!(rows[place], json!(row));
    }
    assert_eq!(rows.as_array().map(Vec::len), Some(50));
    assert_eq!(told("plain.csv", "kind"), "TABLE");
    assert_eq!(told("data.json", "text"), "{\"a\": [1, 2]}");
    assert_eq!(told("plot.svg", "kind"), "PICTURE");
    let picture = ann
        .bytes(of("plot.svg")["url"].as_str().expect("a URL"))
        .await;
    assert_eq!(picture, b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    assert_eq!(
        (told("raw.bin", "kind"), told("raw.bin", "text")),
        (json!("BINARY"), json!(null))
    );
    assert_eq!(
        (told("empty.txt", "text"), told("empty.txt", "truncated")),
        (json!(""), json!(false))
    );
    // As much as is asked for, up to a bound.
    let files = shown(3, 0).await;
    assert_eq!(files[0]["preview"]["text"], "fir", "{files}");
    for (bytes, rows) in [(0, 1), (65_537, 1), (1, 501), (1, -1)] {
        let answer = ann
            .ask(query, json!({ "id": run, "bytes": bytes, "rows": rows }))
            .await;
        assert_eq!(code(&answer), "BAD_INPUT", "{answer}");
    }
}

async fn what_was_changed_is_not_sent(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Changed", "printf 0123456789 > out.txt").output("out.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.make(&workflow, json!({})).await;
    let url = run["files"][0]["url"].as_str().expect("a URL");
    let mut found = Vec::new();
    named_below(&site.folder("runs"), "out.txt", &mut found);
    let [stored] = found.as_slice() else {
        panic!("{found:?}");
    };
    fs::write(stored, "short").expect("a file");
    for url in [url, run["archiveUrl"].as_str().expect("a URL")] {
        let status = ann.get(url, &[]).await.status();
        assert!(status == 502 || status == 404, "{url}: {status}");
    }
    // A link to what is not the run's, of the same size or not.
    fs::remove_file(stored).expect("a file");
    fs::write(site.path("secret"), "0123456789").expect("a file");
    std::os::unix::fs::symlink(site.path("secret"), stored).expect("a link");
    let status = ann.get(url, &[]).await.status();
    assert!(status == 502 || status == 404, "{status}");
}

/// All files of this name below a folder.
fn named_below(folder: &std::path::Path, name: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            named_below(&path, name, found);
        } else if entry.file_name() == name {
            found.push(path);
        }
    }
}

async fn the_folder_that_steps_worked_in_is_gone(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let ann = site.who("ann");
    for (name, command) in [
        ("Good", "echo x > out.txt; echo y > scratch"),
        ("Bad", "echo y > scratch; exit 1"),
    ] {
        let draft = Draft::of(name, command)
            .output("out.txt")
            .file("given.txt", "g");
        let workflow = site.workflow(&draft).await;
        ann.make(&workflow, json!({})).await;
    }
    let runs = site.folder("runs");
    super::processes::until(|| {
        let mut found = Vec::new();
        for name in ["scratch", "given.txt"] {
            named_below(&runs, name, &mut found);
        }
        found.is_empty().then_some(())
    })
    .await;
    let mut found = Vec::new();
    named_below(&runs, "out.txt", &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    let data = ann
        .data("{ runs { nodes { state files { name } } } }", json!({}))
        .await;
    let expected = json!([
        { "state": "ERROR", "files": [] },
        { "state": "SUCCESS", "files": [{ "name": "out.txt" }] },
    ]);
    assert_eq!(data["runs"]["nodes"], expected);
}
