//! What datasets were derived from: by their documents, along links, and no further than somebody may see.

use std::collections::{BTreeMap, BTreeSet};

use labql::auth::Viewer;
use labql::auth::viewer::ViewerUser;
use labql::datasets::lineage::rebuild::{adopt, rebuild};
use labql::datasets::lineage::{DependencyKeys, Direction, Walk, walk, walk_statement};
use labql::datasets::read::Reader;
use labql::entity::dataset_link;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Register, costs, info, texts, uuid};
use crate::statements::cost;
use crate::support::Lab;

on_both_databases!(
    parents_children_and_walks,
    nothing_is_learned_through_what_is_not_to_be_seen,
    a_long_lineage_is_cut,
    other_keys_make_other_links,
    a_list_of_lineages_is_few_statements,
    walks_use_indexes,
);

const LINEAGE: &str =
    "query($uri: String!, $direction: LineageDirection, $depth: Int, $keys: [String!]) {
    dataset(uri: $uri) { lineage(direction: $direction, depth: $depth, keys: $keys) {
        nodes { uuid dataset { uri name } } edges { from to } truncated
    } }
}";

/// A dataset that was derived from these.
fn derived(base: &str, number: u64, from: &[u64]) -> Value {
    let mut sent = info(base, &format!("n{number}"), number);
    let parents = from.iter().map(|it| format!("- uuid: {}\n", uuid(*it)));
    let parents: String = parents.collect();
    sent["readme"] = json!(format!("---\nderived_from:\n{parents}"));
    sent
}

/// The numbers of the nodes, and the edges.
fn graph(answer: &Value) -> (BTreeSet<u64>, BTreeSet<(u64, u64)>) {
    let number = |value: &Value| {
        let text = value.as_str().expect("a UUID");
        text.rsplit('-')
            .next()
            .and_then(|it| it.parse().ok())
            .expect("a number")
    };
    let list = |name: &str| answer[name].as_array().expect(name).iter();
    (
        list("nodes").map(|node| number(&node["uuid"])).collect(),
        list("edges")
            .map(|edge| (number(&edge["from"]), number(&edge["to"])))
            .collect(),
    )
}

impl Register {
    async fn lineage(&self, who: &str, uri: &str, direction: &str, depth: Value) -> Value {
        let variables = json!({ "uri": uri, "direction": direction, "depth": depth });
        self.data(who, LINEAGE, variables).await["dataset"]["lineage"].take()
    }
}

