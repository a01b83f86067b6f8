//! Autosubmit 4: what its YAML files come to ([`load`](super::load)), and the summary of that.
//!
//! What is not in the files is taken from the merged configuration that Autosubmit saved when it last ran
//! (`conf/metadata/experiment_data.yml`) for the summary, and for nothing else.

use std::fmt::Write;

use super::{
    super::{Expid, Root, SourceError},
    ConfigForm, ConfigSummary, Configuration, PlatformConfig, SectionConfig, filled,
    load::Loader,
    loops, normal,
    tree::Tree,
    variables::{self, ROOTDIR},
};

/// What of the settings of Autosubmit's server has a name in a configuration: whatever a file says, the server's
/// settings take its place.
const OF_SERVER: [&str; 2] = [ROOTDIR, "LOCAL_ROOT_DIR"];

/// Reads the summary.
pub(super) fn read(root: &Root, expid: &Expid) -> Result<ConfigSummary, SourceError> {
    let mut loader = Loader::new(root, expid);
    let mut tree = loader.load("")?;
    if let Some(saved) = loader.saved() {
        tree.fill(saved);
    }
    loader.check_found()?;
    let problems = complete(&mut tree, expid);
    loader.configuration_problems(problems);
    let mut summary = summarise(&Values { tree: &tree });
    summary.files = loader.files;
    summary.incomplete = loader.incomplete;
    summary.watched = loader.watched.into_values().collect();
    summary.problems = loader.problems;
    Ok(summary)
}

/// Reads the whole.
pub(super) fn read_whole(
    root: &Root,
    expid: &Expid,
    description: &str,
) -> Result<Configuration, SourceError> {
    let mut loader = Loader::new(root, expid);
    let mut tree = loader.load(description)?;
    loader.check_found()?;
    let problems = complete(&mut tree, expid);
    loader.configuration_problems(problems);
    Ok(Configuration {
        form: ConfigForm::As4,
        tree: tree.into(),
        files: loader.files,
        problems: loader.problems,
    })
}

/// What Autosubmit does when all files are together. The experiment's folder stays `%ROOTDIR%`.
fn complete(tree: &mut Tree, expid: &Expid) -> Vec<String> {
    for name in OF_SERVER {
        tree.remove(name);
    }
    let folder = project_folder(tree);
    tree.set("PROJDIR", Tree::Text(folder));
    normal::normalise(tree, true);
    let mut problems = variables::substitute(tree, true);
    tree.child_map("AUTOSUBMIT");
    add_main_platform(tree, expid);
    for problem in variables::substitute(tree, false) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

/// Where the project's sources are.
fn project_folder(tree: &Tree) -> String {
    let text = |path: &[&str]| tree.get(path).and_then(Tree::text).unwrap_or_default();
    let last = |path: String| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut name = match tree.get(&["PROJECT", "PROJECT_DESTINATION"]) {
        None => "project_files".to_owned(),
        Some(name) => name.text().unwrap_or_default(),
    };
    if name.is_empty() {
        name = match text(&["PROJECT", "PROJECT_TYPE"]).to_lowercase().as_str() {
            "local" => last(text(&["LOCAL", "PROJECT_PATH"])),
            "svn" => last(text(&["SVN", "PROJECT_URL"])),
            "git" => {
                let name = last(text(&["GIT", "PROJECT_ORIGIN"]));
                match name.rsplit_once('.') {
                    Some((name, _)) => last(name.replace('.', "/")),
                    None => name,
                }
            }
            _ => String::new(),
        };
    }
    let mut folder = format!("%{ROOTDIR}%/proj");
    let name = name.trim_end_matches('/');
    if !name.is_empty() {
        let _ = write!(folder, "/{name}");
    }
    folder
}

/// `HPC<KEY>` for each key of the main platform, `HPCARCH`, and where its jobs work.
fn add_main_platform(tree: &mut Tree, expid: &Expid) {
    let name = tree.get(&["DEFAULT", "HPCARCH"]).and_then(Tree::text);
    let name = name.unwrap_or_else(|| "LOCAL".into());
    let keys: Vec<(String, Tree)> = tree
        .entries(&["PLATFORMS", &name])
        .map(|(key, value)| (format!("HPC{key}"), value.clone()))
        .collect();
    let text = |key: &str| {
        let value = tree.get(&["PLATFORMS", &name, key])?.text()?;
        filled(value)
    };
    let project = match tree.get(&["PLATFORMS", &name, "SCRATCH_PROJECT_DIR"]) {
        Some(_) => text("SCRATCH_PROJECT_DIR"),
        None => text("PROJECT"),
    };
    let folder = match (text("SCRATCH_DIR"), project, text("USER")) {
        (Some(scratch), Some(project), Some(user)) => {
            let scratch = scratch.trim_end_matches('/').to_owned();
            Some(format!("{scratch}/{project}/{user}/{expid}"))
        }
        _ if name.eq_ignore_ascii_case("LOCAL") => Some(format!("%{ROOTDIR}%/tmp")),
        _ => None,
    };
    for (key, value) in keys {
        tree.set(&key, value);
    }
    tree.set("HPCARCH", Tree::Text(name));
    if let Some(folder) = folder {
        tree.set("HPCLOGDIR", Tree::Text(format!("{folder}/LOG_{expid}")));
        tree.set("HPCROOTDIR", Tree::Text(folder));
    }
}

/// One tree over another, as Autosubmit unites files: then at once, variables are replaced and loops unrolled.
pub(super) fn unite(under: &mut Tree, over: Tree) -> Vec<String> {
    under.merge(over);
    let mut problems = variables::substitute(under, false);
    problems.extend(loops::unroll(under));
    problems
}

/// The scalars of the tree.
struct Values<'t> {
    tree: &'t Tree,
}

impl Values<'_> {
    /// A scalar; none if it is missing or empty.
    fn text(&self, path: &[&str]) -> Option<String> {
        filled(self.tree.get(path)?.text()?)
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
        self.text(&["DEFAULT", "HPCARCH"])
            .map(|name| name.to_uppercase())
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
