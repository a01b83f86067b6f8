//! Writing the mirror: only the rows that differ, in the transaction of the caller.

use std::collections::{BTreeSet, HashMap, HashSet};

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    Iterable, PrimaryKeyToColumn, QueryFilter, QuerySelect, Set,
};

use super::diff::{Changes, diff};
use super::rows;
use crate::database::MOST_BINDS;
use crate::entity::{
    experiment_run, job, job_attempt, job_edge, job_section, wrapper, wrapper_job,
};
use crate::events::NewEvent;
use crate::experiments::changes::{ChangeKind, JobChange};
use crate::experiments::readers::{
    AttemptRecord, ConfigSummary, Edge, ExperimentRecord, Part, RunRecord, WrapperRecord,
};

/// How many rows a pass wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// New rows.
    pub inserted: u64,
    /// Rows that were different.
    pub updated: u64,
    /// Rows that are gone from the source.
    pub deleted: u64,
}

impl std::ops::AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }
}

impl Written {
    /// All rows together.
    pub fn total(self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    fn of<M>(changes: &Changes<M>) -> Self {
        Self {
            inserted: changes.insert.len() as u64,
            updated: changes.update.len() as u64,
            deleted: changes.delete.len() as u64,
        }
    }
}

/// What storing a job list has changed.
#[derive(Default)]
pub struct StoredJobs {
    /// Rows of jobs, edges and wrappers.
    pub written: Written,
    changes: Option<Changes<job::Model>>,
    /// The ids of the jobs by their names.
    ids: HashMap<String, i64>,
}

impl StoredJobs {
    /// An event for each job that changed.
    pub fn events(self, expid: &str) -> Vec<NewEvent> {
        let Some(changes) = self.changes else {
            return Vec::new();
        };
        let removed = changes.delete.into_iter().map(|(_, job)| {
            let previous_status = Some(job.status);
            (
                ChangeKind::Removed,
                JobChange {
                    job,
                    previous_status,
                },
            )
        });
        let changed = changes.update.into_iter().map(|update| {
            let change = JobChange {
                previous_status: Some(update.before.status),
                job: update.after,
            };
            (ChangeKind::Changed, change)
        });
        let added = changes.insert.into_iter().map(|mut job| {
            job.id = self.ids.get(&job.name).copied().unwrap_or_default();
            let previous_status = None;
            (
                ChangeKind::Added,
                JobChange {
                    job,
                    previous_status,
                },
            )
        });
        removed
            .chain(changed)
            .chain(added)
            .map(|(kind, change)| change.event(expid, kind))
            .collect()
    }
}

/// The jobs of an experiment with their edges and wrappers. What could not be read stays as it is.
pub async fn job_list(
    transaction: &DatabaseTransaction,
    experiment_id: i64,
    record: &ExperimentRecord,
) -> Result<StoredJobs, DbErr> {
    let Some(list) = &record.job_list else {
        return Ok(StoredJobs::default());
    };
    let existing = job::Entity::find()
        .filter(job::Column::ExperimentId.eq(experiment_id))
        .all(transaction)
        .await?;
    let mut ids: HashMap<String, i64> = existing
        .iter()
        .map(|row| (row.name.clone(), row.id))
        .collect();
    let wanted = rows::jobs(experiment_id, &list.jobs, record, &existing);
    let changes = diff(existing, wanted, |row| row.name.clone(), |row| &mut row.id);
    let mut written = apply::<job::Entity>(transaction, &changes, job::Column::Id).await?;
    if !changes.insert.is_empty() || !changes.delete.is_empty() {
        ids = job::Entity::find()
            .select_only()
            .columns([job::Column::Name, job::Column::Id])
            .filter(job::Column::ExperimentId.eq(experiment_id))
            .into_tuple::<(String, i64)>()
            .all(transaction)
            .await?
            .into_iter()
            .collect();
    }
    if let Some(records) = record.edges.known() {
        written += edges(transaction, experiment_id, &ids, records).await?;
    }
    if let Some(records) = record.wrappers.known() {
        written += wrappers(transaction, experiment_id, &ids, records).await?;
    }
    Ok(StoredJobs {
        written,
        changes: Some(changes),
        ids,
    })
}

/// The dependencies; those that name a job which is not in the list are left out.
async fn edges(
    transaction: &DatabaseTransaction,
    experiment_id: i64,
    ids: &HashMap<String, i64>,
    edges: &[Edge],
) -> Result<Written, DbErr> {
    let existing: HashSet<(i64, i64)> = job_edge::Entity::find()
        .filter(job_edge::Column::ExperimentId.eq(experiment_id))
        .all(transaction)
        .await?
        .into_iter()
        .map(|edge| (edge.parent_id, edge.child_id))
        .collect();
    let wanted: HashSet<(i64, i64)> = edges
        .iter()
        .filter_map(|edge| Some((*ids.get(&edge.from)?, *ids.get(&edge.to)?)))
        .collect();
    let links = Links::new(&existing, &wanted);
    for parents in links.replaced.chunks(MOST_BINDS) {
        job_edge::Entity::delete_many()
            .filter(job_edge::Column::ExperimentId.eq(experiment_id))
            .filter(job_edge::Column::ParentId.is_in(parents.iter().copied()))
            .exec(transaction)
            .await?;
    }
    let rows = links
        .insert
        .iter()
        .map(|&(parent, child)| job_edge::ActiveModel {
            experiment_id: Set(experiment_id),
            parent_id: Set(parent),
            child_id: Set(child),
        });
    insert_links::<job_edge::Entity>(transaction, rows.collect()).await?;
    Ok(links.written)
}

/// What to do for pairs of ids to become others. Pairs are deleted by their first ids, many a statement, and those that
/// stay are written again.
struct Links {
    /// First ids whose pairs are all deleted.
    replaced: Vec<i64>,
    /// Pairs to write then.
    insert: Vec<(i64, i64)>,
    /// How many pairs are new or gone in the end.
    written: Written,
}

impl Links {
    fn new(existing: &HashSet<(i64, i64)>, wanted: &HashSet<(i64, i64)>) -> Self {
        let gone: Vec<_> = existing.difference(wanted).collect();
        let replaced: BTreeSet<i64> = gone.iter().map(|pair| pair.0).collect();
        let written = Written {
            inserted: wanted.difference(existing).count() as u64,
            updated: 0,
            deleted: gone.len() as u64,
        };
        let insert = wanted
            .iter()
            .filter(|pair| !existing.contains(pair) || replaced.contains(&pair.0))
            .copied()
            .collect();
        Self {
            replaced: replaced.into_iter().collect(),
            insert,
            written,
        }
    }
}

async fn wrappers(
    transaction: &DatabaseTransaction,
    experiment_id: i64,
    ids: &HashMap<String, i64>,
    records: &[WrapperRecord],
) -> Result<Written, DbErr> {
    let existing = wrapper::Entity::find()
        .filter(wrapper::Column::ExperimentId.eq(experiment_id))
        .all(transaction)
        .await?;
    if existing.is_empty() && records.is_empty() {
        return Ok(Written::default());
    }
    let wanted = records
        .iter()
        .map(|record| rows::wrapper(experiment_id, record))
        .collect();
    let changes = diff(existing, wanted, |row| row.name.clone(), |row| &mut row.id);
    let mut written = apply::<wrapper::Entity>(transaction, &changes, wrapper::Column::Id).await?;
    let wrapper_ids: HashMap<String, i64> = wrapper::Entity::find()
        .filter(wrapper::Column::ExperimentId.eq(experiment_id))
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| (row.name, row.id))
        .collect();
    let mut existing: HashSet<(i64, i64)> = HashSet::new();
    let all: Vec<i64> = wrapper_ids.values().copied().collect();
    for ids in all.chunks(MOST_BINDS) {
        let links = wrapper_job::Entity::find()
            .filter(wrapper_job::Column::WrapperId.is_in(ids.iter().copied()))
            .all(transaction)
            .await?;
        existing.extend(links.into_iter().map(|link| (link.wrapper_id, link.job_id)));
    }
    let wanted: HashSet<(i64, i64)> = records
        .iter()
        .filter_map(|record| Some((*wrapper_ids.get(&record.name)?, record)))
        .flat_map(|(wrapper, record)| {
            let jobs = record.job_names.iter().filter_map(|name| ids.get(name));
            jobs.map(move |job| (wrapper, *job))
        })
        .collect();
    let links = Links::new(&existing, &wanted);
    for ids in links.replaced.chunks(MOST_BINDS) {
        wrapper_job::Entity::delete_many()
            .filter(wrapper_job::Column::WrapperId.is_in(ids.iter().copied()))
            .exec(transaction)
            .await?;
    }
    let rows = links
        .insert
        .iter()
        .map(|&(wrapper_id, job_id)| wrapper_job::ActiveModel {
            wrapper_id: Set(wrapper_id),
            job_id: Set(job_id),
        });
    insert_links::<wrapper_job::Entity>(transaction, rows.collect()).await?;
    written += links.written;
    Ok(written)
}

