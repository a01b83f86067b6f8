//! Which folders of a root hold what the mirror looks at, and which names in them.

use std::path::PathBuf;

use crate::experiments::readers::run_log::is_run_log;
use crate::experiments::readers::{Expid, Root, SourceFile};

/// The most files beyond those that every experiment has whose folders are watched.
const MAX_EXTRA: usize = 32;

/// Who wants to know of which names in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// An expid, or [`CENTRE`](super::agenda::CENTRE).
    pub owner: String,
    /// The names.
    pub names: Names,
}

/// Names in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// These, and what SQLite keeps beside them.
    Exactly(Vec<String>),
    /// Files of a configuration.
    Config,
    /// Logs of runs.
    RunLogs,
    /// In the root: these central databases, `metadata`, and the folders of experiments.
    Root([String; 2]),
    /// Databases that are named after experiments: `<prefix><expid>.db`.
    OfExperiments(&'static str),
}

impl Interest {
    /// Who is concerned when something of this name changes.
    pub fn concerned(&self, name: &str) -> Option<String> {
        let owner = || Some(self.owner.clone());
        match &self.names {
            Names::Exactly(names) => {
                let base = without_companion(name);
                names.iter().any(|wanted| wanted == base).then(owner)?
            }
            Names::Config => {
                let (_, extension) = name.rsplit_once('.').unwrap_or(("", name));
                let config = ["yml", "yaml", "conf", "metadata"];
                config
                    .iter()
                    .any(|wanted| extension.eq_ignore_ascii_case(wanted))
                    .then(owner)?
            }
            Names::RunLogs => is_run_log(name).then(owner)?,
            Names::Root(central) => match without_companion(name) {
                "metadata" => owner(),
                name if central.iter().any(|central| central == name) => owner(),
                folder => Expid::parse(folder).ok().map(|expid| expid.to_string()),
            },
            Names::OfExperiments(prefix) => {
                let expid = without_companion(name).strip_prefix(prefix)?;
                let expid = Expid::parse(expid.strip_suffix(".db")?).ok()?;
                Some(expid.to_string())
            }
        }
    }
}

/// The name of the database that a journal or a write-ahead log belongs to.
fn without_companion(name: &str) -> &str {
    name.strip_suffix("-journal")
        .or_else(|| name.strip_suffix("-wal"))
        .unwrap_or(name)
}

fn exactly<const N: usize>(names: [&str; N]) -> Names {
    Names::Exactly(names.map(str::to_owned).into())
}

/// The folders of the central files that there are, parents first.
pub fn of_root(root: &Root) -> Vec<(PathBuf, Names)> {
    let mut folders = Folders::new(root);
    let central = [SourceFile::Central, SourceFile::Times];
    let names = Names::Root(central.map(|source| root.central_name(source)));
    folders.found.push((root.path().to_owned(), names));
    folders.add("metadata", exactly(["data", "structures"]));
    folders.add("metadata/data", Names::OfExperiments("job_data_"));
    folders.add("metadata/structures", Names::OfExperiments("structure_"));
    folders.found
}

/// The folders of an experiment that there are, parents first. `extra`: files and folders that its configuration leads
/// to, relative to the root.
pub fn of_experiment(root: &Root, expid: &Expid, extra: &[String]) -> Vec<(PathBuf, Names)> {
    let mut folders = Folders::new(root);
    let of = |source| root.relative(source, expid);
    if !folders.add(expid.as_str(), exactly(["pkl", "db", "conf", "tmp"])) {
        return folders.found;
    }
    for source in [
        SourceFile::JobListPickle,
        SourceFile::Packages,
        SourceFile::JobListDatabase,
        SourceFile::ConfigSnapshot,
    ] {
        folders.add_parent(&of(source));
    }
    folders.add(&of(SourceFile::Config), Names::Config);
    let logs = root.run_log_folder(expid);
    if !folders.add(&logs, Names::RunLogs) {
        // `tmp` is a busy place: only until there are logs. Autosubmit before 3.13 keeps them there.
        folders.add_parent(&logs);
        folders.add(&root.tmp_folder(expid), Names::RunLogs);
    }
    for path in extra.iter().take(MAX_EXTRA) {
        folders.add_parent(path);
        folders.add(path, Names::Config);
    }
    folders.found
}

struct Folders<'a> {
    root: &'a Root,
    found: Vec<(PathBuf, Names)>,
}

