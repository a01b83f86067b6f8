//! What the operations on focal planes cost after 20 years of updates: statements, their plans, and the way to a page far
//! behind the first.

use std::cell::RefCell;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};

use super::costs::PLANE;
use super::observatory::generate::{self, Plan as Generated, UNIT_SLOTS};
use super::observatory::{file_with, message, minutes_ago, unit};
use crate::statements::cost;
use crate::support::plans::{Plan, Watch, steps};
use crate::support::{Lab, Server, Socket};

on_both_databases!(operations_after_many_updates);

/// How many updates there are: some thousands at least; `LABQL_TEST_FPLANES` makes them as many as there may be one day, such
/// as 50,000.
fn many() -> u32 {
    let set = std::env::var("LABQL_TEST_FPLANES");
    set.map_or(4_000, |number| number.parse().expect("a number"))
}

/// Tables of which there are a few hundred rows, under all their names, and what a statement makes for itself.
const FEW: [&str; 6] = [
    "fplane_head",
    "fplane_tag",
    "fplane_track",
    "track",
    "asked",
    "ranges",
];
/// The index of corrections alone: there are few.
const CORRECTIONS: &str = "fplane_source_correction";

/// What an operation may do with large tables.
#[derive(Clone, Copy, PartialEq)]
enum May {
    /// Find what it looks for.
    Find,
    /// Begin at the end of an index, or of the table in the order of row ids: a first page. How many there are in all is
    /// counted as it goes best.
    Begin,
}

struct Many {
    lab: Lab,
    server: Server,
    watch: Watch,
    plan: Generated,
    /// Filling takes time: all that is wrong is told at once.
    faults: RefCell<Vec<String>>,
}

const FPLANE: &str = "query($at: String, $positions: FplanePositions, $knownAt: DateTime) {
    fplane(at: $at, positions: $positions, knownAt: $knownAt) {
        id at validFrom validUntil slots { ifuslot specid x y } text svg
        slot(ifuslot: \"013\") { specid x isMeasured }
    }
}";

const HISTORY: &str = "query($ifuslot: String, $ifuid: String, $specid: String, $cntlid: String, $layers: [FplaneLayer!],
    $from: DateTime, $until: DateTime, $knownAt: DateTime, $superseded: Boolean, $source: ID,
    $first: Int, $after: String, $last: Int) {
    fplaneHistory(ifuslot: $ifuslot, ifuid: $ifuid, specid: $specid, cntlid: $cntlid, layers: $layers, from: $from,
        until: $until, knownAt: $knownAt, withSuperseded: $superseded, source: $source,
        first: $first, after: $after, last: $last) {
        totalCount pageInfo { startCursor endCursor hasNextPage }
        nodes { validFrom ifuslot specid recordedAt source { kind author } recordedBy { username } }
    }
}";

const SOURCES: &str = "query($kinds: [FplaneSourceKind!], $from: DateTime, $until: DateTime, $first: Int, $after: String,
    $last: Int) {
    fplaneSources(kinds: $kinds, from: $from, until: $until, first: $first, after: $after, last: $last) {
        totalCount pageInfo { startCursor }
        nodes { id kind validFrom author recordedBy { username } }
    }
}";

impl Many {
    async fn open(mut lab: Lab) -> Self {
        lab.set("LABQL_FPLANES__REFUSE_OLDER_THAN", "2d");
        lab.user("ada", &[]);
        let token = lab.token("ada");
        let watch = Watch::set(&mut lab);
        let until = (Utc::now() - TimeDelta::days(1)).trunc_subsecs(0);
        let plan = Generated {
            // The first of all users.
            recorded_by: Some(1),
            ..Generated::of_twenty_years(many(), until)
        };
        let database = lab.database().await;
        generate::fill(&database, plan).await.expect("planes");
        lab.count_tables(&database).await;
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

    fn check(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.faults.borrow_mut().push(otherwise());
        }
    }

    /// The plans of an operation, which are as they may be, and its data.
    async fn asked(&self, may: May, query: &str, variables: &Value) -> (Vec<Plan>, Value) {
        let body = json!({ "query": query, "variables": variables });
        let (plans, data) = self.watch.plans(&self.server, &body).await;
        assert!(!plans.is_empty(), "no statement was told: {query}");
        self.judge(may, &plans, &format!("{query} {variables}"));
        (plans, data)
    }

