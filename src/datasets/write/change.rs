//! Changes of tags, annotations and README of datasets that are registered. What was there before is kept.
//!
//! The dataset itself is changed first, if it is where labql reaches it, and the register afterwards. Whatever fails in
//! between, the dataset says what it is, and when its base URI is read the next time, the register says the same: files that
//! were changed give it another fingerprint than the register has. In the other order the register could say for ever what was
//! never written. With the change the register forgets the fingerprint, since a later change that fails half-way could bring
//! back the files of before.
//!
//! The storage is not written in the transaction, which would keep all others from the base URI, and with SQLite from the
//! database, for as long as a bucket takes to answer. Changes of one dataset by one process go one after the other. Those of
//! several processes, and of dtool, may cross: then the next reading tells what came out.
//!
//! Of a dataset that somebody has told of, and that is not where labql reaches it, the register alone is changed, until it is
//! registered anew.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::derived::{self, Derived};
use super::load::{self, parse};
use super::store::{json, set_readme, update};
use super::{Author, Mark, base_of, bulk, lock};
use crate::database::Database;
use crate::datasets::changes::{ChangeKind, event};
use crate::datasets::document::{Readme, TOO_DEEP, is_shallow};
use crate::datasets::readers::{DatasetUri, ReadError, Storage, StoreError, parse_readme};
use crate::datasets::registration::check_dtool_name;
use crate::datasets::text;
use crate::datasets::writers::Edit;
use crate::entity::dataset::{ActiveModel, Column, Entity, Model};
use crate::entity::{base_uri_grant, dataset_change, dataset_tag};
use crate::events;
use crate::failure::{Failure, RejectionCode};

/// How many tags or annotations a dataset may be given here.
const MOST: usize = 1_000;
/// How many changes of a dataset are kept.
const MOST_KEPT: u64 = 100;
/// The longest README that may be written here, and the longest annotations, in bytes.
const LONGEST: usize = 1024 * 1024;

/// What of a dataset becomes what.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Its tags: those that there are without the removed ones, and with the added ones.
    Tags {
        /// Those that are not among these are removed; none: none is for that.
        only: Option<BTreeSet<String>>,
        /// Those that it gets.
        add: BTreeSet<String>,
        /// Those that it loses.
        remove: BTreeSet<String>,
    },
    /// Some of its annotations. Others stay.
    Annotations {
        /// Those that get a value.
        set: Map<String, Value>,
        /// Those that are removed.
        remove: BTreeSet<String>,
    },
    /// The text of the README.
    Readme(String),
}

impl Change {
    fn check(&self) -> Result<(), Failure> {
        let names = |field, names: &mut dyn Iterator<Item = &String>| {
            for (place, name) in names.enumerate() {
                if place >= MOST {
                    let message = format!("a dataset has at most {MOST} of them here");
                    return Err(Failure::bad_input(field, message));
                }
                check_dtool_name(field, name)?;
            }
            Ok(())
        };
        match self {
            Self::Tags { only, add, remove } => {
                names("tags", &mut only.iter().flatten())?;
                names("add", &mut add.iter())?;
                names("remove", &mut remove.iter())?;
                if !add.is_disjoint(remove) {
                    let message = "a tag cannot be added and removed at once";
                    return Err(Failure::bad_input("remove", message));
                }
                Ok(())
            }
            Self::Annotations { set, remove } => {
                names("set", &mut set.keys())?;
                names("remove", &mut remove.iter())?;
                if remove.iter().any(|name| set.contains_key(name)) {
                    let message = "an annotation cannot be set and removed at once";
                    return Err(Failure::bad_input("remove", message));
                }
                if !set.values().all(is_shallow) {
                    return Err(Failure::bad_input("set", TOO_DEEP));
                }
                Ok(())
            }
            Self::Readme(text) if text.len() > LONGEST => Err(Failure::bad_input(
                "text",
                format!("it is longer than {LONGEST} bytes"),
            )),
            Self::Readme(text) if text.contains('\0') => {
                Err(Failure::bad_input("text", "it must not have zero bytes"))
            }
            Self::Readme(_) => Ok(()),
        }
    }

    /// What becomes of these tags.
    fn tags(&self, mut tags: BTreeSet<String>) -> BTreeSet<String> {
        if let Self::Tags { only, add, remove } = self {
            if let Some(only) = only {
                tags.clone_from(only);
            }
            tags.extend(add.iter().cloned());
            tags.retain(|tag| !remove.contains(tag));
        }
        tags
    }

