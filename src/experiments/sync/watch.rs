//! Notifications of the file system: which experiments may have changed, without looking at all of them.
//!
//! Watched are folders, each by itself: the root, `metadata` and what is below it, and of each experiment those that hold
//! the files of its record and its run logs. A notification only says where to look; what has changed is found by
//! comparing states, as ever. So a notification too many costs a few `stat` calls, and for one too few (file systems of
//! other hosts send none) there are the full passes.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::agenda::{Agenda, CENTRE, lock};
use super::folders::{Interest, Names, of_experiment, of_root};
use crate::experiments::readers::{Expid, Root};

/// Notifications of one root.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    watching: Mutex<Option<Watching>>,
}

/// What the thread of the notifications shares with the mirror.
#[derive(Debug)]
struct Shared {
    agenda: Arc<Agenda>,
    index: Mutex<Index>,
}

/// What is watched, for whom.
#[derive(Debug, Default)]
struct Index {
    folders: HashMap<PathBuf, Vec<Interest>>,
    /// Folders that went away or came anew: their watches are those of folders that are no longer there.
    stale: HashSet<PathBuf>,
}

#[derive(Debug)]
struct Watching {
    watcher: RecommendedWatcher,
    /// The folders of each owner.
    owners: HashMap<String, Vec<PathBuf>>,
    /// The most folders.
    most: usize,
}

impl Watch {
    /// Hears nothing until [`Self::start`]; puts what it hears on the agenda.
    pub fn new(agenda: Arc<Agenda>) -> Self {
        Self {
            shared: Arc::new(Shared {
                agenda,
                index: Mutex::default(),
            }),
            watching: Mutex::new(None),
        }
    }

