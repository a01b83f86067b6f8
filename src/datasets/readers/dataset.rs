//! One dataset: whether it has changed, and what it is.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::stream;
use object_store::ObjectMeta;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::base_uri::DatasetUri;
use super::folder::unseen;
use super::layout::{Collection, Layout};
use super::problem::{Problem, ReadError};
use super::settings::Limits;
use super::store::Store;
use super::{admin, manifest, names, readme};
use crate::datasets::document::{Document, Manifest, Overlay, Readme, TOO_DEEP, is_shallow};

/// Stands in every fingerprint. What the readers make of a dataset may change with labql; then all are read again.
const VERSION: &str = "1";
/// The most files that are looked at beside the collections. There are few, but for old READMEs.
const MAX_FILES: usize = 10_000;
/// Files of one dataset that are read at once.
const READS_AT_ONCE: usize = 8;

/// The files that a dataset is described by.
#[derive(Clone, Debug)]
pub struct Survey {
    uri: DatasetUri,
    layout: Layout,
    admin: ObjectMeta,
    manifest: Option<ObjectMeta>,
    readme: Option<ObjectMeta>,
    overlays: Vec<ObjectMeta>,
    annotations: Vec<ObjectMeta>,
    tags: Vec<ObjectMeta>,
    fingerprint: String,
}

/// What was read of a dataset.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The dataset.
    pub document: Document,
    /// The state that it was in.
    pub fingerprint: String,
    /// What is wrong with parts of it, which are missing in the document.
    pub problems: Vec<Problem>,
}

impl Survey {
    /// Tells a changed dataset from an unchanged one: sizes, times and tags of all files that describe it, and how much of
    /// them is read, as one hash. The items are not among them.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn files(&self) -> impl Iterator<Item = &ObjectMeta> {
        let few = [
            Some(&self.admin),
            self.manifest.as_ref(),
            self.readme.as_ref(),
        ];
        few.into_iter()
            .flatten()
            .chain(&self.overlays)
            .chain(&self.annotations)
            .chain(&self.tags)
    }

    fn hash(&self, limits: &Limits) -> String {
        let mut hash = Sha256::new();
        hash.update(VERSION);
        // Numbers always become JSON.
        hash.update(serde_json::to_vec(limits).unwrap_or_default());
        let mut files: Vec<_> = self.files().collect();
        files.sort_by(|a, b| a.location.cmp(&b.location));
        for file in files {
            hash.update([0]);
            hash.update(file.location.as_ref());
            hash.update([0]);
            hash.update(file.size.to_be_bytes());
            let time = file.last_modified;
            hash.update(time.timestamp().to_be_bytes());
            hash.update(time.timestamp_subsec_nanos().to_be_bytes());
            hash.update(file.e_tag.as_deref().unwrap_or_default());
        }
        hex::encode(hash.finalize())
    }

    /// The source of a problem with a file.
    fn source(&self, file: &ObjectMeta) -> String {
        format!("{}/{}", self.uri, self.layout.relative(&file.location))
    }

    fn problem(&self, file: &ObjectMeta, error: &ReadError) -> Problem {
        Problem::of(self.source(file), error)
    }
}

impl Store {
    /// Looks at the files that describe a dataset, without reading them.
    ///
    /// # Errors
    /// A [`Problem`]: there is no dataset, or it cannot be seen.
    pub async fn survey(&self, uri: &DatasetUri) -> Result<Survey, Problem> {
        let found = self.find(uri).await?;
        found.ok_or_else(|| Problem::new(uri.as_str(), "there is no dataset"))
    }

