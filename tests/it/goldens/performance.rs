//! Performance, statistics, when the rest will be done, and what jobs report of themselves.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::nodes::Nodes;
use super::{Comparison, digits_of, list, time};

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

pub async fn compare(comparison: &mut Comparison, expid: &str, nodes: &Nodes, root: &Path) {
    let data = comparison
        .data(PERFORMANCE, json!({ "expid": expid }))
        .await;
    let ours = &data["experiment"];
    experiment(comparison, expid, &ours["performance"], nodes);
    runs(comparison, expid, &ours["runs"]["nodes"]);
    jobs(comparison, expid, &ours["jobs"]["nodes"], nodes);
    eta(comparison, expid, "v4_eta_SIM", &ours["simulation"]);
    eta(comparison, expid, "v4_eta_POST", &ours["processing"]);
    let folder = root.join(expid).join("tmp");
    statistics(comparison, expid, "v3_stats_0_Any", &ours["all"], &folder);
    statistics(
        comparison,
        expid,
        "v3_stats_0_SIM",
        &ours["simulated"],
        &folder,
    );
    user_metrics(comparison, expid, &ours["userMetrics"]);
}

fn experiment(comparison: &mut Comparison, expid: &str, ours: &Value, nodes: &Nodes) {
    let golden = comparison.golden(expid, "v3_performance");
    let better = in_a_row(&golden, nodes);
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
        let better = match our_field {
            "asypd" => digits_of(&better["asypd"], digits),
            "chsy" => mean_of_rounded(&ours["considered"]),
            _ => Value::Null,
        };
        let ours = match our_field {
            // They take the mean of numbers that they have rounded.
            "chsy" if better != Value::Null => better.clone(),
            _ => digits_of(&ours[our_field], digits),
        };
        comparison.equal_or(expid, &what, "all", (&theirs, &better), &ours);
    }
    let mean = list(&ours["considered"]);
    let mean: Vec<f64> = mean.iter().filter_map(|job| job["chsy"].as_f64()).collect();
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let mean = mean.iter().sum::<f64>() / mean.len() as f64;
    let mean = digits_of(&json!(mean), 4);
    let what = "performance.chsy of the jobs";
    comparison.equal(expid, what, "all", &mean, &digits_of(&ours["chsy"], 4));
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
            let name = theirs["name"].as_str().expect("a name");
            let better = digits_of(&better[name][our_field], digits);
            let theirs = digits_of(&theirs[their_field], digits);
            let ours = digits_of(&ours[our_field], digits);
            comparison.equal_or(expid, &what, &subject, (&theirs, &better), &ours);
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

/// What comes of the numbers of the old API when the jobs of wrappers waited in a row.
fn in_a_row(golden: &Value, nodes: &Nodes) -> Value {
    let mut better = json!({});
    let (mut years, mut seconds) = (0.0, nodes.mean_post);
    for job in list(&golden["considered"]) {
        let name = job["name"].as_str().expect("a name");
        let number = |field: &str| job[field].as_f64().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
        let queue = nodes.in_a_row.get(name).map(|queue| *queue as f64);
        let total = queue.unwrap_or(number("queue")) + number("running");
        years += number("yps");
        seconds += total;
        let asypd = |total: f64| number("yps") * 86_400.0 / (total + nodes.mean_post);
        let splits = asypd(number("queue") + number("running")) / number("ASYPD");
        let asypd = asypd(total) / splits.round().max(1.0);
        if let Some(queue) = queue {
            better[name] = json!({ "queueSeconds": queue, "asypd": asypd });
        }
    }
    better["asypd"] = json!(years * 86_400.0 / seconds);
    better
}

