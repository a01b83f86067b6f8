//! Files that people bring.

mod room;

use std::path::PathBuf;

use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect,
};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

use self::room::Owner;
use super::{account, conflict, unknown};
use crate::auth::viewer::ViewerUser;
use crate::database;
use crate::entity::flow_upload::{Column, Entity, Model};
use crate::entity::{flow_group, flow_run};
use crate::failure::{Failure, RejectionCode};
use crate::files;
use crate::flows::Flows;
use crate::flows::disk::{self, Draft};
use crate::flows::media::media_type as by_name;
use crate::flows::rights::{Asker, Role};
use crate::flows::settings::FileLimits;
use crate::workers;

/// The longest name, in bytes: what a file may be called; and the longest media type.
const LONGEST_NAME: usize = 255;
const LONGEST_MEDIA_TYPE: usize = 200;

/// An upload under way. If it is dropped, nothing of it stays.
pub struct Incoming {
    flows: Flows,
    asker: Asker,
    owner: Owner,
    row: Model,
    draft: Draft,
    file: File,
    sha256: Sha256,
    bytes: u64,
}

/// Begins an upload to a group, for its members; without a group it is the user's own.
///
/// # Errors
/// A rejection if the user may not, or there is no room.
pub async fn begin(
    flows: &Flows,
    user: &ViewerUser,
    group: Option<i64>,
    name: &str,
    media_type: Option<&str>,
    length: Option<u64>,
) -> Result<Incoming, Failure> {
    let user_id = account(user)?;
    let name = check_name(name)?;
    let media_type = check_media_type(media_type, name)?;
    let connection = flows.database.read();
    let owner = match group {
        Some(group) => {
            let asker = Asker::of_user(user);
            asker
                .needs(connection, group, Role::Member, "group")
                .await?;
            // An administrator may do all in groups that are there.
            let known = flow_group::Entity::find_by_id(group).one(connection);
            known.await?.ok_or_else(|| unknown("group", "group"))?;
            Owner::Group(group)
        }
        None => Owner::User(user_id),
    };
    let limits = &flows.settings.files;
    let length = length.unwrap_or(0);
    check_size(limits, length)?;
    owner.check_room(connection, limits, length).await?;
    let path = flows.places.draft();
    let (draft, file) = spawn_blocking(move || open(path)).await??;
    let row = Model {
        key: uuid::Uuid::new_v4().simple().to_string(),
        group_id: group,
        name: name.to_owned(),
        media_type,
        created_by: Some(user_id),
        creator: user.username.clone(),
        ..Model::default()
    };
    Ok(Incoming {
        flows: flows.clone(),
        asker: Asker::of_user(user),
        owner,
        row,
        draft,
        file: File::from_std(file),
        sha256: Sha256::new(),
        bytes: 0,
    })
}

fn open(path: PathBuf) -> Result<(Draft, std::fs::File), Failure> {
    let failed = |error: std::io::Error| disk::failed(&error);
    if let Some(folder) = path.parent() {
        files::private_folder(folder).map_err(failed)?;
    }
    let draft = Draft::at(path);
    let file = files::private_file(draft.path()).map_err(failed)?;
    Ok((draft, file))
}

impl Incoming {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// A rejection if it becomes too large.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
        check_size(&self.flows.settings.files, self.bytes)?;
        self.sha256.update(bytes);
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| disk::failed(&error))
    }

    /// All bytes are there.
    ///
    /// # Errors
    /// A rejection if the group or the room in it is gone meanwhile.
    pub async fn finish(self) -> Result<Model, Failure> {
        let Self {
            flows,
            asker,
            owner,
            mut row,
            draft,
            mut file,
            sha256,
            bytes,
        } = self;
        let failed = |error: std::io::Error| disk::failed(&error);
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        row.size_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        row.sha256 = hex::encode(sha256.finalize());
        let transaction = flows.database.begin().await?;
        // Of two that come at the same moment the second finds how much room the first has left.
        let lock = match owner {
            Owner::Group(group) => format!("flow-uploads|{group}"),
            Owner::User(user) => format!("flow-uploads|user|{user}"),
        };
        database::lock(&transaction, &lock).await?;
        if let Owner::Group(group) = owner {
            let group = flow_group::Entity::find_by_id(group)
                .lock_shared()
                .one(&transaction);
            let group = group.await?.ok_or_else(|| unknown("group", "group"))?;
            // Whoever was put out meanwhile brings nothing any more.
            let role = Role::Member;
            asker.needs(&transaction, group.id, role, "group").await?;
        }
        let limits = &flows.settings.files;
        owner.check_room(&transaction, limits, bytes).await?;
        row.created_at = workers::now(&transaction).await?;
        let place = flows.places.upload(&row.key);
        let mut row = row.into_active_model().reset_all();
        row.id = NotSet;
        let made = row.insert(&transaction).await?;
        // Whoever finds the row finds the file. If the row is not kept after all, nobody names the file, and it is removed with
        // others like it.
        let placed = spawn_blocking(move || draft.place(&place)).await?;
        placed.map_err(failed)?;
        transaction.commit().await?;
        tracing::info!(
            upload = made.key,
            group = made.group_id,
            bytes,
            creator = made.creator,
            "a file was uploaded"
        );
        metrics::counter!("labql_flow_uploads_total").increment(1);
        Ok(made)
    }
}

