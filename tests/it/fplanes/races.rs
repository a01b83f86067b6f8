//! Commands that meet: what comes out is what one after the other would have made, in the order in which they became known.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use labql::entity::fplane_source;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use super::site::{Site, events, kept, lines, micros, mutation};
use crate::support::{Lab, Server};

on_both_databases!(
    updates_of_the_same_instant,
    one_message_from_many,
    commands_of_all_kinds_at_once,
);

const ROUNDS: u32 = 20;

/// A second server of the same laboratory.
async fn second(site: &Site) -> Server {
    let log = site.lab.path("second.log");
    let command = site.lab.command(["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command, &log).await;
    server.signed_in(site.server.token())
}

async fn tell(server: &Server, command: &str, input: &Value) -> Value {
    let mut data = server
        .data(&mutation(command), json!({ "input": input }))
        .await;
    let answer = data["it"].take();
    assert_eq!(answer["errors"], json!([]), "{answer}");
    answer
}

/// Of two that tell of the same instant, who is heard last is right; the other was until then.
async fn updates_of_the_same_instant(lab: Lab) {
    let site = Site::of_any_age(lab).await;
    let other = second(&site).await;
    for round in 0..ROUNDS {
        let at = format!("2024-01-05T06:{round:02}:00Z");
        let config = |specid: u32| {
            json!({ "config": { "__data_time": at, "hardware": [
                { "ifuslot": "013", "specid": specid }, { "ifuslot": "021", "ifuid": specid },
            ] } })
        };
        let (one, two) = (100 + 2 * round, 101 + 2 * round);
        let (config_one, config_two) = (config(one), config(two));
        let (first, second) = tokio::join!(
            tell(&site.server, "updateFplane", &config_one),
            tell(&other, "updateFplane", &config_two)
        );
        let known = |answer: &Value| micros(&answer["source"]["recordedAt"]).expect("a time");
        assert_ne!(known(&first), known(&second));
        let last = if known(&first) < known(&second) {
            two
        } else {
            one
        };
        let earlier = one + two - last;
        for server in [&site.server, &other] {
            let query = "query($at: String!, $knownAt: DateTime) {
                fplane(at: $at, knownAt: $knownAt) { slots { ifuslot specid ifuid } }
            }";
            let known_then = [&first, &second]
                .into_iter()
                .min_by_key(|it| known(it))
                .expect("one");
            let known_then = &known_then["source"]["recordedAt"];
            for (known_at, id) in [(&Value::Null, last), (known_then, earlier)] {
                let variables = json!({ "at": at, "knownAt": known_at });
                let plane = server.data(query, variables).await;
                // Both slots are of the same message.
                let expected = json!([
                    { "ifuslot": "013", "specid": id.to_string(), "ifuid": null },
                    { "ifuslot": "021", "specid": null, "ifuid": id.to_string() },
                ]);
                assert_eq!(plane["fplane"]["slots"], expected, "{at} {known_at}");
            }
        }
        let query = "query($from: DateTime!) {
            fplaneHistory(ifuslot: \"013\", from: $from, withSuperseded: true, first: 500) { nodes { validFrom specid supersededAt } }
        }";
        let data = site.server.data(query, json!({ "from": at })).await;
        let nodes = data["fplaneHistory"]["nodes"].as_array().expect("records");
        let of_round = nodes
            .iter()
            .filter(|it| micros(&it["validFrom"]) == micros(&json!(at)));
        let mut found: Vec<_> = of_round
            .map(|it| (it["specid"].clone(), it["supersededAt"].is_null()))
            .collect();
        found.sort_by_key(|(_, is_known)| *is_known);
        assert_eq!(
            found,
            [
                (json!(earlier.to_string()), false),
                (json!(last.to_string()), true)
            ],
            "{at}"
        );
    }
}

async fn one_message_from_many(lab: Lab) {
    let site = Site::of_any_age(lab).await;
    let (other, database) = (second(&site).await, site.lab.database().await);
    for round in 0..u64::from(ROUNDS) {
        let config = json!({ "__data_time": format!("2024-01-05T06:{round:02}:00Z"), "hardware": [{ "ifuslot": "013", "specid": 100 + round }] });
        let input = json!({ "config": config });
        let answers = join_all((0..6).map(async |number| {
            let server = if number % 2 == 0 {
                &site.server
            } else {
                &other
            };
            tell(server, "updateFplane", &input).await
        }))
        .await;
        let new = answers
            .iter()
            .filter(|it| it["isRepeated"] == false)
            .count();
        assert_eq!(new, 1, "{answers:?}");
        let sources: BTreeSet<String> = answers
            .iter()
            .map(|it| it["source"]["id"].to_string())
            .collect();
        assert_eq!(sources.len(), 1, "{answers:?}");
        assert!(
            answers
                .iter()
                .all(|it| it["fplane"]["text"] == answers[0]["fplane"]["text"])
        );
        assert_eq!(events(&database).await, round + 1);
    }
    let sources = fplane_source::Entity::find()
        .all(database.read())
        .await
        .expect("rows");
    assert_eq!(sources.len(), usize::try_from(ROUNDS).expect("a number"));
}

/// Whatever meets, the same commands one after the other in the order in which they became known make the same planes.
async fn commands_of_all_kinds_at_once(lab: Lab) {
    let again = lab.another().await;
    let site = Site::of_any_age(lab).await;
    let (other, database) = (second(&site).await, site.lab.database().await);
    let mut commands: Vec<(&str, Value)> = Vec::new();
    for number in 0..8 {
        let (day, specid) = (1 + number % 4, 300 + number);
        commands.push(("updateFplane", json!({ "config": {
            "__data_time": format!("2024-01-0{day}T00:00:00Z"), "hardware": [{ "ifuslot": "013", "specid": specid }],
        } })));
        let (unlisted, slot) = if number % 2 == 0 {
            ("END", "013\t-450.250\t 150.000")
        } else {
            ("KEEP", "021\t-350.000\t 350.000")
        };
        commands.push(("importFplane", json!({
            "text": format!("{slot}\t{specid}\t241\t043\t0.000\t1.000\n"), "validFrom": format!("2024-01-0{day}T12:00:00Z"), "unlisted": unlisted,
        })));
        commands.push(("correctFplane", json!({
            "ifuslot": "013", "from": format!("2024-01-0{day}T06:00:00Z"), "until": format!("2024-01-0{}T06:00:00Z", day + 2),
            "mapping": { "specid": specid.to_string() }, "reason": format!("{number}"),
        })));
    }
    let answers = join_all(
        commands
            .iter()
            .enumerate()
            .map(async |(place, (command, input))| {
                let server = if place % 2 == 0 { &site.server } else { &other };
                tell(server, command, input).await
            }),
    );
    let mut order: Vec<(Option<i64>, usize)> = answers
        .await
        .iter()
        .map(|it| micros(&it["source"]["recordedAt"]))
        .zip(0..)
        .collect();
    order.sort_unstable();
    let distinct: BTreeSet<_> = order.iter().map(|(known_at, _)| *known_at).collect();
    assert_eq!(distinct.len(), commands.len());
    let sources = fplane_source::Entity::find().order_by_asc(fplane_source::Column::Id);
    let sources = sources.all(database.read()).await.expect("rows");
    let known: Vec<Option<i64>> = sources
        .iter()
        .map(|source| Some(source.recorded_at))
        .collect();
    assert_eq!(
        known,
        order
            .iter()
            .map(|(known_at, _)| *known_at)
            .collect::<Vec<_>>()
    );

    let again = Site::of_any_age(again).await;
    for (_, place) in &order {
        let (command, input) = &commands[*place];
        again.told(command, input.clone()).await;
    }
    for hour in (0..24 * 8).step_by(3) {
        let at = format!("2024-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
        let (one, two) = (
            site.plane(&at, "MEASURED").await,
            again.plane(&at, "MEASURED").await,
        );
        assert_eq!(lines(&one), lines(&two), "{at}");
        assert_eq!(
            (&one["validFrom"], &one["validUntil"]),
            (&two["validFrom"], &two["validUntil"]),
            "{at}"
        );
    }
    let before = kept(&database).await;
    assert!(before.iter().any(|row| row.contains("CORRECTION")));
}
