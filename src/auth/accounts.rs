//! Users and API keys: the queries and the commands. Each command is one transaction.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, SqlErr,
};

use super::changes::tell;
use super::idempotency::Replay;
use super::password::{self, PasswordError};
use super::token::TokenKeys;
use super::viewer::ViewerUser;
use crate::config::Secret;
use crate::database::{Database, is_one_of};
use crate::entity::{api_key, base_uri, base_uri_grant, user};
use crate::failure::{Failure, RejectionCode};
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, OrderPart, Ordering, Page, Slice};
use crate::time::Millis;

/// Attempts to log in that one user name has a minute.
const LOGINS_A_MINUTE: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Above so many names the limiter forgets those that have been quiet.
const MOST_NAMES_LIMITED: usize = 10_000;
/// API keys that one user may have and not have revoked.
const MOST_KEYS: u64 = 100;
/// The longest label, display name and e-mail address, in characters.
const LONGEST_TEXT: usize = 200;

static LOGIN_LIMIT: LazyLock<DefaultKeyedRateLimiter<String>> =
    LazyLock::new(|| RateLimiter::keyed(Quota::per_minute(LOGINS_A_MINUTE)));

/// What is needed to make a user.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// The name to log in with.
    pub username: String,
    /// Without one the user logs in by API key or by another issuer's token only.
    pub password: Option<Secret>,
    /// The name to show.
    pub display_name: Option<String>,
    /// Where to write to.
    pub email: Option<String>,
    /// May manage users.
    pub is_admin: bool,
    /// Makes the command safe to repeat.
    pub idempotency_key: Option<String>,
}

/// What is needed to make an API key.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What it is for, in its owner's words.
    pub label: String,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Makes the command safe to repeat.
    pub idempotency_key: Option<String>,
}

/// A successful log-in.
pub struct Session {
    /// The token.
    pub token: Secret,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Whose it is.
    pub user: user::Model,
}

/// Checks user name and password and issues a token.
pub async fn login(
    database: &Database,
    keys: &TokenKeys,
    username: &str,
    password: Secret,
) -> Result<Session, Failure> {
    let wrong = || {
        let message = "user name or password is wrong";
        Failure::rejected(RejectionCode::Unauthenticated, None, message)
    };
    // Nobody has such a name; it is not worth a place in the limiter.
    if check_username(username).is_err() {
        return Err(wrong());
    }
    if LOGIN_LIMIT.check_key(&username.to_owned()).is_err() {
        return Err(Failure::rejected(
            RejectionCode::RateLimited,
            None,
            "too many attempts for this user name: try again in a minute",
        ));
    }
    if LOGIN_LIMIT.len() > MOST_NAMES_LIMITED {
        LOGIN_LIMIT.retain_recent();
    }
    let account = user_by_name(database.read(), username).await?;
    let hash = account
        .as_ref()
        .filter(|account| account.disabled_at.is_none())
        .and_then(|account| account.password_hash.clone());
    let good = password::verify(password.expose().to_owned(), hash).await;
    let Some(user) = account.filter(|_| good) else {
        tracing::warn!(username, "log-in refused");
        return Err(wrong());
    };
    let (token, expires_at) = keys
        .issue(&user.username, Utc::now(), None)
        .map_err(Failure::internal)?;
    Ok(Session {
        token: token.into(),
        expires_at,
        user,
    })
}

/// The user of this name.
pub async fn user_by_name(
    connection: &impl ConnectionTrait,
    username: &str,
) -> Result<Option<user::Model>, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    if username.contains('\0') {
        return Ok(None);
    }
    Ok(user::Entity::find()
        .filter(user::Column::Username.eq(username))
        .one(connection)
        .await?)
}

/// The users with these row ids.
pub async fn users_by_id(database: &Database, ids: &[i64]) -> Result<Vec<user::Model>, Failure> {
    Ok(user::Entity::find()
        .filter(user::Column::Id.is_in(ids.iter().copied()))
        .all(database.read())
        .await?)
}

