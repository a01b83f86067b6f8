//! What could not be read in the sources.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::database::Database;
use crate::entity::experiment;
use crate::entity::source_problem::{Column, Entity, Model};
use crate::failure::Failure;
use crate::narrow::Columns;
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// Problems by experiment and file; those of central files first.
pub fn by_file() -> Ordering {
    let part = |sql, kind| OrderPart {
        sql,
        kind,
        descending: false,
    };
    Ordering {
        tag: "problems".into(),
        parts: vec![
            part("owner", KeyKind::Text),
            part("path", KeyKind::Text),
            part("id", KeyKind::Int),
        ],
    }
}

/// The key of a problem.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![
        KeyValue::Text(row.owner.clone()),
        KeyValue::Text(row.path.clone()),
        KeyValue::Int(row.id),
    ]
}

/// A page of all problems.
pub async fn page(database: &Database, page: &Page) -> Result<Slice<Arc<Model>>, Failure> {
    Ok(
        paging::fetch::<Entity>(database, Condition::all(), Columns::all(), &by_file(), page)
            .await?,
    )
}

/// How many problems there are.
pub async fn count(database: &Database) -> Result<u64, Failure> {
    Ok(Entity::find().count(database.read()).await?)
}

/// The problems of each of these experiments.
pub async fn of_experiments(
    database: &Database,
    experiments: &[i64],
) -> Result<HashMap<i64, Vec<Arc<Model>>>, Failure> {
    let owner = Entity::belongs_to(experiment::Entity)
        .from((Column::SourceId, Column::Owner))
        .to((experiment::Column::SourceId, experiment::Column::Expid))
        .into();
    let rows = Entity::find()
        .join(JoinType::InnerJoin, owner)
        .select_also(experiment::Entity)
        .filter(experiment::Column::Id.is_in(experiments.iter().copied()))
        .order_by_asc(Column::Path)
        .order_by_asc(Column::Id)
        .all(database.read())
        .await?;
    let mut found: HashMap<i64, Vec<Arc<Model>>> = HashMap::new();
    for (row, experiment) in rows {
        if let Some(experiment) = experiment {
            found.entry(experiment.id).or_default().push(Arc::new(row));
        }
    }
    Ok(found)
}
