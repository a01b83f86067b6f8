//! The storage that may be read, and what of it is open.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::task::spawn_blocking;

use super::base_uri::{BaseUri, Place};
use super::problem::StoreError;
use super::settings::StorageSettings;
use super::store::Store;

/// The most buckets that are kept open; a bucket of the settings may stand for any number of them.
const MOST_BUCKETS: u64 = 256;
/// The longest that a signed URL is good: services refuse more.
const LONGEST_SIGNED: u32 = 7 * 24 * 3600;

/// The storage that may be read. Buckets stay open, with their connections, the keys that were fetched for them, and the
/// certificates that are trusted. Folders are opened anew each time, since one may be a link that leads elsewhere meanwhile.
pub struct Storage {
    settings: Arc<StorageSettings>,
    buckets: Cache<String, Store>,
}

impl Storage {
    /// The storage of a base URI.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub async fn open(&self, base: &BaseUri) -> Result<Store, StoreError> {
        let Place::Bucket(name) = base.place() else {
            return self.open_anew(base).await;
        };
        if let Some(store) = self.buckets.get(name) {
            return Ok(store);
        }
        let store = self.open_anew(base).await?;
        self.buckets.insert(name.clone(), store.clone());
        Ok(store)
    }

    /// On a thread that may block: paths are looked at, and certificates read.
    async fn open_anew(&self, base: &BaseUri) -> Result<Store, StoreError> {
        let (settings, of) = (Arc::clone(&self.settings), base.clone());
        let opened = spawn_blocking(move || Store::open(&of, &settings)).await;
        opened.unwrap_or_else(|error| {
            Err(StoreError::Folder {
                path: base.to_string(),
                source: io::Error::other(error),
            })
        })
    }

    /// May a bucket of this name be read?
    pub fn has_bucket(&self, name: &str) -> bool {
        self.settings.bucket(name).is_some()
    }

    /// For how long signed URLs are good.
    pub fn signed_url_lifetime(&self) -> Duration {
        let seconds = self.settings.signed_url_seconds.clamp(1, LONGEST_SIGNED);
        Duration::from_secs(seconds.into())
    }
}

impl From<StorageSettings> for Storage {
    fn from(settings: StorageSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            buckets: Cache::new(MOST_BUCKETS),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        StorageSettings::default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::readers::BucketSettings;

    #[tokio::test]
    async fn a_bucket_is_opened_once() {
        let mut settings = StorageSettings::default();
        let bucket = BucketSettings {
            anonymous: true,
            ..BucketSettings::default()
        };
        settings.buckets.insert("lab".to_owned(), bucket);
        let storage = Storage::from(settings);
        let open = async |uri: &str| storage.open(&BaseUri::parse(uri).unwrap()).await;
        let (one, two) = (
            open("s3://lab").await.unwrap(),
            open("s3://lab").await.unwrap(),
        );
        assert!(one.is_same(&two));
        assert!(open("s3://other").await.is_err());
    }
}
