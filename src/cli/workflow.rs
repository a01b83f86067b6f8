//! `labql workflow`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{COMMAND_LINE, CommandResult};
use crate::config::Config;
use crate::database::Database;
use crate::events::Feed;
use crate::flows::Flows;
use crate::flows::read::versions;
use crate::flows::read::workflows::{self, WorkflowFilter};
use crate::flows::sources::Source;
use crate::flows::template::path::RelativePath;
use crate::flows::template::problem::{Problem, Severity};
use crate::flows::template::{self, Choices};
use crate::flows::write::{Author, register};
use crate::narrow::Columns;
use crate::paging::Page;

/// Check, register and list workflows.
#[derive(Args)]
pub struct Workflow {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Register a template: it becomes the next version of the workflow of its name, unless it is its newest one already
    Register {
        /// A folder, an archive (tar, tar.gz, zip), or the URL of a git repository
        source: String,
        /// The commit of the repository: its full hash
        #[arg(long, value_name = "HASH")]
        commit: Option<String>,
        /// The folder in the repository with the template; without it the outermost
        #[arg(long, value_name = "PATH", requires = "commit")]
        folder: Option<String>,
        #[command(flatten)]
        chosen: Chosen,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List workflows by name: the newest version of each
    List {
        /// Those that are archived, too
        #[arg(long)]
        all: bool,
        /// So many at most
        #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
        first: u64,
        /// Print JSON: an object a line
        #[arg(long)]
        json: bool,
    },
    /// Tell what is wrong with the template in a folder; needs no database
    Check {
        /// The folder
        folder: PathBuf,
        #[command(flatten)]
        chosen: Chosen,
        /// Print JSON: an object a line
        #[arg(long)]
        json: bool,
    },
}

/// What counts for more than the manifest of a template. Files are named by their paths in the folder of the template.
#[derive(Args)]
struct Chosen {
    /// The name of the workflow
    #[arg(long)]
    name: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The file with instructions
    #[arg(long, value_name = "FILE")]
    instructions: Option<String>,
    /// The document with the workflow
    #[arg(long, value_name = "FILE")]
    specification: Option<String>,
    /// The manifest
    #[arg(long, value_name = "FILE")]
    manifest: Option<String>,
}

impl Workflow {
    /// Does it.
    pub async fn run(self, config: Config) -> CommandResult {
        match self.action {
            Action::Check {
                folder,
                chosen,
                json,
            } => {
                let choices = Choices::try_from(chosen)?;
                let read = move || template::read(&folder, &choices);
                let problems = tokio::task::spawn_blocking(read).await?.problems;
                if json {
                    for problem in &problems {
                        say!("{}", shown(problem));
                    }
                } else {
                    tell(&problems);
                }
                if errors(&problems) > 0 {
                    return Err(verdict(&problems).into());
                }
            }
            Action::Register {
                source,
                commit,
                folder,
                chosen,
                json,
            } => {
                let source = source_of(source, commit, folder)?;
                let choices = Choices::try_from(chosen)?;
                let database = super::open(&config).await?;
                register(&database, &config, &source, &choices, json).await?;
                database.close().await;
            }
            Action::List { all, first, json } => {
                let database = super::open(&config).await?;
                list(&database, all, first, json).await?;
                database.close().await;
            }
        }
        Ok(())
    }
}

impl TryFrom<Chosen> for Choices {
    type Error = String;

