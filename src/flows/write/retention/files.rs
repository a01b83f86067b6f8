//! Files that nobody needs: folders that runs worked in, drafts that nothing came of, and what no row names.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{Timelike, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::task::spawn_blocking;

use crate::database::is_one_of_texts;
use crate::entity::{flow_run, flow_upload, workflow_version};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::disk;
use crate::workers;

/// How long after the end of a run its folder is left to whoever moved it, in milliseconds.
const LEFT: i64 = 3_600_000;
/// How many runs are looked at together.
const TOGETHER: u64 = 100;
/// How old something is before it is taken for left behind: whatever is made gets its row long before.
const OLD: Duration = Duration::from_hours(24);
/// Into how many parts the folders are divided: each hour one of them is looked through.
const PARTS: u32 = 24;
/// How many names are looked for in one statement.
const NAMES: usize = 1_000;

/// Removes the folders that runs worked in which have ended long ago: whoever moved them could not.
///
/// # Errors
/// Those of the database.
pub(super) async fn clean(flows: &Flows) -> Result<(), Failure> {
    use flow_run::Column::{CleanedAt, EndedAt, Folder, Id};
    let mut last = 0_i64;
    loop {
        let now = workers::now(flows.database.read()).await?;
        let rows: Vec<(i64, String)> = flow_run::Entity::find()
            .select_only()
            .columns([Id, Folder])
            .filter(Id.gt(last))
            .filter(EndedAt.is_not_null())
            .filter(CleanedAt.is_null())
            .filter(EndedAt.lt(now.saturating_sub(LEFT)))
            .order_by_asc(Id)
            .limit(TOGETHER)
            .into_tuple()
            .all(flows.database.read())
            .await?;
        let Some((newest, _)) = rows.last() else {
            return Ok(());
        };
        last = *newest;
        let places: Vec<_> = rows
            .iter()
            .map(|(id, folder)| (*id, flows.places.run(folder)))
            .collect();
        let cleaned = spawn_blocking(move || {
            let mut cleaned = Vec::new();
            for (id, place) in places {
                match place.clean() {
                    Ok(()) => cleaned.push(id),
                    Err(error) => {
                        tracing::warn!(run = id, %error, "the folder of a run was not cleaned");
                    }
                }
            }
            cleaned
        });
        let cleaned = cleaned.await?;
        if cleaned.is_empty() {
            continue;
        }
        flow_run::Entity::update_many()
            .col_expr(CleanedAt, now.into())
            .filter(Id.is_in(cleaned))
            .exec(flows.database.write())
            .await?;
    }
}

/// Removes drafts that nothing came of, and a part of what no row names.
///
/// # Errors
/// Those of the database.
pub(super) async fn sweep(flows: &Flows) -> Result<(), Failure> {
    let places = flows.places.clone();
    let part = Utc::now().hour();
    let old = move || {
        let root = places.root();
        let (mut runs, mut uploads) = (Vec::new(), Vec::new());
        for shard in part_of(part) {
            runs.extend(left_behind(&root.join("runs").join(&shard))?);
            uploads.extend(left_behind(&root.join("uploads").join(&shard))?);
        }
        let versions = if part == 0 {
            left_behind(&root.join("workflows"))?
        } else {
            Vec::new()
        };
        for draft in left_behind(&places.drafts())? {
            disk::remove(&draft);
        }
        Ok::<_, io::Error>((runs, uploads, versions))
    };
    let found = spawn_blocking(old).await?;
    let (runs, uploads, versions) = found.map_err(|error| disk::failed(&error))?;
    unnamed::<flow_run::Entity>(flows, flow_run::Column::Folder, runs).await?;
    unnamed::<flow_upload::Entity>(flows, flow_upload::Column::Key, uploads).await?;
    unnamed::<workflow_version::Entity>(flows, workflow_version::Column::Folder, versions).await
}

/// The names of the folders of a part: two hexadecimal digits.
fn part_of(part: u32) -> impl Iterator<Item = String> {
    let of_it = (0_u32..256).filter(move |number| number % PARTS == part);
    of_it.map(|number| format!("{number:02x}"))
}

/// What is in a folder and has not been changed for long; nothing, if there is no such folder.
fn left_behind(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let changed = match entry.metadata() {
            Ok(metadata) => metadata.modified()?,
            // It has just gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let age = SystemTime::now().duration_since(changed);
        if age.is_ok_and(|age| age > OLD) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Removes those of these files or folders whose names are in no row.
async fn unnamed<E: EntityTrait>(
    flows: &Flows,
    column: E::Column,
    paths: Vec<PathBuf>,
) -> Result<(), Failure> {
    for paths in paths.chunks(NAMES) {
        let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        let names: Vec<String> = paths.iter().filter_map(name).collect();
        let known: Vec<String> = E::find()
            .select_only()
            .column(column)
            .filter(is_one_of_texts(
                &flows.database,
                column.as_column_ref(),
                &names,
            ))
            .into_tuple()
            .all(flows.database.read())
            .await?;
        let known: HashSet<String> = known.into_iter().collect();
        let is_unnamed = |path: &&PathBuf| name(path).is_none_or(|name| !known.contains(&name));
        let gone: Vec<PathBuf> = paths.iter().filter(is_unnamed).cloned().collect();
        if !gone.is_empty() {
            tracing::info!(count = gone.len(), "removing files that nobody names");
        }
        disk::remove_all(gone).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_is_in_one_part() {
        let mut all: Vec<String> = (0..PARTS).flat_map(part_of).collect();
        assert_eq!(all.len(), 256);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 256);
        assert!(all.contains(&"0a".to_owned()));
    }

    #[test]
    fn only_what_is_old_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old");
        let file = fs::File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * OLD).unwrap();
        fs::create_dir(folder.path().join("new")).unwrap();
        assert_eq!(left_behind(folder.path()).unwrap(), [old]);
        assert!(left_behind(&folder.path().join("none")).unwrap().is_empty());
    }
}
