//! The configuration of an experiment, as one tree and as the files of Autosubmit 3 and 4.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{
    scene::{SITE, Scene},
    section::Section,
    spec::{ConfigForm, ExperimentSpec, Wrappers},
    timeline::RETRIALS,
};
use crate::demo::{DemoError, files};

/// Cores of a node of every invented cluster.
pub const CORES_PER_NODE: i64 = 48;

/// Writes the folder `conf`.
pub fn write(scene: &Scene<'_>) -> Result<(), DemoError> {
    match scene.spec.config {
        ConfigForm::As3 => write_ini(scene),
        ConfigForm::As4 => write_yaml(scene),
    }
}

/// The whole configuration as runs keep it: in version 3 the five files, in version 4 the merged tree.
pub fn metadata(spec: &ExperimentSpec) -> Value {
    match spec.config {
        ConfigForm::As3 => {
            let mut files = Map::new();
            for (name, sections) in ini(spec) {
                let key = match name {
                    "autosubmit" => "conf",
                    "expdef" => "exp",
                    other => other,
                };
                files.insert(
                    key.to_owned(),
                    Value::Object(sections.into_iter().map(ini_object).collect()),
                );
            }
            Value::Object(files)
        }
        ConfigForm::As4 => merged(spec),
    }
}

fn write_yaml(scene: &Scene<'_>) -> Result<(), DemoError> {
    let spec = scene.spec;
    let folder = scene.folder("conf")?;
    let tree = merged(spec);
    let part = |keys: &[&str]| {
        let pick = |key: &&str| Some(((*key).to_owned(), tree.get(*key)?.clone()));
        Value::Object(keys.iter().filter_map(pick).collect())
    };
    // Users write their dependencies as one line.
    let mut jobs = part(&["JOBS"]);
    for section in &spec.sections {
        let needs = section.dependency_names().join(" ");
        if let Some(job) = jobs
            .pointer_mut(&format!("/JOBS/{}", section.name))
            .and_then(Value::as_object_mut)
        {
            job.remove("ADDITIONAL_FILES");
            job.insert("DEPENDENCIES".to_owned(), needs.into());
        }
    }
    let files = [
        (
            "minimal.yml".to_owned(),
            part(&[
                "CONFIG",
                "DEFAULT",
                "EXPERIMENT",
                "PROJECT",
                "GIT",
                "WRAPPERS",
            ]),
        ),
        (format!("jobs_{}.yml", spec.expid), jobs),
        (
            format!("platforms_{}.yml", spec.expid),
            part(&["PLATFORMS"]),
        ),
        (
            "as_misc.yml".to_owned(),
            json!({"AS_MISC": true, "AS_COMMAND": "run"}),
        ),
        ("metadata/experiment_data.yml".to_owned(), tree.clone()),
    ];
    scene.folder("conf/metadata")?;
    for (name, value) in files {
        let path = folder.join(name);
        let yaml = serde_yaml_ng::to_string(&value).map_err(|source| DemoError::Yaml {
            path: path.clone(),
            source,
        })?;
        files::write(&path, yaml, scene.created())?;
    }
    Ok(())
}

