//! The URIs of datasets and of what they lie in, as dtool writes them.
//!
//! `file://HOST/PATH/NAME` is a folder: NAME is the name of the dataset, and `file://HOST/PATH` its base URI. The host
//! says where the folder was written; whoever reads ignores it. `s3://BUCKET/UUID` lies in the base URI `s3://BUCKET`.
//!
//! URIs are compared as text, so there is one form of each: no slash at the end and none twice. dtool takes them
//! apart with Python's `urlsplit` and decodes nothing; `?`, `#` and percent-encoding would mean one thing to people and
//! another to it, and are refused.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use uuid::Uuid;

/// The longest URI, in bytes.
pub const MAX_URI: usize = 1024;
/// The longest name of a file, in bytes.
const MAX_NAME: usize = 255;

/// Why a text is not the URI of a dataset or of what datasets lie in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// There is no scheme.
    #[error("is no URI: it begins with neither file:// nor s3://")]
    NoScheme,
    /// labql reads no such storage.
    #[error("has the scheme {0:?}: labql reads file:// and s3://")]
    Scheme(String),
    /// Longer than [`MAX_URI`].
    #[error("has {0} bytes, at most {MAX_URI} are allowed")]
    TooLong(usize),
    /// A `%`, `?`, `#` or control character.
    #[error(
        "holds {0:?}, which cannot stand in it: paths are written as they are, without percent-encoding"
    )]
    Character(char),
    /// Not `file://HOST/…`.
    #[error("has a host of a form that is not allowed: {0:?}")]
    Host(String),
    /// `file://srv/data`, where `srv` is taken for a host, or `file://host`.
    #[error("names no folder: an absolute path follows the host, as in file:///srv/datasets")]
    NoFolder,
    /// `.` or `..` in the path.
    #[error("holds a relative part ({0:?}): the path must be absolute")]
    Relative(String),
    /// A name that no file can have.
    #[error("holds a name of {0} bytes: no file can have it")]
    Name(usize),
    /// Not the name of a bucket.
    #[error("names no bucket: {0:?} is no name of one")]
    Bucket(String),
    /// `s3://bucket/folder`.
    #[error("holds a path: the base URI of a bucket is s3://BUCKET alone")]
    InBucket,
    /// `s3://bucket/…` without a UUID.
    #[error("names no dataset: {0:?} is no UUID")]
    Uuid(String),
}

/// What datasets lie in: a folder or a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BaseUri {
    text: String,
    place: Place,
}

/// Where a base URI leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The absolute path of a folder.
    Folder(PathBuf),
    /// The name of a bucket.
    Bucket(String),
}

impl BaseUri {
    /// Reads a base URI and brings it into its one form.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        match split(text)? {
            Split::File { host, parts } => {
                if parts.is_empty() {
                    return Err(UriError::NoFolder);
                }
                let path = format!("/{}", parts.join("/"));
                Ok(Self {
                    text: format!("file://{host}{path}"),
                    place: Place::Folder(path.into()),
                })
            }
            Split::S3 { bucket, parts } if parts.is_empty() => Ok(Self {
                text: format!("s3://{bucket}"),
                place: Place::Bucket(bucket.to_owned()),
            }),
            Split::S3 { .. } => Err(UriError::InBucket),
        }
    }

    /// The URI in its one form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it leads.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The path of this folder below another one; none if it is not below it, or a bucket.
    pub fn below(&self, other: &Self) -> Option<&Path> {
        let rest = self.text.strip_prefix(&other.text)?;
        match &self.place {
            Place::Folder(_) if rest.is_empty() || rest.starts_with('/') => {
                Some(Path::new(rest.trim_start_matches('/')))
            }
            _ => None,
        }
    }

    /// The URI of what lies in it under a name: that of a folder, or a UUID.
    pub fn dataset(&self, name: &str) -> Result<DatasetUri, UriError> {
        let uri = DatasetUri::parse(&format!("{}/{name}", self.text))?;
        if uri.base == *self && uri.name == name {
            Ok(uri)
        } else {
            Err(UriError::Relative(name.to_owned()))
        }
    }
}

impl fmt::Display for BaseUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for BaseUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

/// Where a dataset is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetUri {
    text: String,
    base: BaseUri,
    name: String,
}

impl DatasetUri {
    /// Reads the URI of a dataset and brings it into its one form.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let (base, name) = match split(text)? {
            Split::File { host, mut parts } => {
                let name = parts.pop().ok_or(UriError::NoFolder)?;
                let base = BaseUri::parse(&format!("file://{host}/{}", parts.join("/")))?;
                (base, name.to_owned())
            }
            Split::S3 { bucket, parts } => {
                let name = parts.join("/");
                if !is_uuid(&name) {
                    return Err(UriError::Uuid(name));
                }
                (BaseUri::parse(&format!("s3://{bucket}"))?, name)
            }
        };
        Ok(Self {
            text: format!("{base}/{name}"),
            base,
            name,
        })
    }

    /// The URI in its one form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the dataset lies in.
    pub fn base(&self) -> &BaseUri {
        &self.base
    }

    /// The last part: the name of the folder, or the UUID in a bucket.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for DatasetUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for DatasetUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

/// Whether a text is a UUID with hyphens.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

enum Split<'t> {
    File {
        host: &'t str,
        parts: Vec<&'t str>,
    },
    S3 {
        bucket: &'t str,
        parts: Vec<&'t str>,
    },
}

fn split(text: &str) -> Result<Split<'_>, UriError> {
    if text.len() > MAX_URI {
        return Err(UriError::TooLong(text.len()));
    }
    let wrong = |c: &char| matches!(c, '%' | '?' | '#') || c.is_control();
    if let Some(character) = text.chars().find(wrong) {
        return Err(UriError::Character(character));
    }
    let (scheme, rest) = text.split_once("://").ok_or(UriError::NoScheme)?;
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for part in &parts {
        if matches!(*part, "." | "..") {
            return Err(UriError::Relative((*part).to_owned()));
        }
        if part.len() > MAX_NAME {
            return Err(UriError::Name(part.len()));
        }
    }
    let of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match scheme {
        "file" if host.chars().all(|c| of_host(c) || c == ':') => Ok(Split::File { host, parts }),
        "file" => Err(UriError::Host(host.to_owned())),
        "s3" => {
            let begins = host.starts_with(|c: char| c.is_ascii_alphanumeric());
            let valid = begins && host.len() <= MAX_NAME && !host.contains("..");
            if valid && host.chars().all(of_host) {
                Ok(Split::S3 {
                    bucket: host,
                    parts,
                })
            } else {
                Err(UriError::Bucket(host.to_owned()))
            }
        }
        other => Err(UriError::Scheme(other.chars().take(40).collect())),
    }
}
