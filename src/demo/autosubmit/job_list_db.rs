//! Edges in their own database, and the database that from 4.2.0 holds jobs, edges and packages.

use chrono::{DateTime, Utc};
use rusqlite::{Transaction, params};

use super::{
    JobStatus,
    scene::{Scene, stamp},
    spec::JobListForm,
    timeline::RETRIALS,
    wrappers,
};
use crate::demo::{DemoError, files, files::int};

/// Writes `db/job_list.db`, which takes the place of the `pkl` folder.
pub fn write(scene: &Scene<'_>) -> Result<(), DemoError> {
    if scene.spec.form != JobListForm::Sqlite {
        return Ok(());
    }
    let path = scene.folder("db")?.join("job_list.db");
    files::database(&path, |database| {
        database.execute_batch(SCHEMA)?;
        wrappers::create(database, "", ", run_id INTEGER")?;
        insert_jobs(database, scene)?;
        insert_sections(database, scene)?;
        if scene.spec.structure {
            insert_edges(database, scene)?;
        }
        if matches!(scene.spec.wrappers, super::spec::Wrappers::Preview { .. }) {
            wrappers::create(database, "preview_", ", run_id INTEGER")?;
        }
        wrappers::insert(database, scene)?;
        let run = scene.timeline.runs.last().map(|run| run.id);
        database.execute("UPDATE wrappers_info SET run_id = ?1", [run])?;
        database.execute("UPDATE wrappers_jobs SET run_id = ?1", [run])?;
        Ok(())
    })?;
    if scene.spec.truncated {
        let mut bytes = std::fs::read(&path).map_err(DemoError::io(&path))?;
        bytes.truncate(bytes.len() / 3);
        files::write(&path, bytes, scene.changed())?;
    }
    files::touch(&path, scene.changed())
}

/// Writes `metadata/structures/structure_<expid>.db`, for versions whose job list has no edges.
pub fn write_structure(scene: &Scene<'_>) -> Result<(), DemoError> {
    if scene.spec.form == JobListForm::Sqlite || !scene.spec.structure {
        return Ok(());
    }
    let path = scene
        .metadata("structures")?
        .join(format!("structure_{}.db", scene.spec.expid));
    let key = if scene.spec.version_parts() >= (4, 1, 12) {
        "PRIMARY KEY"
    } else {
        "UNIQUE"
    };
    files::database(&path, |database| {
        database.execute_batch(&format!(
            "CREATE TABLE experiment_structure (e_from TEXT NOT NULL, e_to TEXT NOT NULL, {key} (e_from, e_to));"
        ))?;
        let mut insert = database.prepare("INSERT INTO experiment_structure VALUES (?1, ?2)")?;
        for (parent, child) in scene.workflow.edges() {
            insert.execute([
                &scene.workflow.jobs[parent].name,
                &scene.workflow.jobs[child].name,
            ])?;
        }
        Ok(())
    })?;
    files::touch(&path, scene.created())
}

const SCHEMA: &str = "
CREATE TABLE jobs (
    name VARCHAR NOT NULL, id INTEGER, script_name VARCHAR, priority INTEGER, status TEXT NOT NULL, frequency VARCHAR,
    synchronize BOOLEAN, section VARCHAR, chunk INTEGER, member TEXT, splits INTEGER, split INTEGER, date VARCHAR,
    date_split VARCHAR, max_checkpoint_step INTEGER NOT NULL, start_time VARCHAR, start_time_timestamp INTEGER,
    submit_time_timestamp INTEGER, finish_time_timestamp INTEGER, ready_date VARCHAR, local_logs_out VARCHAR,
    local_logs_err VARCHAR, remote_logs_out VARCHAR, remote_logs_err VARCHAR, updated_log INTEGER,
    updated_stats INTEGER, fail_count INTEGER NOT NULL, retrials INTEGER NOT NULL,
    log_recovery_call_count INTEGER NOT NULL, wrapper_type TEXT, wallclock VARCHAR, packed BOOLEAN,
    current_checkpoint_step INTEGER NOT NULL, platform_name VARCHAR, created TEXT NOT NULL, modified TEXT NOT NULL,
    PRIMARY KEY (name));
CREATE TABLE experiment_structure (
    e_from VARCHAR NOT NULL, e_to VARCHAR NOT NULL, min_trigger_status VARCHAR, completion_status VARCHAR,
    from_step INTEGER, fail_ok BOOLEAN, PRIMARY KEY (e_from, e_to));
