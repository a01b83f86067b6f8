//! What the mirror notes about the files of an owner (an experiment, or the root itself): in which state they were
//! when they were read, and what was wrong with them. Nothing is written that is already there.

use std::collections::{HashMap, HashSet};

use chrono::Utc;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    PaginatorTrait, QueryFilter, Set,
};

use crate::auth::api_key::hash;
use crate::database::MOST_BINDS;
use crate::entity::{source_problem, source_state};
use crate::experiments::readers::{Problem, SourceFingerprint};
use crate::time::Millis;

/// The state in which the files of an owner were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// A hash over the states of all files; empty: to be read again, whatever their states.
    pub fingerprint: String,
    /// Files that belong to the owner beyond those that every one has, relative to the root.
    pub extra_paths: Vec<String>,
}

impl State {
    /// The state of an owner whose files are in these states, those of `extra` last. `version` is what else decides
    /// how they are read.
    pub fn new(prints: &[SourceFingerprint], extra: &[SourceFingerprint], version: &str) -> Self {
        use std::fmt::Write;
        let mut text = format!("{version}\n");
        for print in prints.iter().chain(extra) {
            let _ = writeln!(text, "{print}");
        }
        Self {
            fingerprint: hash(&text),
            extra_paths: extra.iter().map(|print| print.path.clone()).collect(),
        }
    }

    /// The same files, to be read again.
    pub fn doubted(mut self) -> Self {
        self.fingerprint.clear();
        self
    }
}

/// The states of the owners of a source: of all, or of these.
pub async fn states(
    connection: &impl ConnectionTrait,
    source_id: i64,
    owners: Option<&[String]>,
) -> Result<HashMap<String, State>, DbErr> {
    let mut states =
        source_state::Entity::find().filter(source_state::Column::SourceId.eq(source_id));
    if let Some(owners) = owners {
        let owners = owners.iter().map(String::as_str);
        states = states.filter(source_state::Column::Owner.is_in(owners));
    }
    let rows = states.all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let state = State {
                fingerprint: row.fingerprint,
                extra_paths: serde_json::from_str(&row.extra_paths).unwrap_or_default(),
            };
            (row.owner, state)
        })
        .collect())
}

/// What became of a state that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Nothing had been noted of its owner.
    First,
    /// It is another one than before.
    Changed,
    /// It is the same.
    Same,
}

/// Has the files of an owner read again, whatever their states.
pub async fn doubt(
    transaction: &DatabaseTransaction,
    source_id: i64,
    owner: &str,
) -> Result<(), DbErr> {
    source_state::Entity::update_many()
        .col_expr(source_state::Column::Fingerprint, "".into())
        .filter(source_state::Column::SourceId.eq(source_id))
        .filter(source_state::Column::Owner.eq(owner))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Notes the state of an owner.
pub async fn keep_state(
    transaction: &DatabaseTransaction,
    source_id: i64,
    owner: &str,
    state: &State,
) -> Result<Noted, DbErr> {
    use source_state::Column;
    let extra_paths = serde_json::Value::from(state.extra_paths.as_slice()).to_string();
    let known = source_state::Entity::find()
        .filter(Column::SourceId.eq(source_id))
        .filter(Column::Owner.eq(owner))
        .one(transaction)
        .await?;
    let same = |row: &source_state::Model| {
        row.fingerprint == state.fingerprint && row.extra_paths == extra_paths
    };
    if known.as_ref().is_some_and(same) {
        return Ok(Noted::Same);
    }
    source_state::Entity::insert(source_state::ActiveModel {
        source_id: Set(source_id),
        owner: Set(owner.to_owned()),
        fingerprint: Set(state.fingerprint.clone()),
        extra_paths: Set(extra_paths),
        ..Default::default()
    })
    .on_conflict(
        OnConflict::columns([Column::SourceId, Column::Owner])
            .update_columns([Column::Fingerprint, Column::ExtraPaths])
            .to_owned(),
    )
    .exec_without_returning(transaction)
    .await?;
    Ok(match known {
        None => Noted::First,
        Some(_) => Noted::Changed,
    })
}

/// Makes the problems of an owner those that are given; says whether that changed anything.
pub async fn replace_problems(
    transaction: &DatabaseTransaction,
    source_id: i64,
    owner: &str,
    problems: &[Problem],
) -> Result<bool, DbErr> {
    use source_problem::Column;
    let existing = source_problem::Entity::find()
        .filter(Column::SourceId.eq(source_id))
        .filter(Column::Owner.eq(owner))
        .all(transaction)
        .await?;
    let wanted: HashSet<(&str, &str)> = problems
        .iter()
        .map(|problem| (problem.source.as_str(), problem.message.as_str()))
        .collect();
    let known: HashSet<(&str, &str)> = existing
        .iter()
        .map(|row| (row.path.as_str(), row.message.as_str()))
        .collect();
    let gone: Vec<i64> = existing
        .iter()
        .filter(|row| !wanted.contains(&(row.path.as_str(), row.message.as_str())))
        .map(|row| row.id)
        .collect();
    for ids in gone.chunks(MOST_BINDS) {
        source_problem::Entity::delete_many()
            .filter(Column::Id.is_in(ids.iter().copied()))
            .exec(transaction)
            .await?;
    }
    let now = Utc::now().millis();
    let new: Vec<_> = wanted
        .difference(&known)
        .map(|&(path, message)| {
            tracing::warn!(source = path, message, "a source could not be read whole");
            source_problem::ActiveModel {
                source_id: Set(source_id),
                owner: Set(owner.to_owned()),
                path: Set(path.to_owned()),
                message: Set(message.to_owned()),
                first_seen_at: Set(now),
                ..Default::default()
            }
        })
        .collect();
    for rows in new.chunks(MOST_BINDS / 5) {
        source_problem::Entity::insert_many(rows.to_vec())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(!gone.is_empty() || !new.is_empty())
}

/// Forgets states and problems of owners that are gone from a source: should they come back, all is read anew.
pub async fn forget(
    transaction: &DatabaseTransaction,
    source_id: i64,
    owners: &[String],
) -> Result<(), DbErr> {
    for owners in owners.chunks(MOST_BINDS) {
        let owners = || owners.iter().map(String::as_str);
        source_state::Entity::delete_many()
            .filter(
                Condition::all()
                    .add(source_state::Column::SourceId.eq(source_id))
                    .add(source_state::Column::Owner.is_in(owners())),
            )
            .exec(transaction)
            .await?;
        source_problem::Entity::delete_many()
            .filter(
                Condition::all()
                    .add(source_problem::Column::SourceId.eq(source_id))
                    .add(source_problem::Column::Owner.is_in(owners())),
            )
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// How many problems a source has.
pub async fn problem_count(
    connection: &impl ConnectionTrait,
    source_id: i64,
) -> Result<u64, DbErr> {
    source_problem::Entity::find()
        .filter(source_problem::Column::SourceId.eq(source_id))
        .count(connection)
        .await
}
