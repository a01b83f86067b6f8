//! An index goes on: past what is odd, hostile or refused, and beside those who change things meanwhile.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use labql::auth::viewer::ViewerUser;
use labql::datasets::readers::{BaseUri, BucketSettings, FolderSettings, StorageSettings};
use labql::datasets::sync::{Emptiness, IndexReport, Indexer};
use labql::datasets::write::Author;
use labql::entity::user;
use labql::events::Feed;
use labql::failure::{Failure, RejectionCode};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseBackend, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::fixture::{Fixture, admin, link, list, outside};
use super::folder::{BASE, Folder};
use super::{ADMIN, Register, texts};
use crate::support::Lab;

on_both_databases!(
    more_than_a_thousand_tags_are_read,
    odd_identifiers_in_overlays_are_left_out,
    what_the_database_refuses_is_a_problem,
    what_the_storage_refused_is_read_another_time,
    what_was_too_large_is_read_when_more_may_be_read,
    a_link_that_leads_elsewhere_is_not_gone,
    what_appears_again_is_not_gone,
    what_is_not_frozen_any_more_is_gone,
    changes_that_cross_an_index_stay,
    a_right_that_is_taken_away_ends_an_index,
    what_could_not_be_listed_is_told,
    nothing_is_deleted_by_an_odd_uri,
);

const SEEN: &str =
    "tags annotations readme { text } overlays { name values { nodes { identifier } } }";

/// Text that does not become shorter when it is packed.
fn noise(length: usize) -> String {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + u8::try_from(state >> 24).expect("a byte") % 75)
    };
    (0..length).map(|_| next()).collect()
}

fn counts(report: &Value) -> [i64; 4] {
    ["registered", "updated", "unchanged", "removed"].map(|name| report[name].as_i64().expect(name))
}

/// The paths of the problems in the folder, sorted.
fn sources(report: &Value) -> Vec<String> {
    let mut sources = texts(&report["problems"], "source");
    for source in &mut sources {
        *source = source.replace(&format!("{BASE}/"), "");
    }
    sources.sort();
    sources
}

fn folders(path: &Path, allowed: &Path) -> String {
    let (path, allowed) = (path.display(), allowed.display());
    format!(r#"[{{uri="{BASE}",path="{path}",allowed_folders=["{allowed}"]}}]"#)
}

impl Register {
    /// Reads the folder into the register in this process, while something is done once, after the first dataset.
    async fn index_while(
        &self,
        storage: StorageSettings,
        author: &Author<'_>,
        meanwhile: &(dyn Fn() + Send + Sync),
    ) -> Result<IndexReport, Failure> {
        let database = self.lab.database().await;
        let feed = Feed::open(database.clone()).await.expect("a feed");
        let indexer = Indexer {
            database,
            feed,
            storage: Arc::new(storage.into()),
        };
        let done = AtomicBool::new(false);
        let progress = |_: &IndexReport| {
            if !done.swap(true, Ordering::Relaxed) {
                meanwhile();
            }
        };
        let suspect = Emptiness::IsSuspect;
        indexer.index(author, BASE, suspect, &progress).await
    }

    /// Asks from within something that cannot wait.
    fn ask_at_once(&self, who: &str, query: &str, variables: &Value) {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let runtime = runtime.expect("a runtime");
                runtime.block_on(self.data(who, query, variables.clone()))
            });
            asking.join().expect("an answer");
        });
    }
}

fn storage(folder: &Folder) -> StorageSettings {
    StorageSettings {
        folders: vec![FolderSettings {
            uri: BASE.to_owned(),
            path: Some(folder.path("")),
            allowed_folders: Vec::new(),
        }],
        ..StorageSettings::default()
    }
}

async fn more_than_a_thousand_tags_are_read(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    for number in 0..1_001 {
        folder.write(&format!("a/.dtool/tags/t{number:04}"), "");
    }
    let register = Register::open(lab, &["ada"]).await;
    assert_eq!(register.index_folder()["problems"], json!([]));
    register.grant_folder("ada", true, true).await;
    let seen = register.in_folder("ada", "a", "tags").await;
    assert_eq!(seen["tags"].as_array().map(Vec::len), Some(1_001));
}

#[tokio::test]
async fn too_many_files_are_told() {
    let mut fixture = Fixture::new();
    fixture.dataset("one");
    for number in 0..1_501 {
        fixture.write(&format!("one/.dtool/tags/t{number}"), "");
    }
    fixture.settings.limits.metadata_files = 1_501;
    let reading = fixture.read("one").await.expect("a dataset");
    assert_eq!(reading.document.tags.len(), 1_501);
    fixture.settings.limits.metadata_files = 1_500;
    let told = fixture.refusal("one").await;
    assert_eq!(told, "/.dtool/tags: holds more than 1500 files");
}