    /// What has to be changed of a dataset that has these tags.
    fn edits(&self, tags: &BTreeSet<String>) -> Vec<Edit> {
        match self {
            Self::Tags { .. } => {
                let after = self.tags(tags.clone());
                let put = after.difference(tags).cloned().map(Edit::PutTag);
                let removed = tags.difference(&after).cloned().map(Edit::RemoveTag);
                put.chain(removed).collect()
            }
            Self::Annotations { set, remove } => {
                let put = |(name, value): (&String, &Value)| {
                    Edit::PutAnnotation(name.clone(), value.clone())
                };
                let removed = remove.iter().cloned().map(Edit::RemoveAnnotation);
                set.iter().map(put).chain(removed).collect()
            }
            Self::Readme(text) => vec![Edit::Readme(text.clone())],
        }
    }

    const fn what(&self) -> &'static str {
        match self {
            Self::Tags { .. } => "tags",
            Self::Annotations { .. } => "annotations",
            Self::Readme(_) => "readme",
        }
    }

    /// What the README says, on a thread that may block: it may be long.
    async fn readme(&self) -> Result<Option<Readme>, Failure> {
        let Self::Readme(text) = self else {
            return Ok(None);
        };
        let text = text.clone();
        Ok(Some(spawn_blocking(move || parse_readme(text)).await?))
    }

    /// Changes a row but for what the README says; answers with what was there before and what is there now.
    fn apply(&self, row: &mut Model) -> Result<(String, String), Failure> {
        Ok(match self {
            Self::Tags { .. } => {
                let tags = self.tags(parse(&row.tags)?);
                if tags.len() > MOST {
                    let message = format!("a dataset has at most {MOST} of them here");
                    return Err(Failure::bad_input("tags", message));
                }
                let before = std::mem::replace(&mut row.tags, json(&tags)?);
                (before, row.tags.clone())
            }
            Self::Annotations { set, remove } => {
                let mut annotations: Map<String, Value> = parse(&row.annotations)?;
                annotations.retain(|name, _| !remove.contains(name));
                annotations.extend(set.clone());
                let before = std::mem::replace(&mut row.annotations, json(&annotations)?);
                if annotations.len() > MOST || row.annotations.len() > LONGEST {
                    let message = format!("more than {MOST} of them, or {LONGEST} bytes together");
                    return Err(Failure::bad_input("set", message));
                }
                (before, row.annotations.clone())
            }
            Self::Readme(text) => {
                let before = std::mem::replace(&mut row.readme_text, text.clone());
                (before, row.readme_text.clone())
            }
        })
    }
}

/// What a change has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Is something registered that was not before?
    pub is_new: bool,
    /// Does the dataset itself say so too? If not, it is not where labql reaches it.
    pub is_written: bool,
}

/// Changes of one dataset go one after the other: those of datasets whose URIs have the same hash.
static TURNS: [Mutex<()>; 64] = [const { Mutex::const_new(()) }; 64];

