//! Pickles: Python's own, damaged ones and hostile ones.

use std::{fs, io::Write};

use super::fixture::{Fixture, a000, jobs, python, text, tuple};
use labql::experiments::{
    readers::{
        JobListForm, SourceError,
        pickle::{Item, Pickle, PickleErrorKind, Value, Walk},
        read_job_list,
    },
    status::JobStatus,
};
use proptest::prelude::*;

const FILE: &str = "a000/pkl/job_list_a000.pkl";

/// A pickled value as JSON; what JSON does not know is tagged.
fn json(item: Item<'_, '_, '_>) -> serde_json::Value {
    match item.value() {
        Value::None => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Str(text) => text.as_ref().into(),
        Value::List(_) => item
            .elements()
            .expect("elements")
            .into_iter()
            .map(json)
            .collect(),
        Value::Dict(_) => {
            let entries = item.entries().expect("entries");
            let entries = entries
                .into_iter()
                .map(|(key, value)| (key.str().expect("a key").to_owned(), json(value)));
            serde_json::Value::Object(entries.collect())
        }
        other => panic!("{other:?}"),
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1000_i64..1000).prop_map(Into::into),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        "[\\\\'\"\\n\\r\\tuU0-9é\\x00-\\xff]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::Array),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn what_python_pickles_comes_back() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let values: Vec<_> = (0..300)
        .map(|_| {
            json_value()
                .new_tree(&mut runner)
                .expect("a value")
                .current()
        })
        .collect();
    // Each value is there twice, so that memos are used.
    let script = "import json, pickle, sys
for value in json.load(sys.stdin):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        print(pickle.dumps([value, value, (value,)][:2], protocol).hex())
        print(pickle._dumps([value, value], protocol).hex())";
    let Some(mut child) = python(script, &[]) else {
        return;
    };
    let mut input = child.stdin.take().expect("input");
    let sent = serde_json::to_vec(&values).expect("JSON");
    let writer = std::thread::spawn(move || input.write_all(&sent));
    let output = child.wait_with_output().expect("output");
    writer.join().expect("a thread").expect("input");
    let output = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len() % values.len(), 0);
    let each = lines.len() / values.len();
    assert!(each >= 12);
    for (index, line) in lines.iter().enumerate() {
        let bytes: Vec<u8> = (0..line.len() / 2)
            .map(|at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).expect("hex"))
            .collect();
        let pickle = Pickle::parse(&bytes).expect("a pickle");
        let walk = Walk::new(&pickle);
        let value = &values[index / each];
        assert_eq!(
            json(walk.root()),
            serde_json::json!([value, value]),
            "line {index}"
        );
        assert!(!walk.exhausted());
    }
}

/// Reads everything that a job list reader would.
fn exercise(bytes: &[u8]) {
    let Ok(pickle) = Pickle::parse(bytes) else {
        return;
    };
    assert!(pickle.len() <= 2 * bytes.len());
    let walk = Walk::new(&pickle);
    let mut waiting = vec![walk.root()];
    let mut steps = 0;
    while let Some(item) = waiting.pop() {
        steps += 1;
        if walk.exhausted() || steps > 10_000 {
            break;
        }
        let _ = (item.text(), item.int(), item.class(), item.datetime());
        waiting.extend(item.elements().unwrap_or_default());
        waiting.extend(
            item.entries()
                .unwrap_or_default()
                .into_iter()
                .flat_map(|(key, value)| [key, value]),
        );
        waiting.extend(item.state());
    }
}

const OPCODES: &[u8] =
    b"(.012FIJKLMNPQRSTUVXabcdegh]jloprqstu})Gi\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\
    BC\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98\n0 1\x00\x01\xff";

proptest! {
    #[test]
    fn any_bytes_are_a_pickle_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&bytes);
    }

    #[test]
    fn any_opcodes_are_a_pickle_or_an_error(
        bytes in prop::collection::vec(prop::sample::select(OPCODES), 0..400),
    ) {
        exercise(&bytes);
    }

    #[test]
    fn changed_pickles_are_a_pickle_or_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = jobs();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        exercise(&bytes);
    }
}

#[test]
fn a_job_list_cut_anywhere_is_one_error() {
    let fixture = Fixture::new();
    let whole = jobs();
    for length in 0..whole.len() {
        fixture.write(FILE, &whole[..length]);
        let problems = fixture.problems(FILE);
        assert_eq!(problems.len(), 1, "at {length}");
        let expected = if length == 0 {
            "the file is damaged: it is empty"
        } else {
            "cut off"
        };
        assert!(
            problems[0].contains(expected),
            "at {length}: {}",
            problems[0]
        );
    }
    fixture.write(FILE, &[whole.as_slice(), b"trailing"].concat());
    assert_eq!(fixture.problems(FILE), [""; 0]);
}