async fn odd_identifiers_in_overlays_are_left_out(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    for name in ["a", "b", "c"] {
        folder.dataset(name);
    }
    let overlay = |name: &str, values: Value| {
        folder.write(
            &format!("b/.dtool/overlays/{name}.json"),
            values.to_string(),
        );
    };
    overlay("good", json!({ "47ddfe38": 1 }));
    overlay("long", json!({ noise(4_000): 1, "id": 2 }));
    overlay("zero", json!({ "a\0": 1, "a\u{fffd}": 2 }));
    let register = Register::open(lab, &["ada"]).await;
    let report = register.index_folder();
    assert_eq!(counts(&report), [3, 0, 0, 0], "{report}");
    let wrong = ["b/.dtool/overlays/long.json", "b/.dtool/overlays/zero.json"];
    assert_eq!(sources(&report), wrong);
    register.grant_folder("ada", true, true).await;
    let seen = register.in_folder("ada", "b", SEEN).await;
    let values = |name: &str, identifiers: &[&str]| {
        let node = |identifier: &&str| json!({ "identifier": identifier });
        let nodes: Vec<Value> = identifiers.iter().map(node).collect();
        json!({ "name": name, "values": { "nodes": nodes } })
    };
    let kept = json!([
        values("good", &["47ddfe38"]),
        values("long", &["id"]),
        values("zero", &[]),
    ]);
    assert_eq!(seen["overlays"], kept);
}

