//! What resolvers find in their context.

use std::sync::Arc;

use async_graphql::{Context, Error};

use super::error::{ErrorCode, internal};
use super::loaders::Loaders;
use crate::auth::policy::{self, Refusal};
use crate::auth::token::TokenKeys;
use crate::auth::viewer::ViewerUser;
use crate::auth::{ProtectionLevel, Viewer};
use crate::database::Database;
use crate::events::Feed;
use crate::failure::{Failure, RejectionCode};

/// What all operations share.
#[derive(Clone)]
pub struct Services {
    /// labql's own database.
    pub database: Database,
    /// The live feed.
    pub feed: Feed,
    /// The keys of tokens.
    pub keys: Arc<TokenKeys>,
    /// What needs a token.
    pub protection: ProtectionLevel,
}

/// Shortcuts for resolvers.
pub trait ContextExt {
    /// What all operations share.
    fn services(&self) -> Result<&Services, Error>;
    /// Who asks.
    fn viewer(&self) -> Result<&Viewer, Error>;
    /// The loaders of this operation.
    fn loaders(&self) -> Result<&Loaders, Error>;

    /// labql's own database.
    fn database(&self) -> Result<&Database, Error> {
        Ok(&self.services()?.database)
    }

    /// Refuses who may not read.
    fn check_read(&self) -> Result<(), Error> {
        let level = self.services()?.protection;
        level.check_read(self.viewer()?).map_err(refused)
    }

    /// The user who asks.
    fn signed_in(&self) -> Result<&ViewerUser, Error> {
        policy::signed_in(self.viewer()?).map_err(refused)
    }

    /// The administrator who asks.
    fn administrator(&self) -> Result<&ViewerUser, Error> {
        policy::administrator(self.viewer()?).map_err(refused)
    }
}

impl ContextExt for Context<'_> {
    fn services(&self) -> Result<&Services, Error> {
        self.data::<Services>()
            .map_err(|error| internal(error.message))
    }

    fn viewer(&self) -> Result<&Viewer, Error> {
        self.data::<Arc<Viewer>>()
            .map(AsRef::as_ref)
            .map_err(|error| internal(error.message))
    }

    fn loaders(&self) -> Result<&Loaders, Error> {
        self.data::<Loaders>()
            .map_err(|error| internal(error.message))
    }
}

fn refused(refusal: Refusal) -> Error {
    let code = match refusal {
        Refusal::Unauthenticated => ErrorCode::Unauthenticated,
        Refusal::Forbidden => ErrorCode::Forbidden,
    };
    code.error(refusal.to_string())
}

/// A failure of a query. There is no blanket conversion: a database error must never reach a client by a mere `?`.
pub fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Internal(inside) => internal(inside),
        Failure::Unavailable(inside) => {
            tracing::error!(error = inside, "the database cannot be reached");
            ErrorCode::Unavailable.error("the database cannot be reached just now")
        }
        Failure::Rejected(rejection) => {
            let code = match rejection.code {
                RejectionCode::BadInput => ErrorCode::BadInput,
                RejectionCode::Conflict => ErrorCode::Conflict,
                RejectionCode::NotFound => ErrorCode::NotFound,
                RejectionCode::Unauthenticated => ErrorCode::Unauthenticated,
                RejectionCode::RateLimited => ErrorCode::RateLimited,
            };
            code.error(match rejection.field {
                Some(field) => format!("{field}: {}", rejection.message),
                None => rejection.message,
            })
        }
    }
}
