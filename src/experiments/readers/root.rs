//! The folder that holds everything of an Autosubmit installation, and where in it each file stands.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use super::open_file::{self, OpenFile};
use super::{SourceError, tables::Place};
use crate::experiments::status::ExperimentKind;

/// The usual name of the database of experiments.
pub const CENTRAL: &str = "autosubmit.db";
/// The most files of one `conf` folder that are looked at.
const MAX_CONFIG_FILES: usize = 1000;

/// An experiment identifier: at least four characters of `0-9a-z`. No path can be made of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expid(String);

impl Expid {
    /// The identifier, if the text is one.
    ///
    /// # Errors
    /// [`SourceError::Hostile`] for anything but 4 to 64 characters of `0-9a-z`.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let valid = (4..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            let shown: String = text.chars().take(40).collect();
            Err(SourceError::Hostile(format!(
                "{shown:?} is not an experiment identifier"
            )))
        }
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of experiment that the first character stands for.
    pub fn kind(&self) -> ExperimentKind {
        ExperimentKind::from_expid(&self.0)
    }
}

impl FromStr for Expid {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl AsRef<str> for Expid {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Expid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The files that labql reads of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceFile {
    /// `autosubmit.db`, or how else it is called: which experiments there are.
    Central,
    /// `as_times.db`: which of them run.
    Times,
    /// The job list of Autosubmit before 4.2.0.
    JobListPickle,
    /// The job list of Autosubmit 4.2.0 and newer.
    JobListDatabase,
    /// Edges between jobs, before 4.2.0.
    Structure,
    /// Wrappers, before 4.2.0.
    Packages,
    /// Runs and attempts.
    History,
    /// What jobs report of themselves.
    UserMetrics,
    /// The `conf` folder, and in fingerprints also each configuration file in it.
    Config,
    /// The merged configuration that Autosubmit itself saved.
    ConfigSnapshot,
}

impl SourceFile {
    /// The files of one experiment.
    const OF_EXPERIMENT: [Self; 7] = [
        Self::JobListPickle,
        Self::JobListDatabase,
        Self::Structure,
        Self::Packages,
        Self::History,
        Self::Config,
        Self::ConfigSnapshot,
    ];

    fn is_sqlite(self) -> bool {
        !matches!(
            self,
            Self::JobListPickle | Self::Config | Self::ConfigSnapshot
        )
    }
}

/// Size, times and identity of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStamp {
    /// Bytes.
    pub size: u64,
    /// Last modification, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of the inode, nanoseconds since 1970: new permissions show here alone.
    pub ctime_ns: i64,
    /// The inode: a file that was replaced has another one.
    pub inode: u64,
}

impl FileStamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: metadata.len(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

impl fmt::Display for FileStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            size,
            mtime_ns,
            ctime_ns,
            inode,
        } = self;
        write!(f, "{size}:{mtime_ns}:{ctime_ns}:{inode}")
    }
}

/// Tells a changed source from an unchanged one without reading it.
///
/// The time is as fine as the file system's: a reader that wants to be sure reads once more what changed within
/// the last moments. The text form (`Display`) is what to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// The file itself.
    pub file: FileStamp,
    /// The write-ahead log beside an SQLite file.
    pub wal: Option<FileStamp>,
    /// The rollback journal beside an SQLite file.
    pub journal: Option<FileStamp>,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(wal) = self.wal {
            write!(f, "+w{wal}")?;
        }
        if let Some(journal) = self.journal {
            write!(f, "+j{journal}")?;
        }
        Ok(())
    }
}

/// A source and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFingerprint {
    /// What it is.
    pub kind: SourceFile,
    /// Where it stands, relative to the root.
    pub path: String,
    /// Its state, or why it cannot be seen: mostly because it does not exist.
    pub fingerprint: Result<Fingerprint, io::ErrorKind>,
}

impl fmt::Display for SourceFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fingerprint {
            Ok(fingerprint) => write!(f, "{}\t{fingerprint}", self.path),
            Err(kind) => write!(f, "{}\t{kind}", self.path),
        }
    }
}

/// An Autosubmit root. Every path that a reader opens comes from here and stays inside.
///
/// Symbolic links are followed while they stay inside the root. Sites that keep experiments on other disks name
/// these folders with [`Root::allow`]; a link to anywhere else is refused.
#[derive(Debug, Clone)]
pub struct Root {
    path: PathBuf,
    allowed: Vec<PathBuf>,
    central: String,
    pub(super) place: Place,
}

