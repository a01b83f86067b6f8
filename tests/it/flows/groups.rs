//! Groups: their own parameters, and what goes with them.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::caller::id;
use super::draft::Draft;
use super::lab::{Site, texts};
use super::workflows::files_below;
use crate::support::Lab;

on_both_databases!(
    they_may_have_parameters_of_their_own,
    the_same_key_is_the_same_group,
    ones_own_is_made_once,
    what_is_wrong_is_refused,
    everything_goes_with_it,
    lists_have_those_of_the_viewer,
);

fn greeting() -> Draft {
    Draft::of("Greeting", "echo ${text} $$ARG_own").variable(
        "text",
        json!({ "dtype": "string", "defaultValue": "Hello" }),
    )
}

async fn they_may_have_parameters_of_their_own(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let workflow = site.workflow(&greeting()).await;
    let ann = site.who("ann");
    let own = json!([{ "name": "own", "dtype": "int", "range": "[1,9]", "label": "Our own" }]);
    let input = json!({ "workflow": workflow, "name": "team", "parameters": own });
    let group = id(&ann.told("createGroup", input).await["group"]);
    let query = "query($id: ID!) { group(id: $id) { parameters { name kind label required } workflow { id } viewerRole } }";
    let data = ann.data(query, json!({ "id": group })).await;
    let parameter = json!({ "name": "own", "kind": "INT", "label": "Our own", "required": true });
    assert_eq!(data["group"]["parameters"], json!([parameter]));
    assert_eq!(
        (
            &data["group"]["viewerRole"],
            &data["group"]["workflow"]["id"]
        ),
        (&json!("OWNER"), &json!(workflow))
    );
    let more = || json!({ "group": group });
    let input = super::caller::run_input(&workflow, &json!({}), more());
    let answer = ann.tell("startRun", input).await;
    assert_eq!(answer["argumentErrors"][0]["parameter"], "own", "{answer}");
    let run = ann.start_with(&workflow, json!({ "own": 5 }), more()).await;
    ann.done(&run).await;
    assert_eq!(ann.log(&run).await, "Hello 5\n");
    // Others do not have it.
    assert_eq!(
        ann.wrong(&workflow, json!({ "own": 5 })).await,
        [("own".to_owned(), "UNKNOWN_PARAMETER".to_owned())]
    );
    for parameters in [
        json!({}),
        json!([{ "name": "x" }]),
        json!([{ "name": "x", "dtype": "nothing" }]),
        json!([{ "name": "text", "dtype": "string" }]),
        json!([{ "name": "x", "dtype": "int" }, { "name": "x", "dtype": "int" }]),
        json!("x"),
    ] {
        let input = json!({ "workflow": workflow, "name": "wrong", "parameters": parameters });
        assert_eq!(
            ann.refused("createGroup", input).await.0,
            "BAD_INPUT",
            "{parameters}"
        );
    }
}

async fn the_same_key_is_the_same_group(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let workflow = site.workflow(&greeting()).await;
    let (ann, ben) = (site.who("ann"), site.who("ben"));
    let input = |name: &str| json!({ "workflow": workflow, "name": name, "idempotencyKey": "one" });
    let made = join_all((0..6).map(|_| ann.told("createGroup", input("team")))).await;
    let ids: BTreeSet<String> = made.iter().map(|answer| id(&answer["group"])).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let other = ben.told("createGroup", input("ben's")).await;
    assert!(!ids.contains(&id(&other["group"])));
    // Without a key it is another one of the same name, which there cannot be.
    let again = json!({ "workflow": workflow, "name": "team" });
    assert_eq!(
        ann.refused("createGroup", again).await,
        ("CONFLICT".to_owned(), "name".to_owned())
    );
}

async fn ones_own_is_made_once(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&greeting()).await;
    let ann = site.who("ann");
    let runs = join_all((0..6).map(|_| ann.start(&workflow, json!({})))).await;
    let mut groups = BTreeSet::new();
    for run in &runs {
        groups.insert(id(&ann.run(run).await["group"]));
    }
    assert_eq!(groups.len(), 1, "{groups:?}");
    let query =
        "{ groups { totalCount nodes { name personal members { user { username } role } } } }";
    let data = ann.data(query, json!({})).await;
    let own = json!({ "name": "ann", "personal": true, "members": [{ "user": { "username": "ann" }, "role": "OWNER" }] });
    assert_eq!(data["groups"], json!({ "totalCount": 1, "nodes": [own] }));
    // In another workflow there is another one.
    let other = site.workflow(&greeting().named("Other")).await;
    ann.start(&other, json!({})).await;
    assert_eq!(ann.data(query, json!({})).await["groups"]["totalCount"], 2);
}

