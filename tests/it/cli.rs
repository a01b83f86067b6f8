//! The command line.

use std::fs;

use crate::support::{Lab, root};

on_both_databases!(migrations_run_both_ways, users_by_the_command_line);

/// The commands and subcommands that a help text lists, each with its description.
fn commands(help: &str) -> Vec<(String, String)> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| {
            let (name, what) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            (name.to_owned(), what.trim().to_owned())
        })
        .filter(|(name, _)| name != "help")
        .collect()
}

#[test]
fn every_command_explains_itself() {
    let lab = Lab::sqlite();
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = Vec::new();
    while let Some(command) = waiting.pop() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = lab.done(&arguments);
        for (name, what) in commands(&help) {
            assert!(!what.is_empty(), "{command:?} {name} has no description");
            waiting.push([command.clone(), vec![name]].concat());
        }
        // Below each flag or argument stands, or beside it, what it is for.
        let text = help.replace('\n', " ");
        assert!(
            text.contains("--config <FILE>") && text.contains("--data-dir <FOLDER>"),
            "{help}"
        );
        seen.push(command.join(" "));
    }
    for command in [
        "serve",
        "worker",
        "migrate up",
        "migrate down",
        "migrate status",
        "user add",
        "user list",
        "user password",
        "user disable",
        "user enable",
        "user grant",
        "token",
        "import autosubmit",
        "index",
        "dataset show",
        "dataset list",
        "dataset register",
        "schema",
        "config",
        "demo",
    ] {
        assert!(
            seen.iter().any(|known| known == command),
            "{command} is not in {seen:?}"
        );
    }
    insta::assert_snapshot!("help", lab.done(&["--help"]));
    assert!(lab.done(&["--version"]).starts_with("labql 0."));
    // Nothing of this needs or makes a database.
    assert!(!lab.data().exists());
}

#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let mut lab = Lab::sqlite();
    let file = lab.path("labql.toml");
    fs::write(
        &file,
        "listen = \"127.0.0.1:9000\"\n[auth]\nsecret = \"hunter2-hunter2-hunter2-hunter2-hunter2\"\n\
         [[auth.keys]]\nalgorithm = \"HS256\"\nsecret = \"hunter3-hunter3-hunter3-hunter3-hunter3\"\n\
         issuer = \"partner\"\naudience = \"lab\"\n[http]\nbody_limit = 1000\n\
         [datasets.buckets.lab]\nsecret_access_key = \"hunter6\"\nsession_token = \"hunter7\"\n\
         [datasets.webhook]\nsecret = \"hunter8-hunter8-hunter8\"\n",
    )
    .expect("a file");
    lab.set(
        "LABQL_DATABASE__URL",
        "postgres://labql:hunter4@db.example/lab?password=hunter5&sslmode=require",
    );
    lab.set("LABQL_LOG__FILTER", "debug");
    lab.set("LABQL_LISTEN", "127.0.0.1:9001");
    // labql.toml of the working folder, then the environment, then flags.
    let shown = lab.done(&["config", "--data-dir", "elsewhere"]);
    assert!(!shown.contains("hunter"), "{shown}");
    let shown: toml::Value = toml::from_str(&shown).expect("TOML");
    let text = |path: &[&str]| {
        let value = path.iter().fold(&shown, |value, part| &value[*part]);
        value.to_string().trim_matches('"').to_owned()
    };
    assert_eq!(
        text(&["database", "url"]),
        "postgres://labql:********@db.example/lab"
    );
    assert_eq!(text(&["auth", "secret"]), "********");
    assert_eq!(text(&["auth", "protection_level"]), "ALL");
    assert_eq!(text(&["log", "filter"]), "debug");
    assert_eq!(text(&["listen"]), "127.0.0.1:9001");
    assert_eq!(text(&["http", "body_limit"]), "1000");
    assert_eq!(text(&["data_dir"]), "elsewhere");

    // Neither does an error show one.
    let refused = lab.run(&["user", "list"]);
    assert!(
        !refused.success && !refused.stderr.contains("hunter"),
        "{refused:?}"
    );
}

#[test]
fn mistakes_are_explained() {
    let mut lab = Lab::sqlite();
    let said = |lab: &Lab, arguments: &[&str], words: &str| {
        let output = lab.run(arguments);
        assert!(!output.success, "{arguments:?}");
        assert!(
            output.stderr.contains(words),
            "{arguments:?}: {}",
            output.stderr
        );
    };
    said(
        &lab,
        &["config", "--config", "nowhere.toml"],
        "nowhere.toml does not exist",
    );
    said(
        &lab,
        &["user", "list", "--database-url", "mysql://x"],
        "sqlite: or postgres:",
    );
    said(&lab, &["token", "nobody"], "no enabled user nobody");
    said(&lab, &["user", "disable", "nobody"], "no user nobody");
    said(&lab, &["import", "autosubmit", "nowhere"], "nowhere");
    said(&lab, &["serve", "--listen", "here"], "--listen");
    let short = lab.run_with(&["user", "add", "ada"], "short\n");
    assert!(!short.success && short.stderr.contains('8'), "{short:?}");
    fs::write(lab.path("labql.toml"), "lisen = \"127.0.0.1:1\"\n").expect("a file");
    said(&lab, &["config"], "lisen");
    fs::remove_file(lab.path("labql.toml")).expect("no file");
    lab.set("LABQL_AUTH__SECRET", "short");
    lab.user("ada", &[]);
    said(&lab, &["token", "ada"], "at least 32 bytes");
    lab.set("LABQL_AUTH__PROTECTION_LEVEL", "SOME");
    said(&lab, &["config"], "SOME");
}

