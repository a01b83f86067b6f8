//! What runs gave: file by file, and all of it in one archive. Who may not see a run does not learn that there is one.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::ACCEPT_RANGES;
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use tokio::task::spawn_blocking;

use super::archive::{Archive, Member};
use super::{
    Asked, Downloads, Stored, body, decided, digest, headers, logs, no_file, place, stored, text,
};
use crate::flows::read::{files, runs};
use crate::flows::rights::Asker;
use crate::flows::state::RunState;
use crate::http::{Authenticated, failed, fault};
use crate::narrow::Columns;

/// `GET` and `HEAD` of a file.
pub(super) async fn result(
    State(downloads): State<Downloads>,
    viewer: Authenticated,
    names: Result<Path<(String, String)>, PathRejection>,
    asked: Asked,
) -> Response {
    let answer = async {
        downloads.check_read(&viewer)?;
        let Path((run, name)) = names.map_err(|_| no_file())?;
        let sent = place(&downloads.sent)?;
        let run = downloads.run(&viewer, &run).await?;
        let file = files::by_name(&downloads.services.database, run.id, &name).await;
        let file = file.map_err(failed)?.ok_or_else(no_file)?;
        let size = size(&file);
        let etag = text(&format!("\"{}\"", file.sha256));
        let open = stored(downloads.results(&run), file.path.clone(), size).await?;
        let last = file.path.rsplit('/').next().unwrap_or("result");
        let stored = Stored {
            headers: headers(&file.media_type, &etag, last),
            file: open,
            size,
            etag,
        };
        stored.send(&asked, sent).await
    };
    answer.await.unwrap_or_else(|refused| refused)
}

/// `GET` and `HEAD` of all files in one.
pub(super) async fn archive(
    State(downloads): State<Downloads>,
    viewer: Authenticated,
    run: Result<Path<String>, PathRejection>,
    asked: Asked,
) -> Response {
    let answer = async {
        downloads.check_read(&viewer)?;
        let Path(run) = run.map_err(|_| no_file())?;
        let places = (place(&downloads.sent)?, place(&downloads.packed)?);
        let run = downloads.run(&viewer, &run).await?;
        if run.state != RunState::Success.as_str() {
            return Err(no_file());
        }
        let database = &downloads.services.database;
        let found = files::of_runs(database, &[run.id], Columns::all()).await;
        let files = found.map_err(failed)?.remove(&run.id).unwrap_or_default();
        let name = format!("run-{}.tar.gz", run.id);
        let etag = etag(&run, &files);
        let mut headers = headers("application/gzip", &etag, &name);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
        if let Some(answer) = decided(&asked, &etag, &headers) {
            return Ok(answer);
        }
        let member = |file: &Arc<files::Model>| Member {
            path: file.path.clone(),
            size: size(file),
        };
        let members = files.iter().map(member).collect();
        let (folder, modified) = (downloads.results(&run), ended(&run));
        let opened = spawn_blocking(move || Archive::open(&folder, members, modified)).await;
        let archive = opened
            .map_err(fault)?
            .map_err(|error| logs::broken(&error.into()))?;
        if asked.method == Method::HEAD {
            return Ok(headers.into_response());
        }
        Ok((headers, body::packed(archive, places)).into_response())
    };
    answer.await.unwrap_or_else(|refused| refused)
}

impl Downloads {
    /// The run of a number, if the viewer may see it.
    async fn run(
        &self,
        viewer: &Authenticated,
        number: &str,
    ) -> Result<Arc<runs::Model>, Response> {
        let number = number.parse().map_err(|_| no_file())?;
        let columns = [
            runs::Column::State,
            runs::Column::Folder,
            runs::Column::EndedAt,
        ];
        let (database, asker) = (&self.services.database, Asker::of(&viewer.0));
        let run = runs::by_id(database, asker, number, Columns::of(&columns)).await;
        run.map_err(failed)?.ok_or_else(no_file)
    }

    fn results(&self, run: &runs::Model) -> PathBuf {
        self.services.flows.places.run(&run.folder).results()
    }
}

fn size(file: &files::Model) -> u64 {
    u64::try_from(file.size_bytes).unwrap_or_default()
}

/// When all files got their time, in seconds since 1970-01-01 UTC.
fn ended(run: &runs::Model) -> u64 {
    u64::try_from(run.ended_at.unwrap_or_default() / 1_000).unwrap_or_default()
}

/// A strong validator: the same files in the same order give the same bytes.
fn etag(run: &runs::Model, files: &[Arc<files::Model>]) -> HeaderValue {
    let mut stamp = format!("{} {}", env!("CARGO_PKG_VERSION"), ended(run));
    for file in files {
        stamp.extend(["\n", &file.sha256, " ", &file.path]);
    }
    text(&format!("\"{}\"", digest(&stamp)))
}
