//! Datasets are found by text and by MongoDB's queries in lists: ranked, in pages, and only those that somebody may search.

use serde_json::{Value, json};

use super::{Register, info, texts};
use crate::support::Lab;

on_both_databases!(
    those_that_fit_best_come_first,
    queries_are_refused_by_name,
    texts_and_queries_follow_what_changes,
);

const FIND: &str = "query($filter: DatasetFilter, $orderBy: [DatasetOrder!], $first: Int, $after: String, $last: Int, $before: String) {
    datasets(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { name }
    }
}";

/// Names and what of a dataset has the word `alloy`: 4 for the name, 2 for the README, 1 for a path.
const DATASETS: [(&str, &str, &str); 7] = [
    ("a", "none", "f.txt"),
    ("b", "none", "alloy.txt"),
    ("c", "of alloys", "f.txt"),
    ("d", "the Alloy", "f.txt"),
    ("alloy-e", "none", "f.txt"),
    ("alloy-f", "an alloy", "alloys.csv"),
    ("g", "none", "alloy/x"),
];

async fn some(lab: Lab) -> Register {
    let register = Register::open(lab, &["ada", "bob"]).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register
        .base_uri("s3://hidden", &[("bob", true, true)])
        .await;
    for (number, (name, readme, path)) in (0..).zip(DATASETS) {
        for (who, base) in [("ada", "s3://a"), ("bob", "s3://hidden")] {
            let mut sent = info(base, name, number);
            // The name in the URI would count, too.
            sent["uri"] = json!(format!("{base}/{number}"));
            sent["readme"] = json!(format!("about: {readme}"));
            let items = sent["manifest"]["items"].as_object_mut().expect("items");
            for item in items.values_mut() {
                item["relpath"] = json!(path);
            }
            register.registered(who, &sent).await;
        }
    }
    register
}

async fn those_that_fit_best_come_first(lab: Lab) {
    let register = some(lab).await;
    let find = async |variables: Value| {
        let mut data = register.data("ada", FIND, variables).await;
        data["datasets"].take()
    };
    let names = |page: &Value| texts(&page["nodes"], "name");
    let ranked = ["alloy-e", "alloy-f", "c", "d", "b", "g"];
    let filter = json!({ "text": "ALLOYS" });
    let all = find(json!({ "filter": filter })).await;
    assert_eq!(
        (names(&all).as_slice(), &all["totalCount"]),
        (&ranked.map(str::to_owned)[..], &json!(6))
    );

    let mut found = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = find(json!({ "filter": filter, "first": 2, "after": after })).await;
        found.extend(names(&page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(found, ranked);
    let back = find(json!({ "filter": filter, "last": 3, "before": after })).await;
    assert_eq!(names(&back), ["c", "d", "b"]);
    assert_eq!(back["pageInfo"]["hasPreviousPage"], true);

    let by_name = json!([{ "field": "NAME" }]);
    let named = find(json!({ "filter": filter, "orderBy": by_name })).await;
    assert_eq!(names(&named), ["alloy-e", "alloy-f", "b", "c", "d", "g"]);
    let worst_first = json!([{ "field": "RELEVANCE", "direction": "ASC" }, { "field": "NAME", "direction": "DESC" }]);
    let named = find(json!({ "filter": filter, "orderBy": worst_first })).await;
    assert_eq!(names(&named), ["g", "b", "d", "c", "alloy-f", "alloy-e"]);
    // Without a text it is no order, and its cursor none of this list.
    let all = find(json!({ "orderBy": [{ "field": "RELEVANCE" }] })).await;
    assert_eq!(names(&all)[0], "a");
    let wrong = register.ask("ada", FIND, json!({ "after": after })).await;
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "BAD_INPUT");

    let query = json!({ "text": "alloy -csv", "mongo": { "readme.about": { "$ne": "none" } } });
    let both = find(json!({ "filter": query })).await;
    assert_eq!(
        (names(&both), &both["totalCount"]),
        (vec!["c".to_owned(), "d".to_owned()], &json!(2))
    );
}

async fn queries_are_refused_by_name(lab: Lab) {
    let register = Register::open(lab, &["ada"]).await;
    let deep = (0..40).fold(json!({ "a": 1 }), |inner, _| json!({ "$nor": [inner] }));
    let many: Vec<Value> = (0..20_000).map(|number| json!({ "a": number })).collect();
    for (query, named) in [
        (json!({ "$where": "sleep(1)" }), "$where"),
        (json!({ "name": { "$function": {} } }), "$function"),
        (json!({ "$expr": {} }), "$expr"),
        (
            json!({ "name": { "$regex": "(?=a)" } }),
            "regular expression",
        ),
        (
            json!({ "name": { "$regex": "(a{1,99}){1,99}" } }),
            "regular expression",
        ),
        (deep, "deep"),
        (json!({ "$or": many }), ""),
    ] {
        let answer = register
            .ask("ada", FIND, json!({ "filter": { "mongo": query } }))
            .await;
        let error = &answer["errors"][0];
        let code = error["extensions"]["code"].as_str().expect("a code");
        assert!(matches!(code, "BAD_INPUT" | "TOO_COMPLEX"), "{answer}");
        let message = error["message"].as_str().expect("a message");
        if named.starts_with('$') {
            assert!(message.contains(named), "{message}");
        }
    }
}

async fn texts_and_queries_follow_what_changes(lab: Lab) {
    let register = some(lab).await;
    let uri = "s3://a/0";
    let change = "mutation($uri: String!, $annotations: JSON!) {
        updateDatasetTags(input: { uri: $uri, tags: [\"zebra\"] }) { errors { message } }
        updateDatasetAnnotations(input: { uri: $uri, set: $annotations }) { errors { message } }
        updateDatasetReadme(input: { uri: $uri, text: \"kind: giraffes\" }) { errors { message } }
    }";
    let annotations = json!({ "temperature": { "kelvin": [273.5, 300] } });
    register
        .data(
            "ada",
            change,
            json!({ "uri": uri, "annotations": annotations }),
        )
        .await;
    for filter in [
        json!({ "text": "zebras" }),
        json!({ "text": "\"giraffe\"" }),
        json!({ "mongo": { "tags": "zebra" } }),
        json!({ "mongo": { "annotations.temperature.kelvin": { "$lt": 280 } } }),
        json!({ "mongo": { "readme.kind": { "$regex": "^GIR", "$options": "i" } } }),
    ] {
        assert_eq!(
            register.uris("ada", filter.clone()).await,
            [uri],
            "{filter}"
        );
        assert!(register.uris("bob", filter).await.is_empty());
    }
    assert!(
        register
            .uris(
                "ada",
                json!({ "mongo": { "readme.about": "none", "name": "a" } })
            )
            .await
            .is_empty()
    );
    assert_eq!(register.delete("ada", uri).await["errors"], json!([]));
    assert!(
        register
            .uris("ada", json!({ "text": "zebra" }))
            .await
            .is_empty()
    );
}
