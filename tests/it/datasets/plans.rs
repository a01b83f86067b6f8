//! What the operations on datasets cost where there are many: statements, their plans, and the way to a page far behind
//! the first.

#[path = "../../../bench/generate.rs"]
mod generate;

use std::cell::RefCell;

use generate::{BASE_URIS, Plan as Generated, USERS};
use labql::auth::Viewer;
use labql::auth::viewer::ViewerUser;
use labql::datasets::read::datasets::{DatasetOrder, DatasetOrderField, statement};
use labql::datasets::read::{DatasetFilter, Reader};
use labql::paging::{KeyValue, Page};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::folder::{BASE, Folder};
use super::{ADMIN, info, kind_and_uri};
use crate::statements::cost;
use crate::support::plans::{Plan, Watch, steps};
use crate::support::{Lab, Server, Socket};

on_both_databases!(operations_on_many_datasets);

const OPERATIONS: &str = include_str!("../../contract/datasets.graphql");

/// How many datasets there are; `LABQL_TEST_DATASETS` makes them as many as there may be one day, such as 100,000.
fn many() -> Generated {
    let set = std::env::var("LABQL_TEST_DATASETS");
    Generated {
        datasets: set.map_or(4_000, |number| number.parse().expect("a number")),
        items: 20,
        seed: 1,
    }
}

/// What an operation may do with large tables.
#[derive(Clone, Copy, PartialEq)]
enum May {
    /// Find what it looks for.
    Find,
    /// Begin at the end of an index: a first page. How many there are in all is counted as it goes best.
    Begin,
    /// Read an index from one end to the other, or a narrow table: it sums up what is there.
    Sum,
}

struct Many {
    lab: Lab,
    server: Server,
    watch: Watch,
    plan: Generated,
    /// Filling takes time: all that is wrong is told at once.
    faults: RefCell<Vec<String>>,
}

impl Many {
    async fn open(mut lab: Lab) -> Self {
        let plan = many();
        let folder = Folder::of(&mut lab);
        for name in ["one", "two"] {
            folder.dataset(name);
        }
        let watch = Watch::set(&mut lab);
        for user in USERS {
            lab.done(&["user", "add", user, "--no-password"]);
        }
        let token = lab.token(USERS[0]);
        let database = lab.database().await;
        generate::fill(&database, plan).await.expect("datasets");
        database.close().await;
        let server = lab.serve().await.signed_in(&token);
        Self {
            lab,
            server,
            watch,
            plan,
            faults: RefCell::default(),
        }
    }

    fn body(operation: &str, variables: &Value) -> Value {
        json!({ "query": OPERATIONS, "operationName": operation, "variables": variables })
    }

    fn check(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.faults.borrow_mut().push(otherwise());
        }
    }

    /// The plans of an operation, which are as they may be, and its data.
    async fn asked(&self, may: May, operation: &str, variables: &Value) -> (Vec<Plan>, Value) {
        let body = Self::body(operation, variables);
        let (plans, data) = self.watch.plans(&self.server, &body).await;
        assert!(!plans.is_empty(), "{operation}: no statement was told");
        self.judge(may, &plans, &format!("{operation} {variables}"));
        (plans, data)
    }

    /// Statements do what they may.
    fn judge(&self, may: May, plans: &[Plan], of: &str) {
        for plan in plans {
            let what = || format!("{of}\n{}\n{}", plan.sql, plan.told);
            let sums = match may {
                May::Find => false,
                May::Begin => plan.sql.contains("COUNT("),
                May::Sum => true,
            };
            self.check(sums || plan.scanned.is_empty(), || {
                format!("a table is read whole: {}", what())
            });
            self.check(may != May::Find || plan.walked.is_empty(), || {
                format!("an index is read from its start: {}", what())
            });
        }
    }

    /// A command, which finds what it changes, in so many statements at most; its event is one of them, or two.
    async fn command(&self, operation: &str, input: Value, most: i64) {
        let variables = json!({ "input": input });
        let before = self.server.statements().await;
        let (_, data) = self.asked(May::Find, operation, &variables).await;
        let count = self.server.statements().await - before;
        self.check(count <= most, || {
            format!("{count} statements, at most {most}: {operation} {variables}")
        });
        let answer = data.as_object().and_then(|data| data.values().next());
        let errors = answer.map(|answer| answer["errors"].clone());
        assert_eq!(errors, Some(json!([])), "{operation} {data}");
    }

    /// Asked, and for how many statements.
    async fn costs(&self, may: May, operation: &str, variables: Value, statements: i64) -> Value {
        let (_, data) = self.asked(may, operation, &variables).await;
        let (count, _) = cost(&self.server, &Self::body(operation, &variables)).await;
        self.check(count == statements, || {
            format!("{count} statements, not {statements}: {operation} {variables}")
        });
        data
    }

    /// The cursor of a dataset near the end of a list.
    async fn far(&self, filter: &Value, order: &Value) -> Value {
        let query = "query($filter: DatasetFilter, $order: [DatasetOrder!]) {
            datasets(filter: $filter, orderBy: $order, last: 60) { pageInfo { startCursor } }
        }";
        let data = self
            .server
            .data(query, json!({ "filter": filter, "order": order }))
            .await;
        data["datasets"]["pageInfo"]["startCursor"].clone()
    }
}