/// What others may know of these users, by their row ids: their names.
pub async fn people(
    database: &Database,
    ids: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, Arc<user::Model>>, Failure> {
    use user::Column::{DisplayName, Id, Username};
    let mut ids: Vec<i64> = ids.collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    ids.sort_unstable();
    ids.dedup();
    let columns = Columns::of(&[Id, Username, DisplayName]);
    let of_ids = is_one_of(database, Id.as_column_ref(), &ids);
    let found = narrow::find::<user::Entity>(database, of_ids, columns).await?;
    Ok(found.into_iter().map(|user| (user.id, user)).collect())
}

/// All users, by name.
pub async fn users(database: &Database) -> Result<Vec<user::Model>, Failure> {
    Ok(user::Entity::find()
        .order_by_asc(user::Column::Username)
        .all(database.read())
        .await?)
}

/// Users by name, for pages.
pub fn by_username() -> Ordering {
    Ordering {
        tag: "users".into(),
        parts: vec![OrderPart {
            sql: "username",
            kind: KeyKind::Text,
            descending: false,
        }],
    }
}

/// A page of all users.
pub async fn users_page(
    database: &Database,
    page: &Page,
) -> Result<Slice<Arc<user::Model>>, Failure> {
    Ok(paging::fetch::<user::Entity>(
        database,
        Condition::all(),
        Columns::all(),
        &by_username(),
        page,
    )
    .await?)
}

/// How many users there are.
pub async fn user_count(database: &Database) -> Result<u64, Failure> {
    Ok(user::Entity::find().count(database.read()).await?)
}

/// What a user may do with the datasets of a base URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The row of the user.
    pub user_id: i64,
    /// The text of the base URI.
    pub base_uri: String,
    /// May find and read its datasets.
    pub can_search: bool,
    /// May register datasets there.
    pub can_register: bool,
}

/// What these users may do with which base URIs.
pub async fn grants(database: &Database, users: &[i64]) -> Result<Vec<Grant>, Failure> {
    let rows = base_uri_grant::Entity::find()
        .find_also_related(base_uri::Entity)
        .filter(base_uri_grant::Column::UserId.is_in(users.iter().copied()))
        .order_by_asc(base_uri::Column::Uri)
        .all(database.read())
        .await?;
    let grants = rows.into_iter().filter_map(|(grant, base_uri)| {
        Some(Grant {
            user_id: grant.user_id,
            base_uri: base_uri?.uri,
            can_search: grant.can_search,
            can_register: grant.can_register,
        })
    });
    Ok(grants.collect())
}

/// The API key with this row id, if it belongs to the user or the user is an administrator.
pub async fn api_key_for(
    database: &Database,
    viewer: &ViewerUser,
    id: i64,
) -> Result<Option<api_key::Model>, Failure> {
    let key = api_key::Entity::find_by_id(id).one(database.read()).await?;
    Ok(key.filter(|key| viewer.is_admin || Some(key.user_id) == viewer.id))
}

/// The API keys of these users, oldest first.
pub async fn api_keys(database: &Database, users: &[i64]) -> Result<Vec<api_key::Model>, Failure> {
    Ok(api_key::Entity::find()
        .filter(api_key::Column::UserId.is_in(users.iter().copied()))
        .order_by_asc(api_key::Column::Id)
        .all(database.read())
        .await?)
}

/// Makes a user.
pub async fn create_user(
    database: &Database,
    actor: &str,
    new: NewUser,
) -> Result<user::Model, Failure> {
    check_username(&new.username)?;
    check_text("displayName", new.display_name.as_deref())?;
    check_text("email", new.email.as_deref())?;
    let password_hash = match &new.password {
        Some(password) => Some(hash_password(password).await?),
        None => None,
    };
    let transaction = database.begin().await?;
    let request = format!(
        "{}|{:?}|{:?}|{}",
        new.username, new.display_name, new.email, new.is_admin
    );
    let replay = Replay::new(
        actor,
        "createUser",
        new.idempotency_key.as_deref(),
        &request,
    )?;
    if let Some(id) = replay.seen(&transaction).await? {
        let made = user::Entity::find_by_id(id).one(&transaction).await?;
        transaction.rollback().await?;
        return replayed_user(made, new.password).await;
    }
    let username = new.username.clone();
    let made = user::ActiveModel {
        username: Set(new.username),
        display_name: Set(new.display_name),
        email: Set(new.email),
        password_hash: Set(password_hash),
        is_admin: Set(new.is_admin),
        created_at: Set(Utc::now().millis()),
        ..Default::default()
    }
    .insert(&transaction)
    .await
    .map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Failure::rejected(
            RejectionCode::Conflict,
            Some("username"),
            format!("there is a user {username} already"),
        ),
        _ => error.into(),
    })?;
    replay.note(&transaction, made.id).await?;
    tell(&transaction, &made.username, "user-made", actor).await?;
    transaction.commit().await?;
    tracing::info!(
        actor,
        user = made.username,
        admin = made.is_admin,
        "made a user"
    );
    Ok(made)
}

