//! However many runs there are, what is asked for of them is found by an index: lists in each order and by each filter, rankings,
//! logs, and whose turn it is.

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::ear::Ear;
use super::lab::Site;
use crate::support::Lab;
use crate::support::plans::{Plan, Watch};

on_both_databases!(what_is_asked_for, what_moves_runs_forward);

/// Rows as a site has them after a while: a workflow among others, groups of which the viewer is in a few, runs in all states,
/// steps, logs and results.
const ROWS: [&str; 9] = [
    "INSERT INTO workflow (id, name, latest, created_at, priority, post_processing, ranking, processed_ranking)
    SELECT 1000 + i, 'many ' || CAST(i AS TEXT), 1, i, 0, {true}, 0, 0 FROM n WHERE i <= 1000",
    "INSERT INTO workflow_version (id, workflow_id, number, digest, created_at, creator, folder, source_kind, template)
    SELECT 1000 + i, 1000 + i, 1, CAST(i AS TEXT), i, 'x', 'f' || CAST(i AS TEXT), 'FOLDER',
        (SELECT template FROM workflow_version WHERE id = {version}) FROM n WHERE i <= 1000",
    "INSERT INTO flow_group (id, workflow_id, name, created_at, parameters)
    SELECT 10000 + i, CASE WHEN i % 3 = 0 THEN {workflow} ELSE 1000 + 1 + i % 1000 END, 'g' || CAST(i AS TEXT), i, '[]'
    FROM n WHERE i <= 3000",
    "INSERT INTO flow_group_member (group_id, user_id, role)
    SELECT 10000 + i, CASE WHEN i % 30 = 0 THEN {user} ELSE {other} END, 'MEMBER' FROM n WHERE i <= 3000",
    "INSERT INTO flow_run (id, workflow_id, version_id, group_id, kind, state, reason, executor, priority, created_at, updated_at,
        started_at, ended_at, starter_id, starter, folder, is_ranked, files_bytes, cleaned_at, arguments)
    SELECT 100000 + i, g.workflow_id, CASE WHEN g.workflow_id = {workflow} THEN {version} ELSE g.workflow_id END, g.id, 'RUN',
        CASE i % 5 WHEN 0 THEN 'ERROR' WHEN 1 THEN 'CANCELED' ELSE 'SUCCESS' END,
        CASE i % 5 WHEN 0 THEN 'STEP_FAILED' WHEN 1 THEN 'CANCELED' END, 'LOCAL', 0,
        1700000000000 + i, 1700000000000 + i, 1700000000000 + i, 1700000000000 + i, m.user_id, 'x', 'r' || CAST(i AS TEXT),
        i % 5 > 1 AND g.workflow_id = {workflow}, 0, 1700000000000 + i, '[]'
    FROM n JOIN flow_group g ON g.id = 10000 + 1 + i % 3000 JOIN flow_group_member m ON m.group_id = g.id",
    "INSERT INTO flow_step (run_id, position, name, state, attempts, is_left_out)
    SELECT 100000 + i, 0, 'only', 'SUCCESS', 1, {false} FROM n",
    "INSERT INTO flow_attempt (run_id, position, number, ticket, created_at, ended_at, output_bytes, errors_bytes)
    SELECT 100000 + i, 0, 1, 't' || CAST(i AS TEXT), 1700000000000 + i, 1700000000000 + i, 0, 0 FROM n",
    "INSERT INTO flow_log (run_id, position, attempt, stream, start_byte, bytes, recorded_at, text)
    SELECT 100001 + i % 2000, 0, 1, 'STDOUT', i, 2, i, 'x' FROM n",
    "INSERT INTO flow_result (run_id, name, float_value)
    SELECT id, 'score', id % 100 FROM flow_run WHERE is_ranked",
];

/// How many runs there are.
const MANY: i64 = 12_000;

/// A site with many rows, whose server tells its statements.
async fn crowded(mut lab: Lab) -> (Site, Watch, String) {
    let watch = Watch::set(&mut lab);
    let site = Site::open(lab, &["ann", "ben"]).await;
    let draft = super::draft::Draft::of("Crowded", "echo '{\"score\": 1}' > results.json")
        .ranked(&["score"]);
    let workflow = site.workflow(&draft).await;
    let database = site.lab.database().await;
    let one = async |sql: &str| -> i64 {
        let statement = sea_orm::Statement::from_string(database.backend(), sql.to_owned());
        let row = database.read().query_one_raw(statement).await;
        row.expect("SQL")
            .expect("a row")
            .try_get_by_index(0)
            .expect("a number")
    };
    let names = [
        (
            "{workflow}",
            one("SELECT id FROM workflow WHERE name = 'Crowded'")
                .await
                .to_string(),
        ),
        (
            "{version}",
            one("SELECT id FROM workflow_version").await.to_string(),
        ),
        (
            "{user}",
            one("SELECT id FROM users WHERE username = 'ann'")
                .await
                .to_string(),
        ),
        (
            "{other}",
            one("SELECT id FROM users WHERE username = 'ben'")
                .await
                .to_string(),
        ),
        ("{true}", "TRUE".to_owned()),
        ("{false}", "FALSE".to_owned()),
    ];
    for rows in ROWS {
        let mut sql = rows.replacen(
            "INSERT",
            &format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) INSERT"),
            1,
        );
        for (name, value) in &names {
            sql = sql.replace(name, value);
        }
        database.write().execute_unprepared(&sql).await.expect(rows);
    }
    site.lab.count_tables(&database).await;
    // PostgreSQL numbers its rows by itself.
    if site.lab.is_postgres() {
        for table in [
            "workflow",
            "workflow_version",
            "flow_group",
            "flow_run",
            "flow_log",
        ] {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))"
            );
            database
                .write()
                .execute_unprepared(&sql)
                .await
                .expect("a number");
        }
    }
    database.close().await;
    (site, watch, workflow)
}

