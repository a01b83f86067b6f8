//! The tree of jobs: which folders there are, what they hold and what their badges count.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Comparison, count, list};

const TREE: &str = "query($expid: String!) { experiment(expid: $expid) {
    jobs { totalCount }
    jobTree { label total jobCounts { status count } jobs(first: 100) { nodes { name } }
        children { label total jobCounts { status count }
            children { label total jobs(first: 100) { nodes { name } } }
        }
    }
    wrappers: jobTree(by: [WRAPPER]) { value total jobCounts { status count } jobs(first: 100) { nodes { name } } }
} }";

/// The statuses that the old API counts in folders.
const COUNTED: [&str; 5] = ["COMPLETED", "RUNNING", "QUEUING", "FAILED", "HELD"];

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let data = comparison.data(TREE, json!({ "expid": expid })).await;
    let experiment = &data["experiment"];
    let golden = comparison.golden(expid, "v3_tree");
    let jobs = &experiment["jobs"]["totalCount"];
    comparison.equal(expid, "tree.total", "v3_tree", &golden["total"], jobs);
    if golden["error"] == true {
        // It answers, where the old API does not: everything is in it.
        let folders = list(&experiment["jobTree"]);
        let total: i64 = folders.iter().filter_map(|it| it["total"].as_i64()).sum();
        assert_eq!(*jobs, total, "{expid}");
        return;
    }
    let theirs = list(&golden["tree"]);
    let named = |folder: &&Value| title(folder) != "Wrappers";
    let their_dates: Vec<_> = theirs
        .iter()
        .filter(named)
        .map(|folder| title(folder).replace(&format!("{expid}_"), ""))
        .collect();
    let dates = list(&experiment["jobTree"]);
    let our_dates: Vec<_> = dates.iter().map(|folder| folder["label"].clone()).collect();
    comparison.equal(
        expid,
        "tree.dates",
        "v3_tree",
        &json!(their_dates),
        &json!(our_dates),
    );
    for (theirs, ours) in theirs.iter().filter(named).zip(&dates) {
        if title(theirs) == "Keys" {
            let names = names(&ours["jobs"]);
            comparison.equal(
                expid,
                "tree.keys",
                "Keys",
                &json!(leaves(theirs)),
                &json!(names),
            );
        } else {
            of_date(comparison, expid, &golden["reference"], theirs, ours);
        }
    }
    let wrapped = theirs.iter().find(|folder| title(folder) == "Wrappers");
    wrappers(
        comparison,
        expid,
        &golden["reference"],
        wrapped,
        &experiment["wrappers"],
    );
}

fn of_date(
    comparison: &mut Comparison,
    expid: &str,
    reference: &Value,
    theirs: &Value,
    ours: &Value,
) {
    // A badge tells that all jobs of the date have one status.
    let text = plain(&theirs["title"]);
    if let Some((_, badge)) = text.split_once(" / ") {
        let mut words = badge.split_whitespace();
        let (total, status) = (words.next(), words.next());
        let counts = &ours["jobCounts"];
        let alike = status.map_or(json!(0), |status| count(counts, status));
        let total = total.and_then(|total| total.parse::<i64>().ok());
        comparison.equal(expid, "tree.badge", &title(theirs), &json!(total), &alike);
        comparison.equal(
            expid,
            "tree.badge",
            &title(theirs),
            &json!(total),
            &ours["total"],
        );
    }
    let (members, our_members) = (list(&theirs["children"]), list(&ours["children"]));
    let prefix = format!("{expid}_{}_", ours["label"].as_str().expect("a label"));
    let labels: Vec<_> = members
        .iter()
        .map(|member| key(member).replacen(&prefix, "", 1))
        .collect();
    let our_labels: Vec<_> = our_members.iter().map(|it| it["label"].clone()).collect();
    comparison.equal(
        expid,
        "tree.members",
        &title(theirs),
        &json!(labels),
        &json!(our_labels),
    );
    for (theirs, ours) in members.iter().zip(&our_members) {
        badges(comparison, expid, reference, &key(theirs), ours);
        sections(comparison, expid, theirs, ours);
    }
}

