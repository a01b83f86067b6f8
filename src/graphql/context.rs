//! What resolvers find in their context.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Context, Error};

use super::error::{ErrorCode, internal};
use super::loaders::Loaders;
use crate::auth::people::People;
use crate::auth::policy::{self, Refusal};
use crate::auth::token::TokenKeys;
use crate::auth::viewer::ViewerUser;
use crate::auth::{ProtectionLevel, Viewer};
use crate::database::Database;
use crate::datasets::readers::Storage;
use crate::events::Feed;
use crate::experiments::actions::Actions;
use crate::experiments::read::user_metrics::Installation;
use crate::experiments::reports::Reports;
use crate::failure::{Failure, RejectionCode};
use crate::flows::Flows;
use crate::fplanes::settings::FplaneSettings;

/// What all operations share.
#[derive(Clone)]
pub struct Services {
    /// labql's own database.
    pub database: Database,
    /// The live feed.
    pub feed: Feed,
    /// What users are called.
    pub people: People,
    /// What people report of runs.
    pub reports: Reports,
    /// Where actions are asked for.
    pub actions: Actions,
    /// The folders and buckets with datasets that may be read.
    pub storage: Arc<Storage>,
    /// Workflows and their runs.
    pub flows: Flows,
    /// Where the telescope of the focal planes stands, and which of its messages are believed.
    pub fplanes: Arc<FplaneSettings>,
    /// The keys of tokens.
    pub keys: Arc<TokenKeys>,
    /// What needs a token.
    pub protection: ProtectionLevel,
    /// The Autosubmit installation that keeps its tables on a server.
    pub installation: Option<Arc<Installation>>,
}

/// The objects that the unpaged lists of an operation may still hand out. The cost before the execution takes each such
/// list for a short one; this is what happens when they are not.
pub struct Budget(AtomicU64);

/// Objects in the unpaged lists of one operation, at most.
const MOST_UNPAGED: u64 = 500_000;
/// As many bytes of long texts (JSON, the ends of logs) count as one object.
const BYTES_OF_OBJECT: usize = 100;

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU64::new(MOST_UNPAGED))
    }
}

/// Shortcuts for resolvers.
pub trait ContextExt {
    /// What all operations share.
    fn services(&self) -> Result<&Services, Error>;
    /// Who asks.
    fn viewer(&self) -> Result<&Viewer, Error>;
    /// The loaders of this operation.
    fn loaders(&self) -> Result<&Loaders, Error>;

    /// Does the selection of this connection name `totalCount`? Only then is it worth counting.
    fn wants_total(&self) -> bool;

    /// Takes the objects of an unpaged list off the budget of the operation.
    fn charge(&self, objects: usize) -> Result<(), Error>;

    /// Takes a text of so many bytes off the same budget.
    fn charge_bytes(&self, bytes: usize) -> Result<(), Error> {
        self.charge(bytes.div_ceil(BYTES_OF_OBJECT))
    }

    /// labql's own database.
    fn database(&self) -> Result<&Database, Error> {
        Ok(&self.services()?.database)
    }

    /// Refuses who may not read.
    fn check_read(&self) -> Result<(), Error> {
        let level = self.services()?.protection;
        level.check_read(self.viewer()?).map_err(refused)
    }

    /// Refuses who may not change what belongs to the laboratory.
    fn check_write(&self) -> Result<(), Error> {
        let level = self.services()?.protection;
        level.check_write(self.viewer()?).map_err(refused)
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

    fn wants_total(&self) -> bool {
        self.look_ahead().field("totalCount").exists()
    }

    fn charge(&self, objects: usize) -> Result<(), Error> {
        let budget = self.data::<Budget>();
        spend(budget.map_err(|error| internal(error.message))?, objects)
    }

    fn loaders(&self) -> Result<&Loaders, Error> {
        self.data::<Loaders>()
            .map_err(|error| internal(error.message))
    }
}

/// Takes from the budget; once it is spent, everything fails.
fn spend(budget: &Budget, objects: usize) -> Result<(), Error> {
    let objects = u64::try_from(objects).unwrap_or(u64::MAX);
    let take = |left: u64| left.checked_sub(objects);
    let taken = budget
        .0
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    if taken.is_ok() {
        return Ok(());
    }
    budget.0.store(0, Ordering::Relaxed);
    Err(ErrorCode::TooComplex.error(format!(
        "the lists without pages hold more than {MOST_UNPAGED} objects"
    )))
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
        Failure::TooSlow(inside) => {
            tracing::warn!(error = inside, "a statement was stopped");
            ErrorCode::Unavailable.error("the database took too long; ask for less")
        }
        Failure::SourceUnavailable(inside) => {
            tracing::error!(error = inside, "a source cannot be reached");
            ErrorCode::Unavailable.error("the source cannot be reached just now")
        }
        Failure::Unwritable(inside) => {
            tracing::error!(error = inside, "the database cannot be written");
            ErrorCode::Unavailable.error("the database cannot be written just now")
        }
        Failure::Rejected(rejection) => {
            let code = match rejection.code {
                RejectionCode::BadInput => ErrorCode::BadInput,
                RejectionCode::Conflict => ErrorCode::Conflict,
                RejectionCode::NotFound => ErrorCode::NotFound,
                RejectionCode::Unauthenticated => ErrorCode::Unauthenticated,
                RejectionCode::RateLimited => ErrorCode::RateLimited,
                RejectionCode::TooComplex => ErrorCode::TooComplex,
            };
            code.error(match rejection.field {
                Some(field) => format!("{field}: {}", rejection.message),
                None => rejection.message,
            })
        }
    }
}
