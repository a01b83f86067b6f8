//! What jobs leave in `tmp`.

use std::{collections::BTreeMap, fmt::Write as _, io, io::Write as _, path::Path};

use flate2::{GzBuilder, write::GzEncoder};
use liblzma::write::XzEncoder;

use super::{
    JobStatus,
    scene::{SITE, Scene, moment, stamp},
    timeline::Attempt,
};
use crate::demo::{
    DemoError,
    chance::{between, roll},
    files,
};

/// Experiments of more jobs than this keep statistics of the jobs alone that have logs: a file for each
/// would take most of the time of writing them.
const MANY_JOBS: usize = 500;

/// Writes statistics of every attempt, and logs and marks of some jobs.
pub fn write(scene: &Scene<'_>) -> Result<(), DemoError> {
    let expid = &scene.spec.expid;
    let tmp = scene.folder("tmp")?;
    let logs = scene.folder(&format!("tmp/LOG_{expid}"))?;
    let mut by_job: BTreeMap<usize, Vec<&Attempt>> = BTreeMap::new();
    for attempt in &scene.timeline.attempts {
        by_job.entry(attempt.job).or_default().push(attempt);
    }
    let logged = logged(scene);
    let few = scene.workflow.jobs.len() <= MANY_JOBS;
    for (&job, attempts) in by_job.iter().filter(|(job, _)| few || logged.contains(job)) {
        let path = tmp.join(format!("{}_TOTAL_STATS", scene.workflow.jobs[job].name));
        let lines = attempts
            .iter()
            .map(|attempt| statistics(attempt))
            .collect::<Vec<_>>()
            .join("\n");
        let time = attempts
            .last()
            .map_or(0, |last| last.finish.max(last.start).max(last.submit));
        files::write(&path, lines, moment(time))?;
    }
    for (rank, job) in logged.into_iter().enumerate() {
        let attempts = by_job.get(&job).map_or(&[][..], Vec::as_slice);
        write_job(scene, &tmp, &logs, job, attempts, Compression::of(rank))?;
    }
    Ok(())
}

/// The jobs whose logs are kept: those that failed or run first, then the newest.
fn logged(scene: &Scene<'_>) -> Vec<usize> {
    let latest = scene.timeline.latest();
    let mut jobs = latest
        .values()
        .filter(|last| last.start > 0)
        .copied()
        .collect::<Vec<_>>();
    jobs.sort_by_key(|last| {
        let plain = last.status == JobStatus::Completed && last.fail_count == 0;
        (plain, -last.start, last.job)
    });
    jobs.into_iter()
        .map(|last| last.job)
        .take(scene.spec.logged_jobs)
        .collect()
}

/// A line of `_TOTAL_STATS`: submission, start, finish as far as they have come, and the state at the end.
fn statistics(attempt: &Attempt) -> String {
    let times = [attempt.submit, attempt.start, attempt.finish];
    let mut fields = times
        .into_iter()
        .filter(|&time| time > 0)
        .map(stamp)
        .collect::<Vec<_>>();
    if attempt.finish > 0 {
        fields.push(attempt.status.as_str().to_owned());
    }
    fields.join(" ")
}

#[derive(Clone, Copy)]
enum Compression {
    None,
    Gzip,
    Xz,
}

impl Compression {
    /// One log pair of each kind is enough to see that they are read.
    fn of(rank: usize) -> Self {
        match rank {
            1 => Self::Gzip,
            2 => Self::Xz,
            _ => Self::None,
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
        }
    }

    fn pack(self, text: &str) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(text.as_bytes().to_vec()),
            Self::Gzip => {
                let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new()
                    .mtime(0)
                    .write(Vec::new(), flate2::Compression::default());
                encoder.write_all(text.as_bytes())?;
                encoder.finish()
            }
            Self::Xz => {
                let mut encoder = XzEncoder::new(Vec::new(), 6);
                encoder.write_all(text.as_bytes())?;
                encoder.finish()
            }
        }
    }
}