    /// As [`Store::survey`]; none if storage says that there is no dataset.
    ///
    /// # Errors
    /// A [`Problem`]: it cannot be seen whether there is one, or what it is.
    pub async fn find(&self, uri: &DatasetUri) -> Result<Option<Survey>, Problem> {
        let failed = |error: ReadError| Problem::of(uri.as_str(), &error);
        let layout = match self.layout(uri).await {
            Err(ReadError::Missing) => {
                self.confirm_absence(uri).await.map_err(failed)?;
                return Ok(None);
            }
            layout => layout.map_err(failed)?,
        };
        let metadata = match self.children(layout.metadata(), MAX_FILES).await {
            Err(ReadError::Missing) => return Ok(None),
            metadata => metadata.map_err(failed)?,
        };
        let Some(admin) = metadata.file(&layout.admin()).cloned() else {
            return Ok(None);
        };
        let readme = layout.readme();
        let readme = match metadata.file(&readme) {
            Some(file) => Some(file.clone()),
            // In a folder it lies beside what dtool keeps.
            None => self
                .stat(&readme)
                .await
                .unwrap_or_else(|_| Some(unseen(readme))),
        };
        let mut collections = [const { Vec::new() }; 3];
        let all = [
            Collection::Overlays,
            Collection::Annotations,
            Collection::Tags,
        ];
        for (found, collection) in collections.iter_mut().zip(all) {
            if metadata.has_folder(collection.folder()) {
                let folder = layout.collection(collection);
                let files = self.children(&folder, self.limits().metadata_files).await;
                *found = files
                    .map_err(|error| {
                        Problem::of(format!("{uri}/{}", layout.relative(&folder)), &error)
                    })?
                    .objects;
            }
        }
        let [overlays, annotations, tags] = collections;
        let mut survey = Survey {
            uri: uri.clone(),
            manifest: metadata.file(&layout.manifest()).cloned(),
            layout,
            admin,
            readme,
            overlays,
            annotations,
            tags,
            fingerprint: String::new(),
        };
        survey.fingerprint = survey.hash(self.limits());
        Ok(Some(survey))
    }

    /// Reads the dataset of a survey.
    ///
    /// # Errors
    /// A [`Problem`]: who and what it is, or its manifest, cannot be read. Anything else is a problem of the reading.
    pub async fn read(&self, survey: &Survey) -> Result<Reading, Problem> {
        let limits = self.limits();
        let failed = |file| move |error: ReadError| survey.problem(file, &error);
        let mut problems = Vec::new();

        let admin = self.bytes(&survey.admin.location, admin::MAX_BYTES).await;
        let admin = admin.and_then(|bytes| admin::parse(&bytes));
        let admin = admin.map_err(failed(&survey.admin))?;
        let manifest = match (&survey.manifest, admin.frozen_at) {
            (_, None) => None,
            (Some(file), Some(_)) => Some(self.manifest(file).await.map_err(failed(file))?),
            (None, Some(_)) => {
                let source = format!(
                    "{}/{}",
                    survey.uri,
                    survey.layout.relative(&survey.layout.manifest())
                );
                return Err(Problem::new(
                    source,
                    "the dataset is frozen, but has no manifest",
                ));
            }
        };
        let readme = self.readme(survey, &mut problems).await;
        let annotations = self.values(
            survey,
            &survey.annotations,
            limits.annotation_bytes,
            &mut problems,
        );
        let annotations: Map<String, Value> = annotations
            .await
            .into_iter()
            .map(|(_, name, value)| (name, value))
            .collect();
        let values = self
            .values(
                survey,
                &survey.overlays,
                limits.overlay_bytes,
                &mut problems,
            )
            .await;
        let overlays = overlays(survey, values, &mut problems);
        let tags = tags(survey, &mut problems);
        Ok(Reading {
            document: Document {
                uri: survey.uri.to_string(),
                base_uri: survey.uri.base().to_string(),
                uuid: admin.uuid,
                name: admin.name,
                creator_username: admin.creator_username,
                created_at: admin.created_at,
                frozen_at: admin.frozen_at,
                dtoolcore_version: admin.dtoolcore_version,
                readme,
                annotations,
                tags,
                item_count: manifest.as_ref().map(Manifest::item_count),
                size_bytes: manifest.as_ref().map(Manifest::size_bytes),
                manifest,
                overlays,
            },
            fingerprint: survey.fingerprint.clone(),
            problems,
        })
    }

