//! The history of an experiment: its runs and every attempt at its jobs; and the metrics that its users define.

use std::{collections::HashSet, fmt::Write as _};

use rusqlite::{Connection, Transaction, params};
use serde_json::{Value, json};

use super::{
    JobStatus, config,
    scene::{Scene, moment},
    spec::{HistorySchema, JobListForm},
    timeline::{Attempt, is_local},
};
use crate::demo::{
    DemoError,
    chance::{between, roll},
    files,
    files::int,
};

/// Energy of a processor, in watts.
const WATTS: i64 = 7;

/// Writes `metadata/data/job_data_<expid>.db`.
pub fn write(scene: &Scene<'_>) -> Result<(), DemoError> {
    let path = scene
        .metadata("data")?
        .join(format!("job_data_{}.db", scene.spec.expid));
    files::database(&path, |database| {
        create(database, scene.spec.history)?;
        insert_runs(database, scene)?;
        insert_attempts(database, scene)?;
        if scene.spec.form == JobListForm::Sqlite {
            insert_structure(database, scene)?;
        }
        Ok(())
    })?;
    files::touch(&path, scene.changed())
}

/// Writes `tmp/metrics_<expid>.db` if a section leaves metrics, and gives the number of rows.
pub fn write_metrics(scene: &Scene<'_>) -> Result<usize, DemoError> {
    if !scene.spec.sections.iter().any(|section| section.metrics) {
        return Ok(0);
    }
    let path = scene
        .folder("tmp")?
        .join(format!("metrics_{}.db", scene.spec.expid));
    let rows = files::database(&path, |database| {
        database.execute_batch(
            "CREATE TABLE user_metrics (user_metric_id INTEGER NOT NULL, run_id INTEGER, job_name TEXT,
                metric_name TEXT, metric_value TEXT, modified TEXT, PRIMARY KEY (user_metric_id));",
        )?;
        insert_metrics(database, scene)
    })?;
    files::touch(&path, scene.changed())?;
    Ok(rows)
}

fn create(database: &Connection, schema: HistorySchema) -> rusqlite::Result<()> {
    // Upgraded files have the column at their end; and the columns that came later, too.
    let (modified, late_modified) = match schema {
        HistorySchema::V17 => ("", ", modified TEXT"),
        _ => ("modified TEXT NOT NULL,", ""),
    };
    let mut late = String::new();
    if schema >= HistorySchema::V19 {
        late.push_str(", workflow_commit TEXT");
    }
    if schema >= HistorySchema::V21 {
        late.push_str(", split INTEGER, splits INTEGER, fail_count INTEGER NOT NULL DEFAULT 0");
    }
    database.execute_batch(&format!(
        "CREATE TABLE experiment_run (
            run_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, created TEXT NOT NULL, {modified} start INTEGER NOT NULL,
            finish INTEGER, chunk_unit TEXT NOT NULL, chunk_size INTEGER NOT NULL, completed INTEGER NOT NULL,
            total INTEGER NOT NULL, failed INTEGER NOT NULL, queuing INTEGER NOT NULL, running INTEGER NOT NULL,
            submitted INTEGER NOT NULL, suspended INTEGER NOT NULL DEFAULT 0, metadata TEXT{late_modified});
         CREATE TABLE job_data (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, counter INTEGER NOT NULL, job_name TEXT NOT NULL,
            created TEXT NOT NULL, modified TEXT NOT NULL, submit INTEGER NOT NULL, start INTEGER NOT NULL,
            finish INTEGER NOT NULL, status TEXT NOT NULL, rowtype INTEGER NOT NULL, ncpus INTEGER NOT NULL,
            wallclock TEXT NOT NULL, qos TEXT NOT NULL, energy INTEGER NOT NULL, date TEXT NOT NULL,
            section TEXT NOT NULL, member TEXT NOT NULL, chunk INTEGER NOT NULL, last INTEGER NOT NULL,
            platform TEXT NOT NULL, job_id INTEGER NOT NULL, extra_data TEXT NOT NULL,
            nnodes INTEGER NOT NULL DEFAULT 0, run_id INTEGER, MaxRSS REAL NOT NULL DEFAULT 0.0,
            AveRSS REAL NOT NULL DEFAULT 0.0, out TEXT NOT NULL, err TEXT NOT NULL,
            rowstatus INTEGER NOT NULL DEFAULT 0, children TEXT, platform_output TEXT{late},
            UNIQUE (counter, job_name));
         CREATE INDEX ID_JOB_NAME ON job_data (job_name);
         PRAGMA user_version = {};",
        schema.user_version()
    ))
}

