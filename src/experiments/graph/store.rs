//! Drawings are made once and kept, for all processes that share the database.
//!
//! The key is a hash of what a drawing is made of, so nothing has to be told when a workflow changes: another workflow has
//! another key. What nobody may need any more goes by age and by number.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, Set};
use tokio::sync::Mutex;

use super::{Drawing, GraphError, Layout, Workflow, draw, key};
use crate::database::Database;
use crate::entity::graph_layout::{ActiveModel, Column, Entity, Model};
use crate::failure::Failure;
use crate::time::Millis;

/// How long a drawing is kept after it was made.
const AGE: TimeDelta = TimeDelta::days(90);
/// How many drawings are kept: those that were made last.
const NUMBER: u64 = 2_000;

/// Who makes a drawing goes through one of these, which the key says: so many are made at once in a process, and who wants
/// the same as somebody else waits for that one.
static LANES: [Mutex<()>; 2] = [const { Mutex::const_new(()) }; 2];

/// A drawing, or why there can be none.
pub type Drawn = Result<Arc<Drawing>, GraphError>;

/// The drawings of these workflows, in their order: those that are kept in one statement, and the others are made.
pub async fn drawings(
    database: &Database,
    layout: Layout,
    workflows: &[Arc<Workflow>],
) -> Result<Vec<Drawn>, Failure> {
    let keys = keys(layout, workflows).await?;
    let mut kept: HashMap<String, Drawing> = read(database, &keys).await?;
    let mut found = Vec::with_capacity(keys.len());
    for (key, workflow) in keys.into_iter().zip(workflows) {
        let known = kept.remove(&key);
        let known = known.filter(|drawing| fits(drawing, workflow));
        found.push(match known {
            Some(drawing) => Ok(Arc::new(drawing)),
            None => make(database, layout, workflow, key).await?,
        });
    }
    Ok(found)
}

/// A key takes some milliseconds for a large workflow.
async fn keys(layout: Layout, workflows: &[Arc<Workflow>]) -> Result<Vec<String>, Failure> {
    let workflows = workflows.to_vec();
    let keys = move || {
        let of = |workflow: &Arc<Workflow>| {
            let names = workflow.jobs.iter().map(|job| job.name.as_str());
            key(layout, &workflow.shape, names)
        };
        workflows.iter().map(of).collect()
    };
    Ok(tokio::task::spawn_blocking(keys).await?)
}

/// Makes a drawing and keeps it. Goes on when nobody waits for it any more, so that who asks again finds it.
async fn make(
    database: &Database,
    layout: Layout,
    workflow: &Arc<Workflow>,
    key: String,
) -> Result<Drawn, Failure> {
    let (database, workflow) = (database.clone(), Arc::clone(workflow));
    let made = async move {
        let lane = key.bytes().fold(0, |sum, byte| sum + usize::from(byte)) % LANES.len();
        let _lane = LANES[lane].lock().await;
        let kept = read(&database, std::slice::from_ref(&key)).await?;
        let kept = kept.into_values().next();
        if let Some(drawing) = kept.filter(|drawing| fits(drawing, &workflow)) {
            return Ok(Ok(Arc::new(drawing)));
        }
        let drawn = tokio::task::spawn_blocking(move || draw(layout, &workflow.shape));
        let drawing = match drawn.await? {
            Ok(drawing) => drawing,
            Err(error) => return Ok(Err(error)),
        };
        metrics::counter!("labql_graph_layouts_total").increment(1);
        match keep(&database, layout, &key, &drawing).await {
            // The answer does not depend on it.
            Err(Failure::Unavailable(why) | Failure::Unwritable(why)) => {
                tracing::warn!(error = why, "a drawing could not be kept");
            }
            kept => kept?,
        }
        Ok(Ok(Arc::new(drawing)))
    };
    tokio::spawn(made).await?
}

fn fits(drawing: &Drawing, workflow: &Workflow) -> bool {
    drawing.places.len() == workflow.jobs.len()
}

async fn read(database: &Database, keys: &[String]) -> Result<HashMap<String, Drawing>, Failure> {
    let rows = Entity::find()
        .filter(Column::Key.is_in(keys.iter().map(String::as_str)))
        .all(database.read())
        .await?;
    // One that cannot be read is made again.
    let drawing = |row: Model| Some((row.key, serde_json::from_slice(&row.drawing).ok()?));
    Ok(rows.into_iter().filter_map(drawing).collect())
}

async fn keep(
    database: &Database,
    layout: Layout,
    key: &str,
    drawing: &Drawing,
) -> Result<(), Failure> {
    let now = Utc::now().millis();
    let row = ActiveModel {
        key: Set(key.to_owned()),
        engine: Set(layout.engine().to_owned()),
        drawing: Set(serde_json::to_vec(drawing).map_err(Failure::internal)?),
        made_at: Set(now),
    };
    let again = OnConflict::column(Column::Key)
        .update_columns([Column::Engine, Column::Drawing, Column::MadeAt])
        .to_owned();
    Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(database.write())
        .await?;
    let newest = Query::select()
        .column(Column::Key)
        .from(Entity)
        .order_by(Column::MadeAt, Order::Desc)
        .order_by(Column::Key, Order::Asc)
        .limit(NUMBER)
        .to_owned();
    let old = Condition::any()
        .add(Column::MadeAt.lt(now - AGE.num_milliseconds()))
        .add(Expr::col(Column::Key).not_in_subquery(newest));
    Entity::delete_many()
        .filter(old)
        .exec(database.write())
        .await?;
    Ok(())
}
