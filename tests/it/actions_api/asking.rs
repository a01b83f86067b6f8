//! Each mutation arrives at Autosubmit as it was sent, once.

use serde_json::{Value, json};

use super::{Desk, Ear, argv, ask, asked, because, forbidden, kinds, open_gate, printed, refused};
use crate::support::Lab;

on_both_databases!(
    each_mutation_arrives,
    hostile_texts_arrive_or_are_refused_by_name,
    a_key_makes_nothing_twice,
    what_excludes_what,
    a_dry_run_does_nothing,
    output_comes_whole_and_in_order,
);

async fn each_mutation_arrives(lab: Lab) {
    let desk = Desk::new(lab);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    for (mutation, mut input, kind, command, must_have) in [
        ("runExperiment", json!({}), "RUN", "run", vec!["a000"]),
        (
            "stopExperiment",
            json!({ "force": true }),
            "STOP",
            "stop",
            vec!["a000", "--force"],
        ),
        (
            "createJobList",
            json!({ "force": true }),
            "CREATE_JOB_LIST",
            "create",
            vec!["a000"],
        ),
        (
            "setJobStatus",
            json!({ "jobs": ["a000_20000101_fc0_1_SIM"], "finalStatus": "COMPLETED" }),
            "SET_STATUS",
            "setstatus",
            vec!["a000"],
        ),
        (
            "updateExperimentDescription",
            json!({ "description": "Another one" }),
            "DESCRIBE",
            "updatedescrip",
            vec!["a000", "Another one"],
        ),
    ] {
        input["expid"] = json!("a000");
        let action = asked(&server, mutation, input.clone()).await;
        assert_eq!(action["kind"], kind);
        assert_eq!(action["state"], "REQUESTED");
        assert_eq!(action["expid"], "a000");
        assert_eq!(action["profile"], "here");
        assert_eq!(action["actor"], "ada");
        assert_eq!(action["arguments"]["kind"], kind);
        let heard = ear.until("ENDED", &action).await;
        let told = kinds(&heard);
        assert_eq!(told, ["REQUESTED", "BEGAN", "OUTPUT", "ENDED"], "{heard:?}");
        let ended = &heard.last().expect("an update")["action"];
        assert_eq!(ended["state"], "SUCCEEDED", "{ended} {}", printed(&heard));
        assert_eq!(ended["exitCode"], 0);
        assert_eq!(ended["reason"], "EXITED");
        assert!(
            ended["beganAt"].is_string()
                && ended["endedAt"].is_string()
                && ended["host"].is_string()
        );
        let given = argv(&printed(&heard));
        assert!(given.iter().any(|one| one == command), "{given:?}");
        for argument in must_have {
            assert!(
                given.iter().any(|one| one == argument),
                "{argument} in {given:?}"
            );
        }
    }

    let input = json!({ "description": "A new one", "hpc": "local" });
    let action = asked(&server, "createExperiment", input).await;
    assert_eq!(action["expid"], Value::Null);
    let (ended, output) = ear.ended(&action).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    assert_eq!(ended["expid"], "a00z");
    assert!(
        argv(&output).iter().any(|one| one.contains("A new one")),
        "{output}"
    );
    assert_eq!(desk.started(), 6);

    // What Autosubmit says of its failures.
    desk.deed("echo '[CRITICAL] It cannot be'; exit 3");
    let action = asked(&server, "createJobList", json!({ "expid": "a000" })).await;
    let (ended, _) = ear.ended(&action).await;
    assert_eq!(ended["state"], "FAILED");
    assert_eq!(ended["exitCode"], 3);
    assert_eq!(ended["reason"], "EXITED");
    assert!(ended["message"].is_string(), "{ended}");
    desk.deed("kill -KILL $$");
    let action = asked(&server, "createJobList", json!({ "expid": "a000" })).await;
    let (ended, _) = ear.ended(&action).await;
    assert_eq!(ended["state"], "FAILED");
    assert_eq!(ended["reason"], "SIGNALED");
    assert_eq!(ended["exitCode"], Value::Null);
}

