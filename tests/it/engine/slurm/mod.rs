//! Steps as jobs of a real Slurm: the one whose `slurm.conf` is named by `LABQL_TEST_SLURM`.

mod canceling;
mod controller;
mod ending;
mod submitting;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use labql::engine::{Job, Slurm, SlurmSettings};

/// A Slurm to give jobs to.
struct Cluster {
    conf: PathBuf,
}

impl Cluster {
    /// None where there is no Slurm, after saying so.
    fn open() -> Option<Self> {
        let Some(conf) = std::env::var_os("LABQL_TEST_SLURM").filter(|conf| !conf.is_empty())
        else {
            println!("skipped: LABQL_TEST_SLURM names no slurm.conf");
            return None;
        };
        if !["/usr/sbin", "/usr/local/sbin", "/usr/bin"]
            .iter()
            .any(|folder| Path::new(folder).join("slurmctld").exists())
        {
            println!("skipped: there is no slurmctld");
            return None;
        }
        Some(Self { conf: conf.into() })
    }

    fn settings(&self) -> SlurmSettings {
        SlurmSettings {
            conf: Some(self.conf.clone()),
            pace: Duration::from_millis(100),
            timeout: Duration::from_secs(20),
            lag: Duration::from_secs(3),
            ..SlurmSettings::default()
        }
    }

    fn executor(&self) -> Slurm {
        Slurm::new(self.settings())
    }

    /// One whose jobs wait until they are released.
    fn holding(&self) -> Slurm {
        Slurm::new(SlurmSettings {
            options: vec!["--hold".into()],
            ..self.settings()
        })
    }

    /// What a command of Slurm prints.
    fn ask(&self, program: &str, args: &[&str]) -> String {
        let asked = Command::new(program)
            .args(args)
            .env("SLURM_CONF", &self.conf)
            .output()
            .expect("a command of Slurm");
        String::from_utf8(asked.stdout).expect("text")
    }

    /// The jobs of a step that have not ended.
    fn open_jobs(&self, job: &Job) -> String {
        let name = format!("--name=labql-{}", job.ticket.id);
        self.ask("squeue", &["--noheader", "--me", &name])
    }
}

/// The number of the job of a step.
fn number(job: &Job) -> String {
    let noted = fs::read_to_string(job.ticket.folder.join("job")).expect("the number of a job");
    noted.trim().to_owned()
}
