//! What credentials were found to be is remembered, and forgotten in time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use labql::auth::accounts::{self, NewApiKey, NewUser};
use labql::auth::authenticator::Guard;
use labql::auth::token::TokenKeys;
use labql::auth::viewer::ViewerUser;
use labql::auth::{AuthConfig, AuthError, Authenticator, Credential};
use labql::config::Secret;
use labql::database::Database;
use labql::entity::api_key;
use labql::events::Feed;
use sea_orm::{ConnectionTrait, EntityTrait};
use tokio::time::{sleep, timeout};

use crate::support::Lab;
use crate::support::client::PATIENCE;

on_both_databases!(
    what_is_known_holds_until_accounts_change,
    what_another_process_does_is_told_by_the_feed,
    a_key_that_is_known_expires,
    the_use_of_a_key_that_is_known_is_noted,
);

struct Door {
    database: Database,
    feed: Feed,
    guard: Guard,
    user: ViewerUser,
    token: String,
}

impl Door {
    async fn of(lab: &Lab) -> Self {
        let database = lab.database().await;
        let keys = TokenKeys::load(&AuthConfig::default(), &lab.data()).expect("keys");
        let new = NewUser {
            username: "ada".to_owned(),
            ..NewUser::default()
        };
        let user = accounts::create_user(&database, "test", new)
            .await
            .expect("a user");
        let (token, _) = keys.issue("ada", Utc::now(), None).expect("a token");
        let feed = Feed::open(database.clone()).await.expect("a feed");
        feed.look().await.expect("a log");
        Self {
            guard: Guard::new(database.clone(), Arc::new(keys), feed.clone()),
            user: ViewerUser {
                id: Some(user.id),
                username: user.username,
                is_admin: false,
            },
            database,
            feed,
            token,
        }
    }

    async fn key(&self, life: Option<TimeDelta>) -> (Secret, api_key::Model) {
        let new = NewApiKey {
            label: "test".to_owned(),
            expires_at: life.map(|life| Utc::now() + life),
            idempotency_key: None,
        };
        let id = self.user.id.expect("an account");
        let made = accounts::create_api_key(&self.database, id, "ada", new).await;
        let (secret, key) = made.expect("a key");
        // Its use is noted beside the requests, which the test should not have to wait for.
        let now = Utc::now().timestamp_millis();
        self.sql(&format!("UPDATE api_key SET last_used_at = {now}"))
            .await;
        (secret.expect("a secret"), key)
    }

    async fn with_token(&self) -> bool {
        self.lets_in(Credential::Bearer(self.token.clone().into()))
            .await
    }

    async fn with_key(&self, key: &Secret) -> bool {
        self.lets_in(Credential::ApiKey(key.clone())).await
    }

    /// Whether a credential is taken for that of the user.
    async fn lets_in(&self, credential: Credential) -> bool {
        match self.guard.authenticate(Some(credential)).await {
            Ok(viewer) => viewer.name() == "ada",
            Err(AuthError::Rejected) => false,
            Err(AuthError::Unavailable) => panic!("the database does not answer"),
        }
    }

    /// Changes the tables behind everybody's back.
    async fn sql(&self, statement: &str) {
        let done = self.database.write().execute_unprepared(statement).await;
        done.expect("SQL");
    }
}

const LOCK: &str = "UPDATE users SET disabled_at = 1";
const UNLOCK: &str = "UPDATE users SET disabled_at = NULL";

async fn what_is_known_holds_until_accounts_change(lab: Lab) {
    let door = Door::of(&lab).await;
    let (key, _) = door.key(None).await;
    assert!(door.with_key(&key).await);
    assert!(door.with_token().await);
    door.sql(LOCK).await;
    assert!(door.with_key(&key).await, "the database was asked");
    assert!(door.with_token().await, "the database was asked");
    // One is not the other.
    let swapped = Credential::ApiKey(door.token.clone().into());
    assert!(!door.lets_in(swapped).await);
    assert!(!door.lets_in(Credential::Bearer(key.clone())).await);

    door.feed.wake_for_accounts();
    assert!(!door.with_key(&key).await);
    assert!(!door.with_token().await);
    // No refusal is remembered.
    door.sql(UNLOCK).await;
    assert!(door.with_key(&key).await);
    assert!(door.with_token().await);
}

async fn what_another_process_does_is_told_by_the_feed(lab: Lab) {
    let door = Door::of(&lab).await;
    let (key, row) = door.key(None).await;
    let elsewhere = lab.database().await;
    door.feed.look().await.expect("a log");
    assert!(door.with_key(&key).await);
    assert!(door.with_token().await);

    let revoked = accounts::revoke_api_key(&elsewhere, &door.user, row.id).await;
    revoked.expect("a key");
    door.feed.look().await.expect("a log");
    assert!(!door.with_key(&key).await);
    assert!(door.with_token().await);

    let disabled = accounts::set_disabled(&elsewhere, "test", "ada", true).await;
    disabled.expect("a user");
    door.feed.look().await.expect("a log");
    assert!(!door.with_token().await);
}

async fn a_key_that_is_known_expires(lab: Lab) {
    let door = Door::of(&lab).await;
    let (key, _) = door.key(Some(TimeDelta::seconds(3))).await;
    assert!(door.with_key(&key).await);
    let expired = async {
        while door.with_key(&key).await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, expired).await.expect("its end");
}

async fn the_use_of_a_key_that_is_known_is_noted(lab: Lab) {
    let door = Door::of(&lab).await;
    let (key, row) = door.key(None).await;
    let last_used = async || {
        let found = api_key::Entity::find_by_id(row.id);
        let row = found.one(door.database.read()).await.expect("SQL");
        row.expect("a key").last_used_at.expect("its use")
    };
    // Due in a moment.
    let before = Utc::now().timestamp_millis() - 59_500;
    door.sql(&format!("UPDATE api_key SET last_used_at = {before}"))
        .await;
    assert!(door.with_key(&key).await);
    let noted = async {
        while last_used().await == before {
            assert!(door.with_key(&key).await);
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, noted).await.expect("its use");
}

/// Nobody reads the log here: after a while nothing is known any more.
#[tokio::test]
async fn a_feed_that_cannot_read_the_log_vouches_for_nobody() {
    let lab = Lab::sqlite();
    let door = Door::of(&lab).await;
    let (key, _) = door.key(None).await;
    assert!(door.with_key(&key).await);
    door.sql(LOCK).await;
    assert!(door.with_key(&key).await, "the database was asked");
    let stale = async {
        while door.feed.is_current() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, stale).await.expect("a stale feed");
    assert!(!door.with_key(&key).await);
}
