//! Who may act: nobody, until an administrator has said so twice, in the configuration and of the user.

use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use serde_json::{Value, json};

use super::{Desk, Ear, asked, because, forbidden, refused};
use crate::support::{Lab, Server, root};

on_both_databases!(
    all_is_off_until_it_is_turned_on,
    each_right_is_granted_alone,
    what_labql_made_for_somebody_is_their_own,
    rights_are_asked_for_again_when_it_begins,
    what_is_gone_meanwhile_is_not_begun,
    profiles_have_their_users,
);

/// Each mutation with an input on an experiment.
fn all(expid: &str) -> Vec<(&'static str, &'static str, Value)> {
    let jobs = json!({ "expid": expid, "jobs": [format!("{expid}_SIM")], "finalStatus": "READY" });
    let text = json!({ "expid": expid, "description": "x" });
    vec![
        ("RUN", "runExperiment", json!({ "expid": expid })),
        ("STOP", "stopExperiment", json!({ "expid": expid })),
        ("CREATE", "createExperiment", json!({ "description": "x" })),
        (
            "CREATE_JOB_LIST",
            "createJobList",
            json!({ "expid": expid }),
        ),
        ("SET_STATUS", "setJobStatus", jobs),
        ("DESCRIBE", "updateExperimentDescription", text),
    ]
}

async fn message(server: &Server, mutation: &str, input: &Value) -> String {
    let answer = super::ask(server, mutation, input.clone()).await;
    answer["errors"][0]["message"]
        .as_str()
        .expect("a message")
        .to_owned()
}

async fn all_is_off_until_it_is_turned_on(mut lab: Lab) {
    // Whoever may write without saying who they are may not act.
    lab.set("LABQL_AUTH__PROTECTION_LEVEL", "NONE");
    let desk = Desk::new(lab);
    let config = desk.lab.path("labql.toml");
    std::fs::remove_file(&config).expect("a configuration");
    let server = desk.serve("ada").await;
    for (kind, mutation, input) in all("a000") {
        assert_eq!(
            refused(&server, mutation, input.clone()).await,
            forbidden(),
            "{mutation}"
        );
        let message = message(&server, mutation, &input).await;
        assert!(
            message.contains(kind) && message.contains("actions.enabled"),
            "{message}"
        );
    }
    let data = server
        .data(
            "{ actionProfiles { name } actions { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data,
        json!({ "actionProfiles": [], "actions": { "totalCount": 0 } })
    );
    server.stop().await;

    desk.configure(r#""RUN""#, "");
    let server = desk.serve("ada").await;
    let mut ear = Ear::of(&server, json!({})).await;
    for (kind, mutation, input) in all("a000").into_iter().rev() {
        if kind == "RUN" {
            let action = asked(&server, mutation, input.clone()).await;
            assert_eq!(ear.ended(&action).await.0["state"], "SUCCEEDED");
        } else {
            assert_eq!(
                refused(&server, mutation, input.clone()).await,
                forbidden(),
                "{mutation}"
            );
        }
        let (_, answer) = server
            .ask_as(&[], &super::document(mutation), json!({ "input": input }))
            .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
            "{answer}"
        );
    }
    for query in [
        "{ actions { totalCount } }",
        "{ action(id: \"x\") { id } }",
        "{ actionProfiles { name } }",
    ] {
        let (_, answer) = server.ask_as(&[], query, json!({})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
            "{answer}"
        );
    }
    assert_eq!(desk.started(), 1);
}

async fn grant(server: &Server, mutation: &str, right: Value) -> Value {
    let mut input = mutation.to_owned();
    input[..1].make_ascii_uppercase();
    let document = format!(
        "mutation($input: {input}Input!) {{ {mutation}(input: $input) {{
            user {{ username actionRights {{ kind experiments grantedBy }} }} errors {{ code field }}
        }} }}"
    );
    let (_, mut answer) = server.ask(&document, json!({ "input": right })).await;
    if answer["data"].is_null() {
        return answer;
    }
    answer["data"][mutation].take()
}