async fn migrations_run_both_ways(lab: Lab) {
    let status = |wanted: &str| {
        let status = lab.done(&["migrate", "status"]);
        let count = status
            .lines()
            .filter(|line| line.starts_with(wanted))
            .count();
        (count, status.lines().count())
    };
    let (pending, all) = status("pending");
    assert!(all >= 3 && pending == all);
    lab.done(&["migrate", "up"]);
    assert_eq!(status("applied"), (all, all));
    // With data in the tables, down to nothing and up again.
    root::demo(&lab.root());
    lab.user("ada", &["--admin"]);
    lab.import();
    lab.done(&["migrate", "down", "--steps", &all.to_string()]);
    assert_eq!(status("pending"), (all, all));
    lab.done(&["migrate", "up", "--steps", "1"]);
    assert_eq!(status("applied"), (1, all));

    let refused = lab.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!refused.success && refused.stdout.is_empty(), "{refused:?}");
    assert!(
        refused.stderr.contains("`labql migrate up`"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("`labql serve --migrate`"),
        "{}",
        refused.stderr
    );
    assert_eq!(status("applied"), (1, all));
    let refused = lab.run(&["user", "list"]);
    assert!(
        !refused.success && refused.stderr.contains("`labql migrate up`"),
        "{refused:?}"
    );

    let server = lab.serve_with(&["--migrate"]).await;
    assert_eq!(status("applied"), (all, all));
    assert!(server.stop().await);
    // Each one by itself, twice.
    for _ in 0..all {
        lab.done(&["migrate", "down"]);
        lab.done(&["migrate", "up", "--steps", "1"]);
        lab.done(&["migrate", "down"]);
    }
    assert_eq!(status("applied"), (0, all));
    // An empty database has nothing to lose: it is given the schema without a word.
    lab.user("ada", &[]);
    assert_eq!(status("applied"), (all, all));
    assert_eq!(lab.done(&["user", "list"]), "ada\tuser\tenabled\n");
}

#[test]
fn the_database_of_a_newer_version_is_left_alone() {
    let lab = Lab::sqlite();
    lab.done(&["migrate", "up"]);
    let database = lab.data().join("labql.db");
    root::sql(
        &database,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2099_later', 0)",
    );
    let refused = lab.run(&["serve", "--listen", "127.0.0.1:0", "--migrate"]);
    assert!(
        !refused.success && refused.stderr.contains("newer labql"),
        "{refused:?}"
    );
}

async fn users_by_the_command_line(lab: Lab) {
    lab.user(
        "ada",
        &[
            "--admin",
            "--display-name",
            "Ada",
            "--email",
            "ada@lab.example",
        ],
    );
    let again = lab.run_with(&["user", "add", "ada"], "another password\n");
    assert!(
        !again.success && again.stderr.contains("there is a user ada already"),
        "{again:?}"
    );
    lab.done(&["user", "add", "bob", "--no-password"]);
    let set = lab.run_with(&["user", "password", "bob"], "a new password\n");
    assert!(
        set.success && !set.stdout.contains("a new password"),
        "{set:?}"
    );
    lab.done(&["user", "grant", "bob", "s3://bucket", "--search"]);
    lab.done(&["user", "disable", "ada"]);
    assert_eq!(
        lab.done(&["user", "list"]),
        "ada\tadmin\tdisabled\nbob\tuser\tenabled\n"
    );
    let server = lab.serve().await.signed_in(&lab.token("bob"));
    let viewer = "{ viewer { username isAdmin grants { baseUri canSearch canRegister } } }";
    let data = server.data(viewer, serde_json::json!({})).await;
    assert_eq!(
        data["viewer"],
        serde_json::json!({ "username": "bob", "isAdmin": false, "grants": [
            { "baseUri": "s3://bucket", "canSearch": true, "canRegister": false }
        ] })
    );
    lab.done(&["user", "grant", "bob", "s3://bucket"]);
    let data = server.data(viewer, serde_json::json!({})).await;
    assert_eq!(data["viewer"]["grants"], serde_json::json!([]));
}

#[test]
fn the_demo_is_made_once() {
    let lab = Lab::sqlite();
    let first = lab.done(&["demo", "--no-serve", "--dir", "demo"]);
    assert!(first.contains("wrote a laboratory"), "{first}");
    let password = fs::read(lab.path("demo/password")).expect("a password");
    let before = root::listing(&lab.path("demo/lab"));
    let second = lab.done(&["demo", "--no-serve", "--dir", "demo"]);
    assert!(!second.contains("wrote a laboratory"), "{second}");
    assert_eq!(
        fs::read(lab.path("demo/password")).expect("a password"),
        password
    );
    assert_eq!(root::listing(&lab.path("demo/lab")), before);
}
