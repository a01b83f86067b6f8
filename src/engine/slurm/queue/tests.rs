use std::time::Duration;

use super::*;

#[test]
fn the_queue_is_read_and_others_jobs_are_left_out() {
    let text = "7|PENDING|labql-a|Resources\n\
                8|RUNNING|labql-b|None\n\
                9|CANCELLED|labql-b|None\n\
                10|COMPLETED|somebody's|None\n\
                11|NO_SUCH_STATE|labql-c|None\n\
                garbage\n\n\
                x|RUNNING|labql-d|None\n\
                12|FAILED|labql-e|a|b\n";
    let queue = Queue::parse(text);
    let waits = &queue.by_name["a"];
    assert_eq!(waits.state, State::Waits);
    assert_eq!(waits.reason.as_deref(), Some("Resources"));
    // Of two jobs by one name the one that runs counts.
    assert_eq!(queue.by_name["b"].number, 8);
    assert_eq!(queue.by_name["b"].reason, None);
    assert_eq!(queue.by_name["e"].state, State::Over(Over::Ended));
    assert_eq!(queue.by_name.len(), 3);
    assert_eq!(queue.by_number.len(), 4);
}

#[test]
fn accounting_is_read() {
    let text = "12|CANCELLED by 0|1700000000|00:01.500|1-02:03:04||labql-a\n\
                12.batch|CANCELLED|1700000000|00:01.500|00:00.250|2048K|batch\n\
                13|RUNNING|Unknown|00:00:00|00:00:00||labql-b\n\
                garbage\n";
    let [job, step, running] = &records(text)[..] else {
        panic!("{:?}", records(text));
    };
    assert_eq!((job.number, job.name.as_deref()), (12, Some("labql-a")));
    assert_eq!(job.state, Some(State::Over(Over::Canceled)));
    assert_eq!(
        job.ended.map(|at| at.timestamp_millis()),
        Some(1_700_000_000_000)
    );
    assert_eq!(job.user, Some(Duration::from_millis(1500)));
    assert_eq!(job.system, Some(Duration::from_secs(93_784)));
    // A step of it says what it took, and nothing of the job's state.
    assert_eq!((step.number, step.name.as_deref()), (12, None));
    assert_eq!(step.state, None);
    assert_eq!(step.peak_memory, Some(2 << 20));
    assert_eq!(running.state, Some(State::Runs));
    assert_eq!(running.ended, None);
}

#[test]
fn amounts_have_units() {
    for (text, amount) in [
        ("0", Some(0)),
        ("1234K", Some(1234 << 10)),
        ("1.5M", Some(3 << 19)),
        ("2G", Some(2 << 30)),
        ("99999999999999T", None),
        ("1X", None),
        ("", None),
        ("-1K", None),
    ] {
        assert_eq!(bytes(text), amount, "{text:?}");
    }
    for text in [
        "",
        "5",
        "a:b",
        "1:2:3:4",
        "-1:00",
        "99999999999999999999-00:00",
    ] {
        assert_eq!(duration(text), None, "{text:?}");
    }
}
