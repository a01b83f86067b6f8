//! Autosubmit 3: `autosubmit_`, `expdef_`, `jobs_`, `platforms_` and `proj_<expid>.conf`.

use super::{
    super::{Expid, Problem, Root, SourceError},
    ConfigForm, ConfigSummary, Configuration, PlatformConfig, SectionConfig,
    ini::Ini,
    read_text,
    tree::Tree,
};

/// The files, and what they are called in the whole.
const FILES: [(&str, &str); 5] = [
    ("autosubmit", "conf"),
    ("expdef", "exp"),
    ("jobs", "jobs"),
    ("platforms", "platforms"),
    ("proj", "proj"),
];

/// Reads all five files; the last one need not be there.
pub(super) fn read_whole(root: &Root, expid: &Expid) -> Configuration {
    let mut tree = Tree::new();
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for (kind, name) in FILES {
        let path = format!("{expid}/conf/{kind}_{expid}.conf");
        match parse(root, &path) {
            Ok(ini) => {
                tree.set(name, ini.into_tree());
                files.push(path);
            }
            Err(SourceError::Missing) if kind == "proj" => {}
            Err(error) => problems.push(Problem::of(path, &error)),
        }
    }
    Configuration {
        form: ConfigForm::As3,
        tree: tree.into(),
        files,
        problems,
    }
}

fn parse(root: &Root, path: &str) -> Result<Ini, SourceError> {
    let text = read_text(root, path)?;
    Ini::parse(&text).map_err(SourceError::Corrupt)
}

/// Reads the four files that matter here.
pub(super) fn read(root: &Root, expid: &Expid) -> ConfigSummary {
    let mut summary = ConfigSummary::new(ConfigForm::As3);
    let mut read = |kind: &str| {
        let path = format!("{expid}/conf/{kind}_{expid}.conf");
        match parse(root, &path) {
            Ok(ini) => {
                summary.files.push(path);
                ini
            }
            Err(error) => {
                summary.incomplete |= !matches!(error, SourceError::Missing);
                summary.problems.push(Problem::of(path, &error));
                Ini::default()
            }
        }
    };
    let [conf, exp, jobs, platforms] = ["autosubmit", "expdef", "jobs", "platforms"].map(&mut read);

    summary.version = conf.get("config", "AUTOSUBMIT_VERSION");
    summary.wrapper_type = conf.get("wrapper", "TYPE");
    summary.wrapper_queue = conf.get("wrapper", "QUEUE");
    summary.hpc = exp.get("experiment", "HPCARCH");
    summary.chunk_unit = exp
        .get("experiment", "CHUNKSIZEUNIT")
        .map(|unit| unit.to_lowercase());
    summary.chunk_size = exp
        .get("experiment", "CHUNKSIZE")
        .and_then(|size| size.parse().ok())
        .unwrap_or(1);
    summary.project_type = exp
        .get("project", "PROJECT_TYPE")
        .map(|kind| kind.to_lowercase());
    (summary.model, summary.branch) = match summary.project_type.as_deref() {
        Some("git") => (
            exp.get("git", "PROJECT_ORIGIN"),
            exp.get("git", "PROJECT_BRANCH")
                .or_else(|| Some("master".into())),
        ),
        Some("svn") => (exp.get("svn", "PROJECT_URL"), exp.get("svn", "PROJECT_URL")),
        _ => (None, None),
    };
    summary.sections = jobs
        .sections()
        .map(|name| (name.to_owned(), section(&jobs, name)))
        .collect();
    summary.platforms = platforms
        .sections()
        .map(|name| (name.to_owned(), platform(&platforms, name)))
        .collect();
    summary
}

fn section(jobs: &Ini, name: &str) -> SectionConfig {
    SectionConfig {
        platform: jobs.get(name, "PLATFORM"),
        queue: jobs.get(name, "QUEUE"),
        wallclock: jobs.get(name, "WALLCLOCK"),
        processors: jobs.get(name, "PROCESSORS"),
        tasks: jobs.get(name, "TASKS"),
        running: jobs.get(name, "RUNNING"),
        synchronize: jobs.get(name, "SYNCHRONIZE"),
        ..SectionConfig::default()
    }
}

fn platform(platforms: &Ini, name: &str) -> PlatformConfig {
    let number = |key| {
        platforms
            .get(name, key)?
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
    };
    PlatformConfig {
        kind: platforms.get(name, "TYPE"),
        host: platforms.get(name, "HOST"),
        project: platforms.get(name, "PROJECT"),
        queue: platforms.get(name, "QUEUE"),
        serial_queue: platforms.get(name, "SERIAL_QUEUE"),
        max_wallclock: platforms.get(name, "MAX_WALLCLOCK"),
        carbon_factor: number("CF"),
        pue: number("PUE"),
        ..PlatformConfig::default()
    }
}
