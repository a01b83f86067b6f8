//! The caller of an operation, and how it is found out.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use crate::config::Secret;

/// What a caller shows to say who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A JSON web token.
    Bearer(Secret),
    /// An API key.
    ApiKey(Secret),
}

/// The caller of an operation; without a user: anonymous.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    /// Who it is.
    pub user: Option<ViewerUser>,
    /// When the credential ends; open connections end with it.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A caller with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerUser {
    /// The row of the user; none for a person whom another issuer vouches for and who has no account here.
    pub id: Option<i64>,
    /// The name in the token or of the account.
    pub username: String,
    /// May manage users and what belongs to all.
    pub is_admin: bool,
}

/// What an answer about the laboratory may depend on: most often not who somebody is, but what they may do. Answers are
/// shared among all who may do the same. What is somebody's own, such as what they may do with datasets, hangs on their
/// account, so such answers are shared by those who are logged in with one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    signed_in: bool,
    is_admin: bool,
    /// The account, where the answer depends on it, and how often accounts had changed when it was asked: an answer of before
    /// a grant was given or taken is nobody's any more.
    account: Option<(i64, i64)>,
}

impl Rights {
    /// Anybody with these rights.
    pub fn anybody(self) -> Viewer {
        Viewer {
            user: self.signed_in.then(|| ViewerUser {
                id: self.account.map(|(id, _)| id),
                username: String::new(),
                is_admin: self.is_admin,
            }),
            expires_at: None,
        }
    }
}

impl Viewer {
    /// What this viewer may do, but for datasets.
    pub fn rights(&self) -> Rights {
        Rights {
            signed_in: self.user.is_some(),
            is_admin: self.user.as_ref().is_some_and(|user| user.is_admin),
            account: None,
        }
    }

    /// The same, and what is this viewer's own: nobody else has these rights, and the viewer only until accounts change the
    /// next time.
    pub fn own_rights(&self, changes: i64) -> Rights {
        let id = self.user.as_ref().and_then(|user| user.id);
        Rights {
            account: id.map(|id| (id, changes)),
            ..self.rights()
        }
    }

    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// When the credential ends.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at
    }

    /// The name, for logs and audit records.
    pub fn name(&self) -> &str {
        self.user
            .as_ref()
            .map_or("anonymous", |user| user.username.as_str())
    }
}

/// Why there is no viewer. The caller is told no more than this; the reason is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The credential is wrong, expired, revoked or foreign.
    #[error("the credential was not accepted")]
    Rejected,
    /// It could not be checked just now.
    #[error("credentials cannot be checked just now")]
    Unavailable,
}

/// Turns a credential into a viewer.
pub trait Authenticator: Send + Sync + 'static {
    /// Without a credential the viewer is anonymous.
    fn authenticate(
        &self,
        credential: Option<Credential>,
    ) -> BoxFuture<'_, Result<Arc<Viewer>, AuthError>>;

    /// Grows when an account, a key or a grant has changed: what was found out before may be true no more.
    fn version(&self) -> i64 {
        0
    }
}

impl fmt::Display for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
