//! `labql demo`.

mod flows;
mod fplanes;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use clap::Args;

use self::flows::Flowing;
use super::CommandResult;
use crate::auth::accounts::{self, NewUser};
use crate::auth::api_key;
use crate::config::{AutosubmitConfig, Config, Secret};
use crate::datasets::readers::{FolderSettings, StorageSettings};
use crate::datasets::sync::{Emptiness, Indexer};
use crate::datasets::write::{Author, base_uris};
use crate::demo;
use crate::demo::dtool::BASE_URI;
use crate::experiments::sync::{Mirror, Scope};
use crate::files::{private_file, private_folder};
use crate::flows::settings::FlowSettings;
use crate::fplanes::settings::FplaneSettings;
use crate::graphql::context::Services;
use crate::server::Server;
use crate::telemetry;

/// The user that the demo makes.
const USER: &str = "demo";
/// Who makes it.
const ACTOR: &str = "labql demo";
/// How often a job changes in a laboratory that lives.
const BEAT: Duration = Duration::from_secs(3);
/// How many ports are tried from the one that was asked for.
const PORTS: u16 = 50;

/// Write a small laboratory, load it, make a user and serve it.
#[derive(Args)]
pub struct Demo {
    /// Where the laboratory, its database and the user's password are kept
    #[arg(long, default_value = ".labql/demo", value_name = "FOLDER")]
    dir: PathBuf,
    /// The address to listen on; when its port is taken, the next free one is used
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// When the server listens, write its address, user and password to this file, as lines for a shell
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Let an experiment go on while the server runs, where a job changes every three seconds, and a run that takes minutes
    #[arg(long)]
    live: bool,
    /// Only write and load the laboratory
    #[arg(long)]
    no_serve: bool,
}

impl Demo {
    /// Makes the laboratory unless it is there, and serves it.
    pub async fn run(self, mut config: Config) -> CommandResult {
        telemetry::start_log(&config.log)?;
        private_folder(&self.dir)?;
        let lab = self.dir.join("lab");
        if !lab.exists() {
            let path = lab.clone();
            tokio::task::spawn_blocking(move || demo::write(&path, Utc::now())).await??;
            say!("wrote a laboratory to {}", lab.display());
        }
        let (root, datasets) = (lab.join("autosubmit"), lab.join("datasets"));
        // Earlier versions wrote none.
        if !datasets.exists() {
            let path = datasets.clone();
            let write = move || demo::dtool::write_base(&path, Utc::now());
            tokio::task::spawn_blocking(write).await??;
        }
        let planes = lab.join("fplanes");
        if !planes.exists() {
            let path = planes.clone();
            let write = move || demo::fplanes::write_planes(&path, Utc::now());
            tokio::task::spawn_blocking(write).await??;
        }
        let workflows = lab.join("flows");
        if !workflows.exists() {
            let path = workflows.clone();
            let write = move || demo::flows::write_flows(&path, Utc::now());
            tokio::task::spawn_blocking(write).await??;
        }
        config.data_dir.clone_from(&self.dir);
        config.settle();
        // What is set is about another installation.
        config.autosubmit = AutosubmitConfig {
            root: Some(root.clone()),
            interval_seconds: config.autosubmit.interval_seconds,
            max_watches: config.autosubmit.max_watches,
            ..AutosubmitConfig::default()
        };
        config.datasets = StorageSettings {
            folders: vec![FolderSettings {
                uri: BASE_URI.to_owned(),
                path: Some(datasets),
                allowed_folders: Vec::new(),
            }],
            ..StorageSettings::default()
        };
        config.fplanes = FplaneSettings::default();
        config.flows = FlowSettings {
            template_folders: vec![workflows.canonicalize()?],
            local: config.flows.local,
            ..FlowSettings::default()
        };
        let installation = config.autosubmit.clone();
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        let server = Server::bind(config, true, PORTS).await?;
        let services = server.services();
        let (database, feed) = (services.database.clone(), services.feed.clone());
        let mirror = Mirror::open(database, feed, &root, &installation).await?;
        let report = mirror.pass(Scope::All, &|_, _| {}).await?;
        say!("loaded {} experiments", report.experiments);
        let (password, is_new) = kept_password(&self.dir.join("password"))?;
        let known = accounts::user_by_name(services.database.read(), USER).await?;
        if known.is_some() && is_new {
            accounts::set_password(&services.database, ACTOR, USER, &password).await?;
        }
        if known.is_none() {
            let new = NewUser {
                username: USER.to_owned(),
                password: Some(password.clone()),
                display_name: Some("Demonstration".to_owned()),
                is_admin: true,
                ..NewUser::default()
            };
            accounts::create_user(&services.database, ACTOR, new).await?;
        }
        say!("loaded {} datasets", load_datasets(services).await?);
        fplanes::load(services, planes).await?;
        say!("loaded focal planes of four years");
        let flowing = Flowing {
            flows: &services.flows,
            folder: workflows,
            user: USER,
        };
        say!("loaded workflows and {} runs", flowing.load().await?);
        if self.no_serve {
            return Ok(());
        }
        if self.live {
            flowing.keep_running().await?;
        }
        if let Some(path) = &self.ready_file {
            write_ready(path, server.address, &password)?;
        }
        say!();
        say!("playground: http://{}/playground", server.address);
        say!("endpoint:   http://{}/graphql", server.address);
        say!("user:       {USER}");
        say!("password:   {}", password.expose());
        if self.live {
            tokio::spawn(live(root));
        }
        Ok(server.run().await?)
    }
}

