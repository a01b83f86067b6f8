//! Datasets in a folder, made by the tests themselves.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use labql::datasets::readers::{BaseUri, FolderSettings, Problem, Reading, StorageSettings, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const UUID: &str = "cc8c3a39-2a58-4d02-8c1d-3fc56552ec44";

/// A base URI.
pub struct Fixture {
    folder: TempDir,
    pub settings: StorageSettings,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().canonicalize().expect("a path");
        let settings = StorageSettings {
            folders: vec![FolderSettings {
                uri: format!("file://host{}", path.display()),
                path: None,
                allowed_folders: Vec::new(),
            }],
            ..StorageSettings::default()
        };
        Self { folder, settings }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn uri(&self) -> String {
        let path = self.folder.path().canonicalize().expect("a path");
        format!("file://host{}", path.display())
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
        self
    }

    /// A frozen dataset with an item `a.txt`.
    pub fn dataset(&self, name: &str) -> &Self {
        self.write(&format!("{name}/.dtool/dtool"), admin(name).to_string())
            .write(
                &format!("{name}/.dtool/manifest.json"),
                manifest(item("a.txt")).to_string(),
            )
            .write(&format!("{name}/README.yml"), "---\nproject: Tests\n")
            .write(&format!("{name}/data/a.txt"), "0123456789")
    }

    pub fn store(&self) -> Store {
        let base = BaseUri::parse(&self.uri()).expect("a base URI");
        Store::open(&base, &self.settings).expect("a store")
    }

    pub async fn read(&self, name: &str) -> Result<Reading, Problem> {
        read(&self.store(), name).await
    }

    /// What is wrong with a dataset, as far as it cannot be read at all.
    pub async fn refusal(&self, name: &str) -> String {
        let problem = self.read(name).await.expect_err("a problem");
        let uri = format!("{}/{name}", self.uri());
        let source = problem.source.strip_prefix(&uri).expect("in the dataset");
        format!("{source}: {}", problem.message)
    }
}

pub async fn read(store: &Store, name: &str) -> Result<Reading, Problem> {
    let uri = store.dataset(name).expect("a URI");
    let survey = store.survey(&uri).await?;
    store.read(&survey).await
}

/// The names of the datasets, and the problems.
pub async fn list(store: &Store) -> (Vec<String>, Vec<Problem>) {
    let (mut names, mut problems) = (Vec::new(), Vec::new());
    let mut found = store.list();
    while let Some(found) = found.next().await {
        match found {
            Ok(uri) => names.push(uri.name().to_owned()),
            Err(problem) => problems.push(problem),
        }
    }
    names.sort();
    (names, problems)
}

pub fn admin(name: &str) -> Value {
    json!({
        "uuid": UUID,
        "name": name,
        "type": "dataset",
        "creator_username": "ada",
        "created_at": 1_712_016_000.0,
        "frozen_at": 1_712_017_020.820_888,
        "dtoolcore_version": "3.19.0",
    })
}

pub fn manifest(items: Value) -> Value {
    json!({ "dtoolcore_version": "3.19.0", "hash_function": "md5sum_hexdigest", "items": items })
}

/// One item in a manifest.
pub fn item(relpath: &str) -> Value {
    json!({ "47ddfe38b8c66c0f9d98b9d802f220c84b4b30d4": {
        "hash": "781e5e245d69b566979b86e28d23f2c7",
        "relpath": relpath,
        "size_in_bytes": 10,
        "utc_timestamp": 1_712_012_400.5,
    }})
}

/// What stands outside of any base URI.
pub fn outside(content: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, content).expect("a file");
    (folder, file)
}

pub fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).expect("a link");
}
