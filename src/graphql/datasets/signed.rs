//! URLs under which anybody reads from a bucket for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Error, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::dataset::Dataset;
use super::manifest::DatasetItem;
use crate::datasets::read::overlays;
use crate::datasets::readers::{DatasetUri, Part, ReadError, Store};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::ErrorCode;
use crate::graphql::rows::Rows;

/// URLs of the files that describe a dataset in a bucket. Whoever has one reads that file, and needs no account.
#[derive(Clone)]
pub struct DatasetSignedUrls {
    expires_at: DateTime<Utc>,
    few: [String; 3],
    overlays: Vec<NamedUrl>,
    annotations: Vec<NamedUrl>,
}

/// URLs of the files that describe a dataset in a bucket. Whoever has one reads that file, and needs no account.
#[row]
impl DatasetSignedUrls {
    /// When they cease to be good.
    fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Of `dtool`: who and what it is.
    fn admin_metadata(&self) -> &str {
        &self.few[0]
    }

    /// Of the manifest.
    fn manifest(&self) -> &str {
        &self.few[1]
    }

    /// Of the README.
    fn readme(&self) -> &str {
        &self.few[2]
    }

    /// Of the overlays, by name.
    fn overlays(&self) -> Rows<NamedUrl> {
        self.overlays.clone().into()
    }

    /// Of the annotations, by name.
    fn annotations(&self) -> Rows<NamedUrl> {
        self.annotations.clone().into()
    }
}

/// The URL of something with a name.
#[derive(Clone)]
pub struct NamedUrl {
    name: String,
    url: String,
}

/// The URL of something with a name.
#[row]
impl NamedUrl {
    /// The name.
    fn name(&self) -> &str {
        &self.name
    }

    /// The URL.
    fn url(&self) -> &str {
        &self.url
    }
}

/// For how long URLs are good: services refuse more than seven days.
fn lifetime(ctx: &Context<'_>) -> Result<Duration> {
    let seconds = ctx.services()?.storage.signed_url_seconds;
    Ok(Duration::from_secs(seconds.clamp(1, 7 * 24 * 3600).into()))
}

/// URLs of parts of a dataset; none: it lies in no bucket that is configured.
async fn sign(ctx: &Context<'_>, uri: &str, parts: &[Part<'_>]) -> Result<Option<Vec<String>>> {
    let settings = &ctx.services()?.storage;
    let Ok(uri) = DatasetUri::parse(uri) else {
        return Ok(None);
    };
    let Ok(store) = Store::open(uri.base(), settings) else {
        return Ok(None);
    };
    match store.signed_urls(&uri, parts, lifetime(ctx)?).await {
        Ok(urls) => Ok(urls),
        // Somebody has told of it, and it is not there.
        Err(ReadError::Missing) => Ok(None),
        Err(error) => Err(broken(&uri, &error)),
    }
}

fn broken(uri: &DatasetUri, error: &ReadError) -> Error {
    tracing::warn!(%uri, %error, "a dataset cannot be looked for");
    let code = if error.is_transient() {
        ErrorCode::Unavailable
    } else {
        ErrorCode::SourceBroken
    };
    code.error("the bucket does not say where the dataset lies")
}

/// `Dataset.signedUrls`.
pub(super) async fn of_dataset(
    dataset: &Dataset,
    ctx: &Context<'_>,
) -> Result<Option<DatasetSignedUrls>> {
    let expires_at = Utc::now() + lifetime(ctx)?;
    let id = dataset.row.id;
    let mut overlays = overlays::of_datasets(ctx.database()?, &[id])
        .await
        .map_err(failed)?;
    let overlays = overlays.remove(&id).unwrap_or_default();
    let annotations: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&dataset.row.annotations).unwrap_or_default();
    let mut parts = vec![Part::Admin, Part::Manifest, Part::Readme];
    parts.extend(overlays.iter().map(|overlay| Part::Overlay(&overlay.name)));
    parts.extend(annotations.keys().map(|name| Part::Annotation(name)));
    ctx.charge(parts.len())?;
    let Some(urls) = sign(ctx, &dataset.row.uri, &parts).await? else {
        return Ok(None);
    };
    let mut urls = urls.into_iter();
    let few = std::array::from_fn(|_| urls.next().unwrap_or_default());
    let mut named = |name: &str| NamedUrl {
        name: name.to_owned(),
        url: urls.next().unwrap_or_default(),
    };
    Ok(Some(DatasetSignedUrls {
        expires_at,
        few,
        overlays: overlays
            .iter()
            .map(|overlay| named(&overlay.name))
            .collect(),
        annotations: annotations.keys().map(|name| named(name)).collect(),
    }))
}

/// `DatasetItem.signedUrl`.
pub(super) async fn of_items(
    items: &[DatasetItem],
    ctx: &Context<'_>,
) -> Result<impl Fn(&DatasetItem) -> Option<String> + use<>> {
    let mut by_dataset: HashMap<&str, Vec<&str>> = HashMap::new();
    for item in items {
        let of = by_dataset.entry(&item.dataset.uri).or_default();
        of.push(&item.row.identifier);
    }
    let mut signed: HashMap<(i64, String), String> = HashMap::new();
    let ids: HashMap<&str, i64> = items
        .iter()
        .map(|item| (item.dataset.uri.as_str(), item.dataset.id))
        .collect();
    for (uri, identifiers) in by_dataset {
        let parts: Vec<Part<'_>> = identifiers.iter().map(|id| Part::Item(id)).collect();
        let urls = sign(ctx, uri, &parts).await?.unwrap_or_default();
        let id = ids.get(uri).copied().unwrap_or_default();
        let names = identifiers.into_iter().map(|name| (id, name.to_owned()));
        signed.extend(names.zip(urls));
    }
    let signed = Arc::new(signed);
    Ok(move |item: &DatasetItem| {
        let key = (item.dataset.id, item.row.identifier.clone());
        signed.get(&key).cloned()
    })
}
