//! Far too much, and what is meant to do harm, through the API: it is done, or refused in clear words, with little work.

use serde_json::{Map, Value, json};

use super::fixture::manifest;
use super::folder::{BASE, Folder};
use super::{ADMIN, Register, info, texts};
use crate::statements::cost;
use crate::support::Lab;
use crate::support::client::{GRAPHQL, get, post};

on_both_databases!(
    hostile_queries_cost_nothing,
    no_regular_expression_takes_for_ever,
    a_manifest_of_200_000_items,
    a_readme_of_20_megabytes,
    names_that_lead_elsewhere,
);

const FIND: &str = "query($filter: DatasetFilter, $by: [String!]!) {
    datasets(filter: $filter) { totalCount nodes { uri } } datasetGroups(filter: $filter, by: $by) { count }
}";

/// What makes the description of a dataset wrong.
type Spoil = Box<dyn Fn(&mut Value)>;

/// A server that speaks for somebody, for counting statements.
async fn signed_in(lab: Lab, user: &str) -> Register {
    let mut register = Register::open(lab, &[user]).await;
    let token = register.token(user).to_owned();
    register.server = register.server.signed_in(&token);
    register
}

async fn hostile_queries_cost_nothing(lab: Lab) {
    let register = signed_in(lab, "ada").await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    register.registered("ada", &info("s3://a", "one", 1)).await;
    let nested = |depth: usize, name: &str| {
        (0..depth).fold(json!({ "a": 1 }), |inner, _| json!({ name: [inner] }))
    };
    let wide = |count: usize| {
        let all: Vec<Value> = (0..count).map(|it| json!({ "readme.a": it })).collect();
        json!({ "$or": all })
    };
    for (query, message) in [
        (
            json!({ "$where": "while(1){}" }),
            "$where: $where is not supported: queries run no code",
        ),
        (
            json!({ "a": { "$function": { "body": "f" } } }),
            "a.$function: $function is not supported: queries run no code",
        ),
        (
            json!({ "$or": [{ "$expr": { "$function": {} } }] }),
            "$or[0].$expr: $expr is not supported: queries run no code",
        ),
        (
            json!({ "$and": [{ "a": { "$not": { "$where": "1" } } }] }),
            "$where is not supported: queries run no code",
        ),
        (
            json!({ "a": { "$accumulator": {} } }),
            "$accumulator is not supported",
        ),
        (
            json!({ "$lookup": { "from": "users" } }),
            "$lookup is not supported",
        ),
        (json!({ "$out": "x" }), "$out is not supported"),
        (nested(30, "$and"), "conditions are nested at most 20 deep"),
        (nested(30, "$nor"), "conditions are nested at most 20 deep"),
        // Nearly a megabyte.
        (wide(45_000), "a query has at most 100 conditions"),
        (
            json!({ "a": { "$in": vec!["x".repeat(20); 40_000] } }),
            "a query has at most 1000 values",
        ),
        (
            json!({ "name": { "$regex": "(a+)+$(?!b)" } }),
            "look-around",
        ),
        (
            json!({ "name": { "$regex": r"(.+)\1" } }),
            "back-references",
        ),
        (
            json!({ "name": { "$regex": "((a{1,99}){1,99}){1,99}" } }),
            "the regular expression repeats too much",
        ),
        (json!({ ("a.".repeat(300_000) + "b"): 1 }), ""),
    ] {
        // Of several tries one has no other work in between.
        let mut fewest = i64::MAX;
        for _ in 0..3 {
            let before = register.server.statements().await;
            let variables = json!({ "filter": { "mongo": query }, "by": ["name"] });
            let answer = register.ask("ada", FIND, variables).await;
            fewest = fewest.min(register.server.statements().await - before);
            let error = &answer["errors"][0];
            assert_eq!(
                error["extensions"]["code"], "BAD_INPUT",
                "{message}: {answer}"
            );
            let told = error["message"].as_str().expect("a message");
            assert!(told.contains(message) && told.len() < 1_000, "{told}");
        }
        assert_eq!(fewest, 0, "{message}");
    }
    // Deeper than JSON may be, and larger than a request may be: nothing looks at it.
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let deep = format!(
        r#"{{"query":"query($m: JSON) {{ datasets(filter: {{ mongo: $m }}) {{ totalCount }} }}","variables":{{"m":{deep}}}}}"#
    );
    let token = format!("Bearer {}", register.token("ada"));
    let sent = crate::support::client::http()
        .post(crate::support::Address::url(&register.server, "/graphql"))
        .header("content-type", "application/json")
        .header("accept", GRAPHQL)
        .header("authorization", &token)
        .body(deep);
    assert_eq!(sent.send().await.expect("an answer").status(), 400);
    let headers = [("authorization", token.as_str())];
    let body = json!({ "query": FIND, "variables": { "filter": { "mongo": wide(70_000) }, "by": ["name"] } });
    assert!(body.to_string().len() > 1 << 20);
    let answer = post(&register.server, GRAPHQL, &headers, body).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(register.uris("ada", json!({})).await, ["s3://a/one"]);
}

