//! Pages: forward and backward, in every order, each element once.

use labql::demo::autosubmit::{ExperimentSpec, JobListForm, Progress, date};
use serde_json::{Value, json};

use crate::support::{Lab, Server, root};

on_both_databases!(
    jobs_in_every_order,
    experiments_in_every_order,
    runs_wrappers_and_problems,
    cursors_and_sizes_are_checked,
);

const JOBS: &str = "query($order: JobOrder, $first: Int, $after: String, $last: Int, $before: String) {
    experiment(expid: \"a000\") { jobs(orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { name status section priority date member chunk } }
    } }
}";

const EXPERIMENTS: &str =
    "query($order: [ExperimentOrder!], $first: Int, $after: String, $last: Int, $before: String) {
    experiments(orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { expid description status createdAt modifiedAt } }
    }
}";

/// A list that is read in pages: a query, the path to its connection, its order.
struct List<'a> {
    server: &'a Server,
    query: &'a str,
    path: &'a str,
    order: Value,
}

impl List<'_> {
    async fn page(&self, arguments: Value) -> Value {
        let mut variables = arguments;
        variables["order"] = self.order.clone();
        let data = self.server.data(self.query, variables).await;
        data.pointer(self.path).expect("a connection").clone()
    }

    /// All at once.
    async fn whole(&self) -> Vec<Value> {
        let page = self.page(json!({ "first": 500 })).await;
        assert_eq!(page["pageInfo"]["hasNextPage"], false);
        nodes(&page)
    }

    /// Both walks give what the whole list is, and the page information is right on the way.
    async fn walk(&self, size: usize) -> Vec<Value> {
        let whole = self.whole().await;
        let (mut forward, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = self.page(json!({ "first": size, "after": after })).await;
            let info = &page["pageInfo"];
            assert_eq!(info["hasPreviousPage"], !forward.is_empty());
            forward.extend(nodes(&page));
            assert_eq!(page["totalCount"], whole.len());
            assert_eq!(info["hasNextPage"], forward.len() < whole.len());
            if info["hasNextPage"] == false {
                break;
            }
            after = info["endCursor"].clone();
        }
        assert_eq!(forward, whole, "{}", self.order);

        let (mut backward, mut before) = (Vec::new(), Value::Null);
        loop {
            let page = self.page(json!({ "last": size, "before": before })).await;
            let info = &page["pageInfo"];
            assert_eq!(info["hasNextPage"], !backward.is_empty());
            let mut nodes = nodes(&page);
            nodes.append(&mut backward);
            backward = nodes;
            assert_eq!(info["hasPreviousPage"], backward.len() < whole.len());
            if info["hasPreviousPage"] == false {
                break;
            }
            before = info["startCursor"].clone();
        }
        assert_eq!(backward, whole, "{}", self.order);
        whole
    }
}

fn nodes(page: &Value) -> Vec<Value> {
    let edges = page["edges"].as_array().expect("edges");
    edges.iter().map(|edge| edge["node"].clone()).collect()
}

/// Autosubmit's numbers of the statuses that the demo writes.
fn status_code(job: &Value) -> i64 {
    let status = job["status"].as_str().expect("a status");
    let codes = [
        ("SUSPENDED", -3),
        ("FAILED", -1),
        ("WAITING", 0),
        ("READY", 1),
        ("SUBMITTED", 2),
        ("QUEUING", 3),
        ("RUNNING", 4),
        ("COMPLETED", 5),
    ];
    codes
        .iter()
        .find(|(name, _)| *name == status)
        .expect("a known status")
        .1
}

