//! An experiment's configuration.
//!
//! Autosubmit 3 keeps five INI files ([`ini`]), Autosubmit 4 any number of YAML files ([`yaml`]) which it unites
//! ([`load`]). Both become a [`Configuration`], the whole of it as Autosubmit sees it; and a [`ConfigSummary`] of what
//! lists and details of experiments and jobs need, of which [`ConfigSummary::resolve`] applies the defaults that a job
//! gets.

mod as3;
mod as4;
mod ini;
mod load;
mod loops;
mod normal;
mod numbers;
mod tree;
mod variables;
mod yaml;

use std::{collections::BTreeMap, io::Read};

pub use numbers::{estimated_nodes, processing_elements, processor_count, years_per_chunk};

use super::{Expid, Problem, Root, SourceError, SourceFingerprint};

/// The largest configuration file that is read, in bytes.
pub const MAX_CONFIG_FILE: u64 = 2 << 20;

/// Which generation of configuration an experiment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigForm {
    /// INI files of Autosubmit 3.
    As3,
    /// YAML files of Autosubmit 4.
    As4,
}

/// A whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The generation.
    pub form: ConfigForm,
    /// What its files say, as JSON: united, in their normal form, with loops unrolled and variables replaced. What
    /// Autosubmit's server adds of its own is not in it, and the experiment's folder is `%ROOTDIR%`. For Autosubmit 3 the
    /// sections of each of the five files.
    pub tree: serde_json::Value,
    /// The files that were read, relative to the root.
    pub files: Vec<String>,
    /// What could not be read, or makes no sense.
    pub problems: Vec<Problem>,
}

/// The parts of a configuration that the mirror keeps. Texts are as written, with `%VARIABLES%` replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigSummary {
    /// The generation.
    pub form: ConfigForm,
    /// The version of Autosubmit that the configuration names.
    pub version: Option<String>,
    /// The main platform: as written in Autosubmit 3, in capitals in Autosubmit 4.
    pub hpc: Option<String>,
    /// `year`, `month`, `day` or `hour`, in small letters.
    pub chunk_unit: Option<String>,
    /// Chunk size in chunk units.
    pub chunk_size: i64,
    /// `git`, `svn`, `local` or `none`, in small letters.
    pub project_type: Option<String>,
    /// Where the model's sources come from.
    pub model: Option<String>,
    /// Their branch.
    pub branch: Option<String>,
    /// The kind of wrapper (Autosubmit 3).
    pub wrapper_type: Option<String>,
    /// The queue of wrappers (Autosubmit 3).
    pub wrapper_queue: Option<String>,
    /// The commit of the workflow's sources that Autosubmit noted.
    pub workflow_commit: Option<String>,
    /// The kinds of job.
    pub sections: BTreeMap<String, SectionConfig>,
    /// The platforms.
    pub platforms: BTreeMap<String, PlatformConfig>,
    /// The files that were read, relative to the root.
    pub files: Vec<String>,
    /// Whether a file that belongs to it could not be read, so that what is not here may well be there.
    pub incomplete: bool,
    /// What `DEFAULT.CUSTOM_CONFIG` leads to, in the state from before it was read: files and folders that are not in
    /// [`Root::fingerprints`](super::Root::fingerprints).
    pub watched: Vec<SourceFingerprint>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// A section (kind of job) as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SectionConfig {
    /// PLATFORM.
    pub platform: Option<String>,
    /// QUEUE.
    pub queue: Option<String>,
    /// WALLCLOCK, `HH:MM`.
    pub wallclock: Option<String>,
    /// PROCESSORS: a number, or numbers with `:` between them.
    pub processors: Option<String>,
    /// TASKS: processes a node.
    pub tasks: Option<String>,
    /// NODES.
    pub nodes: Option<String>,
    /// `PROCESSORS_PER_NODE`.
    pub processors_per_node: Option<String>,
    /// EXCLUSIVE: whether it has its nodes for itself.
    pub exclusive: Option<bool>,
    /// RUNNING: once, date, member or chunk.
    pub running: Option<String>,
    /// SYNCHRONIZE: date or member.
    pub synchronize: Option<String>,
}

/// A platform as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlatformConfig {
    /// TYPE: slurm, pbs, ps and so on.
    pub kind: Option<String>,
    /// HOST.
    pub host: Option<String>,
    /// PROJECT: who pays.
    pub project: Option<String>,
    /// QUEUE.
    pub queue: Option<String>,
    /// `SERIAL_QUEUE`: for jobs with one processor.
    pub serial_queue: Option<String>,
    /// `MAX_WALLCLOCK`, `HH:MM`.
    pub max_wallclock: Option<String>,
    /// `PROCESSORS_PER_NODE`.
    pub processors_per_node: Option<String>,
    /// PROCESSORS.
    pub processors: Option<String>,
    /// TASKS.
    pub tasks: Option<String>,
    /// NODES.
    pub nodes: Option<String>,
    /// EXCLUSIVE.
    pub exclusive: Option<bool>,
    /// CF: grams of carbon dioxide for a megawatt hour.
    pub carbon_factor: Option<f64>,
    /// PUE: power usage effectiveness of the site.
    pub pue: Option<f64>,
}

