//! How many actions may be open at once.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};

use super::ActionKind;
use super::state::ActionState;
use crate::entity::action::{Column, Entity};
use crate::failure::{Failure, RejectionCode};

/// How many actions may be open at once: asked for, and not ended. Stopping an experiment is always possible, and does not
/// count.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of one user.
    pub open_per_user: u32,
    /// Of all users together.
    pub open: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_per_user: 50,
            open: 500,
        }
    }
}

impl Limits {
    /// Refuses one more action of this kind by the user with this row id, if too many are open.
    ///
    /// # Errors
    /// [`RejectionCode::RateLimited`], with the name of the limit.
    pub(super) async fn check(
        &self,
        connection: &impl ConnectionTrait,
        user_id: i64,
        kind: ActionKind,
    ) -> Result<(), Failure> {
        if kind == ActionKind::Stop {
            return Ok(());
        }
        let by_user: Vec<(i64, i64)> = Entity::find()
            .select_only()
            .column(Column::ActorId)
            .column_as(Column::Id.count(), "open")
            .filter(ActionState::is_open())
            .filter(Column::Kind.ne(ActionKind::Stop.as_str()))
            .group_by(Column::ActorId)
            .into_tuple()
            .all(connection)
            .await?;
        let of_user = by_user.iter().find(|(user, _)| *user == user_id);
        let own = of_user.map_or(0, |(_, open)| *open);
        let all: i64 = by_user.iter().map(|(_, open)| open).sum();
        let reject = |message| Err(Failure::rejected(RejectionCode::RateLimited, None, message));
        if own >= i64::from(self.open_per_user) {
            return reject(format!(
                "{own} of your actions have not ended, and `actions.limits.open_per_user` is {}: wait for one, or \
                 withdraw one",
                self.open_per_user
            ));
        }
        if all >= i64::from(self.open) {
            return reject(format!(
                "as many actions as `actions.limits.open` allows, {}, have not ended: try again later",
                self.open
            ));
        }
        Ok(())
    }
}
