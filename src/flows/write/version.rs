//! The files of a version of a workflow: copied from where they were found, with a digest of all that it consists of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::files;
use crate::flows::disk::{self, Draft};
use crate::flows::template::Template;
use crate::flows::template::folder::{Folder, ReadError};
use crate::flows::template::path::RelativePath;

/// How much is copied at once, in bytes.
const PIECE: usize = 256 << 10;
/// The bit of a mode that lets the owner run it.
const EXECUTABLE: u32 = 0o100;

/// The files of a version that has no place yet.
pub(super) struct Files {
    /// The folder with them.
    pub draft: Draft,
    /// The SHA-256 of all that the version consists of, in hexadecimal.
    pub digest: String,
}

/// Copies what a template names, and the documents that it was read from. Blocks.
///
/// # Errors
/// A rejection if a file is another one than when the template was read, or they are too large together.
pub(super) fn copy(
    folder: &Path,
    template: &Template,
    json: &str,
    documents: &BTreeSet<RelativePath>,
    draft: PathBuf,
    most_mib: u64,
) -> Result<Files, Failure> {
    let mut wanted: BTreeMap<&RelativePath, Option<u64>> =
        documents.iter().map(|path| (path, None)).collect();
    for file in &template.files {
        wanted.insert(&file.source, Some(file.size_bytes));
    }
    let source = Folder::open(folder).map_err(|error| disk::failed(&error))?;
    let draft = Draft::folder(draft).map_err(|error| disk::failed(&error))?;
    let mut whole = Whole::of(json);
    let mut left = most_mib.saturating_mul(1 << 20);
    for (path, size) in wanted {
        let mut copy = Copy {
            path,
            left: &mut left,
            most_mib,
        };
        let copied = copy.from(&source, draft.path())?;
        if size.is_some_and(|size| size != copied.bytes) {
            return Err(changed(path));
        }
        whole.add(path, &copied);
    }
    sync_folders(draft.path()).map_err(|error| disk::failed(&error))?;
    let digest = whole.finish();
    Ok(Files { draft, digest })
}

/// A file that was copied.
#[derive(Debug)]
struct Copied {
    bytes: u64,
    sha256: [u8; 32],
    is_executable: bool,
}

struct Copy<'a> {
    path: &'a RelativePath,
    left: &'a mut u64,
    most_mib: u64,
}

impl Copy<'_> {
    fn from(&mut self, source: &Folder, draft: &Path) -> Result<Copied, Failure> {
        let mut from = source.file(self.path).map_err(|error| match error {
            ReadError::Failed(kind) => disk::failed(&kind.into()),
            _ => changed(self.path),
        })?;
        let failed = |error: io::Error| disk::failed(&error);
        let mode = from.metadata().map_err(failed)?.mode();
        let is_executable = mode & EXECUTABLE != 0;
        let target = draft.join(self.path.as_str());
        if let Some(folder) = target.parent() {
            files::private_folder(folder).map_err(failed)?;
        }
        let mut to = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if is_executable { 0o700 } else { 0o600 })
            .open(&target)
            .map_err(failed)?;
        let (bytes, sha256) = self.content(&mut from, &mut to)?;
        to.sync_all().map_err(failed)?;
        Ok(Copied {
            bytes,
            sha256,
            is_executable,
        })
    }

    fn content(&mut self, from: &mut File, to: &mut File) -> Result<(u64, [u8; 32]), Failure> {
        let failed = |error: io::Error| disk::failed(&error);
        let mut piece = vec![0; PIECE];
        let (mut bytes, mut sha256) = (0_u64, Sha256::new());
        loop {
            let count = from.read(&mut piece).map_err(failed)?;
            if count == 0 {
                return Ok((bytes, sha256.finalize().into()));
            }
            let piece = piece.get(..count).unwrap_or_default();
            let length = u64::try_from(count).unwrap_or(u64::MAX);
            *self.left = self.left.checked_sub(length).ok_or_else(|| {
                let most = self.most_mib;
                let message = format!(
                    "the files of the template are larger than {most} MiB together \
                     (`flows.files.template_mib`)"
                );
                Failure::bad_input("source", message)
            })?;
            bytes = bytes.saturating_add(length);
            sha256.update(piece);
            to.write_all(piece).map_err(failed)?;
        }
    }
}

