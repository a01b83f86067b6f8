//! Where templates of workflows come from: folders, archives, and commits of repositories. None of it is trusted.

mod address;
mod archive;
mod git;
mod unpack;

use std::fs::File;
use std::path::{Path, PathBuf};

use self::unpack::Refused;
use crate::auth::viewer::ViewerUser;
use crate::failure::{Failure, RejectionCode};
use crate::flows::Flows;
use crate::flows::disk::{self, Draft};
use crate::flows::read::uploads;
use crate::flows::rights::Asker;
use crate::flows::write::Author;

/// Where a template comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder on this machine. A user may name only those below the folders of the settings.
    Folder(PathBuf),
    /// An archive that was uploaded: tar, tar.gz or zip.
    Archive {
        /// The key of the upload.
        upload: String,
    },
    /// An archive on this machine; not for users.
    ArchiveFile(PathBuf),
    /// A commit of a repository.
    Git {
        /// The URL of the repository.
        url: String,
        /// The full hash of the commit.
        commit: String,
        /// The folder with the template; none: the outermost.
        folder: Option<String>,
    },
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A folder.
    Folder,
    /// An archive.
    Archive,
    /// A repository.
    Git,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Folder, Self::Archive, Self::Git];

    /// The name that is stored and shown: `FOLDER`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "FOLDER",
            Self::Archive => "ARCHIVE",
            Self::Git => "GIT",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A folder with a template, from some source.
#[derive(Debug)]
pub struct Staged {
    /// The folder.
    pub folder: PathBuf,
    /// From where it comes.
    pub kind: SourceKind,
    /// The same for people: a path, the name of an archive, or a URL without passwords.
    pub source: String,
    /// The commit.
    pub revision: Option<String>,
    /// What is removed with it; nothing, where the folder is somebody else's.
    _draft: Option<Draft>,
}

/// Puts what a source has into a folder. A folder stays where it is.
///
/// # Errors
/// A rejection if it cannot be had, or is no such source.
pub async fn stage(flows: &Flows, author: &Author<'_>, source: &Source) -> Result<Staged, Failure> {
    match source {
        Source::Folder(folder) => stage_folder(flows, author, folder).await,
        Source::Archive { upload } => stage_upload(flows, author, upload).await,
        Source::ArchiveFile(path) => {
            let named = path.display().to_string();
            check_path(author, "archive")?;
            let opened = tokio::fs::File::open(path).await;
            let opened = opened.map_err(|error| unreadable("archive", &named, &error))?;
            stage_archive(flows, opened.into_std().await, "archive", named).await
        }
        Source::Git {
            url,
            commit,
            folder,
        } => stage_commit(flows, url, commit, folder.as_deref()).await,
    }
}

async fn stage_folder(
    flows: &Flows,
    author: &Author<'_>,
    folder: &Path,
) -> Result<Staged, Failure> {
    let named = folder.display().to_string();
    let allowed = match author {
        Author::Labql(_) => None,
        Author::User(_) => Some(flows.settings.template_folders.clone()),
    };
    let asked = folder.to_owned();
    let found = tokio::task::spawn_blocking(move || {
        let found = asked.canonicalize()?;
        let Some(allowed) = allowed else {
            return Ok(found);
        };
        let mut allowed = allowed.iter().filter_map(|it| it.canonicalize().ok());
        // Nobody learns what there is elsewhere.
        let is_allowed = allowed.any(|allowed| found.starts_with(allowed));
        is_allowed
            .then_some(found)
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    });
    let folder = found.await?.map_err(|error| match author {
        Author::Labql(_) => unreadable("folder", &named, &error),
        Author::User(_) => {
            let message = "there is no such folder below those from which workflows may be registered \
                           (`flows.template_folders`)";
            Failure::rejected(RejectionCode::NotFound, Some("folder"), message)
        }
    })?;
    Ok(Staged {
        source: folder.display().to_string(),
        folder,
        kind: SourceKind::Folder,
        revision: None,
        _draft: None,
    })
}

async fn stage_upload(flows: &Flows, author: &Author<'_>, key: &str) -> Result<Staged, Failure> {
    let asker = match author {
        Author::User(user) => Asker::of_user(user),
        Author::Labql(_) => Asker::Administrator,
    };
    let unknown = || {
        let message = "there is no such upload";
        Failure::rejected(RejectionCode::NotFound, Some("archive"), message)
    };
    let upload = uploads::by_key(&flows.database, asker, key).await?;
    let upload = upload.ok_or_else(unknown)?;
    let opened = tokio::fs::File::open(flows.places.upload(&upload.key)).await;
    let opened = opened.map_err(|error| disk::failed(&error))?;
    stage_archive(
        flows,
        opened.into_std().await,
        "archive",
        upload.name.clone(),
    )
    .await
}

async fn stage_archive(
    flows: &Flows,
    archive: File,
    field: &'static str,
    source: String,
) -> Result<Staged, Failure> {
    let (draft, folder) = unpack(flows, archive, field, flows.places.draft()).await?;
    Ok(Staged {
        folder,
        kind: SourceKind::Archive,
        source,
        revision: None,
        _draft: Some(draft),
    })
}

async fn stage_commit(
    flows: &Flows,
    url: &str,
    commit: &str,
    folder: Option<&str>,
) -> Result<Staged, Failure> {
    let commit = git::Commit::new(&flows.settings, url, commit, folder)?;
    let fetched = Draft::folder(flows.places.draft()).map_err(|error| disk::failed(&error))?;
    let archive = commit.fetch(&flows.settings, fetched.path()).await?;
    let (draft, _) = unpack(flows, archive, "git", flows.places.draft()).await?;
    Ok(Staged {
        folder: draft.path().to_owned(),
        kind: SourceKind::Git,
        source: address::mask(url),
        revision: Some(commit.hash),
        _draft: Some(draft),
    })
}

/// Unpacks an archive, and gives the folder that it is about.
async fn unpack(
    flows: &Flows,
    archive: File,
    field: &'static str,
    draft: PathBuf,
) -> Result<(Draft, PathBuf), Failure> {
    let most_mib = flows.settings.files.template_mib;
    let unpacked = tokio::task::spawn_blocking(move || {
        let draft = Draft::folder(draft).map_err(Refused::Disk)?;
        archive::unpack(archive, draft.path(), most_mib)?;
        let folder = unpack::outermost(draft.path()).map_err(Refused::Disk)?;
        Ok((draft, folder))
    });
    unpacked.await?.map_err(|refused| refuse(field, refused))
}

/// The failure that an archive is refused.
fn refuse(field: &'static str, refused: Refused) -> Failure {
    match refused {
        Refused::Disk(error) => disk::failed(&error),
        refused => Failure::bad_input(field, format!("the archive: {refused}")),
    }
}

/// Users name nothing on this machine but folders that they may.
fn check_path(author: &Author<'_>, field: &'static str) -> Result<(), Failure> {
    match author {
        Author::Labql(_) => Ok(()),
        Author::User(ViewerUser { .. }) => {
            let message = "an archive is uploaded first";
            Err(Failure::bad_input(field, message))
        }
    }
}

fn unreadable(field: &'static str, named: &str, error: &std::io::Error) -> Failure {
    Failure::bad_input(field, format!("{named}: {error}"))
}