async fn parents_children_and_walks(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register.base_uri("s3://b", &[("ada", true, true)]).await;
    // 1 -> 2 -> 3 -> 5, 1 -> 4 -> 5, 9 (nowhere) -> 3; 2 has a copy; 6 and 7 go in a circle.
    for (base, number, from) in [
        ("s3://a", 1, &[][..]),
        ("s3://a", 2, &[1]),
        ("s3://b", 2, &[1]),
        ("s3://b", 3, &[2, 9]),
        ("s3://a", 4, &[1]),
        ("s3://a", 5, &[4, 3]),
        ("s3://a", 6, &[7]),
        ("s3://a", 7, &[6]),
    ] {
        let mut sent = derived(base, number, from);
        if number == 2 {
            sent["annotations"] = json!({ "source_dataset_uuid": uuid(1).to_uppercase() });
        }
        register.registered("ada", &sent).await;
    }
    let query = "query($uri: String!) { dataset(uri: $uri) {
        derivedFrom { uuid keys dataset { uri copies { uri } } } derivatives { uri }
    } }";
    let two = register
        .data("ada", query, json!({ "uri": "s3://b/n2" }))
        .await;
    assert_eq!(
        two["dataset"]["derivedFrom"],
        json!([{
            "uuid": uuid(1),
            "keys": ["annotations.source_dataset_uuid", "readme.derived_from.uuid"],
            "dataset": { "uri": "s3://a/n1", "copies": [] },
        }])
    );
    assert_eq!(texts(&two["dataset"]["derivatives"], "uri"), ["s3://b/n3"]);
    let three = register
        .data("ada", query, json!({ "uri": "s3://b/n3" }))
        .await;
    // Of the copies the one that is nearer.
    assert_eq!(
        three["dataset"]["derivedFrom"][0]["dataset"]["uri"],
        "s3://b/n2"
    );
    assert_eq!(three["dataset"]["derivedFrom"][1]["dataset"], Value::Null);
    let one = register
        .data("ada", query, json!({ "uri": "s3://a/n1" }))
        .await;
    let children = texts(&one["dataset"]["derivatives"], "uri");
    assert_eq!(children, ["s3://a/n2", "s3://a/n4", "s3://b/n2"]);

    let all = [(1, 2), (1, 4), (2, 3), (9, 3), (3, 5), (4, 5)];
    for (uri, direction, depth, nodes, edges) in [
        (
            "s3://b/n3",
            "ANCESTORS",
            json!(null),
            &[1, 2, 3, 9][..],
            &[(1, 2), (2, 3), (9, 3)][..],
        ),
        (
            "s3://b/n3",
            "ANCESTORS",
            json!(1),
            &[2, 3, 9],
            &[(2, 3), (9, 3)],
        ),
        (
            "s3://a/n1",
            "DESCENDANTS",
            json!(1),
            &[1, 2, 4],
            &[(1, 2), (1, 4)],
        ),
        (
            "s3://a/n1",
            "DESCENDANTS",
            json!(100),
            &[1, 2, 3, 4, 5],
            &[(1, 2), (1, 4), (2, 3), (3, 5), (4, 5)],
        ),
        ("s3://a/n4", "BOTH", json!(null), &[1, 2, 3, 4, 5, 9], &all),
        ("s3://a/n4", "BOTH", json!(1), &[1, 4, 5], &[(1, 4), (4, 5)]),
        (
            "s3://a/n6",
            "ANCESTORS",
            json!(null),
            &[6, 7],
            &[(6, 7), (7, 6)],
        ),
        ("s3://a/n6", "BOTH", json!(50), &[6, 7], &[(6, 7), (7, 6)]),
    ] {
        let found = register.lineage("ada", uri, direction, depth.clone()).await;
        let expected = (
            nodes.iter().copied().collect(),
            edges.iter().copied().collect(),
        );
        assert_eq!(graph(&found), expected, "{uri} {direction} {depth}");
        assert_eq!(found["nodes"][0]["dataset"]["uri"], uri);
        assert_eq!(found["truncated"], false);
    }
    let by_key = json!({ "uri": "s3://a/n1", "keys": ["annotations.source_dataset_uuid"] });
    let found = register.data("ada", LINEAGE, by_key).await;
    assert_eq!(
        graph(&found["dataset"]["lineage"]),
        ([1, 2].into(), [(1, 2)].into())
    );
    for depth in [0, -1, 101] {
        let variables = json!({ "uri": "s3://a/n1", "depth": depth });
        let refused = register.ask("ada", LINEAGE, variables).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_INPUT");
    }

    // What is deleted or changed tells nothing any more.
    register.delete("ada", "s3://b/n3").await;
    let change = "mutation { updateDatasetReadme(input: { uri: \"s3://a/n4\", text: \"none\" }) { errors { code } } }";
    register.data("ada", change, json!({})).await;
    let found = register
        .lineage("ada", "s3://a/n1", "BOTH", json!(null))
        .await;
    assert_eq!(graph(&found), ([1, 2].into(), [(1, 2)].into()));
}

