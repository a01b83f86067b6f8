//! The operations that front-ends rely on, as they send them, and the schema that they are written against.

use async_graphql::parser::{parse_query, parse_schema};
use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use serde_json::{Value, json};

use crate::support::{Lab, Server, Socket, lab::PASSWORD, root};

const ACCOUNTS: &str = include_str!("../contract/accounts.graphql");
const DATASETS: &str = include_str!("../contract/datasets.graphql");
const EXPERIMENTS: &str = include_str!("../contract/experiments.graphql");
const GRAPH: &str = include_str!("../contract/graph.graphql");
const LIVE: &str = include_str!("../contract/live.graphql");

on_both_databases!(accounts, experiments, nodes_and_updates);

/// Runs one operation of a document.
async fn run(server: &Server, document: &str, operation: &str, variables: Value) -> Value {
    let body = json!({ "query": document, "operationName": operation, "variables": variables });
    let (status, mut answer) = server.send(body).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.get("errors").is_none(), "{operation}: {answer}");
    answer["data"].take()
}

/// Replaces what differs each time by its name; null stays null.
fn redacted(mut value: Value, names: &[&str]) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                *field = match field.take() {
                    Value::Null => Value::Null,
                    _ if names.contains(&name.as_str()) => format!("[{name}]").into(),
                    other => redacted(other, names),
                };
            }
        }
        Value::Array(elements) => {
            for element in elements {
                *element = redacted(element.take(), names);
            }
        }
        _ => {}
    }
    value
}

async fn accounts(lab: Lab) {
    lab.user("ada", &["--admin", "--email", "ada@lab.example"]);
    let server = lab.serve().await;
    let login = run(
        &server,
        ACCOUNTS,
        "Login",
        json!({ "input": { "username": "ada", "password": PASSWORD } }),
    )
    .await;
    let token = login["login"]["token"].as_str().expect("a token");
    let server = server.signed_in(token);
    let viewer = run(&server, ACCOUNTS, "Viewer", json!({})).await;
    let input = json!({ "input": { "label": "plots" } });
    let created = run(&server, ACCOUNTS, "CreateApiKey", input).await;
    let id = &created["createApiKey"]["apiKey"]["id"];
    let input = json!({ "input": { "id": id } });
    let revoked = run(&server, ACCOUNTS, "RevokeApiKey", input).await;
    let input = json!({ "input": {
        "username": "grace", "password": PASSWORD, "isAdmin": false, "idempotencyKey": "1"
    } });
    let user = run(&server, ACCOUNTS, "CreateUser", input).await;
    let answers = json!([login, viewer, created, revoked, user]);
    let volatile = [
        "token",
        "secret",
        "id",
        "expiresAt",
        "createdAt",
        "revokedAt",
    ];
    insta::assert_json_snapshot!("accounts", redacted(answers, &volatile));
}

async fn experiments(lab: Lab) {
    let summary = root::demo(&lab.root());
    root::show_life(&lab.root());
    let report = lab.import();
    assert_eq!(report["experiments"], summary.experiments.len());
    let server = lab.serve_signed_in().await;

    let page = run(
        &server,
        EXPERIMENTS,
        "ExperimentPage",
        json!({
            "filter": { "text": "e", "owner": "!nobody", "hpc": "*", "autosubmitVersion": "4.*" },
            "orderBy": [{ "field": "EXPID", "direction": "DESC" }],
            "first": 4,
        }),
    )
    .await;
    insta::assert_json_snapshot!("experiment_page", page);
    let after = &page["experiments"]["pageInfo"]["endCursor"];
    let next = json!({
        "filter": { "text": "e", "owner": "!nobody", "hpc": "*", "autosubmitVersion": "4.*" },
        "orderBy": [{ "field": "EXPID", "direction": "DESC" }],
        "first": 50,
        "after": after,
    });
    let next = run(&server, EXPERIMENTS, "ExperimentPage", next).await;
    let rest = next["experiments"]["nodes"].as_array().expect("nodes");
    let all = next["experiments"]["totalCount"].as_u64();
    assert_eq!(all, Some(rest.len() as u64 + 4));

    for expid in ["a5lg", "a8br", "t001"] {
        let variables = json!({ "expid": expid });
        let detail = run(&server, EXPERIMENTS, "ExperimentDetail", variables).await;
        insta::assert_json_snapshot!(format!("experiment_detail_{expid}"), detail);
    }
    // What was written is what is counted.
    for written in &summary.experiments {
        let variables = json!({ "expid": written.expid, "first": 1 });
        let jobs = run(&server, EXPERIMENTS, "Jobs", variables).await;
        let count = if written.truncated { 0 } else { written.jobs };
        assert_eq!(
            jobs["experiment"]["jobs"]["totalCount"], count,
            "{}",
            written.expid
        );
    }

    let variables = json!({
        "expid": "a5lg",
        "filter": { "name": "*_SIM", "statuses": ["COMPLETED"], "sections": ["SIM"], "members": ["fc01"],
            "chunks": [1, 2, 3], "dates": ["1850-01-01T00:00:00Z"] },
        "first": 2,
    });
    let jobs = run(&server, EXPERIMENTS, "Jobs", variables).await;
    insta::assert_json_snapshot!("jobs", jobs);

    for (expid, name) in [
        ("a5lg", "a5lg_18500101_fc00_12_SIM"),
        ("a5lg", "a5lg_nothing"),
    ] {
        let variables = json!({ "expid": expid, "name": name });
        let job = run(&server, EXPERIMENTS, "JobDetail", variables).await;
        insta::assert_json_snapshot!(format!("job_detail_{name}"), redacted(job, &["tail"]));
    }
    whole(&server, "a5lg").await;
    let missing = run(
        &server,
        EXPERIMENTS,
        "ExperimentDetail",
        json!({ "expid": "zzzz" }),
    )
    .await;
    assert_eq!(missing, json!({ "experiment": null }));
}

