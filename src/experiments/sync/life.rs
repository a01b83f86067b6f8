//! Which experiments run, as their rows say it: [`liveness`] judges, and only what changed is written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
};

use super::look::Look;
use super::{Mirror, Report, rows};
use crate::entity::{experiment, experiment_run};
use crate::events;
use crate::experiments::changes::{ChangeKind, ExperimentChange};
use crate::experiments::liveness::{RunLogs, Signs, Work, liveness};
use crate::experiments::readers::RunRecord;
use crate::experiments::status::ExperimentStatus;
use crate::failure::Failure;
use crate::time::from_millis;

/// Sets whether an experiment runs.
///
/// The moment at which it falls silent moves with each line that its run writes. It is stored again only when the one
/// that is stored has come: a row that is written every few minutes, instead of seconds.
pub fn judge(
    row: &mut experiment::Model,
    run_logs: RunLogs,
    finished_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) {
    let signs = Signs {
        list_saved_at: row.modified_at.and_then(from_millis),
        work: Work::of(&row.job_counts),
        run_logs,
        finished_at,
        announced_at: row.announced_at.and_then(from_millis),
    };
    let until = liveness(&signs, now).until;
    let stored = row.active_until.and_then(from_millis);
    let holds = until.is_some_and(|until| {
        let still = |stored: DateTime<Utc>| now < stored && stored <= until;
        stored.is_some_and(still)
    });
    if !holds {
        row.active_until = until.map(|until| until.timestamp_millis());
    }
    row.status = match until {
        Some(_) => ExperimentStatus::Running.code(),
        None => ExperimentStatus::NotRunning.code(),
    };
}

/// When the newest run finished, if it did after its start.
pub fn finished(runs: &[RunRecord]) -> Option<DateTime<Utc>> {
    let newest = runs.iter().max_by_key(|run| run.run_id)?;
    newest
        .finished_at
        .filter(|finished| newest.started_at.is_none_or(|started| *finished > started))
}

/// As [`finished`], of experiments as the mirror knows them.
pub async fn known_finished(
    connection: &impl ConnectionTrait,
    experiments: &[i64],
) -> Result<HashMap<i64, DateTime<Utc>>, DbErr> {
    use experiment_run::Column;
    let newest = Query::select()
        .column(Column::ExperimentId)
        .expr(Expr::col(Column::Number).max())
        .from(experiment_run::Entity)
        .and_where(Expr::col(Column::ExperimentId).is_in(experiments.iter().copied()))
        .group_by_col(Column::ExperimentId)
        .to_owned();
    let key = Expr::tuple([Expr::col(Column::ExperimentId), Expr::col(Column::Number)]);
    let runs: Vec<(i64, Option<i64>, Option<i64>)> = experiment_run::Entity::find()
        .select_only()
        .columns([Column::ExperimentId, Column::StartedAt, Column::FinishedAt])
        .filter(key.in_subquery(newest))
        .into_tuple()
        .all(connection)
        .await?;
    let finished = runs.into_iter().filter_map(|(id, started, finished)| {
        let finished =
            finished.filter(|finished| started.is_none_or(|started| *finished > started));
        Some((id, from_millis(finished?)?))
    });
    Ok(finished.collect())
}

impl Mirror {
    /// Judges experiments whose files have not changed, but for the logs of their runs.
    pub(super) async fn judge_unchanged(
        &self,
        looks: Vec<Look>,
        now: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        // Most do not run and show no sign: these need no question to the database.
        let stirring: Vec<Look> = looks
            .into_iter()
            .filter(|look| look.differs(None, now))
            .collect();
        if stirring.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = stirring.iter().map(|look| look.row.id).collect();
        let mut finished = HashMap::new();
        for ids in ids.chunks(crate::database::MOST_BINDS) {
            finished.extend(known_finished(self.database.read(), ids).await?);
        }
        for look in stirring {
            if look.differs(finished.get(&look.row.id).copied(), now) {
                self.judge_stored(&look, now, report).await?;
            }
        }
        Ok(())
    }

    async fn judge_stored(
        &self,
        look: &Look,
        now: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let id = look.row.id;
        let transaction = self.begin().await?;
        let Some(old) = self.present(&transaction, id).await? else {
            return Ok(transaction.rollback().await?);
        };
        let finished = known_finished(&transaction, &[id]).await?;
        let mut row = old.clone();
        judge(&mut row, look.run_logs, finished.get(&id).copied(), now);
        if row == old {
            return Ok(transaction.rollback().await?);
        }
        rows::changed_columns(&old, &row)
            .update(&transaction)
            .await?;
        let told = rows::differ(&old, &row);
        if told {
            let event = ExperimentChange::event(&row, ChangeKind::Changed);
            events::append(&transaction, vec![event]).await?;
        }
        transaction.commit().await?;
        report.rows.updated += 1;
        report.told |= told;
        Ok(())
    }

    /// When the first of the running experiments falls silent.
    pub(super) async fn next_silence(&self) -> Result<Option<DateTime<Utc>>, Failure> {
        use experiment::Column;
        let first: Option<Option<i64>> = experiment::Entity::find()
            .select_only()
            .expr(Expr::col(Column::ActiveUntil).min())
            .filter(Column::SourceId.eq(self.source_id))
            .filter(Column::ArchivedAt.is_null())
            .filter(Column::ActiveUntil.is_not_null())
            .into_tuple()
            .one(self.database.read())
            .await?;
        Ok(first.flatten().and_then(from_millis))
    }
}
