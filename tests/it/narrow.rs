//! A field tells the same alone and among all others: the columns that it says it needs are those that it needs.

use labql::demo::autosubmit::{ExperimentSpec, JobListForm, Wrappers};
use serde_json::{Value, json};

use crate::support::{Lab, Server, root};

on_both_databases!(fields_tell_the_same_alone);

/// A field of a type that needs no arguments, as it can be selected: with the scalars below it, if it is an object.
struct Field {
    name: String,
    selection: String,
}

async fn fields(server: &Server, of: &str) -> Vec<Field> {
    let known = described(server, of).await;
    let mut fields = Vec::new();
    for (name, object) in known {
        let selection = match object {
            None => name.clone(),
            Some(object) => {
                let mut below = described(server, &object).await;
                let nodes = |(name, _): &&(String, _)| name == "nodes";
                let page = below.iter().find(nodes).cloned();
                let page = page.filter(|_| object.ends_with("Connection"));
                let is_page = page.is_some();
                if let Some((_, Some(node))) = page {
                    below = described(server, &node).await;
                }
                let scalars = below.into_iter().filter(|(_, object)| object.is_none());
                let scalars: Vec<String> = scalars.map(|(name, _)| name).collect();
                let scalars = scalars.join(" ");
                if is_page {
                    format!("{name} {{ nodes {{ {scalars} }} edges {{ node {{ {scalars} }} }} }}")
                } else {
                    format!("{name} {{ {scalars} }}")
                }
            }
        };
        fields.push(Field { name, selection });
    }
    assert!(fields.len() > 4, "{of}");
    fields
}

/// The fields of a type that have no argument which has to be given, each with the name of its type if that is an object.
async fn described(server: &Server, of: &str) -> Vec<(String, Option<String>)> {
    let query = "query($of: String!) { __type(name: $of) { fields {
        name args { type { kind } }
        type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }
    } } }";
    let data = server.data(query, json!({ "of": of })).await;
    let fields = data["__type"]["fields"].as_array().expect("fields");
    let optional = |field: &&Value| {
        let arguments = field["args"].as_array().expect("arguments");
        arguments.iter().all(|it| it["type"]["kind"] != "NON_NULL")
    };
    fields
        .iter()
        .filter(optional)
        .map(|field| {
            let mut of = &field["type"];
            while !of["ofType"].is_null() {
                of = &of["ofType"];
            }
            let text = |value: &Value| value.as_str().expect("a name").to_owned();
            (
                text(&field["name"]),
                (of["kind"] == "OBJECT").then(|| text(&of["name"])),
            )
        })
        .collect()
}

async fn fields_tell_the_same_alone(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let mut spec = ExperimentSpec::new("a000", JobListForm::Dict);
    spec.members.truncate(1);
    spec.chunks = 3;
    spec.wrappers = Wrappers::Real {
        section: "SIM".to_owned(),
    };
    let other = ExperimentSpec::new("a001", JobListForm::Dict);
    root::with(&lab.root(), &[spec, other]);
    lab.import();
    let server = lab.serve_signed_in().await;
    for (of, list, path) in [
        (
            "Experiment",
            "experiments(first: 3) { nodes { X } }",
            "/experiments/nodes",
        ),
        (
            "Experiment",
            "experiments(first: 3) { nodes: edges { node { X } } }",
            "/experiments/nodes",
        ),
        (
            "Experiment",
            "experiments: experiment(expid: \"a000\") { X }",
            "/experiments",
        ),
        (
            "Job",
            "experiment(expid: \"a000\") { jobs(orderBy: { field: DATE }) { nodes { X } } }",
            "/experiment/jobs/nodes",
        ),
        (
            "Job",
            "experiments(first: 3) { nodes { jobs(first: 3) { nodes { X } } } }",
            "/experiments/nodes/0/jobs/nodes",
        ),
        (
            "Job",
            "experiment(expid: \"a000\") { jobs(first: 20) { nodes { found: parents { X } } } }",
            "/experiment/jobs/nodes",
        ),
        (
            "ExperimentRun",
            "experiments(first: 2) { nodes { runs(first: 5) { nodes { X } } } }",
            "/experiments/nodes/0/runs/nodes",
        ),
        (
            "ExperimentRun",
            "experiments(first: 2) { nodes { lastRun { X } } }",
            "/experiments/nodes",
        ),
    ] {
        let ask = async |selection: &str| {
            let query = format!("{{ {} }}", list.replace('X', selection));
            let data = server.data(&query, json!({})).await;
            data.pointer(path).expect(path).clone()
        };
        let fields = fields(&server, of).await;
        let selections: Vec<&str> = fields.iter().map(|it| it.selection.as_str()).collect();
        let all = ask(&selections.join(" ")).await;
        assert!(all.as_array().is_none_or(|rows| !rows.is_empty()), "{list}");
        for field in &fields {
            let alone = ask(&field.selection).await;
            assert_eq!(alone, only(&all, &field.name), "{list} {}", field.name);
        }
    }
}

/// What remains of an answer if only this field of its objects is kept.
fn only(answer: &Value, field: &str) -> Value {
    match answer {
        Value::Array(items) => items.iter().map(|item| only(item, field)).collect(),
        Value::Object(fields) => {
            if let Some(value) = fields.get(field) {
                return json!({ field: value });
            }
            let inner = |(name, value): (&String, &Value)| (name.clone(), only(value, field));
            fields.iter().map(inner).collect()
        }
        other => other.clone(),
    }
}
