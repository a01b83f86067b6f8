//! Templates that are wrong, and templates that mean harm: each fault is told with its place, and nothing outside of the
//! folder is read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use labql::flows::template::path::RelativePath;
use labql::flows::template::problem::{Problem, Severity};
use labql::flows::template::{Choices, Reading, read};
use proptest::prelude::*;
use tempfile::TempDir;

const MANIFEST: &str = "name: t\nspecfile: t.yaml\nfiles: [{source: code}]\n";

const TEMPLATE: &str = "\
workflow:
  files: {inputs: [code/a.sh, '$[[f]]'], outputs: [out/a.json]}
  parameters:
    s: $[[s]]
    flag: '$[[b ? -v : -q]]'
  steps:
    - name: one
      files: {outputs: [out/a.json]}
      action:
        environment: sh
        commands:
          - sh code/a.sh ${flag} \"${s}\"
parameters:
  - {name: f, dtype: file, target: in/f.txt}
  - {name: s, dtype: string}
  - {name: b, dtype: bool, defaultValue: false}
results:
  file: out/a.json
  schema:
    - {name: x, label: X, dtype: float}
";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = [
        ("flowserv.yaml", MANIFEST),
        ("code/a.sh", "true\n"),
        ("t.yaml", TEMPLATE),
    ];
    for (name, content) in base.iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn read_files(files: &[(&str, &str)]) -> Reading {
    read(folder(files).path(), &Choices::default())
}

/// What is told of the template when a text in it is another one: `file:line: path: CODE`.
fn told(text: &str, other: &str) -> Vec<String> {
    assert!(TEMPLATE.contains(text), "{text}");
    brief(&read_files(&[(
        "t.yaml",
        &TEMPLATE.replacen(text, other, 1),
    )]))
}

fn brief(reading: &Reading) -> Vec<String> {
    let has_error = reading
        .problems
        .iter()
        .any(|it| it.severity == Severity::Error);
    assert_eq!(reading.template.is_none(), has_error);
    let problem = |it: &Problem| {
        let line = it.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {}: {}", it.file, it.path, it.code.as_str())
    };
    reading.problems.iter().map(problem).collect()
}

#[test]
fn the_template_of_these_tests_is_right() {
    assert_eq!(brief(&read_files(&[])), [""; 0]);
}

