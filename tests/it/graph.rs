//! Workflows as graphs: what is told, what it costs, and that a drawing is made once.

use labql::demo::autosubmit::{ExperimentSpec, JobListForm, Wrappers};
use serde_json::{Value, json};

use crate::support::{Lab, Server, root};

on_both_databases!(
    a_graph_tells_jobs_edges_and_groups,
    a_drawing_is_made_once,
    graphs_of_a_list_cost_what_one_costs,
    too_many_jobs_are_not_read,
    pages_have_each_edge_once,
    what_is_too_large_says_so,
    pictures_are_for_people,
);

/// The operation of front-ends, and what else they need.
const WORKFLOW: &str =
    "query Workflow($expid: String!, $layout: GraphLayout, $groupBy: GraphGrouping) {
    experiment(expid: $expid) {
        graph(layout: $layout, groupBy: $groupBy) {
            nodes { job { name status } x y level wrapper }
            edges { from to insideWrapper bends { x y } }
            groups { name status x y jobCounts { status count } }
            svg totalCount edgeCount levelCount width height layout instead
            pageInfo { hasNextPage hasPreviousPage }
        }
    }
}";

fn small(expid: &str) -> ExperimentSpec {
    let mut spec = ExperimentSpec::new(expid, JobListForm::Dict);
    spec.chunks = 4;
    spec.logged_jobs = 0;
    spec.wrappers = Wrappers::Real {
        section: "SIM".to_owned(),
    };
    spec
}

async fn served(lab: &mut Lab, specs: &[ExperimentSpec]) -> Server {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    root::with(&lab.root(), specs);
    lab.import();
    lab.serve_signed_in().await
}

