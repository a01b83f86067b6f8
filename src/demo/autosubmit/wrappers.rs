//! Packages of jobs that are submitted together, and the databases that tell of them.

use chrono::DateTime;
use rusqlite::{Transaction, params};

use super::{
    JobStatus,
    scene::Scene,
    spec::{ExperimentSpec, JobListForm, Wrappers},
    timeline::Timeline,
    workflow::Workflow,
};
use crate::demo::{
    DemoError,
    chance::{between, roll},
    files::{self, int},
};

/// Jobs in a package.
const SIZE: usize = 4;

/// Jobs that are submitted as one.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name, which is that of its script too.
    pub name: String,
    /// The scheduler's number; negative in a preview.
    pub id: i64,
    /// Section of its jobs.
    pub section: usize,
    /// Its jobs, in the order in which they run.
    pub jobs: Vec<usize>,
    /// Its state.
    pub status: JobStatus,
    /// When it was made, in seconds since the epoch.
    pub made: i64,
}

/// Packs the jobs, and gives the attempts of a package the submission, number and code that they share.
pub fn pack(spec: &ExperimentSpec, workflow: &Workflow, timeline: &mut Timeline) -> Vec<Package> {
    let (name, real) = match &spec.wrappers {
        Wrappers::None => return Vec::new(),
        Wrappers::Real { section } => (section, true),
        Wrappers::Preview { section } => (section, false),
    };
    let Some(section) = spec
        .sections
        .iter()
        .position(|section| section.name == *name)
    else {
        return Vec::new();
    };
    let run = timeline.runs.last().map_or(0, |run| run.id);
    let mut packages = Vec::new();
    for jobs in groups(workflow, section) {
        let of_package = |job: usize| jobs.contains(&job);
        let first = timeline
            .attempts
            .iter()
            .find(|attempt| attempt.run == run && of_package(attempt.job));
        let (made, id) = match (first, real) {
            (Some(first), true) => (first.submit, first.id),
            (None, false) => (timeline.changed, -int(packages.len() + 1)),
            _ => continue,
        };
        let dice = roll(
            spec.seed,
            7,
            jobs.first()
                .map_or("", |&job| workflow.jobs[job].name.as_str()),
        );
        let code = made * 10_000 + between(1, 10_000, dice);
        for attempt in &mut timeline.attempts {
            if real && attempt.run == run && of_package(attempt.job) {
                attempt.package = Some(code);
                if attempt.fail_count == 0 {
                    attempt.submit = made;
                    attempt.id = id;
                }
            }
        }
        let done = jobs
            .iter()
            .all(|&job| timeline.statuses[job] == JobStatus::Completed);
        // From 4.1.17 the name tells the section too.
        let of_section = if spec.version_parts() >= (4, 1, 17) {
            format!("{name}_")
        } else {
            String::new()
        };
        let processors = spec.sections[section].processors;
        packages.push(Package {
            name: format!(
                "{}_ASThread_{of_section}{code}_{processors}_{}",
                spec.expid,
                jobs.len()
            ),
            id,
            section,
            status: if done || !real {
                JobStatus::Completed
            } else {
                JobStatus::Running
            },
            jobs,
            made,
        });
    }
    packages
}

/// Consecutive chunks of each date and member.
fn groups(workflow: &Workflow, section: usize) -> Vec<Vec<usize>> {
    let jobs = (0..workflow.jobs.len())
        .filter(|&job| workflow.jobs[job].section == section)
        .collect::<Vec<_>>();
    let place = |job: usize| (workflow.jobs[job].date, &workflow.jobs[job].member);
    jobs.chunk_by(|&one, &other| place(one) == place(other))
        .flat_map(|member| member.chunks(SIZE).map(<[usize]>::to_vec))
        .collect()
}

/// Writes `pkl/job_packages_<expid>.db` in the schema of the version. From 4.2.0 the job list holds the packages.
pub fn write(scene: &Scene<'_>) -> Result<(), DemoError> {
    if scene.spec.form == JobListForm::Sqlite {
        return Ok(());
    }
    let path = scene
        .folder("pkl")?
        .join(format!("job_packages_{}.db", scene.spec.expid));
    files::database(&path, |database| match scene.spec.version_parts() {
        version if version >= (4, 1, 17) => {
            create(database, "", "")?;
            create(database, "preview_", "")?;
            insert(database, scene)
        }
        version => write_old(database, scene, version >= (4, 1, 12)),
    })?;
    files::touch(&path, scene.changed())
}

