//! Who sees and does what: everything of a group is for its members by their roles and for administrators. Everybody else, signed
//! in or not, does not even learn that it is there.

use reqwest::Method;
use serde_json::{Value, json};

use super::caller::{Caller, id, run_input};
use super::draft::Draft;
use super::ear::{BEGINNING, Ear, Heard, column};
use super::lab::Site;
use crate::support::Lab;

on_both_databases!(
    what_is_seen,
    what_is_downloaded,
    what_is_heard,
    what_is_done,
    without_an_account,
);

/// A group with somebody in each role, something uploaded, and a run that ended well.
struct Team {
    site: Site,
    workflow: String,
    group: String,
    upload: Value,
    run: Value,
}

/// In the group `vic` is a viewer, `mel` a member and `own` an owner; `eve` is in none.
const PEOPLE: [&str; 4] = ["eve", "vic", "mel", "own"];

impl Team {
    async fn open(lab: Lab) -> Self {
        let site = Site::open(lab, &PEOPLE).await;
        let draft = Draft::of(
            "Team",
            "cat in.txt > out.txt; echo printed; echo '{\"score\": 1}' > results.json",
        )
        .parameter(json!({ "name": "in", "dtype": "file", "target": "in.txt" }))
        .output("out.txt")
        .ranked(&["score"]);
        let workflow = site.workflow(&draft).await;
        let own = site.who("own");
        let group = own
            .group(&workflow, "team", &[("vic", "VIEWER"), ("mel", "MEMBER")])
            .await;
        let upload = own.upload(&group, "in.txt", "secret").await;
        let team = Self {
            workflow,
            group,
            upload,
            run: Value::Null,
            site,
        };
        let run = team.start(&own).await;
        let run = own.done(&run).await;
        Self { run, ..team }
    }

    async fn start(&self, caller: &Caller) -> String {
        let arguments = json!({ "in": self.upload["id"] });
        caller
            .start_with(&self.workflow, arguments, json!({ "group": self.group }))
            .await
    }

    /// Everybody, with what they may do there: 0 nothing, 1 see, 2 use, 3 change.
    fn everybody(&self) -> Vec<(&'static str, Caller, u8)> {
        vec![
            ("nobody", self.site.nobody(), 0),
            ("eve", self.site.who("eve"), 0),
            ("vic", self.site.who("vic"), 1),
            ("mel", self.site.who("mel"), 2),
            ("own", self.site.who("own"), 3),
            ("root", self.site.admin(), 3),
        ]
    }
}

/// What of a group can be asked for, each with what is shown to those who may not see it.
fn questions(team: &Team) -> Vec<(&'static str, Value, Value)> {
    let node = "query($id: ID!) { it: node(id: $id) { id } }";
    let none = || Value::Null;
    vec![
        (
            "query($id: ID!) { it: group(id: $id) { id } }",
            json!(team.group),
            none(),
        ),
        (
            "query($id: ID!) { it: run(id: $id) { id } }",
            team.run["id"].clone(),
            none(),
        ),
        (
            "query($id: ID!) { it: upload(id: $id) { id } }",
            team.upload["id"].clone(),
            none(),
        ),
        (node, json!(team.group), none()),
        (node, team.run["id"].clone(), none()),
        (node, team.upload["id"].clone(), none()),
        (
            "query($id: ID!) { it: runs(filter: { groups: [$id] }) { totalCount } }",
            json!(team.group),
            json!({ "totalCount": 0 }),
        ),
        (
            "query($id: ID!) { it: runs(filter: { workflows: [$id] }) { totalCount } }",
            json!(team.workflow),
            json!({ "totalCount": 0 }),
        ),
        (
            "query($id: ID!) { it: groups(filter: { workflow: $id }) { totalCount } }",
            json!(team.workflow),
            json!({ "totalCount": 0 }),
        ),
        (
            "query($id: ID!) { it: workflow(id: $id) { runs { totalCount } } }",
            json!(team.workflow),
            json!({ "runs": { "totalCount": 0 } }),
        ),
        (
            "query($id: ID!) { it: workflow(id: $id) { groups { totalCount } } }",
            json!(team.workflow),
            json!({ "groups": { "totalCount": 0 } }),
        ),
        (
            "query($id: ID!) { it: workflow(id: $id) { ranking { totalCount nodes { rank } } } }",
            json!(team.workflow),
            json!({ "ranking": { "totalCount": 0, "nodes": [] } }),
        ),
    ]
}

