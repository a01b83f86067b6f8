//! Autosubmit 4: YAML files in `conf`, and those that `DEFAULT.CUSTOM_CONFIG` names.
//!
//! The order is Autosubmit's: PRE files, then `conf/*.yml` without `minimal.yml`, then POST files, each over what came
//! before; what is still missing comes from `minimal.yml`, and at last from the merged configuration that Autosubmit
//! saved when it last ran (`conf/metadata/experiment_data.yml`). Loops (`FOR`) are not unrolled here: their sections
//! are in that file.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
    fs,
    path::Path,
};

use super::{
    super::{Expid, Problem, Root, SourceError, SourceFile, SourceFingerprint},
    ConfigForm, ConfigSummary, PlatformConfig, SectionConfig, filled, read_text,
    tree::Tree,
    yaml,
};

/// The most files that one configuration may pull in.
const MAX_FILES: usize = 500;
/// How often a value may name another one.
const MAX_EXPANSIONS: usize = 8;
/// The longest text that a value may become, in bytes.
const MAX_VALUE: usize = 1 << 16;

/// Reads the configuration.
pub(super) fn read(root: &Root, expid: &Expid) -> Result<ConfigSummary, SourceError> {
    let mut loader = Loader {
        root,
        expid,
        files: Vec::new(),
        seen: HashSet::new(),
        watched: BTreeMap::new(),
        incomplete: false,
        problems: Vec::new(),
    };
    let tree = loader.load()?;
    let mut summary = summarise(&Values {
        tree: &tree,
        root,
        expid,
    });
    summary.files = loader.files;
    summary.incomplete = loader.incomplete;
    summary.watched = loader.watched.into_values().collect();
    summary.problems = loader.problems;
    Ok(summary)
}

struct Loader<'r> {
    root: &'r Root,
    expid: &'r Expid,
    /// What was read, in order.
    files: Vec<String>,
    seen: HashSet<String>,
    /// What `CUSTOM_CONFIG` leads to, by path.
    watched: BTreeMap<String, SourceFingerprint>,
    /// Whether a file could not be read.
    incomplete: bool,
    problems: Vec<Problem>,
}

impl Loader<'_> {
    fn load(&mut self) -> Result<Tree, SourceError> {
        let folder = self.root.config_files(self.expid);
        let saved = self.root.relative(SourceFile::ConfigSnapshot, self.expid);
        let names = match folder {
            Ok(names) => names.into_iter().filter(|name| is_yaml(name)).collect(),
            Err(error) if self.root.resolve(&saved).is_err() => return Err(error),
            Err(error) => {
                self.incomplete |= !matches!(error, SourceError::Missing);
                self.problems.push(Problem::of(
                    self.root.relative(SourceFile::Config, self.expid),
                    &error,
                ));
                Vec::new()
            }
        };
        let mut starter = Tree::new();
        let mut own = Tree::new();
        for name in &names {
            let Some(tree) = self.file(name) else {
                continue;
            };
            if !(name.ends_with("minimal.yml") || name.ends_with("minimal.yaml")) {
                own.merge(tree.clone());
            }
            starter.merge(tree);
        }
        let (pre, post) = custom_config(&starter);
        let mut result = Tree::new();
        self.custom(&pre, &starter, &mut result);
        result.merge(own);
        self.custom(&post, &starter, &mut result);
        result.fill(starter);
        for dropped in ["HPCROOTDIR", "HPCLOGDIR", "HPCARCH"] {
            result.remove(dropped);
        }
        if let Some(saved) = self.optional(&saved) {
            result.fill(saved);
        }
        if self.files.is_empty() && self.problems.is_empty() {
            return Err(SourceError::Missing);
        }
        Ok(result)
    }

    /// Lays the files over `result` that entries of `CUSTOM_CONFIG` name, each followed by those that it names itself.
    fn custom(&mut self, entries: &[String], starter: &Tree, result: &mut Tree) {
        let mut waiting: Vec<String> = entries.iter().rev().cloned().collect();
        while let Some(entry) = waiting.pop() {
            let expanded = Values {
                tree: starter,
                root: self.root,
                expid: self.expid,
            }
            .expand(&entry);
            for path in self.custom_files(&expanded) {
                if self.seen.len() >= MAX_FILES || self.seen.contains(&path) {
                    continue;
                }
                self.watch(&path);
                let Some(tree) = self.file(&path) else {
                    continue;
                };
                let (pre, post) = custom_config(&tree);
                result.merge(tree);
                waiting.extend(pre.into_iter().chain(post).rev());
            }
        }
    }

    /// The files that an entry of `CUSTOM_CONFIG` stands for. Only the experiment's own folder is looked at; what does
    /// not exist there is passed over, as Autosubmit does.
    fn custom_files(&mut self, entry: &str) -> Vec<String> {
        let source = self.root.relative(SourceFile::Config, self.expid);
        let home = self.root.path().join(self.expid.as_str());
        let inside = Path::new(entry)
            .strip_prefix(&home)
            .ok()
            .and_then(Path::to_str);
        let path = match inside {
            Some(inside) => format!("{}/{}", self.expid, inside.trim_end_matches('/')),
            None if entry.starts_with(['/', '~', '%']) => {
                self.problems.push(Problem::new(
                    source,
                    format_args!(
                        "CUSTOM_CONFIG names {entry}, which is not in the experiment's folder"
                    ),
                ));
                return Vec::new();
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
                self.root.files_in(&path, &["yml", "yaml"])
            } else {
                Ok(vec![path.clone()])
            }
        });
        match found {
            Ok(files) => files,
            Err(SourceError::Missing) => Vec::new(),
            Err(error) => {
                self.incomplete = true;
                self.problems.push(Problem::of(path, &error));
                Vec::new()
            }
        }
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

    fn optional(&mut self, path: &str) -> Option<Tree> {
        match self.root.resolve(path) {
            Err(SourceError::Missing) => None,
            _ => self.file(path),
        }
    }

    /// One file; none if it is set apart (`AS_MISC`), or broken, which is a problem then.
    fn file(&mut self, path: &str) -> Option<Tree> {
        self.seen.insert(path.to_owned());
        let parsed = read_text(self.root, path)
            .and_then(|text| yaml::parse(&text).map_err(SourceError::Corrupt));
        let tree = match parsed {
            Ok(tree) => tree,
            Err(error) => {
                self.incomplete = true;
                self.problems.push(Problem::of(path, &error));
                return None;
            }
        };
        self.files.push(path.to_owned());
        let apart = tree.get(&["AS_MISC"]).and_then(Tree::flag) == Some(true);
        (matches!(tree, Tree::Map(_)) && !apart).then_some(tree)
    }
}

