//! The type `RunGroup`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::enums::GroupRole;
use super::order::RunOrder;
use super::parameter::{Parameter, stored};
use super::run::RunConnection;
use super::run_filter::RunFilter;
use super::run_list::RunList;
use super::upload::{self, UploadConnection};
use super::workflow::{self, Workflow};
use crate::database::Database;
use crate::entity::{flow_group, flow_group_member, workflow_version};
use crate::failure::Failure;
use crate::flows::read::runs::Parent;
use crate::flows::read::{groups, workflows};
use crate::flows::rights::{Asker, Role};
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::datasets::Person;
use crate::graphql::error::internal;
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::Rows;
use crate::narrow::Columns;
use crate::paging::PageArguments;
use crate::time::from_millis;

/// People who run a workflow together. What belongs to it is for its members, and for administrators.
#[derive(Clone)]
pub struct RunGroup {
    pub(super) row: Arc<flow_group::Model>,
    level: Arc<Level>,
}

connection!(
    RunGroupConnection,
    RunGroupEdge,
    RunGroup,
    "A page of groups.",
    "A group in a page."
);

/// The rows of groups that were loaded together.
type GroupRows = Vec<Arc<flow_group::Model>>;

impl RunGroup {
    /// A group that was asked for alone.
    pub fn single(row: Arc<flow_group::Model>) -> Self {
        let level = Self::level([&row]);
        Self { row, level }
    }

    /// One of several, on the level of all of them.
    pub fn on_level(row: Arc<flow_group::Model>, level: &Arc<Level>) -> Self {
        let level = Arc::clone(level);
        Self { row, level }
    }

    /// The level of groups that were loaded together.
    pub(super) fn level<'a>(
        rows: impl IntoIterator<Item = &'a Arc<flow_group::Model>>,
    ) -> Arc<Level> {
        let rows: GroupRows = rows.into_iter().map(Arc::clone).collect();
        let mut ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        Level::with_rows(ids, Vec::new(), rows)
    }
}

/// People who run a workflow together. What belongs to it is for its members, and for administrators.
#[row(columns = flow_group::Column)]
impl RunGroup {
    /// The global id.
    #[reads(Id)]
    pub fn id(&self) -> ID {
        GlobalId::RunGroup(self.row.id).encode()
    }

    /// Its name, unique in the workflow.
    #[reads(Name)]
    fn name(&self) -> &str {
        &self.row.name
    }

