//! With the real Autosubmit, where it is installed: from an experiment that does not exist to one that ran and was stopped.

use std::fs;

use serde_json::{Value, json};

use super::{Ear, asked, because, refused};
use crate::support::{Lab, Server, autosubmit::Autosubmit};

/// An action that must succeed.
async fn done(server: &Server, ear: &mut Ear, mutation: &str, input: Value) -> Value {
    let action = asked(server, mutation, input).await;
    let (ended, output) = ear.ended(&action).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{mutation}: {ended}\n{output}");
    ended
}

/// Waits until the mirror shows this.
async fn until(server: &Server, query: &str, wanted: &Value) {
    let mut updates = crate::support::Socket::signed_in(server, server.token()).await;
    let news = "subscription { experimentUpdates(after: \"beginning\") { cursor } }";
    updates.subscribe("1", news).await;
    while server.data(query, json!({})).await != *wanted {
        updates.hear().await;
    }
}

#[tokio::test]
async fn autosubmit_does_what_it_is_asked_for() {
    let Some(autosubmit) = Autosubmit::install() else {
        return;
    };
    let lab = Lab::sqlite();
    lab.user("ada", &[]);
    for kind in ["RUN", "STOP", "CREATE_JOB_LIST", "SET_STATUS", "DESCRIBE"] {
        lab.done(&["user", "allow", "ada", kind, "--experiments", "*"]);
    }
    lab.done(&["user", "allow", "ada", "CREATE"]);
    let variables = autosubmit
        .variables()
        .map(|(name, value)| format!("{name} = {value:?}"));
    let settings = format!(
        "[actions]\nenabled = [{}]\n[actions.profiles.real]\nautosubmit = {:?}\nvariables = {{ {} }}\n",
        super::ALL_KINDS,
        autosubmit.program().display().to_string(),
        variables.join(", "),
    );
    fs::write(lab.path("labql.toml"), settings).expect("a configuration");
    let root = autosubmit.root();
    let root = root.to_str().expect("UTF-8");
    let token = lab.token("ada");
    let server = lab
        .serve_with(&["--autosubmit-root", root])
        .await
        .signed_in(&token);
    let mut ear = Ear::of(&server, json!({})).await;

    // On a busy machine it takes longer than anybody waits for it: then it is known the next time.
    let mut version = Value::Null;
    for _ in 0..4 {
        if version.is_null() {
            let query = "{ actionProfiles { autosubmitVersion } }";
            let profiles = server.data(query, json!({})).await;
            version = profiles["actionProfiles"][0]["autosubmitVersion"].clone();
        }
    }
    let version = version.as_str().expect("a version");
    assert!(version.starts_with("4."), "{version}");

    let text = "a \"new\" one; $(touch pwned) `id`\nwith 'two' lines";
    let made = done(
        &server,
        &mut ear,
        "createExperiment",
        json!({ "description": text }),
    )
    .await;
    let expid = made["expid"].as_str().expect("an expid").to_owned();
    assert_eq!(autosubmit.description(&expid), text);
    let query = format!(
        "{{ experiment(expid: {expid:?}) {{ description actions {{ nodes {{ kind state }} }} }} }}"
    );
    let shown = |description: &str, kinds: &[&str]| {
        let nodes: Vec<_> = kinds
            .iter()
            .map(|kind| json!({ "kind": kind, "state": "SUCCEEDED" }))
            .collect();
        json!({ "experiment": { "description": description, "actions": { "nodes": nodes } } })
    };
    until(&server, &query, &shown(text, &["CREATE"])).await;

    let text = "--update_version";
    let input = json!({ "expid": expid, "description": text });
    done(&server, &mut ear, "updateExperimentDescription", input).await;
    assert_eq!(autosubmit.description(&expid), text);
    until(&server, &query, &shown(text, &["DESCRIBE", "CREATE"])).await;

    autosubmit.give_workflow(&expid, "sleep 600");
    done(
        &server,
        &mut ear,
        "createJobList",
        json!({ "expid": expid }),
    )
    .await;
    let jobs = format!("{{ experiment(expid: {expid:?}) {{ jobs {{ totalCount }} }} }}");
    let three = json!({ "experiment": { "jobs": { "totalCount": 3 } } });
    until(&server, &jobs, &three).await;

    let job = format!("{expid}_20000101_fc0_1_SIM");
    let input = json!({ "expid": expid, "jobs": [job], "finalStatus": "SUSPENDED" });
    done(&server, &mut ear, "setJobStatus", input).await;
    let query = format!("{{ job(expid: {expid:?}, name: {job:?}) {{ status }} }}");
    until(
        &server,
        &query,
        &json!({ "job": { "status": "SUSPENDED" } }),
    )
    .await;

    let run = asked(&server, "runExperiment", json!({ "expid": expid })).await;
    let mut printed = String::new();
    while !printed.contains(" submitted with job_id") {
        let update = ear.next().await;
        assert_ne!(update["kind"], "ENDED", "{printed}");
        printed.push_str(update["output"]["text"].as_str().unwrap_or_default());
    }
    let again = refused(&server, "runExperiment", json!({ "expid": expid })).await;
    assert_eq!(again, because("CONFLICT", "expid"));
    let stop = asked(&server, "stopExperiment", json!({ "expid": expid })).await;
    let heard = ear.until("ENDED", &stop).await;
    assert_eq!(
        heard.last().expect("an update")["action"]["state"],
        "SUCCEEDED",
        "{heard:?}"
    );
    // The run ends before the command that stopped it, or after.
    let ended = |update: &&Value| update["kind"] == "ENDED" && update["action"]["id"] == run["id"];
    let ended = match heard.iter().find(ended) {
        Some(update) => update["action"].clone(),
        None => ear.ended(&run).await.0,
    };
    // Autosubmit ends as one that was interrupted, and says so.
    assert_eq!(ended["state"], "CANCELED", "{ended}");
    assert_eq!(ended["message"], "it was stopped");
}
