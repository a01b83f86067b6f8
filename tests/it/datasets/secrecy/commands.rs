//! Commands: those that change something, and those that must not.

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::questions::id;
use super::{ADMIN, BASES, USERS, World, described};

/// One change by somebody: a grant, a registration, a deletion, other tags.
pub async fn one(world: &mut World) {
    match world.random.random_range(0..8) {
        0..=2 => {
            let (user, base) = (world.any(&USERS), world.any(&BASES));
            let rights = (world.maybe(), world.maybe());
            world.register.grant(user, base, rights.0, rights.1).await;
            world.model.grants.insert((user, base), rights);
        }
        3..=5 => {
            let (user, base) = (world.any(&USERS), world.any(&BASES));
            let place = world.random.random_range(0..4);
            let dataset = world.invent(base, place);
            let sent = described(&dataset);
            let answer = world.register.register(user, &sent).await;
            let (may_search, may_register) = world.model.may(user, base);
            assert_eq!(answer["created"].is_null(), !may_register, "{answer}");
            assert_eq!(answer["dataset"].is_null(), !(may_register && may_search));
            if may_register {
                world.model.register(dataset);
            } else {
                // Nobody else has heard of its word.
                assert!(!answer.to_string().contains(&dataset.secret), "{answer}");
            }
        }
        6 => {
            let (user, base) = (world.any(&USERS), world.any(&BASES));
            let uri = format!("{base}/n{}", world.random.random_range(0..4));
            let answer = world.register.delete(user, &uri).await;
            let may_register = world.model.may(user, base).1;
            assert_eq!(answer["uri"].is_null(), !may_register, "{answer}");
            if may_register {
                world.model.delete(&uri);
            }
        }
        _ => {
            let uris: Vec<String> = world.model.datasets.keys().cloned().collect();
            let Some(uri) = uris.choose(&mut world.random) else {
                return;
            };
            let user = world.any(&USERS);
            let (may_search, may_register) = world.model.may(user, world.model.datasets[uri].base);
            let query =
                "mutation($uri: String!) { updateDatasetTags(input: { uri: $uri, add: [\"x\"] }) {
                dataset { uri name tags } errors { code field message } } }";
            let data = world.answer(user, query, json!({ "uri": uri })).await;
            let answer = &data["updateDatasetTags"];
            let may = may_search && may_register;
            assert_eq!(answer["dataset"].is_null(), !may, "{answer}");
            let Some(dataset) = world.model.datasets.get_mut(uri).filter(|_| may) else {
                return;
            };
            if !dataset.tags.contains(&"x") {
                dataset.tags.push("x");
                let (uri, base) = (dataset.uri.clone(), dataset.base);
                world.model.changes.push(("UPDATED", uri, base));
            }
        }
    }
}

/// Commands on what somebody must not know of: they are refused, in the words in which those on nothing are.
pub async fn forbidden(world: &mut World, user: &'static str) {
    let hidden: Vec<(String, (bool, bool))> = world
        .model
        .datasets
        .values()
        .map(|it| (it.uri.clone(), world.model.may(user, it.base)))
        .filter(|(_, (search, _))| !search)
        .collect();
    let Some((uri, (_, may_register))) = hidden.choose(&mut world.random).cloned() else {
        return;
    };
    let (base, _) = uri.rsplit_once('/').expect("a base URI");
    // The same place, where nothing is.
    let nothing = format!("{base}/nothing");
    let same = async |query: &str, what: &str| {
        let mut answers = Vec::new();
        for uri in [uri.as_str(), &nothing] {
            let variables = json!({ "uri": uri, "id": id(uri) });
            let answer = world.answer(user, query, variables).await.to_string();
            answers.push(answer.replace(uri, "URI"));
        }
        assert_eq!(answers[0], answers[1], "{user} {what} {uri}");
        answers.swap_remove(0)
    };
    for (name, more) in [
        ("Tags", "add: [\"hacked\"]"),
        ("Annotations", "set: { hacked: 1 }"),
        ("Readme", "text: \"hacked\""),
    ] {
        let query = format!(
            "mutation($uri: String!) {{ it: updateDataset{name}(input: {{ uri: $uri, {more} }}) {{
                dataset {{ uri name }} written errors {{ code field message }} }} }}"
        );
        let answer = same(&query, name).await;
        assert!(answer.contains("NOT_FOUND"), "{answer}");
    }
    if !may_register {
        let query = "mutation($uri: String!) { it: deleteDataset(input: { uri: $uri }) {
            uri errors { code field message } } }";
        let answer = same(query, "delete").await;
        assert!(answer.contains("NOT_FOUND"), "{answer}");
        let query = "mutation($uri: String!) { indexBaseUri(input: { uri: $uri }) {
            registered removed problems { source } errors { code field message } } }";
        for base in [base, "s3://nowhere"] {
            let data = world.answer(user, query, json!({ "uri": base })).await;
            assert_eq!(data["indexBaseUri"]["errors"][0]["code"], "NOT_FOUND");
        }
    }
    // Who manages base URIs is not told what is in them either.
    if user == ADMIN {
        let query = "mutation($uri: String!) { deleteBaseUri(input: { uri: $uri }) { uri errors { code message } } }";
        let data = world.answer(user, query, json!({ "uri": base })).await;
        assert_eq!(data["deleteBaseUri"]["uri"], Value::Null);
    }
}