/// Reads the laboratory's datasets into the register, for the demo's user; answers with how many there are.
async fn load_datasets(
    services: &Services,
) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let database = &services.database;
    base_uris::register(database, BASE_URI).await?;
    let indexer = Indexer {
        database: database.clone(),
        feed: services.feed.clone(),
        storage: Arc::clone(&services.storage),
    };
    let author = Author::Labql(ACTOR);
    let report = indexer.index(&author, BASE_URI, Emptiness::IsTrue, &|_| {});
    let report = report.await?;
    accounts::set_grant(database, ACTOR, USER, BASE_URI, true, true).await?;
    Ok(report.registered + report.updated + report.unchanged)
}

/// Has jobs of the laboratory go on until the process ends.
async fn live(root: PathBuf) {
    let mut tick = tokio::time::interval(BEAT);
    for turn in 0.. {
        tick.tick().await;
        let root = root.clone();
        let beat = move || demo::autosubmit::beat(&root, turn, Utc::now());
        match tokio::task::spawn_blocking(beat).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return tracing::warn!(%error, "the laboratory stands still"),
            Err(error) => return tracing::error!(%error, "the laboratory stands still"),
        }
    }
}

/// Tells a script that the server is there: the file appears whole, and only its owner can read it.
fn write_ready(path: &Path, address: SocketAddr, password: &Secret) -> std::io::Result<()> {
    let password = password.expose();
    let draft = path.with_extension("draft");
    let text =
        format!("LABQL_URL=http://{address}\nLABQL_USER={USER}\nLABQL_PASSWORD='{password}'\n");
    let mut file = private_file(&draft)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(draft, path)
}

/// The password of the demo's user, and whether it was made just now: once, in a file that only its owner can read.
fn kept_password(path: &Path) -> Result<(Secret, bool), Box<dyn std::error::Error + Send + Sync>> {
    if let Ok(text) = std::fs::read_to_string(path) {
        return Ok((text.trim().to_owned().into(), false));
    }
    // Letters and digits alone: it will be copied by hand and pasted into shells.
    let password: String = api_key::generate()?
        .expose()
        .trim_start_matches("labql_")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(20)
        .collect();
    let mut file = private_file(path)?;
    writeln!(file, "{password}")?;
    Ok((password.into(), true))
}
