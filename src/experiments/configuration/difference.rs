//! Where two configurations differ.

use std::collections::BTreeSet;

use serde_json::Value;

/// A place where the files and the run do not say the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The keys that lead there, with dots between them.
    pub path: String,
    /// What the files say; none: nothing.
    pub filesystem: Option<Value>,
    /// What the run recorded; none: nothing.
    pub current_run: Option<Value>,
}

/// Keys that Autosubmit computes from the others, each version more of them. That one side lacks such a key says
/// nothing of the experiment.
const COMPUTED: [&str; 3] = ["AUTOSUBMIT", "PROJDIR", "STARTDATES"];

/// All differences, by path. A number and its text are the same, and so are null, an empty map and nothing at all.
pub fn differences(filesystem: &Value, current_run: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(
        &mut Vec::new(),
        Some(filesystem),
        Some(current_run),
        &mut found,
    );
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn compare<'v>(
    path: &mut Vec<&'v str>,
    filesystem: Option<&'v Value>,
    current_run: Option<&'v Value>,
    found: &mut Vec<Difference>,
) {
    let (filesystem, current_run) = match path.as_slice() {
        [] => (filesystem, current_run),
        _ => (something(filesystem), something(current_run)),
    };
    let (ours, theirs) = match (filesystem, current_run) {
        (Some(Value::Object(ours)), Some(Value::Object(theirs))) => (ours, theirs),
        (Some(ours), Some(theirs)) if same(ours, theirs) => return,
        (None, None) => return,
        (ours, theirs) => {
            if (ours.is_none() || theirs.is_none()) && is_computed(path) {
                return;
            }
            found.push(Difference {
                path: path.join("."),
                filesystem: ours.cloned(),
                current_run: theirs.cloned(),
            });
            return;
        }
    };
    let keys: BTreeSet<&'v String> = ours.keys().chain(theirs.keys()).collect();
    for key in keys {
        path.push(key);
        compare(path, ours.get(key), theirs.get(key), found);
        path.pop();
    }
}

fn something(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        _ => true,
    })
}

fn is_computed(path: &[&str]) -> bool {
    match path {
        ["DEFAULT", "DESCRIPTION"] => true,
        [key] => key.starts_with("HPC") || COMPUTED.contains(key),
        _ => false,
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other
                || matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if one.total_cmp(&other).is_eq())
        }
        (Value::Number(number), Value::String(text))
        | (Value::String(text), Value::Number(number)) => number.to_string() == *text,
        (Value::Bool(flag), Value::String(text)) | (Value::String(text), Value::Bool(flag)) => {
            text.eq_ignore_ascii_case(if *flag { "true" } else { "false" })
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().all(
                |key| match (something(one.get(key)), something(other.get(key))) {
                    (None, None) => true,
                    (Some(one), Some(other)) => same(one, other),
                    _ => false,
                },
            )
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn paths(one: &Value, other: &Value) -> Vec<String> {
        let found = differences(one, other);
        found.into_iter().map(|found| found.path).collect()
    }

    #[test]
    fn both_sides_are_looked_at() {
        let one = json!({ "JOBS": { "SIM": { "A": 1, "B": "2", "C": [1] } }, "X": null, "Y": {}, "HPCUSER": "u" });
        let other = json!({ "JOBS": { "SIM": { "A": "1", "B": 3, "C": ["1"], "D": true } }, "Z": { "A": 1 } });
        assert_eq!(paths(&one, &other), ["JOBS.SIM.B", "JOBS.SIM.D", "Z"]);
        let found = differences(&one, &other);
        assert_eq!(found[1].filesystem, None);
        assert_eq!(found[1].current_run, Some(json!(true)));
        assert_eq!(paths(&one, &json!({})), ["JOBS"]);
        assert_eq!(
            paths(&json!({ "HPCARCH": "A" }), &json!({ "HPCARCH": "a" })),
            ["HPCARCH"]
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..3_i64).prop_map(Value::from),
            "[0-2]{0,1}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[A-C]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_difference_has_two_sides(one in any_value(), other in any_value()) {
            prop_assert!(differences(&one, &one).is_empty());
            let there = differences(&one, &other);
            let back: Vec<_> = differences(&other, &one)
                .into_iter()
                .map(|it| Difference { path: it.path, filesystem: it.current_run, current_run: it.filesystem })
                .collect();
            prop_assert_eq!(there, back);
        }
    }
}
