//! The type `ExperimentConfiguration`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Error, Object, Result, SimpleObject};
use tokio::sync::OnceCell;

use crate::database::Database;
use crate::entity::experiment;
use crate::experiments::configuration;
use crate::experiments::read::configurations::{self, OfFiles, Packed};
use crate::failure::Failure;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{ErrorCode, internal};
use crate::graphql::json_text::JsonText;
use crate::graphql::level::{ChildList, Level};

/// What reading the files of an experiment takes of the budget of an operation: so one operation reads those of a hundred
/// experiments at most.
const READING: usize = 5_000;

/// What an experiment is configured to do: in its files now, and as its newest run recorded it.
///
/// Files are united as Autosubmit does it, with variables replaced and loops unrolled. What belongs to the server is left
/// out and what looks like a secret is replaced by `[hidden]`; the experiment's folder is written `%ROOTDIR%`.
pub struct ExperimentConfiguration {
    row: Arc<experiment::Model>,
    level: Arc<Level>,
    files: OnceCell<Arc<OfFiles>>,
}

impl ExperimentConfiguration {
    /// That of an experiment on a level.
    pub fn new(row: &Arc<experiment::Model>, level: &Arc<Level>) -> Self {
        Self {
            row: Arc::clone(row),
            level: Arc::clone(level),
            files: OnceCell::new(),
        }
    }

    /// Reads the files, once.
    async fn files(&self, ctx: &Context<'_>) -> Result<Arc<OfFiles>> {
        let read = || async {
            ctx.charge(READING).map_err(|_| {
                let message =
                    "the files of too many experiments are to be read; ask for fewer of them";
                ErrorCode::TooComplex.error(message)
            })?;
            let nothing = |message: String| OfFiles {
                shown: None,
                problems: vec![configurations::problem(&self.row.expid, message)],
            };
            let Some(root) = ctx.loaders()?.roots().load_one(self.row.id).await? else {
                return Ok(Arc::new(nothing("its root is not known".into())));
            };
            let root = root.as_ref().clone();
            let found =
                configurations::of_files(root, &self.row.expid, &self.row.description).await;
            let found = found.unwrap_or_else(|error| nothing(error.to_string()));
            Ok::<_, Error>(Arc::new(found))
        };
        self.files.get_or_try_init(read).await.cloned()
    }

    /// What the newest run recorded, as JSON.
    async fn recorded(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let packed = self
            .level
            .children(ctx.database()?, &LastConfiguration, self.row.id)
            .await?;
        packed.map(|packed| unpacked(&packed)).transpose()
    }

    /// Where the two sides differ; none if there are not both.
    async fn compared(&self, ctx: &Context<'_>) -> Result<Option<Vec<configuration::Difference>>> {
        let files = self.files(ctx).await?;
        let (Some(shown), Some(recorded)) = (&files.shown, self.recorded(ctx).await?) else {
            return Ok(None);
        };
        let recorded = serde_json::from_str(&recorded).map_err(internal)?;
        Ok(Some(configuration::differences(shown, &recorded)))
    }
}

/// What an experiment is configured to do: in its files now, and as its newest run recorded it.
///
/// Files are united as Autosubmit does it, with variables replaced and loops unrolled. What belongs to the server is left
/// out and what looks like a secret is replaced by `[hidden]`; the experiment's folder is written `%ROOTDIR%`.
#[Object]
impl ExperimentConfiguration {
    /// What the files say now: a map. For Autosubmit 3 the sections of its files under `conf`, `exp`, `jobs`,
    /// `platforms` and `proj`. Null when none could be read; `warnings` says why.
    async fn filesystem(&self, ctx: &Context<'_>) -> Result<Option<JsonText>> {
        let files = self.files(ctx).await?;
        let json = files.shown.as_ref().map(JsonText::from);
        charged(ctx, json)
    }

    /// What the newest run recorded; null when there is none, or it recorded nothing. It is also here when the files are
    /// gone.
    async fn current_run(&self, ctx: &Context<'_>) -> Result<Option<JsonText>> {
        let recorded = self.recorded(ctx).await?;
        charged(ctx, recorded.map(JsonText::written))
    }

    /// Whether both sides say the same; null when there are not both.
    async fn is_equal(&self, ctx: &Context<'_>) -> Result<Option<bool>> {
        let compared = self.compared(ctx).await?;
        Ok(compared.map(|differences| differences.is_empty()))
    }

    /// Where they differ, by path; empty when there are not both. A number and its text are the same, and so are null,
    /// an empty map and nothing. What Autosubmit computes from other keys (`HPC…`, `PROJDIR`, `AUTOSUBMIT`,
    /// `STARTDATES`, `DEFAULT.DESCRIPTION`) counts only when both sides have it.
    async fn differences(&self, ctx: &Context<'_>) -> Result<Vec<ConfigurationDifference>> {
        let compared = self.compared(ctx).await?.unwrap_or_default();
        ctx.charge(compared.len())?;
        let side = |value: Option<serde_json::Value>| {
            let json = value.as_ref().map(JsonText::from);
            charged(ctx, json)
        };
        compared
            .into_iter()
            .map(|difference| {
                Ok(ConfigurationDifference {
                    path: difference.path,
                    filesystem: side(difference.filesystem)?,
                    current_run: side(difference.current_run)?,
                })
            })
            .collect()
    }

    /// What could not be read or makes no sense, each with the name of the file.
    async fn warnings(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        let files = self.files(ctx).await?;
        ctx.charge(files.problems.len())?;
        let problems = files.problems.iter();
        let warning = |source: &str, message: &str| format!("{source}: {message}");
        Ok(problems
            .map(|problem| warning(&problem.source, &problem.message))
            .collect())
    }
}

/// A place where the files and the newest run do not say the same.
#[derive(SimpleObject)]
pub struct ConfigurationDifference {
    /// The keys that lead there, with dots between them, such as `JOBS.SIM.WALLCLOCK`.
    path: String,
    /// What the files say; null: nothing.
    filesystem: Option<JsonText>,
    /// What the run recorded; null: nothing.
    current_run: Option<JsonText>,
}

/// JSON, after it was taken from the budget of the operation.
fn charged(ctx: &Context<'_>, json: Option<JsonText>) -> Result<Option<JsonText>> {
    let bytes = json.as_ref().map_or(0, JsonText::len);
    ctx.charge_bytes(bytes)?;
    Ok(json)
}

fn unpacked(packed: &Packed) -> Result<String> {
    configuration::unpack(packed).map_err(internal)
}

/// What the newest runs of experiments recorded.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct LastConfiguration;

impl ChildList for LastConfiguration {
    type Children = Option<Packed>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found = configurations::of_last_runs(database, level.parents()).await?;
        let found = found.into_iter();
        Ok(found
            .map(|(experiment, it)| (experiment, Some(it)))
            .collect())
    }
}

/// What these runs recorded, by their row ids.
pub(super) async fn of_runs(ctx: &Context<'_>, runs: &[i64]) -> Result<HashMap<i64, JsonText>> {
    let found = configurations::of_runs(ctx.database()?, runs).await;
    let found = found.map_err(crate::graphql::context::failed)?;
    let mut shown = HashMap::with_capacity(found.len());
    for (run, packed) in found {
        let json = JsonText::written(unpacked(&packed)?);
        ctx.charge_bytes(json.len())?;
        shown.insert(run, json);
    }
    Ok(shown)
}
