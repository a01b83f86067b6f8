//! `labql dataset`.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{COMMAND_LINE, CommandResult};
use crate::config::Config;
use crate::database::Database;
use crate::datasets::mongo;
use crate::datasets::read::datasets::{self, DatasetOrder};
use crate::datasets::read::{DatasetFilter, Reader};
use crate::datasets::readers::{DatasetUri, Problem};
use crate::datasets::sync::Indexer;
use crate::datasets::text::TextQuery;
use crate::datasets::write::{Author, base_uris};
use crate::entity::dataset::{Column, Model};
use crate::events::Feed;
use crate::narrow::Columns;
use crate::paging::Page;
use crate::time::from_micros;

/// The columns that a list shows.
const LISTED: [Column; 10] = [
    Column::Uri,
    Column::BaseUri,
    Column::Uuid,
    Column::Name,
    Column::CreatorUsername,
    Column::CreatedAt,
    Column::FrozenAt,
    Column::ItemCount,
    Column::SizeBytes,
    Column::Tags,
];

/// Show, list and register datasets. Whoever may call this may read labql's database: no grants are asked for.
#[derive(Args)]
pub struct Dataset {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print what is known of a dataset, as JSON
    Show {
        /// Its URI
        uri: String,
    },
    /// List datasets by URI; those that a text finds, by how well they fit
    List {
        /// Only those in this base URI
        #[arg(long, value_name = "URI")]
        base_uri: Option<String>,
        /// Only those that this person made
        #[arg(long, value_name = "NAME")]
        creator: Option<String>,
        /// Only those with this tag; may be repeated
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// Only those in which these words are found
        #[arg(long, value_name = "WORDS")]
        text: Option<String>,
        /// Only those that fit this query in MongoDB's language, as JSON
        #[arg(long, value_name = "QUERY")]
        mongo: Option<String>,
        /// So many at most
        #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
        first: u64,
        /// Print JSON: an object a line
        #[arg(long)]
        json: bool,
    },
    /// Read one frozen dataset into the register, in the place of what was known of it
    Register {
        /// Its URI. A base URI that is new is registered; nobody may search there until it is granted
        uri: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Dataset {
    /// Does it.
    pub async fn run(self, config: Config) -> CommandResult {
        let database = super::open(&config).await?;
        match self.action {
            Action::Show { uri } => show(&database, &uri).await?,
            Action::List {
                base_uri,
                creator,
                tag,
                text,
                mongo,
                first,
                json,
            } => {
                let mongo = mongo.as_deref().map(serde_json::from_str::<Value>);
                let filter = DatasetFilter {
                    base_uris: base_uri.map(|uri| vec![uri]),
                    creator_usernames: creator.map(|name| vec![name]),
                    tags: tag,
                    text: text.as_deref().map(TextQuery::parse).transpose()?,
                    mongo: mongo.transpose()?.as_ref().map(mongo::parse).transpose()?,
                    ..DatasetFilter::default()
                };
                list(&database, &filter, first, json).await?;
            }
            Action::Register { uri, json } => register(&database, config, &uri, json).await?,
        }
        database.close().await;
        Ok(())
    }
}

async fn show(database: &Database, uri: &str) -> CommandResult {
    let row = datasets::by_uri(database, Reader::labql(), uri, Columns::all()).await?;
    let row = row.ok_or_else(|| format!("{uri} is not registered"))?;
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut shown = listed(&row);
    shown["annotations"] = parsed(&row.annotations);
    shown["readme"] = json!({
        "text": row.readme_text,
        "content": row.readme.as_deref().map(parsed),
        "problem": row.readme_problem,
    });
    shown["manifest"] = json!({
        "dtoolcoreVersion": row.manifest_version,
        "hashFunction": row.hash_function,
        "itemCount": row.manifest_count,
    });
    say!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(())
}

async fn list(
    database: &Database,
    filter: &DatasetFilter,
    first: u64,
    as_json: bool,
) -> CommandResult {
    let order = DatasetOrder::of(filter, []);
    let (reader, columns) = (Reader::labql(), Columns::of(&LISTED));
    let page = Page::only(first);
    let found = datasets::page(database, reader, filter, &order, &page, columns).await?;
    for (_, row) in &found.rows {
        if as_json {
            say!("{}", listed(row));
        } else {
            say!("{}\t{}\t{}", row.uri, row.name, row.creator_username);
        }
    }
    Ok(())
}

async fn register(database: &Database, config: Config, uri: &str, as_json: bool) -> CommandResult {
    let indexer = Indexer {
        database: database.clone(),
        feed: Feed::open(database.clone()).await?,
        storage: Arc::new(config.datasets.into()),
    };
    let uri = DatasetUri::parse(uri).map_err(|error| format!("the URI {error}"))?;
    // What cannot be read is not registered.
    indexer.storage.open(uri.base()).await?;
    base_uris::register(database, uri.base().as_str()).await?;
    let author = Author::Labql(COMMAND_LINE);
    let (stored, problems) = indexer.register(&author, uri.as_str()).await?;
    if as_json {
        let problem =
            |problem: &Problem| json!({ "source": problem.source, "message": problem.message });
        let problems: Vec<Value> = problems.iter().map(problem).collect();
        let uri = &stored.row.uri;
        say!(
            "{}",
            json!({ "uri": uri, "created": stored.created, "problems": problems })
        );
    } else {
        let what = if stored.created {
            "registered"
        } else {
            "updated"
        };
        say!("{what} {}", stored.row.uri);
        for problem in &problems {
            say!("{problem}");
        }
    }
    Ok(())
}

/// What a list shows of a dataset, by the names of the API.
fn listed(row: &Model) -> Value {
    let time = |micros| {
        let time: Option<DateTime<Utc>> = from_micros(micros);
        time.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    };
    json!({
        "uri": row.uri,
        "baseUri": row.base_uri,
        "uuid": row.uuid,
        "name": row.name,
        "creatorUsername": row.creator_username,
        "createdAt": time(row.created_at),
        "frozenAt": time(row.frozen_at),
        "itemCount": row.item_count,
        "sizeBytes": row.size_bytes,
        "tags": serde_json::from_str::<Value>(&row.tags).unwrap_or_default(),
    })
}
