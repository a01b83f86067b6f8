//! `labql run`: a client of a server that runs workflows.

mod client;
mod display;
mod follow;
mod model;
mod start;
mod stream;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::client::Client;
use self::display::Display;
use self::model::INTERRUPTED;
use self::start::Start;

/// Run a workflow on a server, show what becomes of it, and end as it does: with 0, with the exit code of the step that failed
/// (or 1), or with 130 if it was canceled. Ctrl-C cancels the run; once more leaves it alone.
#[derive(Args)]
pub struct Run {
    /// The name of the workflow, or its id
    workflow: String,
    /// What it is given. A value that is JSON is taken as such where no text is asked for; for a file, `@` and a path brings it
    #[arg(value_name = "NAME=VALUE|NAME=@FILE", value_parser = values::split)]
    given: Vec<(String, String)>,
    /// A file with more of what it is given: an object in JSON
    #[arg(long, value_name = "FILE")]
    arguments: Option<PathBuf>,
    /// The URL of the server
    #[arg(
        long,
        value_name = "URL",
        env = "LABQL_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    server: String,
    /// A token (see `labql token`) or an API key
    #[arg(long, env = "LABQL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// For whom: the name of a group in the workflow, or its id. Without it, for you alone
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Which version of the workflow; without it the newest
    #[arg(long, value_name = "NUMBER")]
    workflow_version: Option<i32>,
    /// Where its steps run; without it as the workflow or the site says
    #[arg(long, value_enum, ignore_case = true)]
    executor: Option<Executor>,
    /// Which of the runs that wait goes first: the one with the largest number
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    priority: Option<i32>,
    /// How long it may take, such as `90m`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// How often a step that may be repeated runs again when it fails
    #[arg(long, value_name = "NUMBER")]
    retry_limit: Option<u32>,
    /// Only start it, and print its id
    #[arg(long, conflicts_with = "only_check")]
    detach: bool,
    /// Only check what it is given, and print the commands that it would run
    #[arg(long = "dry-run")]
    only_check: bool,
}

/// Where steps run.
#[derive(Clone, Copy, ValueEnum)]
enum Executor {
    /// On the machine of a server or worker
    Local,
    /// As jobs of Slurm
    Slurm,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

impl Run {
    /// Runs it.
    pub async fn run(mut self) -> Result<ExitCode, Failed> {
        let token = self.token.take().filter(|token| !token.is_empty());
        let client = Client::new(&self.server, token.map(Into::into))?;
        let interrupts = Interrupts::listen()?;
        tokio::select! {
            ended = self.follow(&client, &interrupts.once) => ended,
            () = interrupts.twice.cancelled() => Ok(INTERRUPTED.into()),
        }
    }

    async fn follow(&self, client: &Client, stop: &CancellationToken) -> Result<ExitCode, Failed> {
        let run = match self.start(client, stop).await? {
            Start::Made(run) => run,
            Start::Checked => return Ok(ExitCode::SUCCESS),
            Start::Interrupted => return Ok(INTERRUPTED.into()),
        };
        if self.detach {
            eprintln!("the run is {}", run.state);
            say!("{}", run.id);
            return Ok(ExitCode::SUCCESS);
        }
        let mut display = Display::begin();
        let ended = follow::follow(client, &run.id, &mut display, stop).await;
        let ended = ended.map_err(|trouble| {
            let id = &run.id;
            format!("the run {id} cannot be followed any more: {trouble}")
        })?;
        display.end(&ended, |path| client.url(path));
        Ok(ended.exit_code().into())
    }
}

/// What the user wants by Ctrl-C, the first time and the second.
struct Interrupts {
    once: CancellationToken,
    twice: CancellationToken,
}

impl Interrupts {
    fn listen() -> std::io::Result<Self> {
        let signals = signal(SignalKind::interrupt())?;
        let (once, twice) = (CancellationToken::new(), CancellationToken::new());
        tokio::spawn(pass_on(signals, once.clone(), twice.clone()));
        Ok(Self { once, twice })
    }
}

async fn pass_on(mut signals: Signal, once: CancellationToken, twice: CancellationToken) {
    signals.recv().await;
    once.cancel();
    signals.recv().await;
    twice.cancel();
}
