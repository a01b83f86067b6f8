//! What nobody should send: it is refused in words that name the place, or taken in as far as it can be, and nothing of what was
//! refused is kept.

mod corrections;
mod dates;
mod files;
mod messages;
mod repeated;
mod rights;

use labql::database::Database;
use serde_json::{Value, json};

use super::site::Site;
use crate::support::Lab;

const AT: &str = "2024-01-05T06:00:00Z";

/// A message about slot 013, with these fields instead.
fn with(fields: Value) -> Value {
    let mut entry = json!({ "ifuslot": "013", "ifuid": "043", "specid": "401", "specslot": "241" });
    for (name, value) in fields.as_object().expect("fields") {
        entry[name] = value.clone();
    }
    json!({ "__data_time": AT, "hardware": [entry] })
}

fn special(fields: Value) -> Value {
    let mut entry =
        json!({ "ifuslot": "600", "id": "902", "name": "HPFACAM", "x_fp": -39.1, "y_fp": 9.8 });
    for (name, value) in fields.as_object().expect("fields") {
        entry[name] = value.clone();
    }
    json!({ "__data_time": AT, "special": [entry] })
}

/// A site that has been told something already.
async fn told_something(lab: Lab) -> (Site, Database) {
    let site = Site::of_any_age(lab).await;
    let config = json!({ "__data_time": "2024-01-01T00:00:00Z", "hardware": [{ "ifuslot": "021", "specid": 315 }] });
    site.update(config).await;
    let database = site.lab.database().await;
    (site, database)
}
