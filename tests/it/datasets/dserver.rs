//! The table of what stands in the place of each route, plugin and command of dserver names what there is.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};

use crate::support::Lab;

const TABLE: &str = include_str!("../../../docs/dserver.md");
const SCHEMA: &str = include_str!("../../../schema.graphql");
/// What the server answers beside `/graphql`.
const PATHS: [&str; 5] = [
    "/health",
    "/ready",
    "/schema.graphql",
    "/playground",
    "/hooks/datasets/s3",
];

/// The arguments of each field, as `Type.field`; fields of inputs have none.
fn fields() -> BTreeMap<String, BTreeSet<String>> {
    let mut fields = BTreeMap::new();
    for definition in parse_schema(SCHEMA).expect("a schema").definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let (name, kind) = (&definition.node.name.node, &definition.node.kind);
        match kind {
            TypeKind::Object(object) => {
                for field in &object.fields {
                    let arguments = field.node.arguments.iter();
                    let arguments = arguments.map(|it| it.node.name.node.to_string());
                    let field = format!("{name}.{}", field.node.name.node);
                    fields.insert(field, arguments.collect());
                }
            }
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    let field = format!("{name}.{}", field.node.name.node);
                    fields.insert(field, BTreeSet::new());
                }
            }
            _ => {}
        }
    }
    fields
}

/// The cells of the rows, without heads and rules.
fn rows() -> Vec<[&'static str; 3]> {
    let lines = TABLE.lines().filter(|line| line.starts_with('|'));
    let rows = lines.map(|line| {
        let line = line.strip_prefix('|').and_then(|it| it.strip_suffix('|'));
        let cells: Vec<_> = line.expect("a row").split('|').map(str::trim).collect();
        cells.try_into().expect("three cells")
    });
    let is_content = |row: &[&str; 3]| !matches!(row[0], "dserver" | "---");
    rows.filter(is_content).collect()
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn each_row_names_what_there_is() {
    let (fields, lab) = (fields(), Lab::sqlite());
    let exists = |named: &str| {
        if named.starts_with('/') {
            return PATHS.contains(&named);
        }
        if let Some(command) = named.strip_prefix("labql ") {
            let mut command: Vec<&str> = command.split(' ').collect();
            if !command[0].starts_with('-') {
                command.push("--help");
            }
            return lab.run(&command).success;
        }
        let (field, argument) = match named.split_once('(') {
            Some((field, argument)) => (field, Some(argument.trim_end_matches(":)"))),
            None => (named, None),
        };
        let has = |known: &BTreeSet<String>| argument.is_none_or(|it| known.contains(it));
        fields.get(field).is_some_and(has)
    };
    let (mut wrong, mut routes, mut seen) = (Vec::new(), 0, BTreeSet::new());
    for [there, here, difference] in rows() {
        for route in quoted(there) {
            let methods = ["GET /", "POST /", "PUT /", "PATCH /", "DELETE /", "flask "];
            assert!(methods.iter().any(|it| route.starts_with(it)), "{route}");
            assert!(seen.insert(route), "{route} stands there twice");
            routes += 1;
        }
        if here == "left out" {
            assert!(!difference.is_empty(), "why {there} is left out");
        } else {
            assert!(quoted(here).next().is_some(), "{there}");
            wrong.extend(quoted(here).filter(|named| !exists(named)));
        }
        let fields = quoted(difference).filter(|it| it.starts_with(char::is_uppercase));
        wrong.extend(fields.filter(|it| it.contains('.') && !exists(it)));
    }
    assert!(wrong.is_empty(), "there is none of these: {wrong:?}");
    assert!(routes > 60, "{routes}");
}