fn is_yaml(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| {
        extension.eq_ignore_ascii_case("yml") || extension.eq_ignore_ascii_case("yaml")
    })
}

/// The PRE and POST entries of `DEFAULT.CUSTOM_CONFIG`: text (comma or blank between paths), a list, or a map of both.
fn custom_config(tree: &Tree) -> (Vec<String>, Vec<String>) {
    fn paths(node: Option<&Tree>) -> Vec<String> {
        match node {
            Some(Tree::Text(text)) => text
                .split([',', ' ', '\n'])
                .filter(|path| !path.is_empty())
                .map(str::to_owned)
                .collect(),
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

/// The merged tree with the variables that values may name.
struct Values<'t> {
    tree: &'t Tree,
    root: &'t Root,
    expid: &'t Expid,
}

impl Values<'_> {
    /// A scalar with its variables replaced; none if it is missing or empty.
    fn text(&self, path: &[&str]) -> Option<String> {
        filled(self.expand(&self.tree.get(path)?.text()?))
    }

    fn flag(&self, path: &[&str]) -> Option<bool> {
        self.tree.get(path)?.flag()
    }

    fn number(&self, path: &[&str]) -> Option<f64> {
        self.text(path)?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    fn hpc(&self) -> Option<String> {
        // Not through `text`: HPCARCH is itself a variable.
        filled(self.tree.get(&["DEFAULT", "HPCARCH"])?.text()?).map(|name| name.to_uppercase())
    }

    /// Replaces `%NAME%` and `%A.B.C%`; what is unknown stays as it is.
    fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..MAX_EXPANSIONS {
            let next = self.expand_once(&text);
            if next == text || next.len() > MAX_VALUE {
                break;
            }
            text = next;
        }
        text
    }

    fn expand_once(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            result.push_str(before);
            let value = after
                .split_once('%')
                .and_then(|(name, behind)| Some((self.variable(name)?, behind)));
            if let Some((value, behind)) = value {
                result.push_str(&value);
                rest = behind;
            } else {
                result.push('%');
                rest = after;
            }
            if result.len() > MAX_VALUE {
                break;
            }
        }
        result.push_str(rest);
        result
    }

    fn variable(&self, name: &str) -> Option<String> {
        let name = name.strip_prefix('^').unwrap_or(name);
        if let Some(name) = name.strip_suffix("^^") {
            return self.variable_value(name).map(|value| value.to_uppercase());
        }
        if let Some(name) = name.strip_suffix(",,") {
            return self.variable_value(name).map(|value| value.to_lowercase());
        }
        self.variable_value(name)
    }

    fn variable_value(&self, name: &str) -> Option<String> {
        let name = name.to_uppercase();
        let home = || {
            self.root
                .path()
                .join(self.expid.as_str())
                .display()
                .to_string()
        };
        match name.as_str() {
            "EXPID" => return Some(self.expid.to_string()),
            "ROOTDIR" => return Some(home()),
            "PROJDIR" => {
                let mut path = format!("{}/proj", home());
                let destination = self
                    .tree
                    .get(&["PROJECT", "PROJECT_DESTINATION"])
                    .and_then(Tree::text);
                if let Some(destination) = destination.and_then(filled) {
                    let _ = write!(path, "/{destination}");
                }
                return Some(path);
            }
            "HPCARCH" => return self.hpc(),
            _ => {}
        }
        let path: Vec<&str> = name.split('.').collect();
        if let Some(value) = self.tree.get(&path).and_then(Tree::text) {
            return Some(value);
        }
        // HPC<KEY> is the main platform's KEY.
        let key = name.strip_prefix("HPC")?;
        self.tree.get(&["PLATFORMS", &self.hpc()?, key])?.text()
    }
}

