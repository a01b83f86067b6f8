//! Storage tells of changes in buckets, and the register says what is there.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::bucket::{BASE, Bucket, event};
use super::dtool::{self, S3};
use super::updates::{heard, told};
use super::{Register, uuid};
use crate::support::client::{Address, PATIENCE, code, get, header, http, json_of};
use crate::support::{Lab, Socket};

on_both_databases!(
    what_is_there_now_counts_and_not_the_event,
    a_burst_is_read_once_even_after_a_crash,
    what_cannot_be_read_is_tried_again_and_not_taken_for_gone,
    only_who_is_allowed_tells,
    what_is_wrong_is_named,
    too_many_are_told_to_come_again,
);

const SECRET: &str = "a-secret-of-the-storage";
const PATH: &str = "/hooks/datasets/s3";
const PUT: &str = "ObjectCreated:Put";
const REMOVED: &str = "s3:ObjectRemoved:Delete";

fn guarded(lab: &mut Lab) {
    lab.set("LABQL_DATASETS__WEBHOOK__SECRET", SECRET);
}

fn records(events: impl IntoIterator<Item = Value>) -> String {
    let records: Vec<Value> = events.into_iter().collect();
    json!({ "Records": records }).to_string()
}

impl Register {
    async fn post(&self, headers: &[(&str, &str)], body: String) -> Response {
        let mut request = http().post(self.server.url(PATH)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        timeout(PATIENCE, request.send())
            .await
            .expect("in time")
            .expect("an answer")
    }

    /// Tells of these events, as `MinIO` does; answers with status and body.
    async fn tell(&self, events: impl IntoIterator<Item = Value>) -> (u16, Value) {
        let bearer = format!("Bearer {SECRET}");
        let answer = self
            .post(&[("authorization", bearer.as_str())], records(events))
            .await;
        (answer.status().as_u16(), json_of(answer).await)
    }

    async fn told_of(&self, name: &str, key: &str) {
        let (status, answer) = self.tell([event(name, key)]).await;
        assert_eq!(status, 202, "{answer}");
        assert_eq!(answer, json!({ "accepted": 1, "ignored": 0 }));
    }

    async fn listening(&self) -> Socket {
        self.listen("ada", json!({ "after": self.cursor().await }))
            .await
    }

    /// How often datasets were read for a notification, by outcome.
    async fn readings(&self) -> [i64; 6] {
        let named =
            |outcome| format!("labql_dataset_notifications_read_total{{outcome=\"{outcome}\"}}");
        let names = [
            "registered",
            "updated",
            "unchanged",
            "removed",
            "absent",
            "failed",
        ]
        .map(named);
        self.server
            .counters(names.each_ref().map(String::as_str))
            .await
    }

    /// Waits until readings have come out like this.
    async fn until(&self, came: impl Fn([i64; 6]) -> bool) {
        let reached = async {
            loop {
                let readings = self.readings().await;
                if came(readings) {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = timeout(PATIENCE, reached).await;
        assert!(waited.is_ok(), "{:?}", self.readings().await);
    }

    async fn is_registered(&self, uuid: &str) -> bool {
        let query = "query($uri: String!) { dataset(uri: $uri) { uri } }";
        let variables = json!({ "uri": format!("{BASE}/{uuid}") });
        let found = self.data("ada", query, variables).await;
        found["dataset"] != Value::Null
    }
}

/// A register that is told of a bucket.
async fn told_of_a_bucket(mut lab: Lab) -> Option<(Bucket, Register)> {
    let server = S3::start(&dtool::python()?);
    guarded(&mut lab);
    let bucket = Bucket::of(&mut lab, server).await;
    let register = Register::working(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    Some((bucket, register))
}

async fn what_is_there_now_counts_and_not_the_event(lab: Lab) {
    let Some((bucket, register)) = told_of_a_bucket(lab).await else {
        return;
    };
    let [a, b, c] = [1, 2, 3].map(uuid);
    let [in_a, in_b, in_c] = [&a, &b, &c].map(|uuid| format!("{BASE}/{uuid}"));
    let mut socket = register.listening().await;

    bucket.dataset(&a).await;
    register.told_of(PUT, &format!("{a}/dtool")).await;
    assert_eq!(heard(&mut socket).await, told("REGISTERED", &in_a));
    // Twice, and that it is gone although it is there: nothing has changed.
    register.told_of(PUT, &format!("{a}/dtool")).await;
    register.told_of(REMOVED, &format!("{a}/dtool")).await;
    bucket.dataset(&b).await;
    register.told_of(PUT, &format!("dtool-{b}")).await;
    assert_eq!(heard(&mut socket).await, told("REGISTERED", &in_b));
    bucket.put(&format!("{a}/tags/late"), "").await;
    register.told_of(PUT, &format!("{a}%2Ftags%2Flate")).await;
    assert_eq!(heard(&mut socket).await, told("UPDATED", &in_a));
    let found = register.uris("ada", json!({ "tags": ["late"] })).await;
    assert_eq!(found, [in_a.as_str()]);
    bucket.delete(&format!("{a}/tags/late")).await;
    register.told_of(REMOVED, &format!("{a}/tags/late")).await;
    assert_eq!(heard(&mut socket).await, told("UPDATED", &in_a));

    // What comes late tells of what is gone.
    bucket.remove(&b).await;
    register.told_of(PUT, &format!("{b}/README.yml")).await;
    assert_eq!(heard(&mut socket).await, told("DELETED", &in_b));
    register.told_of(REMOVED, &format!("{b}/dtool")).await;
    // What is not frozen yet is none.
    bucket.growing(&c).await;
    register.told_of(PUT, &format!("{c}/dtool")).await;
    let (_, ignored) = register.tell([event(PUT, &format!("{c}/data/0123"))]).await;
    assert_eq!(ignored, json!({ "accepted": 0, "ignored": 1 }));
    bucket.dataset(&c).await;
    register.told_of(PUT, &format!("{c}/manifest.json")).await;
    assert_eq!(heard(&mut socket).await, told("REGISTERED", &in_c));
    // One that is not frozen any more is none, either.
    bucket.growing(&c).await;
    register.told_of(PUT, &format!("{c}/dtool")).await;
    assert_eq!(heard(&mut socket).await, told("DELETED", &in_c));
    assert_eq!(register.uris("ada", json!({})).await, [in_a]);

    let report = register.lab.done(&["index", BASE, "--json"]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(
        (&report["unchanged"], &report["removed"]),
        (&json!(1), &json!(0))
    );
}

async fn a_burst_is_read_once_even_after_a_crash(mut lab: Lab) {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    let Some((bucket, register)) = told_of_a_bucket(lab).await else {
        return;
    };
    let (a, b) = (uuid(1), uuid(2));
    bucket.dataset(&a).await;
    bucket.dataset(&b).await;
    for round in 0..10 {
        let tags = (0..100).map(|it| event(PUT, &format!("{a}/tags/{round}-{it}")));
        let items = (0..100).map(|it| event(PUT, &format!("{a}/data/{it:040}")));
        let (status, answer) = register.tell(tags.chain(items)).await;
        assert_eq!(
            (status, answer),
            (202, json!({ "accepted": 1, "ignored": 100 }))
        );
    }
    register.told_of(PUT, &format!("{b}/dtool")).await;
    assert_eq!(register.uris("ada", json!({})).await, [""; 0]);

    let register = register.crashed().await;
    let mut socket = register
        .listen("ada", json!({ "after": "beginning" }))
        .await;
    let mut seen = [heard(&mut socket).await, heard(&mut socket).await];
    seen.sort();
    let registered = |uuid: &str| told("REGISTERED", &format!("{BASE}/{uuid}"));
    assert_eq!(seen, [registered(&a), registered(&b)]);
    // Whatever is told from here on is read after all that was told before.
    bucket.put(&format!("{b}/tags/x"), "").await;
    register.told_of(PUT, &format!("{b}/tags/x")).await;
    assert_eq!(
        heard(&mut socket).await,
        told("UPDATED", &format!("{BASE}/{b}"))
    );
    register
        .until(|readings| readings == [2, 1, 0, 0, 0, 0])
        .await;
}

async fn what_cannot_be_read_is_tried_again_and_not_taken_for_gone(lab: Lab) {
    let Some((bucket, register)) = told_of_a_bucket(lab).await else {
        return;
    };
    let a = uuid(1);
    let in_a = format!("{BASE}/{a}");
    let mut socket = register.listening().await;
    bucket.dataset(&a).await;
    let whole = format!("{a}/manifest.json");
    bucket.put(&whole, "{").await;
    register.told_of(PUT, &format!("{a}/dtool")).await;
    register.until(|[.., failed]| failed > 0).await;
    let workers = "{ workers { name lastRun { problems { source message } } } }";
    let shown = register.data(super::ADMIN, workers, json!({})).await;
    assert!(!shown.to_string().contains(&a), "{shown}");
    assert!(register.server.log().contains(&in_a));
    // Nobody tells again.
    bucket.dataset(&a).await;
    assert_eq!(heard(&mut socket).await, told("REGISTERED", &in_a));

    // A bucket that is not there has lost nothing.
    bucket.remove(&a).await;
    bucket.vanish().await;
    let [.., before] = register.readings().await;
    register.told_of(REMOVED, &format!("{a}/dtool")).await;
    register.until(|[.., failed]| failed > before).await;
    assert!(register.is_registered(&a).await);
}

async fn only_who_is_allowed_tells(mut lab: Lab) {
    // Not without a configuration.
    let other = Register::open(lab.another().await, &[]).await;
    let answer = other.post(&[], records([])).await;
    assert_eq!(answer.status(), 404);

    guarded(&mut lab);
    let register = Register::open(lab, &["ada"]).await;
    let right = format!("Bearer {SECRET}");
    // "anybody:a-secret-of-the-storage"
    let basic = "Basic YW55Ym9keTphLXNlY3JldC1vZi10aGUtc3RvcmFnZQ==";
    for credential in [right.as_str(), basic] {
        let answer = register
            .post(&[("authorization", credential)], records([]))
            .await;
        assert_eq!(answer.status(), 202);
    }
    let own = format!("Bearer {}", register.token("ada"));
    for headers in [
        &[][..],
        &[("authorization", "Bearer a-secret-of-the-storag")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic YW55Ym9keTp4")],
        &[("authorization", "Basic ???")],
        &[("authorization", SECRET)],
        &[("authorization", own.as_str())],
        &[
            ("authorization", right.as_str()),
            ("authorization", right.as_str()),
        ],
        &[("x-api-key", SECRET)],
    ] {
        let answer = register.post(headers, records([])).await;
        assert_eq!(answer.status(), 401, "{headers:?}");
        assert_eq!(header(answer.headers(), "www-authenticate"), "Bearer");
        assert_eq!(code(&json_of(answer).await), "UNAUTHENTICATED");
    }
    assert_eq!(get(&register.server, PATH, &[]).await.status(), 405);
    let log = register.server.log();
    assert!(
        log.contains("missing or wrong") && !log.contains("a-secret-of"),
        "{log}"
    );

    // Who comes from elsewhere is not asked for a secret.
    let mut lab = register.lab;
    drop(register.server);
    lab.set("LABQL_DATASETS__WEBHOOK__ALLOW_FROM", r#"["192.0.2.0/24"]"#);
    let server = lab.serve().await;
    let answer = http()
        .post(server.url(PATH))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 403);
    let answer = json_of(answer).await;
    assert_eq!(code(&answer), "FORBIDDEN");
    assert!(answer.to_string().contains("127.0.0.1"), "{answer}");

    for (name, value, named) in [
        ("ALLOW_FROM", r#"["192.0.2.0/33"]"#, "192.0.2.0/33"),
        ("SECRET", "short", "datasets.webhook.secret"),
    ] {
        lab.set(&format!("LABQL_DATASETS__WEBHOOK__{name}"), value);
        let said = lab.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(!said.success && said.stderr.contains(named), "{said:?}");
        lab.set("LABQL_DATASETS__WEBHOOK__ALLOW_FROM", "[]");
    }
}

async fn what_is_wrong_is_named(mut lab: Lab) {
    guarded(&mut lab);
    lab.set(
        "LABQL_DATASETS__BUCKETS",
        "{lab={region=\"x\"},spare={region=\"x\"}}",
    );
    lab.set("LABQL_HTTP__BODY_LIMIT", "10000");
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    let key = format!("{}/dtool", uuid(1));
    let of = |bucket: &str| {
        let mut event = event(PUT, &key);
        event["s3"]["bucket"]["name"] = json!(bucket);
        event
    };
    let mut nameless = of("lab");
    nameless["s3"]["object"] = json!({});
    let (status, answer) = register
        .tell([of("lab"), of("spare"), of("strange"), nameless, of("a/b")])
        .await;
    assert_eq!((status, code(&answer)), (400, "BAD_INPUT"));
    let message = answer["errors"][0]["message"].as_str().expect("a message");
    for named in [
        "s3://spare: it is no registered base URI",
        "s3://strange: it is not among datasets.buckets",
        "Records[3].s3.object.key: it is missing",
        "Records[4].s3.bucket.name: ",
        "(datasets accepted nevertheless: 1)",
    ] {
        assert!(message.contains(named), "{message}");
    }
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", bearer.as_str())];
    for (body, status) in [
        ("{".to_owned(), 400),
        ("{}".to_owned(), 400),
        (r#"{"Records":{}}"#.to_owned(), 400),
        (" ".repeat(10_001), 413),
        (
            r#"{"Event":"s3:TestEvent","Bucket":"strange"}"#.to_owned(),
            202,
        ),
    ] {
        let answer = register.post(&headers, body).await;
        assert_eq!(answer.status(), status);
    }
    let form = [
        headers[0],
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let test = register
        .post(&form, "Action=Publish&Message=a+test".into())
        .await;
    assert_eq!(test.status(), 202);
    let confirm = json!({
        "Type": "SubscriptionConfirmation", "TopicArn": "arn:of:a-topic",
        "SubscribeURL": "http://127.0.0.1:9/never-opened",
    });
    let answer = register.post(&headers, confirm.to_string()).await;
    assert_eq!(answer.status(), 202);
    assert!(register.server.log().contains("never-opened"));
}

async fn too_many_are_told_to_come_again(mut lab: Lab) {
    guarded(&mut lab);
    lab.set("LABQL_DATASETS__BUCKETS", "{lab={region=\"x\"}}");
    lab.set("LABQL_DATASETS__WEBHOOK__MAX_WAITING", "2");
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri(BASE, &[("ada", true, true)]).await;
    for number in [1, 2] {
        register
            .told_of(PUT, &format!("{}/dtool", uuid(number)))
            .await;
    }
    let (status, answer) = register
        .tell([event(PUT, &format!("{}/dtool", uuid(3)))])
        .await;
    assert_eq!((status, code(&answer)), (503, "UNAVAILABLE"));
    // A base URI that goes takes what waits with it.
    let query = "mutation { deleteBaseUri(input: { uri: \"s3://lab\" }) { errors { message } } }";
    let deleted = register.data(super::ADMIN, query, json!({})).await;
    assert_eq!(deleted["deleteBaseUri"]["errors"], json!([]));
    register.base_uri(BASE, &[("ada", true, true)]).await;
    register.told_of(PUT, &format!("{}/dtool", uuid(3))).await;
}
