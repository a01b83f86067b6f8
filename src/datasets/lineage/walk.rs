//! Walks along links.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement, Value};

use crate::database::Database;
use crate::datasets::read::Reader;
use crate::failure::Failure;

/// How many nodes a lineage has at most, the nearest first.
pub const MOST_NODES: usize = 1_000;
/// To how many steps away the nearest are told from others, where no number was asked for and there are more than that.
const DEEPEST: u8 = 100;
/// How many edges.
const MOST_EDGES: i64 = 10_000;
/// How many steps the walks of one statement take together, and how many links are looked at for edges.
const MOST_STEPS: i64 = 50_000;

/// Where a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To what a dataset was derived from, and what that was derived from.
    Ancestors,
    /// To what was derived from a dataset, and what was derived from that.
    Descendants,
    /// Both ways from each dataset: to all that hangs together, siblings among it.
    Both,
}

/// Which walk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    /// Where it goes.
    pub direction: Direction,
    /// How many steps; none: as many as there are.
    pub depth: Option<u8>,
    /// Only along links by these keys; none: by all.
    pub keys: Option<Vec<String>>,
}

/// What a walk came by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// UUIDs of datasets, where the walk began first.
    pub nodes: Vec<String>,
    /// Links between nodes, from parent to child.
    pub edges: Vec<(String, String)>,
    /// There is more than this.
    pub is_truncated: bool,
}

/// Walks from each of these datasets, which have been found to be visible for this reader. Answers by their row ids.
///
/// A link is known from the dataset that was derived, so only those of datasets that the reader may see are walked along, and
/// the walk goes on from such datasets alone. A parent that is not registered, or not for this reader, is a UUID at the end
/// of the walk.
pub async fn walk(
    database: &Database,
    reader: Reader,
    datasets: &[i64],
    walk: &Walk,
) -> Result<HashMap<i64, Lineage>, Failure> {
    let mut lineages = once(database, reader, datasets, walk).await?;
    let is_cut = |(id, lineage): (&i64, &Lineage)| lineage.is_truncated.then_some(*id);
    let cut: Vec<i64> = lineages.iter().filter_map(is_cut).collect();
    if walk.depth.is_some() || cut.is_empty() {
        return Ok(lineages);
    }
    // Which nodes are the nearest is only known with their depth.
    let nearest = Walk {
        depth: Some(DEEPEST),
        ..walk.clone()
    };
    for (id, lineage) in once(database, reader, &cut, &nearest).await? {
        let is_truncated = true;
        lineages.insert(
            id,
            Lineage {
                is_truncated,
                ..lineage
            },
        );
    }
    Ok(lineages)
}

async fn once(
    database: &Database,
    reader: Reader,
    datasets: &[i64],
    walk: &Walk,
) -> Result<HashMap<i64, Lineage>, Failure> {
    let statement = statement(database.backend(), reader, datasets, walk);
    let mut lineages: HashMap<i64, Lineage> = HashMap::new();
    let mut is_cut = false;
    let mut edges = 0;
    for row in database.read().query_all_raw(statement).await? {
        let root: i64 = row.try_get_by_index(0)?;
        let uuid: Option<String> = row.try_get_by_index(1)?;
        let Some(uuid) = uuid else {
            let number: i64 = row.try_get_by_index(2)?;
            is_cut |= number >= MOST_STEPS;
            continue;
        };
        let lineage = lineages.entry(root).or_default();
        match row.try_get_by_index::<Option<String>>(3)? {
            Some(child) => {
                edges += 1;
                lineage.edges.push((uuid, child));
            }
            None if lineage.nodes.len() >= MOST_NODES => lineage.is_truncated = true,
            None => lineage.nodes.push(uuid),
        }
    }
    is_cut |= edges >= MOST_EDGES;
    for lineage in lineages.values_mut() {
        lineage.is_truncated |= is_cut;
        if lineage.is_truncated {
            let nodes: HashSet<&String> = lineage.nodes.iter().collect();
            lineage
                .edges
                .retain(|(from, to)| nodes.contains(from) && nodes.contains(to));
        }
    }
    Ok(lineages)
}

