//! The sample templates, with the cases and answers of flowserv 0.9.4.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use labql::flows::arguments::{self, Argument, ArgumentCode, Arguments};
use labql::flows::commands::{self, RunCommands, WORKER_VARIABLES};
use labql::flows::ranking::{self, Ranked};
use labql::flows::results::{self, ResultValue};
use labql::flows::template::path::RelativePath;
use labql::flows::template::workflow::Workflow;
use labql::flows::template::{Choices, Template, read};
use serde_json::{Value, json};

/// What flowserv refuses by a defect of its own, and is right here.
const RIGHT_HERE: [(&str, &str); 1] = [("world_population", "bool_default_missing")];

fn samples() -> Vec<PathBuf> {
    let folder = std::env::var_os("LABQL_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = folder.join("flowserv");
    if !folder.exists() {
        println!("skipped: no sample data at {}", folder.display());
        return Vec::new();
    }
    let entries = fs::read_dir(folder).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

struct Sample {
    name: String,
    folder: PathBuf,
    template: Template,
    cases: Vec<Value>,
    expected: Value,
}

fn load(folder: &Path) -> Sample {
    let json = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let reading = read(folder, &Choices::default());
    let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, [""; 0], "{}", folder.display());
    Sample {
        name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
        template: reading.template.unwrap(),
        cases: json("cases.json")["runs"].as_array().unwrap().clone(),
        expected: json("expected.json"),
        folder: folder.to_owned(),
    }
}

/// The arguments of a case; an upload is known by its path.
fn given(case: &Value) -> Vec<Argument> {
    let value = |value: &Value| {
        if let Some(path) = value.get("$upload") {
            json!({"type": "$file", "value": {"fileId": path, "targetPath": value.get("target")}})
        } else if let Some(actor) = value.get("$actor") {
            actor.clone()
        } else if let Some(id) = value.get("$file_id") {
            id.clone()
        } else {
            value.clone()
        }
    };
    let pairs = case["arguments"].as_object().unwrap().iter();
    let argument = |(name, given): (&String, &Value)| Argument {
        name: name.clone(),
        value: value(given),
    };
    pairs.map(argument).collect()
}

/// Templates register without a word, and say what they said to flowserv.
#[test]
fn templates_are_understood_as_flowserv_does() {
    for folder in samples() {
        let sample = load(&folder);
        let (template, expected) = (&sample.template, &sample.expected["workflow"]);
        let text = |key: &str| expected[key].as_str().map(str::to_owned);
        assert_eq!(Some(&template.name), text("name").as_ref());
        assert_eq!(template.description, text("description"));
        assert_eq!(template.instructions, text("instructions"));
        let parameters = serde_json::to_value(&template.parameters).unwrap();
        assert_eq!(parameters, expected["parameters"], "{}", sample.name);
        let groups = serde_json::to_value(&template.parameter_groups).unwrap();
        let none = json!([]);
        assert_eq!(&groups, expected.get("parameterGroups").unwrap_or(&none));
        let files = template.files.iter().map(|file| json!(file.target));
        assert_eq!(files.collect::<Value>(), sample.expected["static_files"]);
        for file in &template.files {
            let size = fs::metadata(folder.join(file.source.as_str()))
                .unwrap()
                .len();
            assert_eq!(file.size_bytes, size);
        }
        // What is stored comes back.
        let stored = serde_json::to_string(template).unwrap();
        assert_eq!(
            &serde_json::from_str::<Template>(&stored).unwrap(),
            template
        );
    }
}

/// What flowserv rejects is rejected with the class that it has there, and nothing else is.
#[test]
fn arguments_are_rejected_as_flowserv_does() {
    let mut rejected = 0;
    for folder in samples() {
        let sample = load(&folder);
        for case in &sample.cases {
            let key = case["key"].as_str().unwrap();
            let error = &sample.expected["runs"][key]["rejected"]["error"];
            let checked = arguments::check(&sample.template, &[], &given(case));
            let is_right = RIGHT_HERE.contains(&(sample.name.as_str(), key));
            let Some(error) = error.as_str().filter(|_| !is_right) else {
                assert!(checked.is_ok(), "{key}: {checked:?}");
                continue;
            };
            let code = match error {
                "MissingArgumentError" => ArgumentCode::MissingArgument,
                "InvalidArgumentError" => ArgumentCode::InvalidArgument,
                "UnknownParameterError" => ArgumentCode::UnknownParameter,
                "DuplicateArgumentError" => ArgumentCode::DuplicateArgument,
                other => panic!("{other}"),
            };
            let problems = checked.expect_err(key);
            assert!(
                problems.iter().all(|it| it.code == code),
                "{key}: {problems:?}"
            );
            rejected += 1;
        }
    }
    println!("{rejected} cases were rejected");
}

/// The display data of the files of a run is that of flowserv.
#[test]
fn outputs_are_those_of_flowserv() {
    for folder in samples() {
        let sample = load(&folder);
        for run in sample.expected["runs"].as_object().unwrap().values() {
            let Some(files) = run["files"].as_object() else {
                continue;
            };
            assert_eq!(
                files.len(),
                sample.template.outputs.len(),
                "{}",
                sample.name
            );
            for output in &sample.template.outputs {
                let file = &files[&output.key];
                assert_eq!(file["path"], output.source.as_str());
                let shown = [
                    ("title", json!(output.title)),
                    ("caption", json!(output.caption)),
                    ("format", json!(output.format)),
                    ("widget", json!(output.widget)),
                ];
                for (key, value) in shown {
                    assert_eq!(file["display"][key], value, "{} {key}", output.key);
                }
            }
        }
    }
}

/// Whether commands are run in this environment: programs are `python3` and `sh`.
fn has_python() -> bool {
    Command::new("python3").arg("--version").output().is_ok()
}

/// What a run does, in a folder of its own: its state, and what it wrote.
fn execute(sample: &Sample, work: &Path, workflow: &Workflow, run: &RunCommands) -> bool {
    for file in &sample.template.files {
        copy(
            &sample.folder.join(file.source.as_str()),
            &work.join(file.target.as_str()),
        );
    }
    for (step, commands) in workflow.steps.iter().zip(&run.steps) {
        for output in step.outputs.iter().filter_map(RelativePath::folder) {
            fs::create_dir_all(work.join(output.as_str())).unwrap();
        }
        let Some(script) = commands.script() else {
            continue;
        };
        let ended = Command::new("/bin/sh")
            .args(["-c", &script])
            .current_dir(work)
            .env_clear()
            .envs(&run.environment)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .output()
            .unwrap();
        if !ended.status.success() {
            return false;
        }
    }
    true
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

fn worker() -> BTreeMap<String, String> {
    WORKER_VARIABLES
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The commands do what they do in flowserv: the same files, byte by byte; the same results; the same ranking; and the same
/// is made of the best.
#[test]
fn commands_do_what_they_do_in_flowserv() {
    if !has_python() {
        println!("skipped: there is no python3");
        return;
    }
    for folder in samples() {
        let sample = load(&folder);
        let mut results: Vec<(String, String, Vec<Option<ResultValue>>)> = Vec::new();
        let mut kept = BTreeMap::new();
        for case in &sample.cases {
            let key = case["key"].as_str().unwrap();
            let Ok(arguments) = arguments::check(&sample.template, &[], &given(case)) else {
                continue;
            };
            let (work, ended) = run_case(&sample, &arguments);
            let expected = &sample.expected["runs"][key];
            let is_right = RIGHT_HERE.contains(&(sample.name.as_str(), key));
            assert_eq!(ended, expected["state"] == "SUCCESS" || is_right, "{key}");
            if !ended || is_right {
                continue;
            }
            for output in &sample.template.outputs {
                let source = output.source.as_str();
                let golden = folder.join("expected").join(key).join(source);
                let written = fs::read(work.path().join(source)).unwrap();
                assert_eq!(written, fs::read(golden).unwrap(), "{key} {source}");
            }
            if let Some(schema) = &sample.template.results {
                let document = fs::read(work.path().join(schema.file.as_str())).unwrap();
                let values = results::read(schema, &document).unwrap();
                let group = case["group"].as_str().unwrap().to_owned();
                results.push((key.to_owned(), group, values));
            }
            kept.insert(key.to_owned(), work);
        }
        check_ranking(&sample, &results);
        check_post_processing(&sample, &results, &kept);
    }
}

fn run_case(sample: &Sample, arguments: &Arguments) -> (tempfile::TempDir, bool) {
    let work = tempfile::tempdir().unwrap();
    let run = commands::of_run(&sample.template.workflow, arguments, &worker());
    for upload in arguments.uploads() {
        copy(
            &sample.folder.join(&upload.upload),
            &work.path().join(upload.target.as_str()),
        );
    }
    let ended = execute(sample, work.path(), &sample.template.workflow, &run);
    (work, ended)
}

type Results = [(String, String, Vec<Option<ResultValue>>)];

fn ranked<'r>(sample: &Sample, results: &'r Results, includes_all: bool) -> Vec<Ranked<'r>> {
    let Some(schema) = &sample.template.results else {
        return Vec::new();
    };
    let runs = results
        .iter()
        .zip(0..)
        .map(|((run, group, values), ended_at)| Ranked {
            run,
            group,
            ended_at,
            values,
        });
    let order = ranking::order(schema, None).unwrap();
    ranking::rank(&order, runs.collect(), includes_all)
}

fn check_ranking(sample: &Sample, results: &Results) {
    let Some(schema) = &sample.template.results else {
        return;
    };
    for (key, includes_all) in [("ranking_best_per_group", false), ("ranking_all", true)] {
        let entry = |run: &Ranked<'_>| {
            let columns = schema.columns.iter().zip(run.values);
            let value = |value: &Option<ResultValue>| value.as_ref().map(ResultValue::json);
            let values: Value = columns
                .map(|(column, it)| (column.name.clone(), json!(value(it))))
                .collect();
            json!({"group": run.group, "run": run.run, "values": values})
        };
        let ranked = ranked(sample, results, includes_all);
        let ranked: Value = ranked.iter().map(entry).collect();
        assert_eq!(ranked, sample.expected[key], "{} {key}", sample.name);
    }
}

fn check_post_processing(
    sample: &Sample,
    results: &Results,
    kept: &BTreeMap<String, tempfile::TempDir>,
) {
    let Some(post) = &sample.template.post_processing else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let runs = ranked(sample, results, false);
    for run in &runs {
        for file in &post.files {
            let target = work
                .path()
                .join(post.folder.as_str())
                .join(run.run)
                .join(file);
            copy(&kept[run.run].path().join(file), &target);
        }
    }
    let list = post.list(runs.iter().map(|run| (run.run, run.group)));
    fs::write(
        work.path().join(post.list_path().as_str()),
        list.to_string(),
    )
    .unwrap();
    let run = commands::of_run(&post.workflow, &Arguments::default(), &worker());
    assert!(execute(sample, work.path(), &post.workflow, &run));
    let names: BTreeSet<&str> = post.outputs.iter().map(|it| it.source.as_str()).collect();
    let expected = sample.expected["postproc"]["files"].as_object().unwrap();
    assert_eq!(names, expected.keys().map(String::as_str).collect());
    for name in names {
        let golden = sample.folder.join("expected/postproc").join(name);
        let written = fs::read(work.path().join(name)).unwrap();
        assert_eq!(written, fs::read(golden).unwrap(), "{name}");
    }
}
