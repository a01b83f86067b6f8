//! Commands on accounts.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::{ApiKey, User};
use crate::auth::accounts::{self, NewApiKey, NewUser};
use crate::failure::{Failure, RejectionCode};
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::user_error::{UserError, payload};

/// Who wants to log in.
#[derive(InputObject)]
struct LoginInput {
    /// The user name.
    username: String,
    /// The password.
    #[graphql(secret)]
    password: String,
}

/// The answer to a log-in.
#[derive(SimpleObject)]
struct LoginPayload {
    /// The token, to be sent as `Authorization: Bearer …`.
    token: Option<String>,
    /// When the token ends.
    expires_at: Option<DateTime<Utc>>,
    /// Who has logged in.
    user: Option<User>,
    /// Why not.
    errors: Vec<UserError>,
}

/// A user to be made.
#[derive(InputObject)]
struct CreateUserInput {
    /// The name to log in with: 1 to 64 letters, digits or `. _ - @ +`.
    username: String,
    /// At least 8 characters; without one the user logs in by API key or by another issuer's token only.
    #[graphql(secret)]
    password: Option<String>,
    /// The name to show.
    display_name: Option<String>,
    /// The e-mail address.
    email: Option<String>,
    /// May manage users and what belongs to all.
    #[graphql(default)]
    is_admin: bool,
    /// Makes the mutation safe to repeat: the same key makes nothing new and gives the same answer.
    idempotency_key: Option<String>,
}

/// The answer to `createUser`.
#[derive(SimpleObject)]
struct CreateUserPayload {
    /// The new user.
    user: Option<User>,
    /// Why not.
    errors: Vec<UserError>,
}

/// An API key to be made.
#[derive(InputObject)]
struct CreateApiKeyInput {
    /// What it is for.
    label: String,
    /// When it shall end by itself; absent or null: never.
    expires_at: Option<DateTime<Utc>>,
    /// Makes the mutation safe to repeat: the same key makes nothing new and gives the same answer, but for the secret.
    idempotency_key: Option<String>,
}

/// The answer to `createApiKey`.
#[derive(SimpleObject)]
struct CreateApiKeyPayload {
    /// The secret, shown only this once.
    secret: Option<String>,
    /// The new key.
    api_key: Option<ApiKey>,
    /// Why not.
    errors: Vec<UserError>,
}

/// An API key to be revoked.
#[derive(InputObject)]
struct RevokeApiKeyInput {
    /// The global id of the key.
    id: ID,
}

/// The answer to `revokeApiKey`.
#[derive(SimpleObject)]
struct RevokeApiKeyPayload {
    /// The revoked key.
    api_key: Option<ApiKey>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Commands on accounts.
#[derive(Default)]
pub struct AccountsMutation;

#[Object]
impl AccountsMutation {
    /// Logs in with user name and password; open to everybody.
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "User name and password.")] input: LoginInput,
    ) -> Result<LoginPayload> {
        let services = ctx.services()?;
        let session = accounts::login(
            &services.database,
            &services.keys,
            &input.username,
            input.password.into(),
        );
        let (session, errors) = payload(session.await)?;
        let token = session
            .as_ref()
            .map(|session| session.token.expose().to_owned());
        Ok(LoginPayload {
            token,
            expires_at: session.as_ref().map(|session| session.expires_at),
            user: session.map(|session| User(session.user)),
            errors,
        })
    }

    /// Makes a user; for administrators.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new user.")] input: CreateUserInput,
    ) -> Result<CreateUserPayload> {
        let actor = ctx.administrator()?;
        let new = NewUser {
            username: input.username,
            password: input.password.map(Into::into),
            display_name: input.display_name,
            email: input.email,
            is_admin: input.is_admin,
            idempotency_key: input.idempotency_key,
        };
        let made = accounts::create_user(ctx.database()?, &actor.username, new).await;
        ctx.services()?.feed.wake_for_accounts();
        let (user, errors) = payload(made)?;
        Ok(CreateUserPayload {
            user: user.map(User),
            errors,
        })
    }

    /// Makes an API key for the viewer.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new key.")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        let viewer = ctx.signed_in()?;
        let new = NewApiKey {
            label: input.label,
            expires_at: input.expires_at,
            idempotency_key: input.idempotency_key,
        };
        let made = match viewer.id {
            Some(id) => accounts::create_api_key(ctx.database()?, id, &viewer.username, new).await,
            None => Err(Failure::rejected(
                RejectionCode::NotFound,
                None,
                "you have no account here that a key could belong to",
            )),
        };
        ctx.services()?.feed.wake_for_accounts();
        let (made, errors) = payload(made)?;
        let (secret, api_key) = match made {
            Some((secret, key)) => (secret, Some(ApiKey(key))),
            None => (None, None),
        };
        Ok(CreateApiKeyPayload {
            secret: secret.map(|secret| secret.expose().to_owned()),
            api_key,
            errors,
        })
    }

    /// Revokes an API key: your own, or anybody's if you are an administrator. Revoking twice is no error.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RevokeApiKeyInput,
    ) -> Result<RevokeApiKeyPayload> {
        let viewer = ctx.signed_in()?;
        let revoked = match GlobalId::decode(&input.id) {
            Some(GlobalId::ApiKey(id)) => {
                accounts::revoke_api_key(ctx.database()?, viewer, id).await
            }
            _ => Err(Failure::rejected(
                RejectionCode::NotFound,
                Some("id"),
                "there is no such API key",
            )),
        };
        ctx.services()?.feed.wake_for_accounts();
        let (key, errors) = payload(revoked)?;
        Ok(RevokeApiKeyPayload {
            api_key: key.map(ApiKey),
            errors,
        })
    }
}
