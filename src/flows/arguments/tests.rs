use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::flows::template::{Choices, read};

fn template() -> Template {
    let folder = tempfile::tempdir().unwrap();
    let specification = json!({
        "workflow": {
            "files": {"outputs": ["out/result.txt"]},
            "parameters": {"s": "$[[s]]"},
            "steps": [
                {"name": "given", "action": "$[[step]]"},
                {"name": "a", "action": {"environment": "sh", "commands": ["cat ${s}"]}},
            ],
        },
        "parameters": [
            {"name": "s", "dtype": "string", "defaultValue": "x"},
            {"name": "n", "dtype": "int", "range": "[0,10)"},
            {"name": "f", "dtype": "bool", "isRequired": false},
            {"name": "file", "dtype": "file", "target": "in/file.txt", "isRequired": false},
            {"name": "other", "dtype": "file", "isRequired": false},
            {"name": "data", "dtype": "file", "defaultValue": "data.txt"},
            {"name": "step", "dtype": "actor", "isRequired": false},
            {"name": "list", "dtype": "list", "isRequired": false,
             "para": {"name": "x", "dtype": "float"}},
            {"name": "record", "dtype": "record", "isRequired": false, "fields": [
                {"name": "a", "dtype": "string"},
                {"name": "b", "dtype": "float", "defaultValue": 1},
            ]},
        ],
    });
    std::fs::write(folder.path().join("data.txt"), "x").unwrap();
    std::fs::write(
        folder.path().join("flowserv.json"),
        json!({"name": "t", "specfile": "t.json", "files": [{"source": "data.txt"}]}).to_string(),
    )
    .unwrap();
    std::fs::write(folder.path().join("t.json"), specification.to_string()).unwrap();
    let reading = read(folder.path(), &Choices::default());
    reading
        .template
        .unwrap_or_else(|| panic!("{:?}", reading.problems))
}

fn given(given: &Json) -> Vec<Argument> {
    let argument = |(name, value): (&String, &Json)| Argument {
        name: name.clone(),
        value: value.clone(),
    };
    given.as_object().unwrap().iter().map(argument).collect()
}

fn refused(template: &Template, arguments: &Json) -> Vec<(ArgumentCode, String, String)> {
    let problems = check(template, &[], &given(arguments)).unwrap_err();
    let parts = |it: ArgumentProblem| (it.code, it.parameter, it.message);
    problems.into_iter().map(parts).collect()
}

#[test]
fn defaults_are_filled_in() {
    let template = template();
    let arguments = check(&template, &[], &given(&json!({"n": 3, "other": null}))).unwrap();
    let text = |name| arguments.get(name).map(Value::text);
    assert_eq!(text("s").as_deref(), Some("x"));
    assert_eq!(text("data").as_deref(), Some("data.txt"));
    assert_eq!(arguments.get("f"), None);
    assert_eq!(arguments.uploads(), []);
    assert_eq!(arguments.given(), given(&json!({"n": 3})));
}

#[test]
fn each_parameter_has_one_message() {
    let template = template();
    let found = refused(
        &template,
        &json!({"s": [], "f": "maybe", "list": [1, "a", "b"], "record": {"b": "x"}, "y": 1}),
    );
    let found: Vec<_> = found
        .iter()
        .map(|(code, name, _)| (*code, name.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (ArgumentCode::InvalidArgument, "s"),
            (ArgumentCode::MissingArgument, "n"),
            (ArgumentCode::InvalidArgument, "f"),
            (ArgumentCode::InvalidArgument, "list"),
            (ArgumentCode::InvalidArgument, "record"),
            (ArgumentCode::UnknownParameter, "y"),
        ]
    );
    let message = &refused(&template, &json!({"n": 1, "list": [1, "a", "b"]}))[0].2;
    assert_eq!(message, "[1]: \"a\" is no number; [2]: \"b\" is no number");
    assert_eq!(
        refused(&template, &json!({"n": 10}))[0].2,
        "10 is not in [0.0,10.0)"
    );
    let mut twice = given(&json!({"n": 1}));
    twice.extend(given(&json!({"n": 2})));
    let problems = check(&template, &[], &twice).unwrap_err();
    assert_eq!(problems[0].code, ArgumentCode::DuplicateArgument);
    assert_eq!(problems.len(), 1);
}