/// The runs of an experiment.
pub async fn runs(
    transaction: &DatabaseTransaction,
    experiment_id: i64,
    runs: &[RunRecord],
) -> Result<Written, DbErr> {
    let existing = experiment_run::Entity::find()
        .filter(experiment_run::Column::ExperimentId.eq(experiment_id))
        .all(transaction)
        .await?;
    let wanted = runs
        .iter()
        .map(|run| rows::run(experiment_id, run))
        .collect();
    let changes = diff(existing, wanted, |row| row.number, |row| &mut row.id);
    apply::<experiment_run::Entity>(transaction, &changes, experiment_run::Column::Id).await
}

/// The attempts at the jobs of an experiment.
pub async fn attempts(
    transaction: &DatabaseTransaction,
    experiment_id: i64,
    attempts: &[AttemptRecord],
) -> Result<Written, DbErr> {
    let existing = job_attempt::Entity::find()
        .filter(job_attempt::Column::ExperimentId.eq(experiment_id))
        .all(transaction)
        .await?;
    let wanted = attempts
        .iter()
        .map(|attempt| rows::attempt(experiment_id, attempt))
        .collect();
    let changes = diff(
        existing,
        wanted,
        |row| (row.job_name.clone(), row.number),
        |row| &mut row.id,
    );
    apply::<job_attempt::Entity>(transaction, &changes, job_attempt::Column::Id).await
}