fn summarise(values: &Values<'_>) -> ConfigSummary {
    let mut summary = ConfigSummary::new(ConfigForm::As4);
    summary.version = values.text(&["CONFIG", "AUTOSUBMIT_VERSION"]);
    summary.hpc = values.hpc();
    summary.chunk_unit = values
        .text(&["EXPERIMENT", "CHUNKSIZEUNIT"])
        .map(|unit| unit.to_lowercase());
    let chunk_size = values
        .text(&["EXPERIMENT", "CHUNKSIZE"])
        .and_then(|size| size.parse().ok());
    summary.chunk_size = chunk_size.unwrap_or(1);
    summary.project_type = values
        .text(&["PROJECT", "PROJECT_TYPE"])
        .map(|kind| kind.to_lowercase());
    (summary.model, summary.branch) = match summary.project_type.as_deref() {
        Some("git") => (
            values.text(&["GIT", "PROJECT_ORIGIN"]),
            values.text(&["GIT", "PROJECT_BRANCH"]),
        ),
        Some("svn") => (
            values.text(&["SVN", "PROJECT_URL"]),
            values.text(&["SVN", "PROJECT_URL"]),
        ),
        _ => (None, None),
    };
    summary.workflow_commit = values.text(&["AUTOSUBMIT", "WORKFLOW_COMMIT"]);
    for (name, node) in values.tree.entries(&["JOBS"]) {
        if matches!(node, Tree::Map(_)) {
            summary.sections.insert(name.clone(), section(values, name));
        }
    }
    for (name, node) in values.tree.entries(&["PLATFORMS"]) {
        if matches!(node, Tree::Map(_)) {
            summary
                .platforms
                .insert(name.clone(), platform(values, name));
        }
    }
    summary
}

fn section(values: &Values<'_>, name: &str) -> SectionConfig {
    let text = |key| values.text(&["JOBS", name, key]);
    SectionConfig {
        platform: text("PLATFORM").map(|platform| platform.to_uppercase()),
        queue: text("QUEUE"),
        wallclock: text("WALLCLOCK").map(|time| hours_and_minutes(&time)),
        processors: text("PROCESSORS"),
        tasks: text("TASKS"),
        nodes: text("NODES"),
        processors_per_node: text("PROCESSORS_PER_NODE"),
        exclusive: values.flag(&["JOBS", name, "EXCLUSIVE"]),
        running: text("RUNNING"),
        synchronize: text("SYNCHRONIZE"),
    }
}

fn platform(values: &Values<'_>, name: &str) -> PlatformConfig {
    let text = |key| values.text(&["PLATFORMS", name, key]);
    PlatformConfig {
        kind: text("TYPE"),
        host: text("HOST"),
        project: text("PROJECT"),
        queue: text("QUEUE"),
        serial_queue: text("SERIAL_QUEUE"),
        max_wallclock: text("MAX_WALLCLOCK").map(|time| hours_and_minutes(&time)),
        processors_per_node: text("PROCESSORS_PER_NODE"),
        processors: text("PROCESSORS"),
        tasks: text("TASKS"),
        nodes: text("NODES"),
        exclusive: values.flag(&["PLATFORMS", name, "EXCLUSIVE"]),
        carbon_factor: values.number(&["PLATFORMS", name, "CF"]),
        pue: values.number(&["PLATFORMS", name, "PUE"]),
    }
}

/// `HH:MM:SS` without its seconds.
fn hours_and_minutes(time: &str) -> String {
    let mut parts = time.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(hours), Some(minutes), Some(_), None) => format!("{hours}:{minutes}"),
        _ => time.to_owned(),
    }
}
