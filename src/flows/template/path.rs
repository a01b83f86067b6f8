//! Paths of files in the folder of a template and in the working folder of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest path and the longest name in it, in bytes.
const LONGEST: usize = 1024;
const LONGEST_NAME: usize = 255;

/// A path below some folder, which cannot lead out of it: names without `.` and `..`, joined by slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(String);

/// Why a text is no path below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is nothing in it.
    #[error("the path is empty")]
    Empty,
    /// It begins at the root.
    #[error("the path is absolute; it must be relative to the folder")]
    Absolute,
    /// It leads up.
    #[error("the path leads upwards by `..`")]
    Upwards,
    /// It has a character that no path should have.
    #[error("the path has a control character or a backslash in it")]
    Character,
    /// It is too long.
    #[error("the path is longer than {LONGEST} bytes, or a name in it than {LONGEST_NAME}")]
    TooLong,
    /// It is one of a folder.
    #[error("the path is one of a folder (it ends in `/`), where a file is needed")]
    Folder,
}

impl RelativePath {
    /// The path of a file. Slashes in a row and names that are `.` mean nothing.
    pub fn file(text: &str) -> Result<Self, PathError> {
        if text.ends_with('/') {
            return Err(PathError::Folder);
        }
        Self::any(text)
    }

    /// The path of a file or folder; a slash at the end means nothing.
    pub fn any(text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.len() > LONGEST {
            return Err(PathError::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(PathError::Character);
        }
        let mut names = Vec::new();
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => return Err(PathError::Upwards),
                name if name.len() > LONGEST_NAME => return Err(PathError::TooLong),
                name => names.push(name),
            }
        }
        if names.is_empty() {
            return Err(PathError::Empty);
        }
        Ok(Self(names.join("/")))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its names, one after the other.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The folder in which it lies, if that is not the outermost.
    pub fn folder(&self) -> Option<Self> {
        self.0
            .rsplit_once('/')
            .map(|(folder, _)| Self(folder.to_owned()))
    }

    /// Its last name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What follows the last dot of its name, in lower case.
    pub fn extension(&self) -> Option<String> {
        let (stem, extension) = self.name().rsplit_once('.')?;
        (!stem.is_empty()).then(|| extension.to_ascii_lowercase())
    }

    /// Something below it.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        Self(format!("{}/{}", self.0, below.0))
    }

    /// Does it lie below that one, or is it the same?
    pub fn is_within(&self, other: &Self) -> bool {
        let rest = self.0.strip_prefix(&other.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The part of it below that one.
    pub fn below(&self, other: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(&other.0)?.strip_prefix('/')?;
        (!rest.is_empty()).then(|| Self(rest.to_owned()))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelativePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::file(&text)
    }
}

impl From<RelativePath> for String {
    fn from(path: RelativePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        for (text, path) in [
            ("a", "a"),
            ("a/b.txt", "a/b.txt"),
            ("./a//b", "a/b"),
            ("a b/ü", "a b/ü"),
            ("...", "..."),
        ] {
            assert_eq!(RelativePath::file(text).unwrap().as_str(), path);
        }
        let long = "a".repeat(256);
        for (text, error) in [
            ("", PathError::Empty),
            (".", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("../../../x", PathError::Upwards),
            ("a/../b", PathError::Upwards),
            ("a\0b", PathError::Character),
            ("a\nb", PathError::Character),
            ("a\\..\\b", PathError::Character),
            ("a/", PathError::Folder),
            (&long, PathError::TooLong),
        ] {
            assert_eq!(RelativePath::file(text), Err(error), "{text:?}");
        }
        assert_eq!(RelativePath::any("a/").unwrap().as_str(), "a");
    }

    #[test]
    fn parts_are_told() {
        let path = RelativePath::file("a/b/c.YAML").unwrap();
        assert_eq!(path.name(), "c.YAML");
        assert_eq!(path.extension().as_deref(), Some("yaml"));
        assert_eq!(path.folder().unwrap().as_str(), "a/b");
        let a = RelativePath::any("a/").unwrap();
        assert!(path.is_within(&a));
        assert!(!RelativePath::file("ab").unwrap().is_within(&a));
        assert_eq!(path.below(&a).unwrap().as_str(), "b/c.YAML");
        assert_eq!(a.below(&a), None);
    }
}
