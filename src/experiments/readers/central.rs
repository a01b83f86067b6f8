//! Which experiments there are: `autosubmit.db`, and which of them run: `as_times.db`; or the same tables on a server.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{
    Expid, Part, Problem, Root, RowProblems, SourceError, SourceFile, tables::Tables,
    time::parse_moment, time::parse_zoned_moment,
};

/// What the central databases hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Central {
    /// The experiments by row id. A folder without a row is no experiment.
    pub experiments: Vec<CentralExperiment>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// One experiment as the central databases know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CentralExperiment {
    /// Its row id.
    pub id: i64,
    /// Its identifier.
    pub expid: Expid,
    /// What its owner wrote.
    pub description: Option<String>,
    /// The version of Autosubmit that it was last used with.
    pub autosubmit_version: Option<String>,
    /// What the table of details tells of it; missing if it has no row there.
    pub details: Part<Details>,
    /// Whether it runs; missing if nobody has said so. Autosubmit itself never takes it back.
    pub running: Part<bool>,
    /// When that was said, if it runs. None also for a time without a zone: it is that of an unknown clock.
    pub announced_at: Option<DateTime<Utc>>,
}

/// What the table of details tells of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The user who made it.
    pub owner: Option<String>,
    /// When it was made. Old rows give local time without a zone, which is taken as UTC.
    pub created_at: Option<DateTime<Utc>>,
    /// The model: often the address of its sources.
    pub model: Option<String>,
    /// The branch of these sources.
    pub branch: Option<String>,
    /// The main platform.
    pub hpc: Option<String>,
}

/// Reads the central databases.
///
/// Without details or status (tables, rows or the whole of `as_times.db`) an experiment simply has none; of several
/// rows the last one counts, as Autosubmit's own tables lack a key.
///
/// # Errors
/// [`SourceError`] if `autosubmit.db` itself cannot be read.
pub fn read_central(root: &Root) -> Result<Central, SourceError> {
    let root = &root.picture(None)?;
    let tables = match Tables::central(root, SourceFile::Central) {
        Err(SourceError::Missing) if root.has_server() => return Err(no_experiments()),
        other => other?,
    };
    let name = tables.name().to_owned();
    let mut problems = RowProblems::new(&name);
    let experiments = read_experiments(&tables, &mut problems)?;
    let mut experiments = experiments.ok_or_else(no_experiments)?;
    let details = read_details(&tables, &mut problems);
    drop(tables);

    experiments.sort_by_key(|experiment| experiment.id);
    let mut seen = HashSet::new();
    experiments.retain(|experiment| {
        let first = seen.insert(experiment.expid.clone());
        if !first {
            problems.add(format_args!(
                "{} has more than one row; the first one counts",
                experiment.expid
            ));
        }
        first
    });
    let mut problems = problems.finish();

    let mut details = details.map_err(|error| problems.push(Problem::of(&name, &error)));
    let running = read_running(root, &mut problems);
    root.intact()?;
    for experiment in &mut experiments {
        experiment.details = match &mut details {
            Ok(details) => details
                .remove(&experiment.id)
                .map_or(Part::Missing, Part::Present),
            Err(()) => Part::Broken,
        };
        experiment.running = match &running {
            Part::Present(running) => match running.get(&experiment.id) {
                Some(status) => {
                    experiment.announced_at = status.announced_at;
                    Part::Present(status.running)
                }
                None => Part::Missing,
            },
            Part::Missing => Part::Missing,
            Part::Broken => Part::Broken,
        };
    }
    Ok(Central {
        experiments,
        problems,
    })
}

fn no_experiments() -> SourceError {
    SourceError::Foreign("there is no table experiment".into())
}

fn read_experiments(
    tables: &Tables,
    problems: &mut RowProblems,
) -> Result<Option<Vec<CentralExperiment>>, SourceError> {
    let columns = ["id", "name", "description", "autosubmit_version"];
    tables.read("experiment", &columns, &["id", "name"], problems, |row| {
        Ok(CentralExperiment {
            id: row.int("id")?.ok_or("id is missing")?,
            expid: Expid::parse(&row.name("name")?).map_err(|error| error.to_string())?,
            description: row.filled("description")?,
            autosubmit_version: row.filled("autosubmit_version")?,
            details: Part::Missing,
            running: Part::Missing,
            announced_at: None,
        })
    })
}

fn read_details(
    tables: &Tables,
    problems: &mut RowProblems,
) -> Result<HashMap<i64, Details>, SourceError> {
    let columns = ["exp_id", "user", "created", "model", "branch", "hpc"];
    let rows = tables.read("details", &columns, &["exp_id"], problems, |row| {
        let id = row.int("exp_id")?.ok_or("exp_id is missing")?;
        let details = Details {
            owner: row.filled("user")?,
            created_at: row.filled("created")?.as_deref().and_then(parse_moment),
            model: row.filled("model")?,
            branch: row.filled("branch")?,
            hpc: row.filled("hpc")?,
        };
        Ok((id, details))
    })?;
    Ok(rows.unwrap_or_default().into_iter().collect())
}

/// What the table of states says of an experiment.
struct Status {
    running: bool,
    announced_at: Option<DateTime<Utc>>,
}

/// Whether each of the experiments runs that `as_times.db` knows.
fn read_running(root: &Root, problems: &mut Vec<Problem>) -> Part<HashMap<i64, Status>> {
    let name = root.central_name(SourceFile::Times);
    let mut row_problems = RowProblems::new(&name);
    let running = match try_running(root, &mut row_problems) {
        Ok(running) => Part::Present(running),
        Err(SourceError::Missing) => Part::Missing,
        Err(error) => {
            problems.push(Problem::of(&name, &error));
            Part::Broken
        }
    };
    problems.extend(row_problems.finish());
    running
}

fn try_running(
    root: &Root,
    problems: &mut RowProblems,
) -> Result<HashMap<i64, Status>, SourceError> {
    let tables = Tables::central(root, SourceFile::Times)?;
    let columns = ["exp_id", "status", "modified"];
    let required = ["exp_id", "status"];
    let rows = tables.read("experiment_status", &columns, &required, problems, |row| {
        let id = row.int("exp_id")?.ok_or("exp_id is missing")?;
        let running = row.name("status")? == "RUNNING";
        let modified = row.filled("modified").unwrap_or_default();
        let announced_at = modified.as_deref().and_then(parse_zoned_moment);
        let status = Status {
            running,
            announced_at: announced_at.filter(|_| running),
        };
        Ok((id, status))
    })?;
    Ok(rows.unwrap_or_default().into_iter().collect())
}
