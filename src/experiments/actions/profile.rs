//! Where and how `autosubmit` is called: what an administrator configures, and a client can only name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ActionKind, Keeping, Limits};
use crate::config::Secret;

/// The longest time limit: a week.
const MAX_TIME_LIMIT: u64 = 7 * 24 * 60 * 60;
/// How long the name of a node may be, in bytes.
const MAX_NODE: usize = 100;
/// The least output that is kept: room for what Autosubmit says of a failure.
const MIN_OUTPUT: u64 = 4 << 10;
/// The most: half of it is held in memory while a program runs.
const MAX_OUTPUT: u64 = 64 << 20;

/// Actions: which are turned on, and how `autosubmit` is called for them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActionsConfig {
    /// The kinds that may be asked for; none: nobody can do anything.
    pub enabled: Vec<ActionKind>,
    /// The name of this node, by which it knows its programs again: no two have the same at a time, and it stays when the
    /// server, its container or its machine is started anew. None: the name of the machine, and in a container what tells it
    /// apart from others.
    pub node: Option<String>,
    /// Ways to call `autosubmit`, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// How long actions wait, and how long they are kept.
    pub keeping: Keeping,
    /// How many actions may be open at once.
    pub limits: Limits,
}

/// One way to call `autosubmit`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The machine.
    pub place: Place,
    /// What is prepared around it.
    pub environment: Environment,
    /// The program: a name, or an absolute path.
    pub autosubmit: String,
    /// Variables of its environment. With SSH they are set on the far machine.
    pub variables: BTreeMap<String, Secret>,
    /// Who may use the profile; nobody named: everybody who has the right to the action.
    pub users: Vec<String>,
    /// How many seconds a command may take. A run of an experiment has no limit.
    pub time_limit_seconds: u64,
    /// How many bytes of its output are kept.
    pub output_limit_bytes: u64,
}

/// The machine where `autosubmit` is called.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Place {
    /// This one.
    #[default]
    Local,
    /// Another one.
    Ssh(Ssh),
}

/// A machine that is reached by `ssh`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    /// Its name or address.
    pub host: String,
    /// The account there.
    pub user: String,
    /// The port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// The file with its host key; no other key is accepted.
    pub known_hosts: PathBuf,
    /// The private key to show; none: those of labql's account.
    #[serde(default)]
    pub identity: Option<PathBuf>,
}

/// What is prepared around the program.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Environment {
    /// Nothing.
    #[default]
    None,
    /// The conda environment of this name, or in this absolute folder.
    Conda(String),
    /// The virtual environment in this absolute folder.
    Venv(PathBuf),
    /// These modules are loaded, in this order.
    Modules(Vec<String>),
}

/// A configuration of actions that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("actions.{path}: {message}")]
pub struct ProfileError {
    /// The setting below `actions`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            place: Place::Local,
            environment: Environment::None,
            autosubmit: "autosubmit".into(),
            variables: BTreeMap::new(),
            users: Vec::new(),
            time_limit_seconds: 600,
            output_limit_bytes: 1 << 20,
        }
    }
}

const fn ssh_port() -> u16 {
    22
}

impl ActionsConfig {
    /// Finds what cannot work, before anything is asked for. Looks at files that are named.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn validate(&self) -> Result<(), ProfileError> {
        if !self.enabled.is_empty() && self.profiles.is_empty() {
            return Err(wrong(
                "profiles",
                "there is none, so nothing that is enabled could be done",
            ));
        }
        if let Some(node) = &self.node
            && (!word(node, "._-") || node.len() > MAX_NODE)
        {
            let message = format!("it has letters, digits and . _ -, {MAX_NODE} at most");
            return Err(wrong("node", &message));
        }
        for (name, profile) in &self.profiles {
            let path = format!("profiles.{name}");
            if !word(name, "._-") {
                return Err(wrong(&path, "the name may have letters, digits and . _ -"));
            }
            profile.validate().map_err(|error| ProfileError {
                path: format!("{path}.{}", error.path),
                ..error
            })?;
        }
        Ok(())
    }
}

impl Profile {
    /// May this user use the profile?
    pub fn allows(&self, user: &str) -> bool {
        self.users.is_empty() || self.users.iter().any(|name| name == user)
    }

