//! Writing JSON.
//!
//! Values that resolvers hand over as [`Value::Binary`] are JSON that has been written already: lists of rows are (see
//! [`rows`](super::rows)). No field of the schema has bytes as its value.

use async_graphql::resolver_utils::EnumItem;
use async_graphql::{Context, ID, Value};
use bytes::Bytes;
use chrono::{DateTime, Datelike, Timelike, Utc};

use super::rows::Below;

/// A value that is there at once and can be written without waiting for anything.
pub trait Json {
    /// What of it is to be written, from the selection below its field; none: that has to be waited for.
    fn below(_ctx: &Context<'_>) -> Option<Below> {
        Some(Below::Nothing)
    }

    /// Writes it.
    fn write(&self, below: &Below, out: &mut Vec<u8>);
}

/// Writes a value of the executor.
pub fn value(from: &Value, out: &mut Vec<u8>) {
    value_around(from, out, &mut |written, out| {
        out.extend_from_slice(written);
    });
}

/// Writes a value of the executor; what is done with JSON that has been written already, `written` says.
pub fn value_around(
    from: &Value,
    out: &mut Vec<u8>,
    written: &mut impl FnMut(&Bytes, &mut Vec<u8>),
) {
    match from {
        Value::Null => null(out),
        Value::Number(number) => match number.as_i64() {
            Some(number) => integer(number, out),
            None => encode(number, out),
        },
        Value::String(text) => string(text, out),
        Value::Boolean(flag) => boolean(*flag, out),
        Value::Binary(json) => written(json, out),
        Value::Enum(name) => string(name, out),
        Value::List(items) => list(items, out, |item, out| value_around(item, out, written)),
        Value::Object(fields) => {
            out.push(b'{');
            for (place, (name, of)) in fields.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                value_around(of, out, written);
            }
            out.push(b'}');
        }
    }
}

/// Writes the items of a list.
pub fn list<T>(items: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// Writes a text; most have nothing to escape and are copied.
pub fn string(text: &str, out: &mut Vec<u8>) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        encode(&text, out);
    }
}

/// Writes null.
pub fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// Writes a number.
pub fn integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn boolean(flag: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// Writes what serde knows. Numbers and texts cannot fail.
fn encode(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        null(out);
    }
}

/// Writes a time as chrono's `to_rfc3339` does, which async-graphql uses.
fn time(time: &DateTime<Utc>, out: &mut Vec<u8>) {
    let utc = time.naive_utc();
    let (Ok(year @ 0..=9999), 0) = (u32::try_from(utc.year()), utc.nanosecond() % 1_000) else {
        return string(&time.to_rfc3339(), out);
    };
    out.push(b'"');
    digits(year / 100, out);
    digits(year % 100, out);
    for (before, number) in [
        (b'-', utc.month()),
        (b'-', utc.day()),
        (b'T', utc.hour()),
        (b':', utc.minute()),
        (b':', utc.second()),
    ] {
        out.push(before);
        digits(number, out);
    }
    let micros = utc.nanosecond() / 1_000;
    if micros != 0 {
        out.push(b'.');
        thousandths(micros / 1_000, out);
        if !micros.is_multiple_of(1_000) {
            thousandths(micros % 1_000, out);
        }
    }
    out.extend_from_slice(b"+00:00\"");
}

fn digits(number: u32, out: &mut Vec<u8>) {
    out.push(digit(number / 10));
    out.push(digit(number % 10));
}

fn thousandths(number: u32, out: &mut Vec<u8>) {
    out.push(digit(number / 100));
    digits(number % 100, out);
}

fn digit(number: u32) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

/// Writes a value of an enum.
pub fn enumerated<T: PartialEq>(value: &T, items: &[EnumItem<T>], out: &mut Vec<u8>) {
    match items.iter().find(|item| item.value == *value) {
        Some(item) => string(item.name, out),
        None => null(out),
    }
}

/// Implements [`Json`] for GraphQL enums.
macro_rules! json_enums {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::graphql::json::Json for $name {
            fn write(&self, _: &$crate::graphql::rows::Below, out: &mut Vec<u8>) {
                use async_graphql::resolver_utils::EnumType;
                $crate::graphql::json::enumerated(self, <$name>::items(), out);
            }
        }
    )+};
}

pub(crate) use json_enums;

impl Json for str {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        string(self, out);
    }
}

impl Json for String {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        string(self, out);
    }
}

impl Json for ID {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        string(self, out);
    }
}

impl Json for bool {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        boolean(*self, out);
    }
}

impl Json for i32 {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        integer((*self).into(), out);
    }
}

impl Json for f64 {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        encode(self, out);
    }
}

impl Json for DateTime<Utc> {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        time(self, out);
    }
}

impl<T: Json + ?Sized> Json for &T {
    fn below(ctx: &Context<'_>) -> Option<Below> {
        T::below(ctx)
    }

    fn write(&self, below: &Below, out: &mut Vec<u8>) {
        (**self).write(below, out);
    }
}

impl<T: Json> Json for Option<T> {
    fn below(ctx: &Context<'_>) -> Option<Below> {
        T::below(ctx)
    }

    fn write(&self, below: &Below, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(below, out),
            None => null(out),
        }
    }
}

impl<T: Json> Json for Vec<T> {
    fn below(ctx: &Context<'_>) -> Option<Below> {
        T::below(ctx)
    }

    fn write(&self, below: &Below, out: &mut Vec<u8>) {
        list(self, out, |item, out| item.write(below, out));
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;
    use proptest::prelude::*;

    use super::*;

    fn written(value: &impl Json) -> String {
        let mut out = Vec::new();
        value.write(&Below::Nothing, &mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn texts_are_written_as_serde_json_writes_them(text in any::<String>()) {
            prop_assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn numbers_are_written_as_serde_json_writes_them(number in any::<f64>(), integer in any::<i32>()) {
            prop_assert_eq!(written(&number), serde_json::to_string(&number).unwrap());
            prop_assert_eq!(written(&integer), integer.to_string());
        }

        #[test]
        fn times_are_written_as_chrono_writes_them(seconds in -70_000_000_000_i64..300_000_000_000, nanos in prop_oneof![
            Just(0_u32), (0..1000_u32).prop_map(|millis| millis * 1_000_000),
            (0..1_000_000_u32).prop_map(|micros| micros * 1_000), 0..1_000_000_000_u32,
        ]) {
            let time = DateTime::from_timestamp(seconds, nanos).unwrap();
            prop_assert_eq!(written(&time), format!("\"{}\"", time.to_rfc3339()));
        }
    }

    #[test]
    fn values_of_the_executor_are_written_as_they_are() {
        let answer = value!({
            "a\"": [1, -2.5, null, true, "x\n", { "b": [] }],
            "c": {},
            "big": 18_446_744_073_709_551_615_u64,
        });
        let mut out = Vec::new();
        super::value(&answer, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            serde_json::to_string(&answer).unwrap()
        );
        out = Vec::new();
        super::value(
            &Value::List(vec![Value::Binary("{\"n\":1}".into())]),
            &mut out,
        );
        assert_eq!(out, b"[{\"n\":1}]");
    }
}
