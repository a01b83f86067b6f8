//! Foreign SQLite files: locked, busy, damaged, hostile; and that reading leaves no trace.

use std::{fs, os::unix::fs::symlink};

use super::fixture::{Fixture, STRUCTURE, a000, python, wait_for_line};
use labql::experiments::readers::{
    Part, SourceError, read_central, read_history, read_job_list, read_structure, read_wrappers,
};
use proptest::prelude::*;

const FILE: &str = "metadata/structures/structure_a000.db";

#[test]
fn a_whole_root_reads_without_a_trace() {
    let fixture = Fixture::new();
    let before = fixture.listing();
    let record = fixture.read();
    assert_eq!(record.problems, []);
    assert_eq!(record.job_list.expect("a job list").jobs.len(), 3);
    assert_eq!(record.edges.known().expect("edges").len(), 2);
    assert_eq!(fixture.listing(), before);
}

#[test]
fn a_locked_database_is_said_to_be_locked_and_read_later() {
    let fixture = Fixture::new();
    let script = "import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN EXCLUSIVE')
print('locked', flush=True)
sys.stdin.readline()
c.execute('COMMIT')
print('free', flush=True)
sys.stdin.readline()";
    let Some(mut writer) = python(script, &[&fixture.path(FILE)]) else {
        return;
    };
    wait_for_line(&mut writer);
    let error = read_structure(&fixture.root(), &a000()).expect_err("a lock");
    assert!(
        matches!(error, SourceError::Locked) && error.is_transient(),
        "{error}"
    );
    let record = fixture.read();
    assert_eq!(record.problems.len(), 1);
    assert!(record.problems[0].transient);
    assert_eq!(record.job_list.expect("the rest is read").jobs.len(), 3);

    use std::io::Write;
    writer
        .stdin
        .as_mut()
        .expect("input")
        .write_all(b"\n")
        .expect("input");
    wait_for_line(&mut writer);
    assert_eq!(
        read_structure(&fixture.root(), &a000())
            .expect("free")
            .edges
            .len(),
        2
    );
    drop(writer.stdin.take());
    writer.wait().expect("an end");
}

