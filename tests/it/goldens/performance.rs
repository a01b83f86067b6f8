//! Performance, statistics, the summary of jobs, when the rest will be done, and what jobs report of themselves.

use serde_json::{Value, json};

use super::{Comparison, list, time};

const PERFORMANCE: &str = "query($expid: String!) { experiment(expid: $expid) {
    performance {
        sy sypd asypd rsypd chsy jpsy parallelization totalEnergyJoules totalFootprint
        platform { name carbonFactor pue }
        considered {
            job { name chunk } sypd asypd chsy jpsy queueSeconds runSeconds processors energyJoules yearsPerChunk footprint
        }
        rejected { job { name } reason queueSeconds runSeconds }
    }
    runs(first: 500) { nodes { number performance { sypd asypd chsy parallelization } } }
    jobs(first: 1000) { nodes { name sypd asypd } }
    jobSummary {
        submittedCount queuingCount runningCount suspendedCount failedCount meanQueueSeconds meanRunSeconds
        simulation { count queuedCount runCount meanQueueSeconds meanRunSeconds }
    }
    simulation: eta { seconds chunksTotal chunksRemaining averageSecondsPerChunk }
    processing: eta(section: \"POST\") { seconds chunksTotal chunksRemaining averageSecondsPerChunk }
    all: statistics { ...Statistics }
    simulated: statistics(section: \"SIM\") { ...Statistics }
    userMetrics { run jobName name value modifiedAt }
} }
fragment Statistics on ExperimentStatistics {
    from
    jobs {
        job { name } processors submittedCount completedCount failedCount queueSeconds runSeconds failedQueueSeconds
        failedRunSeconds cpuSeconds failedCpuSeconds expectedSeconds expectedCpuSeconds
    }
    summary {
        submittedCount completedCount failedCount queueSeconds runSeconds failedQueueSeconds failedRunSeconds
        cpuSeconds failedCpuSeconds expectedSeconds expectedCpuSeconds cpuPercentage
    }
}";

pub async fn compare(comparison: &mut Comparison, expid: &str) {
    let data = comparison
        .data(PERFORMANCE, json!({ "expid": expid }))
        .await;
    let ours = &data["experiment"];
    experiment(comparison, expid, &ours["performance"]);
    runs(comparison, expid, &ours["runs"]["nodes"]);
    jobs(comparison, expid, &ours["jobs"]["nodes"]);
    summary(comparison, expid, &ours["jobSummary"]);
    eta(comparison, expid, "v4_eta_SIM", &ours["simulation"]);
    eta(comparison, expid, "v4_eta_POST", &ours["processing"]);
    statistics(comparison, expid, "v3_stats_0_Any", &ours["all"]);
    statistics(comparison, expid, "v3_stats_0_SIM", &ours["simulated"]);
    user_metrics(comparison, expid, &ours["userMetrics"]);
}