/// Tables that grow with every run.
const LARGE: [&str; 5] = [
    "flow_run",
    "flow_step",
    "flow_attempt",
    "flow_log",
    "flow_result",
];

/// Pages for administrators that SQLite reads in the order in which the rows lie, up to the last of the page: of all runs, which
/// reads no others, and of runs in several states, which passes over those in other states.
const IN_ORDER: [&str; 2] = [
    r#" FROM "flow_run" WHERE TRUE ORDER BY id DESC LIMIT ?"#,
    r#" FROM "flow_run" WHERE "flow_run"."state" IN (?, ?) AND TRUE ORDER BY id DESC LIMIT ?"#,
];

/// No statement reads a large table from one end to the other.
fn check(what: &str, plans: &[Plan]) {
    assert!(!plans.is_empty(), "{what}");
    for plan in plans {
        let told = format!("{what}\n{}\n{}", plan.sql, plan.told);
        let is_large = |table: &String| LARGE.contains(&table.as_str());
        let sql = plan.sql.replace(" ASC ", " DESC ");
        let is_in_order = IN_ORDER.iter().any(|end| sql.ends_with(end));
        assert!(is_in_order || !plan.scanned.iter().any(is_large), "{told}");
        // PostgreSQL tells how much it has touched.
        assert!(plan.blocks < 2_000, "{} blocks: {told}", plan.blocks);
    }
}

async fn what_is_asked_for(lab: Lab) {
    let (site, watch, workflow) = crowded(lab).await;
    let token = site.token("ann").to_owned();
    let admin = site.token(super::lab::ADMIN).to_owned();
    let mut server = site.server;
    let group = "query { groups(first: 1) { nodes { id } } }";
    server = server.signed_in(&token);
    let data = server.data(group, json!({})).await;
    let group = data["groups"]["nodes"][0]["id"].clone();
    let data = server
        .data("{ runs(first: 1) { nodes { id } } }", json!({}))
        .await;
    let run = data["runs"]["nodes"][0]["id"].clone();
    let lists = "query($filter: RunFilter, $orderBy: [RunOrder!]) {
        runs(filter: $filter, orderBy: $orderBy, first: 20) {
            nodes { id state steps { name attempts { number } } files { name } group { name } workflow { name } }
        }
    }";
    let mut questions: Vec<(String, Value)> = Vec::new();
    for filter in [
        json!({}),
        json!({ "states": ["ERROR"] }),
        json!({ "states": ["SUCCESS", "ERROR"] }),
        json!({ "workflows": [workflow] }),
        json!({ "workflows": [workflow], "states": ["ERROR"] }),
        json!({ "workflows": [workflow], "kinds": ["POST_PROCESSING"] }),
        json!({ "versions": [workflow] }),
        json!({ "groups": [group] }),
        json!({ "groups": [group], "states": ["SUCCESS"] }),
        json!({ "startedBy": "ann" }),
    ] {
        questions.push((lists.to_owned(), json!({ "filter": filter })));
    }
    for field in ["CREATED_AT", "STARTED_AT", "ENDED_AT"] {
        for direction in ["ASC", "DESC"] {
            let order = json!([{ "field": field, "direction": direction }]);
            questions.push((lists.to_owned(), json!({ "orderBy": order })));
        }
    }
    let of = |query: &str, id: &Value| {
        (
            format!("query($id: ID!) {{ {query} }}"),
            json!({ "id": id }),
        )
    };
    questions.push(of("workflow(id: $id) { runs(first: 20) { nodes { id } } groups(first: 20) { nodes { name } } postProcessing { id } }", &json!(workflow)));
    questions.push(of("group(id: $id) { members { role } uploads { nodes { id } } runs(first: 20) { nodes { id } } }", &group));
    questions.push(of(
        "run(id: $id) { log(first: 20) { nodes { text } } steps { attempts { number } } }",
        &run,
    ));
    for (query, variables) in &questions {
        for token in [&token, &admin] {
            server = server.signed_in(token);
            let body = json!({ "query": query, "variables": variables });
            let (plans, _) = watch.plans(&server, &body).await;
            check(&format!("{query} {variables}"), &plans);
        }
    }
}

async fn what_moves_runs_forward(lab: Lab) {
    let (site, watch, _) = crowded(lab).await;
    let draft = super::draft::Draft::new("Moved")
        .step("one", &["echo one"])
        .step("two", &["echo two > out.txt"])
        .output("out.txt");
    let workflow = site.workflow(&draft).await;
    let mut site = site.restarted(true).await;
    let token = site.token("ann").to_owned();
    let ann = site.who("ann");
    let mut ear = Ear::of(&ann, json!({ "workflow": workflow })).await;
    let then = Watch::now(&site.server);
    let runs = [
        ann.start(&workflow, json!({})).await,
        ann.start(&workflow, json!({})).await,
    ];
    ann.cancel(&runs[1]).await;
    ear.until_ended(&runs).await;
    site.server = site.server.signed_in(&token);
    // What connections have not told yet they tell when they are used again.
    for _ in 0..10 {
        site.server
            .data("{ runs(first: 1) { nodes { id } } }", json!({}))
            .await;
    }
    check(
        "a run from its start to its end",
        &watch.since(&site.server, then),
    );
}
