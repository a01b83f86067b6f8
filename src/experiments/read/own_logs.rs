//! The logs of Autosubmit itself, read from the root when they are asked for.

use std::sync::Arc;

use super::logs::{RootFolders, blocking};
use crate::experiments::readers::{self, LogFile, LogFolder, OwnLogName, SourceError};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// A log of Autosubmit.
#[derive(Clone, Debug)]
pub struct OwnLog {
    /// What its name tells.
    pub name: OwnLogName,
    /// What its folder tells of it.
    pub file: LogFile,
}

impl From<(OwnLogName, LogFile)> for OwnLog {
    fn from((name, file): (OwnLogName, LogFile)) -> Self {
        Self { name, file }
    }
}

/// The newest first, by the times in the names; those without a time come last.
pub fn newest_first() -> Ordering {
    let part = |kind| OrderPart {
        sql: "",
        kind,
        descending: true,
    };
    Ordering {
        tag: "autosubmitLogs".into(),
        parts: vec![part(KeyKind::Int), part(KeyKind::Text)],
    }
}

/// The key of a log in that order.
pub fn key(log: &OwnLogName) -> Vec<KeyValue> {
    let dated = log.command.is_some();
    vec![
        KeyValue::Int(dated.into()),
        KeyValue::Text(log.name.clone()),
    ]
}

/// The logs of an experiment by their names.
pub type Names = Arc<[OwnLogName]>;

/// The names of the logs. `tmp` may hold very many files: the folders are gone through once for an operation.
pub async fn names(root: RootFolders) -> Result<Names, SourceError> {
    blocking(move || Ok(readers::own_logs(&root.open()?, &root.expid()?)?.into())).await
}

/// The log of a run to which was written last.
pub async fn run_log(root: RootFolders, names: Names) -> Result<Option<OwnLog>, SourceError> {
    let newest = move || {
        Ok(readers::newest_run_log(
            &root.open()?,
            &root.expid()?,
            &names,
        ))
    };
    Ok(blocking(newest).await?.map(OwnLog::from))
}

/// Of each platform the log of the newest process that fetched logs from there.
pub async fn recovery_logs(root: RootFolders, names: Names) -> Result<Vec<OwnLog>, SourceError> {
    let newest = move || {
        Ok(readers::recovery_logs(
            &root.open()?,
            &root.expid()?,
            &names,
        ))
    };
    let found = blocking(newest).await?;
    Ok(found.into_iter().map(OwnLog::from).collect())
}

/// A page of the logs, or of those of a command, and how many there are in all. Only the files of the page are looked at.
pub async fn page(
    root: RootFolders,
    names: Names,
    command: Option<String>,
    page: Page,
) -> Result<(Slice<OwnLog>, usize), SourceError> {
    blocking(move || {
        let (root, expid) = (root.open()?, root.expid()?);
        let wanted = |log: &&OwnLogName| command.is_none() || log.command == command;
        let logs: Vec<_> = names.iter().filter(wanted).collect();
        let total = logs.len();
        let keyed = logs.into_iter().map(|log| (key(log), log)).collect();
        let slice = paging::cut(keyed, &backward(page));
        let mut rows = Vec::new();
        for name in slice.rows.into_iter().rev() {
            // What has gone meanwhile, or is not what its name says, is left out.
            let found = readers::find_log(&root, &expid, LogFolder::Autosubmit, &name.name);
            if let Ok(Some(file)) = found {
                let name = name.clone();
                rows.push(OwnLog { name, file });
            }
        }
        let slice = Slice {
            rows,
            has_previous: slice.has_next,
            has_next: slice.has_previous,
        };
        Ok((slice, total))
    })
    .await
}

/// From high to low a page is the one before its key.
fn backward(page: Page) -> Page {
    Page {
        backward: !page.backward,
        ..page
    }
}
