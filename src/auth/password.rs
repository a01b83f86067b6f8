//! Passwords: Argon2id with the parameters that its authors recommend, in the PHC string format.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// The shortest password that is accepted, in characters.
pub const SHORTEST: usize = 8;
/// The longest password that is accepted, in bytes: hashing is not free.
pub const LONGEST: usize = 1024;

/// Argon2 takes 19 MiB and a core for its time: no more than this run at once, the others wait.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(2, NonZeroUsize::get))
});

/// A password that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Length,
    /// The hash could not be made.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// Hashes a new password, away from the threads that serve requests.
pub async fn hash(password: String) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError::Length);
    }
    let hash = move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| PasswordError::Hash(error.to_string()))
    };
    let _turn = TURNS.acquire().await;
    tokio::task::spawn_blocking(hash)
        .await
        .map_err(|error| PasswordError::Hash(error.to_string()))?
}

/// Is this the password? Without a hash to compare with, the same work is done in vain, so that the time an answer
/// takes does not tell which user names exist.
pub async fn verify(password: String, hash: Option<String>) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    let verify = move || match hash.as_deref().map(PasswordHash::new) {
        Some(Ok(hash)) => Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok(),
        Some(Err(_)) => false,
        None => {
            let _ = Argon2::default().hash_password(password.as_bytes());
            false
        }
    };
    let _turn = TURNS.acquire().await;
    tokio::task::spawn_blocking(verify).await.unwrap_or(false)
}