/// A moment in the words of the version.
fn written(scene: &Scene<'_>, seconds: i64) -> String {
    let format = match scene.spec.history {
        HistorySchema::V17 | HistorySchema::V18 => "%Y-%m-%d-%H:%M:%S",
        HistorySchema::V19 | HistorySchema::V21 => "%Y-%m-%dT%H:%M:%S+0000",
    };
    moment(seconds).format(format).to_string()
}

fn insert_runs(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<()> {
    let metadata = config::metadata(scene.spec).to_string();
    let mut insert = database.prepare(
        "INSERT INTO experiment_run (run_id, created, modified, start, finish, chunk_unit, chunk_size, completed, total,
            failed, queuing, running, submitted, suspended, metadata)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    for run in &scene.timeline.runs {
        let count = |status| int(run.statuses.get(&status).copied().unwrap_or(0));
        insert.execute(params![
            run.id,
            written(scene, run.created),
            written(scene, run.modified),
            run.created,
            run.finish,
            scene.spec.chunk_unit.name(),
            scene.spec.chunk_size,
            count(JobStatus::Completed),
            int(scene.workflow.jobs.len()),
            count(JobStatus::Failed),
            count(JobStatus::Queuing),
            count(JobStatus::Running),
            count(JobStatus::Submitted),
            count(JobStatus::Suspended),
            metadata,
        ])?;
    }
    Ok(())
}

fn insert_attempts(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<()> {
    let schema = scene.spec.history;
    let late = match schema {
        HistorySchema::V17 | HistorySchema::V18 => "",
        HistorySchema::V19 => ", ?28",
        HistorySchema::V21 => ", ?28, ?29, ?30, ?31",
    };
    let mut insert = database.prepare(&format!(
        "INSERT INTO job_data VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
            ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?24, ?25, ?26, ?27, NULL, NULL{late})"
    ))?;
    let mut newest = vec![0; scene.workflow.jobs.len()];
    let mut tried = HashSet::new();
    for attempt in &scene.timeline.attempts {
        newest[attempt.job] = attempt.earlier;
        tried.insert((attempt.job, attempt.run, attempt.fail_count));
    }
    // Old versions count attempts from 1.
    let first = i64::from(schema == HistorySchema::V17);
    for attempt in &scene.timeline.attempts {
        let job = &scene.workflow.jobs[attempt.job];
        let section = &scene.spec.sections[job.section];
        let measured = Measured::of(scene, attempt);
        // From 4.1.17 a row reads FAILED until its job has completed.
        let status = match attempt.status {
            status if status.in_flight() && schema >= HistorySchema::V21 => JobStatus::Failed,
            status => status,
        };
        let platform = scene.spec.platform(section);
        let rss = if measured.nodes > 0 {
            1_048_576.0 * f64::from(section.processors.min(4096))
        } else {
            0.0
        };
        let changed = if attempt.finish > 0 {
            attempt.finish + 15
        } else {
            attempt.start.max(attempt.submit)
        };
        // Logs are put aside when the job is tried again in the same run.
        let again = (attempt.job, attempt.run, attempt.fail_count + 1);
        let put_aside = if tried.contains(&again) {
            format!("_attempt_{}", attempt.fail_count + 1)
        } else {
            String::new()
        };
        insert.execute(params_from(
            schema,
            [
                (first + attempt.earlier).into(),
                job.name.clone().into(),
                written(scene, attempt.submit).into(),
                written(scene, changed).into(),
                attempt.submit.into(),
                attempt.start.into(),
                attempt.finish.into(),
                status.as_str().to_owned().into(),
                attempt.package.unwrap_or(2).into(),
                measured.processors.into(),
                section.wallclock().into(),
                section.queue().to_owned().into(),
                measured.energy.into(),
                job.date
                    .map_or(String::new(), |date| {
                        date.format("%Y-%m-%d %H:%M:%S").to_string()
                    })
                    .into(),
                section.name.clone().into(),
                job.member.clone().unwrap_or_default().into(),
                i64::from(job.chunk.unwrap_or(0)).into(),
                i64::from(newest[attempt.job] == attempt.earlier).into(),
                platform.to_owned().into(),
                attempt.id.into(),
                measured.accounting.into(),
                measured.nodes.into(),
                attempt.run.into(),
                rss.into(),
                format!("{}.out{put_aside}", scene.log_name(attempt)).into(),
                format!("{}.err{put_aside}", scene.log_name(attempt)).into(),
                i64::from(if attempt.finish > 0 { 2 } else { 0 }).into(),
                commit(scene).into(),
                job.split.map(i64::from).into(),
                section.splits.map(i64::from).into(),
                attempt.fail_count.into(),
            ],
        ))?;
    }
    Ok(())
}

/// The columns that a schema has.
fn params_from(
    schema: HistorySchema,
    values: [rusqlite::types::Value; 31],
) -> rusqlite::ParamsFromIter<impl Iterator<Item = rusqlite::types::Value>> {
    let count = match schema {
        HistorySchema::V17 | HistorySchema::V18 => 27,
        HistorySchema::V19 => 28,
        HistorySchema::V21 => 31,
    };
    rusqlite::params_from_iter(values.into_iter().take(count))
}

/// What the scheduler's accounting tells of an attempt that has ended; zeros for others and for this machine.
#[derive(Default)]
struct Measured {
    processors: i64,
    nodes: i64,
    /// Joules.
    energy: i64,
    accounting: String,
}

impl Measured {
    fn of(scene: &Scene<'_>, attempt: &Attempt) -> Self {
        if attempt.finish == 0 || is_local(scene.spec, scene.workflow, attempt.job) {
            return Self::default();
        }
        let section = &scene.spec.sections[scene.workflow.jobs[attempt.job].section];
        let processors = i64::from(section.processors);
        let energy = processors * (attempt.finish - attempt.start) * WATTS;
        let time = |seconds: i64| moment(seconds).format("%Y-%m-%dT%H:%M:%S").to_string();
        let step = |submit: i64, memory: String| {
            json!({
                "submit": time(submit),
                "start": time(attempt.start),
                "finish": time(attempt.finish),
                "energy": energy.to_string(),
                "MaxRSS": memory,
                "AveRSS": memory,
            })
        };
        let memory = format!("{}K", processors * 1024);
        let accounting = json!({
            attempt.id.to_string(): step(attempt.submit, "NA".to_owned()),
            format!("{}.batch", attempt.id): step(attempt.start, memory),
        });
        Self {
            processors,
            nodes: (processors + config::CORES_PER_NODE - 1) / config::CORES_PER_NODE,
            energy,
            accounting: accounting.to_string(),
        }
    }
}

/// The commit of the workflow's sources: forty hexadecimal digits.
fn commit(scene: &Scene<'_>) -> Option<String> {
    if scene.spec.history != HistorySchema::V19 {
        return None;
    }
    let mut commit = String::new();
    for part in 0..3 {
        // Writing into a string cannot fail.
        let _ = write!(
            commit,
            "{:016x}",
            roll(scene.spec.seed, 40 + part, &scene.spec.expid)
        );
    }
    commit.truncate(40);
    Some(commit)
}

/// From 4.2.0: the edges of each run.
fn insert_structure(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<()> {
    database.execute_batch(
        "CREATE TABLE structure_data (run_id INTEGER NOT NULL, e_from VARCHAR NOT NULL, e_to VARCHAR NOT NULL,
            min_trigger_status VARCHAR, completion_status VARCHAR, from_step INTEGER, fail_ok BOOLEAN,
            PRIMARY KEY (run_id, e_from, e_to));",
    )?;
    let mut insert = database.prepare(
        "INSERT INTO structure_data VALUES (?1, ?2, ?3, 'COMPLETED', 'WAITING', 0, FALSE)",
    )?;
    for run in &scene.timeline.runs {
        for (parent, child) in scene.workflow.edges() {
            insert.execute(params![
                run.id,
                scene.workflow.jobs[parent].name,
                scene.workflow.jobs[child].name
            ])?;
        }
    }
    Ok(())
}

fn insert_metrics(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<usize> {
    let mut insert = database.prepare(
        "INSERT INTO user_metrics (run_id, job_name, metric_name, metric_value, modified) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut rows = 0;
    for attempt in scene
        .timeline
        .attempts
        .iter()
        .filter(|attempt| attempt.status == JobStatus::Completed)
    {
        let job = &scene.workflow.jobs[attempt.job];
        if !scene.spec.sections[job.section].metrics {
            continue;
        }
        let dice = |what| roll(scene.spec.seed, what, &job.name);
        let steps = between(2_000, 3_000, dice(21));
        let temperature = between(28_700, 28_900, dice(22));
        let values: [(&str, Value); 2] = [
            ("time_steps", json!(steps)),
            (
                "mean_temperature",
                json!(format!("{}.{:02}", temperature / 100, temperature % 100)),
            ),
        ];
        for (name, value) in values {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let modified = moment(attempt.finish)
                .format("%Y-%m-%dT%H:%M:%S+00:00")
                .to_string();
            rows += insert.execute(params![attempt.run, job.name, name, value, modified])?;
        }
    }
    Ok(rows)
}
