//! The tree of jobs: folders, opened one by one or all at once.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use labql::demo::autosubmit::{ExperimentSpec, JobListForm, Wrappers};
use serde_json::{Value, json};

use crate::{
    statements::cost,
    support::{Lab, Server, root},
};

on_both_databases!(
    folders_hold_what_they_count,
    a_folder_is_opened_by_its_key,
    keys_that_nobody_gave_are_refused,
    a_level_is_one_statement,
);

fn spec(expid: &str) -> ExperimentSpec {
    let mut spec = ExperimentSpec::new(expid, JobListForm::Dict);
    spec.logged_jobs = 0;
    spec.chunks = 4;
    spec.wrappers = Wrappers::Real {
        section: "SIM".to_owned(),
    };
    spec
}

async fn serve(lab: &mut Lab, specs: &[ExperimentSpec]) -> Server {
    lab.set("LABQL_WORKERS__ENABLED", "false");
    root::with(&lab.root(), specs);
    lab.import();
    lab.serve_signed_in().await
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn labels(folders: &Value) -> Vec<&str> {
    list(folders)
        .iter()
        .map(|folder| folder["label"].as_str().expect("a label"))
        .collect()
}

fn names(page: &Value) -> BTreeSet<String> {
    list(&page["nodes"])
        .iter()
        .map(|job| job["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn sum(folders: &Value) -> i64 {
    let total = |folder: &Value| folder["total"].as_i64().expect("a number");
    list(folders).iter().map(total).sum()
}

async fn folders_hold_what_they_count(mut lab: Lab) {
    let server = serve(&mut lab, &[spec("a000")]).await;
    let query = "query($by: [JobGrouping!]) { experiment(expid: \"a000\") {
        jobs(first: 1000) { totalCount nodes { name } }
        jobTree(by: $by) {
            label by value total jobCounts { count } jobs(first: 100) { totalCount nodes { name } }
            children { label value total children { label } }
        }
    } }";
    let tree = async |by: Value| server.data(query, json!({ "by": by })).await["experiment"].take();

    let usual = tree(Value::Null).await;
    let all = usual["jobs"]["totalCount"].as_i64().expect("a number");
    assert_eq!(labels(&usual["jobTree"]), ["20000101", "Keys"]);
    assert_eq!(usual["jobTree"][0]["value"], "2000-01-01T00:00:00Z");
    assert_eq!(usual["jobTree"][1]["value"], Value::Null);
    assert_eq!(sum(&usual["jobTree"]), all);
    let members = &usual["jobTree"][0]["children"];
    assert_eq!(labels(members), ["fc00", "fc01"]);
    // Sections stand as in the configuration, not in the alphabet.
    let sections = ["INI", "SIM", "POST", "CLEAN", "TRANSFER"];
    assert_eq!(labels(&members[0]["children"]), sections);

    for by in ["DATE", "MEMBER", "SECTION", "CHUNK", "STATUS", "WRAPPER"] {
        let experiment = tree(json!([by])).await;
        let folders = &experiment["jobTree"];
        assert_eq!(sum(folders), all, "{by}");
        let mut found = BTreeSet::new();
        for folder in list(folders) {
            assert_eq!(folder["by"], by);
            assert_eq!(folder["jobs"]["totalCount"], folder["total"]);
            let counts = list(&folder["jobCounts"]).iter();
            let counted: i64 = counts
                .map(|count| count["count"].as_i64().expect("one"))
                .sum();
            assert_eq!(folder["total"], counted);
            let jobs = names(&folder["jobs"]);
            assert_eq!(folder["total"], jobs.len(), "{by}");
            found.extend(jobs);
            assert_eq!(folder["children"], json!([]));
        }
        assert_eq!(found, names(&experiment["jobs"]), "{by}");
    }
    let chunks = tree(json!(["CHUNK"])).await;
    assert_eq!(labels(&chunks["jobTree"]), ["1", "2", "3", "4", "No chunk"]);
    let wrappers = tree(json!(["WRAPPER", "STATUS"])).await;
    assert_eq!(labels(&wrappers["jobTree"]).last(), Some(&"Not wrapped"));
    for wrapper in list(&wrappers["jobTree"]) {
        assert_eq!(sum(&wrapper["children"]), wrapper["total"]);
    }
}

async fn a_folder_is_opened_by_its_key(mut lab: Lab) {
    let server = serve(&mut lab, &[spec("a000"), spec("a001")]).await;
    let open = "query($by: [JobGrouping!], $under: String) { experiment(expid: \"a000\") {
        jobTree(by: $by, under: $under) { key label total jobCounts { status count } }
    } }";
    let folders = async |by: Value, under: &Value| {
        let variables = json!({ "by": by, "under": under });
        server.data(open, variables).await["experiment"]["jobTree"].take()
    };
    let dates = folders(Value::Null, &Value::Null).await;
    let members = folders(Value::Null, &dates[0]["key"]).await;
    assert_eq!(labels(&members), ["fc00", "fc01"]);
    let sections = folders(Value::Null, &members[1]["key"]).await;
    assert_eq!(sum(&sections), members[1]["total"]);
    // The innermost holds jobs alone, until it is asked for something else.
    assert_eq!(folders(Value::Null, &sections[1]["key"]).await, json!([]));
    let chunks = folders(json!(["CHUNK", "STATUS"]), &sections[1]["key"]).await;
    assert_eq!(labels(&chunks), ["1", "2", "3", "4"]);
    let wrapped = folders(json!(["WRAPPER", "CHUNK"]), &members[1]["key"]).await;
    let of_wrapper = folders(Value::Null, &wrapped[0]["key"]).await;
    assert_eq!(sum(&of_wrapper), wrapped[0]["total"]);
    let others = list(&wrapped).last().expect("a folder");
    assert_eq!(others["label"], "Not wrapped");
    assert_eq!(
        sum(&folders(Value::Null, &others["key"]).await),
        others["total"]
    );

    let one = "query($key: String!, $first: Int, $after: String, $filter: JobFilter) {
        experiment(expid: \"a000\") { jobFolder(key: $key) {
            key label total jobCounts { status count } children { label }
            jobs(first: $first, after: $after, filter: $filter) {
                totalCount nodes { name member parents { name } } pageInfo { hasNextPage endCursor }
            }
        } }
    }";
    let folder = async |variables: Value| {
        server.data(one, variables).await["experiment"]["jobFolder"].take()
    };
    for expected in [
        &dates[0],
        &dates[1],
        &members[1],
        &sections[1],
        &wrapped[0],
        others,
    ] {
        let found = folder(json!({ "key": expected["key"], "first": 0 })).await;
        for field in ["key", "label", "total", "jobCounts"] {
            assert_eq!(found[field], expected[field], "{expected}");
        }
        let (mut seen, mut after) = (BTreeSet::new(), Value::Null);
        loop {
            let variables = json!({ "key": expected["key"], "first": 3, "after": after });
            let jobs = folder(variables).await["jobs"].take();
            assert_eq!(jobs["totalCount"], expected["total"]);
            let before = seen.len();
            seen.extend(names(&jobs));
            assert_eq!(seen.len(), before + list(&jobs["nodes"]).len());
            if jobs["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = jobs["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(expected["total"], seen.len());
    }
    let filter = json!({ "sections": ["SIM"], "chunks": [1, 2] });
    let filtered = folder(json!({ "key": members[1]["key"], "filter": filter })).await;
    assert_eq!(filtered["jobs"]["totalCount"], 2);
    assert_eq!(list(&filtered["jobs"]["nodes"]).len(), 2);
    assert_eq!(filtered["jobs"]["nodes"][0]["member"], "fc01");

    // A folder that was there once is nothing now; one that never was is neither.
    let gone = json!([1, "a000", [["MEMBER", "fc99"]], ["CHUNK"]]);
    let gone = BASE64_URL_SAFE_NO_PAD.encode(gone.to_string());
    assert_eq!(folder(json!({ "key": gone })).await, Value::Null);
    assert_eq!(folders(Value::Null, &json!(gone)).await, json!([]));
}

async fn keys_that_nobody_gave_are_refused(mut lab: Lab) {
    let server = serve(&mut lab, &[spec("a000"), spec("a001")]).await;
    let query =
        "query($key: String!) { experiment(expid: \"a000\") { jobFolder(key: $key) { label } } }";
    let under =
        "query($key: String!) { experiment(expid: \"a000\") { jobTree(under: $key) { label } } }";
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    for key in [
        String::new(),
        "!".into(),
        "é\u{0}".into(),
        "A".repeat(100_000),
        BASE64_URL_SAFE_NO_PAD.encode(deep),
    ] {
        for query in [query, under] {
            assert_eq!(
                server.refusal(query, json!({ "key": key })).await,
                "BAD_INPUT"
            );
        }
    }
    for key in [
        json!([1, "a001", [["MEMBER", "fc00"]], []]),
        json!([2, "a000", [["MEMBER", "fc00"]], []]),
        json!([1, "a000", [], ["MEMBER"]]),
        json!([1, "a000", [["MEMBER", 1]], []]),
        json!([1, "a000", [["MEMBER", "a\u{0}b"]], []]),
        json!([1, "a000", [["MEMBER", "x".repeat(256)]], []]),
        json!([1, "a000", [["MEMBER", ["fc00"]]], []]),
        json!([1, "a000", [["DATE", "2000"]], []]),
        json!([1, "a000", [["CHUNK", 1.5]], []]),
        json!([1, "a000", [["STATUS", 99]], []]),
        json!([1, "a000", [["STATUS", null]], []]),
        json!([1, "a000", [["COLOUR", "red"]], []]),
        json!([1, "a000", [["MEMBER", "fc00"], ["MEMBER", "fc01"]], []]),
        json!([1, "a000", [["MEMBER", "fc00"]], ["CHUNK", "MEMBER"]]),
        json!([1, "a000", [["MEMBER", "fc00"]], [], 1]),
        json!({ "version": 1 }),
    ] {
        let key = BASE64_URL_SAFE_NO_PAD.encode(key.to_string());
        for query in [query, under] {
            assert_eq!(
                server.refusal(query, json!({ "key": key })).await,
                "BAD_INPUT"
            );
        }
    }
    // A name that means something in SQL means nothing here.
    let name = json!([1, "a000", [["WRAPPER", "' OR 1=1 --"], ["MEMBER", "%"]], []]);
    let key = BASE64_URL_SAFE_NO_PAD.encode(name.to_string());
    let nothing = server.data(query, json!({ "key": key })).await;
    assert_eq!(nothing["experiment"]["jobFolder"], Value::Null);
    let by =
        "query($by: [JobGrouping!]) { experiment(expid: \"a000\") { jobTree(by: $by) { label } } }";
    for groupings in [json!([]), json!(["DATE", "DATE"]), json!(["COLOUR"])] {
        assert_eq!(
            server.refusal(by, json!({ "by": groupings })).await,
            "BAD_INPUT"
        );
    }
}

async fn a_level_is_one_statement(mut lab: Lab) {
    let specs: Vec<_> = (0..20)
        .map(|number| spec(&format!("a{number:03}")))
        .collect();
    let server = serve(&mut lab, &specs).await;
    let folders = "query($first: Int) { experiments(first: $first) { nodes {
        jobTree { label total children { label total children { label total jobCounts { count } } } }
    } } }";
    let wrapped = "query($first: Int) { experiments(first: $first) { nodes {
        jobTree(by: [WRAPPER]) { label jobs(first: 2) { totalCount nodes { name } } }
    } } }";
    let jobs = "query($first: Int) { experiments(first: $first) { nodes {
        jobTree(by: [MEMBER, SECTION]) {
            jobs(first: 2, filter: { statuses: [COMPLETED] }) { totalCount nodes { name } }
            children { jobs(first: 3) { nodes { name } } }
        }
    } } }";
    // The experiments, and: three levels; folders, pages and twice the names of wrappers; two levels of folders, a page
    // each, and one count.
    for (query, expected) in [(folders, 1 + 3), (wrapped, 1 + 4), (jobs, 1 + 2 + 2 + 1)] {
        for first in [1, 5, 20] {
            let body = json!({ "query": query, "variables": { "first": first } });
            let (count, data) = cost(&server, &body).await;
            assert_eq!(list(&data["experiments"]["nodes"]).len(), first);
            assert_eq!(count, expected, "for {first}: {query}");
        }
    }
}
