use std::borrow::Cow;

use chrono::NaiveDateTime;

/// A Python object.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Str(Cow<'static, str>),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Set(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    DateTime(NaiveDateTime),
    /// A class or function: module and name.
    Global(&'static str, &'static str),
    /// What a call of the global with these arguments gives.
    Call(&'static str, &'static str, Vec<Value>),
    /// An instance of the class, made without arguments, with this state.
    Object(&'static str, &'static str, Box<Value>),
    /// An object that others refer to by the number.
    Shared(usize, Box<Value>),
    /// The shared object of that number, which stands earlier in the stream.
    Again(usize),
}

impl Value {
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Str(text.into())
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}
