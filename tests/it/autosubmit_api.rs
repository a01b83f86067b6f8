//! The table of what stands in the place of each endpoint of Autosubmit API names operations that there are.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, TypeKind, TypeSystemDefinition};

const TABLE: &str = include_str!("../../docs/autosubmit-api.md");
const SCHEMA: &str = include_str!("../../schema.graphql");

/// The arguments of each field, as `Type.field`.
fn operations() -> BTreeMap<String, BTreeSet<String>> {
    let mut operations = BTreeMap::new();
    let schema = parse_schema(SCHEMA).expect("a schema");
    for definition in schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let TypeKind::Object(object) = &definition.node.kind else {
            continue;
        };
        for field in &object.fields {
            let FieldDefinition {
                name, arguments, ..
            } = &field.node;
            let arguments = arguments.iter().map(|it| it.node.name.node.to_string());
            let operation = format!("{}.{name}", definition.node.name.node);
            operations.insert(operation, arguments.collect());
        }
    }
    operations
}

/// The cells of the rows, without head and rule.
fn rows() -> Vec<Vec<&'static str>> {
    let lines = TABLE.lines().filter(|line| line.starts_with('|'));
    let cells = lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect());
    let rows = cells.filter(|row: &Vec<&str>| !matches!(row[0], "Autosubmit API" | "---"));
    rows.collect()
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn each_row_names_operations_that_there_are() {
    let operations = operations();
    let rows = rows();
    assert!(rows.len() > 60, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let [endpoint, here, difference] = row.as_slice() else {
            panic!("three cells: {row:?}");
        };
        let endpoints: Vec<_> = quoted(endpoint).collect();
        assert!(!endpoints.is_empty(), "{row:?}");
        for endpoint in endpoints {
            assert!(endpoint.starts_with("GET /") || endpoint.starts_with("POST /"));
        }
        if *here == "left out" {
            assert!(!difference.is_empty(), "why {endpoint} is left out");
            continue;
        }
        let named: Vec<_> = quoted(here).collect();
        assert!(!named.is_empty(), "{row:?}");
        let fields = quoted(difference).filter(|word| {
            word.contains('.') && word.starts_with(|c: char| c.is_ascii_uppercase())
        });
        // Keys of a configuration are in capitals.
        let fields = fields.filter(|word| word.contains(|c: char| c.is_ascii_lowercase()));
        for operation in named.into_iter().chain(fields) {
            let (field, argument) = match operation.split_once('(') {
                Some((field, argument)) => (field, Some(argument.trim_end_matches(":)"))),
                None => (operation, None),
            };
            let known = operations.get(field);
            let has = |known: &BTreeSet<String>| argument.is_none_or(|it| known.contains(it));
            if !known.is_some_and(has) {
                wrong.push(operation);
            }
        }
    }
    assert!(wrong.is_empty(), "not in the schema: {wrong:?}");
}
