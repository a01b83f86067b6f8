//! The values that jobs report of themselves, read from the root when they are asked for.

use super::logs::{RootFolders, blocking};
use crate::experiments::readers::{Expid, SourceError, UserMetric, read_user_metrics};

/// The values that the jobs of an experiment reported, in the order in which they came.
pub async fn of_experiment(root: RootFolders, expid: &str) -> Result<Vec<UserMetric>, SourceError> {
    let expid = Expid::parse(expid)?;
    blocking(move || read_user_metrics(&root.open()?, &expid)).await
}