async fn jobs_in_every_order(lab: Lab) {
    let mut spec = ExperimentSpec::new("a000", JobListForm::Dict);
    spec.start_dates = vec![date(2000, 1, 1), date(1950, 6, 1)];
    spec.chunks = 11;
    spec.logged_jobs = 0;
    spec.progress = Progress {
        failed: 1,
        suspended: 2,
        ..Progress::running(40)
    };
    let written = root::with(&lab.root(), &[spec]);
    lab.import();
    let server = lab.serve_signed_in().await;
    for field in ["NAME", "STATUS", "SECTION", "PRIORITY", "DATE"] {
        let mut both = Vec::new();
        for direction in ["ASC", "DESC"] {
            let list = List {
                server: &server,
                query: JOBS,
                path: "/experiment/jobs",
                order: json!({ "field": field, "direction": direction }),
            };
            both.push(list.walk(17).await);
        }
        let text = |job: &Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
        let number = |job: &Value, name: &str| job[name].as_i64().unwrap_or(-1);
        let mut sorted = both[0].clone();
        sorted.sort_by_key(|job| {
            let key = match field {
                "STATUS" => (status_code(job), String::new(), String::new(), 0),
                "SECTION" => (0, text(job, "section"), String::new(), 0),
                "PRIORITY" => (number(job, "priority"), String::new(), String::new(), 0),
                "DATE" => (
                    0,
                    text(job, "date"),
                    text(job, "member"),
                    number(job, "chunk"),
                ),
                _ => {
                    let name = text(job, "name").to_ascii_lowercase();
                    (0, name, String::new(), 0)
                }
            };
            (key, text(job, "name"))
        });
        assert_eq!(both[0], sorted, "{field}");
        assert_eq!(sorted.len(), written[0].jobs);
        sorted.reverse();
        assert_eq!(both[1], sorted, "{field}, from high to low");
    }
}

async fn experiments_in_every_order(lab: Lab) {
    let specs: Vec<_> = (0..13)
        .map(|number| {
            let mut spec = ExperimentSpec::new(&format!("a{number:03}"), JobListForm::Dict);
            spec.members.truncate(1);
            spec.chunks = 1;
            spec.logged_jobs = 0;
            // Many are equal, and some know no time.
            spec.description = format!("Group {}", number % 3);
            spec.details = number % 4 != 0;
            spec.progress = match number % 2 {
                0 => Progress::running(50),
                _ => Progress::never_run(),
            };
            spec
        })
        .collect();
    root::with(&lab.root(), &specs);
    lab.import();
    let server = lab.serve_signed_in().await;
    let order = |field: &str, direction: &str| json!({ "field": field, "direction": direction });
    let mut orders = vec![
        json!([]),
        json!([order("DESCRIPTION", "DESC"), order("EXPID", "ASC")]),
        json!([
            order("STATUS", "ASC"),
            order("DESCRIPTION", "DESC"),
            order("CREATED_AT", "ASC")
        ]),
        json!([order("STATUS", "DESC"), order("STATUS", "ASC")]),
    ];
    for field in [
        "EXPID",
        "CREATED_AT",
        "MODIFIED_AT",
        "DESCRIPTION",
        "STATUS",
    ] {
        for direction in ["ASC", "DESC"] {
            orders.push(json!([order(field, direction)]));
        }
    }
    for order in orders {
        let list = List {
            server: &server,
            query: EXPERIMENTS,
            path: "/experiments",
            order: order.clone(),
        };
        let found = list.walk(4).await;
        assert_eq!(found.len(), 13);
        let keys = |experiment: &Value| -> Vec<(String, bool)> {
            let mut keys = Vec::new();
            for part in order.as_array().expect("a list") {
                let name = match part["field"].as_str().expect("a field") {
                    "EXPID" => "expid",
                    "CREATED_AT" => "createdAt",
                    "MODIFIED_AT" => "modifiedAt",
                    "DESCRIPTION" => "description",
                    _ => "status",
                };
                let value = experiment[name].as_str().unwrap_or_default().to_owned();
                keys.push((value, part["direction"] == "DESC"));
            }
            keys
        };
        for pair in found.windows(2) {
            let (left, right) = (keys(&pair[0]), keys(&pair[1]));
            let first = left
                .iter()
                .zip(&right)
                .find(|(left, right)| left.0 != right.0);
            if let Some(((left, descending), (right, _))) = first {
                assert_eq!(left > right, *descending, "{order}: {left} before {right}");
            }
        }
    }
}