fn experiment(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let golden = comparison.golden(expid, "v3_performance");
    for (their_field, our_field, digits) in [
        ("SY", "sy", 9),
        ("SYPD", "sypd", 4),
        ("ASYPD", "asypd", 4),
        ("RSYPD", "rsypd", 4),
        ("CHSY", "chsy", 4),
        ("JPSY", "jpsy", 4),
        ("Parallelization", "parallelization", 0),
        ("Total_energy", "totalEnergyJoules", 4),
        ("Total_footprint", "totalFootprint", 4),
    ] {
        let what = format!("performance.{our_field}");
        let theirs = digits_of(&golden[their_field], digits);
        let ours = digits_of(&ours[our_field], digits);
        comparison.equal(expid, &what, "all", &theirs, &ours);
    }
    let (theirs, platform) = (&golden["platform_info"], &ours["platform"]);
    comparison.equal(
        expid,
        "platform.name",
        "SIM",
        &theirs["name"],
        &platform["name"],
    );
    for (their_field, our_field) in [("CF", "carbonFactor"), ("PUE", "pue")] {
        let what = format!("platform.{our_field}");
        let (theirs, ours) = (&theirs[their_field], &platform[our_field]);
        comparison.equal(
            expid,
            &what,
            "SIM",
            &digits_of(theirs, 4),
            &digits_of(ours, 4),
        );
    }
    let considered = list(&ours["considered"]);
    let theirs = list(&golden["considered"]);
    names(comparison, expid, "considered", &theirs, &considered);
    for (theirs, ours) in theirs.iter().zip(&considered) {
        let subject = theirs["name"].to_string();
        comparison.equal(
            expid,
            "considered.chunk",
            &subject,
            &theirs["chunk"],
            &ours["job"]["chunk"],
        );
        for (their_field, our_field, digits) in [
            ("SYPD", "sypd", 2),
            ("ASYPD", "asypd", 2),
            ("CHSY", "chsy", 2),
            ("JPSY", "jpsy", 2),
            ("queue", "queueSeconds", 0),
            ("running", "runSeconds", 0),
            ("ncpus", "processors", 0),
            ("energy", "energyJoules", 2),
            ("yps", "yearsPerChunk", 9),
            ("footprint", "footprint", 4),
        ] {
            let what = format!("considered.{our_field}");
            let theirs = digits_of(&theirs[their_field], digits);
            let ours = digits_of(&ours[our_field], digits);
            comparison.equal(expid, &what, &subject, &theirs, &ours);
        }
    }
    let theirs = list(&golden["not_considered"]);
    let rejected = list(&ours["rejected"]);
    names(comparison, expid, "rejected", &theirs, &rejected);
    for (theirs, ours) in theirs.iter().zip(&rejected) {
        let subject = theirs["name"].to_string();
        comparison.equal(
            expid,
            "rejected.queue",
            &subject,
            &theirs["queue"],
            &ours["queueSeconds"],
        );
        comparison.equal(
            expid,
            "rejected.run",
            &subject,
            &theirs["running"],
            &ours["runSeconds"],
        );
    }
}

fn names(comparison: &mut Comparison, expid: &str, what: &str, theirs: &[Value], ours: &[Value]) {
    let theirs: Vec<_> = theirs.iter().map(|job| job["name"].clone()).collect();
    let ours: Vec<_> = ours.iter().map(|job| job["job"]["name"].clone()).collect();
    comparison.equal(expid, what, "names", &json!(theirs), &json!(ours));
}

fn runs(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let ours = list(ours);
    for theirs in list(&comparison.golden(expid, "v3_runs")["runs"]) {
        let subject = theirs["run_id"].to_string();
        let ours = ours.iter().find(|ours| ours["number"] == theirs["run_id"]);
        let ours = ours.map_or(Value::Null, |run| run["performance"].clone());
        for (their_field, our_field, digits) in [
            ("SYPD", "sypd", 2),
            ("ASYPD", "asypd", 2),
            ("CHSY", "chsy", 2),
            ("Parallelization", "parallelization", 0),
        ] {
            let what = format!("run.{our_field}");
            let theirs = digits_of(&theirs[their_field], digits);
            let ours = digits_of(&ours[our_field], digits);
            comparison.equal(expid, &what, &subject, &theirs, &ours);
        }
    }
}

/// The speeds of the jobs in the tree, and in what the old interface polled.
fn jobs(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let ours = list(ours);
    let of = |name: &Value| ours.iter().find(|job| job["name"] == *name).cloned();
    for theirs in list(&comparison.golden(expid, "v3_tree")["jobs"]) {
        let ours = of(&theirs["id"]).unwrap_or_default();
        for (their_field, our_field) in [("SYPD", "sypd"), ("ASYPD", "asypd")] {
            let what = format!("job.{our_field}");
            let (theirs, ours) = (&theirs[their_field], &ours[our_field]);
            let name = ours.to_string();
            comparison.equal(
                expid,
                &what,
                &name,
                &digits_of(theirs, 6),
                &digits_of(ours, 6),
            );
        }
    }
    for theirs in list(&comparison.golden(expid, "v3_pklinfo")["pkl_content"]) {
        let ours = of(&theirs["name"]).unwrap_or_default();
        let name = theirs["name"].to_string();
        let (theirs, ours) = (&theirs["SYPD"], &ours["sypd"]);
        comparison.equal(
            expid,
            "polled.sypd",
            &name,
            &digits_of(theirs, 6),
            &digits_of(ours, 6),
        );
    }
}