#[test]
fn each_fault_has_its_place() {
    for (text, other, problem) in [
        ("workflow:\n", "flow:\n", "t.yaml:1: : MISSING_KEY"),
        (
            "code/a.sh, '",
            "code/b.sh, '",
            "t.yaml:2: workflow.files.inputs[0]: UNKNOWN_FILE",
        ),
        (
            "'$[[f]]'",
            "'$[[s]]'",
            "t.yaml:2: workflow.files.inputs[1]: INVALID_REFERENCE",
        ),
        (
            "'$[[f]]'",
            "'in/$[[s]].txt'",
            "t.yaml:2: workflow.files.inputs[1]: INVALID_REFERENCE",
        ),
        (
            "'$[[f]]'",
            "../f",
            "t.yaml:2: workflow.files.inputs[1]: UNSAFE_PATH",
        ),
        (
            "outputs: [out/a.json]}\n  par",
            "outputs: [out/]}\n  par",
            "t.yaml:2: workflow.files.outputs[0]: UNSAFE_PATH",
        ),
        (
            "outputs: [out/a.json]}\n  par",
            "outputs: [out/a.json, b]}\n  par",
            "t.yaml:2: workflow.files.outputs[1]: MISSING_OUTPUT",
        ),
        (
            "s: $[[s]]",
            "s: $[[t]]",
            "t.yaml:4: workflow.parameters.s: UNKNOWN_PARAMETER",
        ),
        (
            "s: $[[s]]",
            "s: a $[[s]]",
            "t.yaml:4: workflow.parameters.s: INVALID_REFERENCE",
        ),
        (
            "s: $[[s]]",
            "s-t: $[[s]]",
            "t.yaml:4: workflow.parameters.s-t: INVALID_VALUE",
        ),
        (
            "s: $[[s]]",
            "s: [1]",
            "t.yaml:4: workflow.parameters.s: WRONG_TYPE",
        ),
        (
            "$[[b ? -v : -q]]",
            "$[[f ? -v : -q]]",
            "t.yaml:5: workflow.parameters.flag: INVALID_REFERENCE",
        ),
        (
            "name: one",
            "nome: one",
            "t.yaml:7: workflow.steps[0]: MISSING_KEY",
        ),
        (
            "environment: sh",
            "environment: [sh]",
            "t.yaml:10: workflow.steps[0].action.environment: WRONG_TYPE",
        ),
        (
            "environment: sh",
            "func: os.system",
            "t.yaml:10: workflow.steps[0].action: UNSUPPORTED_STEP",
        ),
        (
            "\"${s}\"",
            "\"${s}",
            "t.yaml:12: workflow.steps[0].action.commands[0]: INVALID_REFERENCE",
        ),
        (
            "\"${s}\"",
            "$[[zz]] \"${s}\"",
            "t.yaml:12: workflow.steps[0].action.commands[0]: UNKNOWN_PARAMETER",
        ),
        (
            "\"${s}\"",
            "${zz} \"${s}\"",
            "t.yaml:12: workflow.steps[0].action.commands[0]: UNKNOWN_VARIABLE",
        ),
        (
            "dtype: file",
            "dtype: folder",
            "t.yaml:14: parameters[0].dtype: INVALID_VALUE",
        ),
        (
            "in/f.txt",
            "../../../f.txt",
            "t.yaml:14: parameters[0].target: UNSAFE_PATH",
        ),
        (
            "dtype: string",
            "dtype: string, size: 3",
            "t.yaml:15: parameters[1].size: UNKNOWN_KEY",
        ),
        (
            "dtype: string",
            "dtype: int, range: '[2,1]'",
            "t.yaml:15: parameters[1].range: INVALID_VALUE",
        ),
        (
            "dtype: string",
            "dtype: int, defaultValue: x",
            "t.yaml:15: parameters[1].defaultValue: INVALID_VALUE",
        ),
        (
            "dtype: string",
            "dtype: select, values: []",
            "t.yaml:15: parameters[1].values: INVALID_VALUE",
        ),
        (
            "dtype: string",
            "dtype: list",
            "t.yaml:15: parameters[1]: MISSING_KEY",
        ),
        (
            "dtype: string",
            "dtype: actor",
            "t.yaml:4: workflow.parameters.s: INVALID_REFERENCE",
        ),
        (
            "dtype: string",
            "dtype: string, group: g",
            "t.yaml:15: parameters[1].group: UNKNOWN_GROUP",
        ),
        (
            "name: s,",
            "name: s, name: s,",
            "t.yaml:15: parameters[1].name: DUPLICATE",
        ),
        (
            "name: b,",
            "name: s,",
            "t.yaml:16: parameters[2]: DUPLICATE",
        ),
        (
            "defaultValue: false",
            "isRequired: nope",
            "t.yaml:16: parameters[2].isRequired: WRONG_TYPE",
        ),
        (
            "file: out/a.json",
            "file: out/b.json",
            "t.yaml:18: results.file: MISSING_OUTPUT",
        ),
        (
            "dtype: float",
            "dtype: bool",
            "t.yaml:20: results.schema[0].dtype: INVALID_VALUE",
        ),
        (
            "results:",
            "rezults: {}\nresults:",
            "t.yaml:17: rezults: UNKNOWN_KEY",
        ),
        (
            "results:",
            "outputs: [{source: x, format: csv}]\nresults:",
            "t.yaml:17: outputs[0].format: WRONG_TYPE",
        ),
        (
            "    - {name: x",
            "    - {name: x, label: X, dtype: int}\n    - {name: x",
            "t.yaml:21: results.schema[1]: DUPLICATE",
        ),
        (
            "      action",
            "      retry: {limit: 2}\n      action",
            "t.yaml:9: workflow.steps[0].retry: INVALID_VALUE",
        ),
        (
            "      action",
            "      limits: {memory: 2}\n      action",
            "t.yaml:9: workflow.steps[0].limits.memory: UNKNOWN_KEY",
        ),
    ] {
        let problems = told(text, other);
        assert!(
            problems.contains(&problem.to_owned()),
            "{other:?}: {problems:?}"
        );
    }
}