async fn graph(server: &Server, variables: Value) -> Value {
    server.data(WORKFLOW, variables).await["experiment"]["graph"].take()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

async fn a_graph_tells_jobs_edges_and_groups(mut lab: Lab) {
    let server = served(&mut lab, &[small("a000")]).await;
    let jobs = "{ experiment(expid: \"a000\") { jobs(first: 500) { totalCount nodes { name children { name } } } } }";
    let jobs = server.data(jobs, json!({})).await["experiment"]["jobs"].take();
    for layout in ["DOT", "LEVELS", "LAPLACIAN"] {
        let graph = graph(&server, json!({ "expid": "a000", "layout": layout })).await;
        assert_eq!(graph["layout"], layout);
        assert_eq!(graph["instead"], Value::Null);
        assert_eq!(graph["totalCount"], jobs["totalCount"]);
        assert_eq!(graph["groups"], json!([]));
        let names = |nodes: &Value, job: &str| -> Vec<Value> {
            list(nodes)
                .iter()
                .map(|node| node.pointer(job).expect("a name").clone())
                .collect()
        };
        assert_eq!(
            names(&graph["nodes"], "/job/name"),
            names(&jobs["nodes"], "/name")
        );
        let mut edges = Vec::new();
        for job in list(&jobs["nodes"]) {
            let child = |child: &Value| json!([job["name"], child["name"]]);
            edges.extend(list(&job["children"]).iter().map(child));
        }
        let found: Vec<Value> = list(&graph["edges"])
            .iter()
            .map(|edge| json!([edge["from"], edge["to"]]))
            .collect();
        assert_eq!(found, edges);
        assert_eq!(graph["edgeCount"], edges.len());
        let node = |name: &Value| {
            let mut nodes = list(&graph["nodes"]).iter();
            nodes
                .find(|node| node["job"]["name"] == *name)
                .expect("a node")
        };
        for edge in list(&graph["edges"]) {
            let (from, to) = (node(&edge["from"]), node(&edge["to"]));
            assert!(from["level"].as_i64() < to["level"].as_i64());
            let together = from["wrapper"].is_string() && from["wrapper"] == to["wrapper"];
            assert_eq!(edge["insideWrapper"], together, "{edge}");
        }
        assert!(
            list(&graph["edges"])
                .iter()
                .any(|edge| edge["insideWrapper"] == true)
        );
        assert_eq!(
            list(&graph["edges"])
                .iter()
                .any(|edge| edge["bends"] != json!([])),
            layout == "DOT"
        );
    }

    let by_status = graph(&server, json!({ "expid": "a000", "groupBy": "STATUS" })).await;
    let by_member = graph(
        &server,
        json!({ "expid": "a000", "groupBy": "DATE_MEMBER" }),
    )
    .await;
    let jobs_of = |graph: &Value| -> i64 {
        let counts = list(&graph["groups"])
            .iter()
            .flat_map(|group| list(&group["jobCounts"]));
        counts
            .map(|count| count["count"].as_i64().expect("a number"))
            .sum()
    };
    assert_eq!(json!(jobs_of(&by_status)), by_status["totalCount"]);
    for group in list(&by_status["groups"]) {
        assert_eq!(group["name"], group["status"]);
    }
    let names: Vec<&Value> = list(&by_member["groups"])
        .iter()
        .map(|group| &group["name"])
        .collect();
    assert!(!names.is_empty());
    for (name, group) in names.iter().zip(list(&by_member["groups"])) {
        let name = name.as_str().expect("a name");
        let members = list(&jobs["nodes"]).iter();
        let members = members
            .filter(|job| job["name"].as_str().expect("a name").starts_with(name))
            .count();
        let counts = list(&group["jobCounts"]).iter();
        let counted: i64 = counts
            .map(|count| count["count"].as_i64().expect("a number"))
            .sum();
        assert_eq!(json!(counted), json!(members), "{name}");
    }
}

/// Statements and layouts since the server was started. Nothing else runs.
async fn costs(server: &Server, variables: Value) -> (i64, i64) {
    let counters = async || {
        let [layouts] = server.counters(["labql_graph_layouts_total"]).await;
        (server.statements().await, layouts)
    };
    let mut tries = Vec::new();
    for _ in 0..5 {
        let before = counters().await;
        graph(server, variables.clone()).await;
        let after = counters().await;
        tries.push((after.0 - before.0, after.1 - before.1));
    }
    let layouts = tries.iter().map(|(_, layouts)| layouts).sum();
    // What else a server asks now and then, a heartbeat, can only add.
    let statements = tries.iter().map(|(statements, _)| *statements).min();
    (statements.unwrap_or_default(), layouts)
}

async fn a_drawing_is_made_once(mut lab: Lab) {
    let server = served(
        &mut lab,
        &[
            small("a000"),
            ExperimentSpec::sized("a001", JobListForm::Dict, 4, 10),
        ],
    )
    .await;
    for expid in ["a000", "a001"] {
        let (statements, layouts) = costs(&server, json!({ "expid": expid })).await;
        // The experiment, its jobs, its edges, its wrappers, what is in them, and the drawing.
        assert!(statements <= 6, "{statements}");
        assert_eq!(layouts, 1);
        // Grouping and statuses are no part of it.
        let grouped = json!({ "expid": expid, "groupBy": "STATUS" });
        assert_eq!(costs(&server, grouped).await.1, 0);
        let levels = json!({ "expid": expid, "layout": "LEVELS" });
        assert_eq!(costs(&server, levels).await.1, 1);
    }
    let before = graph(&server, json!({ "expid": "a000" })).await;
    assert!(server.stop().await);

    // Another process finds it, and jobs that went on stand where they stood.
    let mut spec = small("a000");
    spec.progress.completed_percent = 100;
    root::write(&lab.root(), &spec);
    lab.import();
    let token = lab.token("ada");
    let server = lab.serve().await.signed_in(&token);
    assert_eq!(costs(&server, json!({ "expid": "a000" })).await.1, 0);
    let after = graph(&server, json!({ "expid": "a000" })).await;
    let places = |graph: &Value| -> Vec<Value> {
        list(&graph["nodes"])
            .iter()
            .map(|node| json!([node["x"], node["y"]]))
            .collect()
    };
    assert_eq!(places(&before), places(&after));
    assert_ne!(before["nodes"], after["nodes"]);

    // Another workflow is drawn anew, once, by however many ask at the same time.
    spec.chunks = 5;
    root::write(&lab.root(), &spec);
    lab.import();
    let [before] = server.counters(["labql_graph_layouts_total"]).await;
    let asks = (0..6).map(|_| graph(&server, json!({ "expid": "a000" })));
    let graphs = futures_util::future::join_all(asks).await;
    assert!(graphs.windows(2).all(|two| two[0] == two[1]));
    let [after] = server.counters(["labql_graph_layouts_total"]).await;
    assert_eq!(after - before, 1);
}

async fn graphs_of_a_list_cost_what_one_costs(mut lab: Lab) {
    let specs: Vec<_> = (0..8)
        .map(|number| small(&format!("a{number:03}")))
        .collect();
    let server = served(&mut lab, &specs).await;
    let query = "query($first: Int) { experiments(first: $first) { nodes {
        expid graph { totalCount nodes { job { name parents { name } } x y } edges { from to } }
    } } }";
    let ask = async |first: usize| {
        let mut tries = Vec::new();
        for _ in 0..5 {
            let before = server.statements().await;
            let data = server.data(query, json!({ "first": first })).await;
            assert_eq!(list(&data["experiments"]["nodes"]).len(), first);
            tries.push(server.statements().await - before);
        }
        tries.sort_unstable();
        tries[2]
    };
    ask(8).await;
    let (all, two) = (ask(8).await, ask(2).await);
    assert_eq!(all, two);
    assert!(all <= 7, "{all}");
}

