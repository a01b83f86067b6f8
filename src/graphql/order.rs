//! The order of fields in answers.
//!
//! The specification wants the fields of an object in the order in which the selection first names them
//! (section "Serialized Map Ordering"); async-graphql 7.2 gives them in the order in which they were resolved. The
//! engine puts them right afterwards.

use std::collections::HashMap;

use async_graphql::Value;
use async_graphql::parser::types::{
    ExecutableDocument, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use indexmap::IndexMap;

/// The response keys of a selection in their order, each with those of its own selection. Selections under different
/// type conditions are laid over each other: an object has the keys of those that apply, in the same order.
#[derive(Debug, Default)]
pub struct Shape(IndexMap<Name, Shape>);

impl Shape {
    /// The shape of the answers to an operation. The document must have passed the pre-check, which bounds the size of
    /// what fragments expand to and refuses cycles.
    pub fn of(document: &ExecutableDocument, operation: &OperationDefinition) -> Self {
        let mut shape = Self::default();
        shape.add(&operation.selection_set.node, &document.fragments);
        shape
    }

    fn add(
        &mut self,
        selections: &SelectionSet,
        fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    ) {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.clone();
                    let inner = self.0.entry(key).or_default();
                    inner.add(&field.node.selection_set.node, fragments);
                }
                Selection::InlineFragment(fragment) => {
                    self.add(&fragment.node.selection_set.node, fragments);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        self.add(&fragment.node.selection_set.node, fragments);
                    }
                }
            }
        }
    }

    /// Puts the fields of an answer into order.
    pub fn arrange(&self, value: &mut Value) {
        match value {
            Value::Object(fields) if !self.0.is_empty() => {
                let place = |name: &Name| self.0.get_index_of(name).unwrap_or(usize::MAX);
                if !fields.keys().is_sorted_by_key(place) {
                    fields.sort_by_key(|name, _| place(name));
                }
                for (name, value) in fields {
                    if let Some(shape) = self.0.get(name) {
                        shape.arrange(value);
                    }
                }
            }
            Value::List(items) if !self.0.is_empty() => {
                for item in items {
                    self.arrange(item);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::value;

    use super::*;

    #[test]
    fn fields_stand_as_the_selection_names_them() {
        let document = parse_query(
            "{ a ...F b { y ... on X { x } z: a } } fragment F on Query { c b { w y } }",
        )
        .unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let mut answer = value!({
            "b": [{ "z": 1, "x": 2, "y": 3, "w": 4 }, null],
            "c": { "k": 1, "a": 2 },
            "a": 1,
        });
        Shape::of(&document, &operation.node).arrange(&mut answer);
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"a":1,"c":{"k":1,"a":2},"b":[{"w":4,"y":3,"x":2,"z":1},null]}"#
        );
    }
}
