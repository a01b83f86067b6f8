//! Questions about actions.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};

use super::profile::ActionProfile;
use super::types::{Action, ActionConnection, ActionKind, ActionState};
use crate::database::Database;
use crate::entity::action;
use crate::experiments::actions::read::{self, Whose};
use crate::failure::Failure;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::experiments::OrderDirection;
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::columns_of_page;
use crate::narrow::Columns;
use crate::paging::{self, Ordering, PAGE, Page, PageArguments, Slice};

/// Which actions. What is absent does not matter.
#[derive(Clone, Debug, Default, InputObject)]
struct ActionFilter {
    /// On this experiment, or that made it.
    expid: Option<String>,
    /// Of one of these kinds.
    kinds: Option<Vec<ActionKind>>,
    /// In one of these states.
    states: Option<Vec<ActionState>>,
    /// Asked for by the user of this name.
    actor: Option<String>,
}

impl From<ActionFilter> for read::ActionFilter {
    fn from(filter: ActionFilter) -> Self {
        let kinds = |kinds: Vec<ActionKind>| kinds.into_iter().map(Into::into).collect();
        let states = |states: Vec<ActionState>| states.into_iter().map(Into::into).collect();
        Self {
            expid: filter.expid,
            kinds: filter.kinds.map(kinds),
            states: filter.states.map(states),
            actor: filter.actor,
        }
    }
}

/// By what actions can be ordered.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
enum ActionOrderField {
    /// When they were asked for.
    RequestedAt,
}

/// An order of actions.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ActionOrder {
    /// By what.
    field: ActionOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// The order that was asked for; the newest first when none was.
fn ordering(order: Option<ActionOrder>) -> Ordering {
    let descending = order.is_none_or(|order| match order.field {
        ActionOrderField::RequestedAt => order.direction == OrderDirection::Desc,
    });
    read::by_request(descending)
}

/// Questions about actions.
#[derive(Default)]
pub struct ActionsQuery;

#[Object]
impl ActionsQuery {
    /// One action; null when there is none that you may see.
    async fn action(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Result<Option<Action>> {
        let whose = Whose::seen_by(ctx.signed_in()?);
        let Some(GlobalId::Action(id)) = GlobalId::decode(&id) else {
            return Ok(None);
        };
        let found = read::by_ids(ctx.database()?, whose, &[id]).await;
        Ok(found.map_err(failed)?.pop().map(Action))
    }

    /// What people had Autosubmit do: your own actions, and everybody's for administrators.
    #[allow(clippy::too_many_arguments)]
    async fn actions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which actions.")] filter: Option<ActionFilter>,
        #[graphql(desc = "In which order; the newest first when absent.")] order_by: Option<
            ActionOrder,
        >,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<ActionConnection> {
        let whose = Whose::seen_by(ctx.signed_in()?);
        let database = ctx.database()?;
        let filter = filter.unwrap_or_default().into();
        let ordering = ordering(order_by);
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let columns = columns_of_page::<Action, _>(ctx);
        let slice = read::page(database, whose, &filter, &ordering, &page, columns).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = read::count(database, whose, &filter).await;
            i64::try_from(count.map_err(failed)?).ok()
        } else {
            None
        };
        Ok(connection(slice, total, ordering))
    }

    /// The ways to call Autosubmit that you may use, by name; all of them for administrators.
    async fn action_profiles(&self, ctx: &Context<'_>) -> Result<Vec<ActionProfile>> {
        let profiles = ActionProfile::all(ctx).await?;
        ctx.charge(profiles.len())?;
        Ok(profiles)
    }
}

fn connection(
    slice: Slice<Arc<action::Model>>,
    total: Option<i64>,
    ordering: Ordering,
) -> ActionConnection {
    ActionConnection::new(slice.map(Action), total, move |action| {
        paging::encode_cursor(&ordering, &read::key(&action.0))
    })
}

/// A page of the actions on experiments.
#[derive(Clone, Hash, PartialEq, Eq)]
pub struct ActionList {
    whose: Whose,
    ordering: Ordering,
    page: Page,
    columns: Columns<action::Model>,
}

impl ActionList {
    /// Checks what was asked for.
    pub fn new(
        ctx: &Context<'_>,
        order: Option<ActionOrder>,
        page: &PageArguments,
    ) -> Result<Self> {
        let ordering = ordering(order);
        Ok(Self {
            // Who need not say who they are to read have no actions.
            whose: ctx
                .viewer()?
                .user
                .as_ref()
                .map_or(Whose::Of(None), Whose::seen_by),
            page: page.resolve(PAGE, &ordering).map_err(failed)?,
            columns: columns_of_page::<Action, _>(ctx),
            ordering,
        })
    }

    /// The page of one experiment on a level.
    pub async fn connection(
        self,
        database: &Database,
        level: &Level,
        experiment: i64,
        counted: bool,
    ) -> Result<ActionConnection> {
        let slice = level.children(database, &self, experiment).await?;
        let total = if counted {
            let total = ActionTotal(self.whose);
            Some(level.children(database, &total, experiment).await?)
        } else {
            None
        };
        Ok(connection(slice, total, self.ordering))
    }
}

impl ChildList for ActionList {
    type Children = Slice<Arc<action::Model>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (parents, columns) = (level.parents(), self.columns);
        read::of_experiments(
            database,
            parents,
            self.whose,
            &self.ordering,
            &self.page,
            columns,
        )
        .await
    }
}

/// How many actions there were on experiments.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct ActionTotal(Whose);

impl ChildList for ActionTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        read::count_of_experiments(database, level.parents(), self.0).await
    }
}
