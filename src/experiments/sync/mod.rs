//! The mirror of an Autosubmit root: notices change by size and time of files, reads only the experiments that
//! changed, writes only the rows that differ, one transaction an experiment.

mod diff;
mod rows;
mod store;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::StreamExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, Set,
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::auth::api_key::hash;
use crate::database::Database;
use crate::entity::{experiment, source, source_problem, source_state};
use crate::events::{self, Feed, NewEvent};
use crate::experiments::readers::{
    Central, CentralExperiment, ExperimentRecord, Expid, Problem, Root, SourceError, SourceFile,
    SourceFingerprint, read_central, read_experiment,
};
use crate::experiments::status::ExperimentStatus;
use crate::failure::Failure;
use crate::time::{Millis, from_millis};
pub use store::Written;

/// The kind of source that this mirror reads.
const KIND: &str = "autosubmit";
/// The owner of central files in the tables of states and problems.
const CENTRAL: &str = "";
/// How many experiments are read at the same time.
const READERS: usize = 2;

/// What a pass found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Experiments that are in the root.
    pub experiments: u64,
    /// Those whose files had changed and were read.
    pub read: u64,
    /// Those that were found gone.
    pub archived: u64,
    /// Rows of experiments that were written.
    pub rows: Written,
    /// Problems that the root has now.
    pub problems: u64,
}

/// Called with the number of experiments done and to do.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// The mirror of one root.
#[derive(Clone)]
pub struct Mirror {
    database: Database,
    feed: Feed,
    root: Arc<Root>,
    source_id: i64,
}

impl Mirror {
    /// Opens the root and makes it known to the database.
    pub async fn open(database: Database, feed: Feed, root: &Path) -> Result<Self, Failure> {
        let path = root.to_owned();
        let opened = blocking(move || Root::new(path)).await?;
        let root = opened
            .map_err(|error| Failure::bad_input("root", format!("{}: {error}", root.display())))?;
        let location = root.path().display().to_string();
        let source_id = source_id(&database, &location).await?;
        Ok(Self {
            database,
            feed,
            root: Arc::new(root),
            source_id,
        })
    }

    /// Repeats passes at an interval until told to stop. A failed pass is told to the log, and the next one tries again.
    pub async fn follow(self, interval: Duration, stop: CancellationToken) {
        let mut tick = tokio::time::interval(interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            let pass = self.pass(&|_, _| {});
            let result = tokio::select! {
                () = stop.cancelled() => return,
                result = pass => result,
            };
            match result {
                Ok(report) if report.read > 0 || report.rows.total() > 0 => {
                    tracing::info!(
                        experiments = report.experiments,
                        read = report.read,
                        rows = report.rows.total(),
                        problems = report.problems,
                        "mirrored the Autosubmit root"
                    );
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "the Autosubmit root could not be mirrored"),
            }
        }
    }

    /// Looks at everything once.
    pub async fn pass(&self, progress: Progress<'_>) -> Result<Report, Failure> {
        let mut report = Report::default();
        let states = self.states().await?;
        self.central(&states, &mut report).await?;
        let experiments = experiment::Entity::find()
            .filter(experiment::Column::SourceId.eq(self.source_id))
            .filter(experiment::Column::ArchivedAt.is_null())
            .all(self.database.read())
            .await?;
        report.experiments = experiments.len() as u64;

        let changed = self.changed(experiments, &states).await?;
        let total = changed.len() as u64;
        progress(0, total);
        let root = &self.root;
        let mut reading = futures_util::stream::iter(changed)
            .map(|(row, fingerprint)| async move {
                let root = Arc::clone(root);
                let record = blocking(move || {
                    central_of(&row).map(|central| (read_experiment(&root, &central), row))
                });
                (record.await, fingerprint)
            })
            .buffered(READERS);
        while let Some((read, fingerprint)) = reading.next().await {
            if let Some((record, row)) = read? {
                report.rows += self.store(row, record, fingerprint).await?;
            }
            report.read += 1;
            progress(report.read, total);
        }
        drop(reading);
        report.problems = self.problem_count().await?;
        if report.rows.total() > 0 {
            self.feed.refresh().await;
        }
        metrics::counter!("labql_mirror_passes_total").increment(1);
        metrics::counter!("labql_mirror_experiments_read_total").increment(report.read);
        metrics::counter!("labql_mirror_rows_written_total").increment(report.rows.total());
        Ok(report)
    }

