//! Wrappers: jobs that are submitted to a platform as one.
//!
//! Autosubmit has used three schemas: `job_package(exp_id, package_name, job_name)` (4.1.12 adds `wallclock`), and
//! from 4.1.17 `wrappers_info` with `wrappers_jobs`, which 4.2.0 keeps in the job list with a `run_id`. Each has a
//! second set of tables for the preview that `autosubmit create -cw` makes.

use std::collections::HashMap;

use super::{Expid, Problem, Root, RowProblems, SourceError, SourceFile, sqlite::Database};

/// One wrapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapperRecord {
    /// The package's name.
    pub name: String,
    /// Planned by a preview, not submitted.
    pub preview: bool,
    /// The run that it belongs to (4.2.0).
    pub run_id: Option<i64>,
    /// The number in its name, which attempts carry as `rowtype`.
    pub code: Option<i64>,
    /// `vertical`, `horizontal` and so on.
    pub kind: Option<String>,
    /// Its status, in Autosubmit's words.
    pub status: Option<String>,
    /// Its platform.
    pub platform: Option<String>,
    /// `HH:MM`.
    pub wallclock: Option<String>,
    /// Processors of the whole.
    pub processors: Option<i64>,
    /// The sections of its jobs.
    pub sections: Option<String>,
    /// How it starts its jobs.
    pub method: Option<String>,
    /// Its jobs, as stored.
    pub job_names: Vec<String>,
}

impl WrapperRecord {
    fn new(name: String, preview: bool) -> Self {
        let code = code_of(&name);
        Self {
            name,
            preview,
            run_id: None,
            code,
            kind: None,
            status: None,
            platform: None,
            wallclock: None,
            processors: None,
            sections: None,
            method: None,
            job_names: Vec::new(),
        }
    }
}

/// What a package database holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wrappers {
    /// The wrappers in the order of their first rows.
    pub wrappers: Vec<WrapperRecord>,
    /// Rows that could not be read.
    pub problems: Vec<Problem>,
}

/// Reads `job_packages_<expid>.db`.
///
/// # Errors
/// [`SourceError`]; `Missing` is usual for Autosubmit 4.2.0.
pub fn read_wrappers(root: &Root, expid: &Expid) -> Result<Wrappers, SourceError> {
    let path = root.relative(SourceFile::Packages, expid);
    let database = Database::open(root, &path)?;
    let mut problems = RowProblems::new(path);
    let wrappers = read_tables(&database, &mut problems)?;
    let wrappers =
        wrappers.ok_or_else(|| SourceError::Foreign("there is no table of wrappers".into()))?;
    Ok(Wrappers {
        wrappers,
        problems: problems.finish(),
    })
}

/// The wrappers of a package database or of a 4.2.0 job list: the real ones, or else the preview. None without any of
/// the tables.
pub(crate) fn read_tables(
    database: &Database,
    problems: &mut RowProblems,
) -> Result<Option<Vec<WrapperRecord>>, SourceError> {
    let sets: [(bool, &str, Option<&str>); 4] = [
        (false, "wrappers_jobs", Some("wrappers_info")),
        (false, "job_package", None),
        (true, "preview_wrappers_jobs", Some("preview_wrappers_info")),
        (true, "wrapper_job_package", None),
    ];
    let mut any = None;
    for (preview, jobs, info) in sets {
        if let Some(found) = read_set(database, problems, preview, jobs, info)? {
            if !found.is_empty() {
                return Ok(Some(found));
            }
            any = Some(found);
        }
    }
    Ok(any)
}

fn read_set(
    database: &Database,
    problems: &mut RowProblems,
    preview: bool,
    jobs: &str,
    info: Option<&str>,
) -> Result<Option<Vec<WrapperRecord>>, SourceError> {
    let columns = ["package_name", "job_name", "run_id", "wallclock"];
    let rows = database.read(
        jobs,
        &columns,
        &["package_name", "job_name"],
        problems,
        |row| {
            Ok((
                row.name("package_name")?,
                row.name("job_name")?,
                row.int("run_id")?,
                row.filled("wallclock")?,
            ))
        },
    )?;
    let Some(rows) = rows else { return Ok(None) };
    let mut wrappers: Vec<WrapperRecord> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut place = |wrappers: &mut Vec<WrapperRecord>, name: String| {
        *known.entry(name).or_insert_with_key(|name| {
            wrappers.push(WrapperRecord::new(name.clone(), preview));
            wrappers.len() - 1
        })
    };
    for (package, job, run_id, wallclock) in rows {
        let index = place(&mut wrappers, package);
        if let Some(wrapper) = wrappers.get_mut(index) {
            wrapper.run_id = run_id.or(wrapper.run_id);
            wrapper.wallclock = wallclock.or(wrapper.wallclock.take());
            wrapper.job_names.push(job);
        }
    }
    let Some(info) = info else {
        return Ok(Some(wrappers));
    };
    let columns = [
        "name",
        "run_id",
        "type",
        "status",
        "platform_name",
        "wallclock",
        "num_processors",
        "sections",
        "method",
    ];
    let details = database.read(info, &columns, &["name"], problems, |row| {
        let name = row.name("name")?;
        Ok(WrapperRecord {
            run_id: row.int("run_id")?,
            kind: row.filled("type")?,
            status: row.filled("status")?,
            platform: row.filled("platform_name")?,
            wallclock: row.filled("wallclock")?,
            processors: row.int("num_processors")?,
            sections: row.filled("sections")?,
            method: row.filled("method")?,
            ..WrapperRecord::new(name, preview)
        })
    })?;
    for detail in details.unwrap_or_default() {
        let index = place(&mut wrappers, detail.name.clone());
        if let Some(wrapper) = wrappers.get_mut(index) {
            let run_id = detail.run_id.or(wrapper.run_id);
            let job_names = std::mem::take(&mut wrapper.job_names);
            *wrapper = WrapperRecord {
                run_id,
                job_names,
                ..detail
            };
        }
    }
    // A wrapper without jobs tells nobody anything.
    wrappers.retain(|wrapper| !wrapper.job_names.is_empty());
    Ok(Some(wrappers))
}

/// The code in `<expid>_<kind>_[<section>_]<code>_<processors>_<jobs>`: the third part from the end.
fn code_of(name: &str) -> Option<i64> {
    name.rsplit('_').nth(2)?.parse().ok()
}