    fn try_from(chosen: Chosen) -> Result<Self, String> {
        let path = |flag: &str, path: Option<String>| {
            let read = path.map(|path| RelativePath::file(&path)).transpose();
            read.map_err(|error| format!("{flag}: {error}"))
        };
        Ok(Self {
            name: chosen.name,
            description: chosen.description,
            instructions: path("--instructions", chosen.instructions)?,
            specification: path("--specification", chosen.specification)?,
            manifest: path("--manifest", chosen.manifest)?,
        })
    }
}

/// What the words of the command line name.
fn source_of(
    source: String,
    commit: Option<String>,
    folder: Option<String>,
) -> Result<Source, String> {
    if let Some(commit) = commit {
        return Ok(Source::Git {
            url: source,
            commit,
            folder,
        });
    }
    if is_url(&source) {
        return Err(format!(
            "{source}: name the commit to register, by its full hash: --commit HASH"
        ));
    }
    let path = Path::new(&source).canonicalize();
    let path = path.map_err(|error| format!("{source}: {error}"))?;
    Ok(if path.is_dir() {
        Source::Folder(path)
    } else {
        Source::ArchiveFile(path)
    })
}

/// Is it the address of a repository and no path? `https://host/name`, or `user@host:name` as ssh has it.
fn is_url(source: &str) -> bool {
    source.contains("://")
        || source
            .split_once(':')
            .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'))
}

async fn register(
    database: &Database,
    config: &Config,
    source: &Source,
    choices: &Choices,
    as_json: bool,
) -> CommandResult {
    let feed = Feed::open(database.clone()).await?;
    let flows = Flows::new(database, &feed, &config.flows, &config.data_dir);
    let author = Author::Labql(COMMAND_LINE);
    let registered = register::register(&flows, &author, source, choices).await?;
    if as_json {
        let done = registered.done.as_ref();
        let problems: Vec<Value> = registered.problems.iter().map(shown).collect();
        let told = json!({
            "name": done.map(|done| &done.workflow.name),
            "version": done.map(|done| done.version.number),
            "isNew": done.map(|done| done.is_new),
            "digest": done.map(|done| &done.version.digest),
            "problems": problems,
        });
        say!("{told}");
    } else {
        tell(&registered.problems);
    }
    let Some(done) = registered.done else {
        return Err(verdict(&registered.problems).into());
    };
    if as_json {
        return Ok(());
    }
    let (name, number) = (&done.workflow.name, done.version.number);
    if done.is_new {
        say!("registered version {number} of {name}");
    } else {
        say!("version {number} of {name} is the same");
    }
    Ok(())
}

async fn list(database: &Database, all: bool, first: u64, as_json: bool) -> CommandResult {
    let filter = WorkflowFilter {
        archived: (!all).then_some(false),
        ..WorkflowFilter::default()
    };
    let found = workflows::page(database, &filter, Columns::all(), &Page::only(first)).await?;
    let ids: Vec<i64> = found.rows.iter().map(|row| row.id).collect();
    let mut newest = versions::latest(database, &ids, Columns::all()).await?;
    for row in &found.rows {
        let version = newest.remove(&row.id);
        // What a later version of labql has written may be beyond this one.
        let template = version.and_then(|version| versions::template(&version).ok());
        let description = template.and_then(|template| template.description);
        if as_json {
            let told = json!({
                "name": row.name,
                "version": row.latest,
                "description": description,
                "isArchived": row.archived_at.is_some(),
            });
            say!("{told}");
        } else {
            let description = description.unwrap_or_default();
            say!("{}\t{}\t{description}", row.name, row.latest);
        }
    }
    Ok(())
}

/// Prints what is wrong with a template.
fn tell(problems: &[Problem]) {
    for problem in problems {
        if problem.severity == Severity::Warning {
            say!("{problem} (warning)");
        } else {
            say!("{problem}");
        }
    }
}

fn errors(problems: &[Problem]) -> usize {
    let errors = problems.iter().filter(|it| it.severity == Severity::Error);
    errors.count()
}

/// Why a template cannot be used.
fn verdict(problems: &[Problem]) -> String {
    match errors(problems) {
        1 => "there is an error in the template".to_owned(),
        errors => format!("there are {errors} errors in the template"),
    }
}

/// A problem by the names of the API.
fn shown(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity,
        "code": problem.code,
        "file": problem.file,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths() {
        for url in ["https://h/x.git", "ssh://git@h/x", "git@host:group/x.git"] {
            assert!(is_url(url), "{url}");
            assert!(source_of(url.into(), None, None).is_err());
            let git = source_of(url.into(), Some("f".into()), None);
            assert!(matches!(git, Ok(Source::Git { .. })), "{url}");
        }
        for path in ["x", "./a@b:c", "/a/b:c@d", "a:b"] {
            assert!(!is_url(path), "{path}");
        }
    }
}
