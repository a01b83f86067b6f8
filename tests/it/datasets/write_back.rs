//! Tags, annotations and READMEs that are changed where datasets lie.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::{Value, json};

use super::Register;
use super::dtool::{self, BUCKET, S3};
use super::fixture::{link, outside};
use super::folder::{BASE, Folder};
use crate::support::Lab;
use crate::support::client::{get, header, http};

on_both_databases!(
    a_folder_is_changed_as_dtool_does,
    who_may_read_a_readme_stays,
    a_readme_that_is_too_large_is_not_replaced,
    what_cannot_be_written_stays
);

impl Register {
    async fn write(&self, who: &str, mutation: &str, name: &str, fields: Value) -> Value {
        let input = mutation[..1].to_uppercase() + &mutation[1..];
        let query = format!(
            "mutation($input: {input}Input!) {{ {mutation}(input: $input) {{
                written dataset {{ tags annotations readme {{ text }} }} errors {{ code field message }}
            }} }}"
        );
        let mut sent = fields;
        sent["uri"] = json!(format!("{BASE}/{name}"));
        self.data(who, &query, json!({ "input": sent })).await[mutation].take()
    }
}

async fn a_folder_is_changed_as_dtool_does(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    folder.write("a/.dtool/tags/old", "");
    folder.write("a/.dtool/annotations/gone.json", "1");
    let register = Register::open(lab, &["ada", "bob", "eve"]).await;
    register.index_folder();
    register.grant_folder("ada", true, true).await;
    register.grant_folder("bob", true, false).await;
    register.grant_folder("eve", false, true).await;

    let add = json!({ "add": ["new", "old"], "remove": ["never"] });
    for _ in 0..2 {
        let done = register
            .write("ada", "updateDatasetTags", "a", add.clone())
            .await;
        assert_eq!(
            (&done["written"], &done["errors"]),
            (&json!(true), &json!([]))
        );
        assert_eq!(done["dataset"]["tags"], json!(["new", "old"]));
        assert_eq!(folder.names("a/.dtool/tags"), ["new", "old"]);
    }
    let only = json!({ "tags": ["only"], "add": ["also"] });
    register.write("ada", "updateDatasetTags", "a", only).await;
    assert_eq!(folder.names("a/.dtool/tags"), ["also", "only"]);

    let values =
        json!({ "set": { "a.b": null, "n": 1.5, "o": { "ü": [true] } }, "remove": ["gone"] });
    let done = register
        .write("ada", "updateDatasetAnnotations", "a", values.clone())
        .await;
    assert_eq!(done["dataset"]["annotations"], values["set"]);
    let names = ["a.b.json", "n.json", "o.json"];
    assert_eq!(folder.names("a/.dtool/annotations"), names);
    for name in names {
        let written: Value =
            serde_json::from_str(&folder.read(&format!("a/.dtool/annotations/{name}")))
                .expect("JSON");
        assert_eq!(written, values["set"][name.trim_end_matches(".json")]);
    }

    fs::set_permissions(
        folder.path("a/README.yml"),
        fs::Permissions::from_mode(0o640),
    )
    .expect("set");
    for _ in 0..2 {
        let text = json!({ "text": "project: ü\n" });
        let done = register
            .write("ada", "updateDatasetReadme", "a", text)
            .await;
        assert_eq!(done["dataset"]["readme"]["text"], "project: ü\n");
    }
    assert_eq!(folder.read("a/README.yml"), "project: ü\n");
    let mode = fs::metadata(folder.path("a/README.yml"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let names = folder.names("a");
    let kept: Vec<_> = names
        .iter()
        .filter(|name| name.starts_with("README.yml-"))
        .collect();
    assert_eq!(kept.len(), 1, "{names:?}");
    assert_eq!(
        folder.read(&format!("a/{}", kept[0])),
        "---\nproject: Tests\n"
    );
    let time = kept[0].trim_start_matches("README.yml-").parse::<f64>();
    assert!(time.is_ok_and(|time| time > 1e9));
    assert_eq!(
        folder.names("a/.dtool"),
        ["annotations", "dtool", "manifest.json", "tags"]
    );

    // What lies there is read once more, and says the same.
    let shown = "tags annotations readme { text }";
    let before = register.in_folder("ada", "a", shown).await;
    assert_eq!(register.index_folder()["updated"], 1);
    assert_eq!(register.in_folder("ada", "a", shown).await, before);
    assert_eq!(register.index_folder()["unchanged"], 1);

    // Who may search alone, or register alone, changes nothing.
    for who in ["bob", "eve"] {
        let done = register
            .write(who, "updateDatasetTags", "a", json!({ "tags": [] }))
            .await;
        assert_eq!(done["errors"][0]["code"], "NOT_FOUND");
    }
    assert_eq!(folder.names("a/.dtool/tags"), ["also", "only"]);

    // A change of files that the register does not learn of: it is read again.
    register
        .write("ada", "updateDatasetTags", "a", json!({ "add": ["x"] }))
        .await;
    fs::remove_file(folder.path("a/.dtool/tags/x")).expect("removed");
    assert_eq!(register.index_folder()["updated"], 1);
    assert_eq!(
        register.in_folder("ada", "a", "tags").await["tags"],
        json!(["also", "only"])
    );
}

async fn what_cannot_be_written_stays(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    folder.dataset("b");
    let register = Register::open(lab, &["ada"]).await;
    register.index_folder();
    register.grant_folder("ada", true, true).await;

    // A link out of the dataset is not followed.
    let (kept, _) = outside("x");
    link(kept.path(), &folder.path("a/.dtool/tags"));
    let done = register
        .write("ada", "updateDatasetTags", "a", json!({ "tags": ["x"] }))
        .await;
    assert_eq!(done["errors"][0]["code"], "CONFLICT", "{done}");
    assert_eq!(fs::read_dir(kept.path()).expect("a folder").count(), 1);
    assert_eq!(
        register.in_folder("ada", "a", "tags").await["tags"],
        json!([])
    );
    for (fields, field) in [
        (json!({ "add": ["../x"] }), "add"),
        (json!({ "tags": ["a/b"] }), "tags"),
        (json!({ "remove": [".."], "add": ["ok", ""] }), "add"),
        (json!({ "remove": ["x"], "add": ["x"] }), "remove"),
    ] {
        let done = register
            .write("ada", "updateDatasetTags", "b", fields)
            .await;
        assert_eq!(done["errors"][0]["code"], "BAD_INPUT");
        assert_eq!(done["errors"][0]["field"], field);
    }
    // A dataset that is gone, and is registered still: only the register can be changed.
    fs::remove_dir_all(folder.path("b")).expect("removed");
    let done = register
        .write("ada", "updateDatasetTags", "b", json!({ "tags": ["x"] }))
        .await;
    assert_eq!(
        (&done["written"], &done["dataset"]["tags"]),
        (&json!(false), &json!(["x"]))
    );
    assert!(!folder.path("b").exists());
}

async fn who_may_read_a_readme_stays(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    let readme = folder.path("a/README.yml");
    fs::set_permissions(&readme, fs::Permissions::from_mode(0o640)).expect("set");
    if std::os::unix::fs::chown(&readme, Some(12_345), Some(12_346)).is_err() {
        println!("skipped: only root gives files away");
        return;
    }
    let register = Register::open(lab, &["ada"]).await;
    register.index_folder();
    register.grant_folder("ada", true, true).await;
    let text = json!({ "text": "project: new" });
    let done = register
        .write("ada", "updateDatasetReadme", "a", text)
        .await;
    assert_eq!(done["written"], true, "{done}");
    let names = folder.names("a");
    let kept: Vec<_> = names
        .iter()
        .filter(|name| name.starts_with("README.yml"))
        .collect();
    assert_eq!(kept.len(), 2, "{names:?}");
    for name in kept {
        let file = fs::metadata(folder.path(&format!("a/{name}"))).expect("a file");
        let who = (file.uid(), file.gid(), file.permissions().mode() & 0o777);
        assert_eq!(who, (12_345, 12_346, 0o640), "{name}");
    }
}

async fn a_readme_that_is_too_large_is_not_replaced(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("a");
    let register = Register::open(lab, &["ada"]).await;
    register.index_folder();
    register.grant_folder("ada", true, true).await;
    // It takes no room, and would take all memory.
    let readme = fs::File::create(folder.path("a/README.yml")).expect("a file");
    readme.set_len(1 << 40).expect("a size");
    let text = json!({ "text": "project: new" });
    let done = register
        .write("ada", "updateDatasetReadme", "a", text)
        .await;
    assert_eq!(done["errors"][0]["code"], "CONFLICT", "{done}");
    let message = done["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("is too large"), "{message}");
    assert_eq!(folder.names("a"), [".dtool", "README.yml", "data"]);
}

/// What dtool itself reads of a dataset in the bucket.
const AS_DTOOL_READS: &str = "
import json, sys, warnings
warnings.filterwarnings('ignore')
import dtoolcore
it = dtoolcore.DataSet.from_uri(sys.argv[1])
told = [sorted(it.list_tags()), {n: it.get_annotation(n) for n in it.list_annotation_names()}, it.get_readme_content()]
json.dump(told, sys.stdout)
";

#[tokio::test]
async fn a_bucket_is_signed_for_and_changed() {
    let Some(python) = dtool::python() else {
        return;
    };
    let server = S3::start(&python);
    let base = format!("s3://{BUCKET}");
    let told = dtool::make(&python, &base, Some(&server.endpoint), "");
    let told = told
        .iter()
        .find(|it| it["admin_metadata"]["name"] == "from-the-library")
        .expect("a dataset");
    let uri = told["uri"].as_str().expect("a URI");
    let mut lab = Lab::sqlite();
    let buckets = format!(
        r#"{{{BUCKET}={{endpoint="{}",access_key_id="key",secret_access_key="secret"}}}}"#,
        server.endpoint
    );
    lab.set("LABQL_DATASETS__BUCKETS", buckets);
    let register = Register::open(lab, &["ada"]).await;
    register.lab.done(&["index", &base]);
    register.grant("ada", &base, true, true).await;

    let query = "query($uri: String!) { dataset(uri: $uri) {
        signedUrls { expiresAt adminMetadata manifest readme overlays { name url } annotations { name url } }
        manifest { items { nodes { relpath url signedUrl } } }
    } }";
    let found = register.data("ada", query, json!({ "uri": uri })).await;
    let signed = &found["dataset"]["signedUrls"];
    let text = async |url: &Value| {
        let url = url.as_str().expect("a URL").to_owned();
        let answer = http().get(url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.text().await.expect("text")
    };
    assert_eq!(
        text(&signed["readme"]).await,
        told["readme"].as_str().expect("text")
    );
    let manifest: Value = serde_json::from_str(&text(&signed["manifest"]).await).expect("JSON");
    assert_eq!(manifest["items"], told["manifest"]["items"]);
    let admin: Value = serde_json::from_str(&text(&signed["adminMetadata"]).await).expect("JSON");
    assert_eq!(admin["uuid"], told["admin_metadata"]["uuid"]);
    for (kind, of) in [("overlays", "overlays"), ("annotations", "annotations")] {
        let named = signed[kind].as_array().expect("a list");
        assert_eq!(named.len(), told[of].as_object().expect("an object").len());
        for it in named {
            let value: Value = serde_json::from_str(&text(&it["url"]).await).expect("JSON");
            assert_eq!(value, told[of][it["name"].as_str().expect("a name")]);
        }
    }
    for item in found["dataset"]["manifest"]["items"]["nodes"]
        .as_array()
        .expect("items")
    {
        assert_eq!(
            text(&item["signedUrl"]).await,
            item["relpath"].as_str().expect("text")
        );
        let token = format!("Bearer {}", register.token("ada"));
        let headers = [("authorization", token.as_str())];
        let answer = get(
            &register.server,
            item["url"].as_str().expect("a URL"),
            &headers,
        )
        .await;
        assert_eq!(answer.status(), 307);
        let location = json!(header(answer.headers(), "location"));
        assert_eq!(
            text(&location).await,
            item["relpath"].as_str().expect("text")
        );
    }

    let change = "mutation($uri: String!, $annotations: JSON!) {
        updateDatasetTags(input: { uri: $uri, add: [\"b\", \"a\"] }) { written errors { message } }
        updateDatasetAnnotations(input: { uri: $uri, set: $annotations, remove: [\"whole\"] }) { written errors { message } }
        updateDatasetReadme(input: { uri: $uri, text: \"project: ü\" }) { written errors { message } }
    }";
    let variables = json!({ "uri": uri, "annotations": { "text": [1, "ü"] } });
    let done = register.data("ada", change, variables).await;
    for (_, payload) in done.as_object().expect("payloads") {
        assert_eq!(*payload, json!({ "written": true, "errors": [] }));
    }
    let arguments = ["-c".as_ref(), AS_DTOOL_READS.as_ref(), uri.as_ref()];
    let read = dtool::run(&python, &arguments, Some(&server.endpoint), "");
    assert_eq!(read[0], json!(["a", "b"]));
    let mut annotations = told["annotations"].clone();
    annotations
        .as_object_mut()
        .expect("an object")
        .remove("whole");
    annotations["text"] = json!([1, "ü"]);
    assert_eq!(read[1], annotations);
    assert_eq!(read[2], "project: ü");
    let dotted = "mutation($uri: String!) {
        updateDatasetAnnotations(input: { uri: $uri, set: { a_b: 1 }, remove: [\"a.b\"] }) { written errors { message } }
        refused: updateDatasetAnnotations(input: { uri: $uri, set: $annotations }) { errors { code message } }
    }";
    let dotted = dotted.replace("($uri: String!)", "($uri: String!, $annotations: JSON!)");
    let variables = json!({ "uri": uri, "annotations": { "a.b": 1 } });
    let done = register.data("ada", &dotted, variables).await;
    assert_eq!(done["updateDatasetAnnotations"]["errors"], json!([]));
    assert_eq!(done["refused"]["errors"][0]["code"], "CONFLICT");
    let shown = "query($uri: String!) { dataset(uri: $uri) { tags annotations readme { text } } }";
    let before = register.data("ada", shown, json!({ "uri": uri })).await;
    register.lab.done(&["index", &base]);
    let after = register.data("ada", shown, json!({ "uri": uri })).await;
    assert_eq!(before, after);
}
