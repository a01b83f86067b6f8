//! The parsers on anything.

use labql::datasets::readers::{BaseUri, DatasetUri, parse_readme};
use proptest::prelude::*;
use serde_json::Value;

use super::fixture::{Fixture, admin};

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~ü🧪\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-z.$ 0-9]{1,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_uri_that_is_accepted_is_in_its_one_form(text in "(file://|s3://|)[a-z0-9./:%#? -]{0,30}") {
        if let Ok(uri) = BaseUri::parse(&text) {
            prop_assert_eq!(BaseUri::parse(uri.as_str()), Ok(uri.clone()));
            prop_assert!(!uri.as_str().ends_with('/'));
            prop_assert_eq!(uri.as_str().trim_start_matches("file:///").matches("//").count() <= 1, true);
        }
        if let Ok(uri) = DatasetUri::parse(&text) {
            prop_assert_eq!(DatasetUri::parse(uri.as_str()), Ok(uri.clone()));
            prop_assert_eq!(uri.base().dataset(uri.name()), Ok(uri));
        }
    }

    #[test]
    fn no_uri_is_too_strange(text in any::<String>()) {
        let _ = (BaseUri::parse(&text), DatasetUri::parse(&text));
    }

    #[test]
    fn a_readme_keeps_its_text_whatever_it_is(text in any::<String>()) {
        prop_assert_eq!(parse_readme(text.clone()).text, text);
    }

    #[test]
    fn a_readme_of_yaml_like_text_is_parsed_or_refused(text in "[a-c0-1:\\-\\[\\]{}&*!<>|,'\"#? \n~.]{0,60}") {
        let _ = parse_readme(text);
    }

    /// JSON is YAML, numbers and all.
    #[test]
    fn json_in_a_readme_is_itself(value in json()) {
        let text = value.to_string();
        prop_assert_eq!(parse_readme(text).content, Ok(value));
    }

    #[test]
    fn damaged_files_are_refused_or_read(cut in 0_usize..400, byte in any::<u8>(), which in 0_usize..2) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let fixture = Fixture::new();
        fixture.dataset("one");
        let name = ["one/.dtool/dtool", "one/.dtool/manifest.json"][which];
        let mut content = std::fs::read(fixture.path(name)).expect("a file");
        let at = cut % content.len();
        content[at] = byte;
        fixture.write(name, &content);
        let _ = runtime.block_on(fixture.read("one"));
        content.truncate(at);
        fixture.write(name, &content);
        prop_assert!(runtime.block_on(fixture.read("one")).is_err());
    }

    #[test]
    fn admin_metadata_of_any_json_is_refused_or_read(field in 0_usize..7, value in json()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let fixture = Fixture::new();
        let mut admin = admin("one");
        let name = admin.as_object().expect("an object").keys().nth(field).cloned().expect("a field");
        admin[name] = value;
        fixture.dataset("one").write("one/.dtool/dtool", admin.to_string());
        let _ = runtime.block_on(fixture.read("one"));
    }
}