async fn hostile_texts_arrive_or_are_refused_by_name(lab: Lab) {
    let desk = Desk::new(lab);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let hostile = [
        r#"it's a "test"; touch /tmp/x && $(id) `id` ${HOME} | cat > y #"#,
        r"back\slash \n %s * ? [a] ~ !! {a,b}",
        "Ünïcödé ☃ 🦀",
        "  spaces   kept  ",
        "two\nlines\tand a tab",
        "-np --force",
    ];
    for text in hostile {
        let input = json!({ "expid": "a000", "description": text });
        let action = asked(&server, "updateExperimentDescription", input).await;
        let (ended, output) = ear.ended(&action).await;
        assert_eq!(ended["state"], "SUCCEEDED", "{text}: {ended}");
        assert!(
            argv(&output).iter().any(|one| one == text),
            "{text}: {:?}",
            argv(&output)
        );
        let action = asked(&server, "createExperiment", json!({ "description": text })).await;
        let (_, output) = ear.ended(&action).await;
        assert!(
            argv(&output).iter().any(|one| one.ends_with(text)),
            "{text}: {:?}",
            argv(&output)
        );
    }
    let started = desk.started();
    for text in ["zero\0byte", "\u{1b}[31mred", "bell\u{7}"] {
        let input = json!({ "expid": "a000", "description": text });
        let reason = refused(&server, "updateExperimentDescription", input).await;
        assert_eq!(reason, because("BAD_INPUT", "description"), "{text:?}");
        let input = json!({ "description": text });
        let reason = refused(&server, "createExperiment", input).await;
        assert_eq!(reason, because("BAD_INPUT", "description"), "{text:?}");
    }
    let reason = refused(&server, "createExperiment", json!({ "description": "" })).await;
    assert_eq!(reason, because("BAD_INPUT", "description"));
    for expid in [
        "a000; id", "--help", "a000\0", "a000\n", "$(id)", "../a000", "",
    ] {
        let reason = refused(&server, "runExperiment", json!({ "expid": expid })).await;
        assert_eq!(reason, because("NOT_FOUND", "expid"), "{expid:?}");
    }
    for job in ["a000_x\0", "a000_1 a000_2", "--force", "$(id)\n"] {
        let input = json!({ "expid": "a000", "jobs": [job], "finalStatus": "READY" });
        let reason = refused(&server, "setJobStatus", input).await;
        assert_eq!(reason, because("BAD_INPUT", "jobs"), "{job:?}");
    }
    let input = json!({ "description": "x", "gitRepo": "a\0b", "minimal": true });
    let reason = refused(&server, "createExperiment", input).await;
    assert_eq!(reason, because("BAD_INPUT", "gitRepo"));
    let reason = refused(
        &server,
        "runExperiment",
        json!({ "expid": "a000", "profile": "\0" }),
    )
    .await;
    assert_eq!(reason, because("NOT_FOUND", "profile"));
    let input = json!({ "expid": "a000", "idempotencyKey": "\0" });
    let reason = refused(&server, "runExperiment", input).await;
    assert_eq!(reason, because("BAD_INPUT", "idempotencyKey"));
    assert_eq!(desk.started(), started);
}

async fn a_key_makes_nothing_twice(lab: Lab) {
    let desk = Desk::new(lab);
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let input = json!({ "expid": "a000", "idempotencyKey": "once" });
    // However many come at once.
    let same = tokio::join!(
        asked(&server, "runExperiment", input.clone()),
        asked(&server, "runExperiment", input.clone()),
        asked(&server, "runExperiment", input.clone()),
    );
    assert_eq!(same.0["id"], same.1["id"]);
    assert_eq!(same.0["id"], same.2["id"]);
    ear.ended(&same.0).await;
    let again = asked(&server, "runExperiment", input).await;
    assert_eq!(again["id"], same.0["id"]);
    assert_eq!(again["state"], "SUCCEEDED");
    assert_eq!(desk.started(), 1);
    let other = json!({ "expid": "b000", "idempotencyKey": "once" });
    let reason = refused(&server, "runExperiment", other).await;
    assert_eq!(reason, because("CONFLICT", "idempotencyKey"));
    // Without a key each is a new one.
    let new = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    assert_ne!(new["id"], same.0["id"]);
    ear.ended(&new).await;
}