fn dates(spec: &ExperimentSpec) -> String {
    spec.start_dates
        .iter()
        .map(|&date| spec.date_text(date))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The merged tree of Autosubmit 4, with the keys that it adds itself.
fn merged(spec: &ExperimentSpec) -> Value {
    let jobs = spec
        .sections
        .iter()
        .map(|section| (section.name.clone(), job(spec, section)));
    let mut tree = json!({
        "DEFAULT": {"EXPID": spec.expid, "HPCARCH": spec.hpc},
        "CONFIG": {
            "AUTOSUBMIT_VERSION": spec.version,
            "TOTALJOBS": spec.progress.slots,
            "MAXWAITINGJOBS": spec.progress.slots,
            "SAFETYSLEEPTIME": 10,
            "RETRIALS": RETRIALS,
        },
        "PROJECT": {"PROJECT_TYPE": "git", "PROJECT_DESTINATION": "model"},
        "GIT": {"PROJECT_ORIGIN": "https://git.example.org/esm/model.git", "PROJECT_BRANCH": "main"},
        "EXPERIMENT": {
            "DATELIST": dates(spec),
            "MEMBERS": spec.members.join(" "),
            "CHUNKSIZEUNIT": spec.chunk_unit.name(),
            "CHUNKSIZE": spec.chunk_size,
            "NUMCHUNKS": spec.chunks,
            "CALENDAR": "standard",
        },
        "PLATFORMS": {
            spec.hpc.clone(): {
                "TYPE": "slurm",
                "HOST": format!("{}.example.org", spec.hpc.to_lowercase()),
                "PROJECT": "esm01",
                "USER": spec.owner,
                "SCRATCH_DIR": "/scratch",
                "QUEUE": "production",
                "SERIAL_QUEUE": "serial",
                "PROCESSORS_PER_NODE": CORES_PER_NODE,
                "MAX_WALLCLOCK": "48:00",
                "CF": "210",
                "PUE": "1.25",
            },
        },
        "JOBS": jobs.collect::<Map<_, _>>(),
        "ROOTDIR": format!("{SITE}/{}", spec.expid),
        "PROJDIR": format!("{SITE}/{}/proj/model", spec.expid),
        "AUTOSUBMIT": {},
        "HPCARCH": spec.hpc,
        "HPCROOTDIR": format!("/scratch/esm01/{}/{}", spec.owner, spec.expid),
        "HPCLOGDIR": format!("/scratch/esm01/{}/{}/LOG_{}", spec.owner, spec.expid, spec.expid),
    });
    if let (Some((name, kind)), Some(tree)) = (wrapper(spec), tree.as_object_mut()) {
        let wrapper = json!({"TYPE": kind, "JOBS_IN_WRAPPER": [name], "MAX_WRAPPED": 4});
        tree.insert("WRAPPERS".to_owned(), json!({"WRAPPER_0": wrapper}));
    }
    tree
}

fn wrapper(spec: &ExperimentSpec) -> Option<(&str, &'static str)> {
    match &spec.wrappers {
        Wrappers::None => None,
        Wrappers::Real { section } | Wrappers::Preview { section } => Some((section, "vertical")),
    }
}

fn job(spec: &ExperimentSpec, section: &Section) -> Value {
    let needs = section
        .dependency_names()
        .into_iter()
        .map(|name| (name, json!({})));
    let mut job = json!({
        "FILE": format!("templates/{}.sh", section.name.to_lowercase()),
        "ADDITIONAL_FILES": [],
        "PLATFORM": spec.platform(section),
        "RUNNING": section.running.name(),
        "DEPENDENCIES": needs.collect::<Map<_, _>>(),
        "PROCESSORS": section.processors,
        "WALLCLOCK": section.wallclock(),
        "QUEUE": section.queue(),
    });
    let mut set = |key: &str, value: Value| {
        if let Some(job) = job.as_object_mut() {
            job.insert(key.to_owned(), value);
        }
    };
    if let Some(splits) = section.splits {
        set("SPLITS", splits.into());
    }
    if let Some(across) = section.synchronize {
        set("SYNCHRONIZE", across.name().into());
    }
    if section.metrics {
        set(
            "METRICS",
            json!([
                {"NAME": "time_steps", "FILENAME": "metrics.json", "SELECTOR": {"TYPE": "JSON", "KEY": "run.steps"}},
                {"NAME": "mean_temperature", "FILENAME": "temperature.txt"},
            ]),
        );
    }
    job
}

/// A section of an INI file: its name and its keys.
type IniSection = (String, Vec<(&'static str, String)>);

/// The five files of Autosubmit 3, by the first part of their names.
fn ini(spec: &ExperimentSpec) -> Vec<(&'static str, Vec<IniSection>)> {
    let section = |name: &str, keys: Vec<(&'static str, String)>| (name.to_owned(), keys);
    let slots = spec.progress.slots.to_string();
    let autosubmit = vec![
        section(
            "config",
            vec![
                ("EXPID", spec.expid.clone()),
                ("AUTOSUBMIT_VERSION", spec.version.clone()),
                ("MAXWAITINGJOBS", slots.clone()),
                ("TOTALJOBS", slots),
                ("SAFETYSLEEPTIME", "10".to_owned()),
                ("RETRIALS", RETRIALS.to_string()),
            ],
        ),
        section(
            "mail",
            vec![("NOTIFICATIONS", "False".to_owned()), ("TO", String::new())],
        ),
    ];
    let mut autosubmit = autosubmit;
    if let Some((name, kind)) = wrapper(spec) {
        autosubmit.push(section(
            "wrapper",
            vec![
                ("TYPE", kind.to_owned()),
                ("JOBS_IN_WRAPPER", name.to_owned()),
            ],
        ));
    }
    let expdef = vec![
        section(
            "DEFAULT",
            vec![("EXPID", spec.expid.clone()), ("HPCARCH", spec.hpc.clone())],
        ),
        section(
            "experiment",
            vec![
                ("DATELIST", dates(spec)),
                ("MEMBERS", spec.members.join(" ")),
                ("CHUNKSIZEUNIT", spec.chunk_unit.name().to_owned()),
                ("CHUNKSIZE", spec.chunk_size.to_string()),
                ("NUMCHUNKS", spec.chunks.to_string()),
                ("CALENDAR", "standard".to_owned()),
            ],
        ),
        section(
            "rerun",
            vec![("RERUN", "FALSE".to_owned()), ("CHUNKLIST", String::new())],
        ),
        section(
            "project",
            vec![
                ("PROJECT_TYPE", "git".to_owned()),
                ("PROJECT_DESTINATION", "model".to_owned()),
            ],
        ),
        section(
            "git",
            vec![
                (
                    "PROJECT_ORIGIN",
                    "https://git.example.org/esm/model.git".to_owned(),
                ),
                ("PROJECT_BRANCH", "main".to_owned()),
                ("PROJECT_COMMIT", String::new()),
            ],
        ),
    ];
    let jobs = spec.sections.iter().map(|job| {
        let mut keys = vec![
            ("FILE", format!("templates/{}.sh", job.name.to_lowercase())),
            ("PLATFORM", spec.platform(job).to_owned()),
            ("DEPENDENCIES", job.dependency_names().join(" ")),
            ("RUNNING", job.running.name().to_owned()),
            ("PROCESSORS", job.processors.to_string()),
            ("WALLCLOCK", job.wallclock()),
            ("QUEUE", job.queue().to_owned()),
        ];
        keys.retain(|(_, value)| !value.is_empty());
        keys.extend(
            job.synchronize
                .map(|across| ("SYNCHRONIZE", across.name().to_owned())),
        );
        keys.extend(job.splits.map(|splits| ("SPLITS", splits.to_string())));
        (job.name.clone(), keys)
    });
    let platforms = vec![section(
        &spec.hpc,
        vec![
            ("TYPE", "slurm".to_owned()),
            ("HOST", format!("{}.example.org", spec.hpc.to_lowercase())),
            ("PROJECT", "esm01".to_owned()),
            ("USER", spec.owner.clone()),
            ("QUEUE", "production".to_owned()),
            ("SERIAL_QUEUE", "serial".to_owned()),
            ("SCRATCH_DIR", "/scratch".to_owned()),
            ("MAX_WALLCLOCK", "48:00".to_owned()),
            ("CF", "210".to_owned()),
            ("PUE", "1.25".to_owned()),
        ],
    )];
    let proj = vec![section(
        "common",
        vec![
            ("MODEL", "atmos-ocean".to_owned()),
            ("RESOLUTION", "T255L91-ORCA1L75".to_owned()),
            ("SAVE_RESTARTS", "TRUE".to_owned()),
        ],
    )];
    vec![
        ("autosubmit", autosubmit),
        ("expdef", expdef),
        ("jobs", jobs.collect()),
        ("platforms", platforms),
        ("proj", proj),
    ]
}

fn ini_object((name, keys): IniSection) -> (String, Value) {
    let keys = keys
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()));
    (name, Value::Object(keys.collect()))
}

fn write_ini(scene: &Scene<'_>) -> Result<(), DemoError> {
    let folder = scene.folder("conf")?;
    for (file, sections) in ini(scene.spec) {
        let mut text = String::new();
        for (name, keys) in sections {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "[{name}]");
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
            text.push('\n');
        }
        let path = folder.join(format!("{file}_{}.conf", scene.spec.expid));
        files::write(&path, text, scene.created())?;
    }
    Ok(())
}
