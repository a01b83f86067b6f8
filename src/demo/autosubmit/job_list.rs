//! The job list in each of its pickled forms.

use std::collections::HashMap;

use chrono::Duration;

use super::{
    JobStatus,
    scene::{SITE, Scene, stamp},
    spec::JobListForm,
    timeline::{Attempt, RETRIALS, is_local},
};
use crate::demo::{
    DemoError, files,
    files::int,
    pickle_writer::{Protocol, Value, pickle},
};

/// How long ago an experiment at work has saved its job list.
const FRESH: i64 = 20;

/// Writes `pkl/job_list_<expid>.pkl`. From 4.2.0 the list is a database instead.
pub fn write(scene: &Scene<'_>) -> Result<(), DemoError> {
    let (value, protocol) = match scene.spec.form {
        JobListForm::Sqlite => return Ok(()),
        JobListForm::Text => (tuples(scene, false), Protocol::Text),
        JobListForm::Tuples => (tuples(scene, true), Protocol::Two),
        JobListForm::Graph => (graph(scene), Protocol::Five),
        JobListForm::Dict => (dict(scene), Protocol::Five),
    };
    let mut bytes = pickle(&value, protocol);
    if scene.spec.truncated {
        bytes.truncate(bytes.len() * 2 / 3);
    }
    let path = scene
        .folder("pkl")?
        .join(format!("job_list_{}.pkl", scene.spec.expid));
    let age = if scene.spec.progress.live {
        Duration::seconds(FRESH)
    } else {
        Duration::zero()
    };
    files::write(&path, bytes, scene.changed() - age)
}

/// What the job list knows of a job beside its place in the workflow.
struct Entry<'a> {
    job: usize,
    status: JobStatus,
    attempt: Option<&'a Attempt>,
    out: String,
    err: String,
}

fn entries<'a>(scene: &Scene<'a>) -> Vec<Entry<'a>> {
    let latest = scene.timeline.latest();
    let entry = |(job, &status): (usize, &JobStatus)| {
        let attempt = latest.get(&job).copied();
        let ended = matches!(status, JobStatus::Completed | JobStatus::Failed);
        let log = |end| {
            attempt
                .filter(|_| ended)
                .map_or(String::new(), |last| scene.log_name(last) + end)
        };
        Entry {
            job,
            status,
            attempt,
            out: log(".out"),
            err: log(".err"),
        }
    };
    scene
        .timeline
        .statuses
        .iter()
        .enumerate()
        .map(entry)
        .collect()
}

/// Up to 4.0: name, id, status, priority, section, date, member, chunk, local out and err, remote out and err, and
/// from 3.14 the type of wrapper.
fn tuples(scene: &Scene<'_>, with_wrapper: bool) -> Value {
    let tuple = |entry: Entry<'_>| {
        let job = &scene.workflow.jobs[entry.job];
        // Clusters give their numbers as text, processes of this machine are ints.
        let id = entry.attempt.map_or(Value::Int(0), |attempt| {
            if is_local(scene.spec, scene.workflow, entry.job) {
                Value::Int(attempt.id)
            } else {
                attempt.id.to_string().into()
            }
        });
        let mut fields = vec![
            job.name.clone().into(),
            id,
            Value::Int(entry.status.code().into()),
            Value::Int(int(scene.workflow.level[entry.job])),
            scene.spec.sections[job.section].name.clone().into(),
            job.date.map_or(Value::None, Value::DateTime),
            job.member.clone().into(),
            job.chunk.map(i64::from).into(),
            entry.out.clone().into(),
            entry.err.clone().into(),
            entry.out.into(),
            entry.err.into(),
        ];
        if with_wrapper {
            fields.push("none".into());
        }
        Value::Tuple(fields)
    };
    Value::List(entries(scene).into_iter().map(tuple).collect())
}

/// From 4.1.12: job name to attributes.
fn dict(scene: &Scene<'_>) -> Value {
    let item = |entry: Entry<'_>| {
        let name = scene.workflow.jobs[entry.job].name.clone();
        let mut attributes = common_attributes(scene, &entry);
        attributes.extend(pairs(dict_attributes(scene, &entry)));
        (name.into(), Value::Dict(attributes))
    };
    Value::Dict(entries(scene).into_iter().map(item).collect())
}

