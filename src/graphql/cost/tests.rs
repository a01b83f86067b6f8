use async_graphql::parser::parse_query;
use serde_json::{Value as Json, json};

use super::*;
use crate::graphql::schema::sdl;

fn cost(text: &str, variables: Json) -> Result<u64, ServerError> {
    let types = FieldTypes::read(&sdl()).unwrap();
    let document = parse_query(text).unwrap();
    let limits = Limits::default();
    super::super::precheck::check_document(&document, &limits).unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    let variables = Variables::from_json(variables);
    let reckoned = reckon(&document, &operation.node, &variables, &types, &limits);
    check(reckoned.cost, &limits)?;
    Ok(reckoned.cost)
}

fn cost_of(text: &str) -> u64 {
    cost(text, json!({})).unwrap()
}

#[test]
fn lists_without_pages_multiply() {
    let nest = |depth: usize| {
        let pairs: String = ["children { ", "parents { "]
            .into_iter()
            .cycle()
            .take(depth)
            .collect();
        let ends = "}".repeat(depth);
        let page = format!("jobs(first: 400) {{ nodes {{ {pairs} name {ends} }} }}");
        cost(
            &format!("{{ experiment(expid: \"x\") {{ {page} }} }}"),
            json!({}),
        )
    };
    assert_eq!(nest(1).unwrap(), 3 + 400 * 11);
    assert_eq!(nest(2).unwrap(), 3 + 400 * 111);
    for depth in 3..=16 {
        assert!(nest(depth).is_err(), "{depth}");
    }
}

#[test]
fn pages_count_as_they_are_asked_for() {
    let jobs = |page: &str| {
        format!("{{ experiment(expid: \"x\") {{ jobs{page} {{ totalCount nodes {{ name }} }} }} }}")
    };
    assert_eq!(cost_of(&jobs("(first: 7)")), 4 + 7);
    assert_eq!(cost_of(&jobs("(last: 7)")), 4 + 7);
    assert_eq!(cost_of(&jobs("")), 4 + 50);
    assert_eq!(cost_of(&jobs("(first: null)")), 4 + 50);
    assert_eq!(cost_of(&jobs("(first: 9999999)")), 4 + 25_000);
    let text = jobs("(first: $n)").replacen('{', "query ($n: Int = 20) {", 1);
    assert_eq!(cost(&text, json!({})).unwrap(), 4 + 20);
    assert_eq!(cost(&text, json!({ "n": 30 })).unwrap(), 4 + 30);
    // Pages stay pages in fragments, inline or not; these count as one field each.
    let spread = "{ experiment(expid: \"x\") { jobs(first: 7) { ...f ... { nodes { name } } } } } \
                  fragment f on JobConnection { nodes { name } }";
    assert_eq!(cost_of(spread), 2 + 2 + 2 + 14);
}

#[test]
fn types_are_followed_through_conditions() {
    let text = "{ node(id: \"x\") { id ... on Job { parents { name } } ...e } } \
                fragment e on Experiment { jobs(first: 100) { nodes { name } } }";
    assert_eq!(cost_of(text), 1 + 1 + (1 + 11) + (1 + 102));
    let nodes = |ids: usize| format!("{{ nodes(ids: [{}]) {{ id }} }}", "\"x\" ".repeat(ids));
    assert_eq!(cost_of(&nodes(3)), 1 + 3);
    assert_eq!(cost_of(&nodes(100)), 1 + 100);
}

#[test]
fn tails_count_by_their_lines() {
    let job =
        |tail: &str| format!("{{ job(expid: \"x\", name: \"y\") {{ outLog {{ {tail} }} }} }}");
    assert_eq!(cost_of(&job("tail")), 2 + 1 + 15);
    assert_eq!(cost_of(&job("tail(lines: 10000)")), 2 + 1 + 1_000);
    let tails = "{ experiment(expid: \"x\") { jobs(first: 1000) { nodes { outLog { tail(lines: 10000) } } } } }";
    assert!(cost(tails, json!({})).is_err());
}

#[test]
fn introspection_has_its_own_budget() {
    assert_eq!(
        cost_of("{ __schema { types { name fields { name } } } }"),
        0
    );
    assert_eq!(cost_of("{ __typename }"), 1);
}

/// The operations that clients have been promised, at the largest pages they ask for.
#[test]
fn promised_operations_pass() {
    let job = "id name status section date member chunk split splits priority platform queue processors wallclock \
               submittedAt startedAt finishedAt queueSeconds runSeconds parents { name } children { name }";
    let experiment = "id expid description owner hpc autosubmitVersion kind status createdAt modifiedAt \
                      jobCounts { status count }";
    let run = "number startedAt finishedAt chunkUnit chunkSize jobCounts { status count }";
    let attempt = "number status submittedAt startedAt finishedAt queueSeconds runSeconds energyJoules nodeCount \
                   processors platform queue remoteId sypd asypd";
    let page = "totalCount pageInfo { hasNextPage endCursor }";
    for text in [
        format!("{{ experiments(first: 500) {{ {page} nodes {{ {experiment} }} }} }}"),
        format!(
            "{{ experiment(expid: \"x\") {{ {experiment} chunkSize sourceProblems {{ source message }} \
             runs(first: 100) {{ totalCount nodes {{ {run} }} }} \
             wrappers {{ name jobs(first: 5) {{ totalCount nodes {{ name }} }} }} }} }}"
        ),
        format!(
            "{{ experiment(expid: \"x\") {{ jobs(first: 1000) {{ {page} nodes {{ {job} }} }} }} }}"
        ),
        format!(
            "{{ job(expid: \"x\", name: \"y\") {{ name outLog {{ name tail(lines: 150) }} \
             errLog {{ name tail(lines: 150) }} attempts {{ {attempt} }} }} }}"
        ),
    ] {
        assert!(cost_of(&text) < 50_000, "{text}");
    }
}
