//! Groups and who is in them: whoever is put out hears no more, an owner stays, and what is made of the best is for all who take
//! part.

use serde_json::{Value, json};

use super::caller::id;
use super::draft::Draft;
use super::ear::{BEGINNING, Ear, Heard, is_made_of_best};
use super::lab::Site;
use crate::support::Lab;

on_both_databases!(
    who_is_no_longer_in_it,
    groups_keep_an_owner,
    what_was_made_of_the_best,
);

async fn who_is_no_longer_in_it(lab: Lab) {
    let site = Site::open(lab, &["own", "mel"]).await;
    let (own, mel) = (site.who("own"), site.who("mel"));
    let gate = site.gate("go");
    let workflow = site
        .workflow(&Draft::of("Long", &format!("echo one; {gate}; echo two")))
        .await;
    let group = own.group(&workflow, "long", &[("mel", "MEMBER")]).await;
    let run = mel
        .start_with(&workflow, json!({}), json!({ "group": group }))
        .await;
    let mut log = Ear::of_log(&mel, &run, BEGINNING).await;
    assert_eq!(log.next().await["text"], "one\n");
    let mut updates = Ear::of(&mel, json!({ "run": run })).await;
    updates.until_step(&run, "only", "RUNNING").await;
    // Whoever is put out hears no more, even of what they began.
    let members = json!([{ "username": "own", "role": "OWNER" }]);
    own.told("updateGroup", json!({ "id": group, "members": members }))
        .await;
    assert!(mel.run(&run).await.is_null());
    site.open_gate("go");
    own.done(&run).await;
    loop {
        match log.hear().await {
            Heard::Refused(_) | Heard::Over | Heard::Gone => break,
            Heard::Update(piece) => assert_ne!(piece["text"], "two\n"),
        }
    }
    let again = Ear::of_log(&mel, &run, BEGINNING).await.hear().await;
    assert!(matches!(again, Heard::Refused(_)), "{again:?}");
}

async fn groups_keep_an_owner(lab: Lab) {
    let site = Site::idle(lab, &["ann", "ben"]).await;
    let workflow = site.workflow(&Draft::of("Kept", "true")).await;
    let (ann, ben) = (site.who("ann"), site.who("ben"));
    let group = ann.group(&workflow, "team", &[("ben", "OWNER")]).await;
    let members = |list: &[(&str, &str)]| {
        let member =
            |(username, role): &(&str, &str)| json!({ "username": username, "role": role });
        let list: Vec<Value> = list.iter().map(member).collect();
        json!({ "id": group, "members": list })
    };
    for (list, code) in [
        (&[][..], "BAD_INPUT"),
        (&[("ben", "MEMBER")], "BAD_INPUT"),
        (&[("ben", "OWNER"), ("nobody", "VIEWER")], "BAD_INPUT"),
        (&[("ben", "OWNER"), ("ben", "VIEWER")], "BAD_INPUT"),
    ] {
        let refused = ann.refused("updateGroup", members(list)).await;
        assert_eq!(refused, (code.to_owned(), "members".to_owned()), "{list:?}");
    }
    // Whoever leaves sees it no more.
    let answer = ann.told("updateGroup", members(&[("ben", "OWNER")])).await;
    assert!(answer["group"].is_null(), "{answer}");
    let query = "query($id: ID!) { group(id: $id) { members { user { username } role } } }";
    let data = ben.data(query, json!({ "id": group })).await;
    let alone = json!([{ "user": { "username": "ben" }, "role": "OWNER" }]);
    assert_eq!(data["group"]["members"], alone);
    assert_eq!(
        ann.refused("updateGroup", members(&[("ann", "OWNER")]))
            .await
            .0,
        "NOT_FOUND"
    );
    // Names are unique in a workflow, and only there.
    ben.group(&workflow, "other", &[]).await;
    let renamed = |name: &str| json!({ "id": group, "name": name });
    assert_eq!(
        ben.refused("updateGroup", renamed("other")).await,
        ("CONFLICT".to_owned(), "name".to_owned())
    );
    assert_eq!(ben.refused("updateGroup", renamed("")).await.0, "BAD_INPUT");
    let answer = ben.told("updateGroup", renamed("renamed")).await;
    assert_eq!(answer["group"]["name"], "renamed");
    let taken = json!({ "workflow": workflow, "name": "renamed" });
    assert_eq!(ann.refused("createGroup", taken).await.0, "CONFLICT");
    let another = site.workflow(&Draft::of("Another", "true")).await;
    ann.group(&another, "renamed", &[]).await;
    // A name that somebody else's group has is left to it.
    ben.group(&workflow, "ann", &[]).await;
    let run = ann.start(&workflow, json!({})).await;
    let run = ann.run(&run).await;
    assert_eq!(run["group"]["name"], "ann (2)", "{run}");
    assert_eq!(
        id(&ann.run(&ann.start(&workflow, json!({})).await).await["group"]),
        id(&run["group"])
    );
}

async fn what_was_made_of_the_best(lab: Lab) {
    let site = Site::open(lab, &["ann", "ben", "eve"]).await;
    let workflow = site.workflow(&super::processing::processed()).await;
    let (ann, ben, eve) = (site.who("ann"), site.who("ben"), site.who("eve"));
    ann.group(&workflow, "ann's", &[]).await;
    let ben_in = ben.group(&workflow, "ben's", &[]).await;
    let run = ben
        .start_with(&workflow, json!({ "score": 1 }), json!({ "group": ben_in }))
        .await;
    ben.done(&run).await;
    let mut ear = Ear::of(&ann, json!({ "workflow": workflow })).await;
    let heard = ear.until(is_made_of_best).await;
    let made = id(&heard.last().expect("an update")["run"]);
    // All who take part see it, although it is in no group; nobody cancels or deletes it but administrators.
    let query =
        "query($id: ID!) { workflow(id: $id) { postProcessing { id archiveUrl files { url } } } }";
    for caller in [&ann, &ben, &site.admin()] {
        let data = caller.data(query, json!({ "id": workflow })).await;
        let shown = &data["workflow"]["postProcessing"];
        assert_eq!(shown["id"], json!(made));
        let url = shown["files"][0]["url"].as_str().expect("a URL");
        assert_eq!(caller.get(url, &[]).await.status(), 200);
    }
    let data = eve.data(query, json!({ "id": workflow })).await;
    assert!(data["workflow"]["postProcessing"].is_null(), "{data}");
    assert!(eve.run(&made).await.is_null());
    for caller in [&ann, &ben, &eve] {
        assert_eq!(
            caller.refused("deleteRun", json!({ "id": made })).await.0,
            "NOT_FOUND"
        );
    }
    site.admin().told("deleteRun", json!({ "id": made })).await;
}
