//! A page far behind the first costs what the first one costs, in every order of experiments and of jobs.

use std::marker::PhantomData;

use labql::database::Database;
use labql::entity::{experiment, job};
use labql::experiments::read::experiments::{ExperimentOrder, ExperimentOrderField};
use labql::experiments::read::jobs::{JobOrder, JobOrderField};
use labql::narrow::{Columns, Narrow};
use labql::paging::{self, KeyValue, Ordering, Page};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait};
use serde_json::{Value, json};

use crate::support::plans::{Watch, steps};
use crate::support::{Lab, Server};

on_both_databases!(far_pages);

/// How many experiments there are, and jobs of one of them.
const MANY: i64 = 4_000;

/// Rows as a mirror writes them, with as many equal values as there are in life.
const ROWS: [&str; 3] = [
    "INSERT INTO source (id, kind, location, allowed_folders) VALUES (1, 'autosubmit', '/many', '[]')",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
    INSERT INTO experiment (
        source_id, expid, autosubmit_id, description, hpc, kind, status, created_at, modified_at, job_counts
    )
    SELECT 1, 'e' || CAST(10000 + i AS TEXT), i, 'about ' || CAST(i % 7 AS TEXT), 'MN5', 0, i % 2,
        CASE WHEN i % 5 > 0 THEN 1700000000000 + i % 50 END, CASE WHEN i % 3 > 0 THEN 1700000000000 + i END, '{}'
    FROM n",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
    INSERT INTO job (experiment_id, name, status, priority, section, date, member, chunk)
    SELECT (SELECT id FROM experiment WHERE expid = 'e10001'), 'A' || CAST(10000 + i * 7919 % 4000 AS TEXT), i % 4,
        CASE WHEN i % 10 > 0 THEN i % 3 END, CASE WHEN i % 10 > 0 THEN 'S' || CAST(i % 4 AS TEXT) END,
        CASE WHEN i % 10 > 0 THEN 1700000000000 + i % 2 END, CASE WHEN i % 10 > 0 THEN 'fc' || CAST(i % 2 AS TEXT) END,
        CASE WHEN i % 10 > 0 THEN i / 2 END
    FROM n",
];

async fn far_pages(mut lab: Lab) {
    let watch = Watch::set(&mut lab);
    let database = lab.database().await;
    for rows in ROWS {
        database
            .write()
            .execute_unprepared(rows)
            .await
            .expect("rows");
    }
    lab.count_tables(&database).await;
    let server = lab.serve_signed_in().await;

    for (field, name) in [
        (ExperimentOrderField::Expid, "EXPID"),
        (ExperimentOrderField::CreatedAt, "CREATED_AT"),
        (ExperimentOrderField::ModifiedAt, "MODIFIED_AT"),
        (ExperimentOrderField::Description, "DESCRIPTION"),
        (ExperimentOrderField::Status, "STATUS"),
    ] {
        for (descending, direction) in [(false, "ASC"), (true, "DESC")] {
            let order = ExperimentOrder::new([(field, descending)]);
            let list = List::<experiment::Entity> {
                lab: &lab,
                database: &database,
                condition: Condition::all(),
                ordering: order.ordering(),
                of: PhantomData,
            };
            list.costs_the_same(|row| order.key(row)).await;
            let list = format!("experiments(orderBy: {{ field: {name}, direction: {direction} }}");
            told(&watch, &server, &list, "{", "}").await;
        }
    }
    let one = database
        .read()
        .query_one_raw(sea_orm::Statement::from_string(
            database.backend(),
            "SELECT id FROM experiment WHERE expid = 'e10001'",
        ));
    let id: i64 = one
        .await
        .expect("SQL")
        .expect("a row")
        .try_get_by_index(0)
        .expect("an id");
    for (field, name) in [
        (JobOrderField::Name, "NAME"),
        (JobOrderField::Status, "STATUS"),
        (JobOrderField::Section, "SECTION"),
        (JobOrderField::Priority, "PRIORITY"),
        (JobOrderField::Date, "DATE"),
    ] {
        for (descending, direction) in [(false, "ASC"), (true, "DESC")] {
            let order = JobOrder { field, descending };
            let list = List::<job::Entity> {
                lab: &lab,
                database: &database,
                condition: Condition::all().add(job::Column::ExperimentId.eq(id)),
                ordering: order.ordering(),
                of: PhantomData,
            };
            list.costs_the_same(|row| order.key(row)).await;
            let list = format!("jobs(orderBy: {{ field: {name}, direction: {direction} }}");
            told(
                &watch,
                &server,
                &list,
                "{ experiment(expid: \"e10001\") {",
                "} }",
            )
            .await;
        }
    }
    database.close().await;
}

