//! Understands a query, or says what is wrong with it and where.
//!
//! Only what is listed here is understood: everything else is refused by its name, above all what would run code.

use serde_json::{Map, Value};

use super::moment::{extended_moment, microseconds, moment};
use super::path::Path;
use super::query::{Condition, Kind, Literal, Query, Relation, Test};
use super::regex::Pattern;
use super::values;
use super::weight::Weight;
use crate::text::without_zero;

/// How deep conditions may be nested.
const DEEPEST: usize = 20;
/// The most conditions of a query.
const MOST_CONDITIONS: usize = 100;
/// The most values in a query.
const MOST_VALUES: usize = 1_000;
/// The longest texts of a query together, in bytes.
const MOST_TEXT: usize = 64 << 10;
/// The most regular expressions of a query.
const MOST_PATTERNS: usize = 10;

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct MongoError {
    /// Where, such as `$or[1].readme.owners.$regex`; empty for the query as a whole.
    pub path: String,
    /// What is wrong, for a person.
    pub message: String,
}

type Parsed<T> = Result<T, MongoError>;

/// Understands a query.
pub fn parse(query: &Value) -> Result<Query, MongoError> {
    let mut parser = Parser::default();
    let condition = parser.condition(query, &At::default())?;
    Ok(Query {
        condition,
        source: query.to_string(),
    })
}

/// Whether a field is a moment.
pub fn is_moment(path: &Path) -> bool {
    matches!(path.steps().as_slice(), ["created_at" | "frozen_at"])
}

/// What has been understood so far.
#[derive(Default)]
struct Parser {
    conditions: usize,
    values: usize,
    text: usize,
    patterns: usize,
    weight: Weight,
}

/// A place in the query.
#[derive(Clone, Default)]
struct At {
    path: String,
    depth: usize,
    /// Whether fields are those of an element of an array.
    in_element: bool,
}

impl At {
    fn below(&self, key: &str) -> Self {
        let mut at = self.clone();
        if !at.path.is_empty() {
            at.path.push('.');
        }
        // What is said of a key that is a megabyte long has to stay short.
        at.path.extend(key.chars().take(100));
        at.depth += 1;
        at
    }

    fn number(&self, number: usize) -> Self {
        let mut at = self.clone();
        at.path = format!("{}[{number}]", at.path);
        at
    }

    fn error(&self, message: impl Into<String>) -> MongoError {
        MongoError {
            path: self.path.clone(),
            message: message.into(),
        }
    }
}

impl Parser {
    fn condition(&mut self, query: &Value, at: &At) -> Parsed<Condition> {
        let Value::Object(query) = query else {
            return Err(at.error("this must be an object"));
        };
        if at.depth > DEEPEST {
            return Err(at.error(format!("conditions are nested at most {DEEPEST} deep")));
        }
        let mut conditions = Vec::new();
        for (key, value) in query {
            let at = at.below(key);
            self.one_more(&at)?;
            let condition = match key.as_str() {
                "$and" => Condition::All(self.conditions(value, &at)?),
                "$or" => Condition::Any(self.conditions(value, &at)?),
                "$nor" => Condition::None(self.conditions(value, &at)?),
                operator if operator.starts_with('$') => {
                    return Err(at.error(unknown(operator, "here")));
                }
                _ => self.field(key, value, &at)?,
            };
            conditions.push(condition);
        }
        Ok(match <[_; 1]>::try_from(conditions) {
            Ok([one]) => one,
            Err(conditions) => Condition::All(conditions),
        })
    }

