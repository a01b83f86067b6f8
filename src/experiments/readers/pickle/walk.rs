//! Reading the nodes of a pickle within a budget.

use std::{borrow::Cow, cell::Cell};

use chrono::{NaiveDate, NaiveDateTime};

use super::{Pickle, Ref, Value};

/// The longest text that is taken out of a pickle, in bytes; names and paths are shorter.
const LONGEST_TEXT: usize = 4096;

/// A walk over a pickle.
///
/// Nodes are shared, so a small pickle can stand for an endless tree. A walk has a budget that is linear in the size
/// of the pickle, for entries that are visited and for text that is copied; with nothing left, collections look empty
/// and [`Walk::exhausted`] says so. An honest job list shares little and never comes near.
#[derive(Debug)]
pub struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    left: Cell<usize>,
}

impl<'p, 'a> Walk<'p, 'a> {
    /// A walk with a fresh budget.
    pub fn new(pickle: &'p Pickle<'a>) -> Self {
        Self {
            pickle,
            left: Cell::new(pickle.size().saturating_mul(16).saturating_add(1 << 16)),
        }
    }

    /// Whether the pickle stood for far more than its size.
    pub fn exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// The object that was pickled.
    pub fn root(&self) -> Item<'_, 'p, 'a> {
        self.item(self.pickle.root())
    }

    fn item(&self, at: Ref) -> Item<'_, 'p, 'a> {
        Item { walk: self, at }
    }

    fn spend(&self, cost: usize) -> bool {
        let left = self.left.get().saturating_sub(cost);
        self.left.set(left);
        left > 0
    }
}

/// A node on a walk.
#[derive(Debug, Clone, Copy)]
pub struct Item<'w, 'p, 'a> {
    walk: &'w Walk<'p, 'a>,
    at: Ref,
}

impl<'p, 'a> Item<'_, 'p, 'a> {
    /// The node itself.
    pub fn value(&self) -> &'p Value<'a> {
        self.walk.pickle.get(self.at)
    }

    /// Whether it is Python's `None`.
    pub fn is_none(&self) -> bool {
        matches!(self.value(), Value::None)
    }

    /// Text, copied; `None` for anything else and for text of more than 4096 bytes.
    pub fn text(&self) -> Option<String> {
        let text = self.str()?;
        (text.len() <= LONGEST_TEXT && self.walk.spend(text.len().saturating_add(1)))
            .then(|| text.to_owned())
    }

    /// Text where it stands.
    pub fn str(&self) -> Option<&'p str> {
        match self.value() {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number: an integer, a truth value, or digits as text.
    pub fn int(&self) -> Option<i64> {
        match self.value() {
            Value::Int(number) => Some(*number),
            Value::Bool(flag) => Some(i64::from(*flag)),
            Value::Str(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The elements of a list, tuple, set, or of an object that is one.
    pub fn elements(&self) -> Option<Vec<Self>> {
        let elements = match self.value() {
            Value::List(elements) | Value::Tuple(elements) | Value::Set(elements) => elements,
            Value::Object(object) if !object.elements.is_empty() => &object.elements,
            _ => return None,
        };
        if !self.walk.spend(elements.len().saturating_add(1)) {
            return Some(Vec::new());
        }
        Some(elements.iter().map(|at| self.walk.item(*at)).collect())
    }

    /// The entries of a dictionary, or of an object that is one.
    pub fn entries(&self) -> Option<Vec<(Self, Self)>> {
        let entries = match self.value() {
            Value::Dict(entries) => entries,
            // OrderedDict and defaultdict are made by a call and then filled.
            Value::Object(object) if object.state.is_none() => &object.entries,
            _ => return None,
        };
        if !self.walk.spend(entries.len().saturating_add(1)) {
            return Some(Vec::new());
        }
        Some(
            entries
                .iter()
                .map(|(key, value)| (self.walk.item(*key), self.walk.item(*value)))
                .collect(),
        )
    }

    /// The value of a key; of several the last, as in Python.
    pub fn entry(&self, key: &str) -> Option<Self> {
        self.entries()?
            .into_iter()
            .rev()
            .find(|(name, _)| name.str() == Some(key))
            .map(|(_, value)| value)
    }

    /// The state of an object. (A state of two parts is attributes and slots: the attributes count.)
    pub fn state(&self) -> Option<Self> {
        let Value::Object(object) = self.value() else {
            return None;
        };
        let state = self.walk.item(object.state?);
        match state.value() {
            Value::Tuple(parts) => parts.first().map(|at| self.walk.item(*at)),
            _ => Some(state),
        }
    }

    /// Module and name of an object's class. (`copyreg._reconstructor` of the old protocols names it in its first
    /// argument.)
    pub fn class(&self) -> Option<(&'p str, &'p str)> {
        let Value::Object(object) = self.value() else {
            return None;
        };
        let class = match self.walk.pickle.get(object.callee) {
            Value::Global { name, .. } if name == "_reconstructor" => {
                match self.walk.pickle.get(object.args) {
                    Value::Tuple(args) => self.walk.pickle.get(*args.first()?),
                    _ => return None,
                }
            }
            class => class,
        };
        match class {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// A `datetime.datetime`: a call with ten bytes, which protocols for Python 2 wrap as text in Latin-1.
    pub fn datetime(&self) -> Option<NaiveDateTime> {
        let Value::Object(object) = self.value() else {
            return None;
        };
        if !matches!(self.class(), Some(("datetime", "datetime"))) {
            return None;
        }
        let Value::Tuple(args) = self.walk.pickle.get(object.args) else {
            return None;
        };
        let bytes = self.walk.item(*args.first()?).short_bytes()?;
        let [
            year_high,
            year_low,
            month,
            day,
            hour,
            minute,
            second,
            micros @ ..,
        ] = bytes.as_ref()
        else {
            return None;
        };
        let [high, middle, low] = micros else {
            return None;
        };
        let year = i32::from(*year_high) * 256 + i32::from(*year_low);
        let micros = u32::from(*high) << 16 | u32::from(*middle) << 8 | u32::from(*low);
        // The top bit of the month tells which of two equal local times is meant ("fold").
        NaiveDate::from_ymd_opt(year, u32::from(month & 0x7f), u32::from(*day))?.and_hms_micro_opt(
            u32::from(*hour),
            u32::from(*minute),
            u32::from(*second),
            micros,
        )
    }

    /// A few bytes: bytes, text in Latin-1, or a call of `_codecs.encode` with such text.
    fn short_bytes(&self) -> Option<Cow<'p, [u8]>> {
        match self.value() {
            Value::Bytes(bytes) => Some(Cow::Borrowed(*bytes)),
            Value::Str(text) if text.len() <= 64 => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).ok())
                .collect::<Option<Vec<_>>>()
                .map(Cow::Owned),
            Value::Object(object) if matches!(self.class(), Some(("_codecs", "encode"))) => {
                let Value::Tuple(args) = self.walk.pickle.get(object.args) else {
                    return None;
                };
                let text = self.walk.item(*args.first()?);
                text.str()?;
                text.short_bytes()
            }
            _ => None,
        }
    }
}