fn changed(path: &RelativePath) -> Failure {
    let message = format!("{path} changed while the template was read: register it again");
    super::conflict(Some("source"), message)
}

/// The digest of all that a version consists of: its template, and each file in the order of their paths.
struct Whole(Sha256);

impl Whole {
    fn of(template: &str) -> Self {
        let mut whole = Self(Sha256::new());
        whole.text(template);
        whole
    }

    fn add(&mut self, path: &RelativePath, file: &Copied) {
        self.text(path.as_str());
        self.0.update([u8::from(file.is_executable)]);
        self.0.update(file.sha256);
    }

    /// With its length, so that no two texts can be taken for two others.
    fn text(&mut self, text: &str) {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(text);
    }

    fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The names of files are there after a failure of the machine, too.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    disk::sync(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::flows::template::{self, Choices};

    const MANIFEST: &str = "name: n\nspecfile: b.yaml\nfiles:\n  - source: data/\n";
    const SPECIFICATION: &str = "workflow:\n  steps:\n    - name: s\n      action:\n        environment: e\n        commands: [echo]\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("flowserv.yaml", MANIFEST);
        write("b.yaml", SPECIFICATION);
        write("data/a.txt", "a");
        write("data/deep/run.sh", "#!/bin/sh\n");
        write("unnamed.txt", "not kept");
        folder
    }

    fn kept(folder: &Path, most_mib: u64) -> Result<(Files, Vec<String>), Failure> {
        let reading = template::read(folder, &Choices::default());
        let template = reading.template.unwrap();
        let json = serde_json::to_string(&template).unwrap();
        let draft = tempfile::tempdir().unwrap().path().join("draft");
        let files = copy(
            folder,
            &template,
            &json,
            &reading.documents,
            draft,
            most_mib,
        )?;
        let mut names = Vec::new();
        list(files.draft.path(), "", &mut names);
        names.sort();
        Ok((files, names))
    }

    fn list(folder: &Path, path: &str, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{path}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                list(&entry.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }

    #[test]
    fn what_the_template_names_is_kept() {
        let folder = folder();
        let (files, names) = kept(folder.path(), 1).unwrap();
        let expected = ["b.yaml", "data/a.txt", "data/deep/run.sh", "flowserv.yaml"];
        assert_eq!(names, expected);
        let draft = files.draft.path().to_owned();
        drop(files);
        assert!(!draft.exists());
    }

    #[test]
    fn the_digest_tells_what_differs_and_nothing_else() {
        let first = folder();
        let same = folder();
        let digest = |folder: &Path| kept(folder, 1).unwrap().0.digest;
        let before = digest(first.path());
        assert_eq!(before.len(), 64);
        assert_eq!(before, digest(same.path()));
        fs::write(same.path().join("unnamed.txt"), "other").unwrap();
        assert_eq!(before, digest(same.path()));
        fs::write(same.path().join("data/a.txt"), "b").unwrap();
        assert_ne!(before, digest(same.path()));
        fs::write(same.path().join("data/a.txt"), "a").unwrap();
        let script = same.path().join("data/deep/run.sh");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(before, digest(same.path()));
        fs::rename(
            first.path().join("data/a.txt"),
            first.path().join("data/b.txt"),
        )
        .unwrap();
        assert_ne!(before, digest(first.path()));
    }

    #[test]
    fn files_may_not_be_too_large_together() {
        let folder = folder();
        fs::write(folder.path().join("data/large"), vec![0; 2 << 20]).unwrap();
        assert!(kept(folder.path(), 1).is_err());
        assert!(kept(folder.path(), 3).is_ok());
    }
}