/// All faults are told at once, not only the first.
#[test]
fn faults_are_told_together() {
    let text = TEMPLATE
        .replace("s: $[[s]]", "s: $[[t]]")
        .replace("dtype: file", "dtype: folder")
        .replace("label: X", "title: X");
    let problems = brief(&read_files(&[("t.yaml", &text)]));
    for code in [
        "UNKNOWN_PARAMETER",
        "INVALID_VALUE",
        "MISSING_KEY",
        "UNKNOWN_KEY",
    ] {
        assert!(
            problems.iter().any(|it| it.ends_with(code)),
            "{code}: {problems:?}"
        );
    }
    let many = "  - 7\n".repeat(300);
    let text = TEMPLATE.replace(
        "parameters:\n  - {name: f",
        &format!("parameters:\n{many}  - {{name: f"),
    );
    let reading = read_files(&[("t.yaml", &text)]);
    assert_eq!(reading.problems.len(), 101);
    assert_eq!(reading.problems[100].code.as_str(), "TOO_MANY_PROBLEMS");
}

#[test]
fn manifests_are_checked() {
    for (manifest, problem) in [
        ("name: t\n", "flowserv.yaml:1: : MISSING_KEY"),
        ("specfile: t.yaml\n", "flowserv.yaml:1: : MISSING_KEY"),
        (
            "name: t\nspecfile: ../t.yaml\n",
            "flowserv.yaml:2: specfile: UNSAFE_PATH",
        ),
        (
            "name: t\nspecfile: /etc/passwd\n",
            "flowserv.yaml:2: specfile: UNSAFE_PATH",
        ),
        (
            "name: t\nspecfile: no.yaml\n",
            "flowserv.yaml:2: specfile: UNREADABLE_FILE",
        ),
        (
            "name: t\nspecfile: code/a.sh\n",
            "flowserv.yaml:2: specfile: INVALID_VALUE",
        ),
        (
            "name: t\nspecfile: t.yaml\nversion: 1\n",
            "flowserv.yaml:3: version: UNKNOWN_KEY",
        ),
        (
            "name: t\nspecfile: t.yaml\nfiles: [{source: no}]\n",
            "flowserv.yaml:3: files[0]: UNREADABLE_FILE",
        ),
        (
            "name: t\nspecfile: t.yaml\nfiles: [{source: ..}]\n",
            "flowserv.yaml:3: files[0].source: UNSAFE_PATH",
        ),
        (
            "name: t\nspecfile: t.yaml\nfiles: [{source: code, target: ../x}]\n",
            "flowserv.yaml:3: files[0].target: UNSAFE_PATH",
        ),
        ("name: [\n", "flowserv.yaml:2: : SYNTAX"),
        ("- a\n", "flowserv.yaml:1: : WRONG_TYPE"),
    ] {
        let problems = brief(&read_files(&[("flowserv.yaml", manifest)]));
        assert!(
            problems.contains(&problem.to_owned()),
            "{manifest:?}: {problems:?}"
        );
    }
    let empty = tempfile::tempdir().unwrap();
    let reading = read(empty.path(), &Choices::default());
    assert_eq!(brief(&reading), ["flowserv.yaml: : UNREADABLE_FILE"]);
    assert!(
        read(Path::new("/no/such/folder"), &Choices::default())
            .template
            .is_none()
    );
}

/// The caller's choices count for more than the manifest, and may stand in for it.
#[test]
fn the_caller_may_choose() {
    let folder = folder(&[
        ("i.md", "A {{code/b.md}}\n"),
        ("code/b.md", "B {{c.md}}"),
        ("code/c.md", "C\n"),
    ]);
    let path = |path: &str| Some(RelativePath::file(path).unwrap());
    let choices = Choices {
        name: Some("other".into()),
        instructions: path("i.md"),
        ..Choices::default()
    };
    let template = read(folder.path(), &choices).template.unwrap();
    assert_eq!(template.name, "other");
    assert_eq!(template.instructions.as_deref(), Some("A B C"));
    fs::remove_file(folder.path().join("flowserv.yaml")).unwrap();
    let choices = Choices {
        specification: path("t.yaml"),
        ..choices
    };
    let template = read(folder.path(), &choices).template.unwrap();
    let files: Vec<&str> = template.files.iter().map(|it| it.target.as_str()).collect();
    assert_eq!(
        files,
        ["code/a.sh", "code/b.md", "code/c.md", "i.md", "t.yaml"]
    );
}

