//! A server that watches a root tells its subscribers of every change, once.

use labql::demo::autosubmit::JobListForm;
use reqwest::Response;
use serde_json::{Value, json};

use super::small;
use crate::support::{
    Lab, Server, Socket,
    client::{EVENTS, post, read_events},
    root,
};

on_both_databases!(no_change_is_lost_and_none_comes_twice);

pub const UPDATES: &str = "subscription($after: String) { experimentUpdates(after: $after) {
    cursor experiment { expid jobCounts { status count } }
} }";

async fn stream(server: &Server, after: &Value, last_event: Option<&str>) -> Response {
    let bearer = format!("Bearer {}", server.token());
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(last_event.map(|id| ("last-event-id", id)));
    let body = json!({ "query": UPDATES, "variables": { "after": after } });
    post(server, EVENTS, &headers, body).await
}

/// The next events of a stream, as their ids and data.
async fn events(stream: &mut Response, count: usize) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    while found.len() < count {
        let text = read_events(stream, "\n\n").await;
        assert!(!text.is_empty(), "the stream has ended");
        for event in text
            .split("\n\n")
            .filter(|event| event.starts_with("event: next"))
        {
            let line = |name: &str| {
                let line = event.lines().find_map(|line| line.strip_prefix(name));
                line.expect("a line").to_owned()
            };
            let data: Value = serde_json::from_str(&line("data: ")).expect("JSON");
            found.push((line("id: "), data["data"]["experimentUpdates"].clone()));
        }
    }
    found
}

async fn no_change_is_lost_and_none_comes_twice(mut lab: Lab) {
    let specs = ["a000", "a001", "a002"].map(|expid| small(expid, JobListForm::Sqlite));
    root::with(&lab.root(), &specs);
    lab.user("ada", &[]);
    lab.import();
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "1");
    // As where the file system sends no notifications.
    lab.set("LABQL_AUTOSUBMIT__MAX_WATCHES", "0");
    let path = lab.root();
    let token = lab.token("ada");
    let server = lab.serve_mirroring().await.signed_in(&token);
    let change = |expid: &str, number: usize| {
        let list = path.join(expid).join("db/job_list.db");
        // One statement, so that the mirror can see no half of it.
        let statement = format!(
            "UPDATE jobs SET status = CASE WHEN priority % 2 = {number} % 2 THEN 'HELD' ELSE 'DELAYED' END"
        );
        root::sql(&list, &statement);
    };

    let cursor = server.data("{ eventCursor }", json!({})).await["eventCursor"].take();
    let mut observer = stream(&server, &cursor, None).await;
    let mut socket = Socket::signed_in(&server, &token).await;
    let subscribe = |id: &str, after: &Value| {
        let payload = json!({ "query": UPDATES, "variables": { "after": after } });
        json!({ "type": "subscribe", "id": id, "payload": payload })
    };
    socket.say(subscribe("1", &cursor)).await;

    change("a000", 0);
    let update = socket.hear().await;
    let first = &update["payload"]["data"]["experimentUpdates"];
    assert_eq!(first["experiment"]["expid"], "a000");
    // The experiment is shown as it is now.
    let statuses: Vec<_> = first["experiment"]["jobCounts"]
        .as_array()
        .expect("counts")
        .iter()
        .map(|count| count["status"].as_str().expect("a status"))
        .collect();
    assert_eq!(statuses, ["DELAYED", "HELD"]);
    let seen = events(&mut observer, 1).await;
    assert_eq!((&json!(seen[0].0), &seen[0].1), (&first["cursor"], first));
    socket.vanish();

    // While nobody listens on the socket, more happens.
    change("a001", 0);
    let mut rest = events(&mut observer, 1).await;
    change("a002", 0);
    rest.extend(events(&mut observer, 1).await);
    change("a000", 1);
    rest.extend(events(&mut observer, 1).await);
    let changed: Vec<_> = rest
        .iter()
        .map(|(_, update)| update["experiment"]["expid"].as_str().expect("an expid"))
        .collect();
    assert_eq!(changed, ["a001", "a002", "a000"]);
    let cursors: Vec<_> = rest.iter().map(|(id, _)| json!(id)).collect();

    // Resumed by cursor, over both transports.
    let mut socket = Socket::signed_in(&server, &token).await;
    socket.say(subscribe("2", &first["cursor"])).await;
    for cursor in &cursors {
        let update = socket.hear().await;
        assert_eq!(
            &update["payload"]["data"]["experimentUpdates"]["cursor"],
            cursor
        );
    }
    let mut resumed = stream(&server, &Value::Null, first["cursor"].as_str()).await;
    let again = events(&mut resumed, 3).await;
    assert_eq!(
        again.iter().map(|(id, _)| json!(id)).collect::<Vec<_>>(),
        cursors
    );

    // And from there on live; an import by another process is noticed, too.
    change("a001", 1);
    lab.import();
    let update = socket.hear().await;
    let update = &update["payload"]["data"]["experimentUpdates"];
    assert_eq!(update["experiment"]["expid"], "a001");
    assert_eq!(json!(events(&mut resumed, 1).await[0].0), update["cursor"]);

    // A cursor of something else is refused.
    socket.say(subscribe("3", &json!("WzFd"))).await;
    let refused = socket.hear().await;
    assert_eq!(
        refused["payload"][0]["extensions"]["code"], "BAD_INPUT",
        "{refused}"
    );
    assert!(server.stop().await);
}