    fn conditions(&mut self, list: &Value, at: &At) -> Parsed<Vec<Condition>> {
        let list = list.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| at.error("this must be a list of conditions, not empty"))?;
        let conditions = list.iter().enumerate();
        let conditions = conditions.map(|(number, one)| self.condition(one, &at.number(number)));
        conditions.collect()
    }

    fn field(&mut self, key: &str, value: &Value, at: &At) -> Parsed<Condition> {
        self.length(key, at)?;
        let path = Path::parse(key).map_err(|message| at.error(message))?;
        let field = Field {
            is_moment: !at.in_element && is_moment(&path),
        };
        let test = self.test(value, field, at)?;
        if !at.in_element {
            answerable(&path, &test).map_err(|message| at.error(message))?;
            // With all that is asked of elements inside.
            self.weight = self.weight.and(Weight::of_field(&path, &test));
            if self.weight.is_too_much() {
                return Err(at.error("this can be read in too many ways"));
            }
        }
        Ok(Condition::Field(path, test))
    }

    /// A value that the field equals, or operators.
    fn test(&mut self, value: &Value, field: Field, at: &At) -> Parsed<Test> {
        match operators(value, at)? {
            Some(operators) => self.operators(operators, field, at),
            None => Ok(Test::In(vec![self.literal(value, field, at)?])),
        }
    }

    fn operators(&mut self, operators: &Map<String, Value>, field: Field, at: &At) -> Parsed<Test> {
        let mut tests = Vec::new();
        for (operator, operand) in operators {
            let at = at.below(operator);
            self.one_more(&at)?;
            if operator == "$options" {
                if !operators.contains_key("$regex") {
                    return Err(at.error("$options belongs to $regex"));
                }
                continue;
            }
            let options = operators.get("$options");
            tests.push(self.operator(operator, operand, options, field, &at)?);
        }
        Ok(match <[_; 1]>::try_from(tests) {
            Ok([one]) => one,
            Err(tests) => Test::All(tests),
        })
    }

    fn operator(
        &mut self,
        operator: &str,
        operand: &Value,
        options: Option<&Value>,
        field: Field,
        at: &At,
    ) -> Parsed<Test> {
        Ok(match operator {
            "$eq" => Test::In(vec![self.literal(operand, field, at)?]),
            "$ne" => Test::In(vec![self.literal(operand, field, at)?]).not(),
            "$in" => Test::In(self.literals(operand, field, at)?),
            "$nin" => Test::In(self.literals(operand, field, at)?).not(),
            "$gt" => self.compare(Relation::Greater, operand, field, at)?,
            "$gte" => self.compare(Relation::GreaterOrEqual, operand, field, at)?,
            "$lt" => self.compare(Relation::Less, operand, field, at)?,
            "$lte" => self.compare(Relation::LessOrEqual, operand, field, at)?,
            "$exists" => match operand {
                Value::Bool(false) => Test::Exists.not(),
                Value::Number(number) if values::plain(number) == 0.0 => Test::Exists.not(),
                Value::Bool(true) | Value::Number(_) => Test::Exists,
                _ => return Err(at.error("this must be true or false")),
            },
            "$regex" => self.pattern(operand, options, at)?,
            "$size" => {
                let size = operand.as_f64().filter(|size| size.fract() == 0.0);
                let size = size.filter(|size| (0.0..=f64::from(i32::MAX)).contains(size));
                let size = size.ok_or_else(|| at.error("this must be a number of elements"))?;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is whole and within bounds"
                )]
                Test::Size(size as u32)
            }
            "$type" => Test::Kind(kinds(operand, at)?),
            "$all" => self.all(operand, field, at)?,
            "$elemMatch" => self.element(operand, at)?,
            "$not" => match operators(operand, at)? {
                Some(inner) if !inner.is_empty() => self.operators(inner, field, at)?.not(),
                _ => return Err(at.error("this must be an object of operators")),
            },
            other => return Err(at.error(unknown(other, "for a field"))),
        })
    }

    fn compare(
        &mut self,
        relation: Relation,
        operand: &Value,
        field: Field,
        at: &At,
    ) -> Parsed<Test> {
        let literal = self.literal(operand, field, at)?;
        match (literal.kind(), relation) {
            (Kind::Array | Kind::Document, _) => Err(
                at.error("only numbers, texts, times, true and false are more or less than others")
            ),
            (Kind::Null, Relation::GreaterOrEqual | Relation::LessOrEqual) => {
                Ok(Test::In(vec![Literal::Null]))
            }
            (Kind::Null, _) => Ok(Test::In(Vec::new())),
            _ => Ok(Test::Compare(relation, literal)),
        }
    }

    fn pattern(&mut self, operand: &Value, options: Option<&Value>, at: &At) -> Parsed<Test> {
        self.patterns += 1;
        if self.patterns > MOST_PATTERNS {
            return Err(at.error(format!(
                "a query has at most {MOST_PATTERNS} regular expressions"
            )));
        }
        let pattern = operand
            .as_str()
            .ok_or_else(|| at.error("this must be a text"))?;
        let options = match options {
            None => "",
            Some(options) => options
                .as_str()
                .ok_or_else(|| at.error("$options must be a text"))?,
        };
        let pattern = Pattern::parse(pattern, options).map_err(|message| at.error(message))?;
        Ok(Test::Matches(pattern))
    }

    fn all(&mut self, operand: &Value, field: Field, at: &At) -> Parsed<Test> {
        let list = operand
            .as_array()
            .ok_or_else(|| at.error("this must be a list"))?;
        let mut tests = Vec::new();
        for (number, value) in list.iter().enumerate() {
            let at = at.number(number);
            tests.push(match operators(value, &at)? {
                None => Test::In(vec![self.literal(value, field, &at)?]),
                Some(inner) => match (inner.len(), inner.get("$elemMatch")) {
                    (1, Some(operand)) => {
                        self.one_more(&at)?;
                        self.element(operand, &at.below("$elemMatch"))?
                    }
                    _ => return Err(at.error("of operators $all takes $elemMatch alone")),
                },
            });
        }
        Ok(if tests.is_empty() {
            Test::In(Vec::new())
        } else {
            Test::All(tests)
        })
    }

    fn element(&mut self, operand: &Value, at: &At) -> Parsed<Test> {
        let mut at = at.clone();
        at.in_element = true;
        if at.depth > DEEPEST {
            return Err(at.error(format!("conditions are nested at most {DEEPEST} deep")));
        }
        let Value::Object(fields) = operand else {
            return Err(at.error("this must be an object"));
        };
        let is_test = |key: &String| key.starts_with('$') && !is_logical(key);
        if !fields.is_empty() && fields.keys().all(is_test) {
            let test = self.operators(fields, Field::default(), &at)?;
            return Ok(Test::ElementValue(Box::new(test)));
        }
        Ok(Test::Element(Box::new(self.condition(operand, &at)?)))
    }

    fn literals(&mut self, operand: &Value, field: Field, at: &At) -> Parsed<Vec<Literal>> {
        let list = operand
            .as_array()
            .ok_or_else(|| at.error("this must be a list"))?;
        let mut literals = Vec::with_capacity(list.len().min(MOST_VALUES));
        for (number, value) in list.iter().enumerate() {
            let at = at.number(number);
            if let Some(inner) = operators(value, &at)? {
                let operator = inner.keys().next().map_or("", String::as_str);
                return Err(at.error(unknown(operator, "in a list of values")));
            }
            literals.push(self.literal(value, field, &at)?);
        }
        Ok(literals)
    }

    fn literal(&mut self, value: &Value, field: Field, at: &At) -> Parsed<Literal> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(at.error(format!("a query has at most {MOST_VALUES} values")));
        }
        self.measure(value, at, 0)?;
        if let Some(date) = value.as_object().and_then(|object| object.get("$date")) {
            let moment = extended_moment(date);
            let moment =
                moment.ok_or_else(|| at.error("$date must be an ISO 8601 time or milliseconds"))?;
            return Ok(Literal::Moment(moment));
        }
        if field.is_moment {
            match value {
                Value::Number(number) => {
                    return Ok(Literal::Moment(microseconds(values::plain(number))));
                }
                Value::String(text) => {
                    let moment = moment(text);
                    let moment = moment.ok_or_else(|| at.error("this is no ISO 8601 time"))?;
                    return Ok(Literal::Moment(moment));
                }
                _ => {}
            }
        }
        Ok(match value {
            Value::Null => Literal::Null,
            Value::Bool(is) => Literal::Bool(*is),
            Value::Number(number) => Literal::Number(values::plain(number)),
            Value::String(text) => Literal::Text(without_zero(text)),
            Value::Array(_) => Literal::Composite(Kind::Array, values::digest(value)),
            Value::Object(_) => Literal::Composite(Kind::Document, values::digest(value)),
        })
    }

    /// Counts what is in a value.
    fn measure(&mut self, value: &Value, at: &At, depth: usize) -> Parsed<()> {
        if depth > DEEPEST {
            return Err(at.error(format!("values are nested at most {DEEPEST} deep")));
        }
        match value {
            Value::String(text) => self.length(text, at),
            Value::Array(elements) => {
                self.values += elements.len();
                self.enough_values(at)?;
                elements
                    .iter()
                    .try_for_each(|element| self.measure(element, at, depth + 1))
            }
            Value::Object(fields) => {
                self.values += fields.len();
                self.enough_values(at)?;
                fields.iter().try_for_each(|(key, field)| {
                    self.length(key, at)?;
                    self.measure(field, at, depth + 1)
                })
            }
            _ => Ok(()),
        }
    }

    fn enough_values(&self, at: &At) -> Parsed<()> {
        if self.values > MOST_VALUES {
            return Err(at.error(format!("a query has at most {MOST_VALUES} values")));
        }
        Ok(())
    }

    fn length(&mut self, text: &str, at: &At) -> Parsed<()> {
        self.text += text.len();
        if self.text > MOST_TEXT {
            return Err(at.error(format!(
                "the texts of a query have at most {MOST_TEXT} bytes together"
            )));
        }
        Ok(())
    }

    fn one_more(&mut self, at: &At) -> Parsed<()> {
        self.conditions += 1;
        if self.conditions > MOST_CONDITIONS {
            return Err(at.error(format!("a query has at most {MOST_CONDITIONS} conditions")));
        }
        Ok(())
    }
}

