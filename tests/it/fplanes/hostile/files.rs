//! Files and lists of which nothing can be read, or not all.

use serde_json::{Value, json};

use super::super::site::{kept, lines};
use super::{AT, told_something};
use crate::support::Lab;
use crate::support::client::{GRAPHQL, post};

on_both_databases!(files_that_cannot_be);

async fn files_that_cannot_be(lab: Lab) {
    let (site, database) = told_something(lab).await;
    let before = kept(&database).await;
    let good = "013 -450.000 150.000 401 241 043 0.000 1.000\n";
    let header = "date,specid,ifuslot,ifuid\n";
    for (command, text, codes) in [
        ("importFplane", String::new(), vec!["NO_ROWS"]),
        ("importFplane", "\0\0\0".to_owned(), vec!["NO_ROWS"]),
        (
            "importFplane",
            "# only\n# comments\n".to_owned(),
            vec!["NO_ROWS"],
        ),
        (
            "importFplane",
            "<html>502 Bad Gateway</html>".to_owned(),
            vec!["NO_ROWS"],
        ),
        (
            "importFplane",
            "IFUSLOT X_FP IFUID\n013 1 2\n".to_owned(),
            vec!["WRONG_HEADER"],
        ),
        (
            "importFplane",
            "013 nan 150 401 241 043 0 1\n".to_owned(),
            vec!["NO_ROWS"],
        ),
        ("importFplane", good.repeat(20_001), vec!["TOO_MANY_ROWS"]),
        ("importFplane", "x".repeat(1_000_000), vec!["NO_ROWS"]),
        ("importFplaneMapping", String::new(), vec!["NO_ROWS"]),
        (
            "importFplaneMapping",
            "a,b\n1,2\n".to_owned(),
            vec!["WRONG_HEADER"],
        ),
        (
            "importFplaneMapping",
            format!("{header}20230230,401,013,043\n"),
            vec!["WRONG_DATE"],
        ),
        (
            "importFplaneMapping",
            format!("{header}20230101,\0,013,043\n"),
            vec!["WRONG_ID"],
        ),
        (
            "importFplanePositions",
            "\0".to_owned(),
            vec!["NO_ROWS", "WRONG_COLUMN_COUNT"],
        ),
        (
            "importFplanePositions",
            "013 inf 150\n".to_owned(),
            vec!["NO_ROWS", "WRONG_NUMBER"],
        ),
        (
            "importFplanePositions",
            "600 1 2\n".to_owned(),
            vec!["NO_ROWS", "UNKNOWN_IFUSLOT"],
        ),
    ] {
        let mut input = json!({ "text": text });
        if command != "importFplaneMapping" {
            input["validFrom"] = json!("20240105");
        }
        let answer = site.told(command, input).await;
        let found: Vec<&str> = answer["problems"]
            .as_array()
            .expect("problems")
            .iter()
            .filter_map(|it| it["code"].as_str())
            .collect();
        let start: String = text.chars().take(40).collect();
        assert_eq!(found, codes, "{command} {start:?}");
        assert_eq!(
            (&answer["committed"], &answer["fplane"]),
            (&json!(false), &Value::Null),
            "{command} {start:?}"
        );
        assert_eq!(kept(&database).await, before, "{command} {start:?}");
    }
    // More than a request may have.
    let token = format!("Bearer {}", site.server.token());
    let body = json!({ "query": "mutation($t: String!) { importFplane(input: { text: $t, validFrom: \"\" }) { committed } }",
        "variables": { "t": good.repeat(50_000) } });
    let answer = post(&site.server, GRAPHQL, &[("authorization", &token)], body).await;
    assert_eq!(answer.status().as_u16(), 413);
    let name = json!({ "text": good, "validFrom": "20240105", "name": "n".repeat(10_000) });
    let answer = site.tell("importFplane", name).await;
    assert_eq!(
        (&answer["errors"][0]["code"], &answer["errors"][0]["field"]),
        (&json!("BAD_INPUT"), &json!("name"))
    );
    assert_eq!(kept(&database).await, before);

    // Of a bad file the good rows are taken, and zero bytes are no reason not to keep it.
    let text = format!("{good}021 x y z\n#074 150.000 50.000 000 000 000 0.000 1.000\n# \0\n");
    let input = json!({ "text": text, "validFrom": AT, "name": "a\u{0}b" });
    let answer = site.told("importFplane", input).await;
    let problems = answer["problems"].as_array().expect("problems");
    assert!(
        problems
            .iter()
            .any(|it| it["line"] == 2 && it["code"] == "WRONG_COLUMN_COUNT"),
        "{answer}"
    );
    let slots: Vec<String> = lines(&answer["fplane"])
        .iter()
        .map(|line| line.chars().take(3).collect())
        .collect();
    assert_eq!(slots, ["013", "074"]);
}
