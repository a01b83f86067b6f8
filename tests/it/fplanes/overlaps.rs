//! The database itself refuses that a track holds two things at an instant, as it is known at a time: whoever writes rows by hand,
//! too.

use labql::database::Database;
use labql::entity::fplane_record;
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::json;

use super::site::{Site, kept};
use crate::support::Lab;

on_both_databases!(
    rows_that_overlap_are_refused,
    rows_beside_each_other_are_taken,
    other_rows_that_cannot_be,
);

/// A record that holds in days `[10, 20)`, as it is known since then, and one of the same instants that was known until then.
async fn two_records(lab: Lab) -> (Site, Database, fplane_record::Model, fplane_record::Model) {
    let site = Site::of_any_age(lab).await;
    for (day, specid) in [("10", "401"), ("20", "402")] {
        let config = json!({ "__data_time": format!("2024-01-{day}T00:00:00Z"), "hardware": [{ "ifuslot": "013", "specid": specid }] });
        site.update(config).await;
    }
    let database = site.lab.database().await;
    let rows = fplane_record::Entity::find()
        .all(database.read())
        .await
        .expect("rows");
    let known = rows
        .iter()
        .find(|row| row.known_until.is_none() && row.valid_until.is_some());
    let known = known.expect("a record").clone();
    // It was for good before the second message came.
    let superseded = rows
        .iter()
        .find(|row| row.known_until.is_some())
        .expect("a record")
        .clone();
    assert_eq!(
        (superseded.valid_from, superseded.valid_until),
        (known.valid_from, None)
    );
    assert_eq!(superseded.known_until, Some(known.known_from));
    (site, database, known, superseded)
}

/// A copy of a record for these times.
fn insert(of: &fplane_record::Model, valid: [Option<i64>; 2], known: [Option<i64>; 2]) -> String {
    let number = |it: Option<i64>| it.map_or_else(|| "NULL".to_owned(), |it| it.to_string());
    let times = [valid[0], valid[1], known[0], known[1]]
        .map(number)
        .join(", ");
    format!(
        "INSERT INTO fplane_record (track_id, layer, ifuslot, source_id, active, specid, valid_from, valid_until, known_from, known_until)
         SELECT track_id, layer, ifuslot, source_id, active, '777', {times} FROM fplane_record WHERE id = {}",
        of.id
    )
}

async fn refused(database: &Database, sql: &str, says: &str) {
    let before = kept(database).await;
    let refused = database
        .write()
        .execute_unprepared(sql)
        .await
        .expect_err(sql)
        .to_string();
    assert!(refused.contains(says), "{sql}: {refused}");
    assert_eq!(kept(database).await, before);
}

const OVERLAP: &str = "fplane_record_overlap";

async fn rows_that_overlap_are_refused(lab: Lab) {
    let (_site, database, known, superseded) = two_records(lab).await;
    let (from, until) = (known.valid_from, known.valid_until.expect("an end"));
    let (since, later) = (known.known_from, known.known_from + 5);
    let earlier = superseded.known_from;
    for (valid, known_for) in [
        // The same again, a part, one that reaches over, into and out of it, and one without an end before it.
        ([from, until], [Some(since), None]),
        ([from, until], [Some(later), None]),
        ([from + 1, from + 2], [Some(later), None]),
        ([from - 5, until + 5], [Some(later), None]),
        ([from - 5, from + 1], [Some(later), None]),
        ([until - 1, until + 5], [Some(later), None]),
        // For a time that has passed.
        ([from, until], [Some(later), Some(later + 1)]),
        ([from, from + 1], [Some(since), Some(since + 1)]),
        // With what was known before.
        ([from, from + 1], [Some(earlier), Some(earlier + 1)]),
        ([from, from + 1], [Some(earlier), Some(since)]),
        ([from, from + 1], [Some(since - 1), None]),
        (
            [until + 5, until + 6],
            [Some(earlier - 5), Some(earlier + 1)],
        ),
    ] {
        let sql = insert(&known, valid.map(Some), known_for);
        refused(&database, &sql, OVERLAP).await;
    }
    refused(
        &database,
        &insert(&known, [Some(from - 9), None], [Some(later), None]),
        OVERLAP,
    )
    .await;
    refused(
        &database,
        &insert(&known, [Some(until + 9), None], [Some(later), None]),
        OVERLAP,
    )
    .await;
    // A record that grows into another one.
    for change in [
        "valid_until = NULL".to_owned(),
        format!("valid_until = {}", until + 1),
        format!("known_from = {earlier}"),
    ] {
        let sql = format!("UPDATE fplane_record SET {change} WHERE id = {}", known.id);
        refused(&database, &sql, OVERLAP).await;
    }
    for change in [
        "known_until = NULL".to_owned(),
        format!("known_until = {later}"),
    ] {
        let sql = format!(
            "UPDATE fplane_record SET {change} WHERE id = {}",
            superseded.id
        );
        refused(&database, &sql, OVERLAP).await;
    }
    // Many rows at once are refused if one of them is.
    let fine = insert(
        &known,
        [Some(from - 9), Some(from - 8)],
        [Some(later), None],
    );
    let sql = format!(
        "{fine} UNION ALL SELECT track_id, layer, ifuslot, source_id, active, '778', {}, {}, {later}, CAST(NULL AS BIGINT) FROM fplane_record WHERE id = {}",
        from - 9,
        from,
        known.id
    );
    refused(&database, &sql, OVERLAP).await;
}