async fn what_the_database_refuses_is_a_problem(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    for name in ["a", "poison", "z"] {
        folder.dataset(name);
    }
    let register = Register::open(lab, &["ada"]).await;
    let database = register.lab.database().await;
    let refuse = match database.backend() {
        DatabaseBackend::Postgres => {
            "ALTER TABLE dataset ADD CONSTRAINT refuse CHECK (name <> 'poison')"
        }
        _ => {
            "CREATE TRIGGER refuse BEFORE INSERT ON dataset WHEN NEW.name = 'poison'
            BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
    };
    let transaction = database.begin().await.expect("a transaction");
    transaction
        .execute_unprepared(refuse)
        .await
        .expect("a trigger");
    transaction.commit().await.expect("an end");
    let report = register.index_folder();
    assert_eq!(counts(&report), [2, 0, 0, 0], "{report}");
    assert_eq!(sources(&report), ["poison"]);
    assert_eq!(
        report["problems"][0]["message"],
        "it could not be registered: the log of labql says why"
    );
    let report = register.index_folder();
    assert_eq!(counts(&report), [0, 0, 2, 0], "{report}");
}

async fn what_the_storage_refused_is_read_another_time(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    let (kept, secret) = outside("1");
    for name in ["a", "b"] {
        folder.dataset(name);
        fs::create_dir(folder.path(&format!("{name}/.dtool/annotations"))).expect("a folder");
        link(
            &secret,
            &folder.path(&format!("{name}/.dtool/annotations/x.json")),
        );
    }
    let mut register = Register::open(lab, &["ada"]).await;
    // One alone, and the others with it.
    let uri = format!("{BASE}/a");
    let done = register.lab.done(&["dataset", "register", &uri, "--json"]);
    let done: Value = serde_json::from_str(&done).expect("JSON");
    assert_eq!(sources(&done), ["a/.dtool/annotations/x.json"], "{done}");
    let report = register.index_folder();
    assert_eq!(
        sources(&report),
        ["a/.dtool/annotations/x.json", "b/.dtool/annotations/x.json"]
    );
    let allowed = folders(&folder.path(""), kept.path());
    register.lab.set("LABQL_DATASETS__FOLDERS", allowed);
    let report = register.index_folder();
    assert_eq!(counts(&report), [0, 2, 0, 0], "{report}");
    register.grant_folder("ada", true, true).await;
    for name in ["a", "b"] {
        let seen = register.in_folder("ada", name, SEEN).await;
        assert_eq!(seen["annotations"], json!({ "x": 1 }));
    }
    assert_eq!(counts(&register.index_folder()), [0, 0, 2, 0]);
}

async fn what_was_too_large_is_read_when_more_may_be_read(mut lab: Lab) {
    const LIMIT: &str = "LABQL_DATASETS__LIMITS__README_BYTES";
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    lab.set(LIMIT, "10");
    let mut register = Register::open(lab, &["ada"]).await;
    assert_eq!(sources(&register.index_folder()), ["a/README.yml"]);
    assert_eq!(counts(&register.index_folder()), [0, 0, 1, 0]);
    register.lab.set(LIMIT, "1000");
    let report = register.index_folder();
    assert_eq!(counts(&report), [0, 1, 0, 0], "{report}");
    assert_eq!(report["problems"], json!([]));
}

async fn a_link_that_leads_elsewhere_is_not_gone(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    folder.dataset("far");
    let (kept, _) = outside("");
    fs::rename(folder.path("far"), kept.path().join("far")).expect("moved");
    link(&kept.path().join("far"), &folder.path("far"));
    let here = format!(r#"[{{uri="{BASE}",path="{}"}}]"#, folder.path("").display());
    lab.set(
        "LABQL_DATASETS__FOLDERS",
        folders(&folder.path(""), kept.path()),
    );
    let mut register = Register::open(lab, &["ada"]).await;
    assert_eq!(counts(&register.index_folder()), [2, 0, 0, 0]);
    register.lab.set("LABQL_DATASETS__FOLDERS", here);
    let report = register.index_folder();
    assert_eq!(counts(&report), [0, 0, 1, 0], "{report}");
    assert_eq!(sources(&report), ["far/.dtool/dtool"]);
    // A link to nothing is nothing.
    fs::remove_dir_all(kept.path().join("far")).expect("removed");
    assert_eq!(counts(&register.index_folder()), [0, 0, 1, 1]);
}

async fn what_appears_again_is_not_gone(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    folder.dataset("b");
    let aside = lab.path("aside");
    let register = Register::open(lab, &["ada"]).await;
    assert_eq!(counts(&register.index_folder()), [2, 0, 0, 0]);
    fs::rename(folder.path("b"), &aside).expect("moved");
    let back = || fs::rename(&aside, folder.path("b")).expect("moved");
    let report = register
        .index_while(storage(&folder), &Author::Labql("test"), &back)
        .await;
    let report = report.expect("a report");
    assert_eq!((report.unchanged, report.removed), (1, 0), "{report:?}");
    assert_eq!(counts(&register.index_folder()), [0, 0, 2, 0]);
    fs::rename(folder.path("b"), &aside).expect("moved");
    assert_eq!(counts(&register.index_folder()), [0, 0, 1, 1]);
}

async fn what_is_not_frozen_any_more_is_gone(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    folder.dataset("b");
    let register = Register::open(lab, &[]).await;
    assert_eq!(counts(&register.index_folder()), [2, 0, 0, 0]);
    let mut growing = admin("b");
    growing["type"] = json!("protodataset");
    folder.write("b/.dtool/dtool", growing.to_string());
    assert_eq!(counts(&register.index_folder()), [0, 0, 1, 1]);
}

async fn changes_that_cross_an_index_stay(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        folder.dataset(name);
    }
    let register = Register::open(lab, &["ada"]).await;
    register.index_folder();
    register.grant_folder("ada", true, true).await;
    // All of them are read again, several at once.
    for name in names {
        folder.write(&format!("{name}/.dtool/tags/fresh"), "");
    }
    let add =
        "mutation($uri: String!) { updateDatasetTags(input: { uri: $uri, add: [\"crossed\"] }) {
        written errors { message }
    } }";
    let cross = || {
        for name in names {
            let variables = json!({ "uri": format!("{BASE}/{name}") });
            register.ask_at_once("ada", add, &variables);
        }
    };
    let report = register
        .index_while(storage(&folder), &Author::Labql("test"), &cross)
        .await;
    let report = report.expect("a report");
    assert_eq!((report.updated, report.problem_count), (5, 0), "{report:?}");
    for name in names {
        let seen = register.in_folder("ada", name, "tags").await;
        assert_eq!(seen["tags"], json!(["crossed", "fresh"]), "{name}");
    }
}

