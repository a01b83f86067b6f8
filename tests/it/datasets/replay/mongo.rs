//! `POST /mongo/query`: `datasets` with the filter `mongo`.

use serde_json::{Value, json};

use super::lists::{self, Times};
use super::{Replay, Request, texts};

/// MongoDB could not take it: a key in its README is no text.
pub const NOT_IN_MONGO: &str = "file://storage.example.org/srv/dtool/polymers/odd-readme-keys";

/// MongoDB answers in the order in which it keeps documents, so that sets are compared; of a page only its length.
pub async fn compare(replay: &mut Replay, request: &Request) {
    // dserver calls an operator that it does not know an error of its own.
    let refusal = match request.answer.status {
        401 => "UNAUTHENTICATED",
        422 | 500 => "BAD_INPUT",
        _ => "",
    };
    let filter = request.filter();
    if !refusal.is_empty() {
        let query = "query($filter: DatasetFilter) { datasets(filter: $filter) { totalCount } }";
        let variables = json!({ "filter": filter });
        replay.refused(request, query, variables, refusal).await;
        return;
    }
    let page = lists::page(replay, request, &filter).await;
    let mut theirs = request.answer.rows();
    if request.parameter("page").is_some() {
        let (theirs, ours) = (theirs.len(), lists::nodes(&page).len());
        replay.equal(request, "rows on the page", &json!(theirs), &json!(ours));
        return;
    }
    let mut ours = lists::nodes(&page).to_vec();
    let found = ours.len();
    ours.retain(|row| row["uri"] != NOT_IN_MONGO);
    let more = i64::from(found > ours.len());
    let by_uri = |row: &Value| row["uri"].to_string();
    theirs.sort_by_key(by_uri);
    ours.sort_by_key(by_uri);
    lists::rows(replay, request, &theirs, &ours, Times::Millis);
    let total = json!(request.answer.total() + more);
    replay.equal(request, "total", &total, &page["totalCount"]);
    if more == 1 {
        assert!(texts(&page["nodes"], "uri").contains(&NOT_IN_MONGO.to_owned()));
    }
}