/// What is known of a field before its values are read.
#[derive(Clone, Copy, Default)]
struct Field {
    is_moment: bool,
}

impl Test {
    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}

/// The operators, if the value consists of operators.
fn operators<'a>(value: &'a Value, at: &At) -> Parsed<Option<&'a Map<String, Value>>> {
    let Value::Object(object) = value else {
        return Ok(None);
    };
    let named = object.keys().filter(|key| key.starts_with('$')).count();
    if named == 0 || (object.len() == 1 && object.contains_key("$date")) {
        return Ok(None);
    }
    if named < object.len() {
        return Err(at.error("operators and fields cannot stand side by side"));
    }
    Ok(Some(object))
}

fn is_logical(key: &str) -> bool {
    matches!(key, "$and" | "$or" | "$nor")
}

fn unknown(operator: &str, place: &str) -> String {
    let operator: String = operator.chars().take(50).collect();
    match operator.as_str() {
        "$where" | "$function" | "$accumulator" | "$expr" | "$jsonSchema" => {
            format!("{operator} is not supported: queries run no code")
        }
        "$text" | "$search" => format!("{operator} is not supported: use the filter for texts"),
        _ => format!("{operator} is not supported {place}"),
    }
}

/// The manifest is not looked into as a whole.
fn answerable(path: &Path, test: &Test) -> Result<(), &'static str> {
    fn asks_for_presence(test: &Test) -> bool {
        match test {
            Test::Exists | Test::Kind(_) => true,
            Test::Not(test) => asks_for_presence(test),
            Test::All(tests) => tests.iter().all(asks_for_presence),
            Test::In(literals) => literals.iter().all(|literal| *literal == Literal::Null),
            _ => false,
        }
    }
    let is_whole = matches!(
        path.steps().as_slice(),
        ["manifest"] | ["manifest", "items"] | ["manifest", "items", _]
    );
    if is_whole && !asks_for_presence(test) {
        return Err("of the manifest ask for manifest.items.<identifier>.<field>");
    }
    Ok(())
}

fn kinds(operand: &Value, at: &At) -> Parsed<Vec<Kind>> {
    let list = match operand {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.len() > 20 {
        return Err(at.error("there are not so many types"));
    }
    list.iter().map(|name| kind(name, at)).collect()
}

fn kind(name: &Value, at: &At) -> Parsed<Kind> {
    let number = name.as_i64();
    Ok(match (name.as_str(), number) {
        (Some("number"), _) => Kind::Number,
        (Some("string"), _) | (_, Some(2)) => Kind::Text,
        (Some("object"), _) | (_, Some(3)) => Kind::Document,
        (Some("array"), _) | (_, Some(4)) => Kind::Array,
        (Some("bool"), _) | (_, Some(8)) => Kind::Bool,
        (Some("date"), _) | (_, Some(9)) => Kind::Moment,
        (Some("null"), _) | (_, Some(10)) => Kind::Null,
        (Some("double" | "int" | "long" | "decimal"), _) | (_, Some(1 | 16 | 18 | 19)) => {
            return Err(at.error("numbers are of one type here: \"number\""));
        }
        _ => {
            return Err(at.error(
                "types are \"number\", \"string\", \"object\", \"array\", \"bool\", \"date\" and \"null\"",
            ));
        }
    })
}