    /// Watches at most so many folders from now on; what is not covered is found by full passes.
    pub fn start(&self, most: usize) {
        if most == 0 {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let watcher = notify::recommended_watcher(move |event| shared.hear(event));
        match watcher {
            Ok(watcher) => {
                *lock(&self.watching) = Some(Watching {
                    watcher,
                    owners: HashMap::new(),
                    most,
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no file notifications; the root is looked at in intervals");
            }
        }
    }

    /// Watches the folders of the central files.
    pub fn cover_root(&self, root: &Root) {
        self.cover(CENTRE, || of_root(root));
    }

    /// Watches the folders of an experiment as they are now. Whatever changes from here on is noted.
    pub fn cover_experiment(&self, root: &Root, expid: &Expid, extra: &[String]) {
        self.cover(expid.as_str(), || of_experiment(root, expid, extra));
    }

    /// Whether the folders of an owner are watched.
    pub fn covers(&self, owner: &str) -> bool {
        lock(&self.watching)
            .as_ref()
            .is_none_or(|watching| watching.owners.contains_key(owner))
    }

    /// Keeps to the bound: of experiments in this order, the first ones stay or may be covered, the others are given up.
    /// Says how many of them.
    pub fn ration<'a>(&self, order: impl Iterator<Item = &'a str>) -> usize {
        /// An experiment has about so many folders.
        const FOLDERS: usize = 6;
        let mut guard = lock(&self.watching);
        let Some(watching) = guard.as_mut() else {
            return 0;
        };
        let mut used = watching.owners.get(CENTRE).map_or(0, Vec::len);
        let mut within = 0;
        let mut keep = HashSet::from([CENTRE]);
        for owner in order {
            used += watching.owners.get(owner).map_or(FOLDERS, Vec::len);
            if used > watching.most {
                break;
            }
            keep.insert(owner);
            within += 1;
        }
        let gone: Vec<String> = watching
            .owners
            .keys()
            .filter(|owner| !keep.contains(owner.as_str()))
            .cloned()
            .collect();
        for owner in gone {
            self.release(watching, &owner, &HashSet::new());
        }
        within
    }

    /// Stops to watch the folders of an owner.
    pub fn uncover(&self, owner: &str) {
        if let Some(watching) = lock(&self.watching).as_mut() {
            self.release(watching, owner, &HashSet::new());
        }
    }

    /// A folder is in the index before it is watched, so that nothing is heard that cannot be told whose it is. The
    /// index is not held while the watcher is asked: its thread may be waiting for the index.
    fn cover(&self, owner: &str, folders: impl FnOnce() -> Vec<(PathBuf, Names)>) {
        let mut guard = lock(&self.watching);
        let Some(watching) = guard.as_mut() else {
            return;
        };
        let wanted = folders();
        let keep = wanted.iter().map(|(folder, _)| folder.clone()).collect();
        self.release(watching, owner, &keep);
        // What stands below a folder that is another one now is another one, too.
        let stale = lock(&self.shared.index).stale.clone();
        let mut covered: Vec<PathBuf> = Vec::new();
        let own = |interest: &Interest| interest.owner == owner;
        {
            let mut index = lock(&self.shared.index);
            for (folder, _) in &wanted {
                let is_wanted = |interest: &Interest| {
                    let mut all = wanted.iter();
                    all.any(|(path, names)| path == folder && *names == interest.names)
                };
                if let Some(interests) = index.folders.get_mut(folder) {
                    interests.retain(|interest| !own(interest) || is_wanted(interest));
                }
            }
        }
        for (folder, names) in wanted {
            let owner = owner.to_owned();
            let is_stale =
                !covered.contains(&folder) && stale.iter().any(|stale| folder.starts_with(stale));
            if self.admit(watching, &folder, Interest { owner, names }, is_stale)
                && !covered.contains(&folder)
            {
                covered.push(folder);
            }
        }
        if !covered.is_empty() {
            watching.owners.insert(owner.to_owned(), covered);
        }
        metrics::gauge!("labql_mirror_watched_folders").set(self.watched());
    }

    /// Watches a folder, also for this. False: it is not watched.
    fn admit(
        &self,
        watching: &mut Watching,
        folder: &Path,
        interest: Interest,
        stale: bool,
    ) -> bool {
        let mut index = lock(&self.shared.index);
        let known = index.folders.contains_key(folder);
        if !known && index.folders.len() >= watching.most {
            return false;
        }
        let interests = index.folders.entry(folder.to_owned()).or_default();
        if !interests.contains(&interest) {
            interests.push(interest);
        }
        drop(index);
        if known && !stale {
            return true;
        }
        if known {
            // It fails where the system has done so already.
            let _ = watching.watcher.unwatch(folder);
        }
        let Err(error) = watching.watcher.watch(folder, RecursiveMode::NonRecursive) else {
            lock(&self.shared.index).stale.remove(folder);
            return true;
        };
        let mut index = lock(&self.shared.index);
        index.folders.remove(folder);
        if !is_limit(&error) {
            // It has just gone away, or may not be read: its neighbours may do.
            tracing::debug!(%error, folder = %folder.display(), "a folder is not watched");
            return false;
        }
        watching.most = index.folders.len();
        tracing::warn!(
            %error,
            folders = watching.most,
            "the system grants no more file notifications; the other experiments are looked at in intervals"
        );
        false
    }

    /// Gives up an owner's folders but these.
    fn release(&self, watching: &mut Watching, owner: &str, keep: &HashSet<PathBuf>) {
        for folder in watching.owners.remove(owner).unwrap_or_default() {
            let mut index = lock(&self.shared.index);
            let Some(interests) = index.folders.get_mut(&folder) else {
                continue;
            };
            // What is kept stays as it is until it is replaced: in between something may change.
            if keep.contains(&folder) {
                continue;
            }
            interests.retain(|interest| interest.owner != owner);
            if !interests.is_empty() {
                continue;
            }
            index.folders.remove(&folder);
            index.stale.remove(&folder);
            drop(index);
            let _ = watching.watcher.unwatch(&folder);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    fn watched(&self) -> f64 {
        lock(&self.shared.index).folders.len() as f64
    }
}

/// Whether the system, or this process, has no more watches to give.
fn is_limit(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(error) => matches!(
            error.raw_os_error(),
            Some(nix::libc::ENOSPC | nix::libc::EMFILE | nix::libc::ENFILE | nix::libc::ENOMEM)
        ),
        _ => false,
    }
}

impl Shared {
    /// Called on the thread of the notifications.
    fn hear(&self, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) if event.need_rescan() => return self.agenda.add_all(),
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "file notifications were lost");
                return self.agenda.add_all();
            }
        };
        if !is_change(event.kind) {
            return;
        }
        let mut owners = HashSet::new();
        let mut all = false;
        let mut index = lock(&self.index);
        for path in &event.paths {
            if index.folders.contains_key(path) && replaces(event.kind) {
                index.stale.insert(path.clone());
            }
            let Index { folders, .. } = &*index;
            for interest in folders.get(path).into_iter().flatten() {
                all |= interest.owner == CENTRE;
                owners.insert(interest.owner.clone());
            }
            let parent = path.parent().and_then(|parent| folders.get(parent));
            let name = path.file_name().and_then(|name| name.to_str());
            for interest in parent.into_iter().flatten() {
                if let Some(owner) = name.and_then(|name| interest.concerned(name)) {
                    owners.insert(owner);
                }
            }
        }
        drop(index);
        if all {
            self.agenda.add_all();
        } else if !owners.is_empty() {
            self.agenda.add(owners);
        }
    }
}