#[test]
fn documents_include_others() {
    let text = TEMPLATE.replace("  - {name: s, dtype: string}", "  - !include para/s.yaml");
    let s = "name: s\ndtype: !include para/dtype.json\nhelp: !include para/help.txt\n";
    let files = |s: &str| {
        let files = [
            ("t.yaml", text.as_str()),
            ("para/s.yaml", s),
            ("para/dtype.json", "\"string\""),
            ("para/help.txt", "Help"),
        ];
        read_files(&files)
    };
    let template = files(s).template.unwrap();
    assert_eq!(template.parameters[1].help.as_deref(), Some("Help"));
    // A fault is told where it is written.
    assert_eq!(
        brief(&files("name: s\ndtype: text\n"))[0],
        "para/s.yaml:2: dtype: INVALID_VALUE"
    );
    for (s, problem) in [
        ("!include para/s.yaml", "para/s.yaml:1: : INVALID_VALUE"),
        ("!include ../x.yaml", "para/s.yaml:1: : UNSAFE_PATH"),
        ("!include /etc/passwd", "para/s.yaml:1: : UNSAFE_PATH"),
        ("!include no.yaml", "para/s.yaml:1: : UNREADABLE_FILE"),
        ("!include [a]", "para/s.yaml:1: : WRONG_TYPE"),
        ("name: {", "para/s.yaml:2: : SYNTAX"),
    ] {
        let problems = brief(&files(s));
        assert!(
            problems.contains(&problem.to_owned()),
            "{s:?}: {problems:?}"
        );
    }
    let json = r#"{"name": "s", "dtype": {"!include": "para/dtype.json"}}"#;
    let text = text.replace("para/s.yaml", "para/s.json");
    let reading = read_files(&[
        ("t.yaml", &text),
        ("para/s.json", json),
        ("para/dtype.json", "\"string\""),
    ]);
    assert!(reading.template.is_some(), "{:?}", reading.problems);
}

#[test]
fn mappings_are_merged() {
    let text = TEMPLATE
        .replace("- {name: f, dtype: file,", "- &p {name: f, dtype: file,")
        .replace(
            "{name: s, dtype: string}",
            "{<<: *p, name: s, dtype: string, target: null}",
        );
    let reading = read_files(&[("t.yaml", &text)]);
    // A string has no target, not even none.
    assert_eq!(
        brief(&reading),
        ["t.yaml:15: parameters[1].target: UNKNOWN_KEY"]
    );
    let text = text
        .replace(", target: null", "")
        .replace("dtype: file, target: in/f.txt", "dtype: file");
    assert_eq!(brief(&read_files(&[("t.yaml", &text)])), [""; 0]);
}

/// What lies outside is not read, by whatever link.
#[test]
fn links_are_not_followed() {
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("x.yaml"), "name: secret\n").unwrap();
    let outside = secret.path().join("x.yaml");
    for (link, target) in [
        ("code/link", outside.as_path()),
        ("code/folder", secret.path()),
        ("code/up", Path::new("..")),
        ("code/none", Path::new("/no/such/file")),
    ] {
        let folder = folder(&[]);
        symlink(target, folder.path().join(link)).unwrap();
        let problems = brief(&read(folder.path(), &Choices::default()));
        assert_eq!(
            problems[0], "flowserv.yaml:3: files[0]: UNREADABLE_FILE",
            "{link}"
        );
    }
    for name in ["t.yaml", "flowserv.yaml", "code"] {
        let folder = folder(&[]);
        let path = folder.path().join(name);
        let moved = secret.path().join(format!("moved-{name}"));
        fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        let reading = read(folder.path(), &Choices::default());
        assert!(reading.template.is_none(), "{name}");
        let message = &reading.problems[0].message;
        assert!(message.contains("link"), "{name}: {message}");
    }
    let folder = folder(&[("flowserv.yaml", "name: t\nspecfile: in/t.yaml\n")]);
    symlink(secret.path(), folder.path().join("in")).unwrap();
    assert!(read(folder.path(), &Choices::default()).template.is_none());
}

