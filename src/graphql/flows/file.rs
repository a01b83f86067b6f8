//! Files that runs give.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_graphql::{Context, Enum, Result};
use macros::row;
use serde::Deserialize;
use serde_json::Value;

use super::parameter::json;
use super::run::Run;
use crate::database::Database;
use crate::entity::{flow_file, flow_run};
use crate::failure::Failure;
use crate::flows::preview::{self, Look, Preview};
use crate::flows::read::files;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::ErrorCode;
use crate::graphql::json::json_enums;
use crate::graphql::json_text::JsonText;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::{Rows, columns};
use crate::links;
use crate::narrow::Columns;

/// How many rows of a table are shown at most.
const MOST_ROWS: i32 = 500;

/// A file that a run gave.
#[derive(Clone)]
pub struct RunFile {
    row: Arc<flow_file::Model>,
    run: Arc<flow_run::Model>,
    display: Arc<OnceLock<Display>>,
}

/// How it is shown, as it is stored.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Display {
    format: Option<Value>,
    widget: Option<Value>,
}

impl RunFile {
    fn display(&self) -> &Display {
        let read = || serde_json::from_str(&self.row.display).unwrap_or_default();
        self.display.get_or_init(read)
    }

    /// How its beginning is looked at.
    fn look(&self) -> Look {
        let format = self.display().format.as_ref();
        let kind = format.and_then(|format| format.get("type")?.as_str());
        Look::of(kind, &self.row.media_type, &self.row.path)
    }
}

/// A file that a run gave.
#[row(columns = flow_file::Column)]
impl RunFile {
    /// Its name among the files of the run.
    #[reads(Name)]
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Where it was in the folder that the run worked in.
    #[reads(Path)]
    fn path(&self) -> &str {
        &self.row.path
    }

    /// Its title.
    #[reads(Title)]
    fn title(&self) -> Option<&str> {
        self.row.title.as_deref()
    }

    /// What stands below it.
    #[reads(Caption)]
    fn caption(&self) -> Option<&str> {
        self.row.caption.as_deref()
    }

    /// Its media type, by its name.
    #[reads(MediaType)]
    fn media_type(&self) -> &str {
        &self.row.media_type
    }

    /// Its size in bytes; a Float, since GraphQL's Int ends at 2 GiB.
    #[reads(SizeBytes)]
    fn size_bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.row.size_bytes as f64;
        bytes
    }

    /// The SHA-256 of its content, in hexadecimal digits.
    #[reads(Sha256)]
    fn checksum(&self) -> &str {
        &self.row.sha256
    }

    /// What it is, for who shows it: an object with `type`, such as `csv`, `image`, `json` or `plaintext`.
    #[reads(Display)]
    fn format(&self) -> Option<JsonText> {
        json(self.display().format.as_ref())
    }

    /// How it is shown, for who shows it.
    #[reads(Display)]
    fn widget(&self) -> Option<JsonText> {
        json(self.display().widget.as_ref())
    }

    /// The path at which this server sends its content, with ranges. It needs the same token as everything else.
    #[reads(Name)]
    fn url(&self) -> String {
        links::run_result(self.run.id, &self.row.name)
    }

    /// Its beginning; null: it is not there any more. All that one operation asks for may be 50 MB together, and else fails with
    /// `TOO_COMPLEX`.
    #[reads(Path, MediaType, SizeBytes, Display)]
    async fn preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many bytes of it are read at most, from 1 to 65536.",
            default = 16_384
        )]
        bytes: i32,
        #[graphql(
            desc = "How many rows of a table at most, from 0 to 500.",
            default = 50
        )]
        rows: i32,
    ) -> Result<Option<RunFilePreview>> {
        let bytes = within("bytes", bytes, 1, preview::MOST_BYTES)?;
        let rows = within("rows", rows, 0, MOST_ROWS)?;
        let size = usize::try_from(self.row.size_bytes).unwrap_or(usize::MAX);
        ctx.charge_bytes(size.min(bytes).saturating_add(1))?;
        let folder = ctx.services()?.flows.places.run(&self.run.folder).results();
        let found = preview::read(folder, self.row.path.clone(), self.look(), bytes, rows).await;
        Ok(found.map_err(failed)?.map(RunFilePreview))
    }
}

fn within(argument: &str, value: i32, least: i32, most: i32) -> Result<usize> {
    let fits = (least..=most).contains(&value).then_some(value);
    let found = fits.and_then(|value| usize::try_from(value).ok());
    found.ok_or_else(|| ErrorCode::BadInput.error(format!("{argument}: from {least} to {most}")))
}

/// How the beginning of a file is shown.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "Look")]
pub enum RunFilePreviewKind {
    /// As `text`.
    Text,
    /// As `rows`.
    Table,
    /// As a picture, which is at `RunFile.url`.
    Picture,
    /// Not at all: it is no text.
    Binary,
}

json_enums!(RunFilePreviewKind);

/// The beginning of a file.
pub struct RunFilePreview(Preview);

/// The beginning of a file.
#[row]
impl RunFilePreview {
    /// How it is shown.
    fn kind(&self) -> RunFilePreviewKind {
        self.0.look.into()
    }

    /// The text; null: it is none.
    fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }

    /// The rows of a table (CSV, or TSV by its name), the header among them; null: it is none. A row that is cut is left out.
    fn rows(&self) -> Option<Vec<Vec<String>>> {
        self.0.rows.clone()
    }

    /// Is there more in the file than what is shown?
    fn truncated(&self) -> bool {
        self.0.is_truncated
    }
}

/// `Run.files`.
pub(super) async fn of_runs(
    runs: &[Run],
    ctx: &Context<'_>,
) -> Result<impl Fn(&Run) -> Rows<RunFile> + use<>> {
    let list = FilesOf(columns::<RunFile, _>([ctx.field()]));
    let levels = runs.iter().map(|run| &run.level);
    let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
    let number = |run: &Run| found.of(run.row.id).map_or(0, Vec::len);
    ctx.charge(runs.iter().map(number).sum())?;
    Ok(move |run: &Run| {
        let file = |row: &Arc<flow_file::Model>| RunFile {
            row: Arc::clone(row),
            run: Arc::clone(&run.row),
            display: Arc::default(),
        };
        let files = found.of(run.row.id).into_iter().flatten();
        files.map(file).collect()
    })
}

/// The files of runs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct FilesOf(Columns<flow_file::Model>);

impl ChildList for FilesOf {
    type Children = Vec<Arc<flow_file::Model>>;

    async fn load(
        &self,
        database: &Database,
        runs: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        files::of_runs(database, runs.parents(), self.0).await
    }
}
