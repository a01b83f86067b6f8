//! Commands on base URIs and datasets. Each is one transaction with its events: it locks the base URI first and appends
//! to the log last, so commands on datasets of one base URI go one after the other, and none waits for another in a circle.

pub mod base_uris;
mod before;
mod bulk;
pub mod change;
mod derived;
mod load;
pub mod register;
mod store;

pub use before::{Before, Mark};
pub use derived::Derived;
pub use store::{Stored, store};

use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};

use crate::auth::viewer::ViewerUser;
use crate::entity::{base_uri, base_uri_grant};
use crate::failure::{Failure, RejectionCode};

/// Who writes datasets.
#[derive(Clone, Copy, Debug)]
pub enum Author<'a> {
    /// Somebody who may register where they were granted to.
    User(&'a ViewerUser),
    /// labql itself, as a command or a worker of this name.
    Labql(&'a str),
}

impl Author<'_> {
    /// The name in the log of events.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.username,
            Self::Labql(name) => name,
        }
    }

    /// The row of the account.
    pub fn user(&self) -> Option<i64> {
        match self {
            Self::User(user) => user.id,
            Self::Labql(_) => None,
        }
    }
}

/// The id of the base URI of this text, where the author may register. Nobody else writes below it until the transaction
/// ends. What does not exist is not told from what is not granted.
///
/// # Errors
/// A rejection with this message about this field of the input.
pub(super) async fn lock(
    transaction: &DatabaseTransaction,
    uri: &str,
    author: &Author<'_>,
    field: &'static str,
    message: &'static str,
) -> Result<i64, Failure> {
    let refused = || Failure::rejected(RejectionCode::NotFound, Some(field), message);
    // PostgreSQL refuses to look for what it cannot store.
    if uri.contains('\0') {
        return Err(refused());
    }
    let id: Option<i64> = base_uri::Entity::find()
        .select_only()
        .column(base_uri::Column::Id)
        .filter(base_uri::Column::Uri.eq(uri))
        .lock(LockType::Update)
        .into_tuple()
        .one(transaction)
        .await?;
    let id = id.ok_or_else(refused)?;
    if matches!(author, Author::Labql(_)) {
        return Ok(id);
    }
    let user = author.user().ok_or_else(refused)?;
    let grant = base_uri_grant::Entity::find_by_id((user, id));
    match grant.one(transaction).await? {
        Some(grant) if grant.can_register => Ok(id),
        _ => Err(refused()),
    }
}

/// What a dataset lies in: its URI without the last part.
fn base_of(uri: &str) -> &str {
    uri.rsplit_once('/').map_or(uri, |(base, _)| base)
}