async fn rows_beside_each_other_are_taken(lab: Lab) {
    let (_site, database, known, superseded) = two_records(lab).await;
    let (from, until) = (known.valid_from, known.valid_until.expect("an end"));
    let (earlier, since) = (superseded.known_from, known.known_from);
    for (valid, known_for) in [
        // Before it, and before anything was known.
        ([from - 5, from], [Some(since), None]),
        ([from - 9, from - 5], [Some(since), Some(since + 1)]),
        ([from - 9, from - 5], [Some(since + 1), None]),
        ([from, until], [Some(earlier - 9), Some(earlier)]),
    ] {
        let sql = insert(&known, valid.map(Some), known_for);
        let done = database.write().execute_unprepared(&sql).await;
        assert_eq!(done.expect("a row").rows_affected(), 1, "{sql}");
    }
    // A record becomes a part of what it was.
    let sql = format!(
        "UPDATE fplane_record SET valid_until = {} WHERE id = {}",
        until - 1,
        known.id
    );
    database
        .write()
        .execute_unprepared(&sql)
        .await
        .expect("a row");
    let sql = format!(
        "UPDATE fplane_record SET known_until = {} WHERE id = {}",
        since + 9,
        known.id
    );
    database
        .write()
        .execute_unprepared(&sql)
        .await
        .expect("a row");
}

async fn other_rows_that_cannot_be(lab: Lab) {
    let (_site, database, known, _) = two_records(lab).await;
    let (from, later) = (known.valid_from, known.known_from + 5);
    for (valid, known_for) in [
        ([from - 5, from - 5], [Some(later), None]),
        ([from - 5, from - 6], [Some(later), None]),
        ([from - 5, from - 4], [Some(later), Some(later)]),
        ([from - 5, from - 4], [Some(later), Some(later - 1)]),
    ] {
        let sql = insert(&known, valid.map(Some), known_for);
        let before = kept(&database).await;
        assert!(
            database.write().execute_unprepared(&sql).await.is_err(),
            "{sql}"
        );
        assert_eq!(kept(&database).await, before);
    }
    for sql in [
        "INSERT INTO fplane_head (id, known_at) VALUES (2, 0)".to_owned(),
        "DELETE FROM fplane_source".to_owned(),
        "DELETE FROM fplane_track".to_owned(),
        "INSERT INTO fplane_track (layer, ifuslot) SELECT layer, ifuslot FROM fplane_track".to_owned(),
        "INSERT INTO fplane_tag (name, at, frozen, created_at, author) VALUES ('a', 0, TRUE, 0, 'a')".to_owned(),
    ] {
        let before = kept(&database).await;
        assert!(database.write().execute_unprepared(&sql).await.is_err(), "{sql}");
        assert_eq!(kept(&database).await, before);
    }
}
