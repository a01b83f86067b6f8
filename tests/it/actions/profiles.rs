//! A profile that cannot work is told when labql starts.

use std::fs;

use labql::config::Config;

use super::probe::text;

/// What is wrong with a configuration; nothing if it can be used.
fn fault(toml: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labql.toml");
    fs::write(&file, toml).expect("a file");
    match Config::load(Some(&file)) {
        Ok(config) => config
            .actions
            .validate()
            .map_or_else(|error| error.to_string(), |()| String::new()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn profiles_that_can_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("bin")).expect("a folder");
    fs::write(folder.path().join("known_hosts"), "").expect("a file");
    let folder = text(folder.path());
    let toml = format!(
        r#"
        [actions]
        enabled = ["RUN", "STOP", "CREATE", "CREATE_JOB_LIST", "SET_STATUS", "DESCRIBE"]
        [actions.profiles.here]
        [actions.profiles.conda]
        environment = {{ conda = "autosubmit-4.1" }}
        [actions.profiles.prefix]
        environment = {{ conda = "/opt/conda/envs/as" }}
        [actions.profiles.venv]
        place = "local"
        environment = {{ venv = "{folder}" }}
        users = ["ada"]
        [actions.profiles.login-node]
        place = {{ ssh = {{ host = "login.example.org", user = "esm", known_hosts = "{folder}/known_hosts" }} }}
        environment = {{ modules = ["autosubmit/4.1", "python"] }}
        autosubmit = "/far/away/autosubmit"
        variables = {{ AUTOSUBMIT_CONFIGURATION = "/etc/autosubmitrc" }}
        time_limit_seconds = 60
        output_limit_bytes = 65536
        "#
    );
    assert_eq!(fault(&toml), "");
    assert_eq!(fault(""), "");
}

#[test]
fn profiles_that_cannot_work_say_why() {
    let cases = [
        (
            "[actions]\nenabled = [\"RUN\"]",
            "actions.profiles: there is none, so nothing that is enabled could be done",
        ),
        (
            "environment = { venv = \"envs/as\" }",
            "actions.profiles.p.environment.venv: it is the absolute folder of a virtual environment",
        ),
        (
            "environment = { venv = \"/nowhere/as\" }",
            "actions.profiles.p.environment.venv: there is no folder /nowhere/as/bin",
        ),
        (
            "environment = { modules = [] }",
            "actions.profiles.p.environment.modules: which modules? It is a list of names",
        ),
        (
            "environment = { conda = \"-x\" }",
            "actions.profiles.p.environment.conda: it is the name of an environment, or its absolute folder",
        ),
        (
            "autosubmit = \"bin/autosubmit\"",
            "actions.profiles.p.autosubmit: it is a name, or an absolute path",
        ),
        (
            "autosubmit = \"/nowhere/autosubmit\"",
            "actions.profiles.p.autosubmit: there is no file /nowhere/autosubmit",
        ),
        (
            "variables = { \"A-B\" = \"x\" }",
            "actions.profiles.p.variables.A-B: a variable's name has letters, digits and _, and begins with none of the digits",
        ),
        (
            "time_limit_seconds = 0",
            "actions.profiles.p.time_limit_seconds: it is from 1 to 604800",
        ),
        (
            "output_limit_bytes = 10",
            "actions.profiles.p.output_limit_bytes: it is from 4096 to 67108864",
        ),
        (
            "place = { ssh = { host = \"-oProxyCommand=id\", user = \"u\", known_hosts = \"/etc/passwd\" } }",
            "actions.profiles.p.place.ssh.host: it is the name or the address of a machine",
        ),
        (
            "place = { ssh = { host = \"h\", user = \"u x\", known_hosts = \"/etc/passwd\" } }",
            "actions.profiles.p.place.ssh.user: it is the name of an account",
        ),
        (
            "place = { ssh = { host = \"h\", user = \"u\", known_hosts = \"/nowhere/known_hosts\" } }",
            "actions.profiles.p.place.ssh.known_hosts: there is no file /nowhere/known_hosts",
        ),
        (
            "place = { ssh = { host = \"h\", user = \"u\", known_hosts = \"known_hosts\" } }",
            "actions.profiles.p.place.ssh.known_hosts: it is an absolute path, of letters, digits and / . _ + -",
        ),
    ];
    for (toml, expected) in cases {
        let toml = if toml.starts_with('[') {
            toml.to_owned()
        } else {
            format!("[actions.profiles.p]\n{toml}")
        };
        assert_eq!(fault(&toml), expected);
    }
    for forbidden in [" ", ";", "&", "|", "`", "$", ">", "<", "'", "\\n"] {
        let said = fault(&format!(
            "[actions.profiles.p]\nenvironment = {{ modules = [\"a{forbidden}b\"] }}"
        ));
        assert!(
            said.ends_with("is no module: a name has letters, digits and / . _ + -"),
            "{said}"
        );
    }
    assert!(
        fault("[actions]\nenabled = [\"DELETE\"]").contains("DELETE"),
        "an unknown kind"
    );
    assert!(
        fault("[actions.profiles.p]\nplace = \"moon\"").contains("moon"),
        "an unknown place"
    );
}

#[test]
fn secrets_are_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("labql.toml");
    fs::write(
        &file,
        "[actions.profiles.p]\nvariables = { TOKEN = \"hunter2\" }",
    )
    .expect("a file");
    let config = Config::load(Some(&file)).expect("a configuration");
    assert!(!format!("{config:?}").contains("hunter2"));
    let shown = toml::to_string(&config).expect("TOML");
    assert!(
        !shown.contains("hunter2") && shown.contains("TOKEN"),
        "{shown}"
    );
}