/// Changes the dataset with this URI, where it lies and in the register. Doing so twice is no error, and does nothing.
///
/// # Errors
/// A rejection if there is no such dataset where the author may search and register, if the change is not one that dtool would
/// accept, or if the storage refuses it.
pub async fn change(
    database: &Database,
    storage: &Storage,
    author: &Author<'_>,
    uri: &str,
    change: &Change,
) -> Result<Changed, Failure> {
    change.check()?;
    let mut hash = DefaultHasher::new();
    uri.hash(&mut hash);
    let turns = TURNS.len() as u64;
    let place = usize::try_from(hash.finish() % turns).unwrap_or_default();
    let _turn = match TURNS.get(place) {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    let row = allowed(database, author, uri).await?;
    // What the register would refuse is not written either.
    change.apply(&mut row.clone())?;
    let readme = change.readme().await?;
    let is_written = write(storage, uri, change).await?;
    let is_new = register(database, author, uri, change, readme.as_ref(), is_written).await?;
    Ok(Changed { is_new, is_written })
}

const MISSING: &str = "there is no such dataset where you may search and register datasets";

fn missing() -> Failure {
    Failure::rejected(RejectionCode::NotFound, Some("uri"), MISSING)
}

/// The dataset, if the author may change it now.
async fn allowed(database: &Database, author: &Author<'_>, uri: &str) -> Result<Model, Failure> {
    // PostgreSQL refuses to look for what it cannot store.
    if uri.contains('\0') {
        return Err(missing());
    }
    let row = Entity::find()
        .filter(Column::Uri.eq(uri))
        .one(database.read())
        .await?;
    let row = row.ok_or_else(missing)?;
    if let Author::User(_) = author {
        let user = author.user().ok_or_else(missing)?;
        let grant = base_uri_grant::Entity::find_by_id((user, row.base_uri_id));
        let grant = grant.one(database.read()).await?.ok_or_else(missing)?;
        if !(grant.can_search && grant.can_register) {
            return Err(missing());
        }
    }
    Ok(row)
}

/// Changes the dataset where it lies; false: it is not there, or not where labql reaches it.
async fn write(storage: &Storage, uri: &str, change: &Change) -> Result<bool, Failure> {
    let Ok(uri) = DatasetUri::parse(uri) else {
        return Ok(false);
    };
    let store = match storage.open(uri.base()).await {
        Ok(store) => store,
        Err(StoreError::NoFolder(_) | StoreError::NoBucket(_)) => return Ok(false),
        Err(error) => {
            tracing::warn!(%uri, %error, "a dataset cannot be changed");
            return Err(refused("where it lies cannot be opened"));
        }
    };
    let edit = async {
        let Some(tags) = store.tags(&uri).await? else {
            return Ok(false);
        };
        store.edit(&uri, change.edits(&tags)).await
    };
    edit.await.map_err(|error| {
        tracing::warn!(%uri, %error, "a dataset cannot be changed");
        match error {
            ReadError::Unavailable(inside) => Failure::SourceUnavailable(inside),
            ReadError::Missing => refused("a part of it is a symbolic link"),
            ReadError::Denied(_) => refused("the storage does not let labql write there"),
            other => refused(&other.to_string()),
        }
    })
}

fn refused(why: &str) -> Failure {
    let message = format!("the dataset cannot be changed: {why}");
    Failure::rejected(RejectionCode::Conflict, Some("uri"), message)
}

/// Forgets the oldest changes of a dataset.
async fn forget(transaction: &DatabaseTransaction, dataset: i64) -> Result<(), DbErr> {
    use dataset_change::Column::{DatasetId, Id};
    let oldest: Option<i64> = dataset_change::Entity::find()
        .select_only()
        .column(Id)
        .filter(DatasetId.eq(dataset))
        .order_by_desc(Id)
        .offset(MOST_KEPT)
        .limit(1)
        .into_tuple()
        .one(transaction)
        .await?;
    if let Some(oldest) = oldest {
        dataset_change::Entity::delete_many()
            .filter(DatasetId.eq(dataset))
            .filter(Id.lte(oldest))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// Changes the dataset in the register; says whether it was another one before.
async fn register(
    database: &Database,
    author: &Author<'_>,
    uri: &str,
    change: &Change,
    readme: Option<&Readme>,
    is_written: bool,
) -> Result<bool, Failure> {
    let transaction = database.begin().await?;
    let base_uri = lock(&transaction, base_of(uri), author, "uri", MISSING).await?;
    let mut row = Entity::find()
        .filter(Column::Uri.eq(uri))
        .filter(Column::BaseUriId.eq(base_uri))
        .one(&transaction)
        .await?
        .ok_or_else(missing)?;
    let (before, after) = change.apply(&mut row)?;
    if before == after {
        return Ok(false);
    }
    let now = Mark::next(Some(row.updated_at));
    let mut changed = ActiveModel {
        updated_at: Set(now),
        ..Default::default()
    };
    if is_written {
        // No dataset has this one: it will be read.
        changed.fingerprint = Set(Some(String::new()));
    }
    match change {
        Change::Tags { .. } => {
            changed.tags = Set(row.tags.clone());
            dataset_tag::Entity::delete_many()
                .filter(dataset_tag::Column::DatasetId.eq(row.id))
                .exec(&transaction)
                .await?;
            let tags: Vec<String> = parse(&row.tags)?;
            bulk::tags(&transaction, row.id, &tags).await?;
        }
        Change::Annotations { .. } => changed.annotations = Set(row.annotations.clone()),
        Change::Readme(_) => {}
    }
    if let Some(readme) = readme {
        set_readme(&mut changed, readme)?;
        row.readme = changed.readme.clone().take().flatten();
        row.readme_problem = changed.readme_problem.clone().take().flatten();
    }
    let document = load::document(&transaction, &row).await?;
    let found_by = Derived::of(&document);
    let in_row = text::in_row(&found_by.words, transaction.get_database_backend());
    update(&transaction, row.id, changed, in_row).await?;
    dataset_change::ActiveModel {
        dataset_id: Set(row.id),
        what: Set(change.what().to_owned()),
        changed_at: Set(now),
        changed_by: Set(author.user()),
        before: Set(before),
        after: Set(after),
        ..Default::default()
    }
    .insert(&transaction)
    .await?;
    forget(&transaction, row.id).await?;
    derived::rows(&transaction, row.id, &document, &found_by).await?;
    let told = event(ChangeKind::Updated, &row, author.name());
    events::append(&transaction, vec![told]).await?;
    transaction.commit().await?;
    Ok(true)
}
