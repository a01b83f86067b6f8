//! The databases of the whole root: which experiments there are, and which are at work.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{scene::Scene, spec::ConfigForm};
use crate::demo::{DemoError, files};

/// Whether the table of details has a primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailsKey {
    /// As Autosubmit's API makes it.
    Primary,
    /// As Autosubmit makes it.
    None,
}

/// Makes `autosubmit.db` and `as_times.db` where they are missing.
pub fn create(root: &Path, key: DetailsKey) -> Result<(), DemoError> {
    files::folder(root)?;
    let primary = match key {
        DetailsKey::Primary => " PRIMARY KEY",
        DetailsKey::None => "",
    };
    files::database(&root.join("autosubmit.db"), |database| {
        database.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS experiment (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR NOT NULL, description VARCHAR NOT NULL,
                autosubmit_version VARCHAR);
             CREATE TABLE IF NOT EXISTS details (
                exp_id INTEGER{primary}, user TEXT NOT NULL, created TEXT NOT NULL, model TEXT NOT NULL,
                branch TEXT NOT NULL, hpc TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS db_version (version INTEGER NOT NULL);
             INSERT INTO db_version SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM db_version);"
        ))
    })?;
    files::database(&root.join("as_times.db"), |database| {
        database.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS experiment_status (
                exp_id INTEGER{primary}, name TEXT NOT NULL, status TEXT NOT NULL, seconds_diff INTEGER NOT NULL,
                modified TEXT NOT NULL);"
        ))
    })
}

/// Enters an experiment, or brings its rows up to date, and gives its id.
pub fn enter(scene: &Scene<'_>) -> Result<i64, DemoError> {
    let id = files::database(&scene.root.join("autosubmit.db"), |database| {
        let id = enter_name(database, scene)?;
        database.execute("DELETE FROM details WHERE exp_id = ?1", [id])?;
        if scene.spec.details {
            enter_details(database, scene, id)?;
        }
        Ok(id)
    })?;
    files::database(&scene.root.join("as_times.db"), |database| {
        database.execute("DELETE FROM experiment_status WHERE exp_id = ?1", [id])?;
        // What has never run has no row.
        if scene.timeline.attempts.is_empty() {
            return Ok(());
        }
        let status = if scene.spec.progress.live {
            "RUNNING"
        } else {
            "NOT RUNNING"
        };
        let modified = scene.changed().format("%Y-%m-%dT%H:%M:%S+0000").to_string();
        database.execute(
            "INSERT INTO experiment_status VALUES (?1, ?2, ?3, 0, ?4)",
            params![id, scene.spec.expid, status, modified],
        )?;
        Ok(())
    })?;
    Ok(id)
}

fn enter_name(database: &Transaction<'_>, scene: &Scene<'_>) -> rusqlite::Result<i64> {
    let spec = scene.spec;
    let known = database
        .query_row(
            "SELECT id FROM experiment WHERE name = ?1",
            [&spec.expid],
            |row| row.get(0),
        )
        .optional()?;
    let values = params![spec.expid, spec.description, spec.version, known];
    if let Some(id) = known {
        database.execute(
            "UPDATE experiment SET name = ?1, description = ?2, autosubmit_version = ?3 WHERE id = ?4",
            values,
        )?;
        return Ok(id);
    }
    database.execute(
        "INSERT INTO experiment (name, description, autosubmit_version, id) VALUES (?1, ?2, ?3, ?4)",
        values,
    )?;
    Ok(database.last_insert_rowid())
}

fn enter_details(database: &Connection, scene: &Scene<'_>, id: i64) -> rusqlite::Result<()> {
    let spec = scene.spec;
    let created = match spec.config {
        ConfigForm::As3 => scene.created().format("%Y-%m-%d %H:%M:%S"),
        ConfigForm::As4 => scene.created().format("%Y-%m-%dT%H:%M:%S+00:00"),
    };
    database.execute(
        "INSERT INTO details VALUES (?1, ?2, ?3, 'https://git.example.org/esm/model.git', 'main', ?4)",
        params![id, spec.owner, created.to_string(), spec.hpc],
    )?;
    Ok(())
}