fn write_job(
    scene: &Scene<'_>,
    tmp: &Path,
    logs: &Path,
    job: usize,
    attempts: &[&Attempt],
    compression: Compression,
) -> Result<(), DemoError> {
    let name = &scene.workflow.jobs[job].name;
    let run = scene.timeline.runs.last().map_or(0, |run| run.id);
    for attempt in attempts
        .iter()
        .filter(|attempt| attempt.run == run && attempt.start > 0)
    {
        let newest = attempts
            .last()
            .is_some_and(|last| last.earlier == attempt.earlier);
        let (compression, suffix) = if newest {
            (compression, compression.ending().to_owned())
        } else {
            (
                Compression::None,
                format!("_attempt_{}", attempt.fail_count + 1),
            )
        };
        let time = moment(if attempt.finish > 0 {
            attempt.finish
        } else {
            scene.timeline.changed
        });
        let stem = scene.log_name(attempt);
        for (end, text) in [
            ("out", output(scene, attempt)),
            ("err", errors(scene, attempt)),
        ] {
            let path = logs.join(format!("{stem}.{end}{suffix}"));
            files::write(
                &path,
                compression.pack(&text).map_err(DemoError::io(&path))?,
                time,
            )?;
        }
        let path = tmp.join(format!("{name}_STAT_{}", attempt.fail_count));
        let mut lines = format!("{}\n", attempt.start);
        if attempt.finish > 0 {
            // Writing into a string cannot fail.
            let _ = writeln!(lines, "{}\n{}", attempt.finish, attempt.status.as_str());
        }
        files::write(&path, lines, time)?;
        if attempt.status == JobStatus::Completed {
            files::write(&tmp.join(format!("{name}_COMPLETED")), "", time)?;
        }
    }
    Ok(())
}

/// The standard output of a model: some hundred lines, one a time step, as many as the attempt has come to.
fn output(scene: &Scene<'_>, attempt: &Attempt) -> String {
    let job = &scene.workflow.jobs[attempt.job];
    let section = &scene.spec.sections[job.section];
    let mut text = format!(
        "[INFO] JOBID={}\n[INFO] job {} on {}, {} processors\n[INFO] sources {SITE}/{}/proj/model\n",
        attempt.id,
        job.name,
        scene.spec.platform(section),
        section.processors,
        scene.spec.expid,
    );
    let planned = 240 + between(0, 80, roll(scene.spec.seed, 31, &job.name));
    let steps = match attempt.status {
        JobStatus::Completed => planned,
        _ => planned / 3,
    };
    let end = if attempt.finish > 0 {
        attempt.finish
    } else {
        scene.timeline.changed
    };
    for step in 1..=steps {
        let time = moment(attempt.start + (end - attempt.start) * step / steps).format("%H:%M:%S");
        let residual = between(
            100,
            999,
            roll(scene.spec.seed, 1000 + step.unsigned_abs(), &job.name),
        );
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{time} step {step:>4} of {planned}  residual 0.{residual}E-07  max CFL 0.{}",
            residual / 11
        );
    }
    match attempt.status {
        JobStatus::Completed => text.push_str("[INFO] finished, restart files written\n"),
        JobStatus::Failed => text.push_str("[ERROR] stopped: see the error log\n"),
        _ => {}
    }
    text
}

fn errors(scene: &Scene<'_>, attempt: &Attempt) -> String {
    let job = &scene.workflow.jobs[attempt.job];
    let mut text = format!(
        "+ cd /scratch/esm01/{}\n+ source environment.sh\n+ ./run_step.sh\n",
        scene.spec.expid
    );
    if attempt.status == JobStatus::Failed {
        let rank = between(0, 384, roll(scene.spec.seed, 33, &job.name));
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "forrtl: severe (174): SIGSEGV, segmentation fault occurred\n\
             rank {rank}: velocity above 20 m/s at k= 31, stopped by the stability check\n\
             srun: error: task {rank}: Exited with exit code 174\n"
        );
    }
    text
}
