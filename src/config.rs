//! The configuration: defaults, then a file, then the environment, then flags. It prints itself with secrets masked.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Serialize, Serializer};

use crate::auth::AuthConfig;
use crate::datasets::readers::StorageSettings;
use crate::events::Retention;
use crate::experiments::actions::ActionsConfig;
use crate::experiments::readers::{CENTRAL, Server};
use crate::failure::Failure;
use crate::flows::settings::FlowSettings;
use crate::fplanes::settings::FplaneSettings;
use crate::graphql::engine::EngineSettings;
use crate::http::HttpSettings;
use crate::workers::WorkersSettings;

/// What is printed instead of a secret.
const MASK: &str = "********";

/// A value that is never printed.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// The URL of a database; its password is masked when it is printed.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Was nothing set?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The URL with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for DatabaseUrl {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with("sqlite:") {
            return f.write_str(&self.0);
        }
        // Anything after the host may hold a password too (`?password=`), so only scheme, user, host and path stay.
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str(MASK);
        };
        let rest = rest.split('?').next().unwrap_or_default();
        match rest.rsplit_once('@') {
            Some((user, host)) => {
                let name = user.split(':').next().unwrap_or_default();
                write!(f, "{scheme}://{name}:{MASK}@{host}")
            }
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where labql keeps what is its own: the SQLite file and the secret that signs tokens.
    pub data_dir: PathBuf,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// labql's own database.
    pub database: DatabaseConfig,
    /// Who may do what.
    pub auth: AuthConfig,
    /// How long events are kept.
    pub events: Retention,
    /// The Autosubmit installation to mirror.
    pub autosubmit: AutosubmitConfig,
    /// What people may do with Autosubmit through labql.
    pub actions: ActionsConfig,
    /// The folders and buckets with datasets that may be read.
    pub datasets: StorageSettings,
    /// Focal planes: where the telescope stands, which of its messages are believed.
    pub fplanes: FplaneSettings,
    /// Flows: where runs run, what they may use, what is kept.
    pub flows: FlowSettings,
    /// Background work: whether `labql serve` does any, leases.
    pub workers: WorkersSettings,
    /// GraphQL: limits, timeouts, caches.
    pub graphql: EngineSettings,
    /// HTTP and WebSocket: limits, timeouts, origins.
    pub http: HttpSettings,
    /// The log on standard error.
    pub log: LogConfig,
}

/// labql's own database.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`; empty: `labql.db` in the data folder.
    pub url: DatabaseUrl,
    /// Connections for reading (SQLite) or in all (PostgreSQL).
    pub max_connections: u32,
    /// A statement that only reads and takes longer is stopped by the database. No less than `graphql.query_timeout`, or
    /// queries fail before their time.
    #[serde(with = "crate::human_duration")]
    pub read_timeout: Duration,
}

/// The Autosubmit installation to mirror.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutosubmitConfig {
    /// The folder with `autosubmit.db` and the experiments; none: nothing is mirrored.
    pub root: Option<PathBuf>,
    /// The name of the SQLite file of experiments in it, where it is not `autosubmit.db`.
    pub central_database: String,
    /// `postgres://USER:PASSWORD@HOST/NAME` of an installation that keeps its tables in PostgreSQL; empty: they are in
    /// SQLite files of the root. It is only read. Configurations, logs and times of attempts stay files of the root.
    pub database_url: DatabaseUrl,
    /// Folders outside the root into which symbolic links of experiments may lead, such as other disks. A link to
    /// anywhere else is refused.
    pub allowed_folders: Vec<PathBuf>,
    /// Seconds between two looks at it; 0: only `labql import` looks.
    pub interval_seconds: u64,
    /// How many folders the file system is asked to tell of at once; 0: none, changes are found at the interval. Where
    /// it is too small for all experiments, those are watched that changed last.
    pub max_watches: usize,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line, for collectors.
    Json,
}

/// The log on standard error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is logged, in the notation of tracing's `EnvFilter`, such as `info,labql=debug`.
    pub filter: String,
    /// Text or JSON.
    pub format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".labql"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            database: DatabaseConfig::default(),
            auth: AuthConfig::default(),
            events: Retention::default(),
            autosubmit: AutosubmitConfig::default(),
            actions: ActionsConfig::default(),
            datasets: StorageSettings::default(),
            fplanes: FplaneSettings::default(),
            flows: FlowSettings::default(),
            workers: WorkersSettings::default(),
            graphql: EngineSettings::default(),
            http: HttpSettings::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: DatabaseUrl(String::new()),
            max_connections: 10,
            read_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for AutosubmitConfig {
    fn default() -> Self {
        Self {
            root: None,
            central_database: CENTRAL.into(),
            database_url: DatabaseUrl(String::new()),
            allowed_folders: Vec::new(),
            interval_seconds: 10,
            max_watches: 8192,
        }
    }
}

impl AutosubmitConfig {
    /// Whether this is about the installation at this folder: the one that is named, if any is. Looks at the file system.
    pub fn is_about(&self, root: &Path) -> bool {
        let same =
            |own: &PathBuf| own == root || own.canonicalize().ok() == root.canonicalize().ok();
        self.root.as_ref().is_none_or(same)
    }

    /// The server of [`Self::database_url`], if one is set; it is not connected to yet.
    pub fn server(&self) -> Result<Option<Arc<Server>>, Failure> {
        if self.database_url.is_empty() {
            return Ok(None);
        }
        let server = Server::open(self.database_url.expose());
        server
            .map(Some)
            .map_err(|wrong| format!("autosubmit.database_url: {wrong}"))
            .map_err(|message| Failure::bad_input("autosubmit.database_url", message))
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".into(),
            format: LogFormat::Text,
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file is not there.
    #[error("the configuration file {0} does not exist")]
    Missing(String),
    /// A value is of the wrong type, or a name is unknown.
    #[error("configuration: {0}")]
    Invalid(Box<figment::Error>),
}

impl Config {
    /// Reads the configuration. `file`: the one named by the caller; without it `labql.toml` is used if it is there.
    ///
    /// In the environment a setting is `LABQL_` and its path with two underscores between the parts, such as
    /// `LABQL_DATABASE__URL`; `LABQL_LISTEN` and `LABQL_DATA_DIR` stand at the top.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        let default = Path::new("labql.toml");
        match file {
            Some(file) if !file.is_file() => {
                return Err(ConfigError::Missing(file.display().to_string()));
            }
            Some(file) => figment = figment.merge(Toml::file_exact(file)),
            None if default.is_file() => figment = figment.merge(Toml::file_exact(default)),
            None => {}
        }
        let environment = Env::prefixed("LABQL_")
            .filter(|key| {
                let key = key.as_str();
                key.contains("__")
                    || key.eq_ignore_ascii_case("listen")
                    || key.eq_ignore_ascii_case("data_dir")
            })
            .split("__");
        figment
            .merge(environment)
            .extract()
            .map_err(|error| ConfigError::Invalid(Box::new(error)))
    }

    /// Fills in what follows from other settings, once all of them are known.
    pub fn settle(&mut self) {
        if self.database.url.is_empty() {
            let path = self.data_dir.join("labql.db");
            self.database.url = DatabaseUrl(format!("sqlite:{}", path.display()));
        }
    }
}
