//! The command line: a file a command.

/// Prints a line. Whoever read it may have gone, such as `head`: that must not be the end of a server.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod config;
mod dataset;
mod demo;
mod fplane;
mod import;
mod index;
mod keep;
mod migrate;
mod run;
mod schema;
mod serve;
mod token;
mod user;
mod worker;
mod workflow;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::database::Database;
use crate::telemetry;

/// One live GraphQL API over experiments, datasets, focal planes and flows.
#[derive(Parser)]
#[command(name = "labql", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Args)]
struct Global {
    /// The configuration file; without it `labql.toml` in this folder, if it is there
    #[arg(long, global = true, env = "LABQL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where labql keeps its SQLite file and the secret that signs tokens
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The database: sqlite:PATH or <postgres://USER:PASSWORD@HOST/NAME>
    #[arg(long, global = true, value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and the playground
    Serve(serve::Serve),
    /// Run the background work without serving
    Worker(worker::Worker),
    /// Bring the database to the schema of this version, or back
    Migrate(migrate::Migrate),
    /// Add, list, disable users; set passwords and grants
    User(user::User),
    /// Issue a token for a user
    Token(token::Token),
    /// Read a source into the database once
    Import(import::Import),
    /// Read the datasets in a base URI into the register
    Index(index::Index),
    /// Show, list and register datasets
    Dataset(dataset::Dataset),
    /// Show focal planes, load them, say what changed
    Fplane(fplane::Fplane),
    /// Check, register and list workflows
    Workflow(workflow::Workflow),
    /// Run a workflow on a server, and follow the run
    Run(run::Run),
    /// Print the GraphQL schema
    Schema,
    /// Print the effective configuration, secrets masked
    Config,
    /// Write a small laboratory, load it, make a user and serve it
    Demo(demo::Demo),
    /// Keep a program that labql started (labql calls this itself)
    #[command(hide = true)]
    Keep(keep::Keep),
}

/// Who does what commands do, in the log of changes.
const COMMAND_LINE: &str = "command line";

/// Why a command failed, for a person.
type CommandResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Runs the command that the arguments name.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        // A client: the configuration here is not that of its server. It ends as its run does.
        Command::Run(command) => Box::pin(command.run()).await,
        command => {
            let done = Box::pin(execute(cli.global, command)).await;
            done.map(|()| ExitCode::SUCCESS)
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("labql: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(global: Global, command: Command) -> CommandResult {
    if let Command::Schema = command {
        schema::run();
        return Ok(());
    }
    if let Command::Keep(command) = command {
        return command.run().await;
    }
    let mut config = Config::load(global.config.as_deref())?;
    if let Some(folder) = global.data_dir {
        config.data_dir = folder;
    }
    let named = global.database_url.is_some();
    if let Some(url) = global.database_url {
        config.database.url = url.into();
    }
    if let Command::Demo(command) = command {
        // The demo's user and experiments belong in no database that is not named for it.
        if !named {
            config.database.url = String::new().into();
        }
        return Box::pin(command.run(config)).await;
    }
    config.settle();
    if let Command::Serve(_) | Command::Worker(_) = command {
        config.actions.validate()?;
    }
    match command {
        Command::Serve(command) => command.run(config).await,
        Command::Worker(command) => command.run(config).await,
        Command::Migrate(command) => command.run(config).await,
        Command::User(command) => command.run(config).await,
        Command::Token(command) => command.run(config).await,
        Command::Import(command) => command.run(config).await,
        Command::Index(command) => command.run(config).await,
        Command::Dataset(command) => command.run(config).await,
        Command::Fplane(command) => Box::pin(command.run(config)).await,
        Command::Workflow(command) => Box::pin(command.run(config)).await,
        // They need no configuration, or settle it themselves: all were done above.
        Command::Schema | Command::Keep(_) | Command::Demo(_) | Command::Run(_) => Ok(()),
        Command::Config => config::run(&config),
    }
}

/// Opens the database of the configuration, with the schema of this version.
async fn open(config: &Config) -> Result<Database, Box<dyn std::error::Error + Send + Sync>> {
    telemetry::start_log(&config.log)?;
    let database = Database::connect(&config.database).await?;
    database.ensure_schema(false).await?;
    Ok(database)
}
