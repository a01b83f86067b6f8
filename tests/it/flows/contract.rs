//! The operations on flows that front-ends rely on, as they send them.

use serde_json::{Value, json};

use super::draft::Draft;
use super::lab::Site;
use crate::support::{Lab, Socket};

const FLOWS: &str = include_str!("../../contract/flows.graphql");

on_both_databases!(each_operation_answers);

/// What front-ends are told of a run, without what differs each time.
const TOLD: [&str; 4] = ["state", "reason", "message", "arguments"];

async fn each_operation_answers(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of(
        "Contract",
        "echo ${text}; echo '{\"score\": 1.5}' > results.json",
    )
    .manifest("description", json!("As front-ends see it"))
    .variable(
        "text",
        json!({ "dtype": "string", "label": "A text", "help": "Any", "defaultValue": "x" }),
    )
    .ranked(&["score"]);
    let folder = site.template("contract", &draft);
    let ask = async |who: &str, operation: &str, variables: Value| {
        let body = json!({ "query": FLOWS, "operationName": operation, "variables": variables });
        let response = site
            .who(who)
            .post(crate::support::client::GRAPHQL, &body)
            .await;
        let mut answer = crate::support::client::json_of(response.expect("a server")).await;
        assert!(answer.get("errors").is_none(), "{operation}: {answer}");
        answer["data"].take()
    };
    let input = json!({ "input": { "source": { "folder": folder } } });
    let registered = ask("root", "RegisterWorkflow", input).await;
    let workflow = &registered["registerWorkflow"]["workflow"];
    let parameter = json!({
        "name": "text", "kind": "STRING", "required": false, "label": "A text", "help": "Any",
        "defaultValue": "x", "group": null,
    });
    let expected = json!({
        "id": workflow["id"], "name": "Contract", "version": 1, "description": "As front-ends see it",
        "parameters": [parameter], "steps": [{ "name": "only" }],
        "outputs": [{ "key": "results.json", "title": null, "format": null }],
    });
    assert_eq!(
        registered["registerWorkflow"],
        json!({ "workflow": expected, "errors": [] })
    );
    let input = json!({ "input": {
        "workflow": workflow["id"], "arguments": [{ "name": "text", "value": "hello" }],
        "executor": "LOCAL", "idempotencyKey": "1",
    } });
    let started = ask("ann", "StartRun", input).await;
    let run = &started["startRun"]["run"];
    assert_eq!(run["state"], "PENDING", "{started}");

    let mut socket = Socket::signed_in(&site.who("ann"), site.token("ann")).await;
    let follow = |id: &str, operation: &str, variables: Value| {
        json!({ "type": "subscribe", "id": id, "payload": {
            "query": FLOWS, "operationName": operation, "variables": variables,
        } })
    };
    let updates = json!({ "filter": { "run": run["id"] }, "after": "beginning" });
    socket.say(follow("updates", "RunUpdates", updates)).await;
    loop {
        let update = socket.hear().await["payload"]["data"]["runUpdates"].take();
        assert!(
            update["cursor"].is_string() && update["recordedAt"].is_string(),
            "{update}"
        );
        if update["run"]["state"] == "SUCCESS" {
            break;
        }
    }
    let mut socket = Socket::signed_in(&site.who("ann"), site.token("ann")).await;
    socket
        .say(follow(
            "log",
            "RunLog",
            json!({ "run": run["id"], "after": null }),
        ))
        .await;
    let piece = socket.hear().await["payload"]["data"]["runLog"].take();
    assert_eq!(
        (&piece["step"], &piece["stream"], &piece["text"]),
        (&json!("only"), &json!("STDOUT"), &json!("hello\n"))
    );

    let told = ask("ann", "Run", json!({ "id": run["id"] })).await["run"].take();
    let arguments = json!([{ "name": "text", "value": "hello" }]);
    assert_eq!(
        TOLD.map(|field| told[field].clone()),
        [json!("SUCCESS"), Value::Null, Value::Null, arguments]
    );
    assert_eq!(told["startedBy"]["username"], "ann");
    assert_eq!(told["steps"][0]["exitCode"], 0);
    assert_eq!(told["files"][0]["mediaType"], "application/json");
    assert_eq!(told["log"]["nodes"], json!([piece]));
    let variables = json!({ "filter": { "states": ["SUCCESS"] }, "orderBy": [{ "field": "ENDED_AT", "direction": "DESC" }], "first": 1 });
    let page = ask("ann", "Runs", variables).await;
    assert_eq!(page["runs"]["nodes"][0]["id"], run["id"]);
    let ranking = ask(
        "ann",
        "Ranking",
        json!({ "workflow": workflow["id"], "includeAll": true }),
    )
    .await;
    let ranked = &ranking["workflow"]["ranking"]["nodes"][0];
    assert_eq!(
        (
            &ranked["rank"],
            &ranked["run"]["id"],
            &ranked["group"]["name"]
        ),
        (&json!(1), &run["id"], &json!("ann"))
    );
    assert_eq!(
        ranked["results"],
        json!([{ "name": "score", "value": 1.5 }])
    );
    let canceled = ask("ann", "CancelRun", json!({ "input": { "id": run["id"] } })).await;
    assert_eq!(canceled["cancelRun"]["errors"][0]["code"], "CONFLICT");
}
