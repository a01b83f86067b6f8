//! Who may ask, and who may tell.

use serde_json::json;

use super::super::site::{kept, mutation, written};
use super::repeated::commands;
use super::with;
use crate::support::Lab;
use crate::support::client::{Address, get, http, json_of};

on_both_databases!(who_may_do_what);

async fn who_may_do_what(mut lab: Lab) {
    lab.user("eve", &[]);
    let eve = lab.token("eve");
    for (level, may_read) in [("ALL", false), ("WRITEONLY", true), ("NONE", true)] {
        lab.set("LABQL_AUTH__PROTECTION_LEVEL", level);
        lab.set("LABQL_FPLANES__REFUSE_OLDER_THAN", "100years");
        lab.set("LABQL_FPLANES__OPEN_FILES", "false");
        let server = lab.serve().await;
        let database = lab.database().await;
        let before = kept(&database).await;
        for query in [
            "{ fplane { at } }",
            "{ fplanes(at: [\"latest\"]) { at } }",
            "{ fplaneDiff(from: \"20240101\", to: \"latest\") { ifuslot } }",
            "{ fplaneFileDiff(text: \"013 -450 150 401 241 043 0 1\") { problems { line } } }",
            "{ fplaneHistory { totalCount } }",
            "{ fplaneSources { nodes { content } } }",
            "{ fplaneSource(id: \"x\") { content } }",
            "{ fplaneTags { name } }",
            "{ fplaneTag(name: \"x\") { name } }",
            "{ fplaneTagHistory(name: \"x\") { name } }",
            "{ fplaneIds(kind: SPECID) }",
        ] {
            let (_, answer) = server.ask(query, json!({})).await;
            if may_read {
                assert!(answer.get("errors").is_none(), "{level} {query}: {answer}");
            } else {
                assert_eq!(
                    answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
                    "{level} {query}: {answer}"
                );
            }
        }
        let mut all = commands();
        all.push(("tagFplane", json!({ "name": "a" })));
        all.push(("deleteFplaneTag", json!({ "name": "a" })));
        let query = |command: &str| {
            match command {
            "tagFplane" => "mutation($input: TagFplaneInput!) { tagFplane(input: $input) { errors { code } } }".to_owned(),
            "deleteFplaneTag" => "mutation($input: DeleteFplaneTagInput!) { deleteFplaneTag(input: $input) { errors { code } } }".to_owned(),
            command => mutation(command),
        }
        };
        for (command, input) in &all {
            let variables = json!({ "input": input });
            // Who it was stands with each source: nobody tells anything unnamed, whatever the level.
            let (_, answer) = server.ask(&query(command), variables.clone()).await;
            assert_eq!(
                answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
                "{level} {command}: {answer}"
            );
            let wrong = [("authorization", "Bearer not.a.token")];
            let (status, answer) = server.ask_as(&wrong, &query(command), variables).await;
            assert_eq!(
                answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
                "{level} {command} {status}: {answer}"
            );
        }
        let body = json!({ "config": with(json!({})), "commit": true });
        for (headers, status) in [
            (vec![], 401),
            (
                vec![("authorization", "FPS_API APIKEY=0123456789abcdef")],
                403,
            ),
            (vec![("authorization", "Bearer not.a.token")], 403),
        ] {
            let mut asked = http().post(server.url("/fplane")).body(body.to_string());
            for (name, value) in &headers {
                asked = asked.header(*name, *value);
            }
            let answer = asked.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{level} {headers:?}");
            assert!(json_of(answer).await["message"].is_string());
        }
        let answer = get(&server, "/fplane/20240101", &[]).await;
        assert_eq!(
            answer.status().as_u16(),
            if may_read { 200 } else { 401 },
            "{level}"
        );
        assert_eq!(kept(&database).await, before, "{level}");

        // Whoever is somebody may, and it stands there who it was.
        let server = server.signed_in(&eve);
        let at = written("2024-02-01T00:00:00Z".parse().expect("a time"));
        let config = json!({ "__data_time": at, "level": level, "hardware": [{ "ifuslot": "013", "specid": 401 }] });
        let told = server
            .data(
                &mutation("updateFplane"),
                json!({ "input": { "config": config } }),
            )
            .await;
        assert_eq!(
            (&told["it"]["committed"], &told["it"]["errors"]),
            (&json!(true), &json!([])),
            "{told}"
        );
        let query = "{ fplaneSources(first: 1) { nodes { author recordedBy { username } } } }";
        let data = server.data(query, json!({})).await;
        let by_eve = json!([{ "author": "eve", "recordedBy": { "username": "eve" } }]);
        assert_eq!(data["fplaneSources"]["nodes"], by_eve);
        assert!(server.stop().await);
    }
}
