//! The type `LogFile`.

use std::sync::Arc;

use async_graphql::{Context, Object, Result};
use chrono::{DateTime, Utc};

use crate::entity::job;
use crate::experiments::read::logs;
use crate::experiments::readers::{self, LogStream};
use crate::graphql::context::ContextExt;
use crate::graphql::error::ErrorCode;
use crate::links;

/// How many lines `tail` gives at most.
const MOST_LINES: i32 = 10_000;

/// A file that a job wrote.
pub struct LogFile {
    root: Arc<logs::RootFolders>,
    expid: Arc<str>,
    file: readers::LogFile,
}

impl LogFile {
    /// The newest log of a job; none when there is no file.
    pub async fn newest(
        ctx: &Context<'_>,
        job: &job::Model,
        expid: &Arc<str>,
        stream: LogStream,
    ) -> Result<Option<Self>> {
        let Some(root) = ctx.loaders()?.roots().load_one(job.experiment_id).await? else {
            return Ok(None);
        };
        let file = logs::newest(root.as_ref().clone(), expid, &job.name, stream).await;
        let file = file.map_err(|error| ErrorCode::SourceBroken.error(error.to_string()))?;
        Ok(file.map(|file| Self {
            root,
            expid: Arc::clone(expid),
            file,
        }))
    }

    fn file_name(&self) -> &str {
        self.file.path.rsplit('/').next().unwrap_or_default()
    }
}

/// A file that a job wrote.
#[Object]
impl LogFile {
    /// The name of the file.
    async fn name(&self) -> &str {
        self.file_name()
    }

    /// Its size in bytes, as it is stored; a Float, since GraphQL's Int ends at 2 GiB.
    async fn size_bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.file.size as f64;
        bytes
    }

    /// When it last changed.
    async fn modified_at(&self) -> DateTime<Utc> {
        self.file.modified_at
    }

    /// Where the whole of it can be downloaded: a path on this server, for `GET` with the same credentials, also in ranges
    /// of bytes. With `?decompress` what is compressed is unpacked on the way.
    async fn url(&self) -> String {
        links::path(links::JOB_LOG, &self.expid, self.file_name())
    }

    /// Its last lines; gzip and xz are unpacked.
    async fn tail(
        &self,
        #[graphql(desc = "How many lines at most, from 0 to 10000.", default = 150)] lines: i32,
    ) -> Result<Vec<String>> {
        let lines = match usize::try_from(lines) {
            Ok(count) if lines <= MOST_LINES => count,
            _ => {
                let message = format!("lines: from 0 to {MOST_LINES}");
                return Err(ErrorCode::BadInput.error(message));
            }
        };
        let root = self.root.as_ref().clone();
        let tail = logs::tail(root, &self.expid, self.file_name(), lines).await;
        tail.map_err(|error| ErrorCode::SourceBroken.error(format!("{}: {error}", self.file.path)))
    }
}