async fn each_right_is_granted_alone(lab: Lab) {
    let desk = Desk::new(lab);
    let admin = desk.serve("eva").await;
    let bob = desk.serve("bob").await;
    // Not even an administrator may without.
    for (_, mutation, input) in all("b000") {
        for server in [&admin, &bob] {
            assert_eq!(
                refused(server, mutation, input.clone()).await,
                forbidden(),
                "{mutation}"
            );
        }
    }
    let right = json!({ "username": "bob", "kind": "RUN" });
    for mutation in ["grantActionRight", "revokeActionRight"] {
        let answer = grant(&bob, mutation, right.clone()).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "FORBIDDEN",
            "{answer}"
        );
        for (wrong, field) in [
            (json!({ "username": "nobody", "kind": "RUN" }), "username"),
            (json!({ "username": "\0", "kind": "RUN" }), "username"),
        ] {
            let answer = grant(&admin, mutation, wrong).await;
            assert_eq!(
                answer["errors"],
                json!([{ "code": "NOT_FOUND", "field": field }])
            );
        }
    }
    for pattern in ["", "A*", "a b", "%", "*****", "a\0"] {
        let wrong = json!({ "username": "bob", "kind": "RUN", "experiments": pattern });
        let answer = grant(&admin, "grantActionRight", wrong).await;
        let reason = json!([{ "code": "BAD_INPUT", "field": "experiments" }]);
        assert_eq!(answer["errors"], reason, "{pattern:?}");
    }

    let mut ear = Ear::of(&bob, json!({})).await;
    for (place, (kind, mutation, input)) in all("b000").into_iter().enumerate() {
        let right = json!({ "username": "bob", "kind": kind });
        for _ in 0..2 {
            let granted = grant(&admin, "grantActionRight", right.clone()).await;
            let rights = &granted["user"]["actionRights"];
            assert_eq!(
                *rights,
                json!([{ "kind": kind, "experiments": null, "grantedBy": "eva" }])
            );
        }
        for (other, (kind_of_other, mutation, input)) in all("b000").into_iter().enumerate() {
            if other != place {
                let reason = refused(&bob, mutation, input).await;
                assert_eq!(reason, forbidden(), "{kind_of_other} with {kind}");
            }
        }
        // Their own, and nobody else's.
        let action = asked(&bob, mutation, input).await;
        assert_eq!(ear.ended(&action).await.0["state"], "SUCCEEDED", "{kind}");
        if kind != "CREATE" {
            let input = all("a000").swap_remove(place).2;
            assert_eq!(refused(&bob, mutation, input).await, forbidden(), "{kind}");
        }
        let query = "{ viewer { actionRights { kind experiments } } actionProfiles { name kinds place environment } }";
        let data = bob.data(query, json!({})).await;
        let own = json!([{ "kind": kind, "experiments": null }]);
        assert_eq!(data["viewer"]["actionRights"], own);
        let profile =
            json!([{ "name": "here", "kinds": [kind], "place": "LOCAL", "environment": "NONE" }]);
        assert_eq!(data["actionProfiles"], profile);
        let gone = grant(&admin, "revokeActionRight", right).await;
        assert_eq!(gone["user"]["actionRights"], json!([]));
        assert_eq!(
            refused(&bob, mutation, all("b000").swap_remove(place).2).await,
            forbidden()
        );
    }

    // By a pattern, from the command line.
    desk.lab
        .done(&["user", "allow", "bob", "RUN", "--experiments", "a*"]);
    assert_eq!(
        refused(&bob, "runExperiment", json!({ "expid": "b000" })).await,
        forbidden()
    );
    let action = asked(&bob, "runExperiment", json!({ "expid": "a000" })).await;
    ear.ended(&action).await;
    let unknown = refused(&bob, "runExperiment", json!({ "expid": "a999" })).await;
    assert_eq!(unknown, because("NOT_FOUND", "expid"));
    desk.lab
        .done(&["user", "deny", "bob", "RUN", "--experiments", "a*"]);
    assert_eq!(
        refused(&bob, "runExperiment", json!({ "expid": "a000" })).await,
        forbidden()
    );
    let wrong = desk.lab.run(&["user", "allow", "bob", "FLY"]);
    assert!(
        !wrong.success && wrong.stderr.contains("SET_STATUS"),
        "{wrong:?}"
    );

    // Who is granted what is told to administrators.
    let told = admin
        .data(
            "{ events(topics: [ACCOUNT], first: 500) { edges { node { kind subject actor } } } }",
            json!({}),
        )
        .await;
    let told = told["events"]["edges"].as_array().expect("events").clone();
    let granted = json!({ "kind": "action-right-granted", "subject": "bob", "actor": "eva" });
    assert_eq!(
        told.iter().filter(|edge| edge["node"] == granted).count(),
        6
    );
}

