//! Who is in a group.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, Set};

use crate::database::{Database, is_one_of_texts};
use crate::entity::{flow_group_member, user};
use crate::failure::Failure;
use crate::flows::rights::Role;
use crate::text::shorten;

/// The most members.
const MOST: usize = 1_000;

/// Puts members into a group that has none.
///
/// # Errors
/// Those of the database.
pub(super) async fn put(
    transaction: &DatabaseTransaction,
    group: i64,
    members: &BTreeMap<i64, Role>,
) -> Result<(), Failure> {
    let rows = members
        .iter()
        .map(|(user, role)| flow_group_member::ActiveModel {
            group_id: Set(group),
            user_id: Set(*user),
            role: Set(role.as_str().to_owned()),
        });
    flow_group_member::Entity::insert_many(rows)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// The row ids of members by their names.
///
/// # Errors
/// A rejection if there is no such user, or one occurs twice.
pub(super) async fn named(
    database: &Database,
    transaction: &DatabaseTransaction,
    members: &[(String, Role)],
) -> Result<BTreeMap<i64, Role>, Failure> {
    use user::Column::{Id, Username};
    if members.len() > MOST {
        let message = format!("at most {MOST}");
        return Err(Failure::bad_input("members", message));
    }
    // PostgreSQL refuses to look for what it cannot store.
    let names = members.iter().map(|(name, _)| name.replace('\0', " "));
    let names: Vec<String> = names.collect();
    let ids: Vec<(String, i64)> = user::Entity::find()
        .select_only()
        .columns([Username, Id])
        .filter(is_one_of_texts(database, Username.as_column_ref(), &names))
        .into_tuple()
        .all(transaction)
        .await?;
    let ids: HashMap<String, i64> = ids.into_iter().collect();
    let mut found = BTreeMap::new();
    for (name, role) in members {
        let shown = shorten(name, 80);
        let id = ids.get(name).ok_or_else(|| {
            let message = format!("there is no user {shown:?}");
            Failure::bad_input("members", message)
        })?;
        if found.insert(*id, *role).is_some() {
            let message = format!("{shown:?} occurs twice");
            return Err(Failure::bad_input("members", message));
        }
    }
    Ok(found)
}
