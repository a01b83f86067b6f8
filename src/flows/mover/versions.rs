//! The versions of workflows that runs need, kept for the next run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::EntityTrait;

use crate::database::Database;
use crate::entity::workflow_version;
use crate::failure::Failure;
use crate::flows::read::versions::template;
use crate::flows::template::Template;

/// How many are kept.
const MOST: usize = 64;

/// A version of a workflow.
#[derive(Debug)]
pub(super) struct Version {
    /// The name of the folder with its files.
    pub folder: String,
    pub template: Template,
}

/// Versions by their row ids. They never change.
#[derive(Debug, Default)]
pub(super) struct Versions(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Each with when it was last asked for.
    versions: HashMap<i64, (u64, Arc<Version>)>,
    asked: u64,
}

impl Versions {
    /// The version with this row id.
    ///
    /// # Errors
    /// Those of the database; and an internal one if it is not there, or its template cannot be read.
    pub async fn get(&self, database: &Database, id: i64) -> Result<Arc<Version>, Failure> {
        if let Some(version) = self.kept(id) {
            return Ok(version);
        }
        let row = workflow_version::Entity::find_by_id(id)
            .one(database.read())
            .await?;
        let row = row.ok_or_else(|| {
            Failure::internal(format!("there is no version {id} of any workflow"))
        })?;
        let version = Arc::new(Version {
            template: template(&row)?,
            folder: row.folder,
        });
        self.keep(id, &version);
        Ok(version)
    }

    fn kept(&self, id: i64) -> Option<Arc<Version>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.asked += 1;
        let now = kept.asked;
        let (asked, version) = kept.versions.get_mut(&id)?;
        *asked = now;
        Some(Arc::clone(version))
    }

    /// Keeps it, in place of the one that was not asked for for the longest time.
    fn keep(&self, id: i64, version: &Arc<Version>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = kept.asked;
        kept.versions.insert(id, (now, Arc::clone(version)));
        if kept.versions.len() > MOST {
            let oldest = kept.versions.iter().min_by_key(|(_, (asked, _))| *asked);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                kept.versions.remove(&oldest);
            }
        }
    }
}