/// The kinds of job of an experiment. Of a configuration that could be read in part, what is not there stays as it was.
pub async fn sections(
    transaction: &DatabaseTransaction,
    experiment_id: i64,
    config: &Part<ConfigSummary>,
) -> Result<Written, DbErr> {
    let (mut wanted, incomplete) = match config {
        Part::Present(config) => (rows::sections(experiment_id, config), config.incomplete),
        Part::Missing => (Vec::new(), false),
        Part::Broken => return Ok(Written::default()),
    };
    let existing = job_section::Entity::find()
        .filter(job_section::Column::ExperimentId.eq(experiment_id))
        .all(transaction)
        .await?;
    if incomplete {
        let known: HashSet<String> = wanted.iter().map(|row| row.name.clone()).collect();
        let others = existing.iter().filter(|row| !known.contains(&row.name));
        wanted.extend(others.cloned());
    }
    let changes = diff(existing, wanted, |row| row.name.clone(), |row| &mut row.id);
    apply::<job_section::Entity>(transaction, &changes, job_section::Column::Id).await
}

/// Writes the changes of a table whose rows have an id. Rows that differ are replaced whole, many a statement.
async fn apply<E>(
    transaction: &DatabaseTransaction,
    changes: &Changes<E::Model>,
    id: E::Column,
) -> Result<Written, DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Clone,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let chunk = MOST_BINDS / E::Column::iter().count().max(1);
    for gone in changes.delete.chunks(MOST_BINDS) {
        E::delete_many()
            .filter(id.is_in(gone.iter().map(|(id, _)| *id)))
            .exec(transaction)
            .await?;
    }
    for rows in changes.insert.chunks(chunk) {
        let rows = rows.iter().map(|row| {
            let mut row = row.clone().into_active_model().reset_all();
            row.not_set(id);
            row
        });
        E::insert_many(rows)
            .exec_without_returning(transaction)
            .await?;
    }
    let columns: Vec<E::Column> = E::Column::iter()
        .filter(|column| E::PrimaryKey::from_column(*column).is_none())
        .collect();
    for rows in changes.update.chunks(chunk) {
        let rows = rows
            .iter()
            .map(|update| update.after.clone().into_active_model().reset_all());
        E::insert_many(rows)
            .on_conflict(
                OnConflict::column(id)
                    .update_columns(columns.clone())
                    .to_owned(),
            )
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(Written::of(changes))
}

async fn insert_links<E>(
    transaction: &DatabaseTransaction,
    links: Vec<E::ActiveModel>,
) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Clone + Send,
{
    for links in links.chunks(MOST_BINDS / 3) {
        E::insert_many(links.to_vec())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_stay_survive_the_deletion_of_their_neighbours() {
        let existing = HashSet::from([(1, 2), (1, 3), (4, 5)]);
        let wanted = HashSet::from([(1, 2), (4, 5), (4, 6)]);
        let mut links = Links::new(&existing, &wanted);
        links.insert.sort_unstable();
        assert_eq!(links.replaced, [1]);
        assert_eq!(links.insert, [(1, 2), (4, 6)]);
        assert_eq!((links.written.inserted, links.written.deleted), (1, 1));
    }
}