    /// The fingerprints at the last reading, by owner.
    async fn states(&self) -> Result<HashMap<String, String>, Failure> {
        let rows = source_state::Entity::find()
            .filter(source_state::Column::SourceId.eq(self.source_id))
            .all(self.database.read())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.owner, row.fingerprint))
            .collect())
    }

    /// Reads the central databases if they changed. When they cannot be read, the experiments that are known stay.
    async fn central(
        &self,
        states: &HashMap<String, String>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let root = Arc::clone(&self.root);
        let prints = blocking(move || root.central_fingerprints()).await?;
        let fingerprint = summary(&prints);
        if states.get(CENTRAL) == Some(&fingerprint) {
            return Ok(());
        }
        let root = Arc::clone(&self.root);
        let central = blocking(move || read_central(&root)).await?;
        let (central, mut problems) = match central {
            Ok(central) => {
                let problems = central.problems.clone();
                (Some(central), problems)
            }
            Err(error) => (None, vec![central_problem(&prints, &error)]),
        };
        let transaction = self.database.begin().await?;
        let mut events = Vec::new();
        if let Some(central) = central {
            problems.extend(
                self.store_central(&transaction, central, report, &mut events)
                    .await?,
            );
        }
        self.replace_problems(&transaction, CENTRAL, &problems)
            .await?;
        let kept = if problems.iter().any(|problem| problem.transient) {
            String::new()
        } else {
            fingerprint
        };
        self.keep_state(&transaction, CENTRAL, kept).await?;
        events::append(&transaction, events).await?;
        Ok(transaction.commit().await?)
    }

    async fn store_central(
        &self,
        transaction: &DatabaseTransaction,
        central: Central,
        report: &mut Report,
        events: &mut Vec<NewEvent>,
    ) -> Result<Vec<Problem>, Failure> {
        let mut problems = Vec::new();
        let known: HashMap<String, experiment::Model> = experiment::Entity::find()
            .all(transaction)
            .await?
            .into_iter()
            .map(|row| (row.expid.clone(), row))
            .collect();
        let mut present = HashSet::new();
        for central in &central.experiments {
            let mut row = rows::experiment(self.source_id, central);
            present.insert(row.expid.clone());
            match known.get(&row.expid) {
                None => {
                    events.push(event(&row.expid, "added"));
                    let mut row = row.into_active_model().reset_all();
                    row.not_set(experiment::Column::Id);
                    row.insert(transaction).await?;
                    report.rows.inserted += 1;
                }
                Some(old) if old.source_id != self.source_id && old.archived_at.is_none() => {
                    problems.push(Problem {
                        source: self.root.relative(SourceFile::Central, &central.expid),
                        message: format!(
                            "{}: another root has an experiment of this name",
                            row.expid
                        ),
                        transient: false,
                    });
                }
                Some(old) => {
                    rows::keep_own_columns(&mut row, old);
                    if row != *old {
                        events.push(event(&row.expid, "changed"));
                        row.into_active_model()
                            .reset_all()
                            .update(transaction)
                            .await?;
                        report.rows.updated += 1;
                    }
                }
            }
        }
        let gone = known.into_values().filter(|row| {
            row.source_id == self.source_id
                && row.archived_at.is_none()
                && !present.contains(&row.expid)
        });
        for row in gone {
            events.push(event(&row.expid, "archived"));
            let mut row = row.into_active_model();
            row.archived_at = Set(Some(Utc::now().millis()));
            row.status = Set(ExperimentStatus::NotRunning.code());
            row.update(transaction).await?;
            report.rows.updated += 1;
            report.archived += 1;
        }
        Ok(problems)
    }

    /// The experiments whose files are not as they were when they were last read, with what they are now.
    async fn changed(
        &self,
        experiments: Vec<experiment::Model>,
        states: &HashMap<String, String>,
    ) -> Result<Vec<(experiment::Model, String)>, Failure> {
        let root = Arc::clone(&self.root);
        let printed = blocking(move || {
            experiments
                .into_iter()
                .map(|row| {
                    let prints = Expid::parse(&row.expid).map(|expid| root.fingerprints(&expid));
                    let version = row.autosubmit_version.clone().unwrap_or_default();
                    let print = format!("{}|{version}", summary(&prints.unwrap_or_default()));
                    (row, print)
                })
                .collect::<Vec<_>>()
        })
        .await?;
        Ok(printed
            .into_iter()
            .filter(|(row, print)| states.get(&row.expid) != Some(print))
            .collect())
    }

    /// Writes what was read of an experiment, in one transaction.
    async fn store(
        &self,
        old: experiment::Model,
        record: ExperimentRecord,
        fingerprint: String,
    ) -> Result<Written, Failure> {
        let transaction = self.database.begin().await?;
        let id = old.id;
        let mut written = store::job_list(&transaction, id, &record).await?;
        // What cannot be read now is kept as it was when it could.
        if !self.history_is_broken(&record) {
            written += store::runs(&transaction, id, &record.runs).await?;
            written += store::attempts(&transaction, id, &record.attempts).await?;
        }
        let mut row = old.clone();
        rows::complete_experiment(&mut row, &record);
        if row != old {
            row.into_active_model()
                .reset_all()
                .update(&transaction)
                .await?;
            written.updated += 1;
        }
        let expid = record.expid.as_str();
        let problems = self
            .replace_problems(&transaction, expid, &record.problems)
            .await?;
        let transient = record.problems.iter().any(|problem| problem.transient);
        let kept = if transient {
            String::new()
        } else {
            fingerprint
        };
        self.keep_state(&transaction, expid, kept).await?;
        if written.total() > 0 || problems {
            events::append(&transaction, vec![event(expid, "changed")]).await?;
        }
        transaction.commit().await?;
        Ok(written)
    }

    /// Nothing came out of the history, and there is a reason.
    fn history_is_broken(&self, record: &ExperimentRecord) -> bool {
        let path = self.root.relative(SourceFile::History, &record.expid);
        record.runs.is_empty()
            && record.attempts.is_empty()
            && record.problems.iter().any(|problem| problem.source == path)
    }

    /// Makes the problems of an owner those that are given; says whether that changed anything.
    async fn replace_problems(
        &self,
        transaction: &DatabaseTransaction,
        owner: &str,
        problems: &[Problem],
    ) -> Result<bool, DbErr> {
        use source_problem::Column;
        let existing = source_problem::Entity::find()
            .filter(Column::SourceId.eq(self.source_id))
            .filter(Column::Owner.eq(owner))
            .all(transaction)
            .await?;
        let now = Utc::now().millis();
        let wanted: HashSet<(String, String)> = problems
            .iter()
            .map(|problem| (clean(&problem.source), clean(&problem.message)))
            .collect();
        let known: HashSet<(String, String)> = existing
            .iter()
            .map(|row| (row.path.clone(), row.message.clone()))
            .collect();
        let gone: Vec<i64> = existing
            .iter()
            .filter(|row| !wanted.contains(&(row.path.clone(), row.message.clone())))
            .map(|row| row.id)
            .collect();
        let new: Vec<_> = wanted.difference(&known).cloned().collect();
        let changed = !gone.is_empty() || !new.is_empty();
        if !gone.is_empty() {
            source_problem::Entity::delete_many()
                .filter(Column::Id.is_in(gone))
                .exec(transaction)
                .await?;
        }
        for (path, message) in new {
            tracing::warn!(source = path, message, "a source could not be read whole");
            source_problem::ActiveModel {
                source_id: Set(self.source_id),
                owner: Set(owner.to_owned()),
                path: Set(path),
                message: Set(message),
                first_seen_at: Set(now),
                ..Default::default()
            }
            .insert(transaction)
            .await?;
        }
        Ok(changed)
    }

    async fn keep_state(
        &self,
        transaction: &DatabaseTransaction,
        owner: &str,
        fingerprint: String,
    ) -> Result<(), DbErr> {
        use sea_orm::sea_query::OnConflict;
        use source_state::Column;
        source_state::Entity::insert(source_state::ActiveModel {
            source_id: Set(self.source_id),
            owner: Set(owner.to_owned()),
            fingerprint: Set(fingerprint),
            ..Default::default()
        })
        .on_conflict(
            OnConflict::columns([Column::SourceId, Column::Owner])
                .update_column(Column::Fingerprint)
                .to_owned(),
        )
        .exec_without_returning(transaction)
        .await?;
        Ok(())
    }

    async fn problem_count(&self) -> Result<u64, Failure> {
        use sea_orm::PaginatorTrait;
        Ok(source_problem::Entity::find()
            .filter(source_problem::Column::SourceId.eq(self.source_id))
            .count(self.database.read())
            .await?)
    }
}

