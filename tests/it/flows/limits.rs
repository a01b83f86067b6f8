//! What goes beyond what it may have is ended, and says so: time, memory, files and the disk; and so are its children.

use serde_json::{Value, json};

use super::draft::Draft;
use super::lab::{Site, use_slurm};
use super::processes::{check_none_is_left, until_none_is_left};
use crate::support::{Lab, slurm};

on_both_databases!(
    a_step_may_have_less_than_the_site_allows,
    no_step_may_have_more_than_the_site_allows,
    a_job_may_not_have_more,
    a_run_has_its_time,
    results_have_their_size,
);

/// A program that needs more and more memory.
const HUNGRY: &str = "import time
kept = []
while True:
    kept.append(bytearray(b'x') * 1048576)
    time.sleep(0.002)
";

/// A step of this command with these limits ends for this reason.
async fn check(site: &Site, command: &str, limits: Value, reason: &str) -> Value {
    let draft = Draft::new("Limited")
        .step_with("greedy", &[command], json!({ "limits": limits }))
        .file("hungry.py", HUNGRY);
    let workflow = site.workflow(&draft).await;
    let run = site.who("ann").make(&workflow, json!({})).await;
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("ERROR"), &json!(reason)),
        "{command}: {run}"
    );
    let step = &run["steps"][0];
    assert_eq!(
        (&step["state"], &step["reason"]),
        (&json!("ERROR"), &json!(reason)),
        "{run}"
    );
    let message = run["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty(), "{run}");
    if run["executor"] == "LOCAL" {
        check_none_is_left(site);
    }
    until_none_is_left(site).await;
    run
}

async fn a_step_may_have_less_than_the_site_allows(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let memory = json!({ "memoryMiB": 100 });
    check(
        &site,
        "${python} hungry.py",
        memory.clone(),
        "OUT_OF_MEMORY",
    )
    .await;
    let together = "for i in 1 2 3 4; do ${python} -c 'import time; x = bytearray(b\"x\") * (40 * 1048576); time.sleep(1000)' & done; wait";
    check(&site, together, memory, "OUT_OF_MEMORY").await;
    let size = json!({ "fileSizeMiB": 1 });
    check(
        &site,
        "dd if=/dev/zero of=big bs=64k count=100",
        size,
        "FILE_TOO_LARGE",
    )
    .await;
    let time = json!({ "timeoutSeconds": 1 });
    check(
        &site,
        "trap '' TERM; (setsid sleep 1000 &); while :; do sleep 1; done",
        time,
        "TIMED_OUT",
    )
    .await;
    // Within all of them nothing happens.
    let all = json!({ "memoryMiB": 200, "fileSizeMiB": 2, "timeoutSeconds": 60, "cpus": 1 });
    let draft = Draft::new("Within").step_with(
        "modest",
        &[
            "head -c 1000000 /dev/zero > f",
            "${python} -c 'x = bytearray(1000000)'",
        ],
        json!({ "limits": all }),
    );
    let workflow = site.workflow(&draft).await;
    let run = site.who("ann").make(&workflow, json!({})).await;
    assert_eq!(run["state"], "SUCCESS", "{run}");
}

async fn no_step_may_have_more_than_the_site_allows(mut lab: Lab) {
    for (name, value) in [
        ("TIME", "4s"),
        ("MEMORY_MIB", "100"),
        ("FILE_SIZE_MIB", "1"),
        ("DISK_MIB", "4"),
    ] {
        lab.set(&format!("LABQL_FLOWS__LIMITS__{name}"), value);
    }
    let site = Site::open(lab, &["ann"]).await;
    let more = json!({ "memoryMiB": 100_000, "fileSizeMiB": 100_000, "timeoutSeconds": 100_000 });
    for limits in [json!({}), more] {
        check(&site, "sleep 1000", limits.clone(), "TIMED_OUT").await;
        check(
            &site,
            "${python} hungry.py",
            limits.clone(),
            "OUT_OF_MEMORY",
        )
        .await;
        let large = "dd if=/dev/zero of=big bs=64k count=100";
        check(&site, large, limits.clone(), "FILE_TOO_LARGE").await;
    }
    // Many small files fill a disk, too.
    let many = "i=0; while :; do i=$(expr $i + 1); head -c 300000 /dev/urandom > f$i; done";
    let run = check(&site, many, json!({}), "FILE_TOO_LARGE").await;
    // What it wrote is gone, and others run on.
    assert_eq!(run["files"], json!([]));
    let workflow = site.workflow(&Draft::of("After", "echo after")).await;
    let after = site.who("ann").make(&workflow, json!({})).await;
    assert_eq!(after["state"], "SUCCESS", "{after}");
}

