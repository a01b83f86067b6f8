//! Who sees actions, and what that costs.

use serde_json::{Value, json};

use super::{Desk, Ear, asked};
use crate::statements::cost;
use crate::support::{Lab, Socket};

on_both_databases!(
    own_actions_and_no_others,
    updates_of_experiments_have_own_actions,
    lists_in_pages,
    lists_cost_the_same_whatever_their_length,
);

async fn own_actions_and_no_others(lab: Lab) {
    let desk = Desk::new(lab);
    desk.lab.done(&["user", "allow", "bob", "RUN"]);
    let server = desk.serve("ada").await;
    let hers = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    let server = server.signed_in(&desk.lab.token("bob"));
    let his = asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    let mut bobs = Ear::of(&server, json!({})).await;
    for update in bobs.until("ENDED", &his).await {
        assert_eq!(update["action"]["actor"], "bob");
    }
    let seen = "query($hers: ID!, $his: ID!) {
        hers: action(id: $hers) { id } his: action(id: $his) { id }
        node(id: $hers) { id } nodes(ids: [$hers, $his]) { id ... on Action { actor } }
        actions { totalCount nodes { actor expid experiment { expid owner } arguments } }
        experiments { nodes { expid actions { totalCount nodes { actor kind } } } }
    }";
    let variables = json!({ "hers": hers["id"], "his": his["id"] });
    let data = server.data(seen, variables.clone()).await;
    assert_eq!(data["hers"], Value::Null);
    assert_eq!(data["node"], Value::Null);
    assert_eq!(data["his"]["id"], his["id"]);
    assert_eq!(
        data["nodes"],
        json!([null, { "id": his["id"], "actor": "bob" }])
    );
    let action = json!({
        "actor": "bob", "expid": "b000", "experiment": { "expid": "b000", "owner": "bob" },
        "arguments": { "kind": "RUN", "expid": "b000" },
    });
    assert_eq!(
        data["actions"],
        json!({ "totalCount": 1, "nodes": [action] })
    );
    let on = |expid: &str, actors: &[&str]| {
        let nodes: Vec<_> = actors
            .iter()
            .map(|actor| json!({ "actor": actor, "kind": "RUN" }))
            .collect();
        json!({ "expid": expid, "actions": { "totalCount": nodes.len(), "nodes": nodes } })
    };
    assert_eq!(
        data["experiments"]["nodes"],
        json!([on("a000", &[]), on("b000", &["bob"])])
    );
    // An update of another's action never comes, whatever id is given.
    let mut none = Ear::of(&server, json!({ "id": hers["id"] })).await;
    let mut own = Ear::of(&server, json!({ "id": his["id"] })).await;
    own.until("ENDED", &his).await;
    let next = asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    bobs.until("ENDED", &next).await;
    none.0
        .subscribe(
            "2",
            "subscription { events(after: \"beginning\", topics: [ACTION]) { subject } }",
        )
        .await;
    let refused = none.0.hear().await;
    assert_eq!(refused["id"], "2", "{refused}");
    assert_eq!(
        refused["payload"][0]["extensions"]["code"], "FORBIDDEN",
        "{refused}"
    );
    let code = server
        .refusal("{ events(topics: [ACTION]) { nextCursor } }", json!({}))
        .await;
    assert_eq!(code, "FORBIDDEN");
    let (_, answer) = server
        .ask(
            "{ events(first: 500) { edges { node { topic } } } }",
            json!({}),
        )
        .await;
    assert!(!answer.to_string().contains("\"ACTION\""), "{answer}");
    let bad = Socket::signed_in(&server, server.token()).await;
    let mut bad = bad;
    bad.subscribe("1", "subscription { actionUpdates(id: \"x\") { kind } }")
        .await;
    assert_eq!(
        bad.hear().await["payload"][0]["extensions"]["code"],
        "BAD_INPUT"
    );

    // Administrators see everybody's.
    let admin = server.signed_in(&desk.lab.token("eva"));
    let data = admin.data(seen, variables).await;
    assert_eq!(data["node"]["id"], hers["id"]);
    assert_eq!(data["actions"]["totalCount"], 3);
    let all = json!([on("a000", &["ada"]), on("b000", &["bob", "bob"])]);
    assert_eq!(data["experiments"]["nodes"], all);
    let mut everybodys = Ear::of(&admin, json!({})).await;
    everybodys.until("ENDED", &hers).await;
    let mut mine = Ear::of(&admin, json!({ "mine": true })).await;
    mine.0
        .subscribe(
            "2",
            "subscription { events(after: \"beginning\", topics: [ACTION]) { subject actor } }",
        )
        .await;
    let first = mine.0.hear().await;
    assert_eq!(first["id"], "2", "{first}");
    assert_eq!(
        first["payload"]["data"]["events"]["subject"],
        hers["number"].to_string()
    );
    // Whoever is one no more hears no more of others.
    let database = desk.lab.database().await;
    sea_orm::ConnectionTrait::execute_unprepared(
        database.write(),
        "UPDATE users SET is_admin = false WHERE username = 'eva'",
    )
    .await
    .expect("a statement");
    desk.lab.done(&["user", "enable", "eva"]);
    let bob = admin.signed_in(&desk.lab.token("bob"));
    let last = asked(&bob, "runExperiment", json!({ "expid": "b000" })).await;
    bobs.until("ENDED", &last).await;
    loop {
        let message = everybodys.0.hear().await;
        if message["type"] == "error" {
            assert_eq!(message["payload"][0]["extensions"]["code"], "FORBIDDEN");
            break;
        }
        let action = &message["payload"]["data"]["actionUpdates"]["action"];
        assert_ne!(action["id"], last["id"], "{message}");
    }
}

