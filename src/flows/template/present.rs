//! Which files are there at some point of a run.

use std::collections::BTreeSet;

use super::StaticFile;
use super::path::RelativePath;

/// The files that are there at some point of a run.
pub(super) struct Files {
    paths: BTreeSet<RelativePath>,
    /// The folders in which they lie.
    folders: BTreeSet<RelativePath>,
    /// A folder of which it is not known what is in it.
    pub unknown: Option<RelativePath>,
    /// Whether there can be no others.
    pub is_complete: bool,
}

impl Files {
    pub fn of(files: &[StaticFile]) -> Self {
        let mut all = Self {
            paths: BTreeSet::new(),
            folders: BTreeSet::new(),
            unknown: None,
            is_complete: true,
        };
        for file in files {
            all.add(file.target.clone());
        }
        all
    }

    pub fn add(&mut self, path: RelativePath) {
        self.folders.extend(folders(&path));
        self.paths.insert(path);
    }

    pub fn has(&self, path: &RelativePath) -> bool {
        self.paths.contains(path) || self.has_folder(path)
    }

    pub fn has_folder(&self, path: &RelativePath) -> bool {
        let is_known = |folder: &RelativePath| path.is_within(folder) || folder.is_within(path);
        self.folders.contains(path) || self.unknown.as_ref().is_some_and(is_known)
    }

    /// Would it be a file where others have a folder, or lie in a file?
    pub fn clashes(&self, path: &RelativePath) -> bool {
        self.folders.contains(path) || folders(path).any(|folder| self.paths.contains(&folder))
    }
}

/// The folders in which a path lies, from within.
fn folders(path: &RelativePath) -> impl Iterator<Item = RelativePath> + use<> {
    std::iter::successors(path.folder(), RelativePath::folder)
}
