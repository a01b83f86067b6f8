//! `labql index`.

use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;

use super::{COMMAND_LINE, CommandResult};
use crate::config::Config;
use crate::datasets::readers::BaseUri;
use crate::datasets::sync::{Emptiness, IndexReport, Indexer};
use crate::datasets::write::{Author, base_uris};
use crate::events::Feed;

/// Read the datasets in a base URI into the register.
#[derive(Args)]
pub struct Index {
    /// The base URI: `file://HOST/PATH` or `s3://BUCKET`. One that is new is registered; nobody may search there until it is
    /// granted
    base_uri: String,
    /// If nothing at all is there any more, take all its datasets out of the register. Otherwise that is refused, since a
    /// disk that is not mounted looks the same
    #[arg(long)]
    remove_all: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Index {
    /// Reads once and reports.
    pub async fn run(self, config: Config) -> CommandResult {
        let database = super::open(&config).await?;
        let indexer = Indexer {
            database: database.clone(),
            feed: Feed::open(database.clone()).await?,
            storage: Arc::new(config.datasets.into()),
        };
        let base =
            BaseUri::parse(&self.base_uri).map_err(|error| format!("the base URI {error}"))?;
        // What cannot be read is not registered.
        indexer.storage.open(&base).await?;
        base_uris::register(&database, base.as_str()).await?;
        let bar = ProgressBar::new_spinner();
        let tell = |report: &IndexReport| bar.set_message(summary(report));
        let author = Author::Labql(COMMAND_LINE);
        let emptiness = if self.remove_all {
            Emptiness::IsTrue
        } else {
            Emptiness::IsSuspect
        };
        let report = indexer
            .index(&author, base.as_str(), emptiness, &tell)
            .await;
        bar.finish_and_clear();
        let report = report?;
        if self.json {
            say!("{}", serde_json::to_string(&report)?);
        } else {
            say!("{}", summary(&report));
            for problem in &report.problems {
                say!("{}: {}", problem.source, problem.message);
            }
        }
        database.close().await;
        if !report.complete {
            return Err("not all of the base URI could be looked through".into());
        }
        Ok(())
    }
}

fn summary(report: &IndexReport) -> String {
    format!(
        "{} registered, {} updated, {} unchanged, {} removed; {} problems",
        report.registered, report.updated, report.unchanged, report.removed, report.problem_count,
    )
}
