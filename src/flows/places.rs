//! Where the files of flows are. Names below the folder are made by labql; nothing that anybody says becomes part of a path.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;

/// The folder of flows. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Places {
    root: PathBuf,
}

impl Places {
    /// With this folder, which need not be there.
    pub fn new(root: &Path) -> Self {
        // Steps work in folders of their own, and are looked for from others.
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Self { root }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where something is put together before it gets its place, on the same file system; each name is used once.
    pub fn draft(&self) -> PathBuf {
        let name = uuid::Uuid::new_v4().simple().to_string();
        self.drafts().join(name)
    }

    /// The folder of drafts.
    pub fn drafts(&self) -> PathBuf {
        self.root.join("drafts")
    }

    /// The files of a version of a workflow, as its template has them; by `workflow_version.folder`.
    pub fn version(&self, folder: &str) -> PathBuf {
        self.root.join("workflows").join(folder)
    }

    /// The bytes of an upload; by `flow_upload.key`.
    pub fn upload(&self, key: &str) -> PathBuf {
        let shard = key.get(..2).unwrap_or("00");
        self.root.join("uploads").join(shard).join(key)
    }

    /// All that belongs to a run; by `flow_run.folder`.
    pub fn run(&self, folder: &str) -> RunPlaces {
        let shard = folder.get(..2).unwrap_or("00");
        RunPlaces {
            folder: self.root.join("runs").join(shard).join(folder),
        }
    }
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunPlaces {
    /// The folder.
    pub folder: PathBuf,
}

impl RunPlaces {
    /// The folder that its steps work in.
    pub fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// The folder of attempts.
    pub fn attempts(&self) -> PathBuf {
        self.folder.join("attempts")
    }

    /// What an executor notes of an attempt; by `flow_attempt.ticket`.
    pub fn attempt(&self, ticket: &str) -> PathBuf {
        self.attempts().join(ticket)
    }

    /// The folder of scripts.
    pub fn scripts(&self) -> PathBuf {
        self.folder.join("scripts")
    }

    /// The commands of a step that are too many for a word; by its position.
    pub fn script(&self, position: usize) -> PathBuf {
        self.scripts().join(position.to_string())
    }

    /// What it gave: `flow_file.path` of each file below it.
    pub fn results(&self) -> PathBuf {
        self.folder.join("results")
    }

    /// Removes all but what it gave. What is not there is removed already. From then on nothing can begin in it: who was to begin
    /// an attempt, was suspended, and wakes up after the end of the run, must not find the claim gone.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn clean(&self) -> io::Result<()> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        self.close()?;
        let stay = [self.attempts(), self.results()];
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !stay.contains(&path) {
                let is_folder = fs::symlink_metadata(&path)?.is_dir();
                let removed = if is_folder {
                    files::remove_tree(&path)
                } else {
                    fs::remove_file(&path)
                };
                removed?;
            }
        }
        Ok(())
    }

    /// Can nothing begin in it any more?
    pub fn is_closed(&self) -> bool {
        fs::symlink_metadata(self.attempts()).is_ok_and(|found| found.is_file())
    }

    /// Puts a file into the place of the folder of attempts, so that none can be made there. What stood there has another name
    /// then.
    fn close(&self) -> io::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let unique = uuid::Uuid::new_v4().simple();
        let file = self.folder.join(format!("closed-{unique}"));
        fs::File::create_new(&file)?;
        // A file does not take the place of a folder.
        match fs::rename(self.attempts(), self.folder.join(format!("old-{unique}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(&file, self.attempts())
    }
}