/// Bombs and giants are refused in little time.
#[test]
fn what_is_too_large_is_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in [
        ("b", "a"),
        ("c", "b"),
        ("d", "c"),
        ("e", "d"),
        ("f", "e"),
        ("g", "f"),
    ] {
        let items = vec![format!("*{of}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{items}]\n"));
    }
    let deep = format!("workflow: {}1{}", "[".repeat(400), "]".repeat(400));
    let json = format!(
        "{{\"workflow\": {}1{}}}",
        "[".repeat(4000),
        "]".repeat(4000)
    );
    let long = format!("# {}\n{TEMPLATE}", "x".repeat(300_000));
    let chain: Vec<(String, String)> = (0..30)
        .map(|index| {
            (
                format!("c{index}.yaml"),
                format!(
                    "- !include c{}.yaml\n- !include c{}.yaml\n",
                    index + 1,
                    index + 1
                ),
            )
        })
        .collect();
    for text in [
        bomb.as_str(),
        &deep,
        &long,
        "!include c0.yaml",
        "\0",
        "a: \u{feff}",
    ] {
        let mut files = vec![("t.yaml", text)];
        files.extend(
            chain
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str())),
        );
        let reading = read_files(&files);
        assert!(reading.template.is_none());
    }
    let manifest = "name: t\nspecfile: t.json\nfiles: [{source: code}]\n";
    let reading = read_files(&[("flowserv.yaml", manifest), ("t.json", &json)]);
    assert_eq!(brief(&reading), ["t.json:1: : SYNTAX"]);
}

/// Every kind of parameter is read, and written as it was.
#[test]
fn all_kinds_are_read() {
    let kinds = "
  - {name: p1, dtype: int, range: '(0,]', label: L, help: H, defaultValue: 3}
  - {name: p2, dtype: float, range: '[,1.5)', isRequired: false}
  - {name: p3, dtype: select, values: [{name: A, value: a}, {name: B, value: 2, isDefault: true}]}
  - {name: p4, dtype: list, para: {name: q, dtype: record, fields: [{name: r, dtype: bool}]}}
  - {name: p5, dtype: record, fields: [{name: r, dtype: file, target: x}, {name: t, dtype: string, defaultValue: null}]}
  - {name: p6, dtype: actor, isRequired: false}
results:";
    let text = TEMPLATE.replace("\nresults:", kinds);
    let reading = read_files(&[("t.yaml", &text)]);
    assert!(
        brief(&reading)
            .iter()
            .all(|it| it.ends_with("UNUSED_PARAMETER"))
    );
    let template = reading.template.unwrap();
    let json = serde_json::to_value(&template.parameters).unwrap();
    assert_eq!(json[3]["range"], "(0.0,inf]");
    assert_eq!(json[3]["isRequired"], false);
    assert_eq!(json[5]["values"][1]["isDefault"], true);
    assert_eq!(json[6]["para"]["fields"][0]["dtype"], "bool");
    assert_eq!(json[7]["fields"][1]["isRequired"], false);
    let back: Vec<labql::flows::parameters::Parameter> = serde_json::from_value(json).unwrap();
    assert_eq!(back, template.parameters);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any text in the place of any line is read or refused, and a template that has an error is none.
    #[test]
    fn any_template_is_read_or_refused(
        line in 0_usize..20,
        text in r##"([ \-:\[\]{},&*!'"#|>$?a-z0-9]|: |- |<<|!include |\$\[\[|\PC){0,40}"##,
        keep in any::<bool>(),
    ) {
        let mut lines: Vec<String> = TEMPLATE.lines().map(str::to_owned).collect();
        let indent: String = lines[line].chars().take_while(|c| *c == ' ').collect();
        if keep {
            lines[line].push_str(&text);
        } else {
            lines[line] = format!("{indent}{text}");
        }
        let reading = read_files(&[("t.yaml", &lines.join("\n"))]);
        brief(&reading);
    }

    /// Any bytes as a manifest.
    #[test]
    fn any_manifest_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let folder = folder(&[]);
        fs::write(folder.path().join("flowserv.yaml"), bytes).unwrap();
        brief(&read(folder.path(), &Choices::default()));
    }
}