#[test]
fn a_writer_that_prepares_is_not_in_the_way_and_not_rolled_back() {
    let fixture = Fixture::new();
    let script = "import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN IMMEDIATE')
c.execute(\"INSERT INTO experiment_structure VALUES ('x', 'y')\")
print('reserved', flush=True)
sys.stdin.readline()
c.execute('COMMIT')";
    let Some(mut writer) = python(script, &[&fixture.path(FILE)]) else {
        return;
    };
    wait_for_line(&mut writer);
    let before = fixture.listing();
    assert_eq!(
        read_structure(&fixture.root(), &a000())
            .expect("readable")
            .edges
            .len(),
        2
    );
    assert_eq!(fixture.listing(), before);
    drop(writer.stdin.take());
    writer.wait().expect("an end");
    assert_eq!(
        read_structure(&fixture.root(), &a000())
            .expect("readable")
            .edges
            .len(),
        3
    );
}

#[test]
fn a_hot_journal_is_rolled_back_in_the_copy_only() {
    let fixture = Fixture::new();
    let script = "import sqlite3, sys, os
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('PRAGMA cache_size=1')
c.execute('BEGIN EXCLUSIVE')
c.execute('DELETE FROM experiment_structure')
c.executemany('INSERT INTO experiment_structure VALUES (?, ?)', (('a%06d' % i, 'b' * 200) for i in range(5000)))
print('dirty', flush=True)
os._exit(1)";
    let Some(mut writer) = python(script, &[&fixture.path(FILE)]) else {
        return;
    };
    wait_for_line(&mut writer);
    writer.wait().expect("an end");
    assert!(
        fixture
            .path("metadata/structures/structure_a000.db-journal")
            .exists()
    );
    let before = fixture.listing();
    assert_eq!(
        read_structure(&fixture.root(), &a000())
            .expect("readable")
            .edges
            .len(),
        2
    );
    assert_eq!(fixture.listing(), before, "the original keeps its journal");
}

#[test]
fn a_journal_that_names_a_super_journal_is_refused() {
    let fixture = Fixture::new();
    let mut journal = vec![1; 600];
    journal.extend([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    fixture.write("metadata/structures/structure_a000.db-journal", &journal);
    let error = read_structure(&fixture.root(), &a000()).expect_err("refused");
    assert!(matches!(error, SourceError::Hostile(_)), "{error}");
}

#[test]
fn a_write_ahead_log_is_read_without_a_trace() {
    let fixture = Fixture::new();
    let script = "import sqlite3, sys, os
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('PRAGMA journal_mode=WAL')
c.execute(\"INSERT INTO experiment_structure VALUES ('x', 'y')\")
print('logged', flush=True)
os._exit(1)";
    let Some(mut writer) = python(script, &[&fixture.path(FILE)]) else {
        return;
    };
    wait_for_line(&mut writer);
    writer.wait().expect("an end");
    fs::remove_file(fixture.path("metadata/structures/structure_a000.db-shm"))
        .expect("a file to remove");
    let before = fixture.listing();
    assert_eq!(
        read_structure(&fixture.root(), &a000())
            .expect("readable")
            .edges
            .len(),
        3
    );
    assert_eq!(fixture.listing(), before);
}

/// A writer commits without a pause; in each committed state all rows carry the same number.
fn every_copy_is_one_state(mode: &str) {
    let fixture = Fixture::new();
    let script = format!(
        "import sqlite3, sys, threading
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('PRAGMA journal_mode={mode}')
c.execute('PRAGMA synchronous=OFF')
c.execute('PRAGMA wal_autocheckpoint=20')
c.execute('DELETE FROM experiment_structure')
c.executemany('INSERT INTO experiment_structure VALUES (?, ?)', ((str(i), '0') for i in range(3000)))
print('ready', flush=True)
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
n = 0
while not stop.is_set():
    n += 1
    c.execute('UPDATE experiment_structure SET e_to = ?', (str(n),))"
    );
    let Some(mut writer) = python(&script, &[&fixture.path(FILE)]) else {
        return;
    };
    wait_for_line(&mut writer);
    let mut states = std::collections::BTreeSet::new();
    for _ in 0..40 {
        match read_structure(&fixture.root(), &a000()) {
            Ok(structure) => {
                assert_eq!(structure.edges.len(), 3000);
                let first = structure.edges[0].to.clone();
                assert!(
                    structure.edges.iter().all(|edge| edge.to == first),
                    "a mixture of states"
                );
                states.insert(first);
            }
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
    drop(writer.stdin.take());
    writer.wait().expect("an end");
    println!("{mode}: {} states seen", states.len());
    assert!(
        read_structure(&fixture.root(), &a000()).is_ok(),
        "readable once the writer is gone"
    );
}

#[test]
fn every_copy_is_one_state_with_a_rollback_journal() {
    every_copy_is_one_state("DELETE");
}

#[test]
fn every_copy_is_one_state_with_a_write_ahead_log() {
    every_copy_is_one_state("WAL");
}

#[test]
fn damaged_files_are_one_clear_error() {
    let fixture = Fixture::new();
    let whole = fs::read(fixture.path(FILE)).expect("a database");
    let message = |content: &[u8]| {
        fixture.write(FILE, content);
        let record = fixture.read();
        assert_eq!(record.job_list.expect("the rest is read").jobs.len(), 3);
        assert_eq!(record.problems.len(), 1);
        assert!(!record.problems[0].transient);
        record.problems[0].message.clone()
    };
    assert_eq!(message(b""), "the file is damaged: it is empty");
    assert_eq!(
        message(b"hello"),
        "the file is not what is expected here: not an SQLite database"
    );
    assert_eq!(
        message(&[0; 5000]),
        "the file is not what is expected here: not an SQLite database"
    );
    assert_eq!(
        message(&whole[..50]),
        "the file is damaged: it ends within its header"
    );
    assert!(message(&whole[..whole.len() - 4096]).contains("cut off"));
    for length in (1..whole.len()).step_by(97) {
        message(&whole[..length]);
    }
    let mut noise = whole.clone();
    for (index, byte) in noise.iter_mut().enumerate().skip(100) {
        *byte = u8::try_from(index * 7919 % 251).expect("a byte");
    }
    message(&noise);
}

#[test]
fn foreign_databases_are_one_clear_error() {
    let fixture = Fixture::new();
    let root = fixture.root();
    let refused = |sql: &str, expected: &str| {
        fs::remove_file(fixture.path(FILE)).expect("a file to remove");
        fixture.database(FILE, sql);
        let error = read_structure(&root, &a000()).expect_err("foreign");
        assert!(matches!(error, SourceError::Foreign(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused("CREATE TABLE something(x)", "no table experiment_structure");
    refused(
        "CREATE TABLE experiment_structure(a, b)",
        "no column e_from",
    );
    refused(
        "CREATE TABLE t(a, b); CREATE VIEW experiment_structure AS SELECT a AS e_from, b AS e_to FROM t",
        "ordinary",
    );
    refused(
        "CREATE VIRTUAL TABLE experiment_structure USING fts5(e_from, e_to)",
        "ordinary",
    );
    refused(
        "CREATE TABLE experiment_structure(e_to, e_from AS (hex(zeroblob(100000000))))",
        "no column e_from",
    );
    assert!(matches!(
        read_history(&root, &a000()),
        Err(SourceError::Missing)
    ));
    assert!(matches!(
        read_wrappers(&root, &a000()),
        Err(SourceError::Missing)
    ));
}

#[test]
fn bad_rows_are_named_and_the_others_kept() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("a000/pkl/job_list_a000.pkl")).expect("a file to remove");
    fixture.database(
        "a000/db/job_list.db",
        "CREATE TABLE jobs(name, id, priority, status, section, chunk, member, splits, split, date, modified);
         INSERT INTO jobs VALUES
            ('a000_A', 9223372036854775807, 1, 'COMPLETED', 'A', 1, 'fc0', 2, 1, '2020-01-01T00:00:00', '2026-11-22 05:58:00'),
            ('a000_B', 1, 1, 'DANCING', 'B', 1, 'fc0', -1, -1, NULL, '2026-11-22 06:58:00'),
            (NULL, 1, 1, 'READY', 'C', 1, 'fc0', -1, -1, NULL, NULL),
            ('a000_D', 1, 1, 'READY', 'D', 'many', 'fc0', -1, -1, NULL, NULL),
            ('a000_E', 'x', 1, x'00ff', 'E', 1, 'fc0', -1, -1, NULL, NULL),
            ('a000_F', -5, 1e300, 'FAILED', 'F', 1, 'fc0', -1, -1, NULL, NULL),
            ('a000_G', 0, 3, 'FAILED', 'G', 1, 0, -1, -1, NULL, 'yesterday');",
    );
    let list = read_job_list(&fixture.root(), &a000(), Some("4.2.0")).expect("a job list");
    let names: Vec<_> = list.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["a000_A", "a000_G"]);
    assert_eq!(list.jobs[0].splits, Some(2));
    assert_eq!(list.jobs[1].splits, None);
    assert_eq!(list.jobs[1].member.as_deref(), Some("0"));
    assert_eq!(
        list.modified_at.expect("a time").to_rfc3339(),
        "2026-11-22T05:58:00+00:00"
    );
    let messages: Vec<_> = list
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "jobs, row 2: a000_B: unknown status DANCING",
            "jobs, row 3: name is missing",
            "jobs, row 4: a000_D: chunk is not a whole number",
            "jobs, row 5: a000_E: status is a blob, not text",
            "jobs, row 6: a000_F: priority is not a whole number",
        ]
    );
}

#[test]
fn central_rows_may_be_missing_doubled_or_hostile() {
    let fixture = Fixture::new();
    fixture.database(
        "autosubmit.db",
        "INSERT INTO experiment VALUES (2, '../../etc', 'climbs', '4.1.0'), (3, 'A000', 'capitals', ''),
            (4, 'o123', 'no details', NULL), (5, 'a000', 'again', '4.1.0');
         INSERT INTO details VALUES (1, 'old', '2024-01-08 14:52:35', '', 'x', 'y'),
            (1, 'ann', '2026-11-22T05:44:27+01:00', '', 'master', 'LOCAL'), (99, 'nobody', '', '', '', '');",
    );
    fixture.database(
        "as_times.db",
        "CREATE TABLE experiment_status(exp_id, name, status, seconds_diff, modified);
         INSERT INTO experiment_status VALUES (1, 'a000', 'NOT RUNNING', 0, 'x'),
            (1, 'a000', 'RUNNING', 0, '2024-04-12-13:00:40+00:00');",
    );
    let central = read_central(&fixture.root()).expect("central databases");
    let expids: Vec<_> = central
        .experiments
        .iter()
        .map(|experiment| experiment.expid.as_str())
        .collect();
    assert_eq!(expids, ["a000", "o123"]);
    let first = &central.experiments[0];
    let details = first.details.present().expect("details");
    assert_eq!(details.owner.as_deref(), Some("ann"));
    assert_eq!(details.model, None);
    assert_eq!(
        details.created_at.expect("a time").to_rfc3339(),
        "2026-11-22T04:44:27+00:00"
    );
    assert_eq!(first.running, Part::Present(true));
    assert_eq!(central.experiments[1].running, Part::Missing);
    assert_eq!(central.experiments[1].announced_at, None);
    assert_eq!(central.problems.len(), 3);
}

#[test]
fn broken_side_databases_leave_the_list_of_experiments() {
    let fixture = Fixture::new();
    fixture.write("as_times.db", b"nonsense");
    let central = read_central(&fixture.root()).expect("central databases");
    assert_eq!(central.experiments.len(), 1);
    assert_eq!(central.problems[0].source, "as_times.db");
    assert_eq!(central.experiments[0].running, Part::Broken);
    fixture.write("autosubmit.db", b"nonsense");
    assert!(matches!(
        read_central(&fixture.root()),
        Err(SourceError::Foreign(_))
    ));
}

#[test]
fn what_is_not_a_file_of_the_root_is_refused() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().expect("a folder");
    let target = outside.path().join("secret.db");
    fs::copy(fixture.path(FILE), &target).expect("a copy");
    fs::remove_file(fixture.path(FILE)).expect("a file to remove");

    symlink(&target, fixture.path(FILE)).expect("a link");
    let error = read_structure(&fixture.root(), &a000()).expect_err("outside");
    assert_eq!(
        error.to_string(),
        "the path is refused: a symbolic link leads out of the root"
    );
    let allowed = fixture.root().allow(outside.path()).expect("a folder");
    assert_eq!(
        read_structure(&allowed, &a000())
            .expect("allowed")
            .edges
            .len(),
        2
    );

    fs::remove_file(fixture.path(FILE)).expect("a link to remove");
    fs::create_dir(fixture.path(FILE)).expect("a folder");
    let error = read_structure(&fixture.root(), &a000()).expect_err("a folder");
    assert!(matches!(error, SourceError::Foreign(_)), "{error}");

    fs::remove_dir(fixture.path(FILE)).expect("a folder to remove");
    if std::process::Command::new("mkfifo")
        .arg(fixture.path(FILE))
        .status()
        .is_ok_and(|status| status.success())
    {
        let error = read_structure(&fixture.root(), &a000()).expect_err("a pipe");
        assert!(matches!(error, SourceError::Foreign(_)), "{error}");
    }
}

#[test]
fn triggers_and_hostile_schemas_do_nothing() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path(FILE)).expect("a file to remove");
    fixture.database(
        FILE,
        &format!("{STRUCTURE} CREATE INDEX i ON experiment_structure(e_to) WHERE e_to LIKE 'a%';
            CREATE TRIGGER t INSERT ON experiment_structure BEGIN DELETE FROM experiment_structure; END;"),
    );
    assert_eq!(
        read_structure(&fixture.root(), &a000())
            .expect("harmless")
            .edges
            .len(),
        2
    );
}

#[test]
fn histories_of_all_versions_are_read_by_their_columns() {
    let fixture = Fixture::new();
    let file = "metadata/data/job_data_a000.db";
    // As old as they come, with `modified` added at the end by an upgrade.
    fixture.database(
        file,
        "CREATE TABLE experiment_run(run_id INTEGER PRIMARY KEY, created TEXT, start INTEGER, finish INTEGER,
            chunk_unit TEXT, chunk_size INTEGER, completed INTEGER, total INTEGER, failed INTEGER, queuing INTEGER,
            running INTEGER, submitted INTEGER, modified TEXT);
         CREATE TABLE job_data(id INTEGER PRIMARY KEY, counter INTEGER, job_name TEXT, created TEXT, modified TEXT,
            submit INTEGER, start INTEGER, finish INTEGER, status TEXT, rowtype INTEGER, ncpus INTEGER, wallclock TEXT,
            qos TEXT, energy INTEGER, date TEXT, section TEXT, member TEXT, chunk INTEGER, last INTEGER, platform TEXT,
            job_id INTEGER, extra_data TEXT, nnodes INTEGER, run_id INTEGER);
         INSERT INTO experiment_run VALUES (2, '2024-01-08-14:52:35', 0, NULL, 'month', 1, 0, 3, 0, 0, 0, 0, NULL),
            (1, '2024-01-08T14:52:35+0100', 1700000000, 1700000100, 'month', 1, 0, 3, 0, 0, 0, 0, '2024-01-08 14:52:35');
         INSERT INTO job_data VALUES (1, 0, 'a000_SIM', '', '', 1700000000, 0, 0, 'SUBMITTED', 2, 4, '00:30', 'q', 12.5,
            '2020-01-01 00:00:00', 'SIM', 'fc0', 0, 1, 'MN5', 77, '', 1, NULL),
            (2, 1, 'a000_SIM', '', '', 9223372036854775807, -1, 0, 'WEIRD', 2, 4, '', '', 'x', '', '', '', 0, 1, '', 0,
            '', 1, 1);",
    );
    let history = read_history(&fixture.root(), &a000()).expect("a history");
    let [first, second] = history.runs.known().unwrap_or_default() else {
        panic!("{:?}", history.runs)
    };
    assert_eq!(
        first.created_at.expect("a time").to_rfc3339(),
        "2024-01-08T13:52:35+00:00"
    );
    assert_eq!(
        second.created_at.expect("a time").to_rfc3339(),
        "2024-01-08T14:52:35+00:00"
    );
    assert_eq!(
        (second.started_at, second.finished_at, second.modified_at),
        (None, None, None)
    );
    assert_eq!(
        first.finished_at.expect("a time").timestamp(),
        1_700_000_100
    );
    let [attempt] = history.attempts.known().unwrap_or_default() else {
        panic!("{:?}", history.attempts)
    };
    assert_eq!(
        (attempt.energy, attempt.chunk, attempt.run_id),
        (Some(12.5), None, None)
    );
    assert_eq!((attempt.started_at, attempt.out.as_deref()), (None, None));
    assert_eq!(
        attempt.date.expect("a date").to_string(),
        "2020-01-01 00:00:00"
    );
    assert_eq!(history.problems.len(), 1);
    assert_eq!(
        history.problems[0].message,
        "job_data, row 2: a000_SIM: energy is not a number"
    );
    // The newest columns.
    fixture.database(
        file,
        "ALTER TABLE experiment_run ADD metadata TEXT;
         UPDATE experiment_run SET metadata = '{\"AUTOSUBMIT\": {\"WORKFLOW_COMMIT\": \"abc\"}}' WHERE run_id = 1;
         UPDATE experiment_run SET metadata = 'not JSON' WHERE run_id = 2;
         ALTER TABLE job_data ADD split INTEGER; ALTER TABLE job_data ADD children TEXT;
         DELETE FROM job_data WHERE id = 2; UPDATE job_data SET split = 2, children = 'a, b,'",
    );
    let history = read_history(&fixture.root(), &a000()).expect("a history");
    let runs = history.runs.known().expect("runs");
    assert_eq!(runs[0].workflow_commit.as_deref(), Some("abc"));
    assert_eq!(runs[1].workflow_commit, None);
    assert_eq!(
        history.attempts.known().expect("attempts")[0].split,
        Some(2)
    );
}

#[test]
fn wrappers_of_all_schemas_are_read() {
    let fixture = Fixture::new();
    let file = "a000/pkl/job_packages_a000.db";
    let read = |sql: &str| {
        fixture.database(file, sql);
        let wrappers = read_wrappers(&fixture.root(), &a000()).expect("wrappers");
        assert_eq!(wrappers.problems, []);
        wrappers.wrappers
    };
    let old = read(
        "CREATE TABLE job_package(exp_id, package_name, job_name, wallclock);
         CREATE TABLE wrapper_job_package(exp_id, package_name, job_name);
         INSERT INTO wrapper_job_package VALUES ('a000', 'a000_ASThread_17_4_2', 'a000_B'),
            ('a000', 'a000_ASThread_17_4_2', 'a000_A');",
    );
    assert_eq!(old.len(), 1);
    assert_eq!(old[0].job_names, ["a000_B", "a000_A"]);
    let real =
        read("INSERT INTO job_package VALUES ('a000', 'a000_ASThread_18_4_2', 'a000_A', '01:00')");
    assert_eq!(real.len(), 1);
    assert_eq!(real[0].name, "a000_ASThread_18_4_2");
    let new = read(
        "CREATE TABLE wrappers_info(name, id, status, platform_name, wallclock, num_processors, type, sections, method);
         CREATE TABLE wrappers_jobs(package_id, package_name, job_name, timestamp, run_id);
         INSERT INTO wrappers_info VALUES ('a000_ASThread_SIM_19_768_4', 1, 'WAITING', 'MN5', '02:00', 768, 'vertical',
            'SIM', 'ASTHREAD'), ('without jobs', 2, 'WAITING', '', '', 1, '', '', '');
         INSERT INTO wrappers_jobs VALUES (1, 'a000_ASThread_SIM_19_768_4', 'a000_A', '', 3);",
    );
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].name, "a000_ASThread_SIM_19_768_4");
}

