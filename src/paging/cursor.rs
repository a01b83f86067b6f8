//! A cursor is base64url of JSON `[version, order, keys…]`. It belongs to one order: under another it is refused.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::{KeyKind, KeyValue, Ordering};
use crate::failure::Failure;

/// Stands in every cursor: those of another version are refused.
const CURSOR_VERSION: u64 = 1;

/// The cursor of a row with these key values.
pub fn encode_cursor(ordering: &Ordering, key: &[KeyValue]) -> String {
    let mut parts = vec![CURSOR_VERSION.into(), ordering.tag.clone().into()];
    parts.extend(key.iter().map(|value| match value {
        KeyValue::Int(number) => serde_json::Value::from(*number),
        KeyValue::Text(text) => serde_json::Value::from(text.as_str()),
    }));
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::Value::Array(parts).to_string())
}

/// The key of a row from its cursor, which the argument `field` gave.
pub(super) fn decode_cursor(
    field: &'static str,
    cursor: &str,
    ordering: &Ordering,
) -> Result<Vec<KeyValue>, Failure> {
    let bad = || Failure::bad_input(field, "not a cursor of this list in this order");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    let parts: Vec<serde_json::Value> = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let [version, tag, keys @ ..] = parts.as_slice() else {
        return Err(bad());
    };
    if version.as_u64() != Some(CURSOR_VERSION)
        || tag.as_str() != Some(ordering.tag.as_str())
        || keys.len() != ordering.parts.len()
    {
        return Err(bad());
    }
    keys.iter()
        .zip(&ordering.parts)
        .map(|(key, part)| match (part.kind, key) {
            (KeyKind::Text, serde_json::Value::String(text)) if !text.contains('\0') => {
                Ok(KeyValue::Text(text.clone()))
            }
            (KeyKind::Int, serde_json::Value::Number(number)) => {
                number.as_i64().map(KeyValue::Int).ok_or_else(bad)
            }
            _ => Err(bad()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paging::tests::by_name;
    use crate::paging::{PAGE, PageArguments};

    #[test]
    fn a_cursor_comes_back_as_its_key() {
        let key = vec![KeyValue::Text("a\"ü".into())];
        let arguments = PageArguments {
            after: Some(encode_cursor(&by_name(), &key)),
            ..PageArguments::default()
        };
        assert_eq!(arguments.resolve(PAGE, &by_name()).unwrap().from, Some(key));
    }

    #[test]
    fn a_cursor_of_another_type_is_refused() {
        let arguments = PageArguments {
            after: Some(encode_cursor(&by_name(), &[KeyValue::Int(5)])),
            ..PageArguments::default()
        };
        assert!(arguments.resolve(PAGE, &by_name()).is_err());
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let other = Ordering {
            tag: "date".into(),
            ..by_name()
        };
        let key = vec![KeyValue::Text("x".into())];
        for cursor in [encode_cursor(&other, &key), "!".into(), String::new()] {
            let arguments = PageArguments {
                after: Some(cursor),
                ..PageArguments::default()
            };
            assert!(arguments.resolve(PAGE, &by_name()).is_err());
        }
    }
}
