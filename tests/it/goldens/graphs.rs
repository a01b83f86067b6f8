//! Graphs: jobs, edges, wrappers, colours, groups, and the places of the spectral layout.
//!
//! Left out: `x` and `y` of `standard`, which depend on the version of Graphviz, and the mean places of groups that come
//! of them; `packages`, which is `wrapper` of the nodes; what a node tells of its job beside name and status, which the
//! other comparisons hold; `fake_edges`, `dashed`, `shape` and `id` of edges, which are constant or follow from the rest.
//!
//! Of `laplacian` the places differ where eigenvalues are not simple, since any combination of their vectors is one as good;
//! then both must belong to the same eigenvalue.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Comparison, list};

const GRAPH: &str = "query($expid: String!, $layout: GraphLayout, $groupBy: GraphGrouping) {
    experiment(expid: $expid) { graph(layout: $layout, groupBy: $groupBy) {
        nodes { job { name status } level color wrapper x y }
        edges { from to insideWrapper }
        groups { name color }
        totalCount maxParents maxChildren
    } }
}";

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let ours = ask(comparison, expid, "DOT", "NONE").await;
    let theirs = comparison.golden(expid, "v3_graph_standard_none");
    // The old API fails without a structure database, and on one that names jobs that are not in the list. What there is
    // to see is seen by the comparison of jobs.
    if theirs["error"] == true {
        let total = &comparison.golden(expid, "v3_expcount")["total"];
        comparison.equal(expid, "graph.total", "all", total, &ours["totalCount"]);
        let failed = comparison.golden(expid, "v3_graph_laplacian_none");
        assert_eq!(failed["error"], true, "{expid}");
        for call in GROUPS.map(|(call, ..)| call) {
            if comparison.has(expid, call) {
                assert_eq!(comparison.golden(expid, call)["error"], true, "{expid}");
            }
        }
        return;
    }
    let their_nodes = by(&theirs["nodes"], |node| &node["id"]);
    let our_nodes = by(&ours["nodes"], |node| &node["job"]["name"]);
    let names = |nodes: &BTreeMap<String, Value>| json!(nodes.keys().collect::<Vec<_>>());
    comparison.equal(
        expid,
        "graph.nodes",
        "all",
        &names(&their_nodes),
        &names(&our_nodes),
    );
    let their_edges = list(&theirs["edges"]);
    let longest = longest_ways(&their_nodes, &their_edges);
    for (name, theirs) in &their_nodes {
        let Some(ours) = our_nodes.get(name) else {
            continue;
        };
        for (their_field, our_field, value) in [
            ("status", "status", &ours["job"]["status"]),
            ("status_color", "color", &ours["color"]),
            ("package", "wrapper", &ours["wrapper"]),
        ] {
            let what = format!("graph.{our_field}");
            comparison.equal(expid, &what, name, &theirs[their_field], value);
        }
        let longest = json!(longest.get(name.as_str()));
        let levels = (&theirs["level"], &longest);
        comparison.equal_or(expid, "graph.level", name, levels, &ours["level"]);
    }
    let edges = |edges: &Value, inside: &str| {
        let edge = |edge: &Value| format!("{} {} {}", edge["from"], edge["to"], edge[inside]);
        let mut edges: Vec<String> = list(edges).iter().map(edge).collect();
        edges.sort();
        json!(edges)
    };
    comparison.equal(
        expid,
        "graph.edges",
        "all",
        &edges(&theirs["edges"], "is_wrapper"),
        &edges(&ours["edges"], "insideWrapper"),
    );
    for (their_field, our_field) in [
        ("total_jobs", "totalCount"),
        ("max_parents", "maxParents"),
        ("max_children", "maxChildren"),
    ] {
        let what = format!("graph.{our_field}");
        comparison.equal(expid, &what, "all", &theirs[their_field], &ours[our_field]);
    }
    groups(comparison, expid, &their_nodes).await;
    spectrum(comparison, expid, &their_edges).await;
}

/// The place of each job on the longest way that leads to it, from 1.
fn longest_ways<'a>(
    nodes: &'a BTreeMap<String, Value>,
    edges: &'a [Value],
) -> BTreeMap<&'a str, i64> {
    let mut levels: BTreeMap<&str, i64> = nodes.keys().map(|name| (name.as_str(), 1)).collect();
    loop {
        let mut moved = false;
        for edge in edges {
            let (Some(from), Some(to)) = (edge["from"].as_str(), edge["to"].as_str()) else {
                continue;
            };
            let above = levels.get(from).copied().unwrap_or_default();
            if let Some(level) = levels.get_mut(to).filter(|level| **level <= above) {
                *level = above + 1;
                moved = true;
            }
        }
        if !moved {
            return levels;
        }
    }
}

