//! Messages of the telescope, posted as its computer posted them to the HETDEX fplaneserver.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::observatory::{Got, Observatory, file, file_with, message, minutes_ago, unit, written};
use crate::support::Lab;
use crate::support::client::{Address, http};

on_both_databases!(
    a_message_is_posted,
    a_dry_run_changes_nothing,
    what_cannot_be_taken_in_changes_nothing,
);

const FIRST: &str = "2025-01-11T06:00:00Z";

impl Observatory {
    /// Sends what may be a message to the old path.
    async fn post(&self, path: &str, authorization: Option<&str>, body: impl Into<String>) -> Got {
        let mut request = http()
            .post(self.server.url(path))
            .header("content-type", "application/json")
            .body(body.into());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        Got::of(request.send().await.expect("an answer")).await
    }

    async fn sources(&self) -> Value {
        let query = "{ fplaneSources { totalCount } }";
        self.server.data(query, json!({})).await["fplaneSources"]["totalCount"].take()
    }
}

async fn a_message_is_posted(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let good = format!("FPS_API APIKEY={}", observatory.key().await);
    let first = minutes_ago(60);
    let body = |number: i64, commit: Value| {
        let at = first + TimeDelta::minutes(number);
        let config = message(at, &[unit("013", &format!("{}", 300 + number))]);
        json!({ "config": config, "commit": commit }).to_string()
    };
    let none = observatory
        .post("/fplane", None, body(0, json!(true)))
        .await;
    assert!(none.header("www-authenticate").starts_with("FPS_API"));
    none.message(401);
    for wrong in ["FPS_API APIKEY=0123456789abcdef", "FPS_API", "Basic YTpi"] {
        let refused = observatory.post("/fplane", Some(wrong), body(0, json!(true)));
        refused.await.message(403);
    }
    assert_eq!(observatory.sources().await, 1);

    let words = [
        json!(true),
        json!(1),
        json!("1"),
        json!("True"),
        json!("yes"),
        json!(" ON "),
        json!("t"),
        json!("Y"),
    ];
    for (number, commit) in (0..).zip(&words) {
        let path = ["/fplane", "/fplane/"][usize::from(number % 2 == 1)];
        let sent = body(number, commit.clone());
        let got = observatory.post(path, Some(&good), sent).await;
        assert_eq!(got.status, 200, "{commit}: {got:?}");
        assert_eq!(got.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(got.header("cache-control"), "no-store");
        assert_eq!(got.header("x-fplane-committed"), "true", "{commit}");
        assert_eq!(got.header("x-fplane-changes"), "1");
        let at = written(first + TimeDelta::minutes(number));
        assert_eq!(got.header("x-fplane-at"), at);
        assert_eq!(got.header("x-fplane-valid-from"), at);
        let specid = format!("{}", 300 + number);
        // Nobody has seen it before.
        assert!(got.header("x-fplane-warning").contains(&specid), "{got:?}");
        let expected = file_with(&[("013", &specid)]);
        assert_eq!(got.file(), expected, "{commit}");
        assert_eq!(observatory.get("/fplane").await.file(), expected);
    }
    let query =
        "{ fplaneSources(first: 1) { totalCount nodes { kind name recordedBy { username } } } }";
    let data = observatory.server.data(query, json!({})).await;
    assert_eq!(data["fplaneSources"]["totalCount"], 1 + words.len());
    assert_eq!(
        data["fplaneSources"]["nodes"][0],
        json!({ "kind": "STATUS", "name": "tcs", "recordedBy": { "username": "ada" } })
    );

    // The same again is no other one.
    let again = observatory.post("/fplane", Some(&good), body(7, json!(true)));
    let again = again.await;
    assert_eq!(again.header("x-fplane-changes"), "0");
    assert!(again.header("x-fplane-warning").contains("told before"));
    assert_eq!(again.file(), file_with(&[("013", "307")]));
    assert_eq!(observatory.sources().await, 1 + words.len());
}

async fn a_dry_run_changes_nothing(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let good = format!("FPS_API APIKEY={}", observatory.key().await);
    let config = message(minutes_ago(5), &[unit("013", "321"), unit("014", "322")]);
    let words = [
        json!({ "config": config }),
        json!({ "config": config, "commit": null }),
        json!({ "config": config, "commit": false }),
        json!({ "config": config, "commit": 0 }),
        json!({ "config": config, "commit": "0" }),
        json!({ "config": config, "commit": "False" }),
        json!({ "config": config, "commit": "no" }),
        json!({ "config": config, "commit": "off" }),
        json!({ "config": config, "commit": "F" }),
        json!({ "config": config, "commit": "n" }),
    ];
    let cursor = observatory.cursor().await;
    let would_be = file_with(&[("013", "321"), ("014", "322")]);
    for body in &words {
        let got = observatory.post("/fplane", Some(&good), body.to_string());
        let got = got.await;
        assert_eq!(got.header("x-fplane-committed"), "false", "{body}");
        assert_eq!(got.header("x-fplane-changes"), "2");
        assert_eq!(got.file(), would_be);
        assert_eq!(observatory.get("/fplane").await.file(), file());
    }
    assert_eq!(observatory.sources().await, 1);
    assert_eq!(observatory.cursor().await, cursor);
    // What was tried may be done.
    let body = json!({ "config": config, "commit": true }).to_string();
    let got = observatory.post("/fplane", Some(&good), body).await;
    assert_eq!(got.header("x-fplane-committed"), "true");
    assert_eq!(observatory.get("/fplane").await.file(), would_be);
}

async fn what_cannot_be_taken_in_changes_nothing(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let good = format!("FPS_API APIKEY={}", observatory.key().await);
    let at = minutes_ago(5);
    let hardware = [unit("013", "321")];
    let config = message(at, &hardware);
    let of = |config: Value| json!({ "config": config, "commit": true }).to_string();
    let entry = |number: u32| json!({ "ifuslot": format!("{}", number % 1_000) });
    let many: Vec<Value> = (0..10_000).map(entry).collect();
    let mut place = unit("014", "322");
    (place["x_fp"], place["y_fp"]) = (json!("NaN"), json!(50.0));
    for (body, word) in [
        (String::new(), "JSON"),
        ("{".to_owned(), "JSON"),
        ("[]".to_owned(), "object"),
        ("{\"config\": NaN}".to_owned(), "JSON"),
        (json!({ "commit": true }).to_string(), "config"),
        (of(json!("status")), "config"),
        (
            json!({ "config": config, "commit": "maybe" }).to_string(),
            "commit",
        ),
        (of(json!({ "hardware": hardware })), "__data_time"),
        (
            of(json!({ "__data_time": "now", "hardware": hardware })),
            "__data_time",
        ),
        (of(message(minutes_ago(6 * 60 + 1), &hardware)), "6h"),
        (of(message(at, &[])), "slot"),
        (of(message(at, &many)), "2000"),
        // One that is good before it does not help.
        (
            of(message(at, &[hardware[0].clone(), place])),
            "hardware[1].x_fp",
        ),
        (
            of(message(at, &[hardware[0].clone(), unit("013", "322")])),
            "hardware[1].ifuslot",
        ),
    ] {
        let message = observatory.post("/fplane", Some(&good), body).await;
        let message = message.message(400);
        assert!(message.contains(word), "{word}: {message}");
    }
    let large = format!("{{\"config\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let large = observatory.post("/fplane", Some(&good), large).await;
    large.message(413);
    assert_eq!(observatory.sources().await, 1);
    assert_eq!(observatory.get("/fplane").await.file(), file());
    // There is nothing to post to a date.
    let dated = observatory.post("/fplane/20250115", Some(&good), of(config));
    assert_eq!(dated.await.status, 405);
}
