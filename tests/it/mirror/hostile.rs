//! Broken and hostile sources: each is named with its reason, and harms nothing else.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Child, Command, Stdio},
};

use labql::demo::autosubmit::JobListForm;
use serde_json::json;

use super::{experiment, expids, problems, small};
use crate::support::{Lab, root};

on_both_databases!(every_broken_source_is_named, central_databases_may_break);

/// Pickles that would run a command.
fn hostile_pickles(marker: &Path) -> Vec<Vec<u8>> {
    let command = format!("touch {}", marker.display());
    let text_form = format!("cos\nsystem\n(S'{command}'\ntR.");
    let instance_form = format!("(S'{command}'\nios\nsystem\n.");
    let mut stack_form = b"\x80\x04\x8c\x02os\x8c\x06system\x93X".to_vec();
    stack_form.extend(
        u32::try_from(command.len())
            .expect("a short text")
            .to_le_bytes(),
    );
    stack_form.extend(command.as_bytes());
    stack_form.extend(b"\x85R.");
    vec![
        text_form.into_bytes(),
        instance_form.into_bytes(),
        stack_form,
    ]
}

/// A Python that holds an exclusive lock on a database until it is dropped; none if there is no Python.
struct Lock(Child);

impl Lock {
    fn take(database: &Path) -> Option<Self> {
        let script = "import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN EXCLUSIVE')
print('locked', flush=True)
sys.stdin.readline()";
        let child = Command::new("python3")
            .args(["-c", script])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: no python3");
            return None;
        };
        let mut line = String::new();
        let output = child.stdout.take().expect("an output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)
            .expect("a line");
        assert_eq!(line, "locked\n");
        Some(Self(child))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn every_broken_source_is_named(lab: Lab) {
    let forms = [
        ("good", JobListForm::Dict),
        ("zero", JobListForm::Dict),
        ("trun", JobListForm::Graph),
        ("garb", JobListForm::Tuples),
        ("hos0", JobListForm::Text),
        ("hos1", JobListForm::Tuples),
        ("hos2", JobListForm::Dict),
        ("lock", JobListForm::Dict),
        ("lis2", JobListForm::Sqlite),
        ("corr", JobListForm::Dict),
        ("fore", JobListForm::Dict),
        ("miss", JobListForm::Dict),
        ("fold", JobListForm::Dict),
        ("link", JobListForm::Dict),
        ("yaml", JobListForm::Dict),
    ];
    let specs: Vec<_> = forms.map(|(expid, form)| small(expid, form)).into();
    let written = root::with(&lab.root(), &specs);
    let path = |name: &str| lab.root().join(name);
    let list = |expid: &str| path(&format!("{expid}/pkl/job_list_{expid}.pkl"));
    let history = |expid: &str| path(&format!("metadata/data/job_data_{expid}.db"));
    let structure = |expid: &str| path(&format!("metadata/structures/structure_{expid}.db"));
    let marker = lab.path("marker");

    fs::write(list("zero"), b"").expect("a file");
    let whole = fs::read(list("trun")).expect("a list");
    fs::write(list("trun"), &whole[..whole.len() / 2]).expect("a file");
    fs::write(list("garb"), [0xfe; 4096]).expect("a file");
    for (number, pickle) in hostile_pickles(&marker).into_iter().enumerate() {
        fs::write(list(&format!("hos{number}")), pickle).expect("a file");
    }
    fs::write(
        path("lis2/db/job_list.db"),
        b"SQLite format 3\0 but no more",
    )
    .expect("a file");
    let mut damaged = fs::read(history("corr")).expect("a history");
    damaged.truncate(8192);
    damaged[4096..].fill(0xff);
    fs::write(history("corr"), damaged).expect("a file");
    fs::remove_file(structure("fore")).expect("no file");
    root::sql(&structure("fore"), "CREATE TABLE recipes (name TEXT)");
    fs::remove_file(history("miss")).expect("no file");
    fs::remove_file(list("miss")).expect("no file");
    // A folder where a file belongs, and one that may not be read (which the superuser always may).
    fs::remove_file(list("fold")).expect("no file");
    fs::create_dir(list("fold")).expect("a folder");
    let closed = path("fold/conf");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("a mode");
    let is_closed = fs::read_dir(&closed).is_err();
    // A list elsewhere is none of this root.
    fs::write(lab.path("secret.pkl"), b"(lp0\n.").expect("a file");
    fs::remove_file(list("link")).expect("no file");
    symlink(lab.path("secret.pkl"), list("link")).expect("a link");
    fs::write(path("yaml/conf/zz.yml"), b"JOBS: {SIM: [unclosed").expect("a file");
    root::sql(
        &path("autosubmit.db"),
        "INSERT INTO experiment (id, name, description, autosubmit_version)
         VALUES (900, '../../etc', 'out of the root', '4.1.17'), (901, '', '', ''), (902, 'a/b', x'ff', NULL)",
    );
    let lock = Lock::take(&structure("lock"));

    let before = root::listing(&lab.root());
    let report = lab.import();
    assert_eq!(
        root::listing(&lab.root()),
        before,
        "reading has changed the root"
    );
    drop(lock);
    assert!(!marker.exists(), "a pickle has run a command");
    let server = lab.serve_signed_in().await;

    let mut all: Vec<_> = forms.iter().map(|(expid, _)| (*expid).to_owned()).collect();
    all.sort();
    assert_eq!(expids(&server, json!({})).await, all);
    let good = experiment(&server, "good").await;
    assert_eq!(good["jobs"]["totalCount"], written[0].jobs);
    assert_eq!(good["sourceProblems"], json!([]));

    let found = problems(&server).await;
    assert_eq!(report["problems"], found.len());
    let mut expected = vec![
        (Some("zero"), "zero/pkl/job_list_zero.pkl", "empty"),
        (Some("trun"), "trun/pkl/job_list_trun.pkl", "cut off"),
        (Some("garb"), "garb/pkl/job_list_garb.pkl", "not a pickle"),
        (Some("hos0"), "hos0/pkl/job_list_hos0.pkl", "not a job list"),
        (Some("hos1"), "hos1/pkl/job_list_hos1.pkl", "not a job list"),
        (Some("hos2"), "hos2/pkl/job_list_hos2.pkl", "not a job list"),
        (Some("lis2"), "lis2/db/job_list.db", "damaged"),
        (Some("corr"), "metadata/data/job_data_corr.db", "cut off"),
        (
            Some("fore"),
            "metadata/structures/structure_fore.db",
            "experiment_structure",
        ),
        (
            Some("fold"),
            "fold/pkl/job_list_fold.pkl",
            "not a regular file",
        ),
        (
            Some("link"),
            "link/pkl/job_list_link.pkl",
            "leads out of the root",
        ),
        (Some("yaml"), "yaml/conf/zz.yml", "line 2"),
        (Some("miss"), "miss/pkl/job_list_miss.pkl", "does not exist"),
        (
            None,
            "autosubmit.db",
            "\"../../etc\" is not an experiment identifier",
        ),
        (None, "autosubmit.db", "name is missing"),
    ];
    if is_closed {
        expected.push((Some("fold"), "fold/conf", ""));
    }
    if Command::new("python3").arg("--version").output().is_ok() {
        expected.push((
            Some("lock"),
            "metadata/structures/structure_lock.db",
            "lock",
        ));
    }
    for (expid, source, reason) in expected {
        let known = found.iter().any(|(owner, file, message)| {
            owner.as_deref() == expid && file == source && message.contains(reason)
        });
        assert!(known, "{source} ({reason}) is not among {found:#?}");
    }
    for (_, source, message) in &found {
        let inside = lab.root().display().to_string();
        assert!(
            !source.contains(&inside) && !message.contains(&inside),
            "{source}: {message}"
        );
    }

    // When the lock is gone the next pass reads it, though nothing else has changed.
    lab.import();
    assert_eq!(
        experiment(&server, "lock").await["sourceProblems"],
        json!([])
    );
    assert!(!marker.exists());
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("a mode");
}

async fn central_databases_may_break(lab: Lab) {
    root::with(
        &lab.root(),
        &[
            small("a000", JobListForm::Dict),
            small("a001", JobListForm::Text),
        ],
    );
    lab.import();
    let server = lab.serve_signed_in().await;
    let whole = experiment(&server, "a000").await;
    let central = lab.root().join("autosubmit.db");
    let good = fs::read(&central).expect("a database");
    let foreign = lab.path("foreign.db");
    root::sql(&foreign, "CREATE TABLE recipes (name TEXT)");
    for (name, broken) in [
        ("zero bytes", Some(Vec::new())),
        ("garbage", Some(vec![0xfe; 4096])),
        ("foreign", Some(fs::read(&foreign).expect("a database"))),
        ("missing", None),
    ] {
        match &broken {
            Some(bytes) => fs::write(&central, bytes).expect("a file"),
            None => fs::remove_file(&central).expect("no file"),
        }
        let before = root::listing(&lab.root());
        let report = lab.import();
        assert_eq!(
            root::listing(&lab.root()),
            before,
            "{name}: reading has changed the root"
        );
        assert_eq!(
            (&report["archived"], &report["problems"]),
            (&json!(0), &json!(1)),
            "{name}"
        );
        let found = problems(&server).await;
        let (expid, source, message) = &found[0];
        assert_eq!(
            (expid.as_deref(), source.as_str()),
            (None, "autosubmit.db"),
            "{name}"
        );
        assert!(!message.is_empty());
        assert_eq!(expids(&server, json!({})).await, ["a000", "a001"], "{name}");
        assert_eq!(experiment(&server, "a000").await, whole, "{name}");
    }
    fs::write(&central, &good).expect("a file");
    if let Some(lock) = Lock::take(&central) {
        lab.import();
        let found = problems(&server).await;
        assert!(found[0].2.contains("lock"), "{found:?}");
        assert_eq!(expids(&server, json!({})).await, ["a000", "a001"]);
        drop(lock);
    }
    let report = lab.import();
    assert_eq!(report["problems"], 0);
    assert_eq!(problems(&server).await, []);

    // Without the table of states nobody runs, and everything else is there.
    fs::write(lab.root().join("as_times.db"), [0xfe; 4096]).expect("a file");
    lab.import();
    let found = problems(&server).await;
    assert_eq!(
        (found.len(), found[0].1.as_str()),
        (1, "as_times.db"),
        "{found:?}"
    );
    assert_eq!(expids(&server, json!({})).await, ["a000", "a001"]);
}
