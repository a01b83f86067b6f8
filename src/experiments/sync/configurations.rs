//! Keeping the configurations that runs recorded: only what may be shown of them, and only when they have changed.

use std::collections::HashMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::auth::api_key::hash;
use crate::database::MOST_BINDS;
use crate::entity::run_configuration::{Column, Entity, Model};
use crate::experiments::configuration;
use crate::experiments::readers::RunRecord;

/// Keeps those of the runs of an experiment; says whether that changed anything.
pub async fn store(
    transaction: &DatabaseTransaction,
    experiment_id: i64,
    runs: &[RunRecord],
) -> Result<bool, DbErr> {
    let mut known: HashMap<i64, String> = Entity::find()
        .select_only()
        .columns([Column::Number, Column::Hash])
        .filter(Column::ExperimentId.eq(experiment_id))
        .into_tuple::<(i64, String)>()
        .all(transaction)
        .await?
        .into_iter()
        .collect();
    let mut changed = false;
    for run in runs {
        let Some(record) = &run.metadata else {
            continue;
        };
        let hash = hash(&format!("{}\n{record}", configuration::RULES));
        if known.remove(&run.run_id).as_ref() == Some(&hash) {
            continue;
        }
        // What is no configuration is kept as an empty one, so that it is not looked at again.
        let shown = configuration::of_run(record).map(|shown| configuration::pack(&shown));
        let body = match shown {
            Some(Ok(Some(body))) => body,
            Some(Err(_) | Ok(None)) | None => Vec::new(),
        };
        let row = Model {
            experiment_id,
            number: run.run_id,
            hash,
            body,
        };
        Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::columns([Column::ExperimentId, Column::Number])
                    .update_columns([Column::Hash, Column::Body])
                    .to_owned(),
            )
            .exec_without_returning(transaction)
            .await?;
        changed = true;
    }
    let gone: Vec<i64> = known.into_keys().collect();
    for numbers in gone.chunks(MOST_BINDS - 1) {
        Entity::delete_many()
            .filter(Column::ExperimentId.eq(experiment_id))
            .filter(Column::Number.is_in(numbers.iter().copied()))
            .exec(transaction)
            .await?;
        changed = true;
    }
    Ok(changed)
}