/// What is told of an experiment is made once for all who ask for the same; actions are not.
async fn updates_of_experiments_have_own_actions(lab: Lab) {
    let mut desk = Desk::new(lab);
    desk.lab.done(&["user", "allow", "bob", "RUN"]);
    let server = desk.serve_idle("ada").await;
    asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    let server = server.signed_in(&desk.lab.token("bob"));
    asked(&server, "runExperiment", json!({ "expid": "b000" })).await;
    let query =
        "subscription { experimentUpdates(after: \"beginning\") { experiment { ...Seen } } }
        fragment Seen on Experiment { expid seen: actions { totalCount nodes { actor } } }";
    let mut sockets = Vec::new();
    // Twice each, so that some share what they are told.
    for user in ["ada", "bob", "eva", "ada", "bob", "eva"] {
        let mut socket = Socket::signed_in(&server, &desk.lab.token(user)).await;
        socket.subscribe("1", query).await;
        sockets.push((user, socket));
    }
    for (user, socket) in &mut sockets {
        let user: &str = user;
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let message = socket.hear().await;
            let experiment = &message["payload"]["data"]["experimentUpdates"]["experiment"];
            assert!(experiment["expid"].is_string(), "{message}");
            seen.push(experiment.clone());
        }
        seen.sort_by_key(|experiment| experiment["expid"].to_string());
        for (experiment, actor) in seen.iter().zip(["ada", "bob"]) {
            let is_seen = user == actor || user == "eva";
            let actors: Vec<_> = is_seen
                .then(|| json!({ "actor": actor }))
                .into_iter()
                .collect();
            let wanted = json!({ "totalCount": actors.len(), "nodes": actors });
            assert_eq!(
                experiment["seen"], wanted,
                "{user} of {}",
                experiment["expid"]
            );
        }
    }
}