/// The user that the command made the first time. The password is no part of what is compared by hash, since a fast
/// hash of it must not be kept: it is verified.
async fn replayed_user(
    made: Option<user::Model>,
    password: Option<Secret>,
) -> Result<user::Model, Failure> {
    let gone = || Failure::bad_input("idempotencyKey", "what it made is gone");
    let made = made.ok_or_else(gone)?;
    let same = match (password, &made.password_hash) {
        (None, None) => true,
        (Some(password), Some(hash)) => {
            password::verify(password.expose().to_owned(), Some(hash.clone())).await
        }
        _ => false,
    };
    if same {
        Ok(made)
    } else {
        Err(Replay::another_input())
    }
}

/// Sets a new password.
pub async fn set_password(
    database: &Database,
    actor: &str,
    username: &str,
    password: &Secret,
) -> Result<(), Failure> {
    let hash = hash_password(password).await?;
    let value = Some(hash).into();
    let change = (user::Column::PasswordHash, value, "password-set");
    update_user(database, actor, username, change).await
}

/// Locks a user out, or lets them in again. Tokens and API keys of a disabled user are refused from then on.
pub async fn set_disabled(
    database: &Database,
    actor: &str,
    username: &str,
    disabled: bool,
) -> Result<(), Failure> {
    let at = disabled.then(|| Utc::now().millis());
    let kind = if disabled {
        "user-disabled"
    } else {
        "user-enabled"
    };
    let change = (user::Column::DisabledAt, at.into(), kind);
    update_user(database, actor, username, change).await
}

/// Sets what a user may do with a base URI; neither right: the grant is taken away.
pub async fn set_grant(
    database: &Database,
    actor: &str,
    username: &str,
    base_uri: &str,
    can_search: bool,
    can_register: bool,
) -> Result<Grant, Failure> {
    let user = user_by_name(database.read(), username)
        .await?
        .ok_or_else(|| no_user(username))?;
    let no_base_uri = || {
        let message = "there is no such base URI";
        Failure::rejected(RejectionCode::NotFound, Some("baseUri"), message)
    };
    if base_uri.contains('\0') {
        return Err(no_base_uri());
    }
    let transaction = database.begin().await?;
    // Locked, so that it is not deleted meanwhile.
    let place = base_uri::Entity::find()
        .filter(base_uri::Column::Uri.eq(base_uri))
        .lock_exclusive()
        .one(&transaction)
        .await?
        .ok_or_else(no_base_uri)?;
    base_uri_grant::Entity::delete_by_id((user.id, place.id))
        .exec(&transaction)
        .await?;
    if can_search || can_register {
        let grant = base_uri_grant::ActiveModel {
            user_id: Set(user.id),
            base_uri_id: Set(place.id),
            can_search: Set(can_search),
            can_register: Set(can_register),
        };
        base_uri_grant::Entity::insert(grant)
            .exec_without_returning(&transaction)
            .await?;
    }
    tell(&transaction, username, "grant-set", actor).await?;
    transaction.commit().await?;
    Ok(Grant {
        user_id: user.id,
        base_uri: place.uri,
        can_search,
        can_register,
    })
}

/// Makes an API key for a user. The secret is returned this once; a repeated command returns the key without it.
pub async fn create_api_key(
    database: &Database,
    user_id: i64,
    username: &str,
    new: NewApiKey,
) -> Result<(Option<Secret>, api_key::Model), Failure> {
    if new.label.trim().is_empty() {
        return Err(Failure::bad_input("label", "a label must not be empty"));
    }
    check_text("label", Some(&new.label))?;
    let now = Utc::now();
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(Failure::bad_input("expiresAt", "this moment is past"));
    }
    let transaction = database.begin().await?;
    let actor = format!("user {user_id}");
    let request = format!("{}|{:?}", new.label, new.expires_at);
    let replay = Replay::new(
        &actor,
        "createApiKey",
        new.idempotency_key.as_deref(),
        &request,
    )?;
    if let Some(id) = replay.seen(&transaction).await? {
        let key = api_key::Entity::find_by_id(id).one(&transaction).await?;
        return key
            .map(|key| (None, key))
            .ok_or_else(|| Failure::bad_input("idempotencyKey", "what it made is gone"));
    }
    let active = api_key::Entity::find()
        .filter(api_key::Column::UserId.eq(user_id))
        .filter(api_key::Column::RevokedAt.is_null())
        .count(&transaction)
        .await?;
    if active >= MOST_KEYS {
        return Err(Failure::rejected(
            RejectionCode::Conflict,
            None,
            format!("there are {MOST_KEYS} API keys already: revoke some"),
        ));
    }
    let secret = super::api_key::generate().map_err(Failure::internal)?;
    let key = api_key::ActiveModel {
        user_id: Set(user_id),
        label: Set(new.label),
        secret_hash: Set(super::api_key::hash(secret.expose())),
        created_at: Set(now.millis()),
        expires_at: Set(new.expires_at.map(|at| at.millis())),
        ..Default::default()
    }
    .insert(&transaction)
    .await?;
    replay.note(&transaction, key.id).await?;
    tell(&transaction, username, "api-key-made", username).await?;
    transaction.commit().await?;
    Ok((Some(secret), key))
}

