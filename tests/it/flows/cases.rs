//! The sample templates with the cases and answers of flowserv 0.9.4, run through the API on either executor.
//!
//! Two answers are others here, knowingly: a reference with `?` takes the default of its parameter, and so a run of
//! `world_population` is a success that flowserv left behind in PENDING; and what is printed by a program that ends with a
//! traceback is in the log as it was printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::caller::{Caller, id, run_input, states};
use super::ear::{Ear, is_made_of_best};
use super::lab::{Site, use_slurm};
use super::processes::until_none_is_left;
use crate::support::{Lab, slurm};

on_both_databases!(all_on_this_machine, all_by_slurm);

/// What flowserv refuses by a defect of its own, and is right here.
const RIGHT_HERE: (&str, &str) = ("world_population", "bool_default_missing");

/// The folder of the samples, if it is there.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LABQL_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = folder.join("flowserv");
    folder.exists().then_some(folder)
}

async fn all_on_this_machine(lab: Lab) {
    all(lab, "LOCAL").await;
}

async fn all_by_slurm(mut lab: Lab) {
    let Some(conf) = slurm::conf() else {
        return;
    };
    use_slurm(&mut lab, &conf);
    all(lab, "SLURM").await;
}

async fn all(lab: Lab, executor: &str) {
    let Some(folder) = folder() else {
        println!("skipped: there are no samples of flowserv");
        return;
    };
    let site = Site::open(lab, &["ann"]).await;
    let mut samples: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    samples.sort();
    assert_eq!(samples.len(), 6);
    join_all(samples.iter().map(|folder| sample(&site, folder, executor))).await;
    until_none_is_left(&site).await;
}

/// All of a template: its cases one after the other, what they are ranked, and what is made of the best.
async fn sample(site: &Site, folder: &Path, executor: &str) {
    let name = folder.file_name().expect("a name").to_string_lossy();
    let answer = site.register(folder).await;
    assert_eq!(answer["problems"], json!([]), "{name}: {answer}");
    let read = |file: &str| -> Value {
        let text = fs::read(folder.join(file)).expect("a file");
        serde_json::from_slice(&text).expect("JSON")
    };
    let (cases, expected) = (read("cases.json"), read("expected.json"));
    let sample = Sample {
        name: &name,
        folder,
        executor,
        caller: site.who("ann"),
        workflow: id(&answer["workflow"]),
        expected,
    };
    assert_eq!(
        answer["workflow"]["name"],
        sample.expected["workflow"]["name"]
    );
    let mut groups = BTreeMap::new();
    let mut runs = BTreeMap::new();
    for case in cases["runs"].as_array().expect("cases") {
        let group = case["group"].as_str().expect("a group");
        if !groups.contains_key(group) {
            let made = sample.caller.group(&sample.workflow, group, &[]).await;
            groups.insert(group, made);
        }
        let key = case["key"].as_str().expect("a key");
        if let Some(run) = sample.case(key, case, &groups[group]).await {
            runs.insert(run, key);
        }
    }
    for (includes_all, list) in [(false, "ranking_best_per_group"), (true, "ranking_all")] {
        let ranked = sample.ranked(includes_all, &runs).await;
        let none = json!([]);
        let wanted = sample.expected.get(list).unwrap_or(&none);
        assert_eq!(&ranked, wanted, "{name} {list}");
    }
    sample.post_processing().await;
}

struct Sample<'s> {
    name: &'s str,
    folder: &'s Path,
    executor: &'s str,
    caller: Caller,
    workflow: String,
    expected: Value,
}