    /// Statements do what they may.
    fn judge(&self, may: May, plans: &[Plan], of: &str) {
        let large = |tables: &[String]| tables.iter().any(|table| !FEW.contains(&table.as_str()));
        for plan in plans {
            let what = || format!("{of}\n{}\n{}", plan.sql, plan.told);
            let counts = may == May::Begin && plan.sql.contains("COUNT(");
            // SQLite does not tell the order of row ids from no order.
            let begins = may == May::Begin
                && !self.lab.is_postgres()
                && plan.sql.contains("LIMIT")
                && !plan.told.contains("TEMP B-TREE");
            self.check(counts || begins || !large(&plan.scanned), || {
                format!("a table is read whole: {}", what())
            });
            let walks = large(&plan.walked) && !plan.told.contains(CORRECTIONS);
            self.check(may == May::Begin || !walks, || {
                format!("an index is read from its start: {}", what())
            });
        }
    }

    /// Asked, and for how many statements.
    async fn costs(&self, may: May, query: &str, variables: Value, statements: i64) -> Value {
        let (_, data) = self.asked(may, query, &variables).await;
        let body = json!({ "query": query, "variables": variables });
        let (count, _) = cost(&self.server, &body).await;
        self.check(count == statements, || {
            format!("{count} statements, not {statements}: {query} {variables}")
        });
        data
    }

    /// A command, which finds what it changes, in so many statements at most; its event is one of them, or two.
    async fn command(&self, command: &str, input_type: &str, input: Value, most: i64) -> Value {
        let query = format!(
            "mutation($input: {input_type}!) {{ {command}(input: $input) {{ errors {{ message }} }} }}"
        );
        let variables = json!({ "input": input });
        let before = self.server.statements().await;
        let (_, mut data) = self.asked(May::Find, &query, &variables).await;
        let count = self.server.statements().await - before;
        self.check(count <= most, || {
            format!("{count} statements, at most {most}: {command}")
        });
        let answer = data[command].take();
        assert_eq!(answer["errors"], json!([]), "{command}");
        answer
    }

    /// Instants from the first to the last: early ones and late ones cost the same.
    fn instants(&self) -> [DateTime<Utc>; 4] {
        let (first, last) = (self.plan.from, self.plan.until);
        let span = last - first;
        let second = TimeDelta::seconds(1);
        [
            first + second,
            first + span / 4,
            first + span / 2,
            last + second,
        ]
    }
}

async fn operations_after_many_updates(lab: Lab) {
    let many = Many::open(lab).await;
    written_as_labql_writes(&many).await;
    planes_at(&many).await;
    planes_as_known(&many).await;
    steps_of_sqlite(&many).await;
    nights(&many).await;
    history(&many).await;
    sources(&many).await;
    commands(&many).await;
    let faults = many.faults.take();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The generator's planes are those that labql would have: so the last message was told before.
async fn written_as_labql_writes(many: &Many) {
    let last = many.plan.updates - 1;
    let query = "mutation($input: UpdateFplaneInput!) { updateFplane(input: $input) {
        isRepeated errors { message }
    } }";
    let input = json!({ "input": { "config": many.plan.message(last) } });
    let data = many.server.data(query, input).await;
    let expected = json!({ "isRepeated": true, "errors": [] });
    assert_eq!(data["updateFplane"], expected);
    // What the messages named last, and what it was by then.
    for number in [last / 3, last / 2, last] {
        let at = many.plan.at(number).to_rfc3339();
        let data = many.server.data(FPLANE, json!({ "at": at })).await;
        let slots = data["fplane"]["slots"].as_array().expect("slots");
        for place in [number, number + 19, number + 38, number + 57] {
            let place = place % 78;
            let ifuslot = &UNIT_SLOTS[place as usize];
            let slot = slots.iter().find(|slot| slot["ifuslot"] == *ifuslot);
            let found = slot.map(|slot| slot["specid"].clone());
            let expected = generate::specid(place, number);
            assert_eq!(found, Some(json!(expected)), "{ifuslot} at {at}");
        }
        assert_eq!(data["fplane"]["validFrom"], json!(at));
    }
}

