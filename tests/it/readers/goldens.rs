//! The readers on a real Autosubmit root, against what Autosubmit API 4.2.0 answers on it.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use labql::experiments::{
    readers::{
        CentralExperiment, ExperimentRecord, Expid, JobListForm, JobRecord, LogFolder, LogStream,
        Part, Root, newest_log, read_central, read_experiment, read_structure, tail,
    },
    status::JobStatus,
};
use serde_json::Value;

use crate::support::shared_data as shared;

const EXPIDS: [&str; 12] = [
    "a000", "a001", "a002", "a003", "a1ve", "a1vj", "a3tb", "a6zj", "aa6f", "c000", "d000", "o000",
];

fn golden(shared: &Path, expid: &str, name: &str) -> Value {
    let path = shared.join(format!("autosubmit-golden/{expid}__{name}.json"));
    serde_json::from_slice(&fs::read(&path).expect("a golden answer")).expect("JSON")
}

fn all(shared: &Path) -> (Root, Vec<(CentralExperiment, ExperimentRecord)>) {
    let root = Root::new(shared.join("autosubmit")).expect("a root");
    let central = read_central(&root).expect("central databases");
    assert_eq!(central.problems, []);
    let records = central.experiments.into_iter().map(|experiment| {
        let version = experiment.autosubmit_version.as_deref();
        let record = read_experiment(&root, &experiment.expid, version);
        (experiment, record)
    });
    let records = records.collect();
    (root, records)
}

fn each(check: impl Fn(&Path, &str, &CentralExperiment, &ExperimentRecord)) {
    let Some(shared) = shared() else { return };
    let (_, records) = all(&shared);
    assert_eq!(records.len(), EXPIDS.len());
    for (experiment, record) in &records {
        check(&shared, experiment.expid.as_str(), experiment, record);
    }
}