async fn operations_on_many_datasets(lab: Lab) {
    let many = Many::open(lab).await;
    pages(&many).await;
    far_pages_of_sqlite(&many).await;
    filters(&many).await;
    single_ones(&many).await;
    sums(&many).await;
    let many = commands(many).await;
    let faults = many.faults.take();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The first page and one far behind it, in every order: of all, of a base URI, and of one creator in the orders that are
/// asked for most.
async fn pages(many: &Many) {
    let fields = [
        "URI",
        "NAME",
        "UUID",
        "BASE_URI",
        "CREATOR_USERNAME",
        "CREATED_AT",
        "FROZEN_AT",
        "SIZE_BYTES",
        "ITEM_COUNT",
    ];
    let filters = [
        json!({}),
        json!({ "baseUris": ["s3://climate"] }),
        json!({ "creatorUsernames": ["creator0"] }),
    ];
    for (field, filter) in fields
        .iter()
        .flat_map(|field| filters.iter().map(move |filter| (field, filter)))
    {
        let of_creator = filter["creatorUsernames"].is_array();
        if of_creator && !["URI", "CREATED_AT", "FROZEN_AT"].contains(field) {
            continue;
        }
        for direction in ["ASC", "DESC"] {
            let order = json!([{ "field": field, "direction": direction }]);
            let far = many.far(filter, &order).await;
            let mut blocks = Vec::new();
            for (after, may) in [(Value::Null, May::Begin), (far, May::Find)] {
                let variables =
                    json!({ "filter": filter, "orderBy": order, "first": 50, "after": after });
                let (plans, data) = many.asked(may, "Datasets", &variables).await;
                let nodes = data["datasets"]["nodes"].as_array().expect("nodes");
                assert_eq!(nodes.len(), 50, "{variables}");
                let is_page = |plan: &&Plan| {
                    plan.sql.contains("FROM \"dataset\"") && plan.sql.contains("LIMIT")
                };
                let page = plans.iter().find(is_page).expect("a page");
                let sorts =
                    page.told.contains("Sort") || page.told.contains("TEMP B-TREE FOR ORDER");
                // Of one creator there are so few that PostgreSQL may sort them.
                let may_sort = of_creator && many.lab.is_postgres();
                many.check(may_sort || !sorts, || {
                    format!("sorted: {variables}\n{}", page.told)
                });
                blocks.push(page.blocks);
            }
            // A block or two for each row, and the way down the index.
            many.check(blocks[1] <= blocks[0] + 60 && blocks[1] < 300, || {
                format!("blocks of {field} {direction} {filter}: {blocks:?}")
            });
        }
    }
    let variables = json!({ "first": 50 });
    // The page, and what is kept of base URIs.
    many.costs(May::Begin, "Datasets", variables, 2).await;
}

/// What a page costs SQLite, in steps of its machine, does not hang on where it begins.
async fn far_pages_of_sqlite(many: &Many) {
    if many.lab.is_postgres() {
        return;
    }
    let database = many.lab.database().await;
    let reader = Reader::of(&Viewer {
        user: Some(ViewerUser {
            id: Some(1),
            username: USERS[0].to_owned(),
            is_admin: false,
        }),
        expires_at: None,
    });
    let filter = DatasetFilter::default();
    for field in DatasetOrderField::ALL {
        let order = DatasetOrder::new([(field, false)]);
        let page = |from: Option<Vec<KeyValue>>| Page {
            from,
            ..Page::only(50)
        };
        let build = |page: &Page| statement(&database, reader, &filter, &order, page);
        let first = steps(&many.lab, &build(&page(None)).to_string());
        // The dataset in the middle of the order.
        let whole = Page::only(many.plan.datasets);
        let mut all = build(&whole);
        all.sql = format!(
            "SELECT uri FROM ({}) LIMIT 1 OFFSET {}",
            all.sql,
            many.plan.datasets / 2
        );
        let row = database
            .read()
            .query_one_raw(all)
            .await
            .expect("SQL")
            .expect("a row");
        let uri: String = row.try_get_by_index(0).expect("a URI");
        let row = labql::datasets::read::datasets::by_uris(&database, reader, &[uri])
            .await
            .expect("SQL");
        let middle = steps(
            &many.lab,
            &build(&page(Some(order.key(&row[0], 0)))).to_string(),
        );
        many.check(middle < first * 3 / 2 + 100, || {
            format!("{field:?}: {first} steps for the first page, {middle} for another")
        });
    }
    database.close().await;
}

/// What few datasets have in common finds them.
async fn filters(many: &Many) {
    let sample = many.plan.datasets / 2;
    let (_, document) = generate::document(many.plan, sample);
    for filter in [
        json!({ "uuids": [document.uuid] }),
        json!({ "uuids": [document.uuid, "00000000-0000-4000-8000-000000000000"] }),
        json!({ "tags": [format!("batch-{}", sample / 50)] }),
        json!({ "tags": [format!("batch-{}", sample / 50), "raw"] }),
        json!({ "mongo": { "annotations.sample": sample } }),
        json!({ "mongo": { "annotations.sample": { "$in": [1, 2, 3] }, "uuid": { "$ne": "x" } } }),
        json!({ "text": format!("{:06}", sample) }),
        json!({ "text": format!("\"{:06}\" -nothing", sample) }),
    ] {
        for order in [
            Value::Null,
            json!([{ "field": "CREATED_AT", "direction": "DESC" }]),
        ] {
            let variables = json!({ "filter": filter, "orderBy": order, "first": 50 });
            let data = many.costs(May::Find, "Datasets", variables, 2).await;
            let total = data["datasets"]["totalCount"].as_i64().unwrap_or_default();
            many.check((1..=60).contains(&total), || {
                format!("{filter} finds {total}")
            });
        }
    }
    // What many have in common: the page is read in its order, or those that are found are; none of it without an index.
    for filter in [
        json!({ "tags": ["raw"] }),
        json!({ "baseUris": ["s3://climate", "s3://imaging"] }),
        json!({ "creatorUsernames": ["creator0", "creator1"] }),
        json!({ "text": "glacier" }),
        json!({ "text": "\"glacier\" \"soil\"" }),
        json!({ "mongo": { "annotations.phase": "gas" } }),
        json!({ "createdAt": { "from": "2018-01-01T00:00:00Z" }, "sizeBytes": { "min": 5.0 } }),
    ] {
        let variables = json!({ "filter": filter, "first": 50 });
        many.costs(May::Begin, "Datasets", variables, 2).await;
    }
    // The ends of a range are two look-ups, as different elements of an array may fit them: PostgreSQL plans for half of all
    // values each, whatever they are.
    let range = json!({ "$gte": sample, "$lt": sample + 5 });
    let variables = json!({ "filter": { "mongo": { "readme.sample_id": range } }, "first": 50 });
    many.costs(May::Sum, "Datasets", variables, 2).await;
}

/// A dataset with all that hangs on it, its lineage, and the base URIs.
async fn single_ones(many: &Many) {
    for number in [0, many.plan.datasets / 2, many.plan.datasets - 1] {
        let (base_uri, document) = generate::document(many.plan, number);
        if !BASE_URIS[base_uri].2.contains(&0) {
            continue;
        }
        let variables = json!({ "uri": document.uri });
        let (_, data) = many.asked(May::Find, "DatasetDetail", &variables).await;
        let detail = &data["dataset"];
        assert_eq!(detail["manifest"]["items"]["totalCount"], 20, "{detail}");
        let (count, _) = cost(&many.server, &Many::body("DatasetDetail", &variables)).await;
        // The dataset, its items, parents and these as datasets, derivatives, copies; nobody registered it.
        many.check((4..=6).contains(&count), || {
            format!("{count} statements: {detail}")
        });
        for direction in ["ANCESTORS", "DESCENDANTS", "BOTH"] {
            for depth in [json!(1), json!(3)] {
                let variables =
                    json!({ "uri": document.uri, "direction": direction, "depth": depth });
                let (_, data) = many.asked(May::Find, "Lineage", &variables).await;
                assert_ne!(data["dataset"]["lineage"]["nodes"], json!([]));
                let (count, _) = cost(&many.server, &Many::body("Lineage", &variables)).await;
                // The dataset, the walk, the datasets on the way.
                many.check(count == 3, || format!("{count} statements: {variables}"));
            }
        }
    }
    many.costs(May::Find, "BaseUris", json!({}), 4).await;
}

/// Sums read what they sum, and no more: indexes and narrow tables, not the datasets with their READMEs.
async fn sums(many: &Many) {
    many.costs(May::Sum, "DatasetSummary", json!({}), 4).await;
    for by in [
        json!(["creatorUsername"]),
        json!(["tags"]),
        json!(["annotations.phase", "baseUri"]),
    ] {
        many.costs(May::Sum, "DatasetGroups", json!({ "by": by }), 1)
            .await;
    }
    let filter = json!({ "tags": [format!("batch-{}", many.plan.datasets / 100)] });
    let variables = json!({ "by": ["creatorUsername"], "filter": filter });
    many.costs(May::Find, "DatasetGroups", variables, 1).await;
}

/// Commands find what they change, and so does who listens, however much there is beside it.
async fn commands(mut many: Many) -> Many {
    let large = BASE_URIS[0].0;
    let token = many.server.token().to_owned();
    many.lab
        .done(&["user", "add", ADMIN, "--admin", "--no-password"]);
    let admin = many.lab.token(ADMIN);
    many.server = many.server.signed_in(&admin);
    let query =
        "mutation($uri: String!) { registerBaseUri(input: { uri: $uri }) { errors { message } } }";
    many.server.data(query, json!({ "uri": BASE })).await;
    for base_uri in [large, BASE] {
        let input = json!({
            "username": USERS[0], "baseUri": base_uri, "canSearch": true, "canRegister": true,
        });
        many.command("GrantBaseUri", input, 9).await;
    }
    let cursor = many.server.data("{ eventCursor }", json!({})).await["eventCursor"].take();
    many.server = many.server.signed_in(&token);

    // New ones, then unchanged ones.
    for most in [40, 8] {
        many.command("IndexBaseUri", json!({ "uri": BASE }), most)
            .await;
    }
    let sent = info(large, "registered", 1);
    many.command("RegisterDataset", json!({ "info": sent }), 18)
        .await;

    let then = Watch::now(&many.server);
    let mut socket = Socket::signed_in(&many.server, &token).await;
    let payload = json!({
        "query": OPERATIONS,
        "operationName": "DatasetUpdates",
        "variables": { "after": cursor, "filter": { "baseUris": [large] } },
    });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    assert_eq!(kind_and_uri(&socket.hear().await).1, sent["uri"]);
    let plans = many.watch.since(&many.server, then);
    assert!(!plans.is_empty(), "who listens is told without a question");
    many.judge(May::Find, &plans, "DatasetUpdates");

    many.command("DeleteDataset", json!({ "uri": sent["uri"] }), 10)
        .await;
    many
}