async fn what_excludes_what(lab: Lab) {
    let desk = Desk::new(lab);
    let (gate, server, mut ear, run) = desk.at_gate().await;
    let status = json!({ "expid": "a000", "jobs": ["a000_SIM"], "finalStatus": "READY" });
    for (mutation, input) in [
        ("runExperiment", json!({ "expid": "a000" })),
        ("createJobList", json!({ "expid": "a000" })),
        ("setJobStatus", status),
    ] {
        let reason = refused(&server, mutation, input).await;
        assert_eq!(reason, because("CONFLICT", "expid"), "{mutation}");
    }
    desk.deed(super::WELL);
    let description = json!({ "expid": "a000", "description": "while it runs" });
    for (mutation, input) in [
        ("stopExperiment", json!({ "expid": "a000" })),
        ("updateExperimentDescription", description),
        ("runExperiment", json!({ "expid": "b000" })),
    ] {
        let action = asked(&server, mutation, input).await;
        assert_eq!(
            ear.ended(&action).await.0["state"],
            "SUCCEEDED",
            "{mutation}"
        );
    }
    open_gate(&gate).await;
    assert_eq!(ear.ended(&run).await.0["state"], "SUCCEEDED");
    let again = asked(&server, "runExperiment", json!({ "expid": "a000" })).await;
    ear.ended(&again).await;
}

async fn a_dry_run_does_nothing(lab: Lab) {
    let desk = Desk::new(lab);
    let server = desk.serve("ada").await;
    let input = json!({ "expid": "a000", "dryRun": true });
    let answer = ask(&server, "runExperiment", input.clone()).await;
    let payload = &answer["data"]["runExperiment"];
    assert_eq!(payload["action"], Value::Null);
    let argv = payload["argv"].as_array().expect("arguments");
    assert_eq!(argv[0], "autosubmit", "{answer}");
    assert!(
        argv.contains(&json!("run")) && argv.contains(&json!("a000")),
        "{answer}"
    );
    let all = server.data("{ actions { totalCount } }", json!({})).await;
    assert_eq!(all["actions"]["totalCount"], 0);
    assert_eq!(desk.started(), 0);
    // It is checked like any other.
    let bob = server.signed_in(&desk.lab.token("bob"));
    assert_eq!(refused(&bob, "runExperiment", input).await, forbidden());
}

async fn output_comes_whole_and_in_order(lab: Lab) {
    let desk = Desk::new(lab);
    desk.deed(
        r#"
        for number in $(seq 1 3000); do echo "line $number: ☃ and some words, so that there is more of it"; done
        printf 'no text: \xff\xe2\x82 \0 end'
        exit 0
        "#,
    );
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    let action = asked(&server, "createJobList", json!({ "expid": "a000" })).await;
    let heard = ear.until("ENDED", &action).await;
    let text = printed(&heard);
    let text = text.split_once('\n').expect("lines").1;
    let mut wanted: String = (1..=3000)
        .map(|number| format!("line {number}: ☃ and some words, so that there is more of it\n"))
        .collect();
    wanted.push_str("no text: \u{FFFD}\u{FFFD} \u{FFFD} end");
    assert_eq!(text, wanted);
    let last = heard.last().expect("an update");
    let bytes = last["action"]["outputBytes"].as_i64().expect("bytes");
    let sum: i64 = heard
        .iter()
        .filter_map(|update| update["output"]["bytes"].as_i64())
        .sum();
    assert_eq!(bytes, sum);
    // Lines stay whole, but for the last.
    let pieces: Vec<&str> = heard
        .iter()
        .filter_map(|update| update["output"]["text"].as_str())
        .collect();
    for piece in &pieces {
        assert!(piece.len() <= 8192 + 16, "{}", piece.len());
    }
    let variables = json!({ "id": action["id"] });
    let data = server
        .data(
            "query($id: ID!) { action(id: $id) { outputTail } }",
            variables,
        )
        .await;
    let tail = data["action"]["outputTail"].as_str().expect("a text");
    assert!(
        wanted.ends_with(tail) && tail.len() > 8000,
        "{}",
        tail.len()
    );

    // From a cursor in the middle, the rest.
    let middle = heard.len() / 2;
    let mut later = Ear::of(&server, json!({ "after": heard[middle]["cursor"] })).await;
    let rest = later.until("ENDED", &action).await;
    assert_eq!(rest, heard[middle + 1..].to_vec());
}
