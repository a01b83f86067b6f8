//! How long events are kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sea_orm::{DatabaseTransaction, DbErr};
use serde::{Deserialize, Serialize};

use super::log;
use crate::database::Database;
use crate::entity::event::{Column, Entity};
use crate::entity::event_log;
use crate::failure::Failure;
use crate::time::Millis;

/// How many events one transaction cuts off.
const BATCH: u64 = 1000;

/// How long events are kept. Who comes back with a cursor from before has to read the state anew.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Events older than this are cut off.
    #[serde(with = "crate::human_duration")]
    pub max_age: Duration,
    /// Of more events than this the oldest are cut off.
    pub max_events: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(30 * 24),
            max_events: 5_000_000,
        }
    }
}

impl Retention {
    /// Cuts off what is not to be kept at this moment; answers with how many events those were.
    ///
    /// Always the oldest: an event that is young enough keeps those behind it, whatever the clock said meanwhile.
    pub async fn apply(&self, database: &Database, now: DateTime<Utc>) -> Result<u64, Failure> {
        let max_age = chrono::Duration::from_std(self.max_age).ok();
        let too_old = max_age.and_then(|age| now.checked_sub_signed(age));
        let too_old = too_old.map_or(i64::MIN, |moment| moment.millis());
        let mut cut = 0;
        loop {
            let transaction = database.begin().await?;
            let batch = self.cut(&transaction, too_old).await?;
            transaction.commit().await?;
            cut += batch;
            if batch < BATCH {
                return Ok(cut);
            }
        }
    }

    async fn cut(&self, transaction: &DatabaseTransaction, too_old: i64) -> Result<u64, DbErr> {
        let log = log::state_for_update(transaction).await?;
        let most = i64::try_from(self.max_events).unwrap_or(i64::MAX);
        let too_many = log.head.saturating_sub(most);
        let oldest: Vec<(i64, i64)> = Entity::find()
            .select_only()
            .columns([Column::Position, Column::RecordedAt])
            .filter(Column::Position.gt(log.floor))
            .order_by_asc(Column::Position)
            .limit(BATCH)
            .into_tuple()
            .all(transaction)
            .await?;
        let mut to_cut = oldest
            .into_iter()
            .take_while(|(position, recorded_at)| *position <= too_many || *recorded_at < too_old);
        let Some((floor, recorded_at)) = to_cut.by_ref().last() else {
            return Ok(0);
        };
        let deleted = Entity::delete_many()
            .filter(Column::Position.lte(floor))
            .exec(transaction)
            .await?;
        event_log::Entity::update_many()
            .col_expr(event_log::Column::Floor, floor.into())
            .col_expr(event_log::Column::FloorRecordedAt, recorded_at.into())
            .exec(transaction)
            .await?;
        Ok(deleted.rows_affected)
    }
}