/// The calls that ask for groups, and the grouping here.
const GROUPS: [(&str, &str, &str); 2] = [
    (
        "v3_graph_standard_date-member",
        "DATE_MEMBER",
        "graph.groups",
    ),
    ("v3_graph_standard_status", "STATUS", "graph.statuses"),
];

async fn ask(comparison: &Comparison, expid: &str, layout: &str, group_by: &str) -> Value {
    let variables = json!({ "expid": expid, "layout": layout, "groupBy": group_by });
    comparison.data(GRAPH, variables).await["experiment"]["graph"].take()
}

async fn groups(comparison: &mut Comparison, expid: &str, nodes: &BTreeMap<String, Value>) {
    for (call, group_by, what) in GROUPS {
        if !comparison.has(expid, call) {
            continue;
        }
        let ours = ask(comparison, expid, "DOT", group_by).await;
        let ours = by(&ours["groups"], |group| &group["name"]);
        let ours: BTreeMap<_, _> = ours
            .iter()
            .map(|(name, group)| (name, &group["color"]))
            .collect();
        let theirs = comparison.golden(expid, call);
        let theirs = theirs["groups_data"].as_object().expect("groups");
        let theirs: BTreeMap<_, _> = theirs
            .iter()
            .map(|(name, group)| (name, &group["color"]))
            .collect();
        // The statuses that there are.
        let present: BTreeMap<_, _> = nodes
            .values()
            .map(|node| (node["status"].as_str(), &node["status_color"]))
            .filter_map(|(status, color)| Some((status?, color)))
            .collect();
        let both = (&json!(theirs), &json!(present));
        comparison.equal_or(expid, what, "all", both, &json!(ours));
    }
}

/// The places by eigenvectors, which have no sign.
async fn spectrum(comparison: &mut Comparison, expid: &str, edges: &[Value]) {
    let ours = ask(comparison, expid, "LAPLACIAN", "NONE").await;
    let ours = by(&ours["nodes"], |node| &node["job"]["name"]);
    let theirs = comparison.golden(expid, "v3_graph_laplacian_none");
    let theirs = by(&theirs["nodes"], |node| &node["id"]);
    for axis in ["x", "y"] {
        let places = |nodes: &BTreeMap<String, Value>| -> BTreeMap<String, f64> {
            let place = |node: &Value| node[axis].as_f64().unwrap_or_default();
            let place = |(name, node): (&String, &Value)| (name.clone(), place(node));
            nodes.iter().map(place).collect()
        };
        let (own, their) = (places(&ours), places(&theirs));
        // Cut off to whole numbers.
        let same = [1.0, -1.0].into_iter().any(|sign| {
            their
                .iter()
                .all(|(name, place)| (place * sign - own[name]).abs() <= 1.0)
        });
        let what = format!("graph.{axis}");
        let (one, other) = (eigenvalue(&their, edges), eigenvalue(&own, edges));
        let of_one_value = (one - other).abs() <= 0.001 * one.max(other) + 0.0001;
        let better = json!(!of_one_value);
        comparison.equal_or(expid, &what, "all", (&json!(true), &better), &json!(same));
    }
}

/// The Rayleigh quotient of places: the eigenvalue, if they are an eigenvector of the normalised Laplacian. Edges inside a
/// wrapper count three times.
fn eigenvalue(places: &BTreeMap<String, f64>, edges: &[Value]) -> f64 {
    let mut degrees: BTreeMap<&str, f64> = BTreeMap::new();
    let edges: Vec<(&str, &str, f64)> = edges
        .iter()
        .filter_map(|edge| {
            let weight = if edge["is_wrapper"] == true { 3.0 } else { 1.0 };
            Some((edge["from"].as_str()?, edge["to"].as_str()?, weight))
        })
        .collect();
    for (from, to, weight) in &edges {
        *degrees.entry(from).or_default() += weight;
        *degrees.entry(to).or_default() += weight;
    }
    let scaled = |name: &str| places[name] / degrees[name].sqrt();
    let stretched = |(from, to, weight): &(&str, &str, f64)| {
        let difference = scaled(from) - scaled(to);
        weight * difference * difference
    };
    let length: f64 = (places.iter())
        .filter(|(name, _)| degrees.contains_key(name.as_str()))
        .map(|(_, place)| place * place)
        .sum();
    if length == 0.0 {
        return 0.0;
    }
    edges.iter().map(stretched).sum::<f64>() / length
}

fn by(list_of: &Value, key: impl Fn(&Value) -> &Value) -> BTreeMap<String, Value> {
    let named = |one: Value| (key(&one).as_str().expect("a name").to_owned(), one);
    list(list_of).into_iter().map(named).collect()
}