/// Deletes an upload: for members of its group, or for whoever brought it if it has none.
///
/// # Errors
/// A rejection if there is no such upload, or a run that has not ended is given it.
pub async fn delete(flows: &Flows, user: &ViewerUser, key: &str) -> Result<(), Failure> {
    let none = || unknown("id", "upload");
    // PostgreSQL refuses to look for what it cannot store.
    if key.contains('\0') {
        return Err(none());
    }
    let transaction = flows.database.begin().await?;
    let upload = Entity::find()
        .filter(Column::Key.eq(key))
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let upload = upload.ok_or_else(none)?;
    let asker = Asker::of_user(user);
    match upload.group_id {
        Some(group) => match asker.role(&transaction, group).await? {
            Some(role) if role >= Role::Member => {}
            Some(_) => asker.needs(&transaction, group, Role::Member, "id").await?,
            None => return Err(none()),
        },
        None if user.is_admin || (user.id.is_some() && user.id == upload.created_by) => {}
        None => return Err(none()),
    }
    if let Some(run) = needed_by(&transaction, &upload).await? {
        let message = format!("run {run}, which has not ended, is given it");
        return Err(conflict(Some("id"), message));
    }
    Entity::delete_by_id(upload.id).exec(&transaction).await?;
    transaction.commit().await?;
    disk::remove_all(vec![flows.places.upload(&upload.key)]).await;
    tracing::info!(
        upload = upload.key,
        actor = user.username,
        "an upload was deleted"
    );
    Ok(())
}

/// A run that has not ended and is given an upload.
async fn needed_by(
    connection: &impl ConnectionTrait,
    upload: &Model,
) -> Result<Option<i64>, Failure> {
    use flow_run::Column::{Arguments, EndedAt, GroupId, Id, StarterId};
    // A key is in no other text by chance.
    let named = Expr::col(Arguments).like(LikeExpr::new(format!("%{}%", upload.key)));
    let whose = match upload.group_id {
        Some(group) => GroupId.eq(group),
        None => StarterId.eq(upload.created_by),
    };
    let found = flow_run::Entity::find()
        .select_only()
        .column(Id)
        .filter(EndedAt.is_null())
        .filter(whose)
        .filter(named)
        .limit(1)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found)
}

fn check_size(limits: &FileLimits, bytes: u64) -> Result<(), Failure> {
    if bytes > limits.upload_mib.saturating_mul(1 << 20) {
        let message = format!(
            "a file has at most {} MiB (`flows.files.upload_mib`)",
            limits.upload_mib
        );
        let code = RejectionCode::TooComplex;
        return Err(Failure::rejected(code, Some("file"), message));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<&str, Failure> {
    let is_name = !name.trim().is_empty()
        && name.len() <= LONGEST_NAME
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
        && !matches!(name, "." | "..");
    if is_name {
        return Ok(name);
    }
    let message = format!(
        "the name of a file has from 1 to {LONGEST_NAME} bytes, and no slashes or control characters"
    );
    Err(Failure::bad_input("name", message))
}

/// What somebody says that a file is, or what its name says.
fn check_media_type(said: Option<&str>, name: &str) -> Result<String, Failure> {
    // What programs say that do not know.
    let unknown = [
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ];
    let said = said.map(str::trim);
    let Some(said) = said.filter(|said| !said.is_empty() && !unknown.contains(said)) else {
        return Ok(by_name(name).to_owned());
    };
    let is_plain = said.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if said.len() > LONGEST_MEDIA_TYPE || !is_plain || !said.contains('/') {
        let message = "it is no media type";
        return Err(Failure::bad_input("mediaType", message));
    }
    Ok(said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files() {
        for name in ["a.csv", "ü b", "..."] {
            assert_eq!(check_name(name).unwrap(), name);
        }
        let long = "a".repeat(256);
        for name in ["", " ", "a/b", "..", ".", "a\\b", "a\nb", "a\0", &long] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn media_types_are_said_or_guessed() {
        let of = |said, name| check_media_type(said, name);
        assert_eq!(of(None, "a.csv").unwrap(), "text/csv");
        assert_eq!(
            of(Some("application/octet-stream"), "a.csv").unwrap(),
            "text/csv"
        );
        assert_eq!(of(Some("text/plain"), "a.csv").unwrap(), "text/plain");
        assert_eq!(of(None, "a").unwrap(), "application/octet-stream");
        for said in ["text", "text/plain\r\nX: y", "text/ü", &"a/".repeat(200)] {
            assert!(of(Some(said), "a").is_err(), "{said:?}");
        }
    }
}