#[test]
fn files_stay_where_they_may_be() {
    let template = template();
    let at = |target: &str| json!({"n": 1, "file": {"fileId": "f", "targetPath": target}});
    for target in [
        "../../../x",
        "/etc/passwd",
        "data.txt",
        "data.txt/x",
        "out/result.txt",
        "out",
    ] {
        let found = refused(&template, &at(target));
        assert_eq!(found.len(), 1, "{target}");
        assert_eq!(found[0].0, ArgumentCode::InvalidArgument);
        assert_eq!(found[0].1, "file");
    }
    let arguments = check(&template, &[], &given(&at("user/x"))).unwrap();
    let uploads = arguments.uploads();
    assert_eq!(uploads.len(), 1);
    assert_eq!(
        (uploads[0].upload.as_str(), uploads[0].target.as_str()),
        ("f", "user/x")
    );
    // The template says that an upload takes the place of its file.
    let arguments = check(&template, &[], &given(&json!({"n": 1, "data": "f"}))).unwrap();
    assert_eq!(arguments.uploads()[0].target.as_str(), "data.txt");
    let both = json!({"n": 1, "file": "f", "other": {"fileId": "g", "targetPath": "in/file.txt"}});
    assert_eq!(refused(&template, &both).len(), 1);
    let found = refused(&template, &json!({"n": 1, "other": "f"}));
    assert!(found[0].2.contains("targetPath"));
}

#[test]
fn a_step_that_is_given_is_checked() {
    let template = template();
    let step =
        |command: &str| json!({"n": 1, "step": {"environment": "sh", "commands": [command]}});
    assert!(check(&template, &[], &given(&step("echo ${s} $[[n]]"))).is_ok());
    for (command, said) in [
        ("echo $[[nothing]]", "no value"),
        ("echo $[[step]]", "no value"),
        ("echo 'x", "quote"),
        ("echo $$((${s}))", "((…))"),
    ] {
        let found = refused(&template, &step(command));
        assert!(found[0].2.contains(said), "{command}: {found:?}");
    }
    assert!(
        refused(&template, &json!({"n": 1, "step": "rm -rf /"}))[0]
            .2
            .contains("no step")
    );
}

#[test]
fn arguments_have_a_largest_size() {
    let template = template();
    let long = vec![0.123_456_789_012_34; 10_000];
    assert!(check(&template, &[], &given(&json!({"n": 1, "list": long}))).is_ok());
    let longer = vec![0; 10_001];
    assert!(
        refused(&template, &json!({"n": 1, "list": longer}))[0]
            .2
            .contains("10000 items")
    );
    let own: Vec<Parameter> = (0..5)
        .map(|index| Parameter {
            name: format!("own{index}"),
            index: 0,
            ..template.parameters[0].clone()
        })
        .collect();
    assert_eq!(check_own_parameters(&template, &own), Ok(()));
    let mut arguments = json!({"n": 1});
    for parameter in &own {
        arguments[&parameter.name] = json!("x".repeat(60_000));
    }
    let problems = check(&template, &own, &given(&arguments)).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("together"));
    let twice = [template.parameters[0].clone()];
    assert_eq!(
        check_own_parameters(&template, &twice),
        Err(vec!["s".to_owned()])
    );
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "([a-z0-9./ -]|\\PC|inf|true|\\$file){0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("type"),
            Just("value"),
            Just("fileId"),
            Just("targetPath"),
            Just("name"),
            Just("environment"),
            Just("commands"),
            Just("a"),
            Just("b"),
            Just("notebook"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    /// Whatever is given is checked or refused; and what was found right is found the same once more.
    #[test]
    fn any_argument_is_checked(
        name in prop::sample::select(vec![
            "s", "n", "f", "file", "other", "data", "step", "list", "record", "none",
        ]),
        value in json_value(),
    ) {
        thread_local!(static TEMPLATE: Template = template());
        TEMPLATE.with(|template| {
            let mut given = given(&json!({"n": 1}));
            given.retain(|it| it.name != name);
            given.push(Argument { name: name.to_owned(), value });
            if let Ok(arguments) = check(template, &[], &given) {
                let again = check(template, &[], &arguments.given());
                prop_assert_eq!(again, Ok(arguments));
            }
            Ok(())
        })?;
    }
}