#[test]
fn bad_jobs_are_named_and_the_others_kept() {
    let fixture = Fixture::new();
    let mut pickle = b"\x80\x02](".to_vec();
    pickle.extend(tuple("a000_A", 5, "A"));
    pickle.extend(tuple("a000_B", 77, "B"));
    pickle.extend(tuple("", 5, "C"));
    pickle.extend(b"K\x01");
    pickle.extend(tuple("a000_A", 4, "A"));
    // Ids and priorities beyond 64 bits.
    pickle.extend(b"(X\x06\x00\x00\x00a000_DL99999999999999999999999999L\nK\x05\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
    pickle.extend(b"NNNL-9223372036854775808L\nNNNNNt");
    pickle.extend(b"e.");
    fixture.write(FILE, &pickle);
    let list = read_job_list(&fixture.root(), &a000(), None).expect("a job list");
    assert_eq!(list.form, JobListForm::Tuples13);
    let names: Vec<_> = list.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["a000_A", "a000_D"]);
    assert_eq!(
        (
            list.jobs[1].remote_id,
            list.jobs[1].priority,
            list.jobs[1].chunk
        ),
        (None, None, None)
    );
    let messages: Vec<_> = list
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "a000_B: unknown status 77",
            "job 2 has no name or no status",
            "job 3 is not a tuple of at least 12 fields",
            "a000_D: priority is not a whole number",
            "a000_A comes twice",
        ]
    );
}

#[test]
fn the_dictionary_form_is_read() {
    let fixture = Fixture::new();
    let script = "import pickle, sys, datetime, collections
class Log: pass
job = {'_name': 'a000_20200101_fc0_1_2_SIM', 'id': '123', '_status': -1, 'priority': 3, '_section': 'SIM',
    'date': datetime.datetime(2020, 1, 1, 6), '_member': 'fc0', '_chunk': 1, '_split': 2, '_splits': 4,
    '_local_logs': ('o', 'e'), '_remote_logs': None, 'wrapper_type': None, 'platform_name': 'LOCAL',
    '_wallclock': '00:30', 'workflow_commit': 'abc', '_fail_count': 1, 'other': {1: {2, 3}, (4,): frozenset([b'5'])}}
jobs = collections.OrderedDict if sys.argv[2].endswith('o') else dict
for protocol in range(6):
    open(sys.argv[1] + str(protocol), 'wb').write(pickle.dumps(dict({job['_name']: jobs(job)}), protocol))";
    for kind in ["d", "o"] {
        let Some(child) = python(script, &[&fixture.path(FILE), kind.as_ref()]) else {
            return;
        };
        assert!(child.wait_with_output().expect("an end").status.success());
        for protocol in 0..6 {
            fs::rename(
                fixture.path(&format!("{FILE}{protocol}")),
                fixture.path(FILE),
            )
            .expect("a file");
            let list = read_job_list(&fixture.root(), &a000(), Some("4.1.17")).expect("a job list");
            assert_eq!(list.problems, [], "protocol {protocol}");
            assert_eq!(list.form, JobListForm::Dict);
            let job = &list.jobs[0];
            assert_eq!(
                (job.status, job.remote_id, job.priority),
                (JobStatus::Failed, Some(123), Some(3))
            );
            assert_eq!(
                job.date.expect("a date").to_string(),
                "2020-01-01 06:00:00",
                "protocol {protocol}"
            );
            assert_eq!(
                (job.chunk, job.split, job.splits),
                (Some(1), Some(2), Some(4))
            );
            assert_eq!(job.out_local.as_deref(), Some("o"));
            assert_eq!(
                (job.wallclock.as_deref(), job.workflow_commit.as_deref()),
                (Some("00:30"), Some("abc"))
            );
        }
    }
}

#[test]
fn hostile_pickles_run_nothing() {
    let fixture = Fixture::new();
    let marker = fixture.path("marker");
    let command = format!("touch {}", marker.display());
    let text_form = format!("cos\nsystem\n(S'{command}'\ntR.");
    let instance_form = format!("(S'{command}'\nios\nsystem\n.");
    let mut stack_form = b"\x80\x04".to_vec();
    text(&mut stack_form, "os");
    text(&mut stack_form, "system");
    stack_form.push(0x93);
    text(&mut stack_form, &command);
    stack_form.extend(b"\x85R.");
    for pickle in [text_form.as_bytes(), instance_form.as_bytes(), &stack_form] {
        fixture.write(FILE, pickle);
        let error = read_job_list(&fixture.root(), &a000(), None).expect_err("not a job list");
        assert!(matches!(error, SourceError::Foreign(_)), "{error}");
        assert!(!marker.exists());
    }
    // As a field of a job it is merely not what belongs there.
    let field = format!("(lp0\n(cos\nsystem\n(S'{command}'\ntRI0\nI0\nI0\nS'S'\nNNNNNNNta.");
    fixture.write(FILE, field.as_bytes());
    let list = read_job_list(&fixture.root(), &a000(), None).expect("a list");
    assert_eq!((list.jobs.len(), list.problems.len()), (0, 1));
    assert!(!marker.exists());
}

