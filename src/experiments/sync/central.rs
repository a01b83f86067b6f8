//! The central databases: which experiments there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::Utc;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, Set};
use tokio::time::Instant;

use super::agenda::{CENTRE, lock};
use super::ledger::{self, Noted, State};
use super::{Mirror, Report, blocking, rows, unreachable};
use crate::entity::experiment;
use crate::events::{self, NewEvent};
use crate::experiments::changes::{ChangeKind, ExperimentChange};
use crate::experiments::readers::{Central, Problem, SourceError, SourceFile, read_central};
use crate::experiments::status::ExperimentStatus;
use crate::failure::Failure;
use crate::time::Millis;

/// What storing the central databases has changed.
#[derive(Default)]
struct Stored {
    events: Vec<NewEvent>,
    /// Experiments whose rows were written.
    touched: Vec<String>,
    /// Experiments that are gone from the root.
    gone: Vec<String>,
    /// Names that another root has taken.
    conflicts: Vec<Problem>,
}

impl Mirror {
    /// Reads the central databases if they changed, and says which experiments that touched. When they cannot be read,
    /// the experiments that are known stay.
    pub(super) async fn central(
        &self,
        states: &HashMap<String, State>,
        report: &mut Report,
    ) -> Result<Vec<String>, Failure> {
        let (root, watch) = (Arc::clone(&self.root), Arc::clone(&self.watch));
        let look = move || {
            watch.cover_root(&root);
            let tables = root.central_table_state()?;
            Ok(State::new(&root.central_fingerprints(), &[], &tables))
        };
        let state = blocking(look).await?.map_err(unreachable)?;
        let due = lock(&self.rounds).is_due(CENTRE, Instant::now());
        if !due && states.get(CENTRE) == Some(&state) {
            return Ok(Vec::new());
        }
        let name = self.root.central_name(SourceFile::Central);
        let root = Arc::clone(&self.root);
        let (central, mut problems) = match blocking(move || read_central(&root)).await {
            Ok(Ok(mut central)) => {
                let problems = std::mem::take(&mut central.problems);
                (Some(central), problems)
            }
            Ok(Err(error @ SourceError::Unavailable(_))) => return Err(unreachable(error)),
            Ok(Err(error)) => (None, vec![Problem::of(&name, &error)]),
            Err(error) => {
                tracing::error!(%error, "the reader of the central databases failed");
                let problem = Problem::new(&name, "its reader failed; the log says more");
                (None, vec![problem.transient()])
            }
        };
        let transaction = self.begin_for_all_sources().await?;
        let mut stored = Stored::default();
        if let Some(central) = central {
            self.store_central(&transaction, central, report, &mut stored)
                .await?;
            problems.append(&mut stored.conflicts);
        }
        let problems_changed =
            ledger::replace_problems(&transaction, self.source_id, CENTRE, &problems).await?;
        let doubted = problems.iter().any(|problem| problem.transient);
        let state = if doubted { state.doubted() } else { state };
        let noted = ledger::keep_state(&transaction, self.source_id, CENTRE, &state).await?;
        if doubted {
            self.agenda.retry(CENTRE);
        }
        if stored.touched.is_empty()
            && stored.gone.is_empty()
            && !problems_changed
            && noted == Noted::Same
        {
            transaction.rollback().await?;
            return Ok(Vec::new());
        }
        report.told |= !stored.events.is_empty();
        events::append(&transaction, stored.events).await?;
        transaction.commit().await?;
        for expid in &stored.gone {
            self.watch.uncover(expid);
        }
        Ok(stored.touched)
    }

    /// Writes what the central databases say of each experiment.
    async fn store_central(
        &self,
        transaction: &DatabaseTransaction,
        central: Central,
        report: &mut Report,
        stored: &mut Stored,
    ) -> Result<(), Failure> {
        let known: HashMap<String, experiment::Model> = experiment::Entity::find()
            .all(transaction)
            .await?
            .into_iter()
            .map(|row| (row.expid.clone(), row))
            .collect();
        let name = self.root.central_name(SourceFile::Central);
        let mut present = HashSet::new();
        for central in &central.experiments {
            let expid = central.expid.as_str();
            present.insert(expid.to_owned());
            let old = known.get(expid);
            let moved = old.filter(|old| old.source_id != self.source_id);
            if moved.is_some_and(|old| old.archived_at.is_none()) {
                // Whether the other root still has it does not show in the files of this one.
                let message = format!("{expid}: another root has an experiment of this name");
                stored
                    .conflicts
                    .push(Problem::new(&name, message).transient());
                continue;
            }
            if let Some(old) = moved {
                // Nothing that is noted about the other root's files holds for those of this one.
                ledger::forget(transaction, old.source_id, std::slice::from_ref(&old.expid))
                    .await?;
            }
            let row = rows::experiment(self.source_id, central, old);
            match old {
                None => {
                    let mut row = row.into_active_model().reset_all();
                    row.not_set(experiment::Column::Id);
                    let row = row.insert(transaction).await?;
                    let event = ExperimentChange::event(&row, ChangeKind::Added);
                    stored.events.push(event);
                    report.rows.inserted += 1;
                }
                Some(old) if row != *old => {
                    rows::changed_columns(old, &row).update(transaction).await?;
                    if rows::differ(old, &row) {
                        let event = ExperimentChange::event(&row, ChangeKind::Changed);
                        stored.events.push(event);
                    }
                    report.rows.updated += 1;
                }
                Some(_) => continue,
            }
            stored.touched.push(expid.to_owned());
        }
        let gone: Vec<_> = known
            .into_values()
            .filter(|row| row.source_id == self.source_id && row.archived_at.is_none())
            .filter(|row| !present.contains(&row.expid))
            .collect();
        for row in &gone {
            let mut changed = row.clone().into_active_model();
            changed.archived_at = Set(Some(Utc::now().millis()));
            changed.status = Set(ExperimentStatus::NotRunning.code());
            changed.announced_at = Set(None);
            changed.active_until = Set(None);
            let row = changed.update(transaction).await?;
            let event = ExperimentChange::event(&row, ChangeKind::Archived);
            stored.events.push(event);
            report.rows.updated += 1;
            report.archived += 1;
        }
        stored.gone = gone.into_iter().map(|row| row.expid).collect();
        ledger::forget(transaction, self.source_id, &stored.gone).await?;
        Ok(())
    }
}
