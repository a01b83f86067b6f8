//! YAML into a [`Tree`]: any tag is tolerated, keys become upper-case text, and aliases cannot blow the result up.

use std::{cell::Cell, fmt};

use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::{filled, tree::Tree};

/// The deepest nesting of brackets, and the most brackets in all (text can hide their depth from a simple count). The
/// deserialiser allows a depth of 128, but only after the parser has taken time that grows with the depth at each step.
const MAX_DEPTH: usize = 500;
const MAX_BRACKETS: usize = 10_000;

/// Parses one YAML document.
///
/// A file may have at most as many nodes as it could without aliases (a node takes at least a byte), and text of at
/// most sixteen times its size; `serde_yaml_ng` itself bounds the depth.
pub(super) fn parse(text: &str) -> Result<Tree, String> {
    let budget = Cell::new(text.len().saturating_mul(16).saturating_add(1024));
    if filled(text).is_none() {
        return Ok(Tree::Null);
    }
    check_brackets(text)?;
    let node = Node { budget: &budget };
    node.deserialize(serde_yaml_ng::Deserializer::from_str(text))
        .map_err(|error| error.to_string())
}

fn check_brackets(text: &str) -> Result<(), String> {
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
            return Err("too many brackets, or nested too deeply".into());
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Node<'b> {
    budget: &'b Cell<usize>,
}

impl Node<'_> {
    fn spend<E: de::Error>(self, cost: usize) -> Result<(), E> {
        // A node costs sixteen: so the budget is also one of nodes.
        let left = self.budget.get().checked_sub(cost.saturating_add(16));
        let left =
            left.ok_or_else(|| E::custom("aliases make the document far larger than it is"))?;
        self.budget.set(left);
        Ok(())
    }

    fn text<E: de::Error>(self, text: String) -> Result<Tree, E> {
        self.spend(text.len())?;
        Ok(Tree::Text(text))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Tree;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        self.spend(0)?;
        Ok(Tree::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Tree, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
        self.spend(0)?;
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
        self.spend(0)?;
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
        self.spend(0)?;
        Ok(Tree::Number(value.into()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Tree, E> {
        self.text(value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Tree, E> {
        self.text(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        match serde_json::Number::from_f64(value) {
            Some(number) => {
                self.spend(0)?;
                Ok(Tree::Number(number))
            }
            // JSON knows neither infinity nor what is no number.
            None => self.text(value.to_string()),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
        self.spend(value.len())?;
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        self.spend(0)?;
        let mut map = std::collections::BTreeMap::new();
        let mut merged = Vec::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let value = entries.next_value_seed(self)?;
            // As Python spells it.
            let key = match key {
                Tree::Null => Some("NONE".to_owned()),
                key => key.text(),
            };
            match key {
                // A merge key: what it gives is overridden by the map's own keys.
                Some(key) if key == "<<" => match value {
                    Tree::List(items) => merged.extend(items),
                    other => merged.push(other),
                },
                Some(key) => {
                    map.insert(key.to_uppercase(), value);
                }
                None => return Err(de::Error::custom("a key is not a scalar")),
            }
        }
        let mut map = Tree::Map(map);
        for other in merged {
            map.fill(other);
        }
        Ok(map)
    }

    /// A tagged node: the tag says nothing here.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Tree, A::Error> {
        let (_tag, content) = tagged.variant::<de::IgnoredAny>()?;
        content.newtype_variant_seed(self)
    }
}
