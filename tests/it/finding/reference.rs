//! MongoDB's matching, as simply as it can be said: over JSON, without rows, indexes or SQL.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// What a path finds.
#[derive(Clone, Copy, Debug)]
enum Found<'a> {
    Value(&'a Value),
    /// There is nothing where something could be.
    Missing,
}

/// Whether a document is one that a query asks for.
pub fn matches(query: &Value, document: &Value) -> bool {
    query.as_object().unwrap().iter().all(|(key, value)| {
        let list = || value.as_array().unwrap().iter();
        match key.as_str() {
            "$and" => list().all(|query| matches(query, document)),
            "$or" => list().any(|query| matches(query, document)),
            "$nor" => !list().any(|query| matches(query, document)),
            path => {
                let steps: Vec<_> = path.split('.').collect();
                Field::at(&steps, document).holds(value)
            }
        }
    })
}

/// The values of a field.
struct Field<'a> {
    /// What the path finds, without looking into an array at its end.
    whole: Vec<Found<'a>>,
    /// With the elements of an array at its end.
    each: Vec<Found<'a>>,
}

impl<'a> Field<'a> {
    fn at(steps: &[&str], document: &'a Value) -> Self {
        let mut ends = Vec::new();
        walk(document, steps, &mut ends);
        let mut field = Self {
            whole: Vec::new(),
            each: Vec::new(),
        };
        for (found, looks_inside) in ends {
            field.whole.push(found);
            field.each.push(found);
            if let (Found::Value(Value::Array(elements)), true) = (found, looks_inside) {
                field.each.extend(elements.iter().map(Found::Value));
            }
        }
        field
    }

    /// A single value, which is not looked into.
    fn only(value: &'a Value) -> Self {
        Self {
            whole: vec![Found::Value(value)],
            each: vec![Found::Value(value)],
        }
    }

    fn holds(&self, test: &Value) -> bool {
        match test.as_object() {
            Some(operators) if operators.keys().any(|key| key.starts_with('$')) => {
                self.all_hold(operators)
            }
            _ => self.equals(test),
        }
    }

    fn all_hold(&self, operators: &Map<String, Value>) -> bool {
        operators.iter().all(|(operator, operand)| {
            let list = || operand.as_array().unwrap();
            match operator.as_str() {
                "$eq" => self.equals(operand),
                "$ne" => !self.equals(operand),
                "$in" => list().iter().any(|value| self.equals(value)),
                "$nin" => !list().iter().any(|value| self.equals(value)),
                "$gt" => self.compares(operand, Ordering::is_gt),
                "$gte" => self.compares(operand, Ordering::is_ge),
                "$lt" => self.compares(operand, Ordering::is_lt),
                "$lte" => self.compares(operand, Ordering::is_le),
                "$exists" => {
                    let wanted = operand.as_bool().unwrap_or(operand.as_f64() != Some(0.0));
                    self.values().next().is_some() == wanted
                }
                "$not" => !self.holds(operand),
                "$all" => !list().is_empty() && list().iter().all(|test| self.holds(test)),
                "$size" => self
                    .arrays()
                    .any(|array| array.len() as u64 == operand.as_u64().unwrap()),
                "$type" => self
                    .values()
                    .any(|value| kind(value) == operand.as_str().unwrap()),
                "$regex" => {
                    let options = operators
                        .get("$options")
                        .map_or("", |o| o.as_str().unwrap());
                    let pattern = regex::RegexBuilder::new(operand.as_str().unwrap())
                        .case_insensitive(options.contains('i'))
                        .multi_line(options.contains('m'))
                        .build()
                        .unwrap();
                    self.values()
                        .any(|value| value.as_str().is_some_and(|text| pattern.is_match(text)))
                }
                "$options" => true,
                "$elemMatch" => self.arrays().flatten().any(|element| {
                    let operators = operand.as_object().unwrap();
                    let is_test = |key: &String| {
                        key.starts_with('$') && !["$and", "$or", "$nor"].contains(&key.as_str())
                    };
                    if !operators.is_empty() && operators.keys().all(is_test) {
                        Field::only(element).all_hold(operators)
                    } else {
                        element.is_object() && matches(operand, element)
                    }
                }),
                other => panic!("{other} is unknown"),
            }
        })
    }

    fn equals(&self, literal: &Value) -> bool {
        self.each.iter().any(|found| match found {
            Found::Missing => literal.is_null(),
            Found::Value(value) => equal(value, literal),
        })
    }

    fn compares(&self, literal: &Value, holds: impl Fn(std::cmp::Ordering) -> bool) -> bool {
        if literal.is_null() {
            return holds(std::cmp::Ordering::Equal) && self.equals(literal);
        }
        self.values().any(|value| {
            let order = match (value, literal) {
                (Value::Number(a), Value::Number(b)) => {
                    a.as_f64().unwrap().partial_cmp(&b.as_f64().unwrap())
                }
                (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
                (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
                _ => None,
            };
            order.is_some_and(&holds)
        })
    }

    fn values(&self) -> impl Iterator<Item = &'a Value> {
        self.each.iter().filter_map(|found| match found {
            Found::Value(value) => Some(*value),
            Found::Missing => None,
        })
    }

    fn arrays(&self) -> impl Iterator<Item = &'a Vec<Value>> {
        self.whole.iter().filter_map(|found| match found {
            Found::Value(Value::Array(elements)) => Some(elements),
            _ => None,
        })
    }
}

/// What a path finds in a value that is no element of an array, each time with whether an array found is looked into.
fn walk<'a>(value: &'a Value, steps: &[&str], found: &mut Vec<(Found<'a>, bool)>) {
    if steps.is_empty() {
        found.push((Found::Value(value), true));
        return;
    }
    match value {
        Value::Object(fields) => {
            let mut is_there = false;
            for length in 1..=steps.len() {
                if let Some(field) = fields.get(&steps[..length].join(".")) {
                    is_there = true;
                    walk(field, &steps[length..], found);
                }
            }
            if !is_there {
                found.push((Found::Missing, false));
            }
        }
        Value::Array(elements) => walk_array(elements, steps, found),
        _ => found.push((Found::Missing, false)),
    }
}

/// Arrays are looked through for documents, and a number can be a place.
fn walk_array<'a>(elements: &'a [Value], steps: &[&str], found: &mut Vec<(Found<'a>, bool)>) {
    for (place, element) in elements.iter().enumerate() {
        if element.is_object() {
            walk(element, steps, found);
        }
        if steps[0] != place.to_string() {
            continue;
        }
        match element {
            _ if steps.len() == 1 => found.push((Found::Value(element), false)),
            Value::Object(_) => walk(element, &steps[1..], found),
            Value::Array(elements) => walk_array(elements, &steps[1..], found),
            _ => {}
        }
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
