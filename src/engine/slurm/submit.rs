//! Giving a step to Slurm.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::time::Duration;

use super::commands::is_refusal;
use super::notes::{Notes, note_verdict};
use super::queue::PREFIX;
use super::{Slurm, not_started, unavailable};
use crate::engine::EngineError;
use crate::engine::executor::{Job, SubmitError, blocking};
use crate::engine::folder::Folder;

/// The script of all jobs.
const SCRIPT: &str = include_str!("job.sh");
/// What Slurm's own time limit has more than the step's and its grace: it counts in minutes, and the script is to be first.
const MORE_TIME: Duration = Duration::from_mins(3);

impl Slurm {
    /// Gives a step to Slurm, unless that was done.
    pub(super) async fn give(&self, job: &Job) -> Result<(), SubmitError> {
        let made = {
            let job = job.clone();
            blocking(move || make(&job)).await
        };
        let is_new = match made {
            Ok(Ok(is_new)) => is_new,
            Ok(Err(error)) => return Err(unavailable(&error)),
            Err(error) => return Err(SubmitError::Unavailable(error.to_string())),
        };
        let notes = self.notes(&job.ticket).await;
        let notes = notes.map_err(|error| SubmitError::Unavailable(error.to_string()))?;
        if notes.begun.is_some() || notes.outcome.is_some() || notes.number().is_some() {
            return Ok(());
        }
        // The answer to an attempt before may have been lost.
        if !is_new && let Some(number) = self.given(&notes).await? {
            return self.note(job, number).await;
        }
        match self.commands.run("sbatch", &self.args(job)).await {
            Ok(text) => {
                let number = text
                    .trim()
                    .split(';')
                    .next()
                    .and_then(|text| text.parse().ok());
                match number {
                    Some(number) => self.note(job, number).await,
                    None => Err(SubmitError::Unavailable(format!(
                        "sbatch told no number: {text}"
                    ))),
                }
            }
            Err(failed) if failed.answered && is_refusal(&failed.words) => {
                let (folder, outcome) = (job.ticket.folder.clone(), not_started(&failed.words));
                if let Ok(Err(error)) = blocking(move || note_verdict(&folder, &outcome)).await {
                    tracing::warn!(step = job.ticket.id, %error, "a refusal could not be noted");
                }
                Err(SubmitError::Refused(failed.words))
            }
            Err(failed) => Err(SubmitError::Unavailable(failed.words)),
        }
    }

    /// The job that a step was given as by somebody who could not note it.
    async fn given(&self, notes: &Notes) -> Result<Option<u64>, SubmitError> {
        let queue = self.commands.squeue().await;
        let queue = queue.map_err(SubmitError::Unavailable)?;
        Ok(queue.find(notes).map(|entry| entry.number))
    }

    async fn note(&self, job: &Job, number: u64) -> Result<(), SubmitError> {
        let folder = job.ticket.folder.clone();
        let noted = blocking(move || Folder::at(&folder).write("job", &number)).await;
        match noted {
            Ok(Ok(())) => Ok(()),
            // It is found by its name.
            Ok(Err(error)) => {
                tracing::warn!(step = job.ticket.id, %error, "the number of a job could not be noted");
                Ok(())
            }
            Err(error) => Err(SubmitError::Unavailable(error.to_string())),
        }
    }

    fn args(&self, job: &Job) -> Vec<OsString> {
        let folder = &job.ticket.folder;
        let with = |name: &str, path: &Path| {
            let mut option = OsString::from(name);
            option.push(path);
            option
        };
        let mut args: Vec<OsString> = vec![
            "--parsable".into(),
            format!("--job-name={PREFIX}{}", job.ticket.id).into(),
            "--no-requeue".into(),
            "--nodes=1".into(),
            "--ntasks=1".into(),
            format!("--cpus-per-task={}", job.processors.max(1)).into(),
            "--open-mode=append".into(),
            with("--output=", &literal(&folder.join("slurm.log"))),
            with("--chdir=", folder),
            with("--export-file=", &folder.join("environment")),
        ];
        if let Some(memory) = job.bounds.memory {
            args.push(format!("--mem={}K", memory.div_ceil(1024).max(1)).into());
        }
        if let Some(limit) = job.time_limit {
            let most = limit
                .saturating_add(job.bounds.grace)
                .saturating_add(MORE_TIME);
            args.push(format!("--time={}", most.as_secs().div_ceil(60)).into());
        }
        args.extend(self.options.iter().map(OsString::from));
        args.push(folder.join("job.sh").into());
        args.push(folder.into());
        args.push(job.working_dir.clone().into());
        args.push(job.log_limit.to_string().into());
        // The script's clock takes any number of seconds, with a part; 0 would be none.
        let limit = job
            .time_limit
            .map_or(0.0, |limit| limit.as_secs_f64().max(0.001));
        args.push(limit.to_string().into());
        args.push(job.bounds.grace.as_secs_f64().to_string().into());
        args.push("/usr/bin/prlimit".into());
        // Never a core file: it may be large, and holds secrets.
        args.push("--core=0:0".into());
        args.extend(job.bounds.prlimit().into_iter().map(OsString::from));
        args.push("--".into());
        args.push(job.program.clone());
        args.extend(job.args.iter().cloned());
        args
    }
}

/// A path as it stands, where Slurm would put something in place of `%` and a letter.
fn literal(path: &Path) -> std::path::PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let doubled = bytes.iter().flat_map(|byte| {
        let times = if *byte == b'%' { 2 } else { 1 };
        std::iter::repeat_n(*byte, times)
    });
    OsString::from_vec(doubled.collect()).into()
}

/// Makes the folder of a step with all that its job needs. False: it was there.
fn make(job: &Job) -> Result<bool, EngineError> {
    let path = &job.ticket.folder;
    let (folder, is_new) = match Folder::create(path) {
        Ok(folder) => (folder, true),
        Err(EngineError::Taken(_)) => (Folder::at(path), false),
        Err(error) => return Err(error),
    };
    let mut environment = Vec::new();
    for (name, value) in &job.environment {
        environment.extend(name.as_bytes());
        environment.push(b'=');
        environment.extend(value.as_bytes());
        environment.push(0);
    }
    folder.write("bounds", &job.bounds)?;
    folder.write_bytes("environment", &environment)?;
    folder.write_bytes("job.sh", SCRIPT.as_bytes())?;
    Ok(is_new)
}
