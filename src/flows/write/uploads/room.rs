//! How much room there is for what people bring.

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::flow_upload::{Column, Entity};
use crate::failure::Failure;
use crate::flows::settings::FileLimits;
use crate::flows::write::conflict;

/// Whose an upload is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// That of the group with this row id.
    Group(i64),
    /// The own one of the user with this row id.
    User(i64),
}

impl Owner {
    /// The condition that an upload is theirs.
    fn condition(self) -> Condition {
        match self {
            Self::Group(group) => Condition::all().add(Column::GroupId.eq(group)),
            Self::User(user) => Condition::all()
                .add(Column::CreatedBy.eq(user))
                .add(Column::GroupId.is_null()),
        }
    }

    /// Refuses as many bytes more, or one file more, than there may be.
    ///
    /// # Errors
    /// A rejection with the name of the limit.
    pub async fn check_room(
        self,
        connection: &impl ConnectionTrait,
        limits: &FileLimits,
        bytes: u64,
    ) -> Result<(), Failure> {
        let used: Option<(i64, Option<i64>)> = Entity::find()
            .select_only()
            .column_as(Expr::cust("COUNT(*)"), "count")
            // PostgreSQL makes another type of a sum.
            .column_as(Expr::cust("CAST(SUM(size_bytes) AS BIGINT)"), "bytes")
            .filter(self.condition())
            .into_tuple()
            .one(connection)
            .await?;
        let (count, used) = used.unwrap_or_default();
        let whose = match self {
            Self::Group(_) => "of the group",
            Self::User(_) => "of yours without a group",
        };
        if count >= i64::from(limits.group_uploads) {
            let message = format!(
                "{count} files {whose} are there already, and `flows.files.group_uploads` is {}: delete some",
                limits.group_uploads
            );
            return Err(conflict(Some("file"), message));
        }
        let used = used.unwrap_or(0).unsigned_abs();
        if used.saturating_add(bytes) > limits.group_mib.saturating_mul(1 << 20) {
            let message = format!(
                "the files {whose} would have more than {} MiB (`flows.files.group_mib`): delete some",
                limits.group_mib
            );
            return Err(conflict(Some("file"), message));
        }
        Ok(())
    }
}