/// From 4.1.0 to 4.1.11: a networkx graph, whose nodes carry the jobs. The classes' own attributes are those of
/// networkx 2.6; each edge's attributes are one dict, which stands in the adjacency of both ends.
fn graph(scene: &Scene<'_>) -> Value {
    const NODES: usize = 0;
    const ADJACENCY: usize = 1;
    let name = |job: usize| Value::from(scene.workflow.jobs[job].name.clone());
    let node = |entry: Entry<'_>| {
        let mut state = common_attributes(scene, &entry);
        state.extend(pairs(graph_attributes(scene, &entry)));
        let job = Value::Object("autosubmit.job.job", "Job", Box::new(Value::Dict(state)));
        (name(entry.job), Value::Dict(vec![("job".into(), job)]))
    };
    let nodes = Value::Dict(entries(scene).into_iter().map(node).collect());

    let mut numbers = HashMap::new();
    let mut successors = Vec::new();
    for (parent, children) in scene.workflow.children.iter().enumerate() {
        let mut edges = Vec::new();
        for &child in children {
            let number = ADJACENCY + 1 + numbers.len();
            numbers.insert((parent, child), number);
            edges.push((
                name(child),
                Value::Shared(number, Box::new(Value::Dict(Vec::new()))),
            ));
        }
        successors.push((name(parent), Value::Dict(edges)));
    }
    let predecessors = scene
        .workflow
        .parents
        .iter()
        .enumerate()
        .map(|(child, parents)| {
            let edge = |&parent: &usize| {
                Some((name(parent), Value::Again(*numbers.get(&(parent, child))?)))
            };
            (
                name(child),
                Value::Dict(parents.iter().filter_map(edge).collect()),
            )
        });

    let view = Value::Dict(vec![("_nodes".into(), Value::Again(NODES))]);
    let mut state = [
        "graph_attr_dict_factory",
        "node_dict_factory",
        "node_attr_dict_factory",
        "adjlist_outer_dict_factory",
        "adjlist_inner_dict_factory",
        "edge_attr_dict_factory",
    ]
    .map(|factory| (factory.into(), Value::Global("builtins", "dict")))
    .to_vec();
    state.extend(pairs(vec![
        ("graph", Value::Dict(Vec::new())),
        ("_node", Value::Shared(NODES, Box::new(nodes))),
        (
            "_adj",
            Value::Shared(ADJACENCY, Box::new(Value::Dict(successors))),
        ),
        ("_pred", Value::Dict(predecessors.collect())),
        ("_succ", Value::Again(ADJACENCY)),
        (
            "nodes",
            Value::Object("networkx.classes.reportviews", "NodeView", Box::new(view)),
        ),
    ]));
    Value::Object(
        "networkx.classes.digraph",
        "DiGraph",
        Box::new(Value::Dict(state)),
    )
}

