//! Wrappers: jobs that are submitted to a platform as one.
//!
//! Autosubmit has used three schemas: `job_package(exp_id, package_name, job_name)` (4.1.12 adds `wallclock`), and
//! from 4.1.17 `wrappers_info` with `wrappers_jobs`, which 4.2.0 keeps in the job list with a `run_id`. Each has a
//! second set of tables for the preview that `autosubmit create -cw` makes.

use std::collections::HashMap;

use super::{Expid, Problem, Root, RowProblems, SourceError, SourceFile, tables::Tables};

/// One wrapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapperRecord {
    /// The package's name.
    pub name: String,
    /// Its jobs, as stored.
    pub job_names: Vec<String>,
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
    let tables = Tables::of(root, SourceFile::Packages, expid)?;
    let mut problems = RowProblems::new(tables.name());
    let wrappers = read_tables(&tables, &mut problems)?;
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
    tables: &Tables,
    problems: &mut RowProblems,
) -> Result<Option<Vec<WrapperRecord>>, SourceError> {
    let candidates = [
        "wrappers_jobs",
        "job_package",
        "preview_wrappers_jobs",
        "wrapper_job_package",
    ];
    let mut any = None;
    for table in candidates {
        if let Some(found) = read_table(tables, problems, table)? {
            if !found.is_empty() {
                return Ok(Some(found));
            }
            any = Some(found);
        }
    }
    Ok(any)
}

fn read_table(
    tables: &Tables,
    problems: &mut RowProblems,
    table: &str,
) -> Result<Option<Vec<WrapperRecord>>, SourceError> {
    let columns = ["package_name", "job_name"];
    let rows = tables.read(table, &columns, &columns, problems, |row| {
        Ok((row.name("package_name")?, row.name("job_name")?))
    })?;
    let Some(rows) = rows else { return Ok(None) };
    let mut wrappers: Vec<WrapperRecord> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (package, job) in rows {
        let index = *known.entry(package).or_insert_with_key(|name| {
            wrappers.push(WrapperRecord {
                name: name.clone(),
                job_names: Vec::new(),
            });
            wrappers.len() - 1
        });
        if let Some(wrapper) = wrappers.get_mut(index) {
            wrapper.job_names.push(job);
        }
    }
    Ok(Some(wrappers))
}
