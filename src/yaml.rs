//! YAML that is not trusted, as a tree: any tag is tolerated, and neither brackets nor aliases can blow it up.
//!
//! Scalars are those of YAML 1.2: `yes` and dates are text.

mod place;

use std::{cell::Cell, fmt};

use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_json::Number;

pub use place::{Step, Syntax, place};

/// The deepest nesting of brackets, and the most brackets in all (text can hide their depth from a simple count). The
/// deserialiser allows a depth of 128, but only after the parser has taken time that grows with the depth at each step.
const MAX_DEPTH: usize = 500;
const MAX_BRACKETS: usize = 10_000;

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Null, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that JSON knows too.
    Number(Number),
    /// Text, and numbers that JSON does not know: infinity, and integers beyond 64 bits.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping as it was written: in this order, with the same key as often as it occurs.
    Map(Vec<(Key, Node)>),
}

/// The key of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Null, or nothing.
    Null,
    /// A scalar as text.
    Text(String),
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong and where, for people.
    pub message: String,
    /// Line and column, counted from 1, where they are known.
    pub place: Option<(usize, usize)>,
}

/// Parses one YAML document; one of blank lines and comments is null.
///
/// It may have at most as many nodes as it could without aliases (a node takes at least a byte), and text of at most
/// sixteen times its size; `serde_yaml_ng` itself bounds the depth.
pub fn parse(text: &str) -> Result<Node, Error> {
    parse_tagged(text, |_, node| node)
}

/// The same, for a dialect in which tags say something: `tagged` is given each tag without its exclamation mark, and what
/// it tags, and gives the node that stands for both.
pub fn parse_tagged(text: &str, tagged: fn(&str, Node) -> Node) -> Result<Node, Error> {
    let budget = Cell::new(text.len().saturating_mul(16).saturating_add(1024));
    let says_nothing = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    };
    if text.lines().all(says_nothing) {
        return Ok(Node::Null);
    }
    check_brackets(text)?;
    let seed = Seed {
        budget: &budget,
        tagged,
    };
    let parsed = seed.deserialize(serde_yaml_ng::Deserializer::from_str(text));
    parsed.map_err(|error| Error {
        message: error.to_string(),
        place: error.location().map(|at| (at.line(), at.column())),
    })
}

/// Parses one JSON document into the same tree, within the same bounds.
pub fn parse_json(text: &str) -> Result<Node, Error> {
    let budget = Cell::new(text.len().saturating_mul(16).saturating_add(1024));
    let seed = Seed {
        budget: &budget,
        tagged: |_, node| node,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = seed.deserialize(&mut deserializer);
    let parsed = parsed.and_then(|node| deserializer.end().map(|()| node));
    parsed.map_err(|error| Error {
        message: error.to_string(),
        place: (error.line() > 0).then(|| (error.line(), error.column())),
    })
}

fn check_brackets(text: &str) -> Result<(), Error> {
    let mut depth = 0_usize;
    let mut count = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                count += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH || count > MAX_BRACKETS {
            return Err(Error {
                message: "too many brackets, or nested too deeply".into(),
                place: None,
            });
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Seed<'b> {
    budget: &'b Cell<usize>,
    tagged: fn(&str, Node) -> Node,
}

impl Seed<'_> {
    fn spend<E: de::Error>(self, cost: usize) -> Result<(), E> {
        // A node costs sixteen: so the budget is also one of nodes.
        let left = self.budget.get().checked_sub(cost.saturating_add(16));
        let left =
            left.ok_or_else(|| E::custom("aliases make the document far larger than it is"))?;
        self.budget.set(left);
        Ok(())
    }

    fn text<E: de::Error>(self, text: String) -> Result<Node, E> {
        self.spend(text.len())?;
        Ok(Node::Text(text))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Number(value.into()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        self.text(value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        self.text(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        match Number::from_f64(value) {
            Some(number) => {
                self.spend(0)?;
                Ok(Node::Number(number))
            }
            // JSON knows neither infinity nor what is no number.
            None => self.text(value.to_string()),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        self.spend(value.len())?;
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        self.spend(0)?;
        let mut map = Vec::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let key = match key {
                Node::Null => Key::Null,
                Node::Text(text) => Key::Text(text),
                Node::Number(number) => Key::Text(number.to_string()),
                Node::Bool(flag) => Key::Text(flag.to_string()),
                Node::List(_) | Node::Map(_) => {
                    return Err(de::Error::custom("a key is not a scalar"));
                }
            };
            map.push((key, entries.next_value_seed(self)?));
        }
        Ok(Node::Map(map))
    }

    /// A tagged node.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (tag, content) = tagged.variant::<String>()?;
        let node = content.newtype_variant_seed(self)?;
        Ok((self.tagged)(tag.trim_start_matches('!'), node))
    }
}