/// Autosubmit knows an experiment that labql made under the account of the server.
async fn what_labql_made_for_somebody_is_their_own(lab: Lab) {
    let desk = Desk::new(lab);
    for user in ["bob", "eva"] {
        for kind in ["CREATE", "RUN"] {
            desk.lab.done(&["user", "allow", user, kind]);
        }
    }
    let mut new = ExperimentSpec::new("a00z", JobListForm::Sqlite);
    "labql".clone_into(&mut new.owner);
    new.logged_jobs = 0;
    root::write(&desk.lab.root(), &new);
    desk.lab.import();
    let mut server = desk.serve("bob").await;
    let run = json!({ "expid": "a00z" });
    for (user, other) in [("bob", "eva"), ("eva", "bob")] {
        server = server.signed_in(&desk.lab.token(user));
        let reason = refused(&server, "runExperiment", run.clone()).await;
        assert_eq!(reason, forbidden(), "{user}");
        let mut ear = Ear::of(&server, json!({ "mine": true })).await;
        desk.deed("echo '[CRITICAL] Experiment a00z created'; exit 3");
        let failed = asked(&server, "createExperiment", json!({ "description": "x" })).await;
        assert_eq!(ear.ended(&failed).await.0["state"], "FAILED");
        let reason = refused(&server, "runExperiment", run.clone()).await;
        assert_eq!(reason, forbidden(), "{user}");
        desk.deed(super::WELL);
        let made = asked(&server, "createExperiment", json!({ "description": "x" })).await;
        assert_eq!(ear.ended(&made).await.0["expid"], "a00z");
        // It is so when it is asked for, and when it begins.
        let action = asked(&server, "runExperiment", run.clone()).await;
        assert_eq!(ear.ended(&action).await.0["state"], "SUCCEEDED", "{user}");
        // Of those for whom it was made, the last one.
        server = server.signed_in(&desk.lab.token(other));
        let reason = refused(&server, "runExperiment", run.clone()).await;
        assert_eq!(reason, forbidden(), "{other}");
    }
}