impl Sample<'_> {
    /// Runs a case and compares what comes of it; gives the run, if there is one.
    async fn case(&self, key: &str, case: &Value, group: &str) -> Option<String> {
        let what = format!("{} {key}", self.name);
        let mut arguments = serde_json::Map::new();
        for (name, value) in case["arguments"].as_object().expect("arguments") {
            arguments.insert(name.clone(), self.argument(value, group).await);
        }
        let mut more = json!({ "group": group });
        if self.executor == "SLURM" {
            more["executor"] = json!("SLURM");
        }
        let input = run_input(&self.workflow, &arguments.into(), more);
        let answer = self.caller.tell("startRun", input).await;
        let expected = &self.expected["runs"][key];
        let is_right = RIGHT_HERE == (self.name, key);
        if let Some(class) = expected["rejected"]["error"].as_str()
            && !is_right
        {
            let code = match class {
                "MissingArgumentError" => "MISSING_ARGUMENT",
                "InvalidArgumentError" => "INVALID_ARGUMENT",
                "UnknownParameterError" => "UNKNOWN_PARAMETER",
                "DuplicateArgumentError" => "DUPLICATE_ARGUMENT",
                other => panic!("{other}"),
            };
            let errors = answer["argumentErrors"].as_array().expect("a list");
            assert!(
                answer["run"].is_null() && !errors.is_empty(),
                "{what}: {answer}"
            );
            assert!(
                errors.iter().all(|error| error["code"] == code),
                "{what}: {answer}"
            );
            return None;
        }
        assert!(answer["run"].is_object(), "{what}: {answer}");
        let run = self.caller.ended(&id(&answer["run"])).await;
        let log = self.caller.log(&id(&run)).await;
        assert_eq!(run["executor"], self.executor, "{what}");
        let state = if is_right {
            &json!("SUCCESS")
        } else {
            &expected["state"]
        };
        assert_eq!(&run["state"], state, "{what}: {run} {log}");
        if run["state"] == "ERROR" {
            assert_eq!(run["reason"], "STEP_FAILED", "{what}: {run}");
            assert_eq!(run["files"], json!([]), "{what}");
            assert!(states(&run).contains(&"ERROR"), "{what}: {run}");
            for message in expected["messages"].as_array().expect("messages") {
                let message = message.as_str().expect("a text");
                let said = message.trim_start_matches("<traceback> ");
                assert!(log.contains(said), "{what}: {said:?} in {log}");
            }
        } else if !is_right {
            self.files(key, &run, &expected["files"]).await;
        }
        Some(id(&run))
    }

    async fn argument(&self, value: &Value, group: &str) -> Value {
        if let Some(path) = value["$upload"].as_str() {
            let content = fs::read(self.folder.join(path)).expect("a file");
            let name = path.rsplit('/').next().expect("a name");
            let upload = self.caller.upload(group, name, content).await;
            return match value.get("target") {
                Some(target) => json!({ "type": "$file", "value": {
                    "fileId": upload["id"], "targetPath": target,
                } }),
                None => upload["id"].clone(),
            };
        }
        value.get("$actor").unwrap_or(value).clone()
    }

    /// The files of a run are those that flowserv kept, to the byte, and with what is shown of them.
    async fn files(&self, key: &str, run: &Value, expected: &Value) {
        let files = run["files"].as_array().expect("files");
        let expected = expected.as_object().expect("files");
        assert_eq!(files.len(), expected.len(), "{} {key}: {run}", self.name);
        for file in files {
            let name = file["name"].as_str().expect("a name");
            let what = format!("{} {key} {name}", self.name);
            let wanted = &expected[name];
            assert_eq!(file["checksum"], wanted["sha256"], "{what}");
            assert_eq!(
                file["sizeBytes"].as_f64(),
                wanted["size"].as_f64(),
                "{what}"
            );
            // Python knows no type of a `.log`.
            if !wanted["mime_type"].is_null() {
                assert_eq!(file["mediaType"], wanted["mime_type"], "{what}");
            }
            for field in ["title", "caption", "format", "widget"] {
                assert_eq!(file[field], wanted["display"][field], "{what} {field}");
            }
            let path = wanted["path"].as_str().expect("a path");
            assert_eq!(file["path"], path, "{what}");
            let golden = fs::read(self.folder.join("expected").join(key).join(path));
            let bytes = self
                .caller
                .bytes(file["url"].as_str().expect("a URL"))
                .await;
            assert_eq!(bytes, golden.expect("a file"), "{what}");
        }
    }

    /// The ranking, with the keys of runs.
    async fn ranked(&self, includes_all: bool, runs: &BTreeMap<String, &str>) -> Value {
        let query = "query($id: ID!, $all: Boolean) { workflow(id: $id) {
            ranking(includeAll: $all, first: 50) { totalCount nodes {
                rank run { id } group { name } results { name value }
            } }
        } }";
        let variables = json!({ "id": self.workflow, "all": includes_all });
        let data = self.caller.data(query, variables).await;
        let ranking = &data["workflow"]["ranking"];
        let Some(nodes) = ranking["nodes"].as_array() else {
            return json!([]);
        };
        assert_eq!(ranking["totalCount"], nodes.len(), "{ranking}");
        let entry = |(place, node): (usize, &Value)| {
            assert_eq!(node["rank"], place + 1, "{ranking}");
            let values = node["results"].as_array().expect("results").iter();
            let values = values.map(|result| {
                let name = result["name"].as_str().expect("a name").to_owned();
                (name, result["value"].clone())
            });
            let values: serde_json::Map<String, Value> = values.collect();
            let run = runs[node["run"]["id"].as_str().expect("an id")];
            json!({ "group": node["group"]["name"], "run": run, "values": values })
        };
        nodes.iter().enumerate().map(entry).collect()
    }

    /// What is made of the best runs is what flowserv made of them; what was made before may be there still.
    async fn post_processing(&self) {
        let query = "query($id: ID!) { workflow(id: $id) {
            postProcessing { id state kind group { id } files { name sizeBytes checksum url } }
        } }";
        let Some(expected) = self.expected.get("postproc") else {
            let data = self
                .caller
                .data(query, json!({ "id": self.workflow }))
                .await;
            assert!(data["workflow"]["postProcessing"].is_null(), "{data}");
            return;
        };
        let wanted: BTreeMap<&str, &Value> = expected["files"]
            .as_object()
            .expect("files")
            .iter()
            .map(|(name, file)| (name.as_str(), &file["sha256"]))
            .collect();
        // It is made anew after the last run, if that changed the best.
        let mut ear = Ear::of(&self.caller, json!({ "workflow": self.workflow })).await;
        loop {
            ear.until(is_made_of_best).await;
            let data = self
                .caller
                .data(query, json!({ "id": self.workflow }))
                .await;
            let run = &data["workflow"]["postProcessing"];
            let files = run["files"].as_array().expect("files").iter();
            let told: BTreeMap<&str, &Value> = files
                .clone()
                .map(|file| (file["name"].as_str().expect("a name"), &file["checksum"]))
                .collect();
            if told != wanted {
                continue;
            }
            assert_eq!(run["state"], expected["state"], "{run}");
            assert_eq!(
                (&run["kind"], &run["group"]),
                (&json!("POST_PROCESSING"), &Value::Null)
            );
            for file in files {
                let name = file["name"].as_str().expect("a name");
                let golden = fs::read(self.folder.join("expected/postproc").join(name));
                let bytes = self
                    .caller
                    .bytes(file["url"].as_str().expect("a URL"))
                    .await;
                assert_eq!(hex::encode(Sha256::digest(&bytes)), file["checksum"]);
                assert_eq!(bytes, golden.expect("a file"), "{} {name}", self.name);
            }
            return;
        }
    }
}