/// How many jobs there are is kept with the experiments: nothing is read to find out that it is too much.
async fn too_many_jobs_are_not_read(mut lab: Lab) {
    let specs: Vec<_> = (0..4)
        .map(|number| small(&format!("a{number:03}")))
        .collect();
    let server = served(&mut lab, &specs).await;
    let database = lab.database().await;
    let pretend = async |jobs: u32| {
        let change = format!("UPDATE experiment SET job_counts = '{{\"0\":{jobs}}}'");
        sea_orm::ConnectionTrait::execute_unprepared(database.write(), &change)
            .await
            .expect("a statement");
    };
    let ask = async |query: &str| {
        let mut tries = Vec::new();
        for _ in 0..5 {
            let before = server.statements().await;
            let (_, answer) = server.ask(query, json!({})).await;
            let cost = server.statements().await - before;
            let code = answer["errors"][0]["extensions"]["code"].clone();
            tries.push((cost, code.to_string()));
        }
        tries.sort_unstable();
        tries.swap_remove(2)
    };
    let few = "{ experiments { nodes { expid graph { totalCount } } } }";
    pretend(25_000).await;
    assert_eq!(ask(few).await.1, "null");
    // Only the page of experiments.
    pretend(25_001).await;
    assert_eq!(ask(few).await, (1, "\"BAD_INPUT\"".to_owned()));
    // Each drawing reads the jobs anew: together they may read half a million.
    let thrice = "{ experiments { nodes { expid
        a: graph { totalCount } b: graph(layout: LEVELS) { totalCount } c: graph(layout: LAPLACIAN) { totalCount }
        d: graph { nodes { job { status } } } e: graph(layout: LEVELS) { nodes { job { status } } }
        f: graph(layout: LAPLACIAN) { nodes { job { status } } }
    } } }";
    pretend(20_000).await;
    assert_eq!(ask(thrice).await.1, "null");
    pretend(25_000).await;
    assert_eq!(ask(thrice).await.1, "\"TOO_COMPLEX\"");
}