async fn what_is_seen(lab: Lab) {
    let team = Team::open(lab).await;
    for (name, caller, role) in team.everybody() {
        for (query, id, hidden) in questions(&team) {
            let answer = caller.ask(query, json!({ "id": id })).await;
            if name == "nobody" {
                assert_eq!(
                    answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
                    "{query}: {answer}"
                );
                continue;
            }
            let is_hidden = answer["data"]["it"] == hidden;
            assert_eq!(is_hidden, role == 0, "{name} {query}: {answer}");
        }
    }
    // Nor are names told by what cannot be done.
    let eve = team.site.who("eve");
    let same = json!({ "workflow": team.workflow, "name": "nothing of mine" });
    let unknown = json!({ "id": "no id" });
    let theirs = json!({ "id": team.group });
    assert_eq!(
        eve.answer("deleteGroup", unknown).await["data"],
        eve.answer("deleteGroup", theirs).await["data"]
    );
    let run = |id: &Value| json!({ "id": id });
    let nothing = json!("no id");
    for mutation in ["cancelRun", "deleteRun"] {
        let told = eve.answer(mutation, run(&team.run["id"])).await;
        assert_eq!(
            told,
            eve.answer(mutation, run(&nothing)).await,
            "{mutation}"
        );
    }
    // Who takes part in the workflow sees its ranking, but not the runs of others.
    eve.told("createGroup", same).await;
    let query = "query($id: ID!) { workflow(id: $id) {
        ranking(includeAll: true) { totalCount nodes { rank run { id } group { id } results { name value } } }
    } }";
    let data = eve.data(query, json!({ "id": team.workflow })).await;
    let ranked = &data["workflow"]["ranking"]["nodes"][0];
    assert_eq!(
        ranked["results"],
        json!([{ "name": "score", "value": 1.0 }]),
        "{data}"
    );
    assert_eq!(
        eve.data(
            "query($id: ID!) { run(id: $id) { id } }",
            json!({ "id": team.run["id"] })
        )
        .await["run"],
        Value::Null
    );
}

async fn what_is_downloaded(lab: Lab) {
    let team = Team::open(lab).await;
    let own = team.site.who("own");
    let data = own
        .data(
            "query($id: ID!) { upload(id: $id) { url } }",
            json!({ "id": team.upload["id"] }),
        )
        .await;
    let upload = data["upload"]["url"].as_str().expect("a URL").to_owned();
    let file = team.run["files"][0]["url"]
        .as_str()
        .expect("a URL")
        .to_owned();
    let archive = team.run["archiveUrl"].as_str().expect("a URL").to_owned();
    for (name, caller, role) in team.everybody() {
        for url in [&upload, &file, &archive] {
            let response = caller.get(url, &[]).await;
            let expected = match (name, role) {
                ("nobody", _) => 401,
                (_, 0) => 404,
                _ => 200,
            };
            assert_eq!(response.status(), expected, "{name} {url}");
            let head = caller.send(Method::HEAD, url, Vec::new()).await;
            assert_eq!(head.status(), expected, "{name} {url}");
        }
    }
}

