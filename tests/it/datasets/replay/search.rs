//! `POST /uris`, and `GET /uris` with a filter: `datasets` with the same filter.

use serde_json::json;

use super::lists::{self, Times};
use super::{Replay, Request};

pub async fn compare(replay: &mut Replay, request: &Request) {
    let filter = request.filter();
    // Without a filter dserver asks its SQL database, which knows microseconds.
    let times = if filter == json!({}) {
        Times::Micros
    } else {
        Times::Millis
    };
    lists::compare_page(replay, request, filter, times).await;
}