/// A plane finds what each track holds, wherever in time it is.
async fn planes_at(many: &Many) {
    for positions in ["NOMINAL", "MEASURED"] {
        let mut blocks = Vec::new();
        for at in many.instants() {
            let variables = json!({ "at": at.to_rfc3339(), "positions": positions });
            let data = many
                .costs(May::Find, FPLANE, variables.clone(), PLANE)
                .await;
            let slots = data["fplane"]["slots"].as_array().expect("slots").len();
            assert_eq!(slots, generate::slots().len());
            let (plans, _) = many.asked(May::Find, FPLANE, &variables).await;
            blocks.push(plans.iter().map(|plan| plan.blocks).sum::<i64>());
        }
        let (least, most) = (blocks.iter().min(), blocks.iter().max());
        let (least, most) = (*least.expect("some"), *most.expect("some"));
        // A few blocks for each of some 250 tracks.
        many.check(most <= 2 * least + 100 && most <= 3_000, || {
            format!("blocks of planes with positions {positions}: {blocks:?}")
        });
    }
    let before = many.plan.from - TimeDelta::seconds(1);
    let variables = json!({ "at": before.to_rfc3339() });
    let data = many.costs(May::Find, FPLANE, variables, PLANE).await;
    assert_eq!(data["fplane"]["slots"], json!([]));
}

/// The same by what was known in the past: what was told since then is not looked through.
async fn planes_as_known(many: &Many) {
    let instants = many.instants();
    let mut blocks = Vec::new();
    for known_at in instants {
        let known_at = known_at + TimeDelta::minutes(1);
        for at in instants.into_iter().chain([Utc::now()]) {
            let variables = json!({
                "at": at.to_rfc3339(), "positions": "MEASURED", "knownAt": known_at.to_rfc3339(),
            });
            let data = many
                .costs(May::Find, FPLANE, variables.clone(), PLANE)
                .await;
            let slots = data["fplane"]["slots"].as_array().expect("slots").len();
            assert_eq!(slots, generate::slots().len(), "{variables}");
            if at > known_at {
                // It was thought to stay as it was.
                assert_eq!(data["fplane"]["validUntil"], Value::Null, "{variables}");
            }
            let (plans, _) = many.asked(May::Find, FPLANE, &variables).await;
            blocks.push(plans.iter().map(|plan| plan.blocks).sum::<i64>());
        }
    }
    let most = blocks.iter().max().copied().unwrap_or_default();
    many.check(most <= 4_000, || {
        format!("blocks of planes as known: {blocks:?}")
    });
}

/// What a plane costs SQLite, in steps of its machine, does not hang on where in time it is, nor on what was known.
async fn steps_of_sqlite(many: &Many) {
    if many.lab.is_postgres() {
        return;
    }
    let instants = many.instants();
    let mut counts = Vec::new();
    for known_at in [None, Some(instants[0]), Some(instants[2]), Some(Utc::now())] {
        let known_at = known_at.map(|at| at + TimeDelta::minutes(1));
        for at in instants {
            let shown = known_at.map(|at| at.to_rfc3339());
            let variables = json!({ "at": at.to_rfc3339(), "knownAt": shown });
            let (plans, _) = many.asked(May::Find, FPLANE, &variables).await;
            let mut count = 0;
            for plan in &plans {
                let known_at = known_at.unwrap_or_default().timestamp_micros();
                let sql = plan
                    .sql
                    .replace("$1", &format!("'[{}]'", at.timestamp_micros()));
                count += steps(&many.lab, &sql.replace("$2", &known_at.to_string()));
            }
            counts.push(count);
        }
    }
    let (least, most) = (counts.iter().min(), counts.iter().max());
    let (least, most) = (*least.expect("some"), *most.expect("some"));
    many.check(most <= 3 * least, || format!("steps of planes: {counts:?}"));
}

/// The nights of a year, each plane once.
async fn nights(many: &Many) {
    let query = "query($nights: FplaneNights!, $knownAt: DateTime) { fplanes(nights: $nights, knownAt: $knownAt) {
        at fplane { validFrom slot(ifuslot: \"013\") { specid } }
    } }";
    let middle = many.plan.from + (many.plan.until - many.plan.from) / 2;
    let night = |days: i64| {
        (middle + TimeDelta::days(days))
            .format("%Y%m%d")
            .to_string()
    };
    let known_at = (middle + TimeDelta::days(400)).to_rfc3339();
    for known_at in [Value::Null, json!(known_at)] {
        for days in [0, 30, 364] {
            let nights = json!({ "first": night(0), "last": night(days) });
            let variables = json!({ "nights": nights, "knownAt": known_at });
            let data = many.costs(May::Find, query, variables, PLANE).await;
            let states = data["fplanes"].as_array().expect("states");
            let asked = states
                .iter()
                .map(|state| state["at"].as_array().map_or(0, Vec::len));
            let days = usize::try_from(days).expect("a few");
            assert_eq!(asked.sum::<usize>(), days + 1);
        }
    }
}

