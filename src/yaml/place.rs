//! Where in a text a node stands.
//!
//! The deserialisers tell the place of what fails. So what is looked for is made to fail: the text is parsed again, up to
//! there.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    self, DeserializeSeed, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// A language in which trees are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// A step from a node into it.
pub trait Step {
    /// The key to follow, if it is one.
    fn key(&self) -> Option<&str>;
    /// The place in the list to follow, counted from 0, if it is one.
    fn index(&self) -> Option<usize>;
}

/// Line and column, counted from 1, of the node that these steps lead to; of a key that occurs twice, the first.
///
/// Costs as much as parsing does; the text should be one that was parsed before.
pub fn place<S: Step>(text: &str, syntax: Syntax, steps: &[S]) -> Option<(usize, usize)> {
    let found = Cell::new(false);
    let seek = Seek {
        steps,
        found: &found,
    };
    let place = match syntax {
        Syntax::Yaml => {
            let failed = seek.deserialize(serde_yaml_ng::Deserializer::from_str(text));
            let at = failed.err()?.location()?;
            (at.line(), at.column())
        }
        Syntax::Json => {
            let mut deserializer = serde_json::Deserializer::from_str(text);
            let failed = seek.deserialize(&mut deserializer).err()?;
            (failed.line(), failed.column())
        }
    };
    (found.get() && place.0 > 0).then_some(place)
}

struct Seek<'s, S> {
    steps: &'s [S],
    found: &'s Cell<bool>,
}

impl<S> Clone for Seek<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Seek<'_, S> {}

impl<S> Seek<'_, S> {
    /// Fails if this is what was looked for.
    fn arrive<E: de::Error>(self) -> Result<(), E> {
        if self.steps.is_empty() {
            self.found.set(true);
            return Err(E::custom("found"));
        }
        Ok(())
    }
}

impl<'de, S: Step> DeserializeSeed<'de> for Seek<'_, S> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Step> Visitor<'de> for Seek<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.arrive()
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.arrive()
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.arrive()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.arrive()?;
        let Some((step, steps)) = self.steps.split_first() else {
            return Ok(());
        };
        let wanted = step.index();
        let mut index = 0;
        loop {
            let more = if wanted == Some(index) {
                items.next_element_seed(Self { steps, ..self })?.is_some()
            } else {
                items.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.arrive()?;
        let Some((step, steps)) = self.steps.split_first() else {
            return Ok(());
        };
        let key = step.key();
        while let Some(found) = entries.next_key_seed(KeyText)? {
            if key.is_some_and(|key| found.as_deref() == Some(key)) {
                entries.next_value_seed(Self { steps, ..self })?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (_tag, content) = tagged.variant::<IgnoredAny>()?;
        content.newtype_variant_seed(self)
    }
}

/// A key, if it is text.
struct KeyText;

impl<'de> DeserializeSeed<'de> for KeyText {
    type Value = Option<String>;

    fn deserialize<D: de::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyText {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(value.to_owned()))
    }

    /// A tagged key.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Self::Value, A::Error> {
        let (_tag, content) = tagged.variant::<IgnoredAny>()?;
        content.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Step for (Option<&'static str>, Option<usize>) {
        fn key(&self) -> Option<&str> {
            self.0
        }

        fn index(&self) -> Option<usize> {
            self.1
        }
    }

    fn key(key: &'static str) -> (Option<&'static str>, Option<usize>) {
        (Some(key), None)
    }

    fn item(index: usize) -> (Option<&'static str>, Option<usize>) {
        (None, Some(index))
    }

    #[test]
    fn nodes_are_found() {
        let text = "a: 1\nb:\n  - x\n  - !t {c: null, 7: 'y'}\n";
        let at = |steps: &[_]| place(text, Syntax::Yaml, steps);
        assert_eq!(at(&[]), Some((1, 1)));
        assert_eq!(at(&[key("a")]), Some((1, 4)));
        assert_eq!(at(&[key("b"), item(0)]), Some((3, 5)));
        assert_eq!(at(&[key("b"), item(1), key("7")]), Some((4, 21)));
        assert_eq!(at(&[key("b"), item(2)]), None);
        assert_eq!(at(&[key("a"), key("b")]), None);
        let text = "{\"a\": [1,\n {\"b\": true}]}";
        let at = |steps: &[_]| place(text, Syntax::Json, steps);
        assert_eq!(at(&[key("a"), item(1), key("b")]).map(|at| at.0), Some(2));
        assert_eq!(at(&[key("b")]), None);
    }
}
