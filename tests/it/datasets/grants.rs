//! Whatever is granted to whom, nobody sees, counts, sums or reaches what they may not search.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{ADMIN, Register, info, texts, uuid};
use crate::support::Lab;

on_both_databases!(nothing_is_reached_without_a_right);

const USERS: [&str; 3] = ["ada", "bob", "eve"];
const BASES: [&str; 4] = ["s3://a", "s3://b", "s3://c", "s3://d"];
const ROUNDS: usize = 60;

/// What was granted and registered: what the register should know.
#[derive(Default)]
struct Model {
    grants: BTreeMap<(&'static str, &'static str), (bool, bool)>,
    datasets: BTreeMap<String, Value>,
}

impl Model {
    fn may(&self, user: &'static str, base: &'static str) -> (bool, bool) {
        self.grants.get(&(user, base)).copied().unwrap_or_default()
    }

    fn visible(&self, user: &'static str) -> Vec<&Value> {
        let searchable: Vec<&str> = BASES
            .into_iter()
            .filter(|base| self.may(user, base).0)
            .collect();
        let of = |it: &&Value| searchable.contains(&it["base_uri"].as_str().expect("a text"));
        self.datasets.values().filter(of).collect()
    }
}

async fn nothing_is_reached_without_a_right(lab: Lab) {
    let register = Register::open(lab, &USERS).await;
    for base in BASES {
        register.base_uri(base, &[]).await;
    }
    let mut model = Model::default();
    let mut random = StdRng::seed_from_u64(20);
    let mut everybody = USERS.to_vec();
    everybody.push(ADMIN);
    for _ in 0..ROUNDS {
        let user = *everybody.choose(&mut random).expect("a user");
        let base = *BASES.choose(&mut random).expect("a base URI");
        match random.random_range(0..4) {
            0 => {
                let rights = (random.random_bool(0.6), random.random_bool(0.6));
                register.grant(user, base, rights.0, rights.1).await;
                model.grants.insert((user, base), rights);
            }
            1..=2 => {
                let name = format!("n{}", random.random_range(0..4));
                let mut sent = info(base, &name, 0);
                sent["uuid"] = json!(uuid(random.random_range(0..4)));
                let tags = ["x", "y"].into_iter();
                let tags: Vec<&str> = tags.filter(|_| random.random_bool(0.5)).collect();
                sent["tags"] = json!(tags);
                sent["size_in_bytes"] = json!(random.random_range(0..1000));
                let uri = sent["uri"].as_str().expect("a text").to_owned();
                let answer = register.register(user, &sent).await;
                let (may_search, may_register) = model.may(user, base);
                let is_shown = may_register && may_search;
                assert_eq!(answer["created"].is_null(), !is_shown, "{answer}");
                assert_eq!(answer["dataset"].is_null(), !(may_register && may_search));
                if may_register {
                    let before = model.datasets.insert(uri, sent);
                    assert!(!is_shown || answer["created"] == before.is_none());
                }
            }
            _ => {
                let uri = format!("{base}/n{}", random.random_range(0..4));
                let answer = register.delete(user, &uri).await;
                let may_register = model.may(user, base).1;
                assert_eq!(answer["uri"].is_null(), !may_register, "{answer}");
                if may_register {
                    model.datasets.remove(&uri);
                }
            }
        }
        let reader = *everybody.choose(&mut random).expect("a user");
        look(&register, &model, reader, &mut random).await;
    }
    for reader in everybody {
        look(&register, &model, reader, &mut random).await;
    }
}

