//! Failures of mutations that the caller can do something about.

use async_graphql::{Enum, Error, SimpleObject};

use super::context::failed;
use crate::failure::{Failure, Rejection, RejectionCode};

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "RejectionCode")]
pub enum UserErrorCode {
    /// A value cannot be accepted.
    BadInput,
    /// It contradicts what is there.
    Conflict,
    /// What the input names does not exist, or not for you.
    NotFound,
    /// User name or password is wrong.
    Unauthenticated,
    /// Too many attempts, or too much under way: try again later.
    RateLimited,
    /// It is more than an answer may have.
    TooComplex,
}

/// Why a mutation did not do what it was asked to.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    /// What kind of failure it is.
    pub code: UserErrorCode,
    /// The input field at fault; null: none in particular.
    pub field: Option<String>,
    /// What is wrong, for a person.
    pub message: String,
}

impl From<Rejection> for UserError {
    fn from(rejection: Rejection) -> Self {
        Self {
            code: rejection.code.into(),
            field: rejection.field.map(str::to_owned),
            message: rejection.message,
        }
    }
}

/// The result of a command for a payload: what it made, or the reasons of the caller. Failures of our own stay errors
/// of the whole field.
pub fn payload<T>(result: Result<T, Failure>) -> Result<(Option<T>, Vec<UserError>), Error> {
    match result {
        Ok(made) => Ok((Some(made), Vec::new())),
        Err(Failure::Rejected(rejection)) => Ok((None, vec![rejection.into()])),
        Err(failure) => Err(failed(failure)),
    }
}