fn known<T>(part: &Part<Vec<T>>) -> &[T] {
    part.known().expect("a part that is not broken")
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn jobs(record: &ExperimentRecord) -> &[JobRecord] {
    &record.job_list.as_ref().expect("a job list").jobs
}

#[test]
fn nothing_is_wrong_with_real_experiments() {
    each(|_, expid, _, record| assert_eq!(record.problems, [], "{expid}"));
}

#[test]
fn experiments_equal_the_answers() {
    let Some(shared) = shared() else { return };
    let (_, records) = all(&shared);
    let answer = golden(&shared, "_all", "v4_experiments_all");
    let items = answer["experiments"].as_array().expect("experiments");
    assert_eq!(items.len(), records.len());
    for item in items {
        let expid = item["name"].as_str().expect("a name");
        let (experiment, record) = records
            .iter()
            .find(|(experiment, _)| experiment.expid.as_str() == expid)
            .expect("an experiment");
        assert_eq!(Some(experiment.id), item["id"].as_i64(), "{expid}");
        let details = experiment.details.present().cloned().unwrap_or_default();
        assert_eq!(details.owner.as_deref(), text(&item["user"]), "{expid}");
        assert_eq!(
            experiment.description.as_deref(),
            text(&item["description"]),
            "{expid}"
        );
        assert_eq!(details.hpc.as_deref(), text(&item["hpc"]), "{expid}");
        assert_eq!(
            experiment.autosubmit_version.as_deref(),
            text(&item["version"]),
            "{expid}"
        );
        assert_eq!(
            experiment.running == Part::Present(true),
            item["status"] == "RUNNING",
            "{expid}"
        );
        // The answer repeats the stored text; old rows have no zone.
        let created = text(&item["created"]).is_some();
        assert_eq!(details.created_at.is_some(), created, "{expid}");
        // Times of files depend on the copy of the data; the SQLite form carries its own.
        if expid == "d000" {
            let modified = text(&item["modified"])
                .expect("a time")
                .parse::<chrono::DateTime<chrono::Utc>>();
            assert_eq!(
                record.job_list.as_ref().and_then(|list| list.modified_at),
                modified.ok()
            );
        }
        // Counters of the last run.
        let counters = known(&record.runs).last().filter(|run| run.total > 0);
        for (name, count) in [
            ("completed", counters.map_or(0, |run| run.completed)),
            ("total", counters.map_or(0, |run| run.total)),
            ("submitted", counters.map_or(0, |run| run.submitted)),
            ("queuing", counters.map_or(0, |run| run.queuing)),
            ("running", counters.map_or(0, |run| run.running)),
            ("failed", counters.map_or(0, |run| run.failed)),
            ("suspended", counters.map_or(0, |run| run.suspended)),
        ] {
            assert_eq!(Some(count), item[name].as_i64(), "{expid} {name}");
        }
    }
}

#[test]
fn counts_equal_the_answers() {
    each(|shared, expid, _, record| {
        let answer = golden(shared, expid, "v3_expcount");
        for status in JobStatus::ALL {
            let count = jobs(record)
                .iter()
                .filter(|job| job.status == status)
                .count();
            assert_eq!(
                Some(count as u64),
                answer["counters"][status.as_str()].as_u64(),
                "{expid} {status}"
            );
        }
        assert_eq!(
            Some(jobs(record).len() as u64),
            answer["total"].as_u64(),
            "{expid}"
        );
    });
}

#[test]
fn jobs_equal_the_answers() {
    each(|shared, expid, _, record| {
        let answer = golden(shared, expid, "v4_jobs");
        let items = answer["jobs"].as_array().expect("jobs");
        assert_eq!(items.len(), jobs(record).len(), "{expid}");
        let by_name: BTreeMap<_, _> = jobs(record)
            .iter()
            .map(|job| (job.name.as_str(), job))
            .collect();
        let form = record.job_list.as_ref().expect("a job list").form;
        for item in items {
            let name = item["name"].as_str().expect("a name");
            let job = by_name
                .get(name)
                .unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(Some(job.status.as_str()), item["status"].as_str(), "{name}");
            assert_eq!(job.priority, item["priority"].as_i64(), "{name}");
            assert_eq!(job.section.as_deref(), text(&item["section"]), "{name}");
            assert_eq!(
                job.date.map(|date| date.date().to_string()).as_deref(),
                text(&item["date"]),
                "{name}"
            );
            assert_eq!(job.member.as_deref(), text(&item["member"]), "{name}");
            assert_eq!(job.chunk, item["chunk"].as_i64(), "{name}");
            for (ours, theirs) in [(job.split, &item["split"]), (job.splits, &item["splits"])] {
                match form {
                    // The old API does not see the splits of the graph form at all.
                    JobListForm::Graph => assert!(theirs.is_null(), "{name}"),
                    // It gives -1 for none in the SQLite form.
                    _ => assert_eq!(ours, theirs.as_i64().filter(|split| *split > 0), "{name}"),
                }
            }
            for (ours, theirs) in [
                (&job.out_local, "out_path_local"),
                (&job.err_local, "err_path_local"),
            ] {
                assert_eq!(ours.as_deref(), text(&item[theirs]), "{name} {theirs}");
            }
        }
    });
}

#[test]
fn remote_ids_equal_the_answers() {
    each(|shared, expid, _, record| {
        let answer = golden(shared, expid, "v3_pklinfo");
        for item in answer["pkl_content"].as_array().into_iter().flatten() {
            let job = jobs(record)
                .iter()
                .find(|job| Some(job.name.as_str()) == item["name"].as_str());
            let ours = job.expect("a job").remote_id;
            assert_eq!(
                ours,
                item["rm_id"].as_i64().filter(|id| *id > 0),
                "{expid} {}",
                item["name"]
            );
        }
    });
}

#[test]
fn splits_of_the_graph_form_are_found() {
    each(|_, expid, _, record| {
        let split = |name: &str| {
            let job = jobs(record)
                .iter()
                .find(|job| job.name == name)
                .expect("a job");
            (job.split, job.splits)
        };
        match expid {
            "a1ve" => assert_eq!(split("a1ve_3_POST"), (Some(3), Some(3))),
            "c000" => {
                assert_eq!(split("c000_20200101_fc0_1_2_POST"), (Some(2), Some(2)));
                assert_eq!(split("c000_LOCAL_SETUP"), (None, None));
            }
            _ => {}
        }
    });
}

#[test]
fn neighbours_equal_the_answers() {
    let Some(shared) = shared() else { return };
    let index = fs::read_to_string(shared.join("autosubmit-golden/_index.tsv")).expect("an index");
    let (root, records) = all(&shared);
    let mut compared = 0;
    for (experiment, record) in &records {
        let expid = experiment.expid.as_str();
        for (kind, field) in [
            ("v4_job_parents", "parents"),
            ("v4_job_children", "children"),
        ] {
            let key = format!("{expid}__{kind}");
            let line = index
                .lines()
                .find(|line| line.contains(&key))
                .expect("an index line");
            let job = line
                .split(['/', '\t', '?', ' '])
                .skip_while(|part| *part != "jobs")
                .nth(1)
                .expect("a job");
            let answer = golden(&shared, expid, kind);
            let Some(items) = answer[field].as_array() else {
                // Without a structure database the old API fails; the graph form has the edges itself.
                assert_eq!(expid, "a1ve");
                assert_eq!(known(&record.edges).len(), 11);
                continue;
            };
            let theirs: BTreeSet<_> = items
                .iter()
                .filter_map(|item| item["job_name"].as_str())
                .collect();
            let ours: BTreeSet<_> = known(&record.edges)
                .iter()
                .filter_map(|edge| match field {
                    "parents" => (edge.to == job).then_some(edge.from.as_str()),
                    _ => (edge.from == job).then_some(edge.to.as_str()),
                })
                .collect();
            assert_eq!(ours, theirs, "{expid} {field} of {job}");
            compared += 1;
        }
        if let Ok(structure) = read_structure(&root, &experiment.expid) {
            assert_eq!(structure.problems, []);
        }
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn edges_of_the_graph_form_equal_the_structure_database() {
    each(|_, expid, _, record| {
        if expid == "c000" {
            let own = record
                .job_list
                .as_ref()
                .and_then(|list| list.edges.clone())
                .expect("edges");
            let pairs = |edges: &[labql::experiments::readers::Edge]| -> BTreeSet<_> {
                edges
                    .iter()
                    .map(|edge| (edge.from.clone(), edge.to.clone()))
                    .collect()
            };
            assert_eq!(pairs(&own), pairs(known(&record.edges)));
            assert_eq!(own.len(), 68);
        }
    });
}

#[test]
fn runs_equal_the_answers() {
    each(|shared, expid, _, record| {
        let answer = golden(shared, expid, "v4_runs");
        let items = answer["runs"].as_array().expect("runs");
        assert_eq!(items.len(), known(&record.runs).len(), "{expid}");
        for item in items {
            let run = known(&record.runs)
                .iter()
                .find(|run| Some(run.run_id) == item["run_id"].as_i64())
                .expect("a run");
            let time = |field: &str| text(&item[field]).map(|time| time.parse().expect("a time"));
            assert_eq!(run.started_at, time("start"), "{expid} run {}", run.run_id);
            assert_eq!(
                run.finished_at,
                time("finish"),
                "{expid} run {}",
                run.run_id
            );
            assert!(run.created_at.is_some(), "{expid} run {}", run.run_id);
        }
        let answer = golden(shared, expid, "v3_runs");
        for item in answer["runs"].as_array().into_iter().flatten() {
            let run = known(&record.runs)
                .iter()
                .find(|run| Some(run.run_id) == item["run_id"].as_i64())
                .expect("a run");
            assert_eq!(Some(run.total), item["total"].as_i64(), "{expid}");
            assert_eq!(Some(run.completed), item["completed"].as_i64(), "{expid}");
            assert_eq!(Some(run.suspended), item["suspended"].as_i64(), "{expid}");
            assert_eq!(
                run.chunk_unit.as_deref(),
                text(&item["chunk_unit"]),
                "{expid}"
            );
            assert_eq!(run.chunk_size, item["chunk_size"].as_i64(), "{expid}");
        }
    });
}

#[test]
fn attempts_equal_the_answers() {
    let Some(shared) = shared() else { return };
    let index = fs::read_to_string(shared.join("autosubmit-golden/_index.tsv")).expect("an index");
    let compared = Cell::new(0);
    each(|shared, expid, _, record| {
        let key = format!("{expid}__v3_history");
        let line = index
            .lines()
            .find(|line| line.contains(&key))
            .expect("an index line");
        let job = line
            .split(['/', '\t', '?', ' '])
            .skip_while(|part| *part != expid)
            .nth(1)
            .expect("a job");
        let answer = golden(shared, expid, "v3_history");
        let items = answer["history"].as_array().cloned().unwrap_or_default();
        let ours: Vec<_> = known(&record.attempts)
            .iter()
            .filter(|attempt| attempt.job_name == job)
            .collect();
        assert_eq!(ours.len(), items.len(), "{expid} {job}");
        for item in items {
            let counter = item["counter"].as_i64();
            let ours = ours
                .iter()
                .find(|attempt| Some(attempt.counter) == counter)
                .expect("an attempt");
            compared.set(compared.get() + 1);
            let status = text(&item["status"]).and_then(JobStatus::from_name);
            assert_eq!(ours.status, status, "{job}");
            for (ours, theirs) in [
                (ours.submitted_at, "submit"),
                (ours.started_at, "start"),
                (ours.finished_at, "finish"),
            ] {
                let theirs = text(&item[theirs]).filter(|time| !matches!(*time, "NA" | "None"));
                assert_eq!(
                    ours,
                    theirs.map(|time| time.parse().expect("a time")),
                    "{job}"
                );
            }
            assert_eq!(ours.ncpus, item["ncpus"].as_i64(), "{job}");
            assert_eq!(ours.wallclock.as_deref(), text(&item["wallclock"]), "{job}");
            assert_eq!(ours.qos.as_deref(), text(&item["qos"]), "{job}");
            assert_eq!(ours.platform.as_deref(), text(&item["platform"]), "{job}");
            assert_eq!(
                ours.remote_id,
                item["job_id"].as_i64().filter(|id| *id > 0),
                "{job}"
            );
            assert_eq!(ours.nnodes, item["nodes"].as_i64(), "{job}");
            assert_eq!(ours.energy, item["energy"].as_f64(), "{job}");
            assert_eq!(ours.run_id, item["run_id"].as_i64(), "{job}");
            assert_eq!(ours.out.as_deref(), text(&item["out"]), "{job}");
            assert_eq!(ours.err.as_deref(), text(&item["err"]), "{job}");
        }
    });
    assert!(compared.get() > 30, "{}", compared.get());
}

#[test]
fn wrappers_equal_the_answers() {
    each(|shared, expid, _, record| {
        let answer = golden(shared, expid, "v4_wrappers");
        let Some(items) = answer["wrappers"].as_array() else {
            // The old API fails on 4.2.0 job lists that were never previewed.
            assert_eq!(expid, "d000");
            assert_eq!(known(&record.wrappers), []);
            return;
        };
        let theirs: BTreeMap<_, BTreeSet<_>> = items
            .iter()
            .map(|item| {
                let jobs = item["job_names"]
                    .as_array()
                    .expect("jobs")
                    .iter()
                    .filter_map(Value::as_str)
                    .collect();
                (item["wrapper_name"].as_str().expect("a name"), jobs)
            })
            .collect();
        let ours: BTreeMap<_, BTreeSet<_>> = known(&record.wrappers)
            .iter()
            .map(|wrapper| {
                (
                    wrapper.name.as_str(),
                    wrapper.job_names.iter().map(String::as_str).collect(),
                )
            })
            .collect();
        assert_eq!(ours, theirs, "{expid}");
    });
}

#[test]
fn configurations_equal_the_answers() {
    each(|shared, expid, _, record| {
        let config = record.config.present().expect("a configuration");
        let answer = golden(shared, expid, "v3_expinfo");
        assert_eq!(
            config.chunk_unit.as_deref(),
            text(&answer["chunk_unit"]),
            "{expid}"
        );
        assert_eq!(
            Some(config.chunk_size),
            answer["chunk_size"].as_i64(),
            "{expid}"
        );
        assert_eq!(config.hpc.as_deref(), text(&answer["hpc"]), "{expid}");
        // Processors in the tree are those of the section in the configuration.
        let detail = golden(shared, expid, "v4_job_detail");
        let section = text(&detail["section"]).expect("a section");
        let settings = config
            .resolve(section)
            .unwrap_or_else(|| panic!("{expid} {section}"));
        assert_eq!(
            Some(settings.processor_count()),
            detail["processors"].as_u64(),
            "{expid}"
        );
        if let Some(platform) = text(&detail["platform"]) {
            assert!(
                settings
                    .platform
                    .is_some_and(|ours| ours.eq_ignore_ascii_case(platform)),
                "{expid}"
            );
        }
        let runs = golden(shared, expid, "v3_runs");
        if let (Some(sim), Some(elements)) = (
            config.resolve("SIM"),
            runs["runs"][0]["Parallelization"].as_u64(),
        ) {
            assert_eq!(sim.processing_elements(), elements, "{expid}");
        }
    });
}

#[test]
fn logs_equal_the_answers() {
    let Some(shared) = shared() else { return };
    let (root, records) = all(&shared);
    let mut compared = 0;
    for (experiment, _) in &records {
        let expid = experiment.expid.as_str();
        let detail = golden(&shared, expid, "v4_job_detail");
        for (stream, field) in [
            (LogStream::Out, "out_path_local"),
            (LogStream::Err, "err_path_local"),
        ] {
            let Some(theirs) = text(&detail[field]) else {
                continue;
            };
            let job = detail["name"].as_str().expect("a name");
            let ours = newest_log(&root, &experiment.expid, job, stream).expect("a log folder");
            let ours = ours.unwrap_or_else(|| panic!("no log of {job}, {theirs}"));
            assert!(theirs.ends_with(&ours.path), "{theirs} {}", ours.path);
            tail(&root, &experiment.expid, LogFolder::Jobs, &ours.name, 150).expect("a tail");
            compared += 1;
        }
        let answer = golden(&shared, expid, "v3_joblog");
        if let (Some(file), Some(lines)) =
            (text(&answer["logfile"]), answer["logcontent"].as_array())
        {
            let name = file.rsplit('/').next().expect("a name");
            let Ok(ours) = tail(&root, &experiment.expid, LogFolder::Jobs, name, 150) else {
                continue;
            };
            let theirs: Vec<_> = lines
                .iter()
                .filter_map(|line| line["content"].as_str())
                .collect();
            let ours: Vec<_> = ours.lines.iter().map(|line| line.trim_end()).collect();
            assert_eq!(
                ours,
                theirs
                    .iter()
                    .map(|line| line.trim_end())
                    .collect::<Vec<_>>(),
                "{name}"
            );
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn reading_leaves_no_trace() {
    let Some(shared) = shared() else { return };
    let before = listing(&shared.join("autosubmit"));
    all(&shared);
    assert_eq!(before, listing(&shared.join("autosubmit")));
}

#[test]
fn fingerprints_name_what_is_there() {
    let Some(shared) = shared() else { return };
    let root = Root::new(shared.join("autosubmit")).expect("a root");
    let expid = Expid::parse("a000").expect("an expid");
    let first = root.fingerprints(&expid);
    assert_eq!(first, root.fingerprints(&expid));
    let there: Vec<_> = first
        .iter()
        .filter(|source| source.fingerprint.is_ok())
        .map(|source| source.path.as_str())
        .collect();
    assert_eq!(
        there,
        [
            "a000/pkl/job_list_a000.pkl",
            "metadata/structures/structure_a000.db",
            "a000/pkl/job_packages_a000.db",
            "metadata/data/job_data_a000.db",
            "a000/conf",
            "a000/conf/metadata/experiment_data.yml",
            "a000/conf/as_misc.yml",
            "a000/conf/minimal.yml",
        ]
    );
}

/// Name, size and time of everything in a folder.
fn listing(folder: &Path) -> BTreeMap<PathBuf, (u64, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("metadata");
        found.insert(
            entry.path(),
            (metadata.len(), metadata.modified().expect("a time")),
        );
        if metadata.is_dir() {
            found.extend(listing(&entry.path()));
        }
    }
    found
}

#[test]
fn real_job_lists_cut_or_changed_are_errors() {
    use labql::experiments::readers::pickle::Pickle;
    let Some(shared) = shared() else { return };
    for expid in EXPIDS {
        let Ok(whole) =
            fs::read(shared.join(format!("autosubmit/{expid}/pkl/job_list_{expid}.pkl")))
        else {
            continue;
        };
        for length in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            assert!(
                Pickle::parse(&whole[..length]).is_err(),
                "{expid} at {length}"
            );
        }
        let mut changed = whole.clone();
        for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            changed[at] = changed[at].wrapping_add(1);
            let _ = Pickle::parse(&changed);
            changed[at] = whole[at];
        }
    }
}