/// Asks in every way there is, and compares with the model.
async fn look(register: &Register, model: &Model, reader: &'static str, random: &mut StdRng) {
    let visible = model.visible(reader);
    let wanted = match random.random_range(0..4) {
        0 => json!({}),
        1 => json!({ "tags": ["x"] }),
        2 => json!({ "uuids": [uuid(1), uuid(2)] }),
        _ => json!({ "baseUris": BASES[..random.random_range(0..BASES.len())] }),
    };
    let admits = |it: &&&Value| {
        let any = |list: &Value, field: &str| {
            list.as_array()
                .is_none_or(|values| values.contains(&it[field]))
        };
        any(&wanted["uuids"], "uuid")
            && any(&wanted["baseUris"], "base_uri")
            && (wanted["tags"].is_null()
                || it["tags"].as_array().expect("tags").contains(&json!("x")))
    };
    let admitted: Vec<&Value> = visible.iter().filter(admits).copied().collect();
    let uris = |of: &[&Value]| {
        let uris = of.iter().map(|it| it["uri"].as_str().expect("a text"));
        uris.map(str::to_owned).collect::<BTreeSet<_>>()
    };

    let query = "query($filter: DatasetFilter) {
        datasets(filter: $filter, first: 100) { totalCount nodes { uri copies { uri } } }
        datasetGroups(filter: $filter, by: [\"baseUri\"]) { key count sizeBytes }
        datasetSummary { count sizeBytes byTag { key count } byCreator { count } byBaseUri { key count } }
        baseUris { nodes { uri datasetCount } }
    }";
    let variables = json!({ "filter": wanted });
    let data = register.data(reader, query, variables).await;
    let nodes = data["datasets"]["nodes"].as_array().expect("nodes");
    let found: BTreeSet<String> = texts(&data["datasets"]["nodes"], "uri")
        .into_iter()
        .collect();
    assert_eq!(found, uris(&admitted), "{reader} {wanted}");
    assert_eq!(data["datasets"]["totalCount"], admitted.len());
    for node in nodes {
        let of = &model.datasets[node["uri"].as_str().expect("a text")];
        let copies: Vec<&Value> = visible
            .iter()
            .filter(|it| it["uuid"] == of["uuid"] && it["uri"] != of["uri"])
            .copied()
            .collect();
        let found: BTreeSet<String> = texts(&node["copies"], "uri").into_iter().collect();
        assert_eq!(found, uris(&copies));
    }
    let sum = |of: &[&Value]| {
        let sizes = of
            .iter()
            .map(|it| it["size_in_bytes"].as_f64().expect("a size"));
        sizes.sum::<f64>()
    };
    let groups = data["datasetGroups"].as_array().expect("groups");
    let grouped: f64 = groups
        .iter()
        .map(|it| it["sizeBytes"].as_f64().expect("a size"))
        .sum();
    assert!((grouped - sum(&admitted)).abs() < 0.5);
    let summary = &data["datasetSummary"];
    assert_eq!(summary["count"], visible.len());
    assert_eq!(summary["sizeBytes"], sum(&visible));
    let tags: usize = visible
        .iter()
        .map(|it| it["tags"].as_array().expect("tags").len())
        .sum();
    let counted = |groups: &Value| {
        let groups = groups.as_array().expect("groups");
        groups
            .iter()
            .map(|it| it["count"].as_u64().expect("a count"))
            .sum::<u64>()
    };
    assert_eq!(counted(&summary["byTag"]), tags as u64);
    assert_eq!(counted(&summary["byCreator"]), visible.len() as u64);
    assert_eq!(counted(&summary["byBaseUri"]), visible.len() as u64);
    for base in data["baseUris"]["nodes"].as_array().expect("nodes") {
        let of = |it: &&&Value| it["base_uri"] == base["uri"];
        let uri = base["uri"].as_str().expect("a text");
        let known = BASES.into_iter().find(|known| *known == uri);
        let (search, register) = model.may(reader, known.expect("a base URI"));
        assert!(search || register || reader == ADMIN);
        if search {
            assert_eq!(base["datasetCount"], visible.iter().filter(of).count());
        } else {
            assert_eq!(base["datasetCount"], Value::Null);
        }
    }

    // One of those that there are, seen or not.
    let all: Vec<&Value> = model.datasets.values().collect();
    if let Some(one) = all.choose(random) {
        let is_visible = visible.contains(one);
        let id = id(one["uri"].as_str().expect("a text"));
        let query =
            "query($uri: String!, $id: ID!) { dataset(uri: $uri) { uri } node(id: $id) { id } }";
        let variables = json!({ "uri": one["uri"], "id": id });
        let found = register.data(reader, query, variables).await;
        assert_eq!(found["dataset"].is_null(), !is_visible);
        assert_eq!(found["node"].is_null(), !is_visible);
    }
}

/// The global id of a dataset.
fn id(uri: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    BASE64_URL_SAFE_NO_PAD.encode(format!("Dataset\n{uri}"))
}
