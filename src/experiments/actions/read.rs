//! Questions about actions. An action is shown to whoever asked for it and to administrators.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::ActionKind;
use super::state::ActionState;
use crate::auth::viewer::ViewerUser;
use crate::database::{Database, is_one_of};
use crate::entity::action::{Column, Entity, Model};
use crate::entity::experiment;
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// Whose actions somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Everybody's.
    Everybodys,
    /// Those of the user with this row id; none: nobody's.
    Of(Option<i64>),
}

impl Whose {
    /// Those that this user may see.
    pub fn seen_by(user: &ViewerUser) -> Self {
        if user.is_admin {
            Self::Everybodys
        } else {
            Self::Of(user.id)
        }
    }

    fn condition(self) -> Condition {
        match self {
            Self::Everybodys => Condition::all(),
            Self::Of(Some(id)) => Condition::all().add(Column::ActorId.eq(id)),
            Self::Of(None) => Condition::any().add(Column::Id.lt(0)),
        }
    }
}

/// Which actions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ActionFilter {
    /// On this experiment, or that made it.
    pub expid: Option<String>,
    /// Of these kinds; none: of all.
    pub kinds: Option<Vec<ActionKind>>,
    /// In these states; none: in all.
    pub states: Option<Vec<ActionState>>,
    /// Asked for by the user of this name.
    pub actor: Option<String>,
}

impl ActionFilter {
    fn condition(&self) -> Condition {
        let mut all = Condition::all();
        if let Some(expid) = &self.expid {
            all = all.add(Column::Expid.eq(expid.replace('\0', "")));
        }
        if let Some(kinds) = &self.kinds {
            all = all.add(Column::Kind.is_in(kinds.iter().map(|kind| kind.as_str())));
        }
        if let Some(states) = &self.states {
            all = all.add(Column::State.is_in(states.iter().map(|state| state.as_str())));
        }
        if let Some(actor) = &self.actor {
            all = all.add(Column::Actor.eq(actor.replace('\0', "")));
        }
        all
    }
}

/// Actions in the order in which they were asked for.
pub fn by_request(descending: bool) -> Ordering {
    Ordering {
        tag: format!("actions{descending}"),
        parts: vec![OrderPart {
            sql: "id",
            kind: KeyKind::Int,
            descending,
        }],
    }
}

/// The key of an action.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Int(row.id)]
}

/// A page of actions.
pub async fn page(
    database: &Database,
    whose: Whose,
    filter: &ActionFilter,
    ordering: &Ordering,
    page: &Page,
    columns: Columns<Model>,
) -> Result<Slice<Arc<Model>>, Failure> {
    let condition = whose.condition().add(filter.condition());
    let columns = columns.with(Column::Id);
    Ok(paging::fetch::<Entity>(database, condition, columns, ordering, page).await?)
}

/// How many actions there are.
pub async fn count(
    database: &Database,
    whose: Whose,
    filter: &ActionFilter,
) -> Result<u64, Failure> {
    let query = Entity::find().filter(whose.condition().add(filter.condition()));
    Ok(query.count(database.read()).await?)
}

/// The actions of these row ids that may be seen.
pub async fn by_ids(
    database: &Database,
    whose: Whose,
    ids: &[i64],
) -> Result<Vec<Arc<Model>>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let condition = whose.condition().add(Column::Id.is_in(ids.iter().copied()));
    Ok(narrow::find::<Entity>(database, condition, Columns::all()).await?)
}

/// The same page of the actions on each of these experiments.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
    whose: Whose,
    ordering: &Ordering,
    page: &Page,
    columns: Columns<Model>,
) -> Result<HashMap<i64, Slice<Arc<Model>>>, Failure> {
    use experiment::Column as Experiment;
    let columns = columns.with(Column::Id).with(Column::Expid);
    // Row ids of experiments change when a mirror is made anew; expids stay.
    let experiment = Query::select()
        .column((experiment::Entity, Experiment::Id))
        .from(experiment::Entity)
        .and_where(
            Expr::col((experiment::Entity, Experiment::Expid)).equals((Entity, Column::Expid)),
        )
        .take();
    let mut query = Query::select();
    query
        .expr_as(
            SimpleExpr::SubQuery(None, Box::new(experiment.into())),
            "group_id",
        )
        .columns(columns.iter().map(|column| (Entity, column)))
        .from(Entity)
        .and_where(Expr::col((Entity, Column::Expid)).in_subquery(expids(database, experiments)))
        .cond_where(whose.condition());
    let partition = "\"action\".\"expid\"";
    let experiment_of = |experiment, _: &Model| experiment;
    let found = paging::fetch_by_group(
        database,
        query,
        columns,
        partition,
        experiment_of,
        ordering,
        page,
    );
    Ok(found.await?)
}

/// How many actions there were on each of these experiments.
pub async fn count_of_experiments(
    database: &Database,
    experiments: &[i64],
    whose: Whose,
) -> Result<HashMap<i64, i64>, Failure> {
    use experiment::Column as Experiment;
    let on = Condition::all()
        .add(Expr::col((experiment::Entity, Experiment::Expid)).equals((Entity, Column::Expid)));
    let query = Query::select()
        .column((experiment::Entity, Experiment::Id))
        .expr_as(Expr::cust("COUNT(*)"), "actions")
        .from(Entity)
        .inner_join(experiment::Entity, on)
        .and_where(is_one_of(
            database,
            (experiment::Entity, Experiment::Id),
            experiments,
        ))
        .cond_where(whose.condition())
        .group_by_col((experiment::Entity, Experiment::Id))
        .take();
    Ok(narrow::tuples(database, &query)
        .await?
        .into_iter()
        .collect())
}

fn expids(database: &Database, experiments: &[i64]) -> SelectStatement {
    use experiment::Column as Experiment;
    Query::select()
        .column((experiment::Entity, Experiment::Expid))
        .from(experiment::Entity)
        .and_where(is_one_of(
            database,
            (experiment::Entity, Experiment::Id),
            experiments,
        ))
        .take()
}