impl<'a> Folders<'a> {
    fn new(root: &'a Root) -> Self {
        Self {
            root,
            found: Vec::new(),
        }
    }

    /// Adds a folder, if it is there and one that the readers may enter.
    fn add(&mut self, folder: &str, names: Names) -> bool {
        match self.root.resolve(folder) {
            Ok(path) if path.is_dir() => {
                self.found.push((path, names));
                true
            }
            _ => false,
        }
    }

    /// Adds the folder that something stands in.
    fn add_parent(&mut self, path: &str) {
        if let Some((folder, name)) = path.rsplit_once('/') {
            self.add(folder, exactly([name]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::agenda::CENTRE;
    use super::*;

    fn concerned(names: Names, name: &str) -> Option<String> {
        let owner = CENTRE.to_owned();
        Interest { owner, names }.concerned(name)
    }

    #[test]
    fn names_tell_whose_files_they_are() {
        let data = || Names::OfExperiments("job_data_");
        assert_eq!(
            concerned(data(), "job_data_a000.db").as_deref(),
            Some("a000")
        );
        assert_eq!(
            concerned(data(), "job_data_a000.db-journal").as_deref(),
            Some("a000")
        );
        assert_eq!(concerned(data(), "job_data_a000.sql"), None);
        assert_eq!(concerned(data(), "structure_a000.db"), None);
        let root = || Names::Root(["lab.db".into(), "as_times.db".into()]);
        assert_eq!(
            concerned(root(), "as_times.db-wal").as_deref(),
            Some(CENTRE)
        );
        assert_eq!(concerned(root(), "lab.db").as_deref(), Some(CENTRE));
        assert_eq!(concerned(root(), "autosubmit.db"), None);
        assert_eq!(concerned(root(), "a000").as_deref(), Some("a000"));
        assert_eq!(concerned(root(), "README.md"), None);
    }

    #[test]
    fn what_is_written_on_the_way_does_not_count() {
        let list = || exactly(["job_list_a000.pkl"]);
        assert!(concerned(list(), "job_list_a000.pkl").is_some());
        assert!(concerned(list(), "job_list_a000.pkl.tmp").is_none());
        assert!(concerned(Names::Config, "jobs_a000.YML").is_some());
        assert!(concerned(Names::Config, ".jobs.yml.swp").is_none());
        assert!(concerned(Names::RunLogs, "20261122_054444_run.log").is_some());
        assert!(concerned(Names::RunLogs, "20261122_054444_run_err.log").is_none());
    }

    #[test]
    fn old_versions_keep_the_logs_of_runs_in_tmp() {
        let folder = tempfile::tempdir().unwrap();
        let expid = Expid::parse("a000").unwrap();
        let logs = folder.path().join("a000/tmp/ASLOGS");
        std::fs::create_dir_all(logs.parent().unwrap()).unwrap();
        let root = Root::new(folder.path()).unwrap();
        let watched = |root: &Root| -> Vec<PathBuf> {
            let folders = of_experiment(root, &expid, &[]).into_iter();
            let of_runs = folders.filter(|(_, names)| *names == Names::RunLogs);
            of_runs.map(|(folder, _)| folder).collect()
        };
        assert_eq!(watched(&root), [root.path().join("a000/tmp")]);
        std::fs::create_dir(logs).unwrap();
        assert_eq!(watched(&root), [root.path().join("a000/tmp/ASLOGS")]);
    }

    #[test]
    fn a_link_out_of_the_root_is_not_watched() {
        use std::{fs, os::unix::fs::symlink};
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        let expid = Expid::parse("a000").unwrap();
        fs::create_dir_all(inside.path().join("a000/conf")).unwrap();
        symlink(outside.path(), inside.path().join("a000/pkl")).unwrap();
        let root = Root::new(inside.path()).unwrap();
        let folders = |root: &Root| -> Vec<PathBuf> {
            let folders = of_experiment(root, &expid, &["../../etc/hosts".into()]);
            folders.into_iter().map(|(folder, _)| folder).collect()
        };
        let own = root.path().join("a000");
        assert_eq!(folders(&root), [own.clone(), own.join("conf")]);
        let root = root.allow(outside.path()).unwrap();
        let allowed = fs::canonicalize(outside.path()).unwrap();
        assert!(folders(&root).contains(&allowed));
    }
}