async fn lists_in_pages(lab: Lab) {
    let desk = Desk::new(lab);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let mut ids = Vec::new();
    for (mutation, expid) in [
        ("runExperiment", "a000"),
        ("stopExperiment", "a000"),
        ("runExperiment", "b000"),
        ("createJobList", "a000"),
    ] {
        if mutation == "createJobList" {
            desk.deed("exit 1");
        }
        let action = asked(&server, mutation, json!({ "expid": expid })).await;
        ear.ended(&action).await;
        ids.push(action["id"].clone());
    }
    let query = "query($filter: ActionFilter, $order: ActionOrder, $first: Int, $after: String, $last: Int) {
        actions(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last) {
            totalCount nodes { id } pageInfo { hasNextPage endCursor }
        }
    }";
    let list = async |variables: Value| {
        let data = server.data(query, variables).await;
        let nodes = data["actions"]["nodes"].as_array().expect("nodes");
        let places: Vec<usize> = nodes
            .iter()
            .map(|node| {
                ids.iter()
                    .position(|id| *id == node["id"])
                    .expect("an action")
            })
            .collect();
        (places, data["actions"].clone())
    };
    assert_eq!(list(json!({})).await.0, [3, 2, 1, 0]);
    let ascending = json!({ "order": { "field": "REQUESTED_AT", "direction": "ASC" } });
    assert_eq!(list(ascending).await.0, [0, 1, 2, 3]);
    let (places, page) = list(json!({ "first": 3 })).await;
    assert_eq!(places, [3, 2, 1]);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let after = json!({ "after": page["pageInfo"]["endCursor"] });
    assert_eq!(list(after).await.0, [0]);
    assert_eq!(list(json!({ "last": 1 })).await.0, [0]);
    for (filter, wanted) in [
        (json!({ "expid": "a000" }), vec![3, 1, 0]),
        (json!({ "expid": "a000\0" }), vec![3, 1, 0]),
        (json!({ "kinds": ["RUN"] }), vec![2, 0]),
        (json!({ "states": ["FAILED"] }), vec![3]),
        (json!({ "states": [] }), vec![]),
        (json!({ "actor": "bob" }), vec![]),
        (
            json!({ "actor": "ada", "kinds": ["STOP", "CREATE_JOB_LIST"] }),
            vec![3, 1],
        ),
    ] {
        let (places, page) = list(json!({ "filter": filter })).await;
        assert_eq!(places, wanted, "{filter}");
        assert_eq!(page["totalCount"], wanted.len(), "{filter}");
    }
    let of = "query($first: Int, $after: String) { experiment(expid: \"a000\") {
        actions(first: $first, after: $after) { totalCount nodes { number } pageInfo { endCursor hasNextPage } }
    } }";
    let first = server.data(of, json!({ "first": 2 })).await;
    let first = &first["experiment"]["actions"];
    assert_eq!(first["totalCount"], 3);
    assert_eq!(first["nodes"], json!([{ "number": 4 }, { "number": 2 }]));
    let rest = server
        .data(of, json!({ "after": first["pageInfo"]["endCursor"] }))
        .await;
    assert_eq!(
        rest["experiment"]["actions"]["nodes"],
        json!([{ "number": 1 }])
    );
}

async fn lists_cost_the_same_whatever_their_length(lab: Lab) {
    let mut desk = Desk::new(lab);
    let server = desk.serve_idle("ada").await;
    let page = json!({ "query": "{ actions {
        totalCount nodes { id kind state arguments outputTail experiment { expid jobCounts { count } } }
    } }" });
    let below = json!({ "query": "{ experiments { nodes { expid actions(first: 3) {
        totalCount nodes { id state arguments experiment { owner } }
    } } } }" });
    let mut costs = Vec::new();
    for _ in 0..3 {
        for expid in ["a000", "b000"] {
            let input = json!({ "expid": expid });
            let action = asked(&server, "runExperiment", input).await;
            asked(&server, "cancelAction", json!({ "id": action["id"] })).await;
        }
        costs.push((cost(&server, &page).await.0, cost(&server, &below).await.0));
    }
    // A page, its count, and the experiments; experiments, pages of their actions, counts, and for each page the
    // experiments again.
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    assert!(costs[0].0 <= 3 && costs[0].1 <= 5, "{costs:?}");
}
