//! Base URIs are read into the register: by the API and by the command line, with what changes, goes and is broken.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::fixture::{UUID, admin, item, manifest};
use super::{ADMIN, Register, texts};
use crate::support::Lab;

on_both_databases!(
    what_is_new_changed_unchanged_and_gone,
    problems_are_listed_and_what_was_known_stays,
    only_those_who_may_register_index,
    by_the_command_line,
    what_cannot_be_listed_is_not_gone,
    nothing_left_may_be_nothing_mounted,
);

const INDEX: &str = "mutation($uri: String!) { indexBaseUri(input: { uri: $uri }) {
    registered updated unchanged removed finished problems { source message } errors { code field message }
} }";
const BASE: &str = "file://storage.example.org/srv/dtool";

/// A folder of datasets that the laboratory may read.
struct Folder(std::path::PathBuf);

impl Folder {
    fn of(lab: &mut Lab) -> Self {
        let path = lab.path("dtool");
        fs::create_dir_all(&path).expect("a folder");
        let folders = format!(r#"[{{uri="{BASE}",path="{}"}}]"#, path.display());
        lab.set("LABQL_DATASETS__FOLDERS", folders);
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
    }

    /// A frozen dataset with an item `a.txt`.
    fn dataset(&self, name: &str) {
        self.write(&format!("{name}/.dtool/dtool"), admin(name).to_string());
        let content = manifest(item("a.txt")).to_string();
        self.write(&format!("{name}/.dtool/manifest.json"), content);
        self.write(
            &format!("{name}/README.yml"),
            format!("---\nproject: {name}\n"),
        );
        self.write(&format!("{name}/data/a.txt"), "0123456789");
    }

    fn remove(&self, name: &str) {
        fs::remove_dir_all(self.0.join(name)).expect("removed");
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Register {
    async fn index(&self, who: &str) -> Value {
        let data = self.data(who, INDEX, json!({ "uri": BASE })).await;
        data["indexBaseUri"].clone()
    }
}

fn counts(report: &Value) -> [i64; 4] {
    assert_eq!(
        report["errors"].as_array().map_or(0, Vec::len),
        0,
        "{report}"
    );
    ["registered", "updated", "unchanged", "removed"].map(|name| report[name].as_i64().expect(name))
}

async fn what_is_new_changed_unchanged_and_gone(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("one");
    folder.dataset("two");
    // None yet: it still grows.
    let mut growing = admin("growing");
    growing["type"] = json!("protodataset");
    growing
        .as_object_mut()
        .expect("an object")
        .remove("frozen_at");
    folder.write("growing/.dtool/dtool", growing.to_string());
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;

    let report = register.index("ada").await;
    assert_eq!(counts(&report), [2, 0, 0, 0], "{report}");
    assert_eq!(
        (&report["problems"], &report["finished"]),
        (&json!([]), &json!(true))
    );
    let query = "query($uri: String!) { dataset(uri: $uri) {
        uuid name readme { content } tags registeredBy { username }
        manifest { items(first: 5) { nodes { relpath sizeBytes } } }
    } baseUri(uri: \"file://storage.example.org/srv/dtool\") { indexedAt datasetCount lastIndex {
        startedAt finishedAt registered problemCount problems { source }
    } } }";
    let one = format!("{BASE}/one");
    let data = register.data("ada", query, json!({ "uri": one })).await;
    let dataset = &data["dataset"];
    assert_eq!(dataset["uuid"], UUID);
    assert_eq!(dataset["readme"]["content"], json!({ "project": "one" }));
    assert_eq!(dataset["registeredBy"]["username"], "ada");
    assert_eq!(
        dataset["manifest"]["items"]["nodes"],
        json!([{ "relpath": "a.txt", "sizeBytes": 10.0 }])
    );
    let base = &data["baseUri"];
    assert_eq!(
        (&base["datasetCount"], &base["lastIndex"]["registered"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(base["indexedAt"], base["lastIndex"]["finishedAt"]);

    // What somebody changes here is changed where the dataset lies, too, and read from there.
    let tag = "mutation($uri: String!) { updateDatasetTags(input: { uri: $uri, tags: [\"kept\"] }) { errors { code } } }";
    register.data("ada", tag, json!({ "uri": one })).await;
    assert_eq!(counts(&register.index("ada").await), [0, 1, 1, 0]);
    let data = register.data("ada", query, json!({ "uri": one })).await;
    assert_eq!(data["dataset"]["tags"], json!(["kept"]));

    folder.write("one/.dtool/tags/fresh", "");
    folder.remove("two");
    folder.dataset("three");
    let report = register.index("ada").await;
    assert_eq!(counts(&report), [1, 1, 0, 1], "{report}");
    let data = register.data("ada", query, json!({ "uri": one })).await;
    assert_eq!(data["dataset"]["tags"], json!(["fresh", "kept"]));
    let uris = register.uris("ada", json!({})).await;
    assert_eq!(uris, [one, format!("{BASE}/three")]);
    assert_eq!(counts(&register.index("ada").await), [0, 0, 2, 0]);
}

async fn problems_are_listed_and_what_was_known_stays(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    for name in ["one", "two", "three"] {
        folder.dataset(name);
    }
    folder.write("three/README.yml", "a: [");
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    assert_eq!(counts(&register.index("ada").await), [3, 0, 0, 0]);
    folder.write("one/.dtool/manifest.json", "{");
    folder.write("two/.dtool/annotations/odd.json", "{");
    let report = register.index("ada").await;
    assert_eq!(counts(&report), [0, 1, 1, 0], "{report}");
    let mut sources = texts(&report["problems"], "source");
    sources.sort();
    assert_eq!(
        sources,
        [
            format!("{BASE}/one/.dtool/manifest.json"),
            format!("{BASE}/two/.dtool/annotations/odd.json"),
        ]
    );
    assert_eq!(register.uris("ada", json!({})).await.len(), 3);
    let query = "{ baseUris { nodes { lastIndex { problemCount problems { source message } } } } }";
    let mut kept = register.data("ada", query, json!({})).await;
    let kept = kept["baseUris"]["nodes"][0]["lastIndex"].take();
    assert_eq!(kept["problemCount"], 2);
    assert_eq!(kept["problems"].as_array().map(Vec::len), Some(2));
    // What is told of the datasets is for those to whom something was granted.
    let hidden = register.data(ADMIN, query, json!({})).await;
    assert_eq!(hidden["baseUris"]["nodes"], json!([{ "lastIndex": null }]));
}

async fn only_those_who_may_register_index(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("one");
    let register = Register::open(lab, &["ada", "bob"]).await;
    let missing = register.index("ada").await;
    assert_eq!(missing["errors"][0]["code"], "NOT_FOUND", "{missing}");
    register
        .base_uri(BASE, &[("ada", true, false), ("bob", false, true)])
        .await;
    for who in [ADMIN, "ada"] {
        let refused = register.index(who).await;
        assert_eq!(refused["errors"][0], missing["errors"][0], "{who}");
        assert_eq!(refused["registered"], Value::Null);
    }
    assert_eq!(counts(&register.index("bob").await), [1, 0, 0, 0]);
    // A base URI that may not be read is none that can be indexed, though datasets can be registered there.
    let other = "file://storage.example.org/etc";
    register.base_uri(other, &[("bob", true, true)]).await;
    let answer = register.data("bob", INDEX, json!({ "uri": other })).await;
    let error = &answer["indexBaseUri"]["errors"][0];
    assert_eq!(error["code"], "BAD_INPUT");
    assert!(
        error["message"]
            .as_str()
            .expect("a text")
            .contains("datasets.folders"),
        "{error}"
    );
}

async fn what_cannot_be_listed_is_not_gone(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("one");
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    assert_eq!(counts(&register.index("ada").await), [1, 0, 0, 0]);
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).expect("moved");
    let report = register.index("ada").await;
    assert_eq!(report["errors"][0]["field"], "uri", "{report}");
    assert_eq!(register.uris("ada", json!({})).await.len(), 1);
    fs::rename(&away, folder.path()).expect("moved");
    assert_eq!(counts(&register.index("ada").await), [0, 0, 1, 0]);
}

/// A folder on which nothing is mounted is empty, too.
async fn nothing_left_may_be_nothing_mounted(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("one");
    folder.dataset("two");
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    assert_eq!(counts(&register.index("ada").await), [2, 0, 0, 0]);
    let indexed = "{ baseUris { nodes { indexedAt datasetCount lastIndex { problems { source message } } } } }";
    let before = register.data("ada", indexed, json!({})).await;
    folder.remove("one");
    folder.remove("two");
    // What every disk has is no dataset.
    fs::create_dir(folder.path().join("lost+found")).expect("a folder");
    for _ in 0..2 {
        let report = register.index("ada").await;
        let error = &report["errors"][0];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("CONFLICT"), &json!("uri"))
        );
        let message = error["message"].as_str().expect("a text");
        assert!(message.contains("nothing was taken out"), "{message}");
        assert_eq!(report["removed"], Value::Null);
    }
    assert_eq!(register.uris("ada", json!({})).await.len(), 2);
    let mut after = register.data("ada", indexed, json!({})).await;
    let (before, after) = (
        &before["baseUris"]["nodes"][0],
        after["baseUris"]["nodes"][0].take(),
    );
    assert_eq!(before["indexedAt"], after["indexedAt"]);
    assert_eq!(after["lastIndex"]["problems"][0]["source"], BASE);
    let said = register.lab.run(&["index", BASE]);
    assert!(
        !said.success && said.stderr.contains("--remove-all"),
        "{said:?}"
    );
    assert_eq!(register.uris("ada", json!({})).await.len(), 2);