/// What was where, page by page.
async fn history(many: &Many) {
    let middle = many.plan.updates / 2;
    let specid = generate::specid(0, middle);
    let (known_at, from, until) = (many.instants()[2], many.instants()[1], many.instants()[2]);
    for filter in [
        json!({ "ifuslot": "013" }),
        json!({ "ifuslot": "13", "layers": ["MAPPING"] }),
        json!({ "ifuslot": "013", "layers": ["MAPPING", "MEASURED"], "superseded": true }),
        json!({ "ifuslot": "013", "knownAt": known_at.to_rfc3339() }),
        json!({ "ifuslot": "013", "from": from.to_rfc3339(), "until": until.to_rfc3339() }),
        json!({ "ifuid": "001" }),
        json!({ "ifuid": "1", "superseded": true }),
    ] {
        let with = |more: &[(&str, Value)]| {
            let mut variables = filter.clone();
            for (name, value) in more {
                variables[*name] = value.clone();
            }
            variables
        };
        // The page, the total, the sources of the page, who brought them: for one as for many.
        for first in [1, 8, 500] {
            let variables = with(&[("first", json!(first))]);
            many.costs(May::Find, HISTORY, variables, 4).await;
        }
        let last = many.server.data(HISTORY, with(&[("last", json!(9))])).await;
        let far = &last["fplaneHistory"]["pageInfo"]["startCursor"];
        let mut blocks = Vec::new();
        for after in [&Value::Null, far] {
            let variables = with(&[("first", json!(8)), ("after", after.clone())]);
            let data = many.costs(May::Find, HISTORY, variables.clone(), 4).await;
            let nodes = data["fplaneHistory"]["nodes"].as_array().expect("nodes");
            assert_eq!(nodes.len(), 8, "{variables}");
            let (plans, _) = many.asked(May::Find, HISTORY, &variables).await;
            let is_page = |plan: &&Plan| {
                plan.sql.contains("FROM \"fplane_record\"") && plan.sql.contains("LIMIT")
            };
            let page = plans.iter().find(is_page).expect("a page");
            blocks.push(page.blocks);
            if !after.is_null() && !many.lab.is_postgres() {
                // It begins where it begins.
                let seeks =
                    page.told.contains("valid_from,id)>") || page.told.contains("valid_from>");
                many.check(seeks, || {
                    format!("no way to a far page: {variables}\n{}", page.told)
                });
            }
        }
        // PostgreSQL may sort what a slot has been through; SQLite tells no blocks.
        let rows = last["fplaneHistory"]["totalCount"]
            .as_i64()
            .expect("a number");
        many.check(blocks[1] <= blocks[0] + 60 + rows / 4, || {
            format!("blocks of {filter}: {blocks:?}")
        });
    }
    // Few have these.
    for filter in [
        json!({ "specid": specid }),
        json!({ "cntlid": format!("1{specid}") }),
        json!({ "specid": specid, "superseded": true }),
        json!({ "specid": "999999" }),
    ] {
        let (_, data) = many.asked(May::Find, HISTORY, &filter).await;
        let total = data["fplaneHistory"]["totalCount"]
            .as_i64()
            .expect("a number");
        let most = i64::from(many.plan.updates) / 100 + 20;
        many.check(total <= most, || format!("{total} of {filter}"));
    }
    let (_, data) = many
        .asked(May::Begin, SOURCES, &json!({ "first": 1 }))
        .await;
    let source = &data["fplaneSources"]["nodes"][0]["id"];
    let of_source = json!({ "source": source, "superseded": true });
    let (_, data) = many.asked(May::Find, HISTORY, &of_source).await;
    assert_ne!(data["fplaneHistory"]["totalCount"], 0);
    // All of it begins at the beginning.
    for filter in [
        json!({ "first": 50 }),
        json!({ "first": 50, "superseded": true }),
        json!({ "first": 50, "layers": ["MEASURED"] }),
    ] {
        many.costs(May::Begin, HISTORY, filter, 4).await;
    }
    let ids = "{ fplaneIds(kind: SPECID) }";
    let data = many.costs(May::Find, ids, json!({}), 1).await;
    assert!(data["fplaneIds"].as_array().expect("ids").len() > 700);
}

