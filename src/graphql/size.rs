//! How large an answer is.

use async_graphql::Value;

/// Whether a value has more than about this many bytes as JSON. Stops counting there; the work is a fraction of that
/// of writing it.
pub fn exceeds(value: &Value, bytes: usize) -> bool {
    let mut left = bytes;
    take(value, &mut left).is_none()
}

/// About how many bytes a value has as JSON.
pub fn bytes(value: &Value) -> usize {
    let mut left = usize::MAX;
    let counted = take(value, &mut left);
    counted.map_or(0, |()| usize::MAX - left)
}

/// Numbers are taken for this long.
const NUMBER: usize = 8;

fn take(value: &Value, left: &mut usize) -> Option<()> {
    let own = match value {
        Value::Null | Value::Boolean(_) => 4,
        Value::Number(_) => NUMBER,
        Value::String(text) => text.len().saturating_add(2),
        Value::Enum(name) => name.len().saturating_add(2),
        Value::Binary(written) => written.len(),
        Value::List(items) => items.len().saturating_add(2),
        Value::Object(fields) => {
            let keys = fields.keys().map(|name| name.len().saturating_add(4));
            keys.fold(2, usize::saturating_add)
        }
    };
    *left = left.checked_sub(own)?;
    match value {
        Value::List(items) => items.iter().try_for_each(|item| take(item, left)),
        Value::Object(fields) => fields.values().try_for_each(|field| take(field, left)),
        _ => Some(()),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn the_size_is_about_that_of_the_json() {
        let answer = value!({ "jobs": [{ "name": "a000_SIM", "chunk": 10, "date": null }, { "name": "b" }] });
        let bytes = serde_json::to_string(&answer).unwrap().len();
        assert!(exceeds(&answer, bytes - 10));
        assert!(!exceeds(&answer, bytes + 10));
        assert!(exceeds(&answer, 0));
        assert!(super::bytes(&answer).abs_diff(bytes) <= 10);
    }
}
