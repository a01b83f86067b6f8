//! Who you are and what you may do.

pub mod access;
pub mod accounts;
pub mod api_key;
pub mod authenticator;
mod cache;
pub(crate) mod changes;
pub(crate) mod idempotency;
pub mod password;
pub mod people;
pub mod policy;
pub mod token;
pub mod viewer;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use access::Access;
pub use policy::ProtectionLevel;
pub use viewer::{AuthError, Authenticator, Credential, Viewer};

use crate::config::Secret;

/// Settings of the guard.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// What needs a token.
    pub protection_level: ProtectionLevel,
    /// Signs labql's own tokens with HS256; without it and without `signing_key_file`, a secret is made at the first
    /// start and kept in the data folder.
    pub secret: Option<Secret>,
    /// A PEM file with an Ed25519, RSA or P-256 private key that signs labql's own tokens instead.
    pub signing_key_file: Option<PathBuf>,
    /// The issuer (`iss`) of labql's own tokens.
    pub issuer: String,
    /// The audience (`aud`) of labql's own tokens.
    pub audience: String,
    /// How long labql's own tokens are valid, in seconds.
    pub token_life_seconds: u64,
    /// Keys of other issuers whose tokens are accepted.
    pub keys: Vec<TrustedKey>,
}

/// A key of another issuer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// The key id (`kid`) that a token must name; without it any token of this algorithm is tried.
    #[serde(default)]
    pub kid: Option<String>,
    /// HS256, RS256, ES256 or EdDSA; a token with another algorithm is never checked against this key.
    pub algorithm: token::TokenAlgorithm,
    /// HS256: the shared secret.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// RS256, ES256, EdDSA: a PEM file with the public key.
    #[serde(default)]
    pub public_key_file: Option<PathBuf>,
    /// The issuer (`iss`) that a token must name.
    pub issuer: String,
    /// The audience (`aud`) that a token must name.
    pub audience: String,
    /// Do the issuer's names stand for the accounts of the same names here, with their rights? If not, its people may
    /// do what any signed-in user may, and nothing more.
    #[serde(default)]
    pub accounts: bool,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            protection_level: ProtectionLevel::All,
            secret: None,
            signing_key_file: None,
            issuer: "labql".into(),
            audience: "labql".into(),
            token_life_seconds: 24 * 60 * 60,
            keys: Vec::new(),
        }
    }
}
