//! Commands that are safe to repeat: the same key by the same actor makes nothing new.

use chrono::Utc;
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set};

use super::{accounts, api_key};
use crate::database;
use crate::entity::idempotency_key;
use crate::failure::{Failure, RejectionCode};
use crate::time::Millis;

/// What a command with an idempotency key remembers: the same key by the same actor makes nothing new.
pub(crate) struct Replay<'a> {
    actor: &'a str,
    mutation: &'static str,
    key: Option<&'a str>,
    request_hash: String,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(
        actor: &'a str,
        mutation: &'static str,
        key: Option<&'a str>,
        request: &str,
    ) -> Result<Self, Failure> {
        accounts::check_text("idempotencyKey", key)?;
        Ok(Self {
            actor,
            mutation,
            key,
            request_hash: api_key::hash(request),
        })
    }

    /// What the command made the first time, if there was one.
    pub(crate) async fn seen(
        &self,
        transaction: &DatabaseTransaction,
    ) -> Result<Option<i64>, Failure> {
        let Some(key) = self.key else { return Ok(None) };
        // Of two commands with the same key the second waits for the first.
        let name = format!("{}|{}|{key}", self.actor, self.mutation);
        database::lock(transaction, &name).await?;
        let row = idempotency_key::Entity::find()
            .filter(idempotency_key::Column::Actor.eq(self.actor))
            .filter(idempotency_key::Column::Mutation.eq(self.mutation))
            .filter(idempotency_key::Column::Key.eq(key))
            .one(transaction)
            .await?;
        match row {
            Some(row) if row.request_hash == self.request_hash => Ok(Some(row.subject_id)),
            Some(_) => Err(Self::another_input()),
            None => Ok(None),
        }
    }

    /// The same key came with something else.
    pub(crate) fn another_input() -> Failure {
        Failure::rejected(
            RejectionCode::Conflict,
            Some("idempotencyKey"),
            "this key was used with another input",
        )
    }

    /// Remembers what the command made.
    pub(crate) async fn note(
        &self,
        transaction: &DatabaseTransaction,
        subject: i64,
    ) -> Result<(), Failure> {
        let Some(key) = self.key else { return Ok(()) };
        idempotency_key::ActiveModel {
            actor: Set(self.actor.to_owned()),
            mutation: Set(self.mutation.to_owned()),
            key: Set(key.to_owned()),
            request_hash: Set(self.request_hash.clone()),
            subject_id: Set(subject),
            created_at: Set(Utc::now().millis()),
            ..Default::default()
        }
        .insert(transaction)
        .await?;
        Ok(())
    }
}