async fn a_job_may_not_have_more(mut lab: Lab) {
    let Some(conf) = slurm::conf() else {
        return;
    };
    use_slurm(&mut lab, &conf);
    let site = Site::open(lab, &["ann"]).await;
    let time = json!({ "timeoutSeconds": 2 });
    check(
        &site,
        "trap '' TERM; while :; do sleep 1; done",
        time,
        "TIMED_OUT",
    )
    .await;
    let size = json!({ "fileSizeMiB": 1 });
    check(
        &site,
        "dd if=/dev/zero of=big bs=64k count=100",
        size,
        "FILE_TOO_LARGE",
    )
    .await;
    // Who ends it is a matter of Slurm's configuration; without it, no process gets more all the same.
    let draft = Draft::new("Hungry")
        .step_with(
            "greedy",
            &["${python} hungry.py"],
            json!({ "limits": { "memoryMiB": 100 } }),
        )
        .file("hungry.py", HUNGRY);
    let workflow = site.workflow(&draft).await;
    let run = site.who("ann").make(&workflow, json!({})).await;
    let reason = run["reason"].as_str();
    assert!(
        matches!(reason, Some("OUT_OF_MEMORY" | "STEP_FAILED")),
        "{run}"
    );
    until_none_is_left(&site).await;
}

async fn a_run_has_its_time(lab: Lab) {
    let site = Site::open(lab, &["ann"]).await;
    let ann = site.who("ann");
    let steps = |name: &str| {
        Draft::new(name)
            .step("one", &["true"])
            .step("two", &["sleep 1000"])
            .step("three", &["true"])
    };
    let check = |run: &Value| {
        assert_eq!(
            (&run["state"], &run["reason"]),
            (&json!("ERROR"), &json!("TIMED_OUT")),
            "{run}"
        );
        assert_eq!(
            super::caller::states(run),
            ["SUCCESS", "ERROR", "CANCELED"],
            "{run}"
        );
    };
    // As the template says.
    let workflow = site
        .workflow(&steps("Template").workflow("timeoutSeconds", json!(1)))
        .await;
    check(&ann.make(&workflow, json!({})).await);
    // As whoever starts it says.
    let workflow = site.workflow(&steps("Start")).await;
    let run = ann
        .start_with(&workflow, json!({}), json!({ "timeoutSeconds": 1 }))
        .await;
    let run = ann.ended(&run).await;
    assert_eq!(run["timeoutSeconds"], 1);
    check(&run);
    // As the administrator says.
    let input = json!({ "id": workflow, "timeoutSeconds": 1 });
    site.admin().told("updateWorkflow", input).await;
    check(&ann.make(&workflow, json!({})).await);
    until_none_is_left(&site).await;
}

async fn results_have_their_size(mut lab: Lab) {
    lab.set("LABQL_FLOWS__FILES__RESULTS_MIB", "1");
    let site = Site::open(lab, &["ann"]).await;
    let draft = Draft::of("Large", "head -c 2000000 /dev/zero > out.bin").output("out.bin");
    let workflow = site.workflow(&draft).await;
    let run = site.who("ann").make(&workflow, json!({})).await;
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("ERROR"), &json!("OUTPUT_REFUSED")),
        "{run}"
    );
    assert!(
        run["message"]
            .as_str()
            .expect("a message")
            .contains("1 MiB"),
        "{run}"
    );
}
