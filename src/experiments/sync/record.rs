//! Writing what was read of an experiment, and telling of it.

use chrono::{DateTime, Utc};
use sea_orm::ActiveModelTrait;

use super::ledger::{self, Noted};
use super::look::Look;
use super::{Mirror, Report, configurations, life, rows, store};
use crate::events;
use crate::experiments::changes::{ChangeKind, ExperimentChange};
use crate::experiments::readers::{ExperimentRecord, Problem};
use crate::failure::Failure;

impl Mirror {
    /// Stores what was read of an experiment. What goes wrong with it is kept as its problem until it goes well; only
    /// if not even that can be stored is it a failure.
    pub(super) async fn mirror(
        &self,
        look: &Look,
        record: Result<ExperimentRecord, Problem>,
        now: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let expid = look.expid.as_str();
        let problem = match record {
            Ok(record) => match self.store(look, &record, now, report).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::error!(expid, %error, "an experiment could not be stored");
                    let message = "it could not be stored; the log says more";
                    Problem::new(expid, message).transient()
                }
            },
            Err(problem) => problem,
        };
        let transaction = self.begin().await?;
        let Some(row) = self.present(&transaction, look.row.id).await? else {
            return Ok(transaction.rollback().await?);
        };
        let told =
            ledger::replace_problems(&transaction, self.source_id, expid, &[problem]).await?;
        ledger::doubt(&transaction, self.source_id, expid).await?;
        if told {
            let event = ExperimentChange::event(&row, ChangeKind::Changed);
            events::append(&transaction, vec![event]).await?;
        }
        transaction.commit().await?;
        report.told |= told;
        self.agenda.retry(expid);
        Ok(())
    }

    /// Writes what was read of an experiment, in one transaction: first an event for each of its jobs that changed,
    /// then its own.
    async fn store(
        &self,
        look: &Look,
        record: &ExperimentRecord,
        now: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let (id, expid) = (look.row.id, record.expid.as_str());
        let transaction = self.begin().await?;
        let Some(old) = self.present(&transaction, id).await? else {
            return Ok(transaction.rollback().await?);
        };
        let jobs = store::job_list(&transaction, id, record).await?;
        let mut written = jobs.written;
        let mut reconfigured = false;
        if let Some(runs) = record.runs.known() {
            written += store::runs(&transaction, id, runs).await?;
            reconfigured = configurations::store(&transaction, id, runs).await?;
        }
        if let Some(attempts) = record.attempts.known() {
            written += store::attempts(&transaction, id, attempts).await?;
        }
        written += store::sections(&transaction, id, &record.config).await?;
        let mut row = old.clone();
        rows::complete_experiment(&mut row, record);
        let finished = match record.runs.known() {
            Some(runs) => life::finished(runs),
            None => life::known_finished(&transaction, &[id]).await?.remove(&id),
        };
        life::judge(&mut row, look.run_logs, finished, now);
        let mut told = written.total() > 0 || reconfigured || rows::differ(&old, &row);
        if row != old {
            rows::changed_columns(&old, &row)
                .update(&transaction)
                .await?;
            written.updated += 1;
        }
        let source_id = self.source_id;
        told |= ledger::replace_problems(&transaction, source_id, expid, &record.problems).await?;
        let doubted =
            look.is_too_fresh() || record.problems.iter().any(|problem| problem.transient);
        let state = look.state(&record.watched);
        let state = if doubted { state.doubted() } else { state };
        if doubted {
            self.agenda.retry(expid);
        }
        let noted = ledger::keep_state(&transaction, source_id, expid, &state).await?;
        if !told && written.total() == 0 && noted == Noted::Same {
            return Ok(transaction.rollback().await?);
        }
        if told {
            // Nobody has known the jobs of an experiment that is read for the first time.
            let first = noted == Noted::First && old.modified_at.is_none();
            let mut events = if first {
                Vec::new()
            } else {
                jobs.events(expid)
            };
            events.push(ExperimentChange::event(&row, ChangeKind::Changed));
            events::append(&transaction, events).await?;
        }
        transaction.commit().await?;
        report.rows += written;
        report.told |= told;
        Ok(())
    }
}