/// The tables up to 4.1.16.
fn write_old(
    database: &Transaction<'_>,
    scene: &Scene<'_>,
    with_wallclock: bool,
) -> rusqlite::Result<()> {
    let wallclock = if with_wallclock { ", wallclock" } else { "" };
    database.execute_batch(&format!(
        "CREATE TABLE db_options (option_name, option_value);
         CREATE TABLE job_package (exp_id, package_name, job_name{wallclock});
         CREATE TABLE wrapper_job_package (exp_id, package_name, job_name{wallclock});"
    ))?;
    let preview = matches!(scene.spec.wrappers, Wrappers::Preview { .. });
    let table = if preview {
        "wrapper_job_package"
    } else {
        "job_package"
    };
    let place = if with_wallclock { ", ?4" } else { "" };
    let mut insert =
        database.prepare(&format!("INSERT INTO {table} VALUES (?1, ?2, ?3{place})"))?;
    for package in scene.packages {
        let wallclock = package_wallclock(scene, package);
        for &job in &package.jobs {
            let job = &scene.workflow.jobs[job].name;
            if with_wallclock {
                insert.execute(params![scene.spec.expid, package.name, job, wallclock])?;
            } else {
                insert.execute(params![scene.spec.expid, package.name, job])?;
            }
        }
    }
    Ok(())
}

/// Makes the two tables of 4.1.17 and later; those of 4.2.0 know the run.
pub fn create(database: &Transaction<'_>, prefix: &str, run: &str) -> rusqlite::Result<()> {
    database.execute_batch(&format!(
        "CREATE TABLE {prefix}wrappers_info (
            name VARCHAR NOT NULL, id INTEGER, script_name VARCHAR, status TEXT NOT NULL,
            local_logs_out VARCHAR, local_logs_err VARCHAR, remote_logs_out VARCHAR, remote_logs_err VARCHAR,
            updated_log INTEGER, platform_name VARCHAR, wallclock VARCHAR, num_processors INTEGER,
            type TEXT, sections TEXT, method TEXT{run}, PRIMARY KEY (name));
         CREATE TABLE {prefix}wrappers_jobs (
            package_id INTEGER NOT NULL, package_name VARCHAR NOT NULL, job_name VARCHAR NOT NULL,
            timestamp VARCHAR{run}, PRIMARY KEY (package_id, package_name, job_name));"
    ))
}

/// Fills the two tables.
pub fn insert(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<()> {
    let preview = matches!(scene.spec.wrappers, Wrappers::Preview { .. });
    let prefix = if preview { "preview_" } else { "" };
    let mut info = database.prepare(&format!(
        "INSERT INTO {prefix}wrappers_info
            (name, id, script_name, status, updated_log, platform_name, wallclock, num_processors, type, sections, method)
         VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, 'vertical', ?8, 'ASThread')"
    ))?;
    let mut member = database.prepare(&format!(
        "INSERT INTO {prefix}wrappers_jobs (package_id, package_name, job_name, timestamp) VALUES (?1, ?2, ?3, ?4)"
    ))?;
    for package in scene.packages {
        let section = &scene.spec.sections[package.section];
        info.execute(params![
            package.name,
            package.id,
            format!("{}.cmd", package.name),
            package.status.as_str(),
            scene.spec.platform(section),
            package_wallclock(scene, package),
            section.processors,
            section.name,
        ])?;
        let made = DateTime::from_timestamp(package.made, 0)
            .unwrap_or_default()
            .format("%Y-%m-%dT%H:%M:%S%.6f");
        for &job in &package.jobs {
            let job = &scene.workflow.jobs[job].name;
            member.execute(params![package.id, package.name, job, made.to_string()])?;
        }
    }
    Ok(())
}

fn package_wallclock(scene: &Scene<'_>, package: &Package) -> String {
    let minutes =
        u64::from(scene.spec.sections[package.section].minutes) * 2 * package.jobs.len() as u64;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