    fn validate(&self) -> Result<(), ProfileError> {
        if let Place::Ssh(ssh) = &self.place {
            ssh.validate()?;
        }
        self.environment
            .validate(matches!(self.place, Place::Local))?;
        self.check_program()?;
        for (name, value) in &self.variables {
            let path = format!("variables.{name}");
            if !word(name, "_") || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(wrong(
                    &path,
                    "a variable's name has letters, digits and _, and begins with none of the digits",
                ));
            }
            if value.expose().contains('\0') {
                return Err(wrong(&path, "a variable cannot hold NUL"));
            }
        }
        within(
            "time_limit_seconds",
            self.time_limit_seconds,
            1,
            MAX_TIME_LIMIT,
        )?;
        within(
            "output_limit_bytes",
            self.output_limit_bytes,
            MIN_OUTPUT,
            MAX_OUTPUT,
        )
    }

    fn check_program(&self) -> Result<(), ProfileError> {
        let (path, program) = ("autosubmit", &self.autosubmit);
        if let Environment::Venv(_) = self.environment {
            if !word(program, "._-") {
                return Err(wrong(
                    path,
                    "with a virtual environment it is a name in its folder bin",
                ));
            }
            return Ok(());
        }
        if program.starts_with('/') {
            if program.chars().any(char::is_control) {
                return Err(wrong(path, "a path has no control characters"));
            }
            if self.place == Place::Local && !Path::new(program).is_file() {
                return Err(wrong(path, &format!("there is no file {program}")));
            }
            return Ok(());
        }
        if !word(program, "._-") || program.starts_with('-') {
            return Err(wrong(path, "it is a name, or an absolute path"));
        }
        Ok(())
    }
}

impl Ssh {
    fn validate(&self) -> Result<(), ProfileError> {
        let at = |name: &str| format!("place.ssh.{name}");
        if !word(&self.host, ".:_-") || self.host.starts_with('-') {
            return Err(wrong(
                &at("host"),
                "it is the name or the address of a machine",
            ));
        }
        if !word(&self.user, "._-") || self.user.starts_with('-') {
            return Err(wrong(&at("user"), "it is the name of an account"));
        }
        if self.port == 0 {
            return Err(wrong(&at("port"), "there is no port 0"));
        }
        file_for_ssh(&at("known_hosts"), &self.known_hosts)?;
        if let Some(identity) = &self.identity {
            file_for_ssh(&at("identity"), identity)?;
        }
        Ok(())
    }
}

impl Environment {
    fn validate(&self, here: bool) -> Result<(), ProfileError> {
        match self {
            Self::None => Ok(()),
            Self::Conda(name) => {
                if word(name, "._-") && !name.starts_with('-')
                    || word(name, "/._-") && name.starts_with('/')
                {
                    return Ok(());
                }
                Err(wrong(
                    "environment.conda",
                    "it is the name of an environment, or its absolute folder",
                ))
            }
            Self::Venv(folder) => {
                let path = "environment.venv";
                if !folder.is_absolute()
                    || folder
                        .to_str()
                        .is_none_or(|text| text.chars().any(char::is_control))
                {
                    return Err(wrong(
                        path,
                        "it is the absolute folder of a virtual environment",
                    ));
                }
                if here && !folder.join("bin").is_dir() {
                    return Err(wrong(
                        path,
                        &format!("there is no folder {}", folder.join("bin").display()),
                    ));
                }
                Ok(())
            }
            Self::Modules(modules) => {
                let path = "environment.modules";
                if modules.is_empty() {
                    return Err(wrong(path, "which modules? It is a list of names"));
                }
                for module in modules {
                    if !word(module, "/._+-") || module.starts_with('-') {
                        return Err(wrong(
                            path,
                            &format!(
                                "{module:?} is no module: a name has letters, digits and / . _ + -"
                            ),
                        ));
                    }
                }
                Ok(())
            }
        }
    }
}

/// A file whose name `ssh` takes as it is: it would expand `%` and `~`, and part it at blanks.
fn file_for_ssh(path: &str, file: &Path) -> Result<(), ProfileError> {
    let plain = file.to_str().is_some_and(|text| word(text, "/._+-"));
    if !file.is_absolute() || !plain {
        return Err(wrong(
            path,
            "it is an absolute path, of letters, digits and / . _ + -",
        ));
    }
    if !file.is_file() {
        return Err(wrong(path, &format!("there is no file {}", file.display())));
    }
    Ok(())
}

fn within(path: &str, value: u64, least: u64, most: u64) -> Result<(), ProfileError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(wrong(path, &format!("it is from {least} to {most}")))
}

/// Only letters and digits of ASCII, and these.
fn word(text: &str, others: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn wrong(path: &str, message: &str) -> ProfileError {
    ProfileError {
        path: path.to_owned(),
        message: message.to_owned(),
    }
}
