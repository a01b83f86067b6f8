//! From where templates are registered: folders of the server, archives that are brought, and commits of repositories.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::caller::id;
use super::draft::Draft;
use super::lab::Site;
use crate::support::Lab;

on_both_databases!(
    archives,
    commits_of_repositories,
    folders_of_the_server_are_not_open_to_all,
);

/// A folder as `.tar`, `.tar.gz` and `.zip`; within the archive it is in this folder.
fn packed(folder: &Path, within: &str) -> [(&'static str, Vec<u8>); 3] {
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(if within.is_empty() { "." } else { within }, folder)
        .expect("an archive");
    let tar = tar.into_inner().expect("an archive");
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&tar).expect("an archive");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let name = if within.is_empty() {
            name
        } else {
            format!("{within}/{name}")
        };
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(name, options).expect("an archive");
        let content = fs::read(entry.path()).expect("a file");
        zip.write_all(&content).expect("an archive");
    }
    let zip = zip.finish().expect("an archive").into_inner();
    [
        ("w.tar", tar),
        ("w.tar.gz", gz.finish().expect("an archive")),
        ("w.zip", zip),
    ]
}

/// Brings an archive as somebody's own upload, and registers it; gives the answer.
async fn register_archive(site: &Site, name: &str, content: Vec<u8>) -> Value {
    let admin = site.admin();
    let path = format!("/files/uploads?name={name}");
    let response = admin.send(reqwest::Method::POST, &path, content).await;
    assert_eq!(response.status(), 201);
    let upload = crate::support::client::json_of(response).await;
    let input = json!({ "source": { "archive": upload["id"] } });
    admin.tell("registerWorkflow", input).await
}

async fn archives(mut lab: Lab) {
    lab.set("LABQL_FLOWS__FILES__TEMPLATE_MIB", "4");
    let site = Site::open(lab, &["ann"]).await;
    for (place, within) in ["", "some-workflow-main"].into_iter().enumerate() {
        let name = format!("Packed {place}");
        let draft = Draft::of(&name, "cat f.txt").file("f.txt", "packed\n");
        let folder = site.template("packed", &draft);
        let mut made = Vec::new();
        for (archive, content) in packed(&folder, within) {
            let answer = register_archive(&site, archive, content).await;
            assert_eq!(answer["errors"], json!([]), "{archive}: {answer}");
            made.push((answer["workflow"]["id"].clone(), answer["created"].clone()));
        }
        // The same content is the same version, however it is packed.
        let first = made[0].0.clone();
        let expected = [true, false, false].map(|created| (first.clone(), json!(created)));
        assert_eq!(made, expected);
        let ann = site.who("ann");
        let run = ann.start(first.as_str().expect("an id"), json!({})).await;
        ann.done(&run).await;
        assert_eq!(ann.log(&run).await, "packed\n");
    }
    for (name, content) in hostile_archives() {
        let answer = register_archive(&site, name, content).await;
        assert!(answer["workflow"].is_null(), "{name}: {answer}");
        let told = [&answer["errors"], &answer["problems"]];
        let told = told.map(|list| list.as_array().expect("a list").len());
        assert!(told[0] + told[1] > 0, "{name}: {answer}");
    }
    assert!(!site.path("escaped").exists() && !Path::new("/tmp/escaped").exists());
    let workflows = site
        .admin()
        .data("{ workflows { totalCount } }", json!({}))
        .await;
    assert_eq!(workflows["workflows"]["totalCount"], 2);
}

/// Archives that lead out of their folder, or are none.
fn hostile_archives() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |kind: tar::EntryType, name: &str, link: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        // Checked setters would refuse what is to be tried.
        let bytes = name.as_bytes();
        header.as_old_mut().name[..bytes.len()].copy_from_slice(bytes);
        let target = link.as_bytes();
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, content).expect("an archive");
        tar.into_inner().expect("an archive")
    };
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("../../escaped", options)
        .expect("an archive");
    zip.write_all(b"x").expect("an archive");
    let zip = zip.finish().expect("an archive").into_inner();
    // Much of nothing in a few bytes.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_size(8 << 20);
    header.set_path("big").expect("a path");
    header.set_cksum();
    bomb.write_all(header.as_bytes()).expect("an archive");
    bomb.write_all(&vec![0; 8 << 20]).expect("an archive");
    let regular = tar::EntryType::Regular;
    vec![
        ("up.tar", entry(regular, "../../escaped", "", b"x")),
        ("root.tar", entry(regular, "/tmp/escaped", "", b"x")),
        (
            "link.tar",
            entry(tar::EntryType::Symlink, "flowserv.json", "/etc/passwd", b""),
        ),
        (
            "hard.tar",
            entry(tar::EntryType::Link, "flowserv.json", "/etc/passwd", b""),
        ),
        (
            "fifo.tar",
            entry(tar::EntryType::Fifo, "flowserv.json", "", b""),
        ),
        ("up.zip", zip),
        ("bomb.tar.gz", bomb.finish().expect("an archive")),
        ("none.tar", b"no archive".to_vec()),
        ("none.zip", b"PK\x03\x04 no archive".to_vec()),
        ("empty.tar.gz", Vec::new()),
    ]
}

