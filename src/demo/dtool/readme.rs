//! READMEs as dtool's template asks for them.

use std::fmt::Write;

use chrono::{DateTime, Duration, Utc};

use super::BASE_URI;
use super::dataset::{Dataset, uuid};

/// How long datasets are kept, in days.
const KEPT_FOR: i64 = 3_650;

/// The README of a dataset, in YAML.
pub(super) fn of(dataset: &Dataset, created_at: DateTime<Utc>) -> String {
    let Dataset {
        project,
        description,
        creator,
        more,
        ..
    } = dataset;
    let (created, expires) = (
        created_at.format("%Y-%m-%d"),
        (created_at + Duration::days(KEPT_FOR)).format("%Y-%m-%d"),
    );
    let mut text = format!(
        "---\nproject: {project}\ndescription: {description}\nowners:\n  - name: {}\n    username: {creator}\n    \
         email: {creator}@lab.example\ncreation_date: {created}\nexpiration_date: {expires}\n{more}",
        full_name(creator),
    );
    // One parent is told by annotations, as by dtool itself when it derives a dataset.
    if dataset.parents.len() > 1 {
        text.push_str("derived_from:\n");
        for parent in dataset.parents {
            let uuid = uuid(parent);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  - name: {parent}\n    uri: {BASE_URI}/{parent}\n    uuid: {uuid}"
            );
        }
    }
    text
}

/// The people of the laboratory.
fn full_name(username: &str) -> &'static str {
    match username {
        "ileroy" => "Isabelle Leroy",
        "kjansen" => "Karel Jansen",
        "mrossi" => "Marta Rossi",
        "nokafor" => "Ngozi Okafor",
        _ => "Somebody",
    }
}
