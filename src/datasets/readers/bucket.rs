//! A bucket of S3, or of any service that speaks its protocol.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::settings::BucketSettings;
use crate::config::Secret;

/// How long a connection may take, and how long one that says nothing is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How often, and how long, a request that fails for a reason that may pass is repeated.
const MAX_RETRIES: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// A bucket, and the same as clients reach it.
pub(super) struct Bucket {
    /// For reading.
    pub(super) store: AmazonS3,
    /// For signing.
    pub(super) signer: AmazonS3,
}

impl Bucket {
    /// The bucket of a name. Nothing is asked of the service yet.
    pub(super) fn open(name: &str, settings: &BucketSettings) -> object_store::Result<Self> {
        // Whoever installed a provider before has done what is needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = settings.endpoint.as_deref();
        let store = build(name, settings, endpoint)?;
        let public = settings.public_endpoint.as_deref();
        let signer = match public {
            Some(_) => build(name, settings, public)?,
            None => store.clone(),
        };
        Ok(Self { store, signer })
    }
}

fn build(
    name: &str,
    settings: &BucketSettings,
    endpoint: Option<&str>,
) -> object_store::Result<AmazonS3> {
    let has_keys = settings.access_key_id.is_some() || settings.secret_access_key.is_some();
    let mut builder = if has_keys || settings.anonymous {
        AmazonS3Builder::new()
    } else {
        AmazonS3Builder::from_env()
    };
    // No limit on a request as a whole: items may be large.
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT)
        .with_allow_http(endpoint.is_some_and(|url| url.starts_with("http://")));
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    };
    builder = builder
        .with_bucket_name(name)
        .with_client_options(client)
        .with_retry(retry)
        .with_skip_signature(settings.anonymous)
        // Objects are deleted one at a time, and not all services know how to delete many.
        .with_disable_bulk_delete(true);
    let path_style = settings.path_style.unwrap_or(endpoint.is_some());
    builder = builder.with_virtual_hosted_style_request(!path_style);
    if let Some(url) = endpoint {
        builder = builder.with_endpoint(if path_style {
            url.to_owned()
        } else {
            with_bucket(url, name)
        });
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &settings.access_key_id {
        builder = builder.with_access_key_id(key);
    }
    if let Some(key) = settings.secret_access_key.as_ref().map(Secret::expose) {
        builder = builder.with_secret_access_key(key);
    }
    if let Some(token) = settings.session_token.as_ref().map(Secret::expose) {
        builder = builder.with_token(token);
    }
    builder.build()
}

/// The endpoint with the bucket in front of its host.
fn with_bucket(url: &str, bucket: &str) -> String {
    match url.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => url.to_owned(),
    }
}