async fn pages_have_each_edge_once(mut lab: Lab) {
    let server = served(&mut lab, &[small("a000")]).await;
    let whole = graph(&server, json!({ "expid": "a000" })).await;
    let query = "query($after: String) { experiment(expid: \"a000\") { graph(first: 7, after: $after) {
        nodes { job { name status } x y level wrapper } edges { from to insideWrapper bends { x y } }
        pageInfo { hasNextPage endCursor } totalCount svg
    } } }";
    let (mut nodes, mut edges, mut after) = (Vec::new(), Vec::new(), Value::Null);
    loop {
        let page =
            server.data(query, json!({ "after": after })).await["experiment"]["graph"].take();
        assert!(list(&page["nodes"]).len() <= 7);
        assert_eq!(page["totalCount"], whole["totalCount"]);
        nodes.extend(list(&page["nodes"]).to_vec());
        edges.extend(list(&page["edges"]).to_vec());
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(json!(nodes), whole["nodes"]);
    let sorted = |mut edges: Vec<Value>| {
        edges.sort_by_key(Value::to_string);
        edges
    };
    assert_eq!(sorted(edges), sorted(list(&whole["edges"]).to_vec()));
    let bad = "{ experiment(expid: \"a000\") { graph(first: 25001) { totalCount } } }";
    assert_eq!(server.refusal(bad, json!({})).await, "BAD_INPUT");
    let bad = "{ experiment(expid: \"a000\") { graph(after: \"x\") { totalCount } } }";
    assert_eq!(server.refusal(bad, json!({})).await, "BAD_INPUT");
}

async fn what_is_too_large_says_so(mut lab: Lab) {
    // 40 × 51 × 5 jobs and some.
    let mut spec = ExperimentSpec::sized("a000", JobListForm::Dict, 40, 51);
    spec.logged_jobs = 0;
    let server = served(&mut lab, &[spec]).await;
    let query = "query($layout: GraphLayout, $groupBy: GraphGrouping, $first: Int) { experiment(expid: \"a000\") {
        graph(layout: $layout, groupBy: $groupBy, first: $first) {
            totalCount layout instead nodes { x y } groups { name jobCounts { count } } svg
        }
    } }";
    let (_, answer) = server.ask(query, json!({})).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "TOO_COMPLEX",
        "{answer}"
    );
    let message = answer["errors"][0]["message"].as_str().expect("a message");
    assert!(
        message.contains("3000 jobs") && message.contains("groupBy"),
        "{message}"
    );
    let (_, answer) = server.ask(query, json!({ "layout": "LAPLACIAN" })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "TOO_COMPLEX");
    for variables in [
        json!({ "groupBy": "DATE_MEMBER", "first": 0 }),
        json!({ "first": 1000 }),
    ] {
        let graph = server.data(query, variables).await["experiment"]["graph"].take();
        assert!(graph["totalCount"].as_i64() > Some(10_000));
        assert_eq!(graph["layout"], "LEVELS");
        assert!(
            graph["instead"]
                .as_str()
                .expect("why")
                .contains("10000 jobs")
        );
        assert!(
            graph["svg"]
                .as_str()
                .expect("a picture")
                .starts_with("<svg")
        );
    }
}

async fn pictures_are_for_people(mut lab: Lab) {
    let server = served(&mut lab, &[small("a000")]).await;
    for variables in [
        json!({ "expid": "a000" }),
        json!({ "expid": "a000", "layout": "LEVELS" }),
        json!({ "expid": "a000", "layout": "LAPLACIAN" }),
        json!({ "expid": "a000", "groupBy": "DATE_MEMBER" }),
    ] {
        let graph = graph(&server, variables.clone()).await;
        let svg = graph["svg"].as_str().expect("a picture");
        assert!(svg.contains("viewBox=") && svg.ends_with("</svg>"));
        assert!(svg.contains("COMPLETED") && svg.contains("yellow"));
        if variables["groupBy"].is_null() {
            for node in list(&graph["nodes"]) {
                let title = format!(
                    "<title>{}\n{}",
                    node["job"]["name"].as_str().unwrap(),
                    node["job"]["status"].as_str().unwrap()
                );
                assert!(svg.contains(&title), "{title}");
            }
            let edges = svg.matches("marker-end=").count();
            assert_eq!(edges, list(&graph["edges"]).len());
            let outlines = variables["layout"] != "LAPLACIAN";
            assert_eq!(svg.contains("class=\"w\""), outlines);
        }
    }
}
