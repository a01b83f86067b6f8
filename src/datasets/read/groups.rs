//! Sums over datasets, reckoned by the database.

use sea_orm::sea_query::{
    Condition, Expr, ExprTrait, Func, FunctionCall, JoinType, Order, Query, SelectStatement,
};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, IdenStatic};

use super::{DatasetFilter, Reader};
use crate::database::Database;
use crate::datasets::mongo::{self, path::Path};
use crate::entity::dataset::{Column, Entity};
use crate::entity::dataset_tag;
use crate::failure::Failure;

/// How many groups are told at most, the largest first.
pub const MOST_GROUPS: u64 = 10_000;

/// How many combinations of values datasets are grouped by at most.
const MOST_COMBINATIONS: f64 = 5e6;

/// By what datasets are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupField {
    /// Who made them.
    CreatorUsername,
    /// The base URI.
    BaseUri,
    /// Each tag; a dataset is in as many groups as it has tags.
    Tags,
    /// The name of each annotation; a dataset is in as many groups as it has annotations.
    Annotations,
}

impl GroupField {
    fn expression(self, backend: DatabaseBackend) -> Expr {
        let column = match self {
            Self::CreatorUsername => Column::CreatorUsername,
            Self::BaseUri => Column::BaseUri,
            Self::Tags => return Expr::col((dataset_tag::Entity, dataset_tag::Column::Tag)),
            // A function with one column has the name that it is given.
            Self::Annotations if backend == DatabaseBackend::Postgres => {
                return Expr::col(("annotation", "annotation"));
            }
            Self::Annotations => return Expr::col(("annotation", "key")),
        };
        Expr::col((Entity, column))
    }
}

/// Datasets that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// What they have in common, a value for each of the fields; none: they have no such value.
    pub key: Vec<Option<String>>,
    /// How many they are.
    pub count: i64,
    /// How large they are together, in bytes; those whose size is unknown count as empty.
    pub size_bytes: i64,
}

/// Groups of the datasets that are asked for and that this reader may see: the largest first, and those of one size by key.
/// Without fields: all of them in one group.
pub async fn groups(
    database: &Database,
    reader: Reader,
    filter: &DatasetFilter,
    by: &[GroupField],
) -> Result<Vec<Group>, Failure> {
    let condition = filter.condition(database, reader);
    let query = statement(condition, by, database.backend());
    let statement = database.backend().build(&query);
    let rows = database.read().query_all_raw(statement).await?;
    let groups = rows.iter().map(|row| {
        let key = (0..by.len()).map(|place| row.try_get_by_index(place));
        Ok(Group {
            key: key.collect::<Result<_, DbErr>>()?,
            count: row.try_get_by_index(by.len())?,
            size_bytes: mongo::groups::whole(row.try_get_by_index(by.len() + 1)?),
        })
    });
    Ok(groups.collect::<Result<_, DbErr>>()?)
}

/// The path in the document of a dataset that a field of the schema, or a dotted path, names.
///
/// # Errors
/// What is wrong with it: it names nothing that datasets have one value of, or some.
pub fn path(name: &str) -> Result<Path, &'static str> {
    let name = match name {
        "baseUri" => "base_uri",
        "creatorUsername" => "creator_username",
        "createdAt" => "created_at",
        "frozenAt" => "frozen_at",
        "itemCount" => "number_of_items",
        "sizeBytes" => "size_in_bytes",
        "hashFunction" => "manifest.hash_function",
        "dtoolcoreVersion" => "dtoolcore_version",
        other => other,
    };
    let path = Path::parse(name)?;
    let is_known = match path.steps().as_slice() {
        ["annotations" | "readme", ..] | ["tags"] => true,
        _ => mongo::is_column(&path),
    };
    if is_known {
        Ok(path)
    } else {
        Err(
            "no such field: those of a dataset, `tags`, `readme.…` and `annotations.…` can be grouped by",
        )
    }
}

/// Groups of the datasets that are asked for and that this reader may see, by what they have at these paths: the largest
/// first, and those of one size by key.
///
/// # Errors
/// A rejection if there are too many combinations of their values.
pub async fn by_paths(
    database: &Database,
    reader: Reader,
    filter: &DatasetFilter,
    by: &[Path],
) -> Result<Vec<mongo::Group>, Failure> {
    let condition = filter.condition(database, reader);
    if let Some(query) = mongo::groups::combinations(by, condition) {
        let rows = database.read().query_one(&query).await?;
        let rows = rows.map(|row| row.try_get_by_index::<f64>(0)).transpose()?;
        if rows.is_some_and(|rows| rows > MOST_COMBINATIONS) {
            let message = "there are too many combinations of values: group by fewer fields, or fewer datasets";
            return Err(Failure::bad_input("by", message));
        }
    }
    let query = mongo::grouped(by, filter.condition(database, reader), MOST_GROUPS);
    let rows = database.read().query_all(&query).await?;
    let groups = rows.iter().map(|row| mongo::Group::read(by.len(), row));
    Ok(groups.collect::<Result<_, DbErr>>()?)
}

/// The names of the annotations of a row, as a table. PostgreSQL makes text of none with a zero byte; datasets with one are
/// left out there.
fn annotation_names(backend: DatabaseBackend) -> FunctionCall {
    match backend {
        DatabaseBackend::Postgres => Func::cust("json_object_keys").arg(Expr::cust(
            r#"CASE WHEN "dataset"."annotations" LIKE '%\\u0000%' THEN '{}' ELSE CAST("dataset"."annotations" AS JSON) END"#,
        )),
        _ => Func::cust("json_each").arg(Expr::col((Entity, Column::Annotations))),
    }
}

fn statement(condition: Condition, by: &[GroupField], backend: DatabaseBackend) -> SelectStatement {
    let mut query = Query::select();
    query.from(Entity).cond_where(condition);
    for field in by {
        query.expr(field.expression(backend));
        query.add_group_by([field.expression(backend)]);
    }
    if by.contains(&GroupField::Annotations) {
        query.from_function(annotation_names(backend), "annotation");
    }
    if by.contains(&GroupField::Tags) {
        query.join(
            JoinType::InnerJoin,
            dataset_tag::Entity,
            Expr::col((dataset_tag::Entity, dataset_tag::Column::DatasetId))
                .equals((Entity, Column::Id)),
        );
    }
    // A sum of whole numbers could leave their range.
    let size = format!(
        "COALESCE(SUM(CAST(\"dataset\".\"{}\" AS DOUBLE PRECISION)), CAST(0 AS DOUBLE PRECISION))",
        Column::SizeBytes.as_str()
    );
    query
        .expr_as(Expr::cust("COUNT(*)"), "count")
        .expr_as(Expr::cust(size), "size")
        .order_by("count", Order::Desc)
        .limit(MOST_GROUPS);
    for field in by {
        query.order_by_expr_with_nulls(
            field.expression(backend),
            Order::Asc,
            sea_orm::sea_query::NullOrdering::First,
        );
    }
    query
}