/// A list that is asked for without the API, so that its statements are known with their values.
struct List<'a, E> {
    lab: &'a Lab,
    database: &'a Database,
    condition: Condition,
    ordering: Ordering,
    of: PhantomData<E>,
}

impl<E> List<'_, E>
where
    E: EntityTrait,
    E::Model: Narrow<Column = E::Column>,
{
    /// Pages from the middle cost SQLite as many steps as the first one, whichever way they are read.
    async fn costs_the_same(&self, key: impl Fn(&E::Model) -> Vec<KeyValue>) {
        let columns = Columns::all();
        let read = async |page: &Page| {
            let condition = self.condition.clone();
            let rows = paging::fetch::<E>(self.database, condition, columns, &self.ordering, page);
            rows.await.expect("rows").rows
        };
        let all = read(&Page::only(10_000)).await;
        assert_eq!(i64::try_from(all.len()), Ok(MANY));
        let steps = |page: &Page| {
            let condition = self.condition.clone();
            let query = paging::query::<E>(self.database, condition, columns, &self.ordering, page);
            steps(self.lab, &self.database.backend().build(&query).to_string())
        };
        let first = (!self.lab.is_postgres()).then(|| steps(&Page::only(20)));
        for (place, backward) in [(30, false), (2_000, false), (3_900, false), (2_000, true)] {
            let from = Some(key(&all[place]));
            let page = Page {
                backward,
                from,
                ..Page::only(20)
            };
            // They are the rows that follow, or go before.
            let rows = read(&page).await;
            let expected = if backward {
                place - 20..place
            } else {
                place + 1..place + 21
            };
            let keys = |rows: &[std::sync::Arc<E::Model>]| {
                rows.iter().map(|row| key(row)).collect::<Vec<_>>()
            };
            assert_eq!(
                keys(&rows),
                keys(&all[expected]),
                "{:?} {page:?}",
                self.ordering
            );
            if let Some(first) = first {
                let steps = steps(&page);
                // A page of each of the up to four stretches, put together and in order.
                let parts = i32::try_from(self.ordering.parts.len()).unwrap_or(i32::MAX);
                assert!(
                    steps < first * 5 * parts,
                    "{:?}: {first} steps for the first page, {steps} here",
                    self.ordering
                );
            }
        }
    }
}

/// The statements for a page near the end find where it begins, and PostgreSQL touches as many blocks as for the first.
async fn told(watch: &Watch, server: &Server, list: &str, before: &str, after: &str) {
    let near_end = format!("{before} {list}, last: 60) {{ pageInfo {{ startCursor }} }} {after}");
    let data = server.data(&near_end, json!({})).await;
    let connection = |data: &Value| {
        data.get("experiment")
            .map_or_else(|| data["experiments"].clone(), |it| it["jobs"].clone())
    };
    let cursor = connection(&data)["pageInfo"]["startCursor"].clone();
    let query = format!(
        "query($after: String) {before} {list}, first: 20, after: $after) {{ nodes {{ id }} }} {after}"
    );
    let mut blocks = Vec::new();
    for from in [Value::Null, cursor] {
        let body = json!({ "query": query, "variables": { "after": from } });
        let (plans, data) = watch.plans(server, &body).await;
        assert_eq!(
            connection(&data)["nodes"].as_array().map(Vec::len),
            Some(20)
        );
        let page = plans
            .iter()
            .find(|plan| plan.sql.contains("LIMIT"))
            .expect("a page");
        let what = format!("{list}\n{}\n{}", page.sql, page.told);
        assert!(page.scanned.is_empty(), "{what}");
        assert!(from.is_null() || page.walked.is_empty(), "{what}");
        blocks.push(page.blocks);
    }
    assert!(blocks[1] <= blocks[0] + 40, "{list}: {blocks:?}");
}