/// A section of one job is no folder in the old tree, and the order of its folders changes from process to process.
fn sections(comparison: &mut Comparison, expid: &str, theirs: &Value, ours: &Value) {
    let subject = key(theirs);
    let folders = list(&theirs["children"]);
    let mut expected = BTreeSet::new();
    for child in &folders {
        if child["folder"] == true {
            expected.insert((title(child), leaves(child)));
        } else {
            let name = key(child);
            let section = name.rsplit('_').next().unwrap_or_default().to_owned();
            expected.insert((section, BTreeSet::from([name])));
        }
    }
    let found: BTreeSet<_> = list(&ours["children"])
        .iter()
        .map(|section| {
            let jobs = names(&section["jobs"]);
            assert_eq!(section["total"], jobs.len());
            let label = section["label"].as_str().expect("a label");
            // Of a name alone the section cannot be told if it has a `_` itself.
            let label = match jobs.len() {
                1 => label.rsplit('_').next().unwrap_or_default(),
                _ => label,
            };
            (label.to_owned(), jobs)
        })
        .collect();
    comparison.equal(
        expid,
        "tree.sections",
        &subject,
        &json!(expected),
        &json!(found),
    );
}

fn wrappers(
    comparison: &mut Comparison,
    expid: &str,
    reference: &Value,
    theirs: Option<&Value>,
    ours: &Value,
) {
    let theirs = theirs.map_or_else(Vec::new, |folder| list(&folder["children"]));
    let ours: Vec<_> = list(ours)
        .into_iter()
        .filter(|folder| !folder["value"].is_null())
        .collect();
    let expected: BTreeSet<_> = theirs
        .iter()
        .map(|folder| (key(folder).replace("Wrapper: ", ""), leaves(folder)))
        .collect();
    let found: BTreeSet<_> = ours
        .iter()
        .map(|folder| {
            let name = folder["value"].as_str().expect("a name").to_owned();
            (name, names(&folder["jobs"]))
        })
        .collect();
    comparison.equal(
        expid,
        "tree.wrappers",
        "Wrappers",
        &json!(expected),
        &json!(found),
    );
    for folder in &ours {
        let name = format!("Wrapper: {}", folder["value"].as_str().expect("a name"));
        badges(comparison, expid, reference, &name, folder);
    }
}

/// What the badges of a folder count.
fn badges(comparison: &mut Comparison, expid: &str, reference: &Value, name: &str, ours: &Value) {
    let theirs = &reference[name];
    for status in COUNTED {
        let their_count = &theirs[status.to_ascii_lowercase()];
        let our_count = count(&ours["jobCounts"], status);
        comparison.equal(expid, "tree.jobCounts", name, their_count, &our_count);
    }
    comparison.equal(
        expid,
        "tree.folderTotal",
        name,
        &theirs["total"],
        &ours["total"],
    );
}

fn names(page: &Value) -> BTreeSet<String> {
    list(&page["nodes"])
        .iter()
        .map(|job| job["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// The jobs in a folder of the old tree, however deep.
fn leaves(folder: &Value) -> BTreeSet<String> {
    list(&folder["children"])
        .iter()
        .flat_map(|child| {
            if child["folder"] == true {
                leaves(child)
            } else {
                BTreeSet::from([key(child)])
            }
        })
        .collect()
}

fn key(node: &Value) -> String {
    node["refKey"].as_str().expect("a key").to_owned()
}

/// The first word of a title, without HTML.
fn title(node: &Value) -> String {
    let text = plain(&node["title"]);
    text.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn plain(html: &Value) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in html.as_str().expect("a title").chars() {
        match character {
            '<' => inside = true,
            '>' => inside = false,
            other if !inside => text.push(other),
            _ => {}
        }
    }
    text
}