async fn rights_are_asked_for_again_when_it_begins(lab: Lab) {
    let mut desk = Desk::new(lab);
    let idle = desk.serve_idle("ada").await;
    let run = asked(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    let stop = asked(&idle, "stopExperiment", json!({ "expid": "a000" })).await;
    let gone = json!({ "expid": "b000" });
    let gone = asked(&idle, "runExperiment", gone).await;
    idle.stop().await;
    desk.lab
        .done(&["user", "deny", "ada", "RUN", "--experiments", "*"]);
    desk.lab
        .done(&["user", "allow", "ada", "RUN", "--experiments", "b*"]);
    desk.configure(r#""RUN""#, "");
    let server = desk.serve("ada").await;
    for (action, state, reason) in [
        (&run, "FAILED", "RIGHT_WITHDRAWN"),
        (&stop, "FAILED", "NOT_CONFIGURED"),
        (&gone, "SUCCEEDED", "EXITED"),
    ] {
        let mut ear = Ear::of(&server, json!({ "id": action["id"] })).await;
        let (ended, _) = ear.ended(action).await;
        assert_eq!(ended["state"], state, "{ended}");
        assert_eq!(ended["reason"], reason, "{ended}");
    }
    assert_eq!(desk.started(), 1);
    server.stop().await;

    // Whoever is locked out meanwhile.
    let idle = desk.serve_idle("ada").await;
    let run = asked(&idle, "runExperiment", json!({ "expid": "b000" })).await;
    idle.stop().await;
    desk.lab.done(&["user", "disable", "ada"]);
    let server = desk.serve("eva").await;
    let mut ear = Ear::of(&server, json!({ "id": run["id"] })).await;
    assert_eq!(ear.ended(&run).await.0["reason"], "RIGHT_WITHDRAWN");
    assert_eq!(desk.started(), 1);
}

async fn what_is_gone_meanwhile_is_not_begun(lab: Lab) {
    let mut desk = Desk::new(lab);
    let idle = desk.serve_idle("ada").await;
    let gone = asked(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    let unknown = asked(&idle, "runExperiment", json!({ "expid": "b000" })).await;
    let database = desk.lab.database().await;
    for change in [
        "UPDATE experiment SET archived_at = 1 WHERE expid = 'a000'",
        "DELETE FROM experiment WHERE expid = 'b000'",
    ] {
        sea_orm::ConnectionTrait::execute_unprepared(database.write(), change)
            .await
            .expect("a statement");
    }
    let again = refused(&idle, "runExperiment", json!({ "expid": "a000" })).await;
    assert_eq!(again, because("CONFLICT", "expid"));
    idle.stop().await;
    let server = desk.serve("ada").await;
    for action in [&gone, &unknown] {
        let mut ear = Ear::of(&server, json!({ "id": action["id"] })).await;
        let (ended, _) = ear.ended(action).await;
        assert_eq!(ended["state"], "FAILED", "{ended}");
        assert_eq!(ended["reason"], "EXPERIMENT_GONE", "{ended}");
    }
    assert_eq!(desk.started(), 0);
}

async fn profiles_have_their_users(lab: Lab) {
    let desk = Desk::new(lab);
    let program = desk.bin().join("autosubmit");
    let more = format!(
        "[actions.profiles.there]\nautosubmit = \"{}\"\nusers = [\"carol\"]\nvariables = {{ PATH = \"/usr/bin:/bin\" }}",
        program.display()
    );
    desk.configure(super::ALL_KINDS, &more);
    let server = desk.serve("ada").await;
    let input = json!({ "expid": "a000", "profile": "there" });
    let reason = refused(&server, "runExperiment", input).await;
    assert_eq!(reason, because("NOT_FOUND", "profile"));
    let query = "{ actionProfiles { name kinds autosubmitVersion publicKey } }";
    let profiles = server.data(query, json!({})).await;
    let profiles = profiles["actionProfiles"]
        .as_array()
        .expect("profiles")
        .clone();
    assert_eq!(profiles.len(), 1);
    assert_eq!(profiles[0]["autosubmitVersion"], "4.1.15", "{profiles:?}");
    assert_eq!(profiles[0]["publicKey"], Value::Null);
    assert_eq!(profiles[0]["kinds"].as_array().map(Vec::len), Some(6));
    // Asked once.
    server.data(query, json!({})).await;
    assert_eq!(desk.started(), 1);
    let admin = server.signed_in(&desk.lab.token("eva"));
    let all = admin
        .data("{ actionProfiles { name kinds } }", json!({}))
        .await;
    let none = |name| json!({ "name": name, "kinds": [] });
    assert_eq!(all["actionProfiles"], json!([none("here"), none("there")]));
    let ada = admin.signed_in(&desk.lab.token("ada"));
    // The only one need not be named.
    let mut ear = Ear::of(&ada, json!({})).await;
    let action = asked(&ada, "runExperiment", json!({ "expid": "a000" })).await;
    assert_eq!(action["profile"], "here");
    ear.ended(&action).await;
}