/// What applies to the jobs of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionSettings {
    /// The section's platform, or the main one.
    pub platform: Option<String>,
    /// The section's queue; else the platform's serial queue for one processor, else its queue.
    pub queue: Option<String>,
    /// The section's wallclock, or the platform's longest; `HH:MM`.
    pub wallclock: Option<String>,
    /// Processors as written, by default `1`.
    pub processors: String,
    /// Processes a node as written.
    pub tasks: Option<String>,
    /// Nodes as written.
    pub nodes: Option<String>,
    /// Processors a node as written.
    pub processors_per_node: Option<String>,
    /// Whether it has its nodes for itself.
    pub exclusive: bool,
}

impl SectionSettings {
    /// The number of processors: [`processor_count`].
    pub fn processor_count(&self) -> u64 {
        processor_count(&self.processors)
    }

    /// The number of nodes that the request amounts to: [`estimated_nodes`].
    pub fn estimated_nodes(&self) -> u64 {
        estimated_nodes(self)
    }

    /// The processors that are occupied: [`processing_elements`].
    pub fn processing_elements(&self) -> u64 {
        processing_elements(self)
    }
}

impl ConfigSummary {
    pub(super) fn new(form: ConfigForm) -> Self {
        Self {
            form,
            version: None,
            hpc: None,
            chunk_unit: None,
            chunk_size: 1,
            project_type: None,
            model: None,
            branch: None,
            wrapper_type: None,
            wrapper_queue: None,
            workflow_commit: None,
            sections: BTreeMap::new(),
            platforms: BTreeMap::new(),
            files: Vec::new(),
            incomplete: false,
            watched: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The platform of this name. Case is ignored where nothing fits exactly.
    pub fn platform(&self, name: &str) -> Option<&PlatformConfig> {
        find(&self.platforms, name)
    }

    /// The values that apply to the jobs of a section: its own, else those of its platform, else Autosubmit's
    /// defaults. None if there is no such section. Case is ignored where nothing fits exactly.
    pub fn resolve(&self, section: &str) -> Option<SectionSettings> {
        let section = find(&self.sections, section)?;
        let platform = section.platform.clone().or_else(|| self.hpc.clone());
        let none = PlatformConfig::default();
        let host = platform
            .as_deref()
            .and_then(|name| find(&self.platforms, name))
            .unwrap_or(&none);
        let either =
            |own: &Option<String>, host: &Option<String>| own.clone().or_else(|| host.clone());
        let (processors, tasks, nodes, processors_per_node, exclusive) = match self.form {
            ConfigForm::As3 => (
                section.processors.clone(),
                section.tasks.clone(),
                None,
                None,
                false,
            ),
            ConfigForm::As4 => (
                either(&section.processors, &host.processors),
                either(&section.tasks, &host.tasks),
                either(&section.nodes, &host.nodes),
                either(&section.processors_per_node, &host.processors_per_node),
                section.exclusive == Some(true) || host.exclusive == Some(true),
            ),
        };
        let processors = processors.unwrap_or_else(|| "1".into());
        let serial = (processor_count(&processors) == 1)
            .then(|| host.serial_queue.clone())
            .flatten();
        Some(SectionSettings {
            queue: section
                .queue
                .clone()
                .or(serial)
                .or_else(|| host.queue.clone()),
            wallclock: either(&section.wallclock, &host.max_wallclock),
            platform,
            processors,
            tasks,
            nodes,
            processors_per_node,
            exclusive,
        })
    }
}

fn find<'m, T>(map: &'m BTreeMap<String, T>, name: &str) -> Option<&'m T> {
    map.get(name).or_else(|| {
        map.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// Reads the configuration of an experiment: Autosubmit 3 if `conf/expdef_<expid>.conf` exists, else Autosubmit 4.
///
/// A file that cannot be read is a problem of the summary; the others still count. With no file in
/// [`ConfigSummary::files`] the summary is nothing but its problems.
///
/// # Errors
/// [`SourceError`] if there is no configuration at all, or its folder cannot be read.
pub fn read_config(root: &Root, expid: &Expid) -> Result<ConfigSummary, SourceError> {
    match root.resolve(&format!("{expid}/conf/expdef_{expid}.conf")) {
        Err(SourceError::Missing) => as4::read(root, expid),
        _ => Ok(as3::read(root, expid)),
    }
}

/// Reads the whole configuration of an experiment. A file that cannot be read is a problem; the others still count.
///
/// `description` is what the central database says that the experiment is: Autosubmit 4 makes it a part of the
/// configuration.
///
/// # Errors
/// As for [`read_config`].
pub fn read_configuration(
    root: &Root,
    expid: &Expid,
    description: &str,
) -> Result<Configuration, SourceError> {
    match root.resolve(&format!("{expid}/conf/expdef_{expid}.conf")) {
        Err(SourceError::Missing) => as4::read_whole(root, expid, description),
        _ => Ok(as3::read_whole(root, expid)),
    }
}

/// The text of a configuration file. Bytes that are not UTF-8 (old files may hold Latin-1) become U+FFFD.
pub(super) fn read_text(root: &Root, path: &str) -> Result<String, SourceError> {
    let file = root.open(path)?;
    let size = file.metadata()?.len();
    if size > MAX_CONFIG_FILE {
        return Err(SourceError::TooLarge {
            size,
            limit: MAX_CONFIG_FILE,
        });
    }
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Text that says something.
pub(super) fn filled(text: impl Into<String>) -> Option<String> {
    let text = text.into();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