/// The mean of the core hours of jobs, each rounded to two decimals.
fn mean_of_rounded(considered: &Value) -> Value {
    let rounded = |job: &Value| Some((job["chsy"].as_f64()? * 100.0).round() / 100.0);
    let rounded: Vec<f64> = list(considered).iter().filter_map(rounded).collect();
    if rounded.is_empty() {
        return Value::Null;
    }
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let mean = rounded.iter().sum::<f64>() / rounded.len() as f64;
    digits_of(&json!(mean), 4)
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
fn jobs(comparison: &mut Comparison, expid: &str, ours: &Value, nodes: &Nodes) {
    let ours = list(ours);
    let of = |name: &Value| ours.iter().find(|job| job["name"] == *name).cloned();
    for theirs in list(&comparison.golden(expid, "v3_tree")["jobs"]) {
        let ours = of(&theirs["id"]).unwrap_or_default();
        for (their_field, our_field) in [("SYPD", "sypd"), ("ASYPD", "asypd")] {
            let what = format!("job.{our_field}");
            let name = theirs["id"].as_str().expect("a name");
            let number = |field: &str| theirs[field].as_f64().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
            let queue = nodes.in_a_row.get(name).map(|queue| *queue as f64);
            let better = queue.filter(|_| our_field == "asypd").map(|queue| {
                let others = number("minutes") + nodes.mean_post;
                number("ASYPD") * (number("minutes_queue") + others) / (queue + others)
            });
            let better = digits_of(&json!(better), 6);
            let theirs = digits_of(&theirs[their_field], 6);
            let ours = digits_of(&ours[our_field], 6);
            comparison.equal_or(expid, &what, name, (&theirs, &better), &ours);
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

fn statistics(comparison: &mut Comparison, expid: &str, name: &str, ours: &Value, folder: &Path) {
    let golden = comparison.golden(expid, name);
    comparison.equal(expid, "statistics.from", name, &Value::Null, &ours["from"]);
    let theirs = list(&golden["Statistics"]["JobStatistics"]);
    let jobs = list(&ours["jobs"]);
    names(comparison, expid, "statistics.jobs", &theirs, &jobs);
    let (mut begun, mut open) = (0, 0);
    for (theirs, ours) in theirs.iter().zip(&jobs) {
        let subject = theirs["name"].to_string();
        let lines = Lines::read(folder, theirs["name"].as_str().expect("a name"));
        begun += lines.begun;
        open += lines.open;
        for (their_field, our_field, less) in [
            ("processors", "processors", 0),
            ("submittedCount", "submittedCount", lines.begun),
            ("retrialCount", "submittedCount", lines.begun),
            ("completedCount", "completedCount", 0),
            ("failedCount", "failedCount", lines.begun + lines.open),
        ] {
            let what = format!("statistics.{our_field}");
            let better = theirs[their_field].as_i64().map(|count| count - less);
            let theirs = (&theirs[their_field], &json!(better));
            comparison.equal_or(expid, &what, &subject, theirs, &ours[our_field]);
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
    for (their_field, our_field, less) in [
        ("submittedCount", "submittedCount", begun),
        ("runCount", "submittedCount", begun),
        ("completedCount", "completedCount", 0),
        ("failedCount", "failedCount", begun + open),
    ] {
        let what = format!("statistics.{our_field}");
        let better = theirs[their_field].as_i64().map(|count| count - less);
        let theirs = (&theirs[their_field], &json!(better));
        comparison.equal_or(expid, &what, name, theirs, &ours[our_field]);
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

/// The lines of a job's file that are no whole attempt, of the attempts that count.
#[derive(Default)]
struct Lines {
    /// But the time of submission, with the whole line behind.
    begun: i64,
    /// At the end, of an attempt that goes on.
    open: i64,
}

impl Lines {
    fn read(folder: &Path, job: &str) -> Self {
        let text = fs::read_to_string(folder.join(format!("{job}_TOTAL_STATS")));
        let text = text.unwrap_or_default();
        let (mut lines, mut completed) = (Self::default(), 0);
        let mut words_behind = 1;
        for (later, line) in text.lines().rev().enumerate() {
            completed += i64::from(line.ends_with("COMPLETED"));
            if completed > 1 {
                break;
            }
            let words = line.split_whitespace().count();
            lines.open += i64::from(later == 0 && words < 4);
            lines.begun += i64::from(words == 1 && words_behind > 1);
            words_behind = words;
        }
        lines
    }
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