/// What an experiment is made of, as pages about one ask for it: all of it belongs together.
async fn whole(server: &Server, expid: &str) {
    let of = async |operation: &str, mut variables: Value| {
        variables["expid"] = expid.into();
        run(server, EXPERIMENTS, operation, variables).await["experiment"].take()
    };
    let list = |value: &Value| value.as_array().cloned().expect("a list");
    let jobs = of("Jobs", json!({ "first": 1000 })).await["jobs"].take();
    let detail = of("ExperimentDetail", json!({})).await;

    let graph = of("Workflow", json!({ "groupBy": "STATUS" })).await["graph"].take();
    let of_nodes = |node: &Value| json!([node["job"]["name"], node["job"]["status"]]);
    let of_jobs = |job: &Value| json!([job["name"], job["status"]]);
    let nodes: Vec<_> = list(&graph["nodes"]).iter().map(of_nodes).collect();
    assert_eq!(
        nodes,
        list(&jobs["nodes"]).iter().map(of_jobs).collect::<Vec<_>>()
    );
    let children = |job: &Value| list(&job["children"]).len();
    let edges: usize = list(&jobs["nodes"]).iter().map(children).sum();
    assert_eq!(list(&graph["edges"]).len(), edges);
    let counted = |groups: &Value| -> i64 {
        let counts = list(groups)
            .into_iter()
            .flat_map(|group| list(&group["jobCounts"]));
        counts
            .map(|count| count["count"].as_i64().expect("a number"))
            .sum()
    };
    let all = jobs["totalCount"].as_i64().expect("a number");
    assert_eq!(counted(&graph["groups"]), all);
    assert!(
        graph["svg"]
            .as_str()
            .is_some_and(|svg| svg.contains("<svg"))
    );

    for by in [Value::Null, json!(["STATUS", "SECTION"]), json!(["CHUNK"])] {
        let tree = of("Tree", json!({ "by": by })).await["jobTree"].take();
        assert_eq!(counted(&tree), all, "{by}");
        let inside: i64 = list(&tree)
            .iter()
            .map(|folder| counted(&folder["children"]))
            .sum();
        assert_eq!(inside, if by == json!(["CHUNK"]) { 0 } else { all }, "{by}");
    }

    let performance = of("Performance", json!({})).await["performance"].take();
    let considered = list(&performance["considered"]);
    assert!(considered.len() > 10, "{performance}");
    for job in &considered {
        assert!(
            job["sypd"].as_f64() > Some(0.0) && job["processors"].as_i64() > Some(0),
            "{job}"
        );
    }
    assert!(
        performance["sypd"].as_f64() > performance["asypd"].as_f64(),
        "{performance}"
    );
    let newest = &detail["runs"]["nodes"][0]["performance"];
    assert!(newest["sypd"].as_f64() > Some(0.0), "{newest}");

    let configured = of("Configuration", json!({})).await;
    let both = &configured["configuration"];
    assert!(
        both["filesystem"].is_object() && both["currentRun"].is_object(),
        "{both}"
    );
    assert!(both["differences"].is_array());
    let used = list(&configured["statistics"]["jobs"]);
    assert!(
        used.iter().any(|job| job["completedCount"] == 1),
        "{used:?}"
    );
    assert!(
        configured["eta"]["chunksTotal"].as_i64() > Some(0),
        "{}",
        configured["eta"]
    );
    let log = &configured["log"];
    assert!(
        log["name"]
            .as_str()
            .is_some_and(|name| name.ends_with("_run.log")),
        "{log}"
    );
    assert!(!list(&log["tail"]).is_empty());
}