#[test]
fn the_sqlite_form_replaces_an_old_structure_database() {
    let fixture = Fixture::new();
    fixture.database(
        "a000/db/job_list.db",
        "CREATE TABLE jobs(name, status);
         CREATE TABLE experiment_structure(e_from, e_to, min_trigger_status, completion_status, from_step, fail_ok);
         INSERT INTO jobs VALUES ('a000_INI', 'COMPLETED'), ('a000_SIM', 'running');
         INSERT INTO experiment_structure VALUES ('a000_INI', 'a000_SIM', 'COMPLETED', 'WAITING', 0, 1),
            ('a000_INI', 'gone', NULL, NULL, NULL, NULL);",
    );
    // Both lists are there: the version decides.
    assert_eq!(fixture.read().job_list.expect("a list").jobs.len(), 3);
    fixture.database(
        "autosubmit.db",
        "UPDATE experiment SET autosubmit_version = '4.10.0b1'",
    );
    let record = fixture.read();
    assert_eq!(record.job_list.expect("a list").jobs.len(), 2);
    let [edge] = record.edges.known().unwrap_or_default() else {
        panic!("{:?}", record.edges)
    };
    assert_eq!(
        (edge.from.as_str(), edge.to.as_str()),
        ("a000_INI", "a000_SIM")
    );
    assert_eq!(record.problems, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn changed_databases_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
    ) {
        let fixture = Fixture::new();
        let mut bytes = fs::read(fixture.path(FILE)).expect("a database");
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fixture.write(FILE, &bytes);
        if let Err(error) = read_structure(&fixture.root(), &a000()) {
            prop_assert!(!error.is_transient(), "{}", error);
        }
    }
}
