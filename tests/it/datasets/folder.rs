//! A folder with datasets that a laboratory may read.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::fixture::{admin, item, manifest};
use super::{ADMIN, Register};
use crate::support::Lab;

/// Its base URI.
pub const BASE: &str = "file://storage.example.org/srv/dtool";

/// A folder with datasets.
pub struct Folder(PathBuf);

impl Folder {
    pub fn of(lab: &mut Lab) -> Self {
        let path = lab.path("dtool");
        fs::create_dir_all(&path).expect("a folder");
        let folders = format!(r#"[{{uri="{BASE}",path="{}"}}]"#, path.display());
        lab.set("LABQL_DATASETS__FOLDERS", folders);
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a text")
    }

    /// The names in a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("text")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// A frozen dataset with an item `a.txt` of ten bytes.
    pub fn dataset(&self, name: &str) {
        self.write(&format!("{name}/.dtool/dtool"), admin(name).to_string());
        let content = manifest(item("a.txt")).to_string();
        self.write(&format!("{name}/.dtool/manifest.json"), content);
        self.write(&format!("{name}/README.yml"), "---\nproject: Tests\n");
        self.write(&format!("{name}/data/a.txt"), "0123456789");
    }
}

impl Register {
    /// Reads the folder into the register, by the command line.
    pub fn index_folder(&self) -> Value {
        let done = self.lab.done(&["index", BASE, "--json"]);
        serde_json::from_str(&done).expect("JSON")
    }

    /// Lets somebody search and register in the folder.
    pub async fn grant_folder(&self, who: &str, search: bool, register: bool) {
        assert_ne!(who, ADMIN);
        self.grant(who, BASE, search, register).await;
    }

    /// The only dataset of this name in the folder.
    pub async fn in_folder(&self, who: &str, name: &str, selection: &str) -> Value {
        let query = format!("query($uri: String!) {{ dataset(uri: $uri) {{ {selection} }} }}");
        let variables = json!({ "uri": format!("{BASE}/{name}") });
        self.data(who, &query, variables).await["dataset"].take()
    }
}