async fn what_is_heard(lab: Lab) {
    let team = Team::open(lab).await;
    let run = id(&team.run);
    for (name, caller, role) in team.everybody() {
        let mut log = Ear::of_log(&caller, &run, BEGINNING).await;
        match (name, role, log.hear().await) {
            ("nobody", _, Heard::Refused(code)) => assert_eq!(code, "UNAUTHENTICATED"),
            (_, 0, Heard::Refused(code)) => {
                assert!(code == "NOT_FOUND" || code == "BAD_INPUT", "{code}");
            }
            (_, 1.., Heard::Update(piece)) => assert_eq!(piece["text"], "printed\n"),
            (name, _, other) => panic!("{name}: {other:?}"),
        }
    }
    // A run of one's own is the last that each hears of: what came before it is what they may hear.
    let alone = team.site.workflow(&Draft::of("Alone", "true")).await;
    let all = json!({});
    for (name, caller, role) in team.everybody() {
        if name == "nobody" {
            let mut ear = Ear::of(&caller, all.clone()).await;
            assert!(matches!(ear.hear().await, Heard::Refused(code) if code == "UNAUTHENTICATED"));
            continue;
        }
        let last = caller.start(&alone, json!({})).await;
        for filter in [
            all.clone(),
            json!({ "group": team.group }),
            json!({ "run": run }),
        ] {
            let is_all = filter == all;
            let mut ear = Ear::of(&caller, filter).await;
            if is_all {
                let heard = ear.until_ended(std::slice::from_ref(&last)).await;
                let of_it = column(&heard, "run", "id").contains(&run.as_str());
                assert_eq!(of_it, role > 0, "{name}: {heard:?}");
                let others = column(&heard, "run", "id")
                    .into_iter()
                    .filter(|it| *it != run && *it != last);
                assert!(name == "root" || others.count() == 0, "{name}: {heard:?}");
            } else if role > 0 {
                let heard = ear.until_ended(std::slice::from_ref(&run)).await;
                assert!(
                    column(&heard, "run", "id").iter().all(|it| *it == run),
                    "{heard:?}"
                );
            }
        }
        caller.done(&last).await;
    }
}

/// What can be done to a group, each with the role that it needs.
fn deeds(team: &Team) -> Vec<(&'static str, Value, u8)> {
    let arguments = json!({ "in": team.upload["id"] });
    let group = || json!({ "group": team.group });
    let mut dry = group();
    dry["dryRun"] = json!(true);
    vec![
        ("startRun", run_input(&team.workflow, &arguments, dry), 2),
        (
            "startRun",
            run_input(&team.workflow, &arguments, group()),
            2,
        ),
        (
            "updateGroup",
            json!({ "id": team.group, "name": "team" }),
            3,
        ),
    ]
}

