//! The values that jobs report of themselves (`JOBS.<section>.METRICS` of the configuration), which Autosubmit keeps in
//! `tmp/metrics_<expid>.db`.

use chrono::{DateTime, Utc};

use super::tables::Tables;
use super::time::parse_moment;
use super::{Expid, Root, RowProblems, SourceError, SourceFile};

/// A value that a job reported of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserMetric {
    /// The run of the experiment.
    pub run: i64,
    /// The job.
    pub job_name: String,
    /// What the value is of.
    pub name: String,
    /// The value, as text.
    pub value: Option<String>,
    /// When it was read.
    pub modified_at: Option<DateTime<Utc>>,
}

/// The values that the jobs of an experiment reported, in the order in which they came; none if there is no such file.
///
/// # Errors
/// [`SourceError`] if there is one and it cannot be read. A row that is broken is left out.
pub fn read_user_metrics(root: &Root, expid: &Expid) -> Result<Vec<UserMetric>, SourceError> {
    let tables = match Tables::of(root, SourceFile::UserMetrics, expid) {
        Err(SourceError::Missing) => return Ok(Vec::new()),
        other => other?,
    };
    let columns = [
        "user_metric_id",
        "run_id",
        "job_name",
        "metric_name",
        "metric_value",
        "modified",
    ];
    let required = ["run_id", "job_name", "metric_name", "metric_value"];
    let mut problems = RowProblems::new(tables.name());
    let rows = tables.read("user_metrics", &columns, &required, &mut problems, |row| {
        let metric = UserMetric {
            run: row.int("run_id")?.ok_or("run_id is missing")?,
            job_name: row.name("job_name")?,
            name: row.name("metric_name")?,
            value: row.text("metric_value")?,
            modified_at: row.filled("modified")?.as_deref().and_then(parse_moment),
        };
        Ok((row.int("user_metric_id")?, metric))
    })?;
    let mut rows = rows.unwrap_or_default();
    rows.sort_by_key(|(id, _)| *id);
    Ok(rows.into_iter().map(|(_, metric)| metric).collect())
}
