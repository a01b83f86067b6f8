//! A document of a template as a tree that knows where each node was written.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::text::shorten;
use crate::yaml;

/// The deepest nesting of a value that is passed on as JSON: what is stored has to be read again.
const DEEPEST_JSON: usize = 32;
/// The longest key that is shown as a whole, in characters.
const LONGEST_KEY: usize = 64;

/// A node.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Where it was written.
    pub at: Position,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    /// As it was written: the same key as often as it occurs.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// What it is, for people.
    pub fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A tree of JSON that stands at a place, unless it is nested too deeply.
    pub fn of_json(json: &Value, at: &Position) -> Option<Self> {
        Self::of_json_within(json, at.clone(), DEEPEST_JSON)
    }

    fn of_json_within(json: &Value, at: Position, room: usize) -> Option<Self> {
        let room = room.checked_sub(1)?;
        let kind = match json {
            Value::Null => Kind::Null,
            Value::Bool(flag) => Kind::Bool(*flag),
            Value::Number(number) => Kind::Number(number.clone()),
            Value::String(text) => Kind::Text(text.clone()),
            Value::Array(items) => {
                let item = |(index, item)| Self::of_json_within(item, at.index(index), room);
                Kind::List(items.iter().enumerate().map(item).collect::<Option<_>>()?)
            }
            Value::Object(fields) => {
                let field = |(key, value): (&String, &Value)| {
                    let value = Self::of_json_within(value, at.key(key), room)?;
                    Some((key.clone(), value))
                };
                Kind::Map(fields.iter().map(field).collect::<Option<_>>()?)
            }
        };
        Some(Self { at, kind })
    }

    /// As JSON, unless it is nested too deeply. Of a key that occurs twice, the last.
    pub fn json(&self) -> Option<Value> {
        self.json_within(DEEPEST_JSON)
    }

    fn json_within(&self, room: usize) -> Option<Value> {
        let room = room.checked_sub(1)?;
        Some(match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => {
                let items = items.iter().map(|item| item.json_within(room));
                Value::Array(items.collect::<Option<_>>()?)
            }
            Kind::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.insert(key.clone(), value.json_within(room)?);
                }
                Value::Object(map)
            }
        })
    }
}

/// Where something was written: a file, and a path in its document.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    file: Arc<str>,
    path: Option<Arc<Link>>,
}

#[derive(Debug)]
struct Link {
    up: Option<Arc<Link>>,
    step: Step,
}

/// A step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl yaml::Step for Step {
    fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }

    fn index(&self) -> Option<usize> {
        match self {
            Self::Key(_) => None,
            Self::Index(index) => Some(*index),
        }
    }
}

impl Position {
    /// The whole document of a file.
    pub fn start(file: &str) -> Self {
        Self {
            file: file.into(),
            path: None,
        }
    }

    /// The value of a key.
    pub fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// An item of a list, counted from 0.
    pub fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let up = self.path.clone();
        Self {
            file: Arc::clone(&self.file),
            path: Some(Arc::new(Link { up, step })),
        }
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// The steps from the start of the document.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut link = self.path.as_ref();
        while let Some(here) = link {
            steps.push(here.step.clone());
            link = here.up.as_ref();
        }
        steps.reverse();
        steps
    }
}

/// The path in the document: `workflow.steps[1].action`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps().iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if is_plain(key) => {
                    let dot = if place == 0 { "" } else { "." };
                    write!(f, "{dot}{key}")?;
                }
                Step::Key(key) => write!(f, "[{:?}]", shorten(key, LONGEST_KEY))?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    !key.is_empty() && key.chars().count() <= LONGEST_KEY && key.chars().all(plain)
}