impl Root {
    /// The root at a folder.
    ///
    /// # Errors
    /// [`SourceError::Missing`], [`SourceError::Unreadable`], or [`SourceError::Foreign`] if it is no folder.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, SourceError> {
        Ok(Self {
            path: canonical_folder(&path.into())?,
            allowed: Vec::new(),
            central: CENTRAL.into(),
            place: Place::default(),
        })
    }

    /// The same root with another name for [`SourceFile::Central`].
    ///
    /// # Errors
    /// [`SourceError::Hostile`] if it is not the name of a file right in the root.
    pub fn with_central(mut self, name: &str) -> Result<Self, SourceError> {
        let mut parts = Path::new(name).components();
        let plain = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
        if !plain || name.contains('\0') {
            return Err(SourceError::Hostile(format!(
                "{name:?} is not the name of a file"
            )));
        }
        name.clone_into(&mut self.central);
        Ok(self)
    }

    /// Lets symbolic links lead into one more folder.
    ///
    /// # Errors
    /// As for [`Root::new`].
    pub fn allow(mut self, folder: impl AsRef<Path>) -> Result<Self, SourceError> {
        self.allowed.push(canonical_folder(folder.as_ref())?);
        Ok(self)
    }

    /// The canonical paths of the folders into which symbolic links may lead.
    pub fn allowed(&self) -> &[PathBuf] {
        &self.allowed
    }

    /// The canonical path of the root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of an experiment stands, relative to the root. (The central files ignore the expid.)
    pub fn relative(&self, source: SourceFile, expid: &Expid) -> String {
        match source {
            SourceFile::Central | SourceFile::Times => self.central_file(source).into(),
            SourceFile::JobListPickle => format!("{expid}/pkl/job_list_{expid}.pkl"),
            SourceFile::JobListDatabase => format!("{expid}/db/job_list.db"),
            SourceFile::Structure => format!("metadata/structures/structure_{expid}.db"),
            SourceFile::Packages => format!("{expid}/pkl/job_packages_{expid}.db"),
            SourceFile::History => format!("metadata/data/job_data_{expid}.db"),
            SourceFile::UserMetrics => format!("{expid}/tmp/metrics_{expid}.db"),
            SourceFile::Config => format!("{expid}/conf"),
            SourceFile::ConfigSnapshot => format!("{expid}/conf/metadata/experiment_data.yml"),
        }
    }

    /// The name of one of the two central databases in the root.
    fn central_file(&self, source: SourceFile) -> &str {
        match source {
            SourceFile::Times => "as_times.db",
            _ => &self.central,
        }
    }

    /// What to call a source of an experiment when something is wrong with it: its path, or its table on the server.
    pub fn name_of(&self, source: SourceFile, expid: &Expid) -> String {
        if self.has_server() && source.is_of_tables() {
            source.on_server(expid)
        } else {
            self.relative(source, expid)
        }
    }

    /// As [`Root::name_of`], of a central source.
    pub fn central_name(&self, source: SourceFile) -> String {
        match source {
            SourceFile::Times if self.has_server() => "experiment_status".into(),
            _ if self.has_server() => "experiment".into(),
            _ => self.central_file(source).into(),
        }
    }

    /// The folder of an experiment's job logs, relative to the root.
    pub fn log_folder(&self, expid: &Expid) -> String {
        format!("{expid}/tmp/LOG_{expid}")
    }

    /// The folder of Autosubmit's own logs of an experiment, relative to the root.
    pub fn run_log_folder(&self, expid: &Expid) -> String {
        format!("{expid}/tmp/ASLOGS")
    }

    /// The folder in which Autosubmit works on an experiment, relative to the root.
    pub fn tmp_folder(&self, expid: &Expid) -> String {
        format!("{expid}/tmp")
    }

    /// The canonical path of something in the root.
    ///
    /// # Errors
    /// [`SourceError::Hostile`] if the name climbs or a link leads out of the root and the allowed folders;
    /// [`SourceError::Missing`]; [`SourceError::Unreadable`].
    pub fn resolve(&self, relative: &str) -> Result<PathBuf, SourceError> {
        if relative.contains('\0') {
            return Err(SourceError::Hostile("the name holds a NUL".into()));
        }
        let plain = Path::new(relative)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain {
            return Err(SourceError::Hostile(
                "the name leads out of the folder".into(),
            ));
        }
        let path = fs::canonicalize(self.path.join(relative))?;
        if path.starts_with(&self.path)
            || self.allowed.iter().any(|folder| path.starts_with(folder))
        {
            Ok(path)
        } else {
            Err(SourceError::Hostile(
                "a symbolic link leads out of the root".into(),
            ))
        }
    }

    /// Opens a regular file of the root for reading.
    ///
    /// # Errors
    /// As for [`Root::resolve`]; [`SourceError::Foreign`] if it is a folder, a pipe or a device.
    pub fn open(&self, relative: &str) -> Result<OpenFile, SourceError> {
        OpenFile::open(&self.resolve(relative)?)
    }

    /// The names in a folder of the root, in no order, and at most so many of them. Those that are not UTF-8 are left out:
    /// neither Autosubmit nor labql writes such names.
    ///
    /// # Errors
    /// As for [`Root::resolve`].
    pub(crate) fn names_in(
        &self,
        folder: &str,
        most: usize,
    ) -> Result<impl Iterator<Item = String> + use<>, SourceError> {
        let entries = open_file::entries(&self.resolve(folder)?)?;
        // An entry that cannot be told is as good as gone.
        let names = entries.take(most).filter_map(Result::ok);
        Ok(names.filter_map(|name| name.into_string().ok()))
    }

    /// The state of one SQLite file or plain file.
    ///
    /// # Errors
    /// Why it cannot be seen.
    pub fn fingerprint(&self, relative: &str, sqlite: bool) -> Result<Fingerprint, io::ErrorKind> {
        let path = self.path.join(relative);
        let file = stamp(&path)?;
        let side = |suffix| sqlite.then(|| stamp(&beside(&path, suffix)).ok()).flatten();
        Ok(Fingerprint {
            file,
            wal: side("-wal"),
            journal: side("-journal"),
        })
    }

    /// The states of all files that an experiment's record is made of: a few `stat` calls a file.
    ///
    /// Files that `DEFAULT.CUSTOM_CONFIG` adds are not among them:
    /// [`ConfigSummary::watched`](super::ConfigSummary::watched) tells these; and not what is on a server: that
    /// [`Root::table_states`] tells.
    pub fn fingerprints(&self, expid: &Expid) -> Vec<SourceFingerprint> {
        let mut found: Vec<_> = SourceFile::OF_EXPERIMENT
            .into_iter()
            .filter(|kind| !(self.has_server() && kind.is_of_tables()))
            .map(|kind| self.source_fingerprint(kind, self.relative(kind, expid)))
            .collect();
        let files = self.config_files(expid).unwrap_or_default();
        found.extend(
            files
                .into_iter()
                .map(|path| self.source_fingerprint(SourceFile::Config, path)),
        );
        found
    }

    /// The states of the two central databases; none if their tables are on a server, which
    /// [`Root::central_table_state`] tells.
    pub fn central_fingerprints(&self) -> Vec<SourceFingerprint> {
        if self.has_server() {
            return Vec::new();
        }
        [SourceFile::Central, SourceFile::Times]
            .map(|source| self.source_fingerprint(source, self.central_file(source).into()))
            .into()
    }

    /// The configuration files right in an experiment's `conf` folder, in name order.
    pub(crate) fn config_files(&self, expid: &Expid) -> Result<Vec<String>, SourceError> {
        self.files_in(
            &self.relative(SourceFile::Config, expid),
            &["yml", "yaml", "conf"],
        )
    }

    /// The files with one of these extensions in a folder, in name order.
    pub(crate) fn files_in(
        &self,
        folder: &str,
        extensions: &[&str],
    ) -> Result<Vec<String>, SourceError> {
        let mut names = Vec::new();
        for name in open_file::entries(&self.resolve(folder)?)? {
            let name = name?;
            let wanted = Path::new(&name).extension().is_some_and(|extension| {
                extensions
                    .iter()
                    .any(|wanted| extension.eq_ignore_ascii_case(wanted))
            });
            if let (true, Some(name)) = (wanted, name.to_str()) {
                names.push(format!("{folder}/{name}"));
            }
            if names.len() > MAX_CONFIG_FILES {
                return Err(SourceError::Foreign(format!(
                    "more than {MAX_CONFIG_FILES} configuration files"
                )));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The state of one source.
    pub(crate) fn source_fingerprint(&self, kind: SourceFile, path: String) -> SourceFingerprint {
        let fingerprint = self.fingerprint(&path, kind.is_sqlite());
        SourceFingerprint {
            kind,
            path,
            fingerprint,
        }
    }
}

fn canonical_folder(path: &Path) -> Result<PathBuf, SourceError> {
    let path = fs::canonicalize(path)?;
    if path.is_dir() {
        Ok(path)
    } else {
        Err(SourceError::Foreign("not a folder".into()))
    }
}

fn stamp(path: &Path) -> Result<FileStamp, io::ErrorKind> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(FileStamp::of(&metadata)),
        Err(error) => Err(error.kind()),
    }
}

/// The path of a companion of an SQLite file (`-wal`, `-journal`).
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
