//! The types of accounts.

use async_graphql::{ComplexObject, Context, ID, Result, SimpleObject};
use chrono::{DateTime, Utc};
use macros::row;

use crate::auth::accounts;
use crate::entity;
use crate::graphql::actions::ActionRight;
use crate::graphql::connection::connection;
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::loaders::{GrantsOf, KeysOf, RightsOf};
use crate::time::from_millis;

/// A person or a service that may log in.
#[derive(Clone)]
pub struct User(pub entity::user::Model);

connection!(
    UserConnection,
    UserEdge,
    User,
    "A page of users.",
    "A user in a page."
);

/// A person or a service that may log in.
#[row]
impl User {
    /// The global id.
    pub fn id(&self) -> ID {
        GlobalId::User(self.0.username.clone()).encode()
    }

    /// The name to log in with.
    fn username(&self) -> &str {
        &self.0.username
    }

    /// The name to show.
    fn display_name(&self) -> Option<&str> {
        self.0.display_name.as_deref()
    }

    /// The e-mail address.
    fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// May this user manage users and what belongs to all?
    fn is_admin(&self) -> bool {
        self.0.is_admin
    }

    /// When the user was made.
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.created_at)
    }

    /// When the user was locked out; null: may log in.
    fn disabled_at(&self) -> Option<DateTime<Utc>> {
        self.0.disabled_at.and_then(from_millis)
    }

    /// What this user may do with the datasets of which base URIs.
    async fn grants(&self, ctx: &Context<'_>) -> Result<Vec<BaseUriGrant>> {
        let grants = ctx.loaders()?.users().load_one(GrantsOf(self.0.id)).await?;
        let grant = |row: accounts::Grant| BaseUriGrant {
            username: self.0.username.clone(),
            base_uri: row.base_uri,
            can_search: row.can_search,
            can_register: row.can_register,
        };
        Ok(grants.unwrap_or_default().into_iter().map(grant).collect())
    }

    /// What this user may have Autosubmit do. Nothing else: no right is implied.
    async fn action_rights(&self, ctx: &Context<'_>) -> Result<Vec<ActionRight>> {
        let rights = ctx.loaders()?.users().load_one(RightsOf(self.0.id)).await?;
        let rights = rights.unwrap_or_default().into_iter();
        Ok(rights.filter_map(ActionRight::of).collect())
    }

    /// The API keys of this user, oldest first, revoked ones too.
    async fn api_keys(&self, ctx: &Context<'_>) -> Result<Vec<ApiKey>> {
        let keys = ctx.loaders()?.users().load_one(KeysOf(self.0.id)).await?;
        Ok(keys.unwrap_or_default().into_iter().map(ApiKey).collect())
    }
}

/// What a user may do with the datasets below a base URI.
#[derive(Clone)]
pub struct BaseUriGrant {
    /// Who.
    pub username: String,
    /// Where.
    pub base_uri: String,
    /// May find and read its datasets.
    pub can_search: bool,
    /// May register datasets there.
    pub can_register: bool,
}

/// What a user may do with the datasets below a base URI.
#[row]
impl BaseUriGrant {
    /// Who.
    fn username(&self) -> &str {
        &self.username
    }

    /// The base URI, such as `s3://bucket`.
    fn base_uri(&self) -> &str {
        &self.base_uri
    }

    /// May find and read its datasets.
    fn can_search(&self) -> bool {
        self.can_search
    }

    /// May register datasets there, and change and delete those that are.
    fn can_register(&self) -> bool {
        self.can_register
    }
}

/// A long-lived secret of a user, for scripts. The secret itself is shown only once, when the key is made.
#[derive(Clone)]
pub struct ApiKey(pub entity::api_key::Model);

/// A long-lived secret of a user, for scripts. The secret itself is shown only once, when the key is made.
#[row]
impl ApiKey {
    /// The global id.
    pub fn id(&self) -> ID {
        GlobalId::ApiKey(self.0.id).encode()
    }

    /// What it is for, in its owner's words.
    fn label(&self) -> &str {
        &self.0.label
    }

    /// When it was made.
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.created_at)
    }

    /// When it ends by itself; null: never.
    fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at.and_then(from_millis)
    }

    /// When it was revoked; null: it was not.
    fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.0.revoked_at.and_then(from_millis)
    }

    /// When it was last used, to the minute.
    fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_used_at.and_then(from_millis)
    }

    /// Whose it is.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let row = ctx.loaders()?.users().load_one(self.0.user_id).await?;
        Ok(row.map(User))
    }
}

/// Who is asking.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Viewer {
    /// The user name.
    pub username: String,
    /// May manage users and what belongs to all?
    pub is_admin: bool,
    /// When the token or API key of this request ends; null: it does not.
    pub expires_at: Option<DateTime<Utc>>,
    /// The account; none for a person whom another issuer vouches for.
    #[graphql(skip)]
    pub user: Option<entity::user::Model>,
}

#[ComplexObject]
impl Viewer {
    /// The name to show.
    async fn display_name(&self) -> Option<&str> {
        self.user.as_ref()?.display_name.as_deref()
    }

    /// The e-mail address.
    async fn email(&self) -> Option<&str> {
        self.user.as_ref()?.email.as_deref()
    }

    /// The account behind the name; null for a person whom another issuer vouches for and who has none here.
    async fn user(&self) -> Option<User> {
        self.user.clone().map(User)
    }

    /// What the viewer may do with the datasets of which base URIs.
    async fn grants(&self, ctx: &Context<'_>) -> Result<Vec<BaseUriGrant>> {
        match self.user.clone() {
            Some(row) => User(row).grants(ctx).await,
            None => Ok(Vec::new()),
        }
    }

    /// What the viewer may have Autosubmit do. Nothing else: no right is implied, not by being an administrator either.
    async fn action_rights(&self, ctx: &Context<'_>) -> Result<Vec<ActionRight>> {
        match self.user.clone() {
            Some(row) => User(row).action_rights(ctx).await,
            None => Ok(Vec::new()),
        }
    }

    /// The API keys of the viewer, oldest first, revoked ones too.
    async fn api_keys(&self, ctx: &Context<'_>) -> Result<Vec<ApiKey>> {
        match self.user.clone() {
            Some(row) => User(row).api_keys(ctx).await,
            None => Ok(Vec::new()),
        }
    }
}