/// Whether a file or folder may be another one than before. Reading is no change, the mirror's own least of all.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Whether another folder may stand at the path.
fn replaces(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Create(CreateKind::Folder)
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn expid(number: usize) -> Expid {
        Expid::parse(&format!("a00{number}")).unwrap()
    }

    fn root(folder: &Path) -> Root {
        for number in 0..4 {
            let own = folder.join(expid(number).as_str());
            fs::create_dir_all(own.join("pkl")).unwrap();
            fs::create_dir_all(own.join("conf")).unwrap();
        }
        Root::new(folder).unwrap()
    }

    fn folders(watch: &Watch) -> usize {
        lock(&watch.shared.index).folders.len()
    }

    #[tokio::test]
    async fn the_bound_is_kept_and_goes_to_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let root = root(folder.path());
        let watch = Watch::new(Arc::default());
        assert!(
            watch.covers("a000"),
            "nothing is to be covered before the start"
        );
        watch.start(8);
        watch.cover_root(&root);
        for number in 0..4 {
            watch.cover_experiment(&root, &expid(number), &[]);
        }
        // The root, and three folders of each as long as there is room.
        assert_eq!(folders(&watch), 8);
        assert!(watch.covers("a001"));
        assert!(!watch.covers("a003"));
        let order = ["a003", "a000", "a001", "a002"];
        assert_eq!(watch.ration(order.into_iter()), 1);
        assert!(!watch.covers("a001"));
        watch.cover_experiment(&root, &expid(3), &[]);
        assert!(watch.covers("a003"));
        assert!(folders(&watch) <= 8);
        watch.uncover("a003");
        watch.uncover("a000");
        assert_eq!(folders(&watch), 1);
    }

    #[tokio::test]
    async fn what_changes_is_noted_for_whom_it_concerns() {
        let folder = tempfile::tempdir().unwrap();
        let root = root(folder.path());
        let agenda = Arc::new(Agenda::default());
        let watch = Watch::new(Arc::clone(&agenda));
        watch.start(100);
        watch.cover_root(&root);
        watch.cover_experiment(&root, &expid(1), &[]);
        watch.cover_experiment(&root, &expid(2), &[]);
        let list = folder.path().join("a001/pkl/job_list_a001.pkl");
        // Reading is no change, and neither is what nobody wants to know of.
        fs::write(folder.path().join("a002/pkl/other"), "x").unwrap();
        fs::read_dir(folder.path().join("a002/conf")).unwrap();
        fs::write(list, "x").unwrap();
        agenda.wake().await;
        let taken = agenda.take();
        assert!(!taken.dirty.all);
        assert_eq!(taken.dirty.owners, HashSet::from(["a001".to_owned()]));
    }
}