    async fn manifest(&self, file: &ObjectMeta) -> Result<Manifest, ReadError> {
        let limits = self.limits();
        let bytes = self.bytes(&file.location, limits.manifest_bytes).await?;
        let most = limits.items;
        parsing(move || manifest::parse(&bytes, most)).await
    }

    /// One that is missing is empty, as it is before anybody has written one.
    async fn readme(&self, survey: &Survey, problems: &mut Vec<Problem>) -> Readme {
        let Some(file) = &survey.readme else {
            return readme::parse(String::new());
        };
        let read = async {
            let bytes = self
                .bytes(&file.location, self.limits().readme_bytes)
                .await?;
            parsing(move || Ok(readme::of_bytes(&bytes))).await
        };
        read.await.unwrap_or_else(|error| {
            problems.push(survey.problem(file, &error));
            readme::unread(error.to_string())
        })
    }

    /// The values of annotations or overlays with their names and files, as far as they can be read, and within the limit
    /// on all of them together.
    async fn values(
        &self,
        survey: &Survey,
        files: &[ObjectMeta],
        limit: u64,
        problems: &mut Vec<Problem>,
    ) -> Vec<(ObjectMeta, String, Value)> {
        let most = self.limits().metadata_bytes;
        let mut total = 0_u64;
        let mut chosen = Vec::new();
        for file in files {
            match names::of_json(file.location.filename().unwrap_or_default()) {
                Ok(name) => {
                    total = total.saturating_add(file.size);
                    if total <= most {
                        chosen.push((file.clone(), name.to_owned()));
                    } else {
                        let message = format_args!(
                            "is not read: with it there would be more than {most} bytes of its kind"
                        );
                        problems.push(Problem::new(survey.source(file), message));
                    }
                }
                Err(message) => problems.push(Problem::new(survey.source(file), message)),
            }
        }
        let read = stream::iter(chosen).map(|(file, name)| async move {
            let value = async {
                let bytes = self.bytes(&file.location, limit).await?;
                parsing(move || {
                    let value = serde_json::from_slice(&bytes).map_err(ReadError::invalid)?;
                    if is_shallow(&value) {
                        Ok(value)
                    } else {
                        Err(ReadError::invalid(TOO_DEEP))
                    }
                })
                .await
            };
            let value = value.await;
            (file, name, value)
        });
        let mut values = Vec::new();
        let mut read = read.buffered(READS_AT_ONCE);
        while let Some((file, name, value)) = read.next().await {
            match value {
                Ok(value) => values.push((file, name, value)),
                Err(error) => problems.push(survey.problem(&file, &error)),
            }
        }
        values
    }
}

fn overlays(
    survey: &Survey,
    values: Vec<(ObjectMeta, String, Value)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Overlay> {
    let mut overlays = BTreeMap::new();
    for (file, name, value) in values {
        let Value::Object(mut overlay) = value else {
            let message = "is not an object with a value for each item";
            problems.push(Problem::new(survey.source(&file), message));
            continue;
        };
        let number = overlay.len();
        overlay.retain(|identifier, _| manifest::is_identifier(identifier));
        let odd = number - overlay.len();
        if odd > 0 {
            let message =
                format_args!("{odd} of its values are left out: items have no such identifiers");
            problems.push(Problem::new(survey.source(&file), message));
        }
        overlays.insert(name, overlay);
    }
    overlays
}

fn tags(survey: &Survey, problems: &mut Vec<Problem>) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for file in &survey.tags {
        match names::of_tag(file.location.filename().unwrap_or_default()) {
            Ok(tag) => {
                tags.insert(tag.to_owned());
            }
            Err(message) => problems.push(Problem::new(survey.source(file), message)),
        }
    }
    tags
}

/// Parses on a thread that may block: a manifest may take a second.
async fn parsing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ReadError::Invalid(format!("cannot be read: {error}"))))
}
