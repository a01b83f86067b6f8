//! The shape of answers: the order of fields, and null where something failed.
//!
//! The specification wants the fields of an object in the order in which the selection first names them (section
//! "Serialized Map Ordering"), and null in the place of a field that failed or, where null is not allowed, in the place
//! of the nearest parent that allows it (section "Handling Field Errors"). async-graphql 7.2 gives fields in the order
//! in which they were resolved, and leaves failed ones out. The engine puts both right afterwards.

use std::collections::HashMap;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    Type,
};
use async_graphql::{Name, PathSegment, Positioned, Response, Value};
use indexmap::IndexMap;

use super::cost::FieldTypes;

/// The response keys of a selection in their order, each with its type and those of its own selection. Selections under
/// different type conditions are laid over each other: an object has the keys of those that apply, in the same order.
#[derive(Debug, Default)]
pub struct Shape(IndexMap<Name, Field>);

#[derive(Debug, Default)]
struct Field {
    /// Unknown only to documents that validation refuses.
    of: Option<Type>,
    inner: Shape,
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

impl Shape {
    /// The shape of the answers to an operation. The document must have passed the pre-check, which bounds the size of
    /// what fragments expand to and refuses cycles.
    pub fn of(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        types: &FieldTypes,
    ) -> Self {
        let mut shape = Self::default();
        let root = types.root_name(operation.ty);
        let selections = &operation.selection_set.node;
        shape.add(selections, root, types, &document.fragments);
        shape
    }