    /// The newest version of the workflow that it runs.
    #[reads(Id, WorkflowId)]
    async fn workflow(
        groups: &[RunGroup],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&RunGroup) -> Option<Workflow>> {
        let list = WorkflowOf(workflow::columns_here(ctx));
        let levels = groups.iter().map(|group| &group.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        Ok(move |group: &RunGroup| found.of(group.row.id).cloned().flatten())
    }

    /// When it was made.
    #[reads(CreatedAt)]
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.row.created_at)
    }

    /// Is it somebody's own, made when they first ran the workflow without naming a group?
    #[reads(PersonalOf)]
    fn personal(&self) -> bool {
        self.row.personal_of.is_some()
    }

    /// What you may do in it.
    #[reads(Id)]
    async fn viewer_role(
        groups: &[RunGroup],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&RunGroup) -> Option<GroupRole>> {
        let asker = Asker::of(ctx.viewer()?);
        let found = match asker {
            Asker::User(_) => {
                let levels = groups.iter().map(|group| &group.level);
                Some(Level::children_of_rows(levels, ctx.database()?, &MembersOf).await?)
            }
            Asker::Administrator | Asker::Nobody => None,
        };
        Ok(move |group: &RunGroup| match asker {
            Asker::Administrator => Some(GroupRole::Owner),
            Asker::Nobody => None,
            Asker::User(user) => {
                let members = found.as_ref()?.of(group.row.id)?;
                let member = members.iter().find(|member| member.user_id == user)?;
                role(member)
            }
        })
    }

    /// Who is in it.
    #[reads(Id)]
    async fn members(
        groups: &[RunGroup],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&RunGroup) -> Rows<GroupMember>> {
        let levels = groups.iter().map(|group| &group.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &MembersOf).await?;
        let of = |group: &RunGroup| found.of(group.row.id).cloned().unwrap_or_default();
        let all: Vec<Arc<[flow_group_member::Model]>> = groups.iter().map(of).collect();
        ctx.charge(all.iter().map(|members| members.len()).sum())?;
        let users = all.iter().flat_map(|members| members.iter());
        let people = ctx.services()?.people.named(users.map(|it| it.user_id));
        let people = people.await.map_err(failed)?;
        Ok(move |group: &RunGroup| {
            let members = found.of(group.row.id).into_iter();
            let member = |member: &flow_group_member::Model| {
                Some(GroupMember {
                    user: Person::of(people.get(&member.user_id)?),
                    role: role(member)?,
                })
            };
            let members = members.flat_map(|members| members.iter());
            members.filter_map(member).collect()
        })
    }

    /// The parameters that it has besides those of the workflow.
    #[reads(Parameters)]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn parameters(&self, ctx: &Context<'_>) -> Result<Rows<Parameter>> {
        let parameters = stored(&self.row.parameters).map_err(internal)?;
        ctx.charge(parameters.iter().map(Parameter::parts).sum())?;
        Ok(parameters.into_iter().map(Parameter).collect())
    }

    /// What was uploaded for its runs, the newest first.
    #[reads(Id)]
    async fn uploads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<UploadConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        upload::of_group(ctx, &self.level, self.row.id, &page).await
    }

    /// Its runs.
    #[reads(Id)]
    #[allow(clippy::too_many_arguments)]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which runs.")] filter: Option<RunFilter>,
        #[graphql(desc = "In which order, one at most; the newest first when absent.")]
        order_by: Option<Vec<RunOrder>>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<RunConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let parent = (Parent::Group, &*self.level, self.row.id);
        let list = RunList::new(ctx, parent, filter, order_by, &page).await?;
        list.connection(ctx, &self.level, self.row.id).await
    }
}

fn role(member: &flow_group_member::Model) -> Option<GroupRole> {
    Role::from_name(&member.role).map(Into::into)
}

/// Somebody in a group.
#[derive(Clone)]
pub struct GroupMember {
    user: Person,
    role: GroupRole,
}

/// Somebody in a group.
#[row]
impl GroupMember {
    /// Who.
    fn user(&self) -> &Person {
        &self.user
    }

    /// What they may do there.
    fn role(&self) -> GroupRole {
        self.role
    }
}

/// Who is in groups.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct MembersOf;

impl ChildList for MembersOf {
    type Children = Arc<[flow_group_member::Model]>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found = groups::members(database, level.parents()).await?;
        let shared = |(group, members): (i64, Vec<_>)| (group, members.into());
        Ok(found.into_iter().map(shared).collect())
    }
}

/// The newest versions of the workflows of groups.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct WorkflowOf(Columns<workflow_version::Model>);

impl ChildList for WorkflowOf {
    type Children = Option<Workflow>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let Some(groups) = level.rows::<GroupRows>() else {
            return Ok(HashMap::new());
        };
        let mut ids: Vec<i64> = groups.iter().map(|group| group.workflow_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = workflows::by_ids(database, &ids, Columns::all()).await?;
        let rows = rows.into_values().collect();
        let newest = Workflow::newest(database, rows, self.0).await?;
        let newest = newest.into_iter().map(|it| (it.row.id, it));
        let newest: HashMap<i64, Workflow> = newest.collect();
        let of_group =
            |group: &Arc<flow_group::Model>| (group.id, newest.get(&group.workflow_id).cloned());
        Ok(groups.iter().map(of_group).collect())
    }
}
