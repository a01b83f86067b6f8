//! JSON web tokens: labql's own, and those of issuers that the configuration trusts.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{AuthConfig, TrustedKey};
use crate::files;

/// How far two clocks may differ, in seconds.
const LEEWAY_SECONDS: u64 = 5;

/// The algorithms that are accepted.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// HMAC with SHA-256.
    HS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl From<TokenAlgorithm> for Algorithm {
    fn from(algorithm: TokenAlgorithm) -> Self {
        match algorithm {
            TokenAlgorithm::HS256 => Self::HS256,
            TokenAlgorithm::RS256 => Self::RS256,
            TokenAlgorithm::ES256 => Self::ES256,
            TokenAlgorithm::EdDSA => Self::EdDSA,
        }
    }
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("key file {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The file is there, but others may read it.
    #[error("key file {0} can be read by others: make it readable by its owner only (chmod 600)")]
    Open(PathBuf),
    /// The file holds no key of a known kind.
    #[error("key file {0} holds no Ed25519, RSA or P-256 key in PEM form")]
    Unknown(PathBuf),
    /// A trusted key lacks its secret or its file.
    #[error("the trusted key of issuer {0} needs {1}")]
    Incomplete(String, &'static str),
    /// A secret is too short to keep anything.
    #[error("the secret that signs tokens must have at least 32 bytes")]
    Short,
    /// The system gave no randomness.
    #[error("no randomness for a new secret")]
    Randomness,
    /// The token could not be signed.
    #[error("the token could not be signed: {0}")]
    Sign(jsonwebtoken::errors::Error),
}

/// Why a token is refused: for the log only.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a token, or with an algorithm that is never accepted, such as `none`.
    #[error("not a signed token of a known algorithm: {0}")]
    Header(jsonwebtoken::errors::Error),
    /// No key fits the algorithm and the key id.
    #[error("no key for algorithm {0:?} and key id {1:?}")]
    NoKey(Algorithm, Option<String>),
    /// Signature, expiry, issuer or audience is wrong.
    #[error("{0}")]
    Invalid(jsonwebtoken::errors::Error),
}

/// The claims that labql reads and writes.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Option<serde_json::Value>,
    #[serde(default)]
    jti: Option<String>,
}

/// What a good token says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Whom it names.
    pub username: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Does it speak for the account of that name? labql's own tokens do, those of others where the configuration says.
    pub for_account: bool,
    /// Was it issued by this labql?
    pub own: bool,
}

struct VerificationKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
    for_account: bool,
    own: bool,
}

/// All keys: the one that signs, and those that verify.
pub struct TokenKeys {
    signing: EncodingKey,
    header: Header,
    issuer: String,
    audience: String,
    life: TimeDelta,
    verification: Vec<VerificationKey>,
}

impl TokenKeys {
    /// Reads the keys that the configuration names. At the first start, when it names none, a secret is made in
    /// `data_dir` in a file that only its owner can read.
    pub fn load(config: &AuthConfig, data_dir: &Path) -> Result<Self, KeyError> {
        let (algorithm, signing, own) = own_key(config, data_dir)?;
        let mut verification = vec![VerificationKey {
            kid: None,
            algorithm,
            key: own,
            validation: validation(algorithm, &config.issuer, &config.audience),
            for_account: true,
            own: true,
        }];
        for trusted in &config.keys {
            verification.push(trusted_key(trusted)?);
        }
        Ok(Self {
            signing,
            header: Header::new(algorithm),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            life: TimeDelta::seconds(
                i64::try_from(config.token_life_seconds).unwrap_or(i64::from(u32::MAX)),
            ),
            verification,
        })
    }

    /// A token for a user, valid from `now` for `life` or the configured time.
    pub fn issue(
        &self,
        username: &str,
        now: DateTime<Utc>,
        life: Option<TimeDelta>,
    ) -> Result<(String, DateTime<Utc>), KeyError> {
        let expires_at = now
            .checked_add_signed(life.unwrap_or(self.life))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let claims = Claims {
            sub: username.to_owned(),
            exp: expires_at.timestamp(),
            iat: Some(now.timestamp()),
            iss: Some(self.issuer.clone()),
            aud: Some(self.audience.clone().into()),
            jti: Some(uuid::Uuid::now_v7().to_string()),
        };
        let token =
            jsonwebtoken::encode(&self.header, &claims, &self.signing).map_err(KeyError::Sign)?;
        let expires_at = DateTime::from_timestamp(expires_at.timestamp(), 0).unwrap_or(expires_at);
        Ok((token, expires_at))
    }

