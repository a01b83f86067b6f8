//! Which experiments there are: `autosubmit.db`, and which of them run: `as_times.db`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Expid, Problem, Root, RowProblems, SourceError, sqlite::Database, time::parse_moment};

const CENTRAL: &str = "autosubmit.db";
const TIMES: &str = "as_times.db";

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
    /// The user who made it.
    pub owner: Option<String>,
    /// When it was made. Old rows give local time without a zone, which is taken as UTC.
    pub created_at: Option<DateTime<Utc>>,
    /// The same as written.
    pub created: Option<String>,
    /// The model: often the address of its sources.
    pub model: Option<String>,
    /// The branch of these sources.
    pub branch: Option<String>,
    /// The main platform.
    pub hpc: Option<String>,
    /// Whether it runs; none if nobody has said so.
    pub running: Option<bool>,
    /// When that was said.
    pub status_modified_at: Option<DateTime<Utc>>,
}

/// Reads the central databases.
///
/// Without details or status (tables, rows or the whole of `as_times.db`) an experiment simply has none; of several
/// rows the last one counts, as Autosubmit's own tables lack a key.
///
/// # Errors
/// [`SourceError`] if `autosubmit.db` itself cannot be read.
pub fn read_central(root: &Root) -> Result<Central, SourceError> {
    let database = Database::open(root, CENTRAL)?;
    let mut problems = RowProblems::new(CENTRAL);
    let experiments = read_experiments(&database, &mut problems)?;
    let mut experiments =
        experiments.ok_or_else(|| SourceError::Foreign("there is no table experiment".into()))?;
    let details = read_details(&database, &mut problems);
    drop(database);

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

    let mut details = details.unwrap_or_else(|error| {
        problems.push(Problem::of(CENTRAL, &error));
        HashMap::new()
    });
    let statuses = read_statuses(root, &mut problems);
    for experiment in &mut experiments {
        if let Some(details) = details.remove(&experiment.id) {
            details.fill(experiment);
        }
        if let Some((running, modified)) = statuses.get(&experiment.id) {
            experiment.running = Some(*running);
            experiment.status_modified_at = *modified;
        }
    }
    Ok(Central {
        experiments,
        problems,
    })
}

fn read_experiments(
    database: &Database,
    problems: &mut RowProblems,
) -> Result<Option<Vec<CentralExperiment>>, SourceError> {
    let columns = ["id", "name", "description", "autosubmit_version"];
    database.read("experiment", &columns, &["id", "name"], problems, |row| {
        Ok(CentralExperiment {
            id: row.int("id")?.ok_or("id is missing")?,
            expid: Expid::parse(&row.name("name")?).map_err(|error| error.to_string())?,
            description: row.filled("description")?,
            autosubmit_version: row.filled("autosubmit_version")?,
            owner: None,
            created_at: None,
            created: None,
            model: None,
            branch: None,
            hpc: None,
            running: None,
            status_modified_at: None,
        })
    })
}

struct Details {
    owner: Option<String>,
    created: Option<String>,
    model: Option<String>,
    branch: Option<String>,
    hpc: Option<String>,
}

impl Details {
    fn fill(self, experiment: &mut CentralExperiment) {
        experiment.created_at = self.created.as_deref().and_then(parse_moment);
        experiment.owner = self.owner;
        experiment.created = self.created;
        experiment.model = self.model;
        experiment.branch = self.branch;
        experiment.hpc = self.hpc;
    }
}

fn read_details(
    database: &Database,
    problems: &mut RowProblems,
) -> Result<HashMap<i64, Details>, SourceError> {
    let columns = ["exp_id", "user", "created", "model", "branch", "hpc"];
    let rows = database.read("details", &columns, &["exp_id"], problems, |row| {
        let id = row.int("exp_id")?.ok_or("exp_id is missing")?;
        let details = Details {
            owner: row.filled("user")?,
            created: row.filled("created")?,
            model: row.filled("model")?,
            branch: row.filled("branch")?,
            hpc: row.filled("hpc")?,
        };
        Ok((id, details))
    })?;
    Ok(rows.unwrap_or_default().into_iter().collect())
}

type Statuses = HashMap<i64, (bool, Option<DateTime<Utc>>)>;

fn read_statuses(root: &Root, problems: &mut Vec<Problem>) -> Statuses {
    let mut row_problems = RowProblems::new(TIMES);
    let statuses = match try_statuses(root, &mut row_problems) {
        Ok(statuses) => statuses,
        Err(SourceError::Missing) => Statuses::new(),
        Err(error) => {
            problems.push(Problem::of(TIMES, &error));
            Statuses::new()
        }
    };
    problems.extend(row_problems.finish());
    statuses
}

fn try_statuses(root: &Root, problems: &mut RowProblems) -> Result<Statuses, SourceError> {
    let database = Database::open(root, TIMES)?;
    let columns = ["exp_id", "status", "modified"];
    let rows = database.read(
        "experiment_status",
        &columns,
        &["exp_id", "status"],
        problems,
        |row| {
            let id = row.int("exp_id")?.ok_or("exp_id is missing")?;
            let running = row.name("status")? == "RUNNING";
            Ok((
                id,
                (
                    running,
                    row.filled("modified")?.as_deref().and_then(parse_moment),
                ),
            ))
        },
    )?;
    Ok(rows.unwrap_or_default().into_iter().collect())
}
