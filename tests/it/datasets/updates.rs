//! Changes of datasets are told to those who may search where they lie, and to nobody else.

use serde_json::{Value, json};

use super::{ADMIN, Register, info, kind_and_uri};
use crate::support::{Lab, Socket};

on_both_databases!(
    each_is_told_of_what_they_may_see,
    what_was_missed_is_told_by_the_rights_of_now,
    only_what_was_asked_for,
    grants_are_felt_while_others_listen,
    the_log_itself_is_silent,
);

const UPDATES: &str = "subscription($filter: DatasetFilter, $after: String) {
    datasetUpdates(filter: $filter, after: $after) { cursor kind dataset { uri name tags manifest { hashFunction } } }
}";

impl Register {
    pub async fn listen(&self, who: &str, variables: Value) -> Socket {
        let mut socket = Socket::signed_in(&self.server, self.token(who)).await;
        let payload = json!({ "query": UPDATES, "variables": variables });
        socket
            .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
            .await;
        socket
    }

    /// The place in the log where it stands now: a subscription from here misses nothing that follows.
    pub async fn cursor(&self) -> Value {
        let data = self.data(ADMIN, "{ eventCursor }", json!({})).await;
        data["eventCursor"].clone()
    }
}

/// Kind and URI of the next update.
pub async fn heard(socket: &mut Socket) -> (String, String) {
    kind_and_uri(&socket.hear().await)
}

pub fn told(kind: &str, uri: &str) -> (String, String) {
    (kind.to_owned(), uri.to_owned())
}

