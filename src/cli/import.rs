//! `labql import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::CommandResult;
use crate::config::Config;
use crate::events::Feed;
use crate::experiments::sync::{Mirror, Report, Scope};

/// Read a source into the database once.
#[derive(Args)]
pub struct Import {
    #[command(subcommand)]
    source: Source,
}

#[derive(Subcommand)]
enum Source {
    /// An Autosubmit root: the folder with `autosubmit.db` and the experiments
    Autosubmit {
        /// The root
        path: PathBuf,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Import {
    /// Reads once and reports.
    pub async fn run(self, config: Config) -> CommandResult {
        let Source::Autosubmit { path, json } = self.source;
        let database = super::open(&config).await?;
        let feed = Feed::open(database.clone()).await?;
        let mirror = Mirror::open(database.clone(), feed, &path, &config.autosubmit).await?;
        let report = mirror.pass(Scope::All, &progress_bar()).await?;
        if json {
            say!("{}", serde_json::to_string(&report)?);
        } else {
            print_report(&report);
        }
        database.close().await;
        Ok(())
    }
}

fn progress_bar() -> impl Fn(u64, u64) + Send + Sync {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} experiments, {eta} left");
    let bar = ProgressBar::new(0);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    }
}

fn print_report(report: &Report) {
    say!(
        "{} experiments, {} read, {} archived; {} rows added, {} changed, {} removed; {} problems",
        report.experiments,
        report.read,
        report.archived,
        report.rows.inserted,
        report.rows.updated,
        report.rows.deleted,
        report.problems,
    );
}
