//! Where the parts of a dataset lie.
//!
//! | part | in a folder `NAME` | in a bucket, below `PREFIX UUID` |
//! | --- | --- | --- |
//! | who and what it is | `.dtool/dtool` | `dtool` |
//! | manifest | `.dtool/manifest.json` | `manifest.json` |
//! | README | `README.yml` | `README.yml` |
//! | overlays | `.dtool/overlays/NAME.json` | `overlays/NAME.json` |
//! | annotations | `.dtool/annotations/NAME.json` | `annotations/NAME.json` |
//! | tags | `.dtool/tags/TAG` | `tags/TAG` |
//! | items | `data/RELPATH` | `data/IDENTIFIER` |
//!
//! A bucket tells its datasets by objects `dtool-UUID`. What such an object holds is the prefix: mostly nothing, else a
//! text that the UUID is appended to as it is.

use object_store::path::Path;

use super::problem::ReadError;

/// What an object `dtool-UUID` begins with.
pub(super) const REGISTRATION: &str = "dtool-";
/// The name of what says who and what a dataset is; and with the folder that it has in a folder.
pub(super) const ADMIN: &str = "dtool";
pub(super) const ADMIN_IN_FOLDER: &str = ".dtool/dtool";
pub(super) const MANIFEST: &str = "manifest.json";
pub(in crate::datasets) const README: &str = "README.yml";
/// In a folder what dtool keeps lies in this one, and the items in that.
pub(in crate::datasets) const METADATA: &str = ".dtool";
pub(in crate::datasets) const DATA: &str = "data";

/// The place of one dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::datasets) struct Layout {
    /// The dataset as a whole.
    root: Path,
    /// What dtool keeps of it.
    metadata: Path,
}

/// What there may be many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::datasets) enum Collection {
    Overlays,
    Annotations,
    Tags,
}

impl Collection {
    /// The name of the folder.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Overlays => "overlays",
            Self::Annotations => "annotations",
            Self::Tags => "tags",
        }
    }
}

impl Layout {
    /// A dataset in a folder of this name.
    pub(super) fn folder(name: &str) -> Result<Self, ReadError> {
        Ok(Self {
            root: path(name)?,
            metadata: path(&format!("{name}/{METADATA}"))?,
        })
    }

    /// A dataset in a bucket, with what its registration holds.
    pub(super) fn bucket(prefix: &str, uuid: &str) -> Result<Self, ReadError> {
        let root = path(&format!("{prefix}{uuid}"))?;
        // A slash in front of a key is one of its characters, but a path of the object store has none there.
        if prefix.starts_with('/') {
            return Err(ReadError::Hostile(prefix.to_owned()));
        }
        Ok(Self {
            metadata: root.clone(),
            root,
        })
    }

    /// The folder with what dtool keeps.
    pub(super) fn metadata(&self) -> &Path {
        &self.metadata
    }

    pub(in crate::datasets) fn admin(&self) -> Path {
        self.metadata.clone().join(ADMIN)
    }

    pub(super) fn manifest(&self) -> Path {
        self.metadata.clone().join(MANIFEST)
    }

    pub(in crate::datasets) fn readme(&self) -> Path {
        self.root.clone().join(README)
    }

    /// Something in the folder of the README.
    pub(in crate::datasets) fn beside_readme(&self, name: &str) -> Path {
        self.root.clone().join(name)
    }

    pub(in crate::datasets) fn collection(&self, collection: Collection) -> Path {
        self.metadata.clone().join(collection.folder())
    }

    /// The object of an item in a bucket.
    pub(super) fn object(&self, identifier: &str) -> Result<Path, ReadError> {
        path(&format!("{}/{DATA}/{identifier}", self.root))
    }

    /// Where an object lies in its dataset, for people.
    pub(super) fn relative(&self, location: &Path) -> String {
        let location = location.as_ref();
        let rest = location.strip_prefix(self.root.as_ref());
        rest.map_or(location, |rest| rest.trim_start_matches('/'))
            .to_owned()
    }
}

/// A path that does not climb.
fn path(text: &str) -> Result<Path, ReadError> {
    Path::parse(text).map_err(|_| ReadError::Hostile(text.to_owned()))
}