async fn what_is_wrong_is_refused(lab: Lab) {
    let site = Site::idle(lab, &["ann"]).await;
    let workflow = site.workflow(&greeting()).await;
    let ann = site.who("ann");
    let member = |name: &str| json!([{ "username": name, "role": "MEMBER" }]);
    for (input, code, field) in [
        (
            json!({ "workflow": "nothing", "name": "x" }),
            "NOT_FOUND",
            "workflow",
        ),
        (
            json!({ "workflow": workflow, "name": "" }),
            "BAD_INPUT",
            "name",
        ),
        (
            json!({ "workflow": workflow, "name": " " }),
            "BAD_INPUT",
            "name",
        ),
        (
            json!({ "workflow": workflow, "name": "a\0b" }),
            "BAD_INPUT",
            "name",
        ),
        (
            json!({ "workflow": workflow, "name": "a\nb" }),
            "BAD_INPUT",
            "name",
        ),
        (
            json!({ "workflow": workflow, "name": "n".repeat(10_000) }),
            "BAD_INPUT",
            "name",
        ),
        (
            json!({ "workflow": workflow, "name": "x", "members": member("nobody") }),
            "BAD_INPUT",
            "members",
        ),
    ] {
        let (refused, at) = ann.refused("createGroup", input.clone()).await;
        assert_eq!((refused.as_str(), at.as_str()), (code, field), "{input}");
    }
    let data = ann.data("{ groups { totalCount } }", json!({})).await;
    assert_eq!(data["groups"]["totalCount"], 0);
}

async fn everything_goes_with_it(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let gate = site.gate("go");
    let draft = Draft::of("Gone", &format!("{gate}; cat in.txt > out.txt"))
        .parameter(json!({ "name": "in", "dtype": "file", "target": "in.txt" }))
        .output("out.txt");
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let group = ann.group(&workflow, "team", &[]).await;
    let upload = ann.upload(&group, "in.txt", "in").await;
    let run = ann
        .start_with(
            &workflow,
            json!({ "in": upload["id"] }),
            json!({ "group": group }),
        )
        .await;
    let of_it = || json!({ "id": group });
    assert_eq!(ann.refused("deleteGroup", of_it()).await.0, "CONFLICT");
    site.open_gate("go");
    ann.done(&run).await;
    ann.told("deleteGroup", of_it()).await;
    assert_eq!(ann.refused("deleteGroup", of_it()).await.0, "NOT_FOUND");
    assert!(ann.run(&run).await.is_null());
    for name in ["uploads", "runs", "drafts"] {
        assert_eq!(files_below(&site.folder(name)), 0, "{name}");
    }
    // Its name is free again.
    ann.group(&workflow, "team", &[]).await;
}

async fn lists_have_those_of_the_viewer(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let workflow = site.workflow(&greeting()).await;
    let (ann, ben) = (site.who("ann"), site.who("ben"));
    for name in ["alpha", "beta", "gamma"] {
        ann.group(&workflow, name, &[]).await;
    }
    ben.group(&workflow, "shared", &[("ann", "VIEWER")]).await;
    ben.group(&workflow, "secret", &[]).await;
    let query = "query($filter: RunGroupFilter, $first: Int, $after: String) {
        groups(filter: $filter, first: $first, after: $after) { totalCount nodes { name viewerRole } pageInfo { hasNextPage endCursor } }
    }";
    let names = async |caller: &super::caller::Caller, filter: Value| {
        let data = caller.data(query, json!({ "filter": filter })).await;
        let names = texts(&data["groups"]["nodes"], "name");
        assert_eq!(data["groups"]["totalCount"], names.len());
        names
    };
    assert_eq!(
        names(&ann, json!({})).await,
        ["shared", "gamma", "beta", "alpha"]
    );
    assert_eq!(names(&ben, json!({})).await, ["secret", "shared"]);
    assert_eq!(names(&site.admin(), json!({})).await.len(), 5);
    assert_eq!(names(&ann, json!({ "text": "ET" })).await, ["beta"]);
    assert_eq!(names(&ann, json!({ "workflow": "nothing" })).await, [""; 0]);
    let data = ann.data(query, json!({ "first": 1 })).await;
    assert_eq!(data["groups"]["nodes"][0]["viewerRole"], "VIEWER");
    let after = &data["groups"]["pageInfo"]["endCursor"];
    let data = ann.data(query, json!({ "first": 1, "after": after })).await;
    assert_eq!(texts(&data["groups"]["nodes"], "name"), ["gamma"]);
}
