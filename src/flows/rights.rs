//! Who may do what with runs. Workflows are for everybody who may read, and for administrators to change. Whatever belongs to a
//! group (uploads, runs, logs, files) is for its members; administrators may do all of it. Whoever is in no group of a
//! workflow sees neither its ranking nor what was made of it.

use std::fmt;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::auth::viewer::{Viewer, ViewerUser};
use crate::entity::{flow_group_member, flow_run};
use crate::failure::{Failure, RejectionCode};

/// What a member of a group may do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// See all of it.
    Viewer,
    /// Upload, start runs, and cancel and delete them, too.
    Member,
    /// Change and delete the group, too.
    Owner,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Member, Self::Owner];

    /// The name that is stored and shown: `OWNER`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::Member => "MEMBER",
            Self::Owner => "OWNER",
        }
    }

    /// The role of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who asks, as far as groups are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Nobody who has an account: sees nothing of groups.
    Nobody,
    /// The user with this row id.
    User(i64),
    /// An administrator: sees all.
    Administrator,
}

impl Asker {
    /// The one behind a viewer.
    pub fn of(viewer: &Viewer) -> Self {
        viewer.user.as_ref().map_or(Self::Nobody, Self::of_user)
    }

    /// This user.
    pub fn of_user(user: &ViewerUser) -> Self {
        match user.id {
            _ if user.is_admin => Self::Administrator,
            Some(id) => Self::User(id),
            None => Self::Nobody,
        }
    }

    /// What the asker may do in a group; none: not even see that there is one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn role(
        self,
        connection: &impl ConnectionTrait,
        group: i64,
    ) -> Result<Option<Role>, Failure> {
        let user = match self {
            Self::Nobody => return Ok(None),
            Self::Administrator => return Ok(Some(Role::Owner)),
            Self::User(user) => user,
        };
        let member = flow_group_member::Entity::find()
            .filter(flow_group_member::Column::GroupId.eq(group))
            .filter(flow_group_member::Column::UserId.eq(user))
            .one(connection)
            .await?;
        Ok(member.and_then(|member| Role::from_name(&member.role)))
    }

    /// Is the asker in any group of a workflow?
    ///
    /// # Errors
    /// Those of the database.
    pub async fn takes_part(
        self,
        connection: &impl ConnectionTrait,
        workflow: i64,
    ) -> Result<bool, Failure> {
        use crate::entity::flow_group;
        use sea_orm::{JoinType, QuerySelect, RelationTrait as _};
        let user = match self {
            Self::Nobody => return Ok(false),
            Self::Administrator => return Ok(true),
            Self::User(user) => user,
        };
        let found = flow_group_member::Entity::find()
            .join(
                JoinType::InnerJoin,
                flow_group_member::Relation::Group.def(),
            )
            .filter(flow_group_member::Column::UserId.eq(user))
            .filter(flow_group::Column::WorkflowId.eq(workflow))
            .limit(1)
            .one(connection)
            .await?;
        Ok(found.is_some())
    }

    /// May the asker see a run? What was made of the runs of all groups is for those who take part.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sees(
        self,
        connection: &impl ConnectionTrait,
        run: &flow_run::Model,
    ) -> Result<bool, Failure> {
        match run.group_id {
            Some(group) => Ok(self.role(connection, group).await?.is_some()),
            None => self.takes_part(connection, run.workflow_id).await,
        }
    }

    /// Refuses whoever has not this role in a group. Who is not in it does not learn that there is one.
    ///
    /// # Errors
    /// A rejection.
    pub async fn needs(
        self,
        connection: &impl ConnectionTrait,
        group: i64,
        role: Role,
        field: &'static str,
    ) -> Result<(), Failure> {
        match self.role(connection, group).await? {
            Some(has) if has >= role => Ok(()),
            Some(_) => {
                let message = format!("this needs the role {role} in the group");
                Err(Failure::rejected(
                    RejectionCode::NotFound,
                    Some(field),
                    message,
                ))
            }
            None => Err(Failure::rejected(
                RejectionCode::NotFound,
                Some(field),
                "there is no such group",
            )),
        }
    }
}
