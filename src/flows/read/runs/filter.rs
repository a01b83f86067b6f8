//! Which runs are asked for.

use chrono::{DateTime, Utc};
use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Query, SimpleExpr};

use crate::database::Database;
use crate::entity::flow_run::{Column, Entity, Model};
use crate::entity::user;
use crate::flows::read::one_of;
use crate::flows::settings::ExecutorName;
use crate::flows::state::{Reason, RunState};
use crate::time::Millis;

/// The kinds of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunKind {
    /// Somebody started it.
    Run,
    /// It was made of the best runs of all groups.
    PostProcessing,
}

impl RunKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Run, Self::PostProcessing];

    /// The name that is stored and shown: `RUN`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "RUN",
            Self::PostProcessing => "POST_PROCESSING",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Which runs are asked for: those for which all of this is true. An empty list says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunFilter {
    /// Of one of the workflows with these row ids.
    pub workflows: Vec<i64>,
    /// Of one of the versions with these row ids.
    pub versions: Vec<i64>,
    /// Of one of the groups with these row ids.
    pub groups: Vec<i64>,
    /// In one of these states.
    pub states: Vec<RunState>,
    /// Of one of these kinds.
    pub kinds: Vec<RunKind>,
    /// That ended for one of these reasons.
    pub reasons: Vec<Reason>,
    /// On one of these executors.
    pub executors: Vec<ExecutorName>,
    /// Started by the user of this name.
    pub starter: Option<String>,
    /// Made then or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Made before.
    pub created_until: Option<DateTime<Utc>>,
}

impl RunFilter {
    /// Is it a run that is asked for? Whether it may be seen is another question.
    pub fn admits(&self, run: &Model) -> bool {
        let is_one = |ids: &[i64], id: i64| ids.is_empty() || ids.contains(&id);
        let group = run.group_id;
        let is_named = |names: Vec<&str>, name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.contains(&name))
        };
        is_one(&self.workflows, run.workflow_id)
            && is_one(&self.versions, run.version_id)
            && (self.groups.is_empty() || group.is_some_and(|id| self.groups.contains(&id)))
            && is_named(self.states(), Some(&run.state))
            && is_named(self.kinds(), Some(&run.kind))
            && is_named(self.reasons(), run.reason.as_deref())
            && is_named(self.executors(), Some(&run.executor))
            && self.starter.as_ref().is_none_or(|it| *it == run.starter)
            && self
                .created_from
                .is_none_or(|it| run.created_at >= it.millis())
            && self
                .created_until
                .is_none_or(|it| run.created_at < it.millis())
    }

    fn states(&self) -> Vec<&'static str> {
        self.states.iter().map(|it| it.as_str()).collect()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|it| it.as_str()).collect()
    }

    fn reasons(&self) -> Vec<&'static str> {
        self.reasons.iter().map(|it| it.as_str()).collect()
    }

    fn executors(&self) -> Vec<&'static str> {
        self.executors.iter().map(|it| it.as_str()).collect()
    }

    pub(super) fn condition(&self, database: &Database) -> Condition {
        let mut all = Condition::all();
        for (column, ids) in [
            (Column::WorkflowId, &self.workflows),
            (Column::VersionId, &self.versions),
            (Column::GroupId, &self.groups),
        ] {
            if !ids.is_empty() {
                all = all.add(one_of(database, column, ids));
            }
        }
        for (column, names) in [
            (Column::State, self.states()),
            (Column::Kind, self.kinds()),
            (Column::Reason, self.reasons()),
            (Column::Executor, self.executors()),
        ] {
            match names.as_slice() {
                [] => {}
                // With one, pages are read from an index that begins with the column.
                [name] => all = all.add(column.eq(*name)),
                names => all = all.add(column.is_in(names.iter().copied())),
            }
        }
        let starter = self.starter.as_deref();
        all.add_option(starter.map(is_started_by))
            .add_option(
                self.created_from
                    .map(|at| Column::CreatedAt.gte(at.millis())),
            )
            .add_option(
                self.created_until
                    .map(|at| Column::CreatedAt.lt(at.millis())),
            )
    }
}

/// The id of the user of this name is one value, so that pages are read from the index of starters.
fn is_started_by(name: &str) -> SimpleExpr {
    // PostgreSQL refuses to look for what it cannot store; no user is called so.
    let name = name.replace('\0', " ");
    let user = Query::select()
        .column((user::Entity, user::Column::Id))
        .from(user::Entity)
        .and_where(user::Column::Username.eq(name))
        .take();
    let user = SimpleExpr::SubQuery(None, Box::new(user.into()));
    Expr::col((Entity, Column::StarterId)).eq(user)
}