async fn a_right_that_is_taken_away_ends_an_index(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    for number in 0..20 {
        folder.dataset(&format!("n{number}"));
    }
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    let database = register.lab.database().await;
    let ada = user::Entity::find().filter(user::Column::Username.eq("ada"));
    let ada = ada.one(database.read()).await.expect("a row").expect("ada");
    let ada = ViewerUser {
        id: Some(ada.id),
        username: "ada".to_owned(),
        is_admin: false,
    };
    let revoke = "mutation($uri: String!) { grantBaseUri(input: {
        username: \"ada\", baseUri: $uri, canSearch: true, canRegister: false
    }) { errors { message } } }";
    let revoke = || register.ask_at_once(ADMIN, revoke, &json!({ "uri": BASE }));
    let ended = register
        .index_while(storage(&folder), &Author::User(&ada), &revoke)
        .await;
    let Err(Failure::Rejected(rejection)) = &ended else {
        panic!("it went on: {ended:?}");
    };
    assert_eq!(rejection.code, RejectionCode::NotFound);
    let query =
        "{ baseUris { nodes { indexedAt lastIndex { finishedAt registered problemCount } } } }";
    let seen = register.data("ada", query, json!({})).await;
    let base = &seen["baseUris"]["nodes"][0];
    assert_eq!(base["indexedAt"], Value::Null);
    assert_ne!(base["lastIndex"]["finishedAt"], Value::Null);
    assert_eq!(base["lastIndex"]["registered"], 1);
    assert_eq!(base["lastIndex"]["problemCount"], 1);
}

async fn what_could_not_be_listed_is_told(mut lab: Lab) {
    // Nobody listens there any more.
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let bucket = format!(
        r#"{{far={{endpoint="http://127.0.0.1:{port}",access_key_id="key",secret_access_key="secret"}}}}"#
    );
    lab.set("LABQL_DATASETS__BUCKETS", bucket);
    let register = Register::open(lab, &["ada"]).await;
    let said = register.lab.run(&["index", "s3://far", "--json"]);
    assert!(!said.success, "{said:?}");
    let report: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(report["complete"], false, "{report}");
    assert_eq!(texts(&report["problems"], "source"), ["s3://far"]);
    // Where the service is, and what it says, is for the log.
    assert_eq!(
        report["problems"][0]["message"],
        "cannot be read at present: the storage does not answer as it should"
    );
    register.grant("ada", "s3://far", true, true).await;
    let index = "mutation { indexBaseUri(input: { uri: \"s3://far\" }) {
        finished complete problems { message } errors { message }
    } }";
    let mut answer = register.data("ada", index, json!({})).await;
    let answer = answer["indexBaseUri"].take();
    assert_eq!(
        (&answer["finished"], &answer["complete"]),
        (&json!(true), &json!(false))
    );
    let last = "{ baseUri(uri: \"s3://far\") { indexedAt lastIndex { complete } } }";
    let seen = register.data("ada", last, json!({})).await;
    let expected = json!({ "indexedAt": null, "lastIndex": { "complete": false } });
    assert_eq!(seen["baseUri"], expected);
}

async fn nothing_is_deleted_by_an_odd_uri(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://far", &[("ada", true, true)]).await;
    for uri in ["s3://far/a\0b", "s3://far/\0"] {
        let done = register.delete("ada", uri).await;
        assert_eq!(done, json!({ "uri": uri, "errors": [] }));
    }
}

#[tokio::test]
async fn a_folder_that_vanishes_is_not_empty() {
    let fixture = Fixture::new();
    fixture.write("base/x", "");
    let base = BaseUri::parse(&format!("{}/base", fixture.uri())).expect("a URI");
    let store = labql::datasets::readers::Store::open(&base, &fixture.settings).expect("a store");
    assert_eq!(list(&store).await, (Vec::new(), Vec::new()));
    fs::remove_dir_all(fixture.path("base")).expect("removed");
    let (names, problems) = list(&store).await;
    assert_eq!((names.len(), problems.len()), (0, 1), "{problems:?}");
    assert_eq!(problems[0].source, base.as_str());
}

/// What a service says is in the log alone: it may hold addresses and the ids of keys.
#[tokio::test]
async fn nothing_is_told_of_the_inside_of_a_service() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            let body = "<Error><Code>AccessDenied</Code><AWSAccessKeyId>secret-id</AWSAccessKeyId></Error>";
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let mut settings = StorageSettings::default();
    let bucket = BucketSettings {
        endpoint: Some(format!("http://{address}")),
        access_key_id: Some("key".to_owned()),
        secret_access_key: Some("secret".to_owned().into()),
        ..BucketSettings::default()
    };
    settings.buckets.insert("*".to_owned(), bucket);
    let base = BaseUri::parse("s3://lab").expect("a URI");
    let store = labql::datasets::readers::Store::open(&base, &settings).expect("a store");
    let (_, problems) = list(&store).await;
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let silent = "the storage does not answer as it should";
    assert_eq!(
        told,
        [format!("s3://lab: cannot be read at present: {silent}")]
    );
    let uri = store.dataset("00000000-0000-4000-8000-000000000000");
    let problem = store
        .survey(&uri.expect("a URI"))
        .await
        .expect_err("a problem");
    assert_eq!(problem.message, "cannot be read: the storage refuses");
}