fn summary(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let golden = comparison.golden(expid, "v3_summary");
    let simulation = &ours["simulation"];
    for (their_field, ours) in [
        ("n_running", &ours["runningCount"]),
        ("n_suspended", &ours["suspendedCount"]),
        ("n_queuing", &ours["queuingCount"]),
        ("n_failed", &ours["failedCount"]),
        ("n_submitted", &ours["submittedCount"]),
        ("n_sim", &simulation["count"]),
        ("sim_queue_considered", &simulation["queuedCount"]),
        ("sim_run_considered", &simulation["runCount"]),
    ] {
        comparison.equal(
            expid,
            "summary.count",
            their_field,
            &golden[their_field],
            ours,
        );
    }
    for (their_field, ours) in [
        ("avg_queue_time", &ours["meanQueueSeconds"]),
        ("avg_run_time", &ours["meanRunSeconds"]),
        ("avg_sim_queue_time", &simulation["meanQueueSeconds"]),
        ("avg_sim_run_time", &simulation["meanRunSeconds"]),
    ] {
        // They divide whole seconds by whole numbers.
        let ours = ours
            .as_f64()
            .map_or(Value::Null, |mean| json!(format!("{:.0}", mean.floor())));
        let theirs = super::runs::seconds(&golden[their_field]);
        let theirs = digits_of(&theirs, 0);
        comparison.equal(expid, "summary.mean", their_field, &theirs, &ours);
    }
}

fn eta(comparison: &mut Comparison, expid: &str, name: &str, ours: &Value) {
    let golden = comparison.golden(expid, name);
    for (their_field, our_field, digits) in [
        ("eta_seconds", "seconds", 6),
        ("chunks_total", "chunksTotal", 0),
        ("chunks_remaining", "chunksRemaining", 0),
        ("avg_runtime_per_chunk_seconds", "averageSecondsPerChunk", 6),
    ] {
        let what = format!("eta.{our_field}");
        let theirs = digits_of(&golden[their_field], digits);
        comparison.equal(
            expid,
            &what,
            name,
            &theirs,
            &digits_of(&ours[our_field], digits),
        );
    }
}