    // One is enough to see that the disk is there.
    folder.dataset("three");
    assert_eq!(counts(&register.index("ada").await), [1, 0, 0, 2]);
    folder.remove("three");
    let all = "mutation($uri: String!) { indexBaseUri(input: { uri: $uri, removeAll: true }) {
        removed errors { message }
    } }";
    let report = register.data("ada", all, json!({ "uri": BASE })).await;
    let report = &report["indexBaseUri"];
    assert_eq!(
        (&report["removed"], &report["errors"]),
        (&json!(1), &json!([]))
    );
    // Where nothing is registered, nothing is missing.
    assert_eq!(counts(&register.index("ada").await), [0, 0, 0, 0]);
    folder.dataset("four");
    assert_eq!(counts(&register.index("ada").await), [1, 0, 0, 0]);
    folder.remove("four");
    let done = register.lab.done(&["index", BASE, "--remove-all"]);
    assert!(
        done.starts_with("0 registered, 0 updated, 0 unchanged, 1 removed"),
        "{done}"
    );
}

async fn by_the_command_line(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("one");
    folder.dataset("two");
    lab.done(&["migrate", "up"]);
    let report: Value = serde_json::from_str(&lab.done(&["index", BASE, "--json"])).expect("JSON");
    assert_eq!(
        (&report["registered"], &report["problems"]),
        (&json!(2), &json!([]))
    );
    assert!(
        lab.done(&["index", BASE])
            .starts_with("0 registered, 0 updated, 2 unchanged")
    );
    let listed = lab.done(&["dataset", "list", "--json", "--text", "one"]);
    let listed: Value = serde_json::from_str(&listed).expect("one line of JSON");
    assert_eq!(
        (&listed["name"], &listed["itemCount"]),
        (&json!("one"), &json!(1))
    );
    let query = r#"{"readme.project": "two"}"#;
    let found = lab.done(&["dataset", "list", "--base-uri", BASE, "--mongo", query]);
    assert_eq!(found.lines().count(), 1, "{found}");
    assert!(found.starts_with(&format!("{BASE}/two\ttwo\t")), "{found}");
    let one = format!("{BASE}/one");
    let shown: Value = serde_json::from_str(&lab.done(&["dataset", "show", &one])).expect("JSON");
    assert_eq!(shown["readme"]["content"], json!({ "project": "one" }));
    assert_eq!(shown["manifest"]["itemCount"], 1);
    folder.write("one/.dtool/tags/fresh", "");
    let done = lab.done(&["dataset", "register", &one, "--json"]);
    let done: Value = serde_json::from_str(&done).expect("JSON");
    assert_eq!(
        done,
        json!({ "uri": one, "created": false, "problems": [] })
    );
    for refused in [
        &["index", "s3://nobody"][..],
        &["index", "file://storage.example.org/etc"],
        &["dataset", "show", "file://x/y/z"],
        &["dataset", "register", &format!("{BASE}/none")],
        &["dataset", "list", "--mongo", r#"{"$where": "1"}"#],
    ] {
        let said = lab.run(refused);
        assert!(
            !said.success && !said.stderr.contains("panicked"),
            "{refused:?}: {said:?}"
        );
    }
}
