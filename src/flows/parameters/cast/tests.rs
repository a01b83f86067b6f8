use serde_json::json;

use super::*;

fn refused(kind: &Kind, given: &Json) -> String {
    let flaws = cast(kind, given).expect_err(&given.to_string());
    assert_eq!(flaws.len(), 1);
    format!("{}: {}", flaws[0].path, flaws[0].message)
}

fn parameter(name: &str, kind: Kind) -> Parameter {
    Parameter {
        name: name.to_owned(),
        kind,
        index: 0,
        is_required: true,
        label: None,
        help: None,
        default_value: None,
        group: None,
    }
}

#[test]
fn scalars_are_cast() {
    let int = Kind::Int { range: None };
    for (given, number) in [
        (json!(3), 3),
        (json!(3.0), 3),
        (json!(" 7 "), 7),
        (json!("-5"), -5),
    ] {
        assert_eq!(cast(&int, &given), Ok(Value::Int(number)));
    }
    for given in [
        json!(3.7),
        json!("3.0"),
        json!("inf"),
        json!(1e300),
        json!(true),
        json!([1]),
        json!("9223372036854775808"),
    ] {
        assert!(refused(&int, &given).contains("no whole number"));
    }
    let float = Kind::Float { range: None };
    assert_eq!(cast(&float, &json!("1e3")), Ok(Value::Float(1000.0)));
    assert_eq!(
        cast(&float, &json!("-inf")),
        Ok(Value::Float(f64::NEG_INFINITY))
    );
    for given in [json!("soon"), json!("nan"), json!("1e999"), json!(null)] {
        assert!(refused(&float, &given).contains("no number"), "{given}");
    }
    for (given, flag) in [
        (json!("T"), true),
        (json!(1), true),
        (json!("TRUE"), true),
        (json!(""), false),
        (json!(null), false),
        (json!("0"), false),
    ] {
        assert_eq!(cast(&Kind::Bool, &given), Ok(Value::Bool(flag)), "{given}");
    }
    assert!(cast(&Kind::Bool, &json!("maybe")).is_err());
    assert_eq!(
        cast(&Kind::String, &json!(42)),
        Ok(Value::Text("42".into()))
    );
    assert!(cast(&Kind::String, &json!({"a": 1})).is_err());
    assert!(cast(&Kind::String, &json!("a\0b")).is_err());
    assert!(cast(&Kind::String, &json!("a".repeat(LONGEST_TEXT + 1))).is_err());
}

#[test]
fn a_file_stays_in_the_working_folder() {
    let kind = Kind::File {
        target: Some(RelativePath::file("data/names.txt").unwrap()),
    };
    let Ok(Value::File(file)) = cast(&kind, &json!("f1")) else {
        panic!("no file");
    };
    assert_eq!(file.target.as_str(), "data/names.txt");
    let given = json!({"type": "$file", "value": {"fileId": "f1", "targetPath": "user/x.py"}});
    let Ok(value) = cast(&kind, &given) else {
        panic!("no file");
    };
    assert_eq!(value.text(), "user/x.py");
    assert_eq!(value.json(), Some(given));
    for target in ["../../../x", "/etc/passwd", "a/../../b", "", "-rf"] {
        let given = json!({"fileId": "f1", "targetPath": target});
        assert!(
            refused(&kind, &given).to_lowercase().contains("path"),
            "{target}"
        );
    }
    for given in [
        json!(""),
        json!(7),
        json!({}),
        json!({"type": "$dir"}),
        json!("a b"),
    ] {
        assert!(refused(&kind, &given).contains("no file"));
    }
    assert!(refused(&Kind::File { target: None }, &json!("f1")).contains("targetPath"));
}

#[test]
fn what_is_nested_is_told_with_its_place() {
    let range = Some("[0,1]".parse().unwrap());
    let weights = Kind::List {
        para: Box::new(parameter("weight", Kind::Float { range })),
    };
    let flaws = cast(&weights, &json!([0.5, 2, "x"])).unwrap_err();
    let paths: Vec<_> = flaws.iter().map(|flaw| flaw.path.as_str()).collect();
    assert_eq!(paths, ["[1]", "[2]"]);
    let mut optional = parameter("b", Kind::String);
    optional.is_required = false;
    let record = Kind::Record {
        fields: vec![parameter("a", weights), optional],
    };
    let given = json!([{"name": "a", "value": [1]}, {"name": "c", "value": 1}]);
    assert_eq!(refused(&record, &given), ".c: there is no such field");
    assert_eq!(
        refused(&record, &json!({"b": "x"})),
        ".a: the field is missing"
    );
    assert!(refused(&record, &json!({"a": [0, 3]})).starts_with(".a[1]: "));
    assert!(cast(&record, &json!({"a": [], "b": null})).is_ok());
    assert!(refused(&record, &json!("x")).contains("no record"));
}

#[test]
fn a_choice_is_exact() {
    let choice = |value: Json| Choice {
        name: "n".into(),
        value,
        is_default: false,
    };
    let kind = Kind::Select {
        values: vec![choice(json!("sh")), choice(json!(3)), choice(json!(true))],
    };
    assert_eq!(cast(&kind, &json!(3.0)), Ok(Value::Int(3)));
    assert_eq!(cast(&kind, &json!(true)), Ok(Value::Bool(true)));
    for given in [
        json!("3"),
        json!(1),
        json!("perl"),
        json!(null),
        json!("SH"),
    ] {
        assert!(refused(&kind, &given).contains("none of"));
    }
}