/// Random datasets, copies and grants, against a walk over what somebody may see.
async fn nothing_is_learned_through_what_is_not_to_be_seen(lab: Lab) {
    const BASES: [&str; 3] = ["s3://a", "s3://b", "s3://c"];
    let users = ["root-of-all", "bob", "eve"];
    let register = Register::open(lab, &users).await;
    let mut random = StdRng::seed_from_u64(17);
    let mut searchable: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for base in BASES {
        register
            .base_uri(base, &[("root-of-all", true, true)])
            .await;
        for user in ["bob", "eve"] {
            if random.random_bool(0.6) {
                register.grant(user, base, true, false).await;
                searchable.entry(user).or_default().push(base);
            }
        }
    }
    searchable.insert("root-of-all", BASES.to_vec());
    let mut registered: Vec<(&str, u64, Vec<u64>)> = Vec::new();
    for number in 0..14 {
        for base in BASES {
            if random.random_bool(0.5) {
                let parents = (0..random.random_range(0..3)).map(|_| random.random_range(0..16));
                let parents: Vec<u64> = parents.collect();
                register
                    .registered("root-of-all", &derived(base, number, &parents))
                    .await;
                registered.push((base, number, parents));
            }
        }
    }
    for _ in 0..40 {
        let user = *users.choose(&mut random).expect("a user");
        let (base, number, _) = registered.choose(&mut random).expect("a dataset");
        let direction = *["ANCESTORS", "DESCENDANTS", "BOTH"]
            .choose(&mut random)
            .expect("one");
        let depth: Option<u8> = random.random_bool(0.5).then(|| random.random_range(1..4));
        let empty = Vec::new();
        let may = searchable.get(user).unwrap_or(&empty);
        let variables =
            json!({ "uri": format!("{base}/n{number}"), "direction": direction, "depth": depth });
        let found = register.data(user, LINEAGE, variables).await;
        if !may.contains(base) {
            assert_eq!(found["dataset"], Value::Null);
            continue;
        }
        let seen: Vec<_> = registered
            .iter()
            .filter(|(base, ..)| may.contains(base))
            .collect();
        let links: BTreeSet<(u64, u64)> = seen
            .iter()
            .flat_map(|(_, child, parents)| parents.iter().map(|parent| (*parent, *child)))
            .collect();
        let known: BTreeSet<u64> = seen.iter().map(|(_, number, _)| *number).collect();
        let mut nodes = BTreeSet::from([*number]);
        for _ in 0..depth.unwrap_or(u8::MAX) {
            let mut next = nodes.clone();
            for (parent, child) in &links {
                let up =
                    direction != "DESCENDANTS" && nodes.contains(child) && known.contains(child);
                let down =
                    direction != "ANCESTORS" && nodes.contains(parent) && known.contains(parent);
                if up {
                    next.insert(*parent);
                }
                if down {
                    next.insert(*child);
                }
            }
            nodes = next;
        }
        let edges = links
            .into_iter()
            .filter(|(parent, child)| nodes.contains(parent) && nodes.contains(child));
        let expected = (nodes.clone(), edges.collect());
        let lineage = &found["dataset"]["lineage"];
        assert_eq!(
            graph(lineage),
            expected,
            "{user} {base} {number} {direction} {depth:?}"
        );
        for node in lineage["nodes"].as_array().expect("nodes") {
            let is_known = known.iter().any(|number| node["uuid"] == uuid(*number));
            assert_eq!(node["dataset"].is_null(), !is_known);
            if let Some(uri) = node["dataset"]["uri"].as_str() {
                assert!(may.iter().any(|base| uri.starts_with(base)), "{user} {uri}");
            }
        }
    }
}

async fn a_long_lineage_is_cut(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    // Two parents that together name more than are shown.
    for number in [1, 2] {
        let from: Vec<u64> = (0..600).map(|it| 1_000 * number + it).collect();
        register
            .registered("ada", &derived("s3://a", number, &from))
            .await;
    }
    register
        .registered("ada", &derived("s3://a", 3, &[1, 2]))
        .await;
    let found = register
        .lineage("ada", "s3://a/n3", "ANCESTORS", json!(null))
        .await;
    assert_eq!(found["truncated"], true);
    let (nodes, edges) = graph(&found);
    assert_eq!(nodes.len(), 1_000);
    assert!(
        edges
            .iter()
            .all(|(from, to)| nodes.contains(from) && nodes.contains(to))
    );
    let found = register
        .lineage("ada", "s3://a/n1", "ANCESTORS", json!(null))
        .await;
    assert_eq!(
        (found["truncated"].clone(), graph(&found).0.len()),
        (json!(false), 601)
    );
}

