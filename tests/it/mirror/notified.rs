//! Changes that the file system tells of: the interval is so long that it cannot be the reason.

use std::{fs, time::SystemTime};

use labql::demo::autosubmit::JobListForm;
use serde_json::json;

use super::{live::UPDATES, small};
use crate::support::{Lab, Socket, root};

on_both_databases!(changes_are_noticed_without_a_poll);

async fn changes_are_noticed_without_a_poll(mut lab: Lab) {
    let specs = [
        small("a000", JobListForm::Dict),
        small("a001", JobListForm::Sqlite),
    ];
    root::with(&lab.root(), &specs);
    lab.user("ada", &[]);
    lab.import();
    lab.set("LABQL_AUTOSUBMIT__INTERVAL_SECONDS", "3600");
    let path = lab.root();
    let token = lab.token("ada");
    let server = lab.serve_mirroring().await.signed_in(&token);
    let cursor = server.data("{ eventCursor }", json!({})).await["eventCursor"].take();
    let mut socket = Socket::signed_in(&server, &token).await;
    let payload = json!({ "query": UPDATES, "variables": { "after": cursor } });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    let told = async |socket: &mut Socket| {
        let update = socket.hear().await;
        let update = &update["payload"]["data"]["experimentUpdates"];
        update["experiment"]["expid"].as_str().map(str::to_owned)
    };
    let list = |expid: &str| path.join(format!("{expid}/pkl/job_list_{expid}.pkl"));
    let save = |expid: &str| {
        // The same list at another time, written as Autosubmit does.
        let draft = path.join(format!("{expid}/pkl/job_list_{expid}.pkl.tmp"));
        fs::copy(list(expid), &draft).expect("a copy");
        fs::rename(draft, list(expid)).expect("a new list");
    };

    // The first look may find this one.
    save("a000");
    assert_eq!(told(&mut socket).await.as_deref(), Some("a000"));

    root::sql(
        &path.join("a001/db/job_list.db"),
        "UPDATE jobs SET status = 'HELD'",
    );
    assert_eq!(told(&mut socket).await.as_deref(), Some("a001"));
    save("a000");
    assert_eq!(told(&mut socket).await.as_deref(), Some("a000"));
    root::sql(
        &path.join("metadata/data/job_data_a001.db"),
        "UPDATE experiment_run SET completed = completed + 1",
    );
    assert_eq!(told(&mut socket).await.as_deref(), Some("a001"));
    root::sql(
        &path.join("autosubmit.db"),
        "UPDATE experiment SET description = 'another one' WHERE name = 'a000'",
    );
    assert_eq!(told(&mut socket).await.as_deref(), Some("a000"));

    // A folder that goes, and one that comes in its place.
    let (folder, away) = (path.join("a000/pkl"), path.join("a000/elsewhere"));
    fs::rename(&folder, &away).expect("another name");
    assert_eq!(told(&mut socket).await.as_deref(), Some("a000"));
    fs::create_dir(&folder).expect("a folder");
    for entry in fs::read_dir(&away).expect("a folder") {
        let from = entry.expect("an entry").path();
        let name = from.file_name().expect("a name");
        fs::copy(&from, folder.join(name)).expect("a file");
    }
    assert_eq!(told(&mut socket).await.as_deref(), Some("a000"));
    save("a000");
    assert_eq!(told(&mut socket).await.as_deref(), Some("a000"));

    // A log that is written makes a run of it, once; and every further line is no news.
    let statement =
        "UPDATE jobs SET status = 'RUNNING' WHERE name IN (SELECT name FROM jobs LIMIT 1)";
    root::sql(&path.join("a001/db/job_list.db"), statement);
    assert_eq!(told(&mut socket).await.as_deref(), Some("a001"));
    let logs = path.join("a001/tmp/ASLOGS");
    fs::create_dir_all(&logs).expect("a folder");
    let log = logs.join("20990101_000000_run.log");
    fs::write(&log, "running\n").expect("a log");
    assert_eq!(told(&mut socket).await.as_deref(), Some("a001"));
    let status = "{ experiment(expid: \"a001\") { status } }";
    let data = server.data(status, json!({})).await;
    assert_eq!(data["experiment"]["status"], "RUNNING");
    for _ in 0..3 {
        root::set_modified(&log, SystemTime::now());
    }
    save("a000");
    assert_eq!(told(&mut socket).await.as_deref(), Some("a000"));

    // An experiment that is new: of the centre, and then of its files.
    root::write(&path, &small("a002", JobListForm::Dict));
    assert_eq!(told(&mut socket).await.as_deref(), Some("a002"));
    assert_eq!(told(&mut socket).await.as_deref(), Some("a002"));
    save("a002");
    assert_eq!(told(&mut socket).await.as_deref(), Some("a002"));
    assert!(server.stop().await);
}