/// Revokes an API key of the viewer, or of anybody if the viewer is an administrator. Revoking twice is no error.
pub async fn revoke_api_key(
    database: &Database,
    viewer: &ViewerUser,
    id: i64,
) -> Result<api_key::Model, Failure> {
    let transaction = database.begin().await?;
    let key = api_key::Entity::find_by_id(id)
        .one(&transaction)
        .await?
        .filter(|key| viewer.is_admin || Some(key.user_id) == viewer.id)
        .ok_or_else(|| {
            Failure::rejected(
                RejectionCode::NotFound,
                Some("id"),
                "there is no such API key",
            )
        })?;
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    let mut key: api_key::ActiveModel = key.into();
    key.revoked_at = Set(Some(Utc::now().millis()));
    let key = key.update(&transaction).await?;
    let owner = user::Entity::find_by_id(key.user_id)
        .one(&transaction)
        .await?;
    let owner = owner.map_or_else(String::new, |owner| owner.username);
    tell(&transaction, &owner, "api-key-revoked", &viewer.username).await?;
    transaction.commit().await?;
    Ok(key)
}

/// Notes when an API key was last used.
pub(super) async fn note_key_use(
    database: &Database,
    id: i64,
    at_millis: i64,
) -> Result<(), sea_orm::DbErr> {
    let transaction = database.begin().await?;
    api_key::Entity::update_many()
        .col_expr(api_key::Column::LastUsedAt, Expr::value(at_millis))
        .filter(api_key::Column::Id.eq(id))
        .exec(&transaction)
        .await?;
    transaction.commit().await
}

async fn update_user(
    database: &Database,
    actor: &str,
    username: &str,
    (column, value, kind): (user::Column, sea_orm::Value, &'static str),
) -> Result<(), Failure> {
    let transaction = database.begin().await?;
    let done = user::Entity::update_many()
        .col_expr(column, Expr::value(value))
        .filter(user::Column::Username.eq(username))
        .exec(&transaction)
        .await?;
    if done.rows_affected == 0 {
        return Err(no_user(username));
    }
    tell(&transaction, username, kind, actor).await?;
    Ok(transaction.commit().await?)
}

fn no_user(username: &str) -> Failure {
    Failure::rejected(
        RejectionCode::NotFound,
        Some("username"),
        format!("there is no user {username}"),
    )
}

async fn hash_password(password: &Secret) -> Result<String, Failure> {
    password::hash(password.expose().to_owned())
        .await
        .map_err(|error| match error {
            PasswordError::Length => Failure::bad_input("password", error.to_string()),
            PasswordError::Hash(_) => Failure::internal(error),
        })
}

fn check_username(username: &str) -> Result<(), Failure> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if username.is_empty() || username.chars().count() > 64 || !username.chars().all(allowed) {
        return Err(Failure::bad_input(
            "username",
            "a user name has 1 to 64 letters, digits or . _ - @ +",
        ));
    }
    Ok(())
}

pub(super) fn check_text(field: &'static str, text: Option<&str>) -> Result<(), Failure> {
    if text.is_some_and(|text| text.chars().count() > LONGEST_TEXT) {
        return Err(Failure::bad_input(
            field,
            format!("at most {LONGEST_TEXT} characters"),
        ));
    }
    // PostgreSQL cannot store one.
    if text.is_some_and(|text| text.contains('\0')) {
        return Err(Failure::bad_input(field, "must not hold a zero byte"));
    }
    Ok(())
}
