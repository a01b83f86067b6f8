//! Whether the values of variables fit their types, told from the schema alone.
//!
//! What is validated about a document depends on the values of its variables in two ways only: each has to fit the type
//! that it is declared with, and null may stand for some that are declared nullable and not for others. So a document
//! that was valid once is valid again with other values that fit and are null in the same places, and need not be
//! validated anew. The answer here is "certainly" or "perhaps not": what it says nothing about is left to the validation.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{BaseType, OperationDefinition, Type, TypeDefinition, TypeKind};
use async_graphql::{Name, Value, Variables};

/// The enums and input objects of a schema.
#[derive(Debug, Default)]
pub struct InputTypes(HashMap<Name, InputType>);

#[derive(Debug)]
enum InputType {
    Enum(HashSet<Name>),
    Object(HashMap<Name, InputField>),
}

#[derive(Debug)]
struct InputField {
    of: Type,
    required: bool,
}

/// Which variables of an operation have the value null: a bit for each. Those that have no value are not among them:
/// nothing is validated about these but whether they need one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nulls(u64);

impl InputTypes {
    /// Takes notice of a type of the schema.
    pub fn add(&mut self, definition: &TypeDefinition) {
        let input = match &definition.kind {
            TypeKind::Enum(values) => {
                let names = values.values.iter().map(|it| it.node.value.node.clone());
                InputType::Enum(names.collect())
            }
            // Those of which one field has to be given have a rule of their own.
            TypeKind::InputObject(object) if definition.directives.is_empty() => {
                let fields = object.fields.iter().map(|field| {
                    let field = &field.node;
                    let of = field.ty.node.clone();
                    let required = !of.nullable && field.default_value.is_none();
                    (field.name.node.clone(), InputField { of, required })
                });
                InputType::Object(fields.collect())
            }
            _ => return,
        };
        self.0.insert(definition.name.node.clone(), input);
    }

    /// Which variables are null, if the others certainly fit. None: perhaps they do not.
    pub fn nulls(&self, operation: &OperationDefinition, variables: &Variables) -> Option<Nulls> {
        let definitions = &operation.variable_definitions;
        if definitions.len() > 64 {
            return None;
        }
        let mut nulls = 0;
        for (place, definition) in definitions.iter().enumerate() {
            match variables.get(&definition.node.name.node) {
                None => {}
                Some(Value::Null) => nulls |= 1 << place,
                Some(value) if self.fits(value, &definition.node.var_type.node) => {}
                Some(_) => return None,
            }
        }
        Some(Nulls(nulls))
    }

    fn fits(&self, value: &Value, of: &Type) -> bool {
        match (&of.base, value) {
            (_, Value::Null) => of.nullable,
            (BaseType::List(of), Value::List(items)) => {
                items.iter().all(|item| self.fits(item, of))
            }
            (BaseType::List(_), _) => false,
            (BaseType::Named(name), value) => self.fits_named(value, name),
        }
    }

    fn fits_named(&self, value: &Value, of: &Name) -> bool {
        match (of.as_str(), value) {
            // Of a time any text will do: it is read where it is used.
            ("String" | "ID" | "DateTime", Value::String(_)) | ("Boolean", Value::Boolean(_)) => {
                true
            }
            ("Int", Value::Number(number)) => number.is_u64() && number.is_i64(),
            ("Float", Value::Number(number)) => number.is_f64(),
            (_, Value::String(text)) => match self.0.get(of) {
                Some(InputType::Enum(values)) => values.contains(text.as_str()),
                _ => false,
            },
            (_, Value::Object(given)) => match self.0.get(of) {
                Some(InputType::Object(fields)) => {
                    let known = given.iter().all(|(name, value)| {
                        let field = fields.get(name);
                        field.is_some_and(|field| self.fits(value, &field.of))
                    });
                    let required = |(name, field): (&Name, &InputField)| {
                        !field.required || given.contains_key(name)
                    };
                    known && fields.iter().all(required)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{parse_query, parse_schema, types::TypeSystemDefinition};
    use serde_json::{Value as Json, json};

    use super::*;

    const SCHEMA: &str = "
        enum Color { RED BLUE }
        input Point { x: Int! y: Float = 1 color: Color next: Point tags: [String!] }
        input Choice @oneOf { a: Int b: Int }
        scalar DateTime
    ";

    fn nulls(declared: &str, variables: Json) -> Option<Nulls> {
        let mut types = InputTypes::default();
        for definition in parse_schema(SCHEMA).unwrap().definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                types.add(&definition.node);
            }
        }
        let document = parse_query(format!("query({declared}) {{ a }}")).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        types.nulls(&operation.node, &Variables::from_json(variables))
    }

    #[test]
    fn what_certainly_fits() {
        for (of, value) in [
            ("Int", json!(1)),
            ("Float!", json!(1.5)),
            ("String", json!("")),
            ("ID!", json!("x")),
            ("DateTime", json!("2000-01-01T00:00:00Z")),
            ("DateTime", json!("tomorrow")),
            ("Boolean", json!(true)),
            ("Color!", json!("RED")),
            ("[Int]", json!([1, null])),
            ("[[Color!]!]", json!([["RED"], []])),
            (
                "Point",
                json!({ "x": 1, "y": null, "next": { "x": 2, "color": "BLUE" }, "tags": ["a"] }),
            ),
        ] {
            let found = nulls(&format!("$v: {of}"), json!({ "v": value }));
            assert_eq!(found, Some(Nulls(0)), "{of} {value}");
        }
    }

    #[test]
    fn what_perhaps_does_not_fit() {
        for (of, value) in [
            ("Int", json!("1")),
            ("Int", json!(-1)),
            ("Int", json!(1.5)),
            ("Int", json!(u64::MAX)),
            ("String", json!(1)),
            ("Boolean", json!("true")),
            ("Color", json!("GREEN")),
            ("Color", json!(1)),
            ("[Int!]", json!([1, null])),
            ("[Int]", json!(1)),
            ("Int", json!([1])),
            ("Point", json!({})),
            ("Point", json!({ "x": null })),
            ("Point", json!({ "x": 1, "z": 1 })),
            ("Point", json!({ "x": 1, "next": { "x": "1" } })),
            ("Point", json!({ "x": 1, "tags": "a" })),
            ("Point", json!("x")),
            ("Choice", json!({ "a": 1 })),
            ("DateTime", json!(2000)),
            ("Unknown", json!({})),
        ] {
            let found = nulls(&format!("$v: {of}"), json!({ "v": value }));
            assert_eq!(found, None, "{of} {value}");
        }
    }

    #[test]
    fn nulls_have_their_places() {
        let found = |variables| nulls("$a: Int, $b: Int, $c: Int", variables);
        assert_eq!(found(json!({ "b": 1, "c": null })), Some(Nulls(0b100)));
        assert_eq!(
            found(json!({ "a": null, "b": null, "d": "x" })),
            Some(Nulls(0b011))
        );
        let many: String = (0..65).map(|number| format!("$v{number}: Int ")).collect();
        assert_eq!(nulls(&many, json!({})), None);
    }
}