async fn what_is_done(lab: Lab) {
    let team = Team::open(lab).await;
    let refused = |name: &str, answer: &Value| {
        let (top, payload) = (
            &answer["errors"][0]["extensions"]["code"],
            &answer["data"]["it"]["errors"][0]["code"],
        );
        match name {
            "nobody" => assert_eq!(top, "UNAUTHENTICATED", "{answer}"),
            _ => assert_eq!(payload, "NOT_FOUND", "{name}: {answer}"),
        }
    };
    for (name, caller, role) in team.everybody() {
        for (mutation, input, needed) in deeds(&team) {
            let answer = caller.answer(mutation, input).await;
            if role >= needed {
                assert_eq!(
                    answer["data"]["it"]["errors"],
                    json!([]),
                    "{name} {mutation}: {answer}"
                );
            } else {
                refused(name, &answer);
            }
        }
        // Each has something of its own to cancel and delete.
        let run = team.start(&team.site.who("own")).await;
        let of_it = || json!({ "id": run });
        let upload = team.site.who("own").upload(&team.group, "f", "x").await;
        if role >= 2 {
            let answer = caller.tell("cancelRun", of_it()).await;
            let code = &answer["errors"][0]["code"];
            assert!(code.is_null() || code == "CONFLICT", "{name}: {answer}");
            team.site.admin().ended(&run).await;
            caller.told("deleteRun", of_it()).await;
            caller
                .told("deleteUpload", json!({ "id": upload["id"] }))
                .await;
        } else {
            team.site.admin().ended(&run).await;
            for mutation in ["cancelRun", "deleteRun"] {
                refused(name, &caller.answer(mutation, of_it()).await);
            }
            let input = json!({ "id": upload["id"] });
            refused(name, &caller.answer("deleteUpload", input).await);
            assert_eq!(team.site.who("own").run(&run).await["state"], "SUCCESS");
        }
    }
    // Some things are for administrators, whatever one is in a group.
    for (name, caller, _) in team.everybody() {
        let high = json!({ "group": team.group, "priority": 5 });
        let input = run_input(&team.workflow, &json!({ "in": team.upload["id"] }), high);
        let answer = caller.answer("startRun", input).await;
        match name {
            "root" => assert_eq!(answer["data"]["it"]["run"]["priority"], 5, "{answer}"),
            _ => assert!(answer["data"]["it"]["run"].is_null(), "{name}: {answer}"),
        }
    }
    // At last those who may delete the group.
    let admin = team.site.admin();
    for (name, caller, role) in team.everybody() {
        if role < 3 {
            refused(
                name,
                &caller
                    .answer("deleteGroup", json!({ "id": team.group }))
                    .await,
            );
        }
    }
    let query = "query($id: ID!) { runs(filter: { groups: [$id] }, first: 500) { nodes { id } } }";
    let data = admin.data(query, json!({ "id": team.group })).await;
    for run in super::lab::texts(&data["runs"]["nodes"], "id") {
        admin.ended(&run).await;
    }
    team.site
        .who("own")
        .told("deleteGroup", json!({ "id": team.group }))
        .await;
    assert!(admin.run(&id(&team.run)).await.is_null());
}

/// Where anybody may read, nobody reads what belongs to groups.
async fn without_an_account(mut lab: Lab) {
    lab.set("LABQL_AUTH__PROTECTION_LEVEL", "NONE");
    let team = Team::open(lab).await;
    let nobody = team.site.nobody();
    for (query, id, hidden) in questions(&team) {
        let answer = nobody.ask(query, json!({ "id": id })).await;
        assert_eq!(answer["data"]["it"], hidden, "{query}: {answer}");
    }
    for url in [&team.run["files"][0]["url"], &team.run["archiveUrl"]] {
        assert_eq!(
            nobody.get(url.as_str().expect("a URL"), &[]).await.status(),
            404
        );
    }
    let mut log = Ear::of_log(&nobody, &id(&team.run), BEGINNING).await;
    assert!(matches!(log.hear().await, Heard::Refused(_)));
    let mut commands = deeds(&team);
    commands.push(("cancelRun", json!({ "id": team.run["id"] }), 2));
    commands.push(("deleteRun", json!({ "id": team.run["id"] }), 2));
    commands.push(("deleteGroup", json!({ "id": team.group }), 3));
    commands.push((
        "createGroup",
        json!({ "workflow": team.workflow, "name": "x" }),
        1,
    ));
    commands.push((
        "registerWorkflow",
        json!({ "source": { "folder": "/" } }),
        9,
    ));
    for (mutation, input, _) in commands {
        let (code, _) = nobody.refused(mutation, input).await;
        assert!(
            ["UNAUTHENTICATED", "FORBIDDEN"].contains(&code.as_str()),
            "{mutation}: {code}"
        );
    }
    let path = format!("/files/uploads?group={}&name=f", team.group);
    assert_eq!(nobody.send(Method::POST, &path, "x").await.status(), 401);
    // Workflows are for all who may read.
    let query = "query($id: ID!) { workflow(id: $id) { name } }";
    let data = nobody.data(query, json!({ "id": team.workflow })).await;
    assert_eq!(data["workflow"]["name"], "Team");
}
