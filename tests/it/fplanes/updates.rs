//! Changes of focal planes are told as they happen, and to whoever comes back later: none is lost, none is told twice.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::observatory::{Observatory, file, file_with, message, minutes_ago, unit};
use crate::support::client::{EVENTS, PATIENCE, post};
use crate::support::{Lab, Server, Socket};

on_both_databases!(
    each_change_is_told_with_what_became_otherwise,
    only_what_was_asked_for,
    what_was_missed_is_told_as_it_was_then,
    what_is_no_change_is_not_told,
    many_updates_are_told_once_each,
    who_may_not_read_is_told_nothing,
);

const FIRST: &str = "2025-01-11T06:00:00+00:00";

const UPDATES: &str = "subscription($filter: FplaneUpdateFilter, $after: String) {
    fplaneUpdates(filter: $filter, after: $after) {
        cursor recordedAt kind validFrom validUntil
        fplane { at validFrom slot(ifuslot: \"013\") { specid } }
        changes { ifuslot change before { specid } after { specid } }
        source { kind author recordedBy { username } }
    }
}";

/// A subscription over either transport.
enum Listener {
    Socket(Box<Socket>),
    Stream(Response, String),
}

impl Listener {
    async fn by_socket(server: &Server, variables: Value) -> Self {
        let mut socket = Socket::signed_in(server, server.token()).await;
        let payload = json!({ "query": UPDATES, "variables": variables });
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
        socket.say(subscribe).await;
        Self::Socket(Box::new(socket))
    }

    /// With the last cursor as browsers send it when they come back.
    async fn by_stream(server: &Server, variables: Value, last: Option<&str>) -> Self {
        let token = format!("Bearer {}", server.token());
        let mut headers = vec![("authorization", token.as_str())];
        headers.extend(last.map(|last| ("last-event-id", last)));
        let body = json!({ "query": UPDATES, "variables": variables });
        let response = post(server, EVENTS, &headers, body).await;
        assert_eq!(response.status(), 200);
        Self::Stream(response, String::new())
    }

    /// Both, with the same variables.
    async fn both(server: &Server, variables: &Value) -> [Self; 2] {
        [
            Self::by_socket(server, variables.clone()).await,
            Self::by_stream(server, variables.clone(), None).await,
        ]
    }

    /// The next update.
    async fn hear(&mut self) -> Value {
        let mut answer = match self {
            Self::Socket(socket) => {
                let mut heard = socket.hear().await;
                assert_eq!(heard["type"], "next", "{heard}");
                heard["payload"].take()
            }
            Self::Stream(response, text) => {
                let (id, answer) = next(response, text).await;
                // The id is what a browser sends when it comes back.
                assert_eq!(answer["data"]["fplaneUpdates"]["cursor"], id);
                answer
            }
        };
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"]["fplaneUpdates"].take()
    }
}

/// The next event of a stream: its id and what it says.
async fn next(response: &mut Response, text: &mut String) -> (String, Value) {
    loop {
        if let Some((event, rest)) = text.split_once("\n\n") {
            let (event, rest) = (event.to_owned(), rest.to_owned());
            *text = rest;
            let line = |name| event.lines().find_map(|line| line.strip_prefix(name));
            let (Some(id), Some(data)) = (line("id: "), line("data: ")) else {
                // The stream says that it lives.
                assert!(event.starts_with(':'), "{event}");
                continue;
            };
            let data = serde_json::from_str(data).expect("JSON");
            return (id.to_owned(), data);
        }
        let chunk = timeout(PATIENCE, response.chunk()).await;
        let chunk = chunk.expect("an event").expect("the stream");
        let chunk = chunk.expect("an event before the end");
        text.push_str(std::str::from_utf8(&chunk).expect("ASCII"));
    }
}

fn instant(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().expect("an instant");
    text.parse().expect("an instant")
}

/// Slot, change and spectrographs of the changes of an update.
fn changes(update: &Value) -> Vec<[Value; 4]> {
    let changes = update["changes"].as_array().expect("changes").iter();
    let told = |change: &Value| {
        [
            change["ifuslot"].clone(),
            change["change"].clone(),
            change["before"]["specid"].clone(),
            change["after"]["specid"].clone(),
        ]
    };
    changes.map(told).collect()
}

fn changed(ifuslot: &str, before: &str, after: &str) -> [Value; 4] {
    [ifuslot, "CHANGED", before, after].map(|text| json!(text))
}

async fn each_change_is_told_with_what_became_otherwise(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    let from = json!({ "after": observatory.cursor().await });
    let mut listeners = Listener::both(&observatory.server, &from).await;
    observatory.import(FIRST).await;
    let at = minutes_ago(5);
    let told = message(at, &[unit("013", "321"), unit("014", "322")]);
    observatory.update(&told).await;
    let correction = json!({
        "ifuslot": "013", "from": FIRST, "until": "2025-01-12T00:00:00Z",
        "mapping": { "ifuid": "001", "specid": "333", "specslot": "101" }, "reason": "the log says so",
    });
    observatory.tell("correctFplane", correction).await;
    for listener in &mut listeners {
        let imported = listener.hear().await;
        assert_eq!(imported["kind"], "TOLD");
        assert_eq!(imported["source"]["kind"], "FILE");
        assert_eq!(imported["validFrom"], FIRST);
        assert_eq!(imported["fplane"]["validFrom"], FIRST);
        let added = changes(&imported);
        assert_eq!(added.len(), file().lines().count() - 5);
        assert!(added.iter().all(|change| change[1] == "ADDED"), "{added:?}");

        let updated = listener.hear().await;
        assert_eq!(updated["kind"], "TOLD");
        assert_eq!(instant(&updated["validFrom"]), at);
        assert_eq!(instant(&updated["fplane"]["validFrom"]), at);
        assert_eq!(updated["fplane"]["slot"]["specid"], "321");
        assert_eq!(updated["validUntil"], Value::Null);
        assert_eq!(
            changes(&updated),
            [changed("013", "800", "321"), changed("014", "801", "322")]
        );
        assert_eq!(
            updated["source"],
            json!({ "kind": "STATUS", "author": "ada", "recordedBy": { "username": "ada" } })
        );
        let age = Utc::now() - instant(&updated["recordedAt"]);
        assert!(age < TimeDelta::minutes(1), "{updated}");

        let corrected = listener.hear().await;
        assert_eq!(corrected["kind"], "CORRECTED");
        assert_eq!(corrected["validFrom"], FIRST);
        assert_eq!(corrected["validUntil"], "2025-01-12T00:00:00+00:00");
        assert_eq!(changes(&corrected), [changed("013", "800", "333")]);
        assert_eq!(corrected["source"]["kind"], "CORRECTION");
    }
}

async fn only_what_was_asked_for(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let after = observatory.cursor().await;
    // 013 holds IFU 001, 014 holds 002.
    let filters = [
        (json!({ "ifuslots": ["013"] }), ["321", "331"]),
        (json!({ "ifuslots": ["14"] }), ["322", "332"]),
        (json!({ "ifuids": ["1"] }), ["321", "331"]),
        (json!({ "specids": ["332"] }), ["332", "333"]),
        (
            json!({ "ifuslots": ["013", "014"], "ifuids": ["002"] }),
            ["322", "332"],
        ),
    ];
    let mut listeners = Vec::new();
    for (filter, expected) in &filters {
        let variables = json!({ "after": after, "filter": filter });
        for listener in Listener::both(&observatory.server, &variables).await {
            listeners.push((filter, expected, listener));
        }
    }
    let first = minutes_ago(30);
    let steps = [
        ("015", "300"),
        ("013", "321"),
        ("014", "322"),
        ("015", "301"),
        ("013", "331"),
        ("014", "332"),
        ("014", "333"),
    ];
    for (minute, (ifuslot, specid)) in (0..).zip(steps) {
        let at = first + TimeDelta::minutes(minute);
        observatory
            .update(&message(at, &[unit(ifuslot, specid)]))
            .await;
    }
    for (filter, expected, listener) in &mut listeners {
        for specid in *expected {
            let heard = listener.hear().await;
            assert_eq!(changes(&heard)[0][3], *specid, "{filter}: {heard}");
        }
    }
}

async fn what_was_missed_is_told_as_it_was_then(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let first = minutes_ago(30);
    let at = |minute: i64| first + TimeDelta::minutes(minute);
    for minute in 0..5 {
        let specid = format!("{}", 300 + minute);
        let told = message(at(minute), &[unit("013", &specid)]);
        observatory.update(&told).await;
    }
    // What is known of the third now is otherwise than it was told.
    let correction = json!({
        "ifuslot": "013", "from": at(2).to_rfc3339(), "until": at(3).to_rfc3339(),
        "mapping": { "ifuid": "001", "specid": "399", "specslot": "101" }, "reason": "the log says so",
    });
    observatory.tell("correctFplane", correction).await;

    let beginning = json!({ "after": "beginning" });
    let mut cursors = Vec::new();
    for mut listener in Listener::both(&observatory.server, &beginning).await {
        cursors.clear();
        let imported = listener.hear().await;
        assert_eq!(imported["source"]["kind"], "FILE");
        cursors.push(imported["cursor"].as_str().expect("a cursor").to_owned());
        for minute in 0..5 {
            let heard = listener.hear().await;
            assert_eq!(instant(&heard["validFrom"]), at(minute));
            let specid = format!("{}", 300 + minute);
            assert_eq!(heard["fplane"]["slot"]["specid"], specid);
            cursors.push(heard["cursor"].as_str().expect("a cursor").to_owned());
        }
        let corrected = listener.hear().await;
        assert_eq!(corrected["kind"], "CORRECTED");
        assert_eq!(corrected["fplane"]["slot"]["specid"], "399");
    }
    // From each cursor on: what comes after it.
    for (number, cursor) in cursors.iter().enumerate() {
        let variables = json!({ "after": cursor });
        let by_socket = Listener::by_socket(&observatory.server, variables).await;
        let by_stream = Listener::by_stream(&observatory.server, json!({}), Some(cursor)).await;
        for mut listener in [by_socket, by_stream] {
            let heard = listener.hear().await;
            match cursors.get(number + 1) {
                Some(next) => assert_eq!(heard["cursor"], *next),
                None => assert_eq!(heard["kind"], "CORRECTED"),
            }
        }
    }
    let mut socket = Socket::signed_in(&observatory.server, observatory.server.token()).await;
    let nowhere = json!({ "query": UPDATES, "variables": { "after": "nowhere" } });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": nowhere });
    socket.say(subscribe).await;
    let refused = socket.hear().await;
    let code = &refused["payload"][0]["extensions"]["code"];
    assert_eq!(*code, "BAD_INPUT", "{refused}");

    // The log itself has them, too.
    let log = "{ events(topics: [FPLANE]) { edges { cursor node { topic subject kind } } } }";
    let log = observatory.server.data(log, json!({})).await;
    let edges = log["events"]["edges"].as_array().expect("edges");
    assert_eq!(edges.len(), 7);
    let of_log = edges[..6].iter().map(|edge| edge["cursor"].clone());
    assert_eq!(of_log.collect::<Value>(), json!(cursors));
    let last = &edges[6]["node"];
    assert_eq!(
        *last,
        json!({ "topic": "FPLANE", "subject": "plane", "kind": "corrected" })
    );
}

async fn what_is_no_change_is_not_told(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let after = json!({ "after": observatory.cursor().await });
    let mut listeners = Listener::both(&observatory.server, &after).await;
    let at = minutes_ago(30);
    let told = message(at, &[unit("013", "321")]);
    observatory.update(&told).await;
    // The same again, a dry run, what is refused, what was so anyway, the file once more, and a name.
    observatory.update(&told).await;
    let other = message(at, &[unit("013", "322")]);
    let dry = json!({ "config": other, "commit": false });
    observatory.tell("updateFplane", dry).await;
    let old = message(minutes_ago(7 * 60), &[unit("013", "323")]);
    let refused = observatory.answer("updateFplane", json!({ "config": old }));
    assert_eq!(refused.await["errors"][0]["code"], "BAD_INPUT");
    let so_anyway = message(at + TimeDelta::minutes(1), &[unit("013", "321")]);
    let answer = observatory.update(&so_anyway).await;
    assert_eq!(answer["changes"], json!([]));
    observatory.import(FIRST).await;
    let tag = "mutation { tagFplane(input: { name: \"now\" }) { errors { code } } }";
    observatory.server.data(tag, json!({})).await;
    // News at last.
    let text = file_with(&[("013", "324")]);
    let last = json!({ "text": text, "validFrom": (at + TimeDelta::minutes(2)).to_rfc3339() });
    observatory.tell("importFplane", last).await;
    for listener in &mut listeners {
        for expected in [changed("013", "800", "321"), changed("013", "321", "324")] {
            assert_eq!(changes(&listener.hear().await), [expected]);
        }
    }
}

/// How many each of the writers tells.
const EACH: i64 = 25;

async fn many_updates_are_told_once_each(lab: Lab) {
    const SLOTS: [&str; 3] = ["013", "014", "015"];
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let beginning = observatory.cursor().await;
    let server = &observatory.server;
    // Writers at once, each of its own slot.
    let writer = |ifuslot: &'static str| {
        let observatory = &observatory;
        async move {
            let first = minutes_ago(120);
            for number in 0..EACH {
                let at = first + TimeDelta::minutes(number);
                let told = message(at, &[unit(ifuslot, &format!("{}", 300 + number))]);
                observatory.update(&told).await;
            }
        }
    };
    // A client that stays, and one that comes and goes, now this way and now that.
    let count = SLOTS.len() * usize::try_from(EACH).expect("a few");
    let stays = async {
        let after = json!({ "after": beginning });
        let mut listener = Listener::by_socket(server, after).await;
        let mut heard = Vec::new();
        for _ in 0..count {
            heard.push(listener.hear().await);
        }
        heard
    };
    let comes_and_goes = async {
        let (mut heard, mut last) = (Vec::<Value>::new(), beginning.clone());
        while heard.len() < count {
            let mut listener = if heard.len() % 2 == 0 {
                Listener::by_socket(server, json!({ "after": last })).await
            } else {
                Listener::by_stream(server, json!({}), Some(&last)).await
            };
            for _ in 0..(heard.len() % 7 + 1).min(count - heard.len()) {
                heard.push(listener.hear().await);
            }
            let cursor = heard.last().map(|update| &update["cursor"]);
            let cursor = cursor.and_then(Value::as_str).expect("a cursor");
            cursor.clone_into(&mut last);
        }
        heard
    };
    let [one, two, three] = SLOTS.map(writer);
    let (heard, again, ..) = tokio::join!(stays, comes_and_goes, one, two, three);
    assert_eq!(heard, again);
    for ifuslot in SLOTS {
        let of_slot = heard.iter().flat_map(changes);
        let of_slot = of_slot.filter(|change| change[0] == ifuslot);
        let specids: Vec<Value> = of_slot.map(|change| change[3].clone()).collect();
        let expected: Vec<Value> = (0..EACH).map(|it| json!(format!("{}", 300 + it))).collect();
        assert_eq!(specids, expected, "{ifuslot}");
    }
    // They were recorded one after the other: so the sources have it.
    let query = "{ fplaneSources(kinds: [STATUS], first: 500) { nodes { recordedAt } } }";
    let sources = server.data(query, json!({})).await;
    let sources = sources["fplaneSources"]["nodes"].as_array().expect("nodes");
    let recorded: Vec<_> = sources
        .iter()
        .map(|it| instant(&it["recordedAt"]))
        .collect();
    assert_eq!(recorded.len(), count);
    assert!(
        recorded.windows(2).all(|two| two[0] > two[1]),
        "{recorded:?}"
    );
}

async fn who_may_not_read_is_told_nothing(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let body = json!({ "query": UPDATES, "variables": { "after": "beginning" } });
    let refused = post(&observatory.server, EVENTS, &[], body.clone()).await;
    let refused = refused.text().await.expect("text");
    assert!(refused.contains("UNAUTHENTICATED"), "{refused}");
    assert!(!refused.contains("fplaneUpdates\":{"), "{refused}");
    let mut socket = Socket::ready(&observatory.server).await;
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": body }))
        .await;
    let heard = socket.hear().await;
    assert_eq!(heard["type"], "error", "{heard}");
    assert_eq!(
        heard["payload"][0]["extensions"]["code"], "UNAUTHENTICATED",
        "{heard}"
    );
}