async fn other_keys_make_other_links(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    for number in 1..100 {
        let mut sent = derived("s3://a", number, &[number - 1]);
        sent["annotations"] = json!({ "made": { "from": uuid(number + 1) } });
        register.registered("ada", &sent).await;
    }
    let database = register.lab.database().await;
    let keys = serde_json::from_value::<DependencyKeys>(json!(["annotations.made.from"]));
    let keys = keys.expect("keys");
    let stop = CancellationToken::new();
    rebuild(&database, &stop).await.expect("done");
    assert!(adopt(&database, &keys).await.expect("adopted"));
    assert!(!adopt(&database, &keys).await.expect("adopted"));
    // Who writes before it is done writes by the new keys.
    register
        .registered("ada", &derived("s3://a", 100, &[99]))
        .await;
    rebuild(&database, &stop).await.expect("done");
    let links = dataset_link::Entity::find()
        .all(database.read())
        .await
        .expect("links");
    assert_eq!(links.len(), 99);
    assert!(
        links
            .iter()
            .all(|link| link.dependency_key == "annotations.made.from")
    );
    let found = register
        .lineage("ada", "s3://a/n3", "ANCESTORS", json!(1))
        .await;
    assert_eq!(graph(&found).1, [(4, 3)].into());
}

async fn a_list_of_lineages_is_few_statements(lab: Lab) {
    let mut register = Register::open(lab, &["ada"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    for number in 1..20 {
        register
            .registered("ada", &derived("s3://a", number, &[number - 1, 50]))
            .await;
    }
    let token = register.token("ada").to_owned();
    register.server = register.server.signed_in(&token);
    let query = "query($first: Int) { datasets(first: $first) { nodes {
        derivedFrom { uuid dataset { uri tags copies { uri } } }
        derivatives { uri }
        lineage(direction: ANCESTORS, depth: 3) { nodes { uuid dataset { name } } edges { from to } }
    } } }";
    for first in [2, 5, 500] {
        let body = json!({ "query": query, "variables": { "first": first } });
        let (statements, _) = cost(&register.server, &body).await;
        // The page; links, parents and their copies; derivatives; a walk and its datasets.
        assert_eq!(statements, 7, "{first}");
    }
    let bare = "{ dataset(uri: \"s3://a/n9\") { lineage { nodes { uuid } edges { from } } } }";
    let (statements, _) = cost(&register.server, &json!({ "query": bare })).await;
    assert_eq!(statements, 2);
}

async fn walks_use_indexes(lab: Lab) {
    let database = lab.database().await;
    let user = ViewerUser {
        id: Some(1),
        username: "ada".to_owned(),
        is_admin: false,
    };
    let reader = Reader::of(&Viewer {
        user: Some(user),
        expires_at: None,
    });
    for direction in [
        Direction::Ancestors,
        Direction::Descendants,
        Direction::Both,
    ] {
        for (depth, keys) in [(None, None), (Some(3), Some(vec!["readme.a".to_owned()]))] {
            let asked = Walk {
                direction,
                depth,
                keys,
            };
            let found = walk(&database, reader, &[1, 2], &asked)
                .await
                .expect("a walk");
            assert!(found.is_empty());
            let statement = walk_statement(database.backend(), reader, &[1, 2], &asked);
            let plan = costs::plan(&database, statement).await;
            assert!(
                !plan.contains("SCAN link") && !plan.contains("Seq Scan on dataset_link"),
                "{asked:?}\n{plan}"
            );
            assert!(
                !plan.contains("SCAN here") && !plan.contains("SCAN dataset"),
                "{plan}"
            );
        }
    }
}
