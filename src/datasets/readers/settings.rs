//! Which folders and buckets may be read, and how much of them; and what is made of what is in them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::datasets::lineage::DependencyKeys;
use crate::datasets::notifications::WebhookSettings;

/// Where datasets lie.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageSettings {
    /// The folders below which `file://` base URIs may lie; no other folder of the machine is read. Where one lies in
    /// another, the inner one counts.
    pub folders: Vec<FolderSettings>,
    /// The buckets that may be read, by name; `*` stands for all others.
    pub buckets: BTreeMap<String, BucketSettings>,
    /// How much is read.
    pub limits: Limits,
    /// Where in READMEs and annotations datasets name what they were derived from.
    pub dependency_keys: DependencyKeys,
    /// For how many seconds a signed URL is good: at most seven days.
    pub signed_url_seconds: u32,
    /// Who may tell of changes in buckets.
    pub webhook: WebhookSettings,
}

impl StorageSettings {
    /// How a bucket of this name is reached; none if it may not be read.
    pub fn bucket(&self, name: &str) -> Option<&BucketSettings> {
        self.buckets.get(name).or_else(|| self.buckets.get("*"))
    }
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            buckets: BTreeMap::new(),
            limits: Limits::default(),
            dependency_keys: DependencyKeys::default(),
            signed_url_seconds: 3_600,
            webhook: WebhookSettings::default(),
        }
    }
}

/// A folder of datasets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSettings {
    /// A base URI, or one above several, such as `file://storage.example.org/srv/dtool`.
    pub uri: String,
    /// Where this is on this machine; none: at the path in the URI.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Folders outside of it into which symbolic links may lead.
    #[serde(default)]
    pub allowed_folders: Vec<PathBuf>,
}

/// How a bucket is reached. Without keys, those of the environment (`AWS_ACCESS_KEY_ID`, a web identity, the machine's
/// role) are used.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BucketSettings {
    /// The URL of the service; none: Amazon's own in the region.
    pub endpoint: Option<String>,
    /// The URL of the service as clients outside reach it: signed URLs lead there. None: the endpoint.
    pub public_endpoint: Option<String>,
    /// The region; none: `us-east-1`, which most other services take.
    pub region: Option<String>,
    /// The access key.
    pub access_key_id: Option<String>,
    /// The secret key.
    pub secret_access_key: Option<Secret>,
    /// The token that belongs to temporary keys.
    pub session_token: Option<Secret>,
    /// Whether the bucket is a part of the path (`https://host/bucket`) instead of the host (`https://bucket.host`).
    /// None: a part of the path wherever there is an endpoint.
    pub path_style: Option<bool>,
    /// Whether requests are not signed: for public buckets.
    pub anonymous: bool,
}

/// The most that is read of a dataset.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// A manifest, in bytes.
    pub manifest_bytes: u64,
    /// Its items.
    pub items: usize,
    /// A README, in bytes.
    pub readme_bytes: u64,
    /// An annotation, in bytes.
    pub annotation_bytes: u64,
    /// An overlay, in bytes.
    pub overlay_bytes: u64,
    /// All annotations of a dataset, and all overlays, in bytes.
    pub metadata_bytes: u64,
    /// Annotations of a dataset, overlays, tags: so many files each.
    pub metadata_files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 256 << 20,
            items: 1_000_000,
            readme_bytes: 4 << 20,
            annotation_bytes: 4 << 20,
            overlay_bytes: 128 << 20,
            metadata_bytes: 256 << 20,
            metadata_files: 10_000,
        }
    }
}
