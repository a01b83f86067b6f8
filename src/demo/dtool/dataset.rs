//! One dataset: its parts, and where dtool puts them.

use std::path::Path;

use chrono::{DateTime, Duration, Utc};
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use sha1::Sha1;

use super::{BASE_URI, DatasetSummary, readme};
use crate::demo::chance::roll;
use crate::demo::{DemoError, files};

/// The version of dtoolcore whose way of writing this is.
const DTOOLCORE: &str = "3.18.3";
/// A salt of its own for each half of a UUID.
const UUID_SALTS: [u64; 2] = [11, 12];

/// A dataset to be written.
#[derive(Clone, Debug)]
pub(super) struct Dataset {
    /// Its name.
    pub name: &'static str,
    /// Who made it.
    pub creator: &'static str,
    /// How many days ago it was frozen.
    pub days_ago: i64,
    /// Whether it is frozen.
    pub is_frozen: bool,
    /// What it is, in a sentence.
    pub description: &'static str,
    /// The project that it belongs to.
    pub project: &'static str,
    /// More lines for its README.
    pub more: &'static str,
    /// A README that is no YAML, in place of the one that the fields above make.
    pub plain_readme: Option<&'static str>,
    /// The names of what it was derived from.
    pub parents: &'static [&'static str],
    /// Its tags.
    pub tags: &'static [&'static str],
    /// Its annotations, besides those that tell its parent.
    pub annotations: Vec<(&'static str, Value)>,
    /// Its items.
    pub items: Vec<Item>,
    /// What is said of each item, by the names of overlays.
    pub overlays: Vec<(&'static str, Said)>,
}

/// What an overlay says of an item.
pub(super) type Said = fn(&Item) -> Value;

/// A file in a dataset.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its path below `data`.
    pub relpath: String,
    /// What it holds.
    pub content: String,
}

impl Item {
    /// The SHA-1 of its path, by which dtool names it.
    fn identifier(&self) -> String {
        hex::encode(Sha1::digest(&self.relpath))
    }
}

/// The UUID of a dataset of this name: the same each time.
pub(super) fn uuid(name: &str) -> String {
    let [high, low] = UUID_SALTS.map(|salt| roll(0, salt, name));
    let bits = (u128::from(high) << 64) | u128::from(low);
    uuid::Builder::from_random_bytes(bits.to_be_bytes())
        .into_uuid()
        .to_string()
}

impl Dataset {
    /// Writes it into a folder of its own.
    pub(super) fn write(
        &self,
        path: &Path,
        now: DateTime<Utc>,
    ) -> Result<DatasetSummary, DemoError> {
        let frozen_at = now - Duration::days(self.days_ago);
        let created_at = frozen_at - Duration::minutes(90);
        let own = path.join(".dtool");
        files::folder(&own)?;
        for item in &self.items {
            let file = path.join("data").join(&item.relpath);
            files::folder(file.parent().unwrap_or(path))?;
            files::write(&file, &item.content, created_at)?;
        }
        files::folder(&path.join("data"))?;
        let readme = self
            .plain_readme
            .map_or_else(|| readme::of(self, created_at), str::to_owned);
        files::write(&path.join("README.yml"), readme, frozen_at)?;
        files::write(&own.join("README.txt"), EXPLANATION, created_at)?;
        json_file(&own.join("structure.json"), &structure(), created_at)?;
        for tag in self.tags {
            files::folder(&own.join("tags"))?;
            files::write(&own.join("tags").join(tag), "", frozen_at)?;
        }
        for (name, value) in self.all_annotations() {
            files::folder(&own.join("annotations"))?;
            let file = own.join("annotations").join(format!("{name}.json"));
            json_file(&file, &value, frozen_at)?;
        }
        let mut admin = json!({
            "uuid": uuid(self.name),
            "dtoolcore_version": DTOOLCORE,
            "name": self.name,
            "type": "protodataset",
            "creator_username": self.creator,
            "created_at": seconds(created_at),
        });
        if self.is_frozen {
            for (name, of) in &self.overlays {
                let values = self.items.iter().map(|item| (item.identifier(), of(item)));
                files::folder(&own.join("overlays"))?;
                let file = own.join("overlays").join(format!("{name}.json"));
                json_file(&file, &Value::Object(values.collect()), frozen_at)?;
            }
            json_file(
                &own.join("manifest.json"),
                &self.manifest(created_at),
                frozen_at,
            )?;
            admin["type"] = json!("dataset");
            admin["frozen_at"] = json!(seconds(frozen_at));
        }
        // Whoever looks takes it for a dataset from here on.
        files::write(&own.join("dtool"), admin.to_string(), frozen_at)?;
        Ok(DatasetSummary {
            name: self.name.to_owned(),
            uuid: uuid(self.name),
            is_frozen: self.is_frozen,
            items: self.items.len(),
            size_bytes: self.items.iter().map(|it| it.content.len() as u64).sum(),
            derived_from: self.parents.iter().map(|name| uuid(name)).collect(),
        })
    }

    fn manifest(&self, modified_at: DateTime<Utc>) -> Value {
        let items = self.items.iter().map(|item| {
            let of_item = json!({
                "hash": hex::encode(Md5::digest(&item.content)),
                "relpath": item.relpath,
                "size_in_bytes": item.content.len(),
                "utc_timestamp": seconds(modified_at),
            });
            (item.identifier(), of_item)
        });
        json!({
            "dtoolcore_version": DTOOLCORE,
            "hash_function": "md5sum_hexdigest",
            "items": items.collect::<Map<_, _>>(),
        })
    }

    /// With those by which dtool tells what one dataset was derived from; several are told by the README.
    fn all_annotations(&self) -> Vec<(&'static str, Value)> {
        let mut all = self.annotations.clone();
        if let [parent] = self.parents {
            all.push(("source_dataset_name", json!(parent)));
            all.push(("source_dataset_uri", json!(format!("{BASE_URI}/{parent}"))));
            all.push(("source_dataset_uuid", json!(uuid(parent))));
        }
        all
    }
}

/// Seconds since 1970-01-01 UTC, as Python's clock tells them.
fn seconds(time: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for some centuries")]
    let microseconds = time.timestamp_micros() as f64;
    microseconds / 1e6
}

fn json_file(path: &Path, value: &Value, time: DateTime<Utc>) -> Result<(), DemoError> {
    let text = serde_json::to_string_pretty(value).map_err(|source| DemoError::Json {
        path: path.to_owned(),
        source,
    })?;
    files::write(path, text, time)
}

/// Where dtool's storage on a disk keeps what.
fn structure() -> Value {
    json!({
        "admin_metadata_relpath": [".dtool", "dtool"],
        "annotations_directory": [".dtool", "annotations"],
        "data_directory": ["data"],
        "dataset_readme_relpath": ["README.yml"],
        "dtool_directory": [".dtool"],
        "dtool_readme_relpath": [".dtool", "README.txt"],
        "manifest_relpath": [".dtool", "manifest.json"],
        "metadata_fragments_directory": [".dtool", "tmp_fragments"],
        "overlays_directory": [".dtool", "overlays"],
        "storage_broker_version": DTOOLCORE,
        "structure_metadata_relpath": [".dtool", "structure.json"],
        "tags_directory": [".dtool", "tags"],
    })
}

const EXPLANATION: &str = "A dataset in dtool's format, written by labql's demo.
../README.yml describes it, ../data has its items, and what is beside this file tells of them.
";