fn statistics(comparison: &mut Comparison, expid: &str, name: &str, ours: &Value) {
    let golden = comparison.golden(expid, name);
    comparison.equal(expid, "statistics.from", name, &Value::Null, &ours["from"]);
    let theirs = list(&golden["Statistics"]["JobStatistics"]);
    let jobs = list(&ours["jobs"]);
    names(comparison, expid, "statistics.jobs", &theirs, &jobs);
    for (theirs, ours) in theirs.iter().zip(&jobs) {
        let subject = theirs["name"].to_string();
        for (their_field, our_field) in [
            ("processors", "processors"),
            ("submittedCount", "submittedCount"),
            ("retrialCount", "submittedCount"),
            ("completedCount", "completedCount"),
            ("failedCount", "failedCount"),
        ] {
            let what = format!("statistics.{our_field}");
            comparison.equal(
                expid,
                &what,
                &subject,
                &theirs[their_field],
                &ours[our_field],
            );
        }
        for (their_field, our_field) in [
            ("completedQueueTime", "queueSeconds"),
            ("completedRunTime", "runSeconds"),
            ("failedQueueTime", "failedQueueSeconds"),
            ("failedRunTime", "failedRunSeconds"),
            ("failedRealConsumption", "failedRunSeconds"),
            ("cpuConsumption", "cpuSeconds"),
            ("failedCpuConsumption", "failedCpuSeconds"),
            ("wallclock", "expectedSeconds"),
            ("expectedConsumption", "expectedSeconds"),
            ("expectedCpuConsumption", "expectedCpuSeconds"),
        ] {
            let what = format!("statistics.{our_field}");
            let theirs = digits_of(&theirs[their_field], 9);
            comparison.equal(expid, &what, &subject, &theirs, &hours(&ours[our_field], 9));
        }
        let run = add(&ours["runSeconds"], &ours["failedRunSeconds"]);
        let theirs = digits_of(&theirs["realConsumption"], 9);
        comparison.equal(expid, "statistics.run", &subject, &theirs, &hours(&run, 9));
    }
    if golden["summary"].is_null() {
        return;
    }
    let (theirs, ours) = (&golden["summary"], &ours["summary"]);
    for (their_field, our_field) in [
        ("submittedCount", "submittedCount"),
        ("runCount", "submittedCount"),
        ("completedCount", "completedCount"),
        ("failedCount", "failedCount"),
    ] {
        let what = format!("statistics.{our_field}");
        comparison.equal(expid, &what, name, &theirs[their_field], &ours[our_field]);
    }
    let run = add(&ours["runSeconds"], &ours["failedRunSeconds"]);
    let queue = add(&ours["queueSeconds"], &ours["failedQueueSeconds"]);
    for (their_field, ours, digits) in [
        ("expectedConsumption", &ours["expectedSeconds"], 4),
        ("expectedCpuConsumption", &ours["expectedCpuSeconds"], 4),
        ("realConsumption", &run, 4),
        ("failedRealConsumption", &ours["failedRunSeconds"], 4),
        ("cpuConsumption", &ours["cpuSeconds"], 4),
        ("failedCpuConsumption", &ours["failedCpuSeconds"], 4),
        ("totalQueueTime", &queue, 2),
    ] {
        let theirs = digits_of(&theirs[their_field], digits);
        comparison.equal(
            expid,
            "statistics.sum",
            their_field,
            &theirs,
            &hours(ours, digits),
        );
    }
    let theirs = digits_of(&theirs["cpuConsumptionPercentage"], 2);
    let ours = digits_of(&ours["cpuPercentage"], 2);
    comparison.equal(expid, "statistics.cpuPercentage", name, &theirs, &ours);
}

fn user_metrics(comparison: &mut Comparison, expid: &str, ours: &Value) {
    let ours = list(ours);
    let mut runs: Vec<i64> = ours
        .iter()
        .filter_map(|metric| metric["run"].as_i64())
        .collect();
    runs.sort_unstable();
    runs.dedup();
    let runs: Vec<_> = runs
        .iter()
        .rev()
        .map(|run| json!({ "run_id": run }))
        .collect();
    let theirs = &comparison.golden(expid, "v4_user-metrics-runs")["runs"];
    comparison.equal(expid, "userMetrics.runs", "all", theirs, &json!(runs));

    let golden = comparison.golden(expid, "v4_run_user-metrics");
    let of_run = ours
        .iter()
        .filter(|metric| metric["run"] == golden["run_id"]);
    let ours: Vec<_> = of_run
        .map(|metric| {
            json!([
                metric["jobName"],
                metric["name"],
                metric["value"],
                time(&metric["modifiedAt"])
            ])
        })
        .collect();
    let theirs: Vec<_> = list(&golden["metrics"])
        .iter()
        .map(|metric| {
            json!([
                metric["job_name"],
                metric["metric_name"],
                metric["metric_value"],
                time(&metric["modified"])
            ])
        })
        .collect();
    comparison.equal(
        expid,
        "userMetrics",
        "one run",
        &json!(theirs),
        &json!(ours),
    );
}

/// A number to so many digits behind the point.
fn digits_of(number: &Value, digits: usize) -> Value {
    match number.as_f64() {
        Some(number) => json!(format!("{number:.digits$}")),
        None => Value::Null,
    }
}

/// Seconds as hours.
fn hours(seconds: &Value, digits: usize) -> Value {
    digits_of(
        &json!(seconds.as_f64().map(|seconds| seconds / 3600.0)),
        digits,
    )
}

fn add(one: &Value, other: &Value) -> Value {
    json!(
        one.as_f64()
            .zip(other.as_f64())
            .map(|(one, other)| one + other)
    )
}