async fn no_regular_expression_takes_for_ever(lab: Lab) {
    let register = signed_in(lab, "ada").await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;
    let mut sent = info("s3://a", "one", 1);
    let long = "a".repeat(50_000) + "!";
    sent["readme"] = json!(format!("text: {long}\n"));
    sent["annotations"] = json!({ "text": long });
    register.registered("ada", &sent).await;
    for pattern in [
        "(a+)+$",
        "^(a|a)*$",
        "(a|aa)+$",
        "^(.*a){9}b",
        "(.*.*.*)*b",
        "(x+x+)+y",
    ] {
        for field in ["readme.text", "annotations.text"] {
            let filter = json!({ "mongo": { field: { "$regex": pattern } } });
            // The answer comes within the time that a request has.
            assert_eq!(register.uris("ada", filter).await, [""; 0], "{pattern}");
        }
    }
    let filter = json!({ "mongo": { "readme.text": { "$regex": "a{40}!$" } } });
    assert_eq!(register.uris("ada", filter).await, ["s3://a/one"]);
}

async fn a_manifest_of_200_000_items(mut lab: Lab) {
    const MANY: usize = 200_000;
    let folder = Folder::of(&mut lab);
    folder.dataset("large");
    let items: Map<String, Value> = (0..MANY)
        .map(|it| {
            let item = json!({ "hash": format!("{it:032x}"), "relpath": format!("part-{}/f-{it}.dat", it % 100),
                "size_in_bytes": it, "utc_timestamp": 1_700_000_000.5 });
            (format!("{it:040x}"), item)
        })
        .collect();
    let content = manifest(Value::Object(items)).to_string();
    folder.write("large/.dtool/manifest.json", content);
    folder.dataset("small");
    let register = signed_in(lab, "ada").await;
    let report = register.index_folder();
    assert_eq!(report["problemCount"], 0, "{report}");
    register.grant_folder("ada", true, true).await;
    // It is not read again.
    assert_eq!(register.index_folder()["unchanged"], 2);

    let query = "query($uri: String!, $first: Int, $last: Int, $after: String, $before: String, $id: String!) {
        dataset(uri: $uri) { itemCount sizeBytes manifest {
            items(first: $first, last: $last, after: $after, before: $before) {
                totalCount pageInfo { endCursor startCursor } nodes { identifier relpath } }
            item(identifier: $id) { relpath sizeBytes }
    } } }";
    let (uri, small) = (format!("{BASE}/large"), format!("{BASE}/small"));
    let last_item = format!("{:040x}", MANY - 1);
    let ask = async |uri: &str, mut variables: Value| {
        variables["uri"] = json!(uri);
        variables["id"] = json!(last_item);
        let body = json!({ "query": query, "variables": variables });
        cost(&register.server, &body).await
    };
    let (few, _) = ask(&small, json!({ "first": 500 })).await;
    let (statements, data) = ask(&uri, json!({ "first": 500 })).await;
    assert_eq!(statements, few);
    let of = &data["dataset"];
    assert_eq!(of["itemCount"], MANY);
    let items = &of["manifest"]["items"];
    assert_eq!(items["totalCount"], MANY);
    assert_eq!(items["nodes"].as_array().map(Vec::len), Some(500));
    let item = json!({ "relpath": "part-99/f-199999.dat", "sizeBytes": 199_999.0 });
    assert_eq!(of["manifest"]["item"], item);
    // The last page, and the one before it.
    let (statements, data) = ask(&uri, json!({ "last": 500 })).await;
    assert_eq!(statements, few);
    let items = &data["dataset"]["manifest"]["items"];
    assert_eq!(items["nodes"][499]["identifier"], json!(last_item));
    let before = items["pageInfo"]["startCursor"].clone();
    let (statements, data) = ask(&uri, json!({ "last": 500, "before": before })).await;
    assert_eq!(statements, few);
    let nodes = &data["dataset"]["manifest"]["items"]["nodes"];
    assert_eq!(nodes[499]["identifier"], format!("{:040x}", MANY - 501));
    // By path, and by a query over the document.
    let filter = "query($uri: String!) { dataset(uri: $uri) { manifest {
        items(filter: { relpath: \"*/f-1234*.dat\" }) { totalCount } } } }";
    let found = register.data("ada", filter, json!({ "uri": uri })).await;
    assert_eq!(found["dataset"]["manifest"]["items"]["totalCount"], 111);
    let path = format!("manifest.items.{last_item}.size_in_bytes");
    let mongo = json!({ "mongo": { path: 199_999 } });
    assert_eq!(
        register.uris("ada", mongo).await,
        std::slice::from_ref(&uri)
    );
    // And gone again.
    assert_eq!(register.delete("ada", &uri).await["uri"], json!(uri));
}

async fn a_readme_of_20_megabytes(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("one");
    folder.write("one/README.yml", "x".repeat(20 << 20));
    folder.dataset("two");
    // As long as one may be.
    let words = "tensile crack growth ".repeat(200_000);
    folder.write(
        "two/README.yml",
        format!("about: {}\n", &words[..4_000_000]),
    );
    let register = Register::open(lab, &["ada"]).await;
    let report = register.index_folder();
    assert_eq!(report["registered"], 2, "{report}");
    register.grant_folder("ada", true, true).await;
    let source = &report["problems"][0]["source"];
    assert_eq!(source, &json!(format!("{BASE}/one/README.yml")));
    let message = report["problems"][0]["message"].as_str().expect("a text");
    assert_eq!(
        message,
        "is too large: 20971520 bytes, at most 4194304 are read"
    );
    let one = register
        .in_folder("ada", "one", "readme { text content problem }")
        .await;
    assert_eq!(
        (&one["readme"]["text"], &one["readme"]["content"]),
        (&json!(""), &Value::Null)
    );
    assert!(one["readme"]["problem"].is_string(), "{one}");
    let two = register
        .in_folder("ada", "two", "readme { text problem }")
        .await;
    let length = two["readme"]["text"].as_str().map(str::len);
    assert_eq!(
        (length, &two["readme"]["problem"]),
        (Some(4_000_008), &Value::Null)
    );
    let filter = json!({ "text": "cracks" });
    assert_eq!(register.uris("ada", filter).await, [format!("{BASE}/two")]);

    // Requests have bounds of their own.
    let token = format!("Bearer {}", register.token("ada"));
    let headers = [("authorization", token.as_str())];
    let mut sent = info(BASE, "three", 3);
    sent["readme"] = json!("x".repeat(20 << 20));
    let query =
        "mutation($input: RegisterDatasetInput!) { registerDataset(input: $input) { created } }";
    let body = json!({ "query": query, "variables": { "input": { "info": sent } } });
    let answer = post(&register.server, GRAPHQL, &headers, body).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(register.uris("ada", json!({})).await.len(), 2);
}

async fn names_that_lead_elsewhere(mut lab: Lab) {
    let folder = Folder::of(&mut lab);
    folder.dataset("one");
    folder.write("secret.txt", "0123456789");
    let register = Register::open(lab, &["ada"]).await;
    register.index_folder();
    register.grant_folder("ada", true, true).await;
    register.base_uri("s3://a", &[("ada", true, true)]).await;

    // Of datasets: each field is named, and nothing is registered.
    let relpath = |sent: &mut Value, path: &str| {
        sent["manifest"]["items"]["7ad4af83b511907a1db3f4d18c33c63d9b6c4d9e"]["relpath"] =
            json!(path);
    };
    let with = |field: &'static str, value: &'static str| -> Spoil {
        Box::new(move |sent| sent[field] = json!(value))
    };
    let spoils: [(&str, Spoil); 12] = [
        ("uri", with("uri", "s3://a/..")),
        ("uri", with("uri", "s3://a/.")),
        ("uri", with("uri", "s3://a/../b/x")),
        ("uri", with("uri", "s3://a/x\ny")),
        ("uri", with("uri", "s3://a/x\u{0}")),
        ("base_uri", with("base_uri", "s3://a/../b")),
        ("base_uri", with("base_uri", "s3://a\n")),
        ("name", with("name", "x\ny")),
        ("name", with("name", "\u{0}")),
        ("creator_username", with("creator_username", "a\u{0}")),
        (
            "manifest.items",
            Box::new(move |sent| relpath(sent, "../../etc/passwd")),
        ),
        (
            "manifest.items",
            Box::new(move |sent| relpath(sent, "/etc/passwd")),
        ),
    ];
    for (field, spoil) in spoils {
        let mut sent = info("s3://a", "x", 1);
        spoil(&mut sent);
        let answer = register.register("ada", &sent).await;
        assert_eq!(answer["created"], Value::Null, "{answer}");
        let fields = texts(&answer["errors"], "field");
        assert!(fields.iter().any(|it| it == field), "{field}: {answer}");
    }
    let mut sent = info("s3://a", "x", 1);
    sent["readme"] = json!("a: 1\u{0}\n");
    let answer = register.register("ada", &sent).await;
    assert_eq!(answer["errors"][0]["field"], "readme", "{answer}");

    // Of base URIs.
    for uri in [
        "file://storage.example.org/srv/dtool/../../etc",
        "file://h/./a",
        "s3://a\u{0}",
        "s3://\n",
    ] {
        let query = "mutation($uri: String!) { registerBaseUri(input: { uri: $uri }) { created errors { code field } } }";
        let answer = register.data(ADMIN, query, json!({ "uri": uri })).await;
        let errors = json!([{ "code": "BAD_INPUT", "field": "uri" }]);
        assert_eq!(
            answer["registerBaseUri"],
            json!({ "created": null, "errors": errors })
        );
        let index = "mutation($uri: String!) { indexBaseUri(input: { uri: $uri }) { finished errors { code field } } }";
        let answer = register.data("ada", index, json!({ "uri": uri })).await;
        assert_eq!(
            answer["indexBaseUri"]["errors"][0]["field"], "uri",
            "{answer}"
        );
    }
    // Of what is asked for: nothing is there.
    let query = "query($uri: String!, $id: String!, $path: String!) {
        here: dataset(uri: \"file://storage.example.org/srv/dtool/one\") {
            manifest { item(identifier: $id) { relpath } items(filter: { relpath: $path, identifiers: [$id] }) { totalCount } }
            overlays { values(identifiers: [$id]) { totalCount } }
        }
        dataset(uri: $uri) { uri }
        baseUri(uri: $uri) { uri }
        datasets(filter: { uuids: [$id], baseUris: [$uri], tags: [$id], creatorUsernames: [$id], text: $id }) { totalCount }
    }";
    for odd in [
        "..",
        "../../secret.txt",
        "a\u{0}b",
        "x\ny",
        "%2e%2e",
        "\u{feff}",
    ] {
        let uri = format!("{BASE}/{odd}");
        let found = register
            .data(
                "ada",
                query,
                json!({ "uri": uri, "id": odd, "path": odd.replace('\0', "/") }),
            )
            .await;
        let manifest = &found["here"]["manifest"];
        assert_eq!(
            (&manifest["item"], &manifest["items"]["totalCount"]),
            (&Value::Null, &json!(0))
        );
        assert_eq!(
            (&found["dataset"], &found["baseUri"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(found["datasets"]["totalCount"], 0);
        let change = "mutation($uri: String!) { updateDatasetTags(input: { uri: $uri, add: [\"x\"] }) { errors { code } } }";
        let answer = register.data("ada", change, json!({ "uri": uri })).await;
        assert_eq!(
            answer["updateDatasetTags"]["errors"][0]["code"],
            "NOT_FOUND"
        );
        let name = "mutation($uri: String!, $id: String!) { updateDatasetTags(input: { uri: $uri, add: [$id] }) {
            errors { code } } }";
        let one = format!("{BASE}/one");
        let answer = register
            .data("ada", name, json!({ "uri": one, "id": odd }))
            .await;
        assert_eq!(
            answer["updateDatasetTags"]["errors"][0]["code"], "BAD_INPUT",
            "{odd:?}"
        );
    }
    // Of downloads.
    let token = format!("Bearer {}", register.token("ada"));
    let headers = [("authorization", token.as_str())];
    let one = register
        .in_folder("ada", "one", "manifest { items { nodes { url } } }")
        .await;
    let url = one["manifest"]["items"]["nodes"][0]["url"]
        .as_str()
        .expect("a URL");
    let (folder_of, _) = url.rsplit_once('/').expect("an item");
    for item in ["..%2f..%2fsecret.txt", "%2e%2e", "a%00b", "x%0ay", "%ff"] {
        let answer = get(&register.server, &format!("{folder_of}/{item}"), &headers).await;
        assert!(
            matches!(answer.status().as_u16(), 400 | 404),
            "{item}: {}",
            answer.status()
        );
        assert!(!answer.text().await.expect("text").contains("0123456789"));
    }
    assert_eq!(get(&register.server, url, &headers).await.status(), 200);
}
