//! Which files make up a configuration of Autosubmit 4, and in which order they are laid over one another.
//!
//! The order is Autosubmit's: the files that `DEFAULT.CUSTOM_CONFIG` names (as PRE, or as plain text), then `conf/*.yml`
//! without `minimal.yml`, then those that it names as POST, each over what came before; what is still missing comes from
//! `minimal.yml`. A file that is named may name others: its PRE files lie under all that is there by then, its POST
//! files over it. Each file counts once.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use super::{
    super::{Expid, Problem, Root, SourceError, SourceFile, SourceFingerprint},
    as4::unite,
    normal, read_text,
    tree::Tree,
    variables::{self, ROOTDIR},
    yaml,
};

/// The most files that one configuration may pull in.
const MAX_FILES: usize = 500;
/// Bytes of all files together.
const MAX_BYTES: usize = 16 << 20;
/// How deep files may name one another.
const MAX_DEPTH: usize = 30;
/// Bytes that may be gone through to unite files. Ten files of 100 KiB take 6 MiB.
const MAX_WORK: usize = 128 << 20;
/// What Autosubmit itself computes, and takes from no file.
const COMPUTED: [&str; 3] = ["HPCROOTDIR", "HPCLOGDIR", "HPCARCH"];

/// Reads the files of one experiment.
pub(super) struct Loader<'r> {
    root: &'r Root,
    expid: &'r Expid,
    /// What was read, in order.
    pub(super) files: Vec<String>,
    /// What `CUSTOM_CONFIG` leads to, by path.
    pub(super) watched: BTreeMap<String, SourceFingerprint>,
    /// Whether a file could not be read.
    pub(super) incomplete: bool,
    pub(super) problems: Vec<Problem>,
    seen: HashSet<String>,
    /// Bytes of the files that were read.
    bytes: usize,
    /// Bytes gone through.
    work: usize,
}

/// What an entry of `CUSTOM_CONFIG` stands for.
enum Named {
    Nothing,
    File(String),
    Folder(String, Vec<String>),
}

/// What comes of the files of a list, over what was there before them.
enum Outcome {
    /// None was there.
    Nothing,
    /// What is in `current`.
    Current,
    /// Something that goes on no further: what POST files gave.
    Apart(Tree),
}

impl<'r> Loader<'r> {
    pub(super) fn new(root: &'r Root, expid: &'r Expid) -> Self {
        Self {
            root,
            expid,
            files: Vec::new(),
            watched: BTreeMap::new(),
            incomplete: false,
            problems: Vec::new(),
            seen: HashSet::new(),
            bytes: 0,
            work: 0,
        }
    }

    /// The files, united. `description`: what the central database says that the experiment is.
    pub(super) fn load(&mut self, description: &str) -> Result<Tree, SourceError> {
        let names = match self.root.config_files(self.expid) {
            Ok(names) => names.into_iter().filter(|name| is_yaml(name)).collect(),
            Err(error) if self.root.resolve(&self.saved_path()).is_err() => return Err(error),
            Err(error) => {
                self.incomplete |= !matches!(error, SourceError::Missing);
                let source = self.root.relative(SourceFile::Config, self.expid);
                self.problems.push(Problem::of(source, &error));
                Vec::new()
            }
        };
        let mut starter = Tree::new();
        let mut files = Vec::new();
        for name in &names {
            let Some(tree) = self.file(name) else {
                continue;
            };
            if !(name.ends_with("minimal.yml") || name.ends_with("minimal.yaml")) {
                files.push(tree.clone());
            }
            self.unite(&mut starter, tree);
        }
        add_project_folder(&mut starter);
        if !description.is_empty()
            && let Some(default) = starter.child_map("DEFAULT")
        {
            default.insert("DESCRIPTION".into(), Tree::Text(description.to_owned()));
        }
        let mut own = Tree::new();
        for mut tree in files {
            pin(&mut tree, &starter);
            self.unite(&mut own, tree);
        }
        add_project_folder(&mut own);

        let (pre, post) = custom_config(&starter);
        let mut tree = self.section(Tree::new(), &pre, &starter, 0);
        pin(&mut tree, &starter);
        self.unite(&mut tree, own);
        let mut tree = self.section(tree, &post, &starter, 0);
        pin(&mut tree, &starter);
        tree.fill(starter);
        Ok(tree)
    }

    /// The merged configuration that Autosubmit saved.
    pub(super) fn saved(&mut self) -> Option<Tree> {
        let path = self.saved_path();
        match self.root.resolve(&path) {
            Err(SourceError::Missing) => None,
            _ => self.file(&path),
        }
    }

    /// An error if there is nothing at all, not even something broken.
    pub(super) fn check_found(&self) -> Result<(), SourceError> {
        if self.files.is_empty() && self.problems.is_empty() {
            return Err(SourceError::Missing);
        }
        Ok(())
    }

