//! Configurations: of files, read from the root when they are asked for, and of runs, as the mirror keeps them.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{EntityTrait, QueryFilter, QuerySelect};
use serde_json::Value;

use super::logs::{RootFolders, blocking};
use crate::database::{Database, is_one_of};
use crate::entity::experiment_run;
use crate::entity::run_configuration::{Column, Entity};
use crate::experiments::configuration;
use crate::experiments::readers::{self, Expid, Problem, SourceError};
use crate::failure::Failure;

/// A configuration that a run recorded, packed.
pub type Packed = Arc<Vec<u8>>;

/// What the files of an experiment say.
#[derive(Clone, Debug)]
pub struct OfFiles {
    /// What may be shown of it; none if no file could be read.
    pub shown: Option<Value>,
    /// What could not be read, or makes no sense.
    pub problems: Vec<Problem>,
}

/// What is wrong with the files of an experiment as a whole.
pub fn problem(expid: &str, message: String) -> Problem {
    Problem::new(format!("{expid}/conf"), message)
}

/// The configuration in the files of an experiment. `description` is the experiment's.
pub async fn of_files(
    root: RootFolders,
    expid: &str,
    description: &str,
) -> Result<OfFiles, SourceError> {
    let (expid, description) = (Expid::parse(expid)?, description.to_owned());
    blocking(move || {
        let root = root.open()?;
        let mut found = readers::read_configuration(&root, &expid, &description)?;
        let problems = std::mem::take(&mut found.problems);
        let any = !found.files.is_empty();
        let shown = any.then(|| configuration::of_files(found, &root, &expid));
        Ok(OfFiles { shown, problems })
    })
    .await
}

/// What the newest runs of these experiments recorded.
pub async fn of_last_runs(
    database: &Database,
    experiments: &[i64],
) -> Result<HashMap<i64, Packed>, Failure> {
    use experiment_run::Column as Run;
    let newest = Query::select()
        .expr(Expr::col((experiment_run::Entity, Run::Number)).max())
        .from(experiment_run::Entity)
        .and_where(
            Expr::col((experiment_run::Entity, Run::ExperimentId))
                .equals((Entity, Column::ExperimentId)),
        )
        .to_owned();
    let rows = Entity::find()
        .filter(is_one_of(
            database,
            (Entity, Column::ExperimentId),
            experiments,
        ))
        .filter(Expr::col((Entity, Column::Number)).in_subquery(newest))
        .all(database.read())
        .await?;
    let rows = rows.into_iter().filter(|row| !row.body.is_empty());
    Ok(rows
        .map(|row| (row.experiment_id, Arc::new(row.body)))
        .collect())
}

/// What runs recorded, by the row ids of the runs.
pub async fn of_runs(database: &Database, runs: &[i64]) -> Result<HashMap<i64, Packed>, Failure> {
    use experiment_run::Column as Run;
    let of_run = experiment_run::Entity::belongs_to(Entity)
        .from((Run::ExperimentId, Run::Number))
        .to((Column::ExperimentId, Column::Number))
        .into();
    let rows: Vec<(i64, Vec<u8>)> = experiment_run::Entity::find()
        .select_only()
        .column(Run::Id)
        .column(Column::Body)
        .join(sea_orm::JoinType::InnerJoin, of_run)
        .filter(is_one_of(database, (experiment_run::Entity, Run::Id), runs))
        .into_tuple()
        .all(database.read())
        .await?;
    let rows = rows.into_iter().filter(|(_, body)| !body.is_empty());
    Ok(rows.map(|(run, body)| (run, Arc::new(body))).collect())
}