CREATE TABLE sections (
    name VARCHAR NOT NULL, splits INTEGER, dependencies VARCHAR, datelist VARCHAR, members VARCHAR, numchunks INTEGER,
    expid VARCHAR, PRIMARY KEY (name));
";

fn insert_jobs(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<()> {
    let latest = scene.timeline.latest();
    let text = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S").to_string();
    let number = |seconds: i64| {
        (seconds > 0)
            .then(|| stamp(seconds).parse::<i64>().ok())
            .flatten()
    };
    let mut insert = database.prepare(
        "INSERT INTO jobs (name, id, script_name, priority, status, synchronize, section, chunk, member, splits, split,
            date, max_checkpoint_step, start_time_timestamp, submit_time_timestamp, finish_time_timestamp, ready_date,
            local_logs_out, local_logs_err, remote_logs_out, remote_logs_err, updated_log, updated_stats, fail_count,
            retrials, log_recovery_call_count, wrapper_type, wallclock, packed, current_checkpoint_step, platform_name,
            created, modified)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, ?13, ?14, ?15, ?16, ?17, ?18, ?17, ?18, ?19, ?19,
            ?20, ?21, 1, 'Simple', ?22, ?23, 0, ?24, ?25, ?26)",
    )?;
    for (index, job) in scene.workflow.jobs.iter().enumerate() {
        let section = &scene.spec.sections[job.section];
        let status = scene.timeline.statuses[index];
        let attempt = latest.get(&index);
        let ended = matches!(status, JobStatus::Completed | JobStatus::Failed);
        let log = |end: &str| {
            attempt
                .filter(|_| ended)
                .map(|last| scene.log_name(last) + end)
        };
        let changed = attempt.map_or(scene.created(), |last| {
            super::scene::moment(if status.in_flight() {
                scene.timeline.changed - 20
            } else {
                last.finish
            })
        });
        insert.execute(params![
            job.name,
            attempt.map_or(0, |last| last.id),
            format!("{}.cmd", job.name),
            int(scene.workflow.level[index]),
            status.as_str(),
            section.synchronize.map(|_| true),
            section.name,
            job.chunk,
            job.member,
            section.splits.map_or(-1, i64::from),
            job.split.map_or(-1, i64::from),
            job.date
                .map(|date| date.format("%Y-%m-%dT%H:%M:%S").to_string()),
            attempt.and_then(|last| number(last.start)),
            attempt.and_then(|last| number(last.submit)),
            attempt.and_then(|last| number(last.finish)),
            attempt.map(|last| stamp(last.submit - 1)),
            log(".out"),
            log(".err"),
            ended,
            attempt.map_or(0, |last| last.fail_count),
            int(RETRIALS),
            section.wallclock(),
            attempt.is_some_and(|last| last.package.is_some()),
            scene.spec.platform(section),
            text(scene.created()),
            text(changed),
        ])?;
    }
    Ok(())
}

fn insert_sections(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<()> {
    use super::section::Running;
    let spec = scene.spec;
    let dates = spec
        .start_dates
        .iter()
        .map(|&date| spec.date_text(date))
        .collect::<Vec<_>>()
        .join(" ");
    let mut insert =
        database.prepare("INSERT INTO sections VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for section in &spec.sections {
        let needs = section
            .dependency_names()
            .iter()
            .map(|name| format!("'{name}': {{}}"))
            .collect::<Vec<_>>();
        insert.execute(params![
            section.name,
            section.splits,
            (!needs.is_empty()).then(|| format!("{{{}}}", needs.join(", "))),
            (section.running != Running::Once).then_some(&dates),
            matches!(section.running, Running::Member | Running::Chunk)
                .then(|| spec.members.join(" ")),
            (section.running == Running::Chunk).then_some(spec.chunks),
            spec.expid,
        ])?;
    }
    Ok(())
}

fn insert_edges(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<()> {
    let mut insert = database
        .prepare("INSERT INTO experiment_structure VALUES (?1, ?2, 'COMPLETED', ?3, 0, FALSE)")?;
    for (parent, child) in scene.workflow.edges() {
        let reached = match scene.timeline.statuses[parent] {
            JobStatus::Completed => "COMPLETED",
            _ => "WAITING",
        };
        insert.execute([
            &scene.workflow.jobs[parent].name,
            &scene.workflow.jobs[child].name,
            reached,
        ])?;
    }
    Ok(())
}
