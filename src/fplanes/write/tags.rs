//! Names for instants.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, NotSet, QueryFilter,
    Set,
};

use super::{Author, lock};
use crate::database::Database;
use crate::entity::fplane_tag::{ActiveModel, Column, Entity, Model};
use crate::events;
use crate::failure::{Failure, RejectionCode};
use crate::fplanes::changes::{self, ChangeKind};
use crate::fplanes::read::AsOf;
use crate::text::without_zero;
use crate::time::Micros;

/// The longest name, in characters.
const MOST_NAME: usize = 100;
/// The longest description, in characters.
const MOST_DESCRIPTION: usize = 2_000;

/// A name for an instant.
#[derive(Clone, Copy, Debug)]
pub struct NewTag<'a> {
    /// The name.
    pub name: &'a str,
    /// What it stands for. A frozen tag that does not say by whose knowledge stands for what is known now.
    pub as_of: AsOf,
    /// Does it stay as it is for good? Otherwise it is an alias, and may come to stand for something else.
    pub frozen: bool,
    /// What it is for.
    pub description: Option<&'a str>,
}

/// Has a name stand for an instant. An alias of the same name moves. To do so twice is no error.
///
/// # Errors
/// A conflict if a frozen tag of this name stands for something else; a rejection if the name cannot be one, or if it is to
/// stand for what will be known.
pub async fn tag(
    database: &Database,
    author: &Author<'_>,
    tag: &NewTag<'_>,
    now: DateTime<Utc>,
) -> Result<Model, Failure> {
    check(tag)?;
    let transaction = database.begin().await?;
    let head = lock(&transaction).await?;
    // Between the last that was told and now nothing was.
    let asked = tag.as_of.known_at.map(|at| at.micros());
    if asked.is_some_and(|asked| asked > head.known_at.max(now.micros())) {
        let message = "what will be known nobody knows yet";
        return Err(Failure::bad_input("knownAt", message));
    }
    let known_at = match asked {
        None if tag.frozen => Some(head.known_at),
        asked => asked.map(|asked| asked.min(head.known_at)),
    };
    let at = tag.as_of.at.micros();
    let description = tag.description.map(without_zero);
    if let Some(before) = current(&transaction, tag.name).await? {
        let is_same = before.at == at && before.frozen == tag.frozen;
        // What is frozen now may have been so before more came to be known.
        let as_known = before.known_at == known_at || (tag.frozen && asked.is_none());
        if is_same && as_known && before.description == description {
            return Ok(before);
        }
        if before.frozen {
            let message = format!("the tag {:?} is frozen: it stays as it is", tag.name);
            return Err(Failure::rejected(
                RejectionCode::Conflict,
                Some("name"),
                message,
            ));
        }
        supersede(&transaction, before.id, now).await?;
    }
    let row = ActiveModel {
        id: NotSet,
        name: Set(tag.name.to_owned()),
        at: Set(at),
        known_at: Set(known_at),
        frozen: Set(tag.frozen),
        created_at: Set(now.micros()),
        created_by: Set(author.user()),
        author: Set(without_zero(author.name())),
        superseded_at: Set(None),
        description: Set(description),
    };
    let row = row.insert(&transaction).await?;
    let told = changes::tag(ChangeKind::Tagged, &row, author.name());
    events::append(&transaction, vec![told]).await?;
    transaction.commit().await?;
    Ok(row)
}

/// Deletes an alias: its name stands for nothing any more. Says whether there was one: deleting twice is no error.
///
/// # Errors
/// A conflict if the tag is frozen.
pub async fn delete(
    database: &Database,
    author: &Author<'_>,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    if name.contains('\0') {
        return Ok(false);
    }
    let transaction = database.begin().await?;
    lock(&transaction).await?;
    let Some(tag) = current(&transaction, name).await? else {
        return Ok(false);
    };
    if tag.frozen {
        let message = format!("the tag {name:?} is frozen: it stays as it is");
        return Err(Failure::rejected(
            RejectionCode::Conflict,
            Some("name"),
            message,
        ));
    }
    supersede(&transaction, tag.id, now).await?;
    let told = changes::tag(ChangeKind::Untagged, &tag, author.name());
    events::append(&transaction, vec![told]).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn current(transaction: &DatabaseTransaction, name: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::Name.eq(name))
        .filter(Column::SupersededAt.is_null())
        .one(transaction)
        .await
}

async fn supersede(
    transaction: &DatabaseTransaction,
    id: i64,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::SupersededAt, Expr::value(now.micros()))
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await
        .map(drop)
}

fn check(tag: &NewTag<'_>) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    let length = tag.name.chars().count();
    if !(1..=MOST_NAME).contains(&length) || !tag.name.chars().all(fits) {
        let message = format!("a name is at most {MOST_NAME} letters, digits and . _ - + /");
        return Err(Failure::bad_input("name", message));
    }
    let description = tag.description.unwrap_or_default();
    if description.chars().count() > MOST_DESCRIPTION {
        let message = format!("longer than {MOST_DESCRIPTION} characters");
        return Err(Failure::bad_input("description", message));
    }
    Ok(())
}
