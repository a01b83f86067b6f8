//! What Autosubmit itself writes: its logs in `tmp/ASLOGS`, and the status file.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    JobStatus,
    scene::{Scene, moment},
};
use crate::demo::{DemoError, files};

/// Autosubmit's logs: of `create`, of the last run and of the recovery of logs, and the lists of jobs by state.
pub fn write(scene: &Scene<'_>) -> Result<(), DemoError> {
    let spec = scene.spec;
    let folder = scene.folder("tmp/ASLOGS")?;
    let write_log = |name: String, text: String, time: i64| {
        files::write(&folder.join(name), text, moment(time))
    };
    let created = scene.timeline.runs.last().map_or(0, |run| run.created);
    let file_stamp = |seconds: i64| moment(seconds).format("%Y%m%d_%H%M%S");
    let mut text = String::new();
    let mut say = |seconds: i64, line: String| {
        let _ = writeln!(
            text,
            "{},000 {line}",
            moment(seconds).format("%Y-%m-%d %H:%M:%S")
        );
    };
    say(
        created,
        format!("Autosubmit is running with {}", spec.version),
    );
    say(created, "Checking configuration files...".to_owned());
    for section in &spec.sections {
        say(created, format!("Creating {} jobs", section.name));
    }
    say(
        created,
        format!(
            "{} jobs, {} edges",
            scene.workflow.jobs.len(),
            scene.workflow.edges().count()
        ),
    );
    write_log(
        format!("{}_create.log", file_stamp(created)),
        std::mem::take(&mut text),
        created,
    )?;
    write_log(
        format!("{}_create_err.log", file_stamp(created)),
        String::new(),
        created,
    )?;

    let run = scene.timeline.runs.last().map_or(0, |run| run.id);
    let attempts = scene
        .timeline
        .attempts
        .iter()
        .filter(|attempt| attempt.run == run)
        .collect::<Vec<_>>();
    let Some(first) = attempts.first() else {
        return Ok(());
    };
    let mut lines = vec![
        (
            first.submit - 5,
            format!("Autosubmit is running with {}", spec.version),
        ),
        (
            first.submit - 5,
            format!("The Experiment name is: {}", spec.expid),
        ),
    ];
    let mut recovered = Vec::new();
    for attempt in &attempts {
        let name = &scene.workflow.jobs[attempt.job].name;
        lines.push((
            attempt.submit,
            format!("{name} submitted with id {}", attempt.id),
        ));
        if attempt.start > 0 {
            lines.push((attempt.start, format!("Job {name} is RUNNING")));
        }
        if attempt.finish > 0 {
            lines.push((
                attempt.finish,
                format!("Job {name} is {}", attempt.status.as_str()),
            ));
            let log = scene.log_name(attempt);
            recovered.push((
                attempt.finish + 12,
                format!("Retrieving log files {log}.out and .err"),
            ));
        }
    }
    lines.sort();
    recovered.sort();
    if !spec.progress.live {
        let end = scene.timeline.changed;
        lines.push((end, "No more jobs to run.".to_owned()));
        lines.push((end, "Waiting for all logs to be updated".to_owned()));
    }
    let print = |lines: &[(i64, String)]| {
        let line = |(seconds, line): &(i64, String)| {
            format!(
                "{},000 {line}\n",
                moment(*seconds).format("%Y-%m-%d %H:%M:%S")
            )
        };
        lines.iter().map(line).collect::<String>()
    };
    let begun = file_stamp(first.submit - 5);
    write_log(
        format!("{begun}_run.log"),
        print(&lines),
        scene.timeline.changed,
    )?;
    write_log(format!("{begun}_run_err.log"), String::new(), first.submit)?;
    write_log(
        format!("{begun}_{}_log_recovery.log", spec.hpc.to_lowercase()),
        print(&recovered),
        scene.timeline.changed,
    )?;
    let table = |wanted: fn(JobStatus) -> bool| {
        let mut text = format!(
            "{:<35}{:<15}{:<15}{:<20}{:<15}\n",
            "Job Name", "Job Id", "Job Status", "Job Platform", "Job Queue"
        );
        for (_, attempt) in scene
            .timeline
            .latest()
            .into_iter()
            .collect::<BTreeMap<_, _>>()
        {
            let job = &scene.workflow.jobs[attempt.job];
            let (status, section) = (
                scene.timeline.statuses[attempt.job],
                &spec.sections[job.section],
            );
            if wanted(status) {
                let platform = spec.platform(section).to_lowercase();
                let _ = writeln!(
                    text,
                    "{:<35}{:<15}{:<15}{platform:<20}{:<15}",
                    job.name,
                    attempt.id,
                    status.as_str(),
                    section.queue()
                );
            }
        }
        text
    };
    write_log(
        "jobs_active_status.log".to_owned(),
        table(JobStatus::in_flight),
        scene.timeline.changed,
    )?;
    write_log(
        "jobs_failed_status.log".to_owned(),
        table(|status| status == JobStatus::Failed),
        scene.timeline.changed,
    )
}

/// `status/<expid>_YYYYMMDD_HHMM.txt`: each job, its state and its children.
pub fn write_status(scene: &Scene<'_>) -> Result<(), DemoError> {
    let mut text = String::new();
    for (index, job) in scene.workflow.jobs.iter().enumerate() {
        let children = scene.workflow.children[index]
            .iter()
            .map(|&child| scene.workflow.jobs[child].name.as_str());
        let children = children.collect::<Vec<_>>().join(" ");
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{} {} {children}",
            job.name,
            scene.timeline.statuses[index].as_str()
        );
    }
    let time = scene.changed().format("%Y%m%d_%H%M");
    let path = scene
        .folder("status")?
        .join(format!("{}_{time}.txt", scene.spec.expid));
    files::write(&path, text, scene.changed())
}
