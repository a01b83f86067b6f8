//! URLs under which anybody reads from a bucket for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Error, Result};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use macros::row;
use serde_json::{Map, Value};

use super::dataset::Dataset;
use super::manifest::DatasetItem;
use super::overlay::OverlayList;
use crate::datasets::readers::{BaseUri, DatasetUri, Part, Place, ReadError, Store};
use crate::graphql::context::ContextExt;
use crate::graphql::error::ErrorCode;
use crate::graphql::level::Level;
use crate::graphql::rows::Rows;

/// How many buckets' objects are asked for at once where datasets lie.
const SIGNED_AT_ONCE: usize = 8;

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

/// The storage of datasets that lie in buckets, by their base URIs; none of those that are not configured.
async fn buckets<'u>(ctx: &Context<'_>, uris: impl Iterator<Item = &'u str>) -> Result<Buckets> {
    let storage = &ctx.services()?.storage;
    let mut buckets = Buckets::default();
    for uri in uris {
        let Ok(uri) = DatasetUri::parse(uri) else {
            continue;
        };
        let base = uri.base();
        if matches!(base.place(), Place::Bucket(_)) && !buckets.0.contains_key(base) {
            buckets
                .0
                .insert(base.clone(), storage.open(base).await.ok());
        }
    }
    Ok(buckets)
}

#[derive(Default)]
struct Buckets(HashMap<BaseUri, Option<Store>>);

impl Buckets {
    fn of(&self, uri: &str) -> Option<(DatasetUri, &Store)> {
        let uri = DatasetUri::parse(uri).ok()?;
        let store = self.0.get(uri.base())?.as_ref()?;
        Some((uri, store))
    }
}

/// URLs of parts of a dataset; none: it is not there, or nobody can say where.
async fn sign(
    store: &Store,
    uri: &DatasetUri,
    parts: &[Part<'_>],
    lifetime: Duration,
) -> Result<Option<Vec<String>>> {
    match store.signed_urls(uri, parts, lifetime).await {
        Ok(urls) => Ok(urls),
        // Somebody has told of it, and it is not there.
        Err(ReadError::Missing) => Ok(None),
        Err(error) => {
            tracing::warn!(%uri, %error, "a dataset cannot be looked for");
            if error.is_transient() {
                let message = "the bucket does not say where the dataset lies";
                return Err(ErrorCode::Unavailable.error(message));
            }
            // One of them that is broken does not hide the others.
            Ok(None)
        }
    }
}

/// `Dataset.signedUrls`.
pub(super) async fn of_datasets(
    datasets: &[Dataset],
    ctx: &Context<'_>,
) -> Result<impl Fn(&Dataset) -> Option<DatasetSignedUrls> + use<>> {
    let lifetime = ctx.services()?.storage.signed_url_lifetime();
    let expires_at = Utc::now() + lifetime;
    let uris = datasets.iter().map(|dataset| dataset.row.uri.as_str());
    let buckets = buckets(ctx, uris).await?;
    let in_buckets: Vec<(&Dataset, DatasetUri, &Store)> = datasets
        .iter()
        .filter_map(|dataset| {
            let (uri, store) = buckets.of(&dataset.row.uri)?;
            Some((dataset, uri, store))
        })
        .collect();
    let levels = in_buckets.iter().map(|(dataset, ..)| dataset.level());
    let overlays = Level::children_of_rows(levels, ctx.database()?, &OverlayList).await?;
    let names: Vec<Names> = in_buckets
        .iter()
        .map(|(dataset, ..)| {
            let overlays = overlays.of(dataset.row.id).into_iter();
            let annotations: Map<String, Value> =
                serde_json::from_str(&dataset.row.annotations).unwrap_or_default();
            Names {
                overlays: overlays
                    .flat_map(|(rows, _)| rows.iter().map(|row| row.name.clone()))
                    .collect(),
                annotations: annotations.into_iter().map(|(name, _)| name).collect(),
            }
        })
        .collect();
    ctx.charge(names.iter().map(Names::len).sum())?;
    let asked: Vec<_> = in_buckets
        .into_iter()
        .zip(names)
        .map(|((dataset, uri, store), names)| (dataset.row.id, uri, store.clone(), names))
        .collect();
    let mut signing = stream::iter(asked)
        .map(move |(id, uri, store, names)| async move {
            let urls = sign(&store, &uri, &names.parts(), lifetime).await?;
            let urls = urls.map(|urls| names.with(urls, expires_at));
            Ok::<_, Error>((id, urls))
        })
        .buffered(SIGNED_AT_ONCE);
    let mut signed = HashMap::new();
    while let Some(one) = signing.next().await {
        let (id, urls) = one?;
        signed.insert(id, urls);
    }
    Ok(move |dataset: &Dataset| signed.get(&dataset.row.id).cloned().flatten())
}

/// What of a dataset is signed for beside the files that each has.
struct Names {
    overlays: Vec<String>,
    annotations: Vec<String>,
}

impl Names {
    /// How many files these are.
    fn len(&self) -> usize {
        3 + self.overlays.len() + self.annotations.len()
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = vec![Part::Admin, Part::Manifest, Part::Readme];
        parts.extend(self.overlays.iter().map(|name| Part::Overlay(name)));
        parts.extend(self.annotations.iter().map(|name| Part::Annotation(name)));
        parts
    }

    /// With the URLs of these parts.
    fn with(self, urls: Vec<String>, expires_at: DateTime<Utc>) -> DatasetSignedUrls {
        let mut urls = urls.into_iter();
        let few = std::array::from_fn(|_| urls.next().unwrap_or_default());
        let mut named = |names: Vec<String>| -> Vec<NamedUrl> {
            let urls = names.into_iter().zip(urls.by_ref());
            urls.map(|(name, url)| NamedUrl { name, url }).collect()
        };
        DatasetSignedUrls {
            expires_at,
            few,
            overlays: named(self.overlays),
            annotations: named(self.annotations),
        }
    }
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
    let buckets = buckets(ctx, by_dataset.keys().copied()).await?;
    let lifetime = ctx.services()?.storage.signed_url_lifetime();
    for (uri, identifiers) in by_dataset {
        let Some((parsed, store)) = buckets.of(uri) else {
            continue;
        };
        let parts: Vec<Part<'_>> = identifiers.iter().map(|id| Part::Item(id)).collect();
        let urls = sign(store, &parsed, &parts, lifetime).await?;
        let urls = urls.unwrap_or_default();
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
