use std::process::Command as Process;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::flows::arguments::{self, Argument};
use crate::flows::template::{Choices, Template, read};

/// A template with one step that has this command, a string `s`, an optional string `o`, and a bool `f`.
fn template(command: &str) -> Template {
    let folder = tempfile::tempdir().unwrap();
    let specification = json!({
        "workflow": {
            "parameters": {
                "s": "$[[s]]", "o": "$[[o]]", "flag": "$[[f ? --yes -v]]", "words": "one two",
            },
            "steps": [{"name": "a", "action": {"environment": "sh", "commands": [command]}}],
        },
        "parameters": [
            {"name": "s", "dtype": "string"},
            {"name": "o", "dtype": "string", "isRequired": false},
            {"name": "f", "dtype": "bool", "defaultValue": false},
        ],
    });
    let write = |name: &str, content: &Json| {
        std::fs::write(folder.path().join(name), content.to_string()).unwrap();
    };
    write(
        "flowserv.json",
        &json!({"name": "t", "specfile": "t.json", "files": []}),
    );
    write("t.json", &specification);
    let reading = read(folder.path(), &Choices::default());
    reading
        .template
        .unwrap_or_else(|| panic!("{command}: {:?}", reading.problems))
}

fn run(command: &str, given: &Json) -> RunCommands {
    let template = template(command);
    let given: Vec<Argument> = given
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| Argument {
            name: name.clone(),
            value: value.clone(),
        })
        .collect();
    let arguments = arguments::check(&template, &[], &given).unwrap();
    let worker = WORKER_VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    of_run(&template.workflow, &arguments, &worker.into())
}

fn first(run: &RunCommands) -> &Command {
    &run.steps[0].commands.as_ref().unwrap()[0]
}

/// What a shell writes.
fn output(script: &str, environment: &BTreeMap<String, String>) -> String {
    let output = Process::new("/bin/sh")
        .args(["-c", script])
        .env_clear()
        .envs(environment)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn values_are_put_in_by_their_quotes() {
    let run = run(
        "x ${s} \"${s}\" '${s}' ${words} ${python} $[[s]] $[[f ? a : b]] ${flag}",
        &json!({"s": "it's $HOME"}),
    );
    let command = first(&run);
    assert_eq!(
        command.script,
        "x ${FLOW_s+\"${FLOW_s}\"} \"${FLOW_s}\" ''\"${FLOW_s}\"'' ${FLOW_words} ${FLOW_python} \
         ${ARG_s+\"${ARG_s}\"} b ${FLOW_flag}"
    );
    assert_eq!(
        command.shown,
        "x 'it'\\''s $HOME' \"it's \\$HOME\" 'it'\\''s $HOME' one two python3 'it'\\''s $HOME' b "
    );
    let environment: Vec<_> = run
        .environment
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(
        environment,
        [
            "ARG_f=False",
            "ARG_s=it's $HOME",
            "FLOW_java=java",
            "FLOW_python=python3",
            "FLOW_s=it's $HOME",
            "FLOW_words=one two",
        ]
    );
}

#[test]
fn what_is_missing_is_no_word() {
    let command = "printf '[%s]' ${o} ${flag} ${words} \"${o}\"";
    let run_of = |given: Json| {
        let run = run(command, &given);
        output(&first(&run).script, &run.environment)
    };
    assert_eq!(run_of(json!({"s": "x"})), "[one][two][]");
    assert_eq!(
        run_of(json!({"s": "x", "f": true})),
        "[--yes][-v][one][two][]"
    );
    assert_eq!(run_of(json!({"s": "x", "o": ""})), "[][one][two][]");
}

#[test]
fn a_step_ends_with_its_first_failure() {
    let mut commands = run("echo one; exit 3", &json!({"s": "x"}));
    let more = commands.steps[0].commands.as_mut().unwrap();
    more.push(Command {
        script: "echo two".into(),
        shown: String::new(),
    });
    let script = commands.steps[0].script().unwrap();
    assert_eq!(
        output(&format!("{script} echo three"), &commands.environment),
        "one\n"
    );
    let ended = Process::new("/bin/sh").args(["-c", &script]).output();
    assert_eq!(ended.unwrap().status.code(), Some(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever text somebody gives, wherever the command has it, it arrives as it is, and nothing of it is run.
    #[test]
    fn no_value_is_read_by_the_shell(
        value in r#"("; |'|`|\$\(echo x\)|\$\{IFS\}|\\|\*|\n|[a-z "$;&|<>#!~{}\[\]]|\PC){1,20}"#
    ) {
        let run = run(
            "printf '%s\\0' ${s} \"${s}\" '${s}' -${s}- \"$(printf '%s' \"${s}\")\" $[[s]]",
            &json!({"s": value}),
        );
        let text = output(&first(&run).script, &run.environment);
        let parts: Vec<&str> = text.split_terminator('\0').collect();
        let captured = value.trim_end_matches('\n');
        let dashed = format!("-{value}-");
        prop_assert_eq!(&parts, &[&value, &value, &value, &dashed, captured, &value]);
        // What is shown means the same.
        let shown = output(&first(&run).shown, &BTreeMap::new());
        prop_assert_eq!(shown, text);
    }
}