async fn each_is_told_of_what_they_may_see(lab: Lab) {
    let register = Register::open(lab, &["ada", "bob"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register
        .base_uri("s3://b", &[("ada", true, true), ("bob", true, false)])
        .await;
    // Both ask for the same, twice: answers are shared by those who have one account.
    let from = json!({ "after": register.cursor().await });
    let mut listeners = Vec::new();
    for who in ["ada", "bob", "ada", "bob"] {
        listeners.push((who, register.listen(who, from.clone()).await));
    }
    register.registered("ada", &info("s3://a", "x", 1)).await;
    register.registered("ada", &info("s3://b", "y", 2)).await;
    register.registered("ada", &info("s3://a", "x", 1)).await;
    register.delete("ada", "s3://b/y").await;
    for (who, socket) in &mut listeners {
        if *who == "ada" {
            assert_eq!(heard(socket).await, told("REGISTERED", "s3://a/x"));
        }
        assert_eq!(heard(socket).await, told("REGISTERED", "s3://b/y"));
        if *who == "ada" {
            assert_eq!(heard(socket).await, told("UPDATED", "s3://a/x"));
        }
        assert_eq!(heard(socket).await, told("DELETED", "s3://b/y"));
    }

    // A right that is taken is taken from those who listen, too.
    register.grant("bob", "s3://b", false, false).await;
    register
        .registered("ada", &info("s3://b", "hidden", 3))
        .await;
    register.grant("bob", "s3://a", true, false).await;
    register
        .registered("ada", &info("s3://a", "shown", 4))
        .await;
    for (who, socket) in &mut listeners {
        if *who == "ada" {
            assert_eq!(heard(socket).await, told("REGISTERED", "s3://b/hidden"));
        }
        assert_eq!(heard(socket).await, told("REGISTERED", "s3://a/shown"));
    }
}

async fn what_was_missed_is_told_by_the_rights_of_now(lab: Lab) {
    let register = Register::open(lab, &["ada", "bob"]).await;
    register
        .base_uri("s3://a", &[("ada", true, true), ("bob", true, false)])
        .await;
    register.base_uri("s3://b", &[("ada", true, true)]).await;
    for (base, name, number) in [("s3://a", "x", 1), ("s3://b", "y", 2), ("s3://a", "z", 3)] {
        register.registered("ada", &info(base, name, number)).await;
    }
    register.delete("ada", "s3://a/z").await;
    register.grant("bob", "s3://a", false, false).await;
    register.grant("bob", "s3://b", true, false).await;
    let beginning = json!({ "after": "beginning" });
    let mut socket = register.listen("bob", beginning.clone()).await;
    assert_eq!(heard(&mut socket).await, told("REGISTERED", "s3://b/y"));
    let mut socket = register.listen("ada", beginning.clone()).await;
    for (kind, uri) in [
        ("REGISTERED", "s3://a/x"),
        ("REGISTERED", "s3://b/y"),
        ("REGISTERED", "s3://a/z"),
        ("DELETED", "s3://a/z"),
    ] {
        assert_eq!(heard(&mut socket).await, told(kind, uri));
    }
    // An administrator is told of nothing: what comes first is what was granted.
    let mut socket = register.listen(ADMIN, beginning).await;
    register.grant(ADMIN, "s3://b", true, false).await;
    register.registered("ada", &info("s3://b", "last", 9)).await;
    assert_eq!(heard(&mut socket).await.1[..6], *"s3://b");
}

/// Subscribers with one account share what becomes of an event: not beyond the next change of a grant.
async fn grants_are_felt_while_others_listen(lab: Lab) {
    let register = Register::open(lab, &["ada", "bob"]).await;
    for base in ["s3://a", "s3://b"] {
        register
            .base_uri(base, &[("ada", true, true), ("bob", true, false)])
            .await;
    }
    let from = json!({ "after": register.cursor().await });
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(register.listen("bob", from.clone()).await);
    }
    register.registered("ada", &info("s3://a", "x", 1)).await;
    register.registered("ada", &info("s3://b", "y", 2)).await;
    for socket in &mut listeners {
        assert_eq!(heard(socket).await, told("REGISTERED", "s3://a/x"));
        assert_eq!(heard(socket).await, told("REGISTERED", "s3://b/y"));
    }
    register.grant("bob", "s3://a", false, false).await;
    let mut late = register.listen("bob", from.clone()).await;
    assert_eq!(heard(&mut late).await, told("REGISTERED", "s3://b/y"));
    register.grant("bob", "s3://a", true, false).await;
    register.grant("bob", "s3://b", false, false).await;
    let mut later = register.listen("bob", from).await;
    assert_eq!(heard(&mut later).await, told("REGISTERED", "s3://a/x"));
    register.registered("ada", &info("s3://a", "z", 3)).await;
    listeners.extend([late, later]);
    for socket in &mut listeners {
        assert_eq!(heard(socket).await, told("REGISTERED", "s3://a/z"));
    }
}

async fn only_what_was_asked_for(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    let after = register.cursor().await;
    let mut tagged = register
        .listen(
            "ada",
            json!({ "after": after, "filter": { "tags": ["x"] } }),
        )
        .await;
    let mut other = register
        .listen(
            "ada",
            json!({ "after": after, "filter": { "tags": ["y"] } }),
        )
        .await;
    let mut sent = info("s3://a", "one", 1);
    sent["tags"] = json!(["x"]);
    register.registered("ada", &sent).await;
    sent["tags"] = json!(["y"]);
    register.registered("ada", &sent).await;
    let change =
        "mutation { updateDatasetTags(input: { uri: \"s3://a/one\", tags: [\"x\", \"y\"] }) {
        errors { message }
    } }";
    register.data("ada", change, json!({})).await;
    assert_eq!(heard(&mut tagged).await, told("REGISTERED", "s3://a/one"));
    assert_eq!(heard(&mut tagged).await, told("UPDATED", "s3://a/one"));
    assert_eq!(heard(&mut other).await, told("UPDATED", "s3://a/one"));
    assert_eq!(heard(&mut other).await, told("UPDATED", "s3://a/one"));
}

async fn the_log_itself_is_silent(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register.registered("ada", &info("s3://a", "x", 1)).await;
    for who in ["ada", ADMIN] {
        let data = register
            .data(
                who,
                "{ events { edges { node { subject topic } } } }",
                json!({}),
            )
            .await;
        assert!(!data.to_string().contains("s3://a/x"), "{data}");
    }
}
