//! What the steps of runs print.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::enums::RunLogStream;
use super::run::Run;
use super::step::StepsOf;
use crate::database::Database;
use crate::entity::{flow_log, flow_step};
use crate::failure::Failure;
use crate::flows::read::logs::{self, LogFilter};
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::count;
use crate::graphql::rows::columns_of_page;
use crate::narrow::Columns;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};
use crate::time::from_millis;

/// The names of the steps of a run, by their places.
pub type StepNames = HashMap<i64, Arc<str>>;

/// A piece of what a step printed, as it came.
#[derive(Clone)]
pub struct RunLogLine {
    row: Arc<flow_log::Model>,
    step: Option<Arc<str>>,
}

connection!(
    RunLogConnection,
    RunLogEdge,
    RunLogLine,
    "A page of what the steps of a run printed.",
    "A piece in a page."
);

impl RunLogLine {
    /// A piece, with the name of its step.
    pub fn new(row: Arc<flow_log::Model>, steps: &StepNames) -> Self {
        let step = steps.get(&row.position).cloned();
        Self { row, step }
    }
}

/// The cursor of a piece.
pub fn cursor(row: &flow_log::Model) -> String {
    paging::encode_cursor(&logs::oldest_first(), &logs::key(row))
}

/// The names of these steps.
pub fn names<'a>(steps: impl IntoIterator<Item = &'a Arc<flow_step::Model>>) -> StepNames {
    let steps = steps.into_iter();
    let named = |step: &Arc<flow_step::Model>| (step.position, Arc::from(step.name.as_str()));
    steps.map(named).collect()
}

/// A piece of what a step printed, as it came: of one line, of many, or of a part of one.
#[row(columns = flow_log::Column)]
impl RunLogLine {
    /// Its position in the log of the run: go on from here with `Run.log(after:)` or `runLog(after:)`.
    #[reads(Id)]
    fn cursor(&self) -> String {
        cursor(&self.row)
    }

    /// The name of the step; null: something that this server does not know.
    #[reads(Position)]
    fn step(&self) -> Option<&str> {
        self.step.as_deref()
    }

    /// The number of the attempt at the step, counted from 1.
    #[reads(Attempt)]
    fn attempt(&self) -> i32 {
        count(self.row.attempt)
    }

    /// Where it was printed; null: something that this server does not know.
    #[reads(Stream)]
    fn stream(&self) -> Option<RunLogStream> {
        logs::stream(&self.row.stream).map(Into::into)
    }

    /// What was printed, with its line breaks; U+FFFD for what is no UTF-8. Where too much was printed, a mark stands for what
    /// was cut.
    #[reads(Text)]
    fn text(&self) -> &str {
        &self.row.text
    }

    /// How many bytes of the stream came before it in this attempt; a Float, since GraphQL's Int ends at 2 GiB.
    #[reads(StartByte)]
    fn offset(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.row.start_byte as f64;
        bytes
    }

    /// For how many bytes of the stream it stands; a Float as `offset`.
    #[reads(Bytes)]
    fn bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.row.bytes as f64;
        bytes
    }

    /// When it was seen.
    #[reads(RecordedAt)]
    fn recorded_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.row.recorded_at)
    }
}

/// `Run.log`.
pub(super) async fn of_run(
    ctx: &Context<'_>,
    run: &Run,
    page: &PageArguments,
    step: Option<String>,
    stream: Option<RunLogStream>,
) -> Result<RunLogConnection> {
    let (database, ahead) = (ctx.database()?, ctx.look_ahead());
    let filter = LogFilter {
        step,
        stream: stream.map(Into::into),
    };
    let list = LogList {
        page: page.resolve(PAGE, &logs::oldest_first()).map_err(failed)?,
        columns: columns_of_page::<RunLogLine, _>(ctx),
        filter: filter.clone(),
    };
    let (level, id) = (&run.level, run.row.id);
    let slice = level.children(database, &list, id).await?;
    let total = if ctx.wants_total() {
        Some(level.children(database, &LogTotal(filter), id).await?)
    } else {
        None
    };
    let shows_step = ahead.field("nodes").field("step").exists()
        || ahead.field("edges").field("node").field("step").exists();
    let names = if shows_step {
        let list = StepsOf(Columns::of(&[flow_step::Column::Name]));
        let (steps, _) = level.children(database, &list, id).await?;
        names(&steps)
    } else {
        StepNames::new()
    };
    let slice = slice.map(|row| RunLogLine::new(row, &names));
    Ok(RunLogConnection::new(slice, total, |line| {
        cursor(&line.row)
    }))
}

/// A page of what the steps of runs printed.
#[derive(Clone, Hash, PartialEq, Eq)]
struct LogList {
    filter: LogFilter,
    page: Page,
    columns: Columns<flow_log::Model>,
}

impl ChildList for LogList {
    type Children = Slice<Arc<flow_log::Model>>;

    async fn load(
        &self,
        database: &Database,
        runs: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (filter, page) = (&self.filter, &self.page);
        logs::of_runs(database, runs.parents(), filter, self.columns, page).await
    }
}

/// How many pieces there are of what the steps of runs printed.
#[derive(Clone, Hash, PartialEq, Eq)]
struct LogTotal(LogFilter);

impl ChildList for LogTotal {
    type Children = i64;

    async fn load(&self, database: &Database, runs: &Level) -> Result<HashMap<i64, i64>, Failure> {
        logs::count_of_runs(database, runs.parents(), &self.0).await
    }
}