    fn add(
        &mut self,
        selections: &SelectionSet,
        parent: Option<&Name>,
        types: &FieldTypes,
        fragments: &Fragments,
    ) {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    let of = parent.and_then(|parent| types.type_of(parent, &field.node.name.node));
                    let key = field.node.response_key().node.clone();
                    let entry = self.0.entry(key).or_insert_with(|| Field {
                        of: of.cloned(),
                        inner: Self::default(),
                    });
                    // Under different conditions a key may have different types, though the specification wants them
                    // alike: then nothing is known of its nulls.
                    if entry.of.as_ref() != of {
                        entry.of = None;
                    }
                    let selections = &field.node.selection_set.node;
                    let parent = of.map(|of| named(&of.base));
                    entry.inner.add(selections, parent, types, fragments);
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let parent = condition
                        .map(|condition| &condition.node.on.node)
                        .or(parent);
                    let selections = &fragment.node.selection_set.node;
                    self.add(selections, parent, types, fragments);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        let parent = &fragment.node.type_condition.node.on.node;
                        let selections = &fragment.node.selection_set.node;
                        self.add(selections, Some(parent), types, fragments);
                    }
                }
            }
        }
    }

    /// How many keys there are at the top.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts null where the errors say that something failed, and the fields into order.
    pub fn restore(&self, response: &mut Response) {
        let Response { data, errors, .. } = response;
        let mut failed = false;
        for error in errors.iter().filter(|error| !error.path.is_empty()) {
            self.fill(data, &error.path);
            failed = true;
        }
        if failed && self.settle(data) {
            *data = Value::Null;
        }
        self.arrange(data);
    }

    /// Puts null at the place of an error below this object.
    fn fill(&self, object: &mut Value, path: &[PathSegment]) {
        // An object without any field that succeeded was given as null.
        if *object == Value::Null {
            *object = Value::Object(IndexMap::new());
        }
        let (Value::Object(fields), [PathSegment::Field(key), rest @ ..]) = (object, path) else {
            return;
        };
        let Some(field) = self.0.get(key.as_str()) else {
            return;
        };
        match (fields.get_mut(key.as_str()), &field.of) {
            (Some(value), Some(of)) if !rest.is_empty() => {
                field.inner.fill_within(value, &of.base, rest);
            }
            (Some(_), None) if !rest.is_empty() => {}
            // It failed itself, or something in a list of it, for which the whole list was given up.
            _ => {
                fields.insert(Name::new(key), Value::Null);
            }
        }
    }

    /// The same below a value of this type.
    fn fill_within(&self, value: &mut Value, of: &BaseType, path: &[PathSegment]) {
        match (of, value, path) {
            (BaseType::Named(_), value, path) => self.fill(value, path),
            (BaseType::List(of), Value::List(items), [PathSegment::Index(index), rest @ ..]) => {
                match items.get_mut(*index) {
                    Some(item) if rest.is_empty() => *item = Value::Null,
                    Some(item) => self.fill_within(item, &of.base, rest),
                    None => {}
                }
            }
            // A list that was given up is null already.
            _ => {}
        }
    }

    /// Lets nulls go up from where they are not allowed. True: this object itself has to be null.
    fn settle(&self, object: &mut Value) -> bool {
        let Value::Object(fields) = object else {
            return false;
        };
        fields.iter_mut().any(|(name, value)| {
            let field = self.0.get(name);
            field.is_some_and(|field| match &field.of {
                Some(of) => field.inner.settle_within(value, of),
                None => false,
            })
        })
    }

    /// The same for a value of this type. True: it is null where that is not allowed.
    fn settle_within(&self, value: &mut Value, of: &Type) -> bool {
        let failed = match (&of.base, &mut *value) {
            (BaseType::Named(_), object) => self.settle(object),
            (BaseType::List(of), Value::List(items)) => {
                // Every item, not only the first that fails: the others have nulls of their own.
                let failures = items.iter_mut().map(|item| self.settle_within(item, of));
                failures.fold(false, |any, failed| any | failed)
            }
            (BaseType::List(_), _) => false,
        };
        if failed {
            *value = Value::Null;
        }
        *value == Value::Null && !of.nullable
    }

    /// Puts the fields of an answer into order.
    fn arrange(&self, value: &mut Value) {
        match value {
            Value::Object(fields) if !self.0.is_empty() => {
                let place = |name: &Name| self.0.get_index_of(name).unwrap_or(usize::MAX);
                if !fields.keys().is_sorted_by_key(place) {
                    fields.sort_by_key(|name, _| place(name));
                }
                for (name, value) in fields {
                    if let Some(field) = self.0.get(name) {
                        field.inner.arrange(value);
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

/// The type without its lists.
fn named(of: &BaseType) -> &Name {
    match of {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(&inner.base),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::{ServerError, value};

    use super::*;

    const SCHEMA: &str = "
        type Query { a: Int b: [B] c: C d: C! l: [C!] m: [[C]!] }
        type B { w: Int x: Int y: Int z: Int }
        type C { k: Int a: Int! c: C d: C! }
        schema { query: Query }
    ";

    fn restored(query: &str, data: Value, paths: &[&[PathSegment]]) -> String {
        let document = parse_query(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let types = FieldTypes::read(SCHEMA).unwrap();
        let mut response = Response::new(data);
        for path in paths {
            let mut error = ServerError::new("it failed", None);
            error.path = path.to_vec();
            response.errors.push(error);
        }
        Shape::of(&document, &operation.node, &types).restore(&mut response);
        serde_json::to_string(&response.data).unwrap()
    }

    fn field(name: &str) -> PathSegment {
        PathSegment::Field(name.to_owned())
    }

    #[test]
    fn fields_stand_as_the_selection_names_them() {
        let query =
            "{ a ...F b { y ... on B { x } z: w } } fragment F on Query { c { k a } b { w y } }";
        let data = value!({
            "b": [{ "z": 1, "x": 2, "y": 3, "w": 4 }, null],
            "c": { "a": 2, "k": 1 },
            "a": 1,
        });
        assert_eq!(
            restored(query, data, &[]),
            r#"{"a":1,"c":{"k":1,"a":2},"b":[{"w":4,"y":3,"x":2,"z":1},null]}"#
        );
    }

    #[test]
    fn what_failed_is_null() {
        let data = value!({ "b": [{ "w": 1 }] });
        let path = [field("b"), PathSegment::Index(0), field("x")];
        assert_eq!(
            restored("{ a b { x w } }", data, &[&[field("a")], &path]),
            r#"{"a":null,"b":[{"x":null,"w":1}]}"#
        );
    }

    #[test]
    fn null_goes_up_to_where_it_is_allowed() {
        let deep = [field("c"), field("d"), field("a")];
        let data = || value!({ "a": 1, "c": { "d": { "k": 1 } } });
        assert_eq!(
            restored("{ a c { d { k a } } }", data(), &[&deep]),
            r#"{"a":1,"c":null}"#
        );
        let top = [field("d"), field("a")];
        assert_eq!(
            restored("{ a d { a } }", value!({ "a": 1, "d": null }), &[&top]),
            "null"
        );
        let only = [field("c"), field("k")];
        assert_eq!(
            restored("{ c { k } }", value!({ "c": null }), &[&only]),
            r#"{"c":{"k":null}}"#
        );
        assert_eq!(
            restored("{ a }", Value::Null, &[&[field("a")]]),
            r#"{"a":null}"#
        );
        // What has become null stays so, whatever else failed below it or beside it.
        let both = [&[field("d")][..], &[field("c"), field("a")]];
        assert_eq!(restored("{ c { a } d { a } }", Value::Null, &both), "null");
        assert_eq!(
            restored(
                "{ c { a k } }",
                value!({ "c": null }),
                &[&[field("c"), field("a")], &only]
            ),
            r#"{"c":null}"#
        );
        let listed = [field("l"), PathSegment::Index(1), field("a")];
        let data = value!({ "l": [{ "a": 1 }, {}] });
        assert_eq!(restored("{ l { a } }", data, &[&listed]), r#"{"l":null}"#);
        let nested = [
            field("m"),
            PathSegment::Index(0),
            PathSegment::Index(1),
            field("a"),
        ];
        let data = value!({ "m": [[{ "a": 1 }, { "k": 2 }]] });
        assert_eq!(
            restored("{ m { a k } }", data, &[&nested]),
            r#"{"m":[[{"a":1},null]]}"#
        );
    }
}