    /// What is wrong with the configuration as a whole.
    pub(super) fn configuration_problems(&mut self, messages: Vec<String>) {
        let source = self.root.relative(SourceFile::Config, self.expid);
        for message in messages {
            let problem = Problem::new(&source, message);
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    fn saved_path(&self) -> String {
        self.root.relative(SourceFile::ConfigSnapshot, self.expid)
    }

    fn unite(&mut self, under: &mut Tree, over: Tree) {
        if self.afford() {
            let problems = unite(under, over);
            self.configuration_problems(problems);
        }
    }

    /// Whether all that was read so far may be gone through once more.
    fn afford(&mut self) -> bool {
        self.work = self.work.saturating_add(self.bytes);
        let enough = self.work <= MAX_WORK;
        if !enough {
            self.incomplete = true;
            self.configuration_problems(vec![
                "its files are too many and too large to be united; some are left out".into(),
            ]);
        }
        enough
    }

    /// What the files of a list come to over `base`.
    fn section(&mut self, base: Tree, entries: &[String], starter: &Tree, depth: usize) -> Tree {
        if entries.is_empty() || !self.afford() {
            return base;
        }
        let mut current = base.clone();
        match self.list(&mut current, entries, starter, depth) {
            Outcome::Nothing => base,
            Outcome::Current => current,
            Outcome::Apart(tree) => tree,
        }
    }

    fn list(
        &mut self,
        current: &mut Tree,
        entries: &[String],
        starter: &Tree,
        depth: usize,
    ) -> Outcome {
        let mut outcome = Outcome::Nothing;
        if depth > MAX_DEPTH {
            self.incomplete = true;
            self.configuration_problems(vec![format!(
                "CUSTOM_CONFIG names files that name others more than {MAX_DEPTH} times over"
            )]);
            return outcome;
        }
        for entry in entries {
            let expanded = variables::expand(entry, &[&*current, starter]);
            match self.named(&expanded) {
                Named::Nothing => {}
                Named::Folder(path, files) => {
                    if !self.is_new(&path) || !self.afford() {
                        continue;
                    }
                    let mut inside = current.clone();
                    outcome = match self.list(&mut inside, &files, starter, depth + 1) {
                        Outcome::Nothing => Outcome::Nothing,
                        Outcome::Current => {
                            self.unite(current, inside);
                            Outcome::Current
                        }
                        Outcome::Apart(tree) => {
                            self.unite(current, tree.clone());
                            Outcome::Apart(tree)
                        }
                    };
                }
                Named::File(path) => {
                    if !self.is_new(&path) {
                        continue;
                    }
                    self.watch(&path);
                    let Some(mut tree) = self.file(&path) else {
                        continue;
                    };
                    pin(&mut tree, starter);
                    self.unite(current, tree);
                    outcome = self.named_by_file(current, outcome, starter, depth);
                }
            }
        }
        outcome
    }

    /// The files that a file names which has just been laid over `current`.
    fn named_by_file(
        &mut self,
        current: &mut Tree,
        outcome: Outcome,
        starter: &Tree,
        depth: usize,
    ) -> Outcome {
        let (pre, post) = custom_config(current);
        if let Some(Tree::Map(default)) = current.map_mut().and_then(|map| map.get_mut("DEFAULT")) {
            default.remove("CUSTOM_CONFIG");
        }
        if !pre.is_empty() && self.afford() {
            let mut under = self.section(current.clone(), &pre, starter, depth + 1);
            let over = std::mem::replace(current, Tree::Null);
            self.unite(&mut under, over);
            *current = under;
        }
        if post.is_empty() || !self.afford() {
            return Outcome::Current;
        }
        let mut tree = match outcome {
            Outcome::Apart(tree) => tree,
            Outcome::Nothing | Outcome::Current => Tree::new(),
        };
        let over = self.section(current.clone(), &post, starter, depth + 1);
        self.unite(&mut tree, over);
        Outcome::Apart(tree)
    }

    /// Whether a file or folder was not seen yet, and may still be looked at.
    fn is_new(&mut self, path: &str) -> bool {
        self.seen.len() < MAX_FILES && self.seen.insert(path.to_owned())
    }

    /// What an entry stands for. Only the experiment's own folder is looked at; what does not exist there is passed
    /// over, as Autosubmit does.
    fn named(&mut self, entry: &str) -> Named {
        let source = self.root.relative(SourceFile::Config, self.expid);
        let home = self.root.path().join(self.expid.as_str());
        let variable = format!("%{ROOTDIR}%");
        let inside = match entry.strip_prefix(&variable) {
            Some(inside) => Some(inside.trim_start_matches('/')),
            None => Path::new(entry)
                .strip_prefix(&home)
                .ok()
                .and_then(Path::to_str),
        };
        let path = match inside {
            Some(inside) => format!("{}/{}", self.expid, inside.trim_end_matches('/')),
            // What was found in a folder.
            None if self.is_relative_to_root(entry) => entry.to_owned(),
            None if entry.starts_with(['/', '~', '%']) => {
                let message = format_args!(
                    "CUSTOM_CONFIG names {entry}, which is not in the experiment's folder"
                );
                self.problems.push(Problem::new(source, message));
                return Named::Nothing;
            }
            None => format!("{source}/{entry}"),
        };
        self.watch(&path);
        let found = self.root.resolve(&path).and_then(|resolved| {
            let home = fs::canonicalize(&home)?;
            if !resolved.starts_with(&home) {
                return Err(SourceError::Hostile(
                    "CUSTOM_CONFIG leads out of the experiment's folder".into(),
                ));
            }
            if resolved.is_dir() {
                let files = self.root.files_in(&path, &["yml", "yaml"])?;
                Ok(Named::Folder(path.clone(), files))
            } else {
                Ok(Named::File(path.clone()))
            }
        });
        match found {
            Ok(named) => named,
            Err(SourceError::Missing) => Named::Nothing,
            Err(error) => {
                self.incomplete = true;
                self.problems.push(Problem::of(path, &error));
                Named::Nothing
            }
        }
    }

    /// Whether this is how a folder's files are listed, and no text of a file: those are relative to `conf`.
    fn is_relative_to_root(&self, entry: &str) -> bool {
        let inside = entry.strip_prefix(self.expid.as_str());
        inside.is_some_and(|inside| inside.starts_with('/'))
    }

    /// Notes the state of a path, before it is read. One that leads out of the root is not looked at.
    fn watch(&mut self, path: &str) {
        let inside = !matches!(self.root.resolve(path), Err(SourceError::Hostile(_)));
        if inside && self.watched.len() < MAX_FILES && !self.watched.contains_key(path) {
            let state = self
                .root
                .source_fingerprint(SourceFile::Config, path.to_owned());
            self.watched.insert(path.to_owned(), state);
        }
    }

    /// One file in its normal form; none if it is set apart (`AS_MISC`), or broken, which is a problem then.
    fn file(&mut self, path: &str) -> Option<Tree> {
        self.seen.insert(path.to_owned());
        let left = MAX_BYTES.saturating_sub(self.bytes);
        let parsed = read_text(self.root, path).and_then(|text| {
            if text.len() > left {
                return Err(SourceError::TooLarge {
                    size: self.bytes.saturating_add(text.len()) as u64,
                    limit: MAX_BYTES as u64,
                });
            }
            self.bytes = self.bytes.saturating_add(text.len());
            yaml::parse(&text).map_err(SourceError::Corrupt)
        });
        let mut tree = match parsed {
            Ok(tree) => tree,
            Err(error) => {
                self.incomplete = true;
                self.problems.push(Problem::of(path, &error));
                return None;
            }
        };
        self.files.push(path.to_owned());
        let apart = tree.get(&["AS_MISC"]).and_then(Tree::flag) == Some(true);
        if apart || !matches!(tree, Tree::Map(_)) {
            return None;
        }
        normal::normalise(&mut tree, false);
        for computed in COMPUTED {
            tree.remove(computed);
        }
        Some(tree)
    }
}

fn is_yaml(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| {
        extension.eq_ignore_ascii_case("yml") || extension.eq_ignore_ascii_case("yaml")
    })
}

/// No file can give the experiment another name than those in `conf`.
fn pin(tree: &mut Tree, starter: &Tree) {
    let Some(expid) = starter.get(&["DEFAULT", "EXPID"]) else {
        return;
    };
    if let Some(default) = tree.child_map("DEFAULT") {
        default.insert("EXPID".into(), expid.clone());
    }
}

/// The folder of the project, for names of files.
fn add_project_folder(tree: &mut Tree) {
    let name = match tree.get(&["PROJECT", "PROJECT_DESTINATION"]) {
        None => "project_files".to_owned(),
        Some(name) => name.text().unwrap_or_default(),
    };
    let folder = format!("%{ROOTDIR}%/proj/{name}");
    tree.set("PROJDIR", Tree::Text(folder));
}

/// The PRE and POST entries of `DEFAULT.CUSTOM_CONFIG`: text (comma or blank between paths), a list, or a map of both.
fn custom_config(tree: &Tree) -> (Vec<String>, Vec<String>) {
    fn paths(node: Option<&Tree>) -> Vec<String> {
        match node {
            Some(Tree::Text(text)) => {
                let mark: &[char] = if text.contains(',') {
                    &[',']
                } else {
                    &[' ', '\n']
                };
                text.split(mark)
                    .map(|path| path.trim_matches([',', ' ', '\n']))
                    .filter(|path| !path.is_empty())
                    .map(str::to_owned)
                    .collect()
            }
            Some(Tree::List(items)) => items.iter().flat_map(|item| paths(Some(item))).collect(),
            _ => Vec::new(),
        }
    }
    let node = tree.get(&["DEFAULT", "CUSTOM_CONFIG"]);
    match node {
        Some(Tree::Map(_)) => (
            paths(node.and_then(|node| node.get(&["PRE"]))),
            paths(node.and_then(|node| node.get(&["POST"]))),
        ),
        _ => (paths(node), Vec::new()),
    }
}