type Attributes = Vec<(&'static str, Value)>;

fn pairs(attributes: Attributes) -> Vec<(Value, Value)> {
    attributes
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect()
}

/// What a job carries in 4.1, whatever the form.
fn common_attributes(scene: &Scene<'_>, entry: &Entry<'_>) -> Vec<(Value, Value)> {
    let spec = scene.spec;
    let job = &scene.workflow.jobs[entry.job];
    let section = &spec.sections[job.section];
    let time = |seconds: i64| (seconds > 0).then(|| stamp(seconds));
    let previous = if entry.status == JobStatus::Completed {
        JobStatus::Running
    } else {
        JobStatus::Waiting
    };
    let dependencies = section
        .dependency_names()
        .iter()
        .map(|name| format!("'{name}': {{}}"))
        .collect::<Vec<_>>();
    pairs(vec![
        ("rerun_only", false.into()),
        ("delay_end", Value::None),
        (
            "wrapper_type",
            if spec.form == JobListForm::Dict {
                "Simple".into()
            } else {
                Value::None
            },
        ),
        ("_wrapper_queue", Value::None),
        ("_queue", section.queue().into()),
        ("_partition", "".into()),
        ("retry_delay", Value::None),
        ("_section", section.name.clone().into()),
        ("_wallclock", section.wallclock().into()),
        ("wchunkinc", "".into()),
        ("_tasks", "0".into()),
        ("_nodes", "".into()),
        ("_threads", "1".into()),
        ("_processors", section.processors.to_string().into()),
        ("_memory", "".into()),
        ("_memory_per_task", "".into()),
        ("_chunk", job.chunk.map(i64::from).into()),
        ("_member", job.member.clone().into()),
        ("date", job.date.map_or(Value::None, Value::DateTime)),
        ("date_split", Value::None),
        ("_splits", Value::Int(section.splits.map_or(-1, i64::from))),
        ("_split", Value::Int(job.split.map_or(-1, i64::from))),
        ("_delay", Value::None),
        ("_frequency", Value::None),
        (
            "_synchronize",
            section
                .synchronize
                .map(|across| Value::from(across.name()))
                .into(),
        ),
        ("skippable", false.into()),
        ("repacked", Value::Int(0)),
        ("date_format", "".into()),
        ("_name", job.name.clone().into()),
        ("log_retries", Value::Int(5)),
        (
            "id",
            entry
                .attempt
                .map(|attempt| attempt.id)
                .unwrap_or_default()
                .into(),
        ),
        (
            "file",
            format!("templates/{}.sh", section.name.to_lowercase()).into(),
        ),
        ("additional_files", Value::List(Vec::new())),
        (
            "_local_logs",
            Value::Tuple(vec![entry.out.clone().into(), entry.err.clone().into()]),
        ),
        (
            "_remote_logs",
            Value::Tuple(vec![entry.out.clone().into(), entry.err.clone().into()]),
        ),
        ("script_name", format!("{}.cmd", job.name).into()),
        ("prev_status", Value::Int(previous.code().into())),
        ("new_status", Value::Int(entry.status.code().into())),
        ("priority", Value::Int(int(scene.workflow.level[entry.job]))),
        (
            "_fail_count",
            entry
                .attempt
                .map(|attempt| attempt.fail_count)
                .unwrap_or_default()
                .into(),
        ),
        ("expid", spec.expid.clone().into()),
        ("_tmp_path", format!("{SITE}/{}/tmp", spec.expid).into()),
        ("check", false.into()),
        (
            "_packed",
            entry
                .attempt
                .is_some_and(|attempt| attempt.package.is_some())
                .into(),
        ),
        ("hold", false.into()),
        ("level", Value::Int(0)),
        (
            "_dependencies",
            format!("{{{}}}", dependencies.join(", ")).into(),
        ),
        ("running", section.running.name().into()),
        ("edge_info", Value::Dict(Vec::new())),
        ("total_jobs", Value::Int(int(spec.progress.slots))),
        ("_retrials", Value::Int(int(RETRIALS))),
        ("het", Value::Dict(Vec::new())),
        (
            "submit_time_timestamp",
            entry
                .attempt
                .and_then(|attempt| time(attempt.submit))
                .into(),
        ),
        (
            "finish_time_timestamp",
            entry
                .attempt
                .and_then(|attempt| time(attempt.finish))
                .into(),
        ),
        ("platform_name", spec.platform(section).to_owned().into()),
        ("_export", "none".into()),
    ])
}

/// What jobs carry in the dict form alone.
fn dict_attributes(scene: &Scene<'_>, entry: &Entry<'_>) -> Attributes {
    let spec = scene.spec;
    let job = &scene.workflow.jobs[entry.job];
    let folders = [
        "/",
        "esm",
        "autosubmit",
        &spec.expid,
        "tmp",
        &format!("LOG_{}", spec.expid),
    ];
    let folders = folders.map(|part| Value::from(part.to_owned())).to_vec();
    let ready = entry
        .attempt
        .and_then(|attempt| stamp(attempt.submit - 1).parse::<i64>().ok());
    let minutes = i64::from(spec.sections[job.section].minutes) * 2;
    vec![
        (
            "type",
            Value::Call("autosubmit.job.template", "Language", vec!["bash".into()]),
        ),
        ("_long_name", Value::None),
        ("stat_file", format!("{}_STAT_", job.name).into()),
        ("_status", Value::Int(entry.status.code().into())),
        ("parameters", Value::None),
        ("_log_path", Value::Call("pathlib", "PosixPath", folders)),
        ("undefined_variables", Value::None),
        ("updated_log", Value::Int((!entry.out.is_empty()).into())),
        (
            "start_time_timestamp",
            entry
                .attempt
                .filter(|last| last.start > 0)
                .map(|last| stamp(last.start))
                .into(),
        ),
        ("ready_date", ready.into()),
        ("wrapper_name", Value::None),
        ("is_wrapper", false.into()),
        ("_wallclock_in_seconds", Value::Int(minutes * 60)),
        ("_chunk_size", Value::Int(spec.chunk_size.into())),
        ("_chunk_size_unit", spec.chunk_unit.name().into()),
        ("workflow_commit", "".into()),
    ]
}

/// What jobs carry in the graph form alone.
fn graph_attributes(scene: &Scene<'_>, entry: &Entry<'_>) -> Attributes {
    let job = &scene.workflow.jobs[entry.job];
    vec![
        ("type", Value::Int(0)),
        ("_long_name", job.name.clone().into()),
        ("status", Value::Int(entry.status.code().into())),
        ("parameters", Value::Dict(Vec::new())),
        (
            "undefined_variables",
            Value::Set(vec!["CURRENT_METRIC_FOLDER".into()]),
        ),
        ("updated_log", (!entry.out.is_empty()).into()),
    ]
}
