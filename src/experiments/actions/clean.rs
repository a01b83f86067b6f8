//! What is not kept any longer is removed.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::request::Actions;
use super::state::ActionState;
use super::work::{folder_of, millis};
use crate::entity::action::{Column, Entity};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::workers;

/// Removes actions that are not to be kept any longer, and the folders of programs whose actions are gone.
pub(super) async fn clean(actions: &Actions) -> Result<(), Failure> {
    let Some(days) = actions.config.keeping.days else {
        return Ok(());
    };
    let kept = Duration::from_hours(24).saturating_mul(days);
    let over = ActionState::ALL.into_iter().filter(|state| state.is_over());
    let transaction = actions.database.begin().await?;
    let oldest = workers::now(&transaction).await?;
    let oldest = oldest.saturating_sub(millis(kept));
    let gone = Entity::delete_many()
        .filter(Column::State.is_in(over.map(ActionState::as_str)))
        .filter(Column::EndedAt.lt(oldest))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    if gone.rows_affected > 0 {
        tracing::info!(actions = gone.rows_affected, "removed old actions");
    }
    // The folders first: a row is there before its folder, so that the folder of an action that begins meanwhile either
    // is not among these or has its row.
    let folder = actions.folder.clone();
    let found = tokio::task::spawn_blocking(move || program_folders(&folder)).await?;
    let found = found.map_err(Failure::internal)?;
    let columns = Columns::of(&[Column::Id, Column::RequestedAt]);
    let kept = narrow::find::<Entity>(&actions.database, Condition::all(), columns).await?;
    let kept: HashSet<PathBuf> = kept
        .iter()
        .map(|row| folder_of(&actions.folder, row))
        .collect();
    tokio::task::spawn_blocking(move || {
        for folder in found.iter().filter(|folder| !kept.contains(*folder)) {
            if let Err(error) = std::fs::remove_dir_all(folder) {
                tracing::warn!(folder = %folder.display(), %error, "an old folder was not removed");
            }
        }
    })
    .await?;
    Ok(())
}

/// The folders of programs.
fn program_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_program = name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()));
        if is_program && path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}