async fn source_id(database: &Database, location: &str) -> Result<i64, Failure> {
    let transaction = database.begin().await?;
    let known = source::Entity::find()
        .filter(source::Column::Kind.eq(KIND))
        .filter(source::Column::Location.eq(location))
        .one(&transaction)
        .await?;
    if let Some(known) = known {
        return Ok(known.id);
    }
    let made = source::ActiveModel {
        kind: Set(KIND.to_owned()),
        location: Set(location.to_owned()),
        ..Default::default()
    }
    .insert(&transaction)
    .await?;
    transaction.commit().await?;
    Ok(made.id)
}

/// What the reader of an experiment needs to know of its row in the central database.
fn central_of(row: &experiment::Model) -> Option<CentralExperiment> {
    Some(CentralExperiment {
        id: row.autosubmit_id,
        expid: Expid::parse(&row.expid).ok()?,
        description: Some(row.description.clone()),
        autosubmit_version: row.autosubmit_version.clone(),
        owner: row.owner.clone(),
        created_at: row.created_at.and_then(from_millis),
        created: None,
        model: row.model.clone(),
        branch: row.branch.clone(),
        hpc: row.hpc.clone(),
        running: Some(row.status == ExperimentStatus::Running.code()),
        status_modified_at: None,
    })
}

fn central_problem(prints: &[SourceFingerprint], error: &SourceError) -> Problem {
    let path = prints
        .iter()
        .find(|print| print.kind == SourceFile::Central)
        .map_or_else(|| "autosubmit.db".to_owned(), |print| print.path.clone());
    Problem {
        source: path,
        message: error.to_string(),
        transient: error.is_transient(),
    }
}

/// One text for the state of many files.
fn summary(prints: &[SourceFingerprint]) -> String {
    let text = prints.iter().fold(String::new(), |mut text, print| {
        use std::fmt::Write;
        let _ = match &print.fingerprint {
            Some(fingerprint) => writeln!(text, "{}\t{fingerprint}", print.path),
            None => writeln!(text, "{}\t-", print.path),
        };
        text
    });
    hash(&text)
}

fn event(expid: &str, kind: &'static str) -> NewEvent {
    NewEvent {
        topic: TOPIC,
        subject: expid.to_owned(),
        kind,
        payload: serde_json::Value::Object(serde_json::Map::new()),
    }
}

/// The topic of the events of experiments.
pub const TOPIC: &str = "experiment";

/// PostgreSQL cannot keep zero bytes, which a hostile file may well have in its names.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Runs a reader on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Failure::internal)
}