/// Runs git in a folder; gives what it prints.
fn git(folder: &Path, args: &[&str]) -> String {
    let done = Command::new("git")
        .args([
            "-c",
            "user.name=ann",
            "-c",
            "user.email=ann@lab.example",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .current_dir(folder)
        .output()
        .expect("git");
    assert!(
        done.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout)
        .expect("UTF-8")
        .trim()
        .to_owned()
}

async fn commits_of_repositories(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let repository = site.path("repository");
    Draft::of("From git", "cat f.txt")
        .file("f.txt", "first\n")
        .write(&repository.join("flows/one"));
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "-m", "first"]);
    let first = git(&repository, &["rev-parse", "HEAD"]);
    fs::write(repository.join("flows/one/f.txt"), "second\n").expect("a file");
    git(&repository, &["commit", "--quiet", "-a", "-m", "second"]);
    let second = git(&repository, &["rev-parse", "HEAD"]);
    let url = format!("file://{}", repository.display());
    let source = |commit: &str, folder: Value| {
        json!({ "source": { "git": {
        "url": url, "commit": commit, "folder": folder,
    } } })
    };
    let admin = site.admin();
    let ann = site.who("ann");
    let query = "query($id: ID!) { workflow(id: $id) { sourceKind source revision } }";
    for (number, commit, printed) in [(1, &first, "first\n"), (2, &second, "second\n")] {
        let answer = admin
            .told("registerWorkflow", source(commit, json!("flows/one")))
            .await;
        assert_eq!(answer["workflow"]["version"], number, "{answer}");
        let workflow = id(&answer["workflow"]);
        // Where it comes from is for administrators.
        for (caller, source) in [(&admin, json!(url)), (&ann, Value::Null)] {
            let data = caller.data(query, json!({ "id": workflow })).await;
            let expected = json!({ "sourceKind": "GIT", "source": source, "revision": commit });
            assert_eq!(data["workflow"], expected);
        }
        let run = ann.start(&workflow, json!({})).await;
        ann.done(&run).await;
        assert_eq!(ann.log(&run).await, printed);
    }
    for (commit, folder) in [
        // A name says something else tomorrow.
        ("main", json!("flows/one")),
        (&first[..12], json!("flows/one")),
        ("--upload-pack=touch escaped", json!("flows/one")),
        (&"0".repeat(40), json!("flows/one")),
        (&first, json!("../..")),
        (&first, json!("flows/none")),
        (&first, Value::Null),
    ] {
        let answer = admin
            .tell("registerWorkflow", source(commit, folder.clone()))
            .await;
        assert!(answer["workflow"].is_null(), "{commit} {folder}: {answer}");
    }
    for url in [
        "ext::sh -c 'touch escaped'",
        "--upload-pack=touch escaped",
        "https://localhost:1/nothing.git",
        "ssh://localhost:1/nothing.git",
    ] {
        let input = json!({ "source": { "git": { "url": url, "commit": first } } });
        let answer = admin.tell("registerWorkflow", input).await;
        assert!(answer["workflow"].is_null(), "{url}: {answer}");
        assert_ne!(answer["errors"], json!([]), "{url}: {answer}");
    }
    assert!(!site.path("escaped").exists());
}

async fn folders_of_the_server_are_not_open_to_all(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let admin = site.admin();
    let inside = site.template("inside", &Draft::of("Inside", "true"));
    let outside = site.path("outside");
    Draft::of("Outside", "true").write(&outside);
    let link = inside.with_file_name("link");
    std::os::unix::fs::symlink(&outside, &link).expect("a link");
    let upwards = inside.join("../../outside");
    for folder in [
        outside.as_path(),
        &link,
        &upwards,
        Path::new("/etc"),
        Path::new("inside"),
        Path::new(""),
    ] {
        let input = json!({ "source": { "folder": folder } });
        let answer = admin.tell("registerWorkflow", input).await;
        assert!(
            answer["workflow"].is_null(),
            "{}: {answer}",
            folder.display()
        );
        assert_ne!(answer["errors"], json!([]), "{answer}");
    }
    // The command line may register from anywhere.
    let said = site
        .lab
        .done(&["workflow", "register", outside.to_str().expect("UTF-8")]);
    assert!(said.contains("Outside"), "{said}");
    // Nobody else registers, checks or changes anything.
    let workflow = site.workflow(&Draft::of("Inside", "true")).await;
    let source = json!({ "source": { "folder": inside } });
    let of_it = json!({ "id": workflow });
    for (mutation, input) in [
        ("registerWorkflow", &source),
        ("checkWorkflow", &source),
        ("updateWorkflow", &of_it),
        ("deleteWorkflow", &of_it),
    ] {
        for (caller, code) in [
            (site.who("ann"), "FORBIDDEN"),
            (site.nobody(), "UNAUTHENTICATED"),
        ] {
            let (refused, _) = caller.refused(mutation, input.clone()).await;
            assert_eq!(refused, code, "{mutation}");
        }
    }
    let more = json!({ "source": { "folder": inside, "git": { "url": "file:///x", "commit": "0".repeat(40) } } });
    for input in [more, json!({ "source": {} })] {
        assert_eq!(
            admin.refused("registerWorkflow", input).await.0,
            "BAD_INPUT"
        );
    }
}
