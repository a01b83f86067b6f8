//! The central databases: which experiments there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::Utc;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, Set};

use super::ledger::{self, State};
use super::{Mirror, Report, blocking, event, rows};
use crate::entity::experiment;
use crate::events::{self, NewEvent};
use crate::experiments::readers::{CENTRAL, Central, Problem, read_central};
use crate::experiments::status::ExperimentStatus;
use crate::failure::Failure;
use crate::time::Millis;

/// The owner of central files in the tables of states and problems.
const OWNER: &str = "";

impl Mirror {
    /// Reads the central databases if they changed. When they cannot be read, the experiments that are known stay.
    pub(super) async fn central(
        &self,
        states: &HashMap<String, State>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let root = Arc::clone(&self.root);
        let prints = blocking(move || root.central_fingerprints()).await?;
        let state = State::new(&prints, &[], "");
        if states.get(OWNER) == Some(&state) {
            return Ok(());
        }
        let root = Arc::clone(&self.root);
        let (central, mut problems) = match blocking(move || read_central(&root)).await {
            Ok(Ok(mut central)) => {
                let problems = std::mem::take(&mut central.problems);
                (Some(central), problems)
            }
            Ok(Err(error)) => (None, vec![Problem::of(CENTRAL, &error)]),
            Err(error) => {
                tracing::error!(%error, "the reader of the central databases failed");
                let problem = Problem::new(CENTRAL, "its reader failed; the log says more");
                (None, vec![problem.transient()])
            }
        };
        let transaction = self.begin_for_all_sources().await?;
        let mut events = Vec::new();
        if let Some(central) = central {
            let conflicts = self
                .store_central(&transaction, central, report, &mut events)
                .await?;
            problems.extend(conflicts);
        }
        let problems_changed =
            ledger::replace_problems(&transaction, self.source_id, OWNER, &problems).await?;
        let state = state.unless_transient(&problems);
        let state_changed = ledger::keep_state(&transaction, self.source_id, OWNER, &state).await?;
        if events.is_empty() && !problems_changed && !state_changed {
            return Ok(transaction.rollback().await?);
        }
        report.told |= !events.is_empty();
        events::append(&transaction, events).await?;
        Ok(transaction.commit().await?)
    }

    /// Writes what the central databases say of each experiment; answers with the names that another root has taken.
    async fn store_central(
        &self,
        transaction: &DatabaseTransaction,
        central: Central,
        report: &mut Report,
        events: &mut Vec<NewEvent>,
    ) -> Result<Vec<Problem>, Failure> {
        let mut conflicts = Vec::new();
        let known: HashMap<String, experiment::Model> = experiment::Entity::find()
            .all(transaction)
            .await?
            .into_iter()
            .map(|row| (row.expid.clone(), row))
            .collect();
        let mut present = HashSet::new();
        for central in &central.experiments {
            let expid = central.expid.as_str();
            present.insert(expid.to_owned());
            let old = known.get(expid);
            let moved = old.filter(|old| old.source_id != self.source_id);
            if moved.is_some_and(|old| old.archived_at.is_none()) {
                // Whether the other root still has it does not show in the files of this one.
                let message = format!("{expid}: another root has an experiment of this name");
                conflicts.push(Problem::new(CENTRAL, message).transient());
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
                    events.push(event(expid, "added"));
                    let mut row = row.into_active_model().reset_all();
                    row.not_set(experiment::Column::Id);
                    row.insert(transaction).await?;
                    report.rows.inserted += 1;
                }
                Some(old) if row != *old => {
                    events.push(event(expid, "changed"));
                    rows::changed_columns(old, &row).update(transaction).await?;
                    report.rows.updated += 1;
                }
                Some(_) => {}
            }
        }
        let gone: Vec<_> = known
            .into_values()
            .filter(|row| row.source_id == self.source_id && row.archived_at.is_none())
            .filter(|row| !present.contains(&row.expid))
            .collect();
        for row in &gone {
            events.push(event(&row.expid, "archived"));
            let mut row = row.clone().into_active_model();
            row.archived_at = Set(Some(Utc::now().millis()));
            row.status = Set(ExperimentStatus::NotRunning.code());
            row.update(transaction).await?;
            report.rows.updated += 1;
            report.archived += 1;
        }
        let gone: Vec<String> = gone.into_iter().map(|row| row.expid).collect();
        ledger::forget(transaction, self.source_id, &gone).await?;
        Ok(conflicts)
    }
}