    /// Checks signature, algorithm, expiry, issuer and audience against the key that fits.
    pub fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(TokenError::Header)?;
        let fits = |key: &&VerificationKey| {
            key.algorithm == header.alg && (key.kid.is_none() || key.kid == header.kid)
        };
        let mut last = None;
        for key in self.verification.iter().filter(fits) {
            match jsonwebtoken::decode::<Claims>(token, &key.key, &key.validation) {
                Ok(data) => {
                    return Ok(Verified {
                        username: data.claims.sub,
                        expires_at: DateTime::from_timestamp(data.claims.exp, 0)
                            .unwrap_or(DateTime::<Utc>::MAX_UTC),
                        for_account: key.for_account,
                        own: key.own,
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) => TokenError::Invalid(error),
            None => TokenError::NoKey(header.alg, header.kid),
        })
    }
}

fn validation(algorithm: Algorithm, issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY_SECONDS;
    validation
}

fn own_key(
    config: &AuthConfig,
    data_dir: &Path,
) -> Result<(Algorithm, EncodingKey, DecodingKey), KeyError> {
    if let Some(path) = &config.signing_key_file {
        let pem = read_private(path)?;
        let unknown = || KeyError::Unknown(path.clone());
        let candidates = [
            (Algorithm::EdDSA, EncodingKey::from_ed_pem(&pem)),
            (Algorithm::ES256, EncodingKey::from_ec_pem(&pem)),
            (Algorithm::RS256, EncodingKey::from_rsa_pem(&pem)),
        ];
        for (algorithm, key) in candidates {
            let Ok(key) = key else { continue };
            let jwk = Jwk::from_encoding_key(&key, algorithm).map_err(|_| unknown())?;
            let public = DecodingKey::from_jwk(&jwk).map_err(|_| unknown())?;
            return Ok((algorithm, key, public));
        }
        return Err(unknown());
    }
    let secret = match &config.secret {
        Some(secret) => secret.expose().as_bytes().to_vec(),
        None => kept_secret(&data_dir.join("token.secret"))?,
    };
    if secret.len() < 32 {
        return Err(KeyError::Short);
    }
    Ok((
        Algorithm::HS256,
        EncodingKey::from_secret(&secret),
        DecodingKey::from_secret(&secret),
    ))
}

fn trusted_key(trusted: &TrustedKey) -> Result<VerificationKey, KeyError> {
    let missing = |what| KeyError::Incomplete(trusted.issuer.clone(), what);
    let algorithm = Algorithm::from(trusted.algorithm);
    let key = if trusted.algorithm == TokenAlgorithm::HS256 {
        let secret = trusted.secret.as_ref().ok_or(missing("a `secret`"))?;
        if secret.expose().len() < 32 {
            return Err(KeyError::Short);
        }
        DecodingKey::from_secret(secret.expose().as_bytes())
    } else {
        let path = trusted
            .public_key_file
            .as_ref()
            .ok_or(missing("a `public_key_file`"))?;
        let pem = std::fs::read(path).map_err(|error| KeyError::File(path.clone(), error))?;
        match trusted.algorithm {
            TokenAlgorithm::RS256 => DecodingKey::from_rsa_pem(&pem),
            TokenAlgorithm::ES256 => DecodingKey::from_ec_pem(&pem),
            _ => DecodingKey::from_ed_pem(&pem),
        }
        .map_err(|_| KeyError::Unknown(path.clone()))?
    };
    Ok(VerificationKey {
        kid: trusted.kid.clone(),
        algorithm,
        key,
        validation: validation(algorithm, &trusted.issuer, &trusted.audience),
        for_account: trusted.accounts,
        own: false,
    })
}

/// The secret of this installation: read if it is there, made if not. Two processes that start together agree.
fn kept_secret(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |error| KeyError::File(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        files::private_folder(folder).map_err(failed)?;
    }
    if !path.exists() {
        let secret = super::api_key::random_text().map_err(|_| KeyError::Randomness)?;
        let draft = path.with_extension(format!("new-{}", uuid::Uuid::now_v7()));
        let mut file = files::private_file(&draft).map_err(failed)?;
        file.write_all(secret.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // A link appears whole or not at all, and never replaces the secret of the process that was faster.
        let linked = std::fs::hard_link(&draft, path);
        std::fs::remove_file(&draft).map_err(failed)?;
        match linked {
            Ok(()) => tracing::info!(path = %path.display(), "made a new secret that signs tokens"),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    read_private(path)
}

/// Reads a file that holds a secret, and refuses one that others could have read.
fn read_private(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |error| KeyError::File(path.to_owned(), error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Open(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