async fn runs_wrappers_and_problems(lab: Lab) {
    let mut spec = ExperimentSpec::new("a000", JobListForm::Dict);
    spec.progress = Progress::completed(7);
    spec.members.truncate(1);
    spec.chunks = 8;
    spec.logged_jobs = 0;
    spec.wrappers = labql::demo::autosubmit::Wrappers::Real {
        section: "SIM".to_owned(),
    };
    let mut specs = vec![spec];
    for number in 1..8 {
        let mut spec = ExperimentSpec::new(&format!("a00{number}"), JobListForm::Dict);
        spec.members.truncate(1);
        spec.logged_jobs = 0;
        spec.truncated = true;
        specs.push(spec);
    }
    root::with(&lab.root(), &specs);
    lab.import();
    let server = lab.serve_signed_in().await;
    let page = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node";
    let declared = "$first: Int, $after: String, $last: Int, $before: String";
    let passed = "first: $first, after: $after, last: $last, before: $before";

    for (direction, first) in [("ASC", 1), ("DESC", 7)] {
        let query = format!(
            "query($order: ExperimentRunOrder, {declared}) {{ experiment(expid: \"a000\") {{
                runs(orderBy: $order, {passed}) {{ {page} {{ number }} }} }} }} }}"
        );
        let order = json!({ "field": "NUMBER", "direction": direction });
        let list = List {
            server: &server,
            query: &query,
            path: "/experiment/runs",
            order,
        };
        let runs = list.walk(3).await;
        assert_eq!((runs.len(), &runs[0]["number"]), (7, &json!(first)));
    }
    let query = format!(
        "query({declared}) {{ experiment(expid: \"a000\") {{
            wrappers {{ jobs({passed}) {{ {page} {{ name }} }} }} }} }} }}"
    );
    let list = List {
        server: &server,
        query: &query,
        path: "/experiment/wrappers/0/jobs",
        order: Value::Null,
    };
    assert_eq!(list.walk(3).await.len(), 4);
    let query =
        format!("query({declared}) {{ sourceProblems({passed}) {{ {page} {{ source }} }} }} }}");
    let list = List {
        server: &server,
        query: &query,
        path: "/sourceProblems",
        order: Value::Null,
    };
    assert_eq!(list.walk(3).await.len(), 7);
}

async fn cursors_and_sizes_are_checked(lab: Lab) {
    let mut spec = ExperimentSpec::new("a000", JobListForm::Dict);
    spec.logged_jobs = 0;
    root::with(&lab.root(), &[spec]);
    lab.import();
    let server = lab.serve_signed_in().await;
    let by_name = json!({ "field": "NAME", "direction": "ASC" });
    let data = server
        .data(JOBS, json!({ "order": by_name, "first": 2 }))
        .await;
    let cursor = &data["experiment"]["jobs"]["pageInfo"]["endCursor"];
    let by_date = json!({ "field": "DATE", "direction": "ASC" });
    let other_way = json!({ "field": "NAME", "direction": "DESC" });
    let changed = cursor.as_str().expect("a cursor").get(1..).expect("a rest");
    for variables in [
        json!({ "order": by_date, "first": 2, "after": cursor }),
        json!({ "order": other_way, "first": 2, "after": cursor }),
        json!({ "order": by_name, "first": 2, "after": "" }),
        json!({ "order": by_name, "first": 2, "after": "x" }),
        json!({ "order": by_name, "first": 2, "after": changed }),
        json!({ "order": by_name, "first": 2, "after": "WzEsImpvYnNOYW1lZmFsc2UiLDEsMl0" }),
        json!({ "order": by_name, "first": 2, "last": 2 }),
        json!({ "order": by_name, "first": 2, "before": cursor }),
        json!({ "order": by_name, "last": 2, "after": cursor }),
        json!({ "order": by_name, "first": -1 }),
        json!({ "order": by_name, "first": 25_001 }),
        json!({ "order": by_name, "last": 25_001 }),
    ] {
        assert_eq!(
            server.refusal(JOBS, variables.clone()).await,
            "BAD_INPUT",
            "{variables}"
        );
    }
    assert_eq!(
        server.refusal(EXPERIMENTS, json!({ "first": 501 })).await,
        "BAD_INPUT"
    );
    assert_eq!(
        server
            .refusal(EXPERIMENTS, json!({ "after": cursor }))
            .await,
        "BAD_INPUT"
    );
    let empty = server.data(JOBS, json!({ "first": 0 })).await;
    assert_eq!(empty["experiment"]["jobs"]["edges"], json!([]));
}
