//! What steps print is told as it comes, by step and stream, from any place on, and cut where it is too much.

use serde_json::{Value, json};

use super::caller::{stream_of, text_of};
use super::draft::Draft;
use super::ear::{BEGINNING, Ear, Heard};
use super::lab::{Site, use_slurm};
use crate::support::{Lab, Socket, slurm};

on_both_databases!(
    it_is_told_while_it_is_printed,
    a_job_of_slurm_is_heard_too,
    from_each_place_on_nothing_is_lost_or_repeated,
    pages_are_of_steps_and_streams,
    too_much_is_cut_with_a_mark,
    any_bytes_are_text,
    each_attempt_has_its_own,
    a_web_socket_hears_it_too,
    it_goes_on_with_another_server,
);

async fn it_is_told_while_it_is_printed(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    while_it_is_printed(&site).await;
}

async fn a_job_of_slurm_is_heard_too(mut lab: Lab) {
    let Some(conf) = slurm::conf() else {
        return;
    };
    use_slurm(&mut lab, &conf);
    let site = Site::open(lab, &["ann"]).await;
    while_it_is_printed(&site).await;
}

/// Each line is heard before the step that waits behind it goes on.
async fn while_it_is_printed(site: &Site) {
    let commands: Vec<String> = (0..4)
        .map(|number| format!("echo line {number}; {}", site.gate(&format!("go-{number}"))))
        .collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let draft = Draft::new("Lines")
        .step("one", &commands)
        .step("two", &["echo other >&2"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    let mut ear = Ear::of_log(&ann, &run, BEGINNING).await;
    let mut heard = Vec::new();
    for number in 0..4 {
        let line = format!("line {number}\n");
        heard.extend(
            ear.until(|piece| {
                piece["text"]
                    .as_str()
                    .is_some_and(|text| text.ends_with(&line))
            })
            .await,
        );
        // The list has it, too, and the run is still under way.
        assert_eq!(text_of(&ann.pieces(&run).await), text_of(&heard));
        assert_eq!(ann.run(&run).await["state"], "RUNNING");
        site.open_gate(&format!("go-{number}"));
    }
    // It is over when the run has ended and all was told.
    heard.extend(ear.all().await);
    assert_eq!(ann.run(&run).await["state"], "SUCCESS");
    let pieces = ann.pieces(&run).await;
    assert_eq!(heard, pieces);
    assert_eq!(
        stream_of(&pieces, "one", "STDOUT"),
        "line 0\nline 1\nline 2\nline 3\n"
    );
    assert_eq!(stream_of(&pieces, "two", "STDERR"), "other\n");
    // Who comes when all is over hears the same.
    assert_eq!(Ear::of_log(&ann, &run, BEGINNING).await.all().await, pieces);
}

async fn from_each_place_on_nothing_is_lost_or_repeated(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    // Slowly enough to come in many pieces.
    let command = "i=0; while [ $i -lt 60 ]; do echo out $i; echo err $i >&2; i=$(expr $i + 1); sleep 0.01; done";
    let workflow = site
        .workflow(
            &Draft::new("Pieces")
                .step("one", &[command])
                .step("two", &["echo end"]),
        )
        .await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    // One follows to the end, one comes back after each piece.
    let mut follower = Ear::of_log(&ann, &run, BEGINNING).await;
    let following = async { follower.all().await };
    let returning = async {
        let (mut heard, mut after) = (Vec::new(), BEGINNING.to_owned());
        loop {
            let mut ear = Ear::of_log(&ann, &run, &after).await;
            match ear.hear().await {
                Heard::Update(piece) => {
                    piece["cursor"]
                        .as_str()
                        .expect("a cursor")
                        .clone_into(&mut after);
                    heard.push(piece);
                }
                Heard::Over => return heard,
                other => panic!("{other:?}"),
            }
        }
    };
    let (followed, returned) = tokio::join!(following, returning);
    let pieces = ann.pieces(&run).await;
    assert_eq!(followed, pieces);
    assert_eq!(returned, pieces);
    assert!(pieces.len() > 3, "{}", pieces.len());
    let lines = |stream: &str| {
        (0..60)
            .map(|number| format!("{stream} {number}\n"))
            .collect::<String>()
    };
    assert_eq!(stream_of(&pieces, "one", "STDOUT"), lines("out"));
    assert_eq!(stream_of(&pieces, "one", "STDERR"), lines("err"));
    // From each cursor on, what follows it.
    for (place, piece) in pieces.iter().enumerate() {
        let after = piece["cursor"].as_str().expect("a cursor");
        let rest = Ear::of_log(&ann, &run, after).await.all().await;
        assert_eq!(rest, pieces[place + 1..], "after {place}");
    }
    for after in ["nonsense", "-1", "99999999999999999999"] {
        let heard = Ear::of_log(&ann, &run, after).await.hear().await;
        assert!(
            matches!(&heard, Heard::Refused(code) if code == "BAD_INPUT"),
            "{after}: {heard:?}"
        );
    }
}

async fn pages_are_of_steps_and_streams(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let gate = site.gate("go");
    let draft = Draft::new("Streams")
        .step("one", &["echo a", &gate, "echo b >&2"])
        .step("two", &["echo c", "echo d >&2"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    Ear::of_log(&ann, &run, BEGINNING).await.next().await;
    site.open_gate("go");
    ann.done(&run).await;
    let query = "query($id: ID!, $step: String, $stream: RunLogStream, $first: Int, $after: String) { run(id: $id) {
        log(step: $step, stream: $stream, first: $first, after: $after) {
            totalCount nodes { step stream text } pageInfo { hasNextPage endCursor }
        }
    } }";
    for (step, stream, expected) in [
        (Value::Null, Value::Null, "abcd"),
        (json!("one"), Value::Null, "ab"),
        (json!("two"), json!("STDERR"), "d"),
        (Value::Null, json!("STDOUT"), "ac"),
        (json!("none"), Value::Null, ""),
    ] {
        let (mut text, mut after, mut count) = (String::new(), Value::Null, 0);
        loop {
            let variables =
                json!({ "id": run, "step": step, "stream": stream, "first": 1, "after": after });
            let data = ann.data(query, variables).await;
            let page = &data["run"]["log"];
            let nodes = page["nodes"].as_array().expect("pieces");
            count += nodes.len();
            text.push_str(&text_of(nodes));
            if page["pageInfo"]["hasNextPage"] == false {
                assert_eq!(page["totalCount"], count, "{step} {stream}");
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        let mut letters: Vec<char> = text.chars().filter(|it| *it != '\n').collect();
        letters.sort_unstable();
        assert_eq!(
            letters.into_iter().collect::<String>(),
            expected,
            "{step} {stream}"
        );
    }
}

async fn too_much_is_cut_with_a_mark(mut lab: Lab) {
    lab.set("LABQL_FLOWS__LIMITS__LOG_KIB", "16");
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::new("Much")
        .step("much", &["seq 1 50000", "echo the end >&2"])
        .step("little", &["echo still here"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    ann.done(&run).await;
    let pieces = ann.pieces(&run).await;
    let much = stream_of(&pieces, "much", "STDOUT");
    assert!(much.len() < 17 << 10, "{}", much.len());
    assert!(
        much.starts_with("1\n2\n3\n") && much.contains(" bytes left out]"),
        "{much}"
    );
    // The end is what one looks for.
    assert!(much.ends_with("49999\n50000\n"), "{much}");
    // What is left out is what is missing.
    let left_out = much
        .split(" bytes left out]")
        .next()
        .and_then(|text| text.rsplit('[').next());
    let left_out: usize = left_out.expect("a number").parse().expect("a number");
    let whole: usize = (1..=50_000)
        .map(|number: i32| number.to_string().len() + 1)
        .sum();
    let mark = format!("[{left_out} bytes left out]\n").len();
    assert!(
        (much.len() - mark + left_out).abs_diff(whole) <= 1,
        "{left_out} of {whole}, {}",
        much.len()
    );
    // Each stream and step has its own share.
    assert_eq!(stream_of(&pieces, "much", "STDERR"), "the end\n");
    assert_eq!(stream_of(&pieces, "little", "STDOUT"), "still here\n");
}

async fn any_bytes_are_text(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let program = "import sys, time
out = sys.stdout.buffer
# A character that comes in two pieces.
for part in (b'caf\\xc3', b'\\xa9\\n', b'\\xf0\\x9f', b'\\x8c\\x8a\\n', b'zero \\x00 bad \\xff\\xfe end\\n'):
    out.write(part); out.flush(); time.sleep(0.05)
";
    let draft = Draft::of("Bytes", "${python} bytes.py").file("bytes.py", program);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    ann.done(&run).await;
    let log = ann.log(&run).await;
    assert!(log.starts_with("café\n🌊\nzero "), "{log:?}");
    assert!(log.contains(" bad \u{fffd}\u{fffd} end\n"), "{log:?}");
    assert!(!log.contains('\0'), "{log:?}");
}

async fn each_attempt_has_its_own(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let flag = site.path("flag");
    let command = format!(
        "if mkdir {}; then echo first; exit 1; else echo second; fi 2>/dev/null",
        flag.display()
    );
    let again = json!({ "repeatable": true, "retry": { "limit": 1, "delaySeconds": 0 } });
    let workflow = site
        .workflow(&Draft::new("Attempts").step_with("one", &[&command], again))
        .await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    ann.done(&run).await;
    let pieces = ann.pieces(&run).await;
    let told: Vec<_> = pieces
        .iter()
        .map(|it| (it["attempt"].clone(), it["text"].clone()))
        .collect();
    assert_eq!(
        told,
        [(json!(1), json!("first\n")), (json!(2), json!("second\n"))]
    );
}

async fn a_web_socket_hears_it_too(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let gate = site.gate("go");
    let workflow = site
        .workflow(&Draft::of("Socket", &format!("echo one; {gate}; echo two")))
        .await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    let mut socket = Socket::signed_in(&ann, site.token("ann")).await;
    socket
        .subscribe(
            "1",
            &format!("subscription {{ runLog(run: {run:?}, after: \"beginning\") {{ text }} }}"),
        )
        .await;
    assert_eq!(
        socket.hear().await["payload"]["data"]["runLog"]["text"],
        "one\n"
    );
    site.open_gate("go");
    assert_eq!(
        socket.hear().await["payload"]["data"]["runLog"]["text"],
        "two\n"
    );
    assert_eq!(
        socket.hear().await,
        json!({ "type": "complete", "id": "1" })
    );
}

/// A cursor of one server is as good on another.
async fn it_goes_on_with_another_server(mut lab: Lab) {
    lab.set("LABQL_WORKERS__LEASE", "1s");
    let site = Site::open(lab, &["ann"]).await;
    let gate = site.gate("go");
    let draft = Draft::new("Servers")
        .step("one", &["echo one", &gate, "echo two"])
        .step("two", &["echo three"]);
    let workflow = site.workflow(&draft).await;
    let ann = site.who("ann");
    let run = ann.start(&workflow, json!({})).await;
    let mut ear = Ear::of_log(&ann, &run, BEGINNING).await;
    let first = ear.next().await;
    assert_eq!(first["text"], "one\n");
    let site = site.crashed().await;
    assert!(matches!(ear.hear().await, Heard::Gone));
    let ann = site.who("ann");
    let after = first["cursor"].as_str().expect("a cursor");
    let mut ear = Ear::of_log(&ann, &run, after).await;
    site.open_gate("go");
    let rest = ear.all().await;
    assert_eq!(text_of(&rest), "two\nthree\n");
    let mut all = vec![first];
    all.extend(rest);
    assert_eq!(all, ann.pieces(&run).await);
}
