//! API keys: 256 random bits with a recognisable prefix. A hash without salt is enough, since nobody can guess them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::TryRng;
use sha2::{Digest as _, Sha256};

use crate::config::Secret;

/// What every key begins with, so that scanners for leaked secrets can find it.
const PREFIX: &str = "labql_";

/// A new key. It is shown once; [`hash`] of it is kept.
pub fn generate() -> Result<Secret, rand::rngs::SysError> {
    Ok(Secret::from(format!("{PREFIX}{}", random_text()?)))
}

/// SHA-256.
pub(super) type Digest = [u8; 32];

/// What stands for a key, or for another credential, in memory.
pub(super) fn digest(key: &str) -> Digest {
    Sha256::digest(key.as_bytes()).into()
}

/// What is kept of a key: SHA-256, hexadecimal.
pub fn hash(key: &str) -> String {
    hex::encode(digest(key))
}

/// 256 random bits in base64url.
pub(super) fn random_text() -> Result<String, rand::rngs::SysError> {
    let mut bytes = [0_u8; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
