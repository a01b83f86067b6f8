//! The rows of focal planes, as the database has them.

use std::collections::BTreeMap;

use labql::database::Database;
use labql::entity::{fplane_head, fplane_record, fplane_source, fplane_tag, fplane_track};
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;

/// Takes all away, as if nothing had ever been told. labql itself never does.
pub async fn forget(database: &Database) {
    let connection = database.write();
    fplane_record::Entity::delete_many()
        .exec(connection)
        .await
        .expect("no records");
    fplane_track::Entity::delete_many()
        .exec(connection)
        .await
        .expect("no tracks");
    fplane_source::Entity::delete_many()
        .exec(connection)
        .await
        .expect("no sources");
    fplane_tag::Entity::delete_many()
        .exec(connection)
        .await
        .expect("no tags");
    fplane_head::Entity::update_many()
        .col_expr(fplane_head::Column::KnownAt, Expr::value(0_i64))
        .col_expr(
            fplane_head::Column::Reaches,
            Expr::value(Option::<i64>::None),
        )
        .exec(connection)
        .await
        .expect("a head");
}

/// Do two stretches of time have an instant in common?
fn meet(one: (i64, Option<i64>), other: (i64, Option<i64>)) -> bool {
    one.1.is_none_or(|until| other.0 < until) && other.1.is_none_or(|until| one.0 < until)
}

/// The same but for when it holds and when it was known.
fn holds_the_same(one: &fplane_record::Model, other: &fplane_record::Model) -> bool {
    let bare = |row: &fplane_record::Model| fplane_record::Model {
        id: 0,
        valid_from: 0,
        valid_until: None,
        known_from: 0,
        known_until: None,
        source_id: 0,
        ..row.clone()
    };
    bare(one) == bare(other)
}

/// No row has gone since, and none is another one, but that it may have come to be known otherwise; what is known of a track at a
/// time nowhere overlaps; and what holds without a gap is one row.
pub async fn check(database: &Database, before: &mut BTreeMap<i64, fplane_record::Model>) {
    let rows = fplane_record::Entity::find()
        .all(database.read())
        .await
        .expect("rows");
    let rows: BTreeMap<i64, fplane_record::Model> =
        rows.into_iter().map(|row| (row.id, row)).collect();
    for (id, old) in before.iter() {
        let mut row = rows
            .get(id)
            .unwrap_or_else(|| panic!("gone: {old:?}"))
            .clone();
        if old.known_until.is_none() {
            row.known_until = None;
        }
        assert_eq!(row, *old);
    }
    let mut tracks: BTreeMap<i64, Vec<&fplane_record::Model>> = BTreeMap::new();
    for row in rows.values() {
        assert!(
            row.valid_until.is_none_or(|until| row.valid_from < until),
            "{row:?}"
        );
        assert!(
            row.known_until.is_none_or(|until| row.known_from < until),
            "{row:?}"
        );
        tracks.entry(row.track_id).or_default().push(row);
    }
    for rows in tracks.values() {
        for (place, one) in rows.iter().enumerate() {
            for other in rows.iter().skip(place + 1) {
                let valid = meet(
                    (one.valid_from, one.valid_until),
                    (other.valid_from, other.valid_until),
                );
                let known = meet(
                    (one.known_from, one.known_until),
                    (other.known_from, other.known_until),
                );
                assert!(!(valid && known), "{one:?} {other:?}");
                let touch = one.valid_until == Some(other.valid_from)
                    || other.valid_until == Some(one.valid_from);
                assert!(
                    !(touch && known && holds_the_same(one, other)),
                    "{one:?} {other:?}"
                );
            }
        }
    }
    *before = rows;
}