async fn nodes_and_updates(mut lab: Lab) {
    let spec = ExperimentSpec::new("a000", JobListForm::Dict);
    root::with(&lab.root(), std::slice::from_ref(&spec));
    lab.user("ada", &["--admin"]);
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "1");
    lab.import();
    let token = lab.token("ada");
    let server = lab.serve_mirroring().await.signed_in(&token);

    let ids = server
        .data(
            r#"{ experiment(expid: "a000") { id lastRun { id } jobs(first: 1) { nodes { id } } }
                 viewer { user { id } }
                 unknown: experiment(expid: "zzzz") { id } }"#,
            json!({}),
        )
        .await;
    for (id, kind) in [
        (&ids["experiment"]["id"], "Experiment"),
        (&ids["experiment"]["lastRun"]["id"], "ExperimentRun"),
        (&ids["experiment"]["jobs"]["nodes"][0]["id"], "Job"),
        (&ids["viewer"]["user"]["id"], "User"),
    ] {
        let node = run(&server, GRAPH, "AnyNode", json!({ "id": id })).await;
        assert_eq!(node["node"], json!({ "id": id, "__typename": kind }));
    }
    for id in ["", "x", "Experiment:zzzz", "RXhwZXJpbWVudDp6enp6", "\u{0}"] {
        let node = run(&server, GRAPH, "AnyNode", json!({ "id": id })).await;
        assert_eq!(node["node"], Value::Null, "{id}");
    }

    // What is asked for first is never newer than what is asked for later.
    let cursor = run(&server, LIVE, "EventCursor", json!({})).await;
    let mut socket = Socket::signed_in(&server, &token).await;
    let payload = json!({
        "query": LIVE, "operationName": "ExperimentUpdates",
        "variables": { "after": cursor["eventCursor"] },
    });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    let mut jobs = Socket::signed_in(&server, &token).await;
    let payload = json!({
        "query": LIVE, "operationName": "JobUpdates",
        "variables": { "expid": "a000", "after": cursor["eventCursor"] },
    });
    jobs.say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    let mut changed = spec.clone();
    changed.progress.completed_percent = 90;
    root::write(&lab.root(), &changed);
    let update = socket.hear().await;
    let update = &update["payload"]["data"]["experimentUpdates"];
    assert_eq!(update["experiment"]["expid"], "a000", "{update}");
    assert!(update["cursor"].is_string() && update["recordedAt"].is_string());
    // Some jobs have only other times than before.
    loop {
        let update = jobs.hear().await;
        let update = &update["payload"]["data"]["jobUpdates"];
        let name = update["job"]["name"].as_str().unwrap_or_default();
        assert!(name.starts_with("a000_"), "{update}");
        assert!(update["previousStatus"].is_string(), "{update}");
        if update["previousStatus"] != update["job"]["status"] {
            break;
        }
    }
}

#[test]
fn the_committed_schema_is_the_one_of_the_server() {
    let committed = include_str!("../../schema.graphql");
    let printed = Lab::sqlite().done(&["schema"]);
    assert!(
        committed == printed,
        "schema.graphql is not what the server serves: run `make schema` and commit it"
    );
}

#[test]
fn the_contract_is_written_in_this_schema() {
    for document in [ACCOUNTS, DATASETS, EXPERIMENTS, GRAPH, LIVE] {
        parse_query(document).expect("a document");
    }
    parse_schema(include_str!("../../schema.graphql")).expect("a schema");
}

const DESCRIPTIONS: &str = "{ __schema { types {
    name kind description
    fields(includeDeprecated: true) { name description args(includeDeprecated: true) { name description } }
    inputFields(includeDeprecated: true) { name description }
    enumValues(includeDeprecated: true) { name description }
} } }";

#[tokio::test]
async fn everything_has_a_description() {
    let lab = Lab::sqlite();
    let schema = lab
        .serve_signed_in()
        .await
        .data(DESCRIPTIONS, json!({}))
        .await;
    let mut bare = Vec::new();
    let mut see = |path: String, thing: &Value| {
        if thing["description"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            bare.push(path);
        }
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for kind in list(&schema["__schema"]["types"]) {
        let name = kind["name"].as_str().expect("a name");
        let standard = ["Boolean", "Float", "ID", "Int", "String"].contains(&name);
        if name.starts_with("__") || standard {
            continue;
        }
        see(name.to_owned(), &kind);
        for part in ["fields", "inputFields", "enumValues"] {
            for member in list(&kind[part]) {
                let path = format!("{name}.{}", member["name"].as_str().unwrap_or_default());
                for argument in list(&member["args"]) {
                    let argument_name = argument["name"].as_str().unwrap_or_default();
                    see(format!("{path}({argument_name}:)"), &argument);
                }
                see(path, &member);
            }
        }
    }
    assert!(
        bare.is_empty(),
        "without a description: {}",
        bare.join(", ")
    );
}