#[test]
fn bombs_cost_no_more_than_their_size() {
    let kind = |bytes: &[u8]| Pickle::parse(bytes).expect_err("an error").kind;
    // Deep nesting, of marks, lists and tuples.
    assert_eq!(kind(&b"(".repeat(100_000)), PickleErrorKind::Truncated);
    let mut deep = b"]".repeat(100_000);
    deep.extend(b"a".repeat(99_999));
    deep.push(b'.');
    exercise(&deep);
    let mut deep = b")".to_vec();
    deep.extend(b"\x85".repeat(100_000));
    deep.push(b'.');
    exercise(&deep);
    // Lengths that are not there.
    assert_eq!(kind(b"X\xff\xff\xff\xff"), PickleErrorKind::Truncated);
    assert_eq!(
        kind(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"),
        PickleErrorKind::Truncated
    );
    assert_eq!(kind(b"\x8b\xff\xff\xff\x7f"), PickleErrorKind::Truncated);
    assert_eq!(kind(b"\x8b\xff\xff\xff\xff"), PickleErrorKind::BadValue);
    assert_eq!(kind(b"\x80\x06N."), PickleErrorKind::Protocol);
    assert_eq!(kind(b"\x97."), PickleErrorKind::OutOfBand);
    assert_eq!(kind(b"h\x00."), PickleErrorKind::NoMemo);
    assert_eq!(kind(b"."), PickleErrorKind::EmptyStack);
    assert_eq!(kind(b"t."), PickleErrorKind::NoMark);
    assert_eq!(kind(b"Na."), PickleErrorKind::EmptyStack);
    assert_eq!(kind(b"NNa."), PickleErrorKind::WrongKind);
    // Memo entries far apart.
    assert!(Pickle::parse(b"Nr\xff\xff\xff\xffp18446744073709551615\nj\xff\xff\xff\xff.").is_ok());
    // A billion laughs: thirty lists of the one before, ten times.
    let mut laughs = b"]q\x00".to_vec();
    for level in 0..30_u8 {
        laughs.extend(b"](");
        for _ in 0..10 {
            laughs.extend([b'h', level]);
        }
        laughs.extend([b'e', b'q', level + 1]);
    }
    laughs.push(b'.');
    exercise(&laughs);
    // A list in itself.
    exercise(b"]q\x00h\x00a.");
}

#[test]
fn a_small_pickle_cannot_stand_for_a_huge_job_list() {
    // Many names, each with the same large dictionary of attributes.
    let fixture = Fixture::new();
    let mut pickle = b"\x80\x02}(X\x01\x00\x00\x00x}q\x00(".to_vec();
    for index in 0..20_000 {
        text(&mut pickle, &format!("k{index}"));
        pickle.push(b'N');
    }
    pickle.push(b'u');
    for index in 0..20_000 {
        text(&mut pickle, &format!("a000_{index}"));
        pickle.extend(b"h\x00");
    }
    pickle.extend(b"u.");
    fixture.write(FILE, &pickle);
    let error = read_job_list(&fixture.root(), &a000(), None).expect_err("too much");
    assert!(
        error.to_string().contains("far more than its size"),
        "{error}"
    );
}

#[test]
fn what_is_no_job_list_is_said_to_be_foreign() {
    let fixture = Fixture::new();
    for content in [
        b"hello world".as_slice(),
        b"SQLite format 3\0",
        b"N.",
        b"I5\n.",
        b"cbuiltins\nobject\n.",
    ] {
        fixture.write(FILE, content);
        let error = read_job_list(&fixture.root(), &a000(), None).expect_err("foreign");
        assert!(
            matches!(error, SourceError::Foreign(_) | SourceError::Corrupt(_)),
            "{error}"
        );
    }
    fs::remove_file(fixture.path(FILE)).expect("a file to remove");
    assert_eq!(fixture.problems(FILE), ["the file does not exist"]);
    fs::create_dir(fixture.path(FILE)).expect("a folder");
    assert_eq!(
        fixture.problems(FILE),
        ["the file is not what is expected here: not a regular file"]
    );
}