/// Rows: root, UUID, depth, null for the nodes, in their order; root, parent, 0, child for the edges; and the numbers of steps
/// and of links at the nodes.
///
/// Without a depth all that is not the root is at depth 1, so that each node is reached once and circles end; with one,
/// circles end there.
pub fn statement(
    backend: DatabaseBackend,
    reader: Reader,
    datasets: &[i64],
    walk: &Walk,
) -> Statement {
    let is_postgres = backend == DatabaseBackend::Postgres;
    let (depth, limit) = match walk.depth {
        None => ("1", 1),
        Some(depth) => ("walk.depth + 1", i64::from(depth)),
    };
    // The only ones of depth 1 are walked on from.
    let further = if walk.depth.is_none() { "<=" } else { "<" };
    let by_keys = match walk.keys {
        None => "",
        Some(_) if is_postgres => "AND link.dependency_key = ANY($7::text[])",
        Some(_) => "AND link.dependency_key IN (SELECT value FROM json_each($7))",
    };
    let seen = format!("link.base_uri_id IN (SELECT id FROM searchable) {by_keys}");
    let next = next(is_postgres, walk.direction, &seen);
    // From a parent that is a mere UUID it is not gone down again.
    let only = match walk.direction {
        Direction::Ancestors | Direction::Descendants => "",
        Direction::Both => {
            "AND EXISTS (
                SELECT 1 FROM dataset AS here
                WHERE here.uuid = walk.uuid AND here.base_uri_id IN (SELECT id FROM searchable)
            )"
        }
    };
    let known = if is_postgres {
        format!(
            "node AS child CROSS JOIN LATERAL (
                SELECT link.parent FROM dataset_link AS link WHERE link.uuid = child.uuid AND {seen} OFFSET 0
            ) AS link"
        )
    } else {
        format!(
            "node AS child CROSS JOIN dataset_link AS link WHERE link.uuid = child.uuid AND {seen}"
        )
    };
    let roots = if is_postgres {
        "= ANY($2::bigint[])"
    } else {
        "IN (SELECT value FROM json_each($2))"
    };
    let searchable = reader.searchable_sql();
    let sql = format!(
        "WITH RECURSIVE searchable (id) AS ({searchable}),
        walk (root, uuid, depth) AS (
            SELECT id, uuid, CAST(0 AS BIGINT) FROM dataset WHERE id {roots}
            UNION
            SELECT walk.root, {next} AND walk.depth {further} $3 {only}
        ),
        step (root, uuid, depth) AS (SELECT root, uuid, depth FROM walk LIMIT $4),
        reached (root, uuid, depth) AS (SELECT root, uuid, MIN(depth) FROM step GROUP BY root, uuid),
        placed (root, uuid, depth, place) AS (
            SELECT root, uuid, depth, ROW_NUMBER() OVER (PARTITION BY root ORDER BY depth, uuid) FROM reached
        ),
        node (root, uuid, depth) AS (SELECT root, uuid, depth FROM placed WHERE place <= $5),
        known (root, parent, child) AS MATERIALIZED (
            SELECT child.root, link.parent, child.uuid FROM {known} LIMIT $4
        ),
        edge (root, parent, child) AS (
            SELECT DISTINCT known.root, known.parent, known.child
            FROM known JOIN node AS parent ON parent.root = known.root AND parent.uuid = known.parent
            LIMIT $6
        )
        SELECT root, uuid, depth, CAST(NULL AS TEXT) AS child FROM node
        UNION ALL SELECT root, parent, 0, child FROM edge
        UNION ALL SELECT 0, NULL, COUNT(*), NULL FROM step
        UNION ALL SELECT 0, NULL, COUNT(*), NULL FROM known
        ORDER BY 1, 4, 3, 2"
    )
    .replace("{depth}", depth);
    let mut values: Vec<Value> = vec![
        reader.user().unwrap_or(-1).into(),
        ids(is_postgres, datasets),
        limit.into(),
        MOST_STEPS.into(),
        // One more tells that there are more.
        i64::try_from(MOST_NODES + 1).unwrap_or(i64::MAX).into(),
        MOST_EDGES.into(),
    ];
    values.extend(walk.keys.as_deref().map(|keys| texts(is_postgres, keys)));
    Statement::from_sql_and_values(backend, sql, values)
}

/// The UUID that a step leads to, its depth, and from where. PostgreSQL plans a prepared statement once, and might read the whole
/// table of links for each step; a lateral sub-query with an offset keeps it to look-ups.
fn next(is_postgres: bool, direction: Direction, seen: &str) -> String {
    const UP: (&str, &str) = ("link.parent", "link.uuid = walk.uuid");
    const DOWN: (&str, &str) = ("link.uuid", "link.parent = walk.uuid");
    let depth = "CAST({depth} AS BIGINT)";
    if is_postgres {
        let ways: &[_] = match direction {
            Direction::Ancestors => &[UP],
            Direction::Descendants => &[DOWN],
            Direction::Both => &[UP, DOWN],
        };
        let select = |(to, from): &(&str, &str)| {
            format!("SELECT {to} FROM dataset_link AS link WHERE {from} AND {seen}")
        };
        let links: Vec<String> = ways.iter().map(select).collect();
        let links = links.join(" UNION ALL ");
        return format!(
            "next.uuid, {depth} FROM walk CROSS JOIN LATERAL ({links} OFFSET 0) AS next (uuid) WHERE TRUE"
        );
    }
    let (to, from) = match direction {
        Direction::Ancestors => UP,
        Direction::Descendants => DOWN,
        Direction::Both => (
            "CASE WHEN link.uuid = walk.uuid THEN link.parent ELSE link.uuid END",
            "(link.uuid = walk.uuid OR link.parent = walk.uuid)",
        ),
    };
    format!("{to}, {depth} FROM walk CROSS JOIN dataset_link AS link WHERE {from} AND {seen}")
}

fn ids(is_postgres: bool, ids: &[i64]) -> Value {
    if is_postgres {
        let ids = ids.iter().map(|id| Value::from(*id)).collect();
        return Value::Array(ArrayType::BigInt, Some(Box::new(ids)));
    }
    serde_json::Value::from(ids).to_string().into()
}

fn texts(is_postgres: bool, texts: &[String]) -> Value {
    if is_postgres {
        let texts = texts
            .iter()
            .map(|text| Value::from(text.as_str()))
            .collect();
        return Value::Array(ArrayType::String, Some(Box::new(texts)));
    }
    serde_json::Value::from(texts).to_string().into()
}