/// Who said what.
async fn sources(many: &Many) {
    let [_, from, ..] = many.instants();
    let until = from + TimeDelta::days(30);
    for filter in [
        json!({}),
        json!({ "kinds": ["STATUS"] }),
        json!({ "kinds": ["STATUS", "FILE"] }),
    ] {
        let mut last = filter.clone();
        last["last"] = json!(60);
        let last = many.server.data(SOURCES, last).await;
        let far = &last["fplaneSources"]["pageInfo"]["startCursor"];
        for after in [&Value::Null, far] {
            let mut variables = filter.clone();
            (variables["first"], variables["after"]) = (json!(50), after.clone());
            // The page, the total, who brought them.
            let data = many.costs(May::Begin, SOURCES, variables.clone(), 3).await;
            let nodes = data["fplaneSources"]["nodes"].as_array().expect("nodes");
            assert_eq!(nodes.len(), 50, "{variables}");
            let (plans, _) = many.asked(May::Begin, SOURCES, &variables).await;
            let sorts = |plan: &&Plan| {
                plan.told.contains("Sort") || plan.told.contains("TEMP B-TREE FOR ORDER")
            };
            let sorted = plans.iter().find(sorts);
            many.check(sorted.is_none(), || {
                format!("sorted: {variables}\n{sorted:?}")
            });
        }
    }
    for filter in [json!({ "from": from.to_rfc3339(), "until": until.to_rfc3339() })] {
        many.asked(May::Find, SOURCES, &filter).await;
    }
    let one = "query($id: ID!) { fplaneSource(id: $id) { kind content recordedBy { username } } }";
    let (_, data) = many
        .asked(May::Begin, SOURCES, &json!({ "first": 1 }))
        .await;
    let id = &data["fplaneSources"]["nodes"][0]["id"];
    many.costs(May::Find, one, json!({ "id": id }), 2).await;
}

/// Commands find what they change, and so does who listens, however much there is beside it.
async fn commands(many: &Many) {
    let cursor = many.server.data("{ eventCursor }", json!({})).await["eventCursor"].take();
    let update = async |at, hardware: &[Value], most| {
        let input = json!({ "config": message(at, hardware) });
        many.command("updateFplane", "UpdateFplaneInput", input, most)
            .await;
    };
    update(minutes_ago(60), &[unit("013", "900001")], 24).await;
    let all = UNIT_SLOTS.iter().zip(900_100..);
    let all: Vec<Value> = all
        .map(|(slot, specid)| unit(slot, &format!("{specid}")))
        .collect();
    update(minutes_ago(50), &all, 24).await;
    // One that comes late looks when something was said since.
    update(minutes_ago(55), &[unit("014", "900002")], 27).await;

    let then = many.plan.at(many.plan.updates / 2);
    let correction = json!({
        "ifuslot": "013", "from": then.to_rfc3339(), "until": (then + TimeDelta::days(3)).to_rfc3339(),
        "mapping": { "ifuid": "001", "specid": "900003" }, "reason": "the log says so",
    });
    many.command("correctFplane", "CorrectFplaneInput", correction, 24)
        .await;
    let positions =
        json!({ "text": "013 -449.5 150.25\n", "validFrom": minutes_ago(40).to_rfc3339() });
    let command = ("importFplanePositions", "ImportFplanePositionsInput");
    many.command(command.0, command.1, positions, 24).await;
    let tag = json!({ "name": "release", "at": then.to_rfc3339(), "frozen": true });
    many.command("tagFplane", "TagFplaneInput", tag, 12).await;
    // A whole plane looks at what all tracks hold then.
    let text = file_with(&[("013", "900004")]);
    let whole = json!({ "text": text, "validFrom": minutes_ago(30).to_rfc3339() });
    many.command("importFplane", "ImportFplaneInput", whole, 26)
        .await;

    let begin = Watch::now(&many.server);
    let mut socket = Socket::signed_in(&many.server, many.server.token()).await;
    let query = "subscription($after: String) { fplaneUpdates(after: $after, filter: { ifuslots: [\"013\"] }) {
        fplane { slots { ifuslot } } changes { ifuslot } source { kind recordedBy { username } }
    } }";
    let payload = json!({ "query": query, "variables": { "after": cursor } });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
    socket.say(subscribe).await;
    let heard = socket.hear().await;
    let update = &heard["payload"]["data"]["fplaneUpdates"];
    assert_eq!(update["changes"][0]["ifuslot"], "013", "{heard}");
    let plans = many.watch.since(&many.server, begin);
    assert!(!plans.is_empty(), "who listens is told without a question");
    many.judge(May::Find, &plans, "fplaneUpdates");
}
