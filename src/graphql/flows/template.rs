//! What a version of a workflow consists of.

use macros::row;

use super::enums::ResultColumnKind;
use super::parameter::json;
use crate::flows::template::action::Action;
use crate::flows::template::output::Output;
use crate::flows::template::workflow::{Step, StepAction};
use crate::flows::template::{StaticFile, schema};
use crate::graphql::json_text::JsonText;
use crate::graphql::number::{count, int};

/// A step of a workflow.
#[derive(Clone)]
pub struct WorkflowStep(pub Step);

/// A step of a workflow.
#[row]
impl WorkflowStep {
    /// Its name, unique in the workflow.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Its commands, with `${…}` and `$[[…]]` where values will stand; null: `parameter` says what it does.
    fn commands(&self) -> Option<Vec<String>> {
        match &self.0.action {
            StepAction::Own(action) => Some(action.commands()),
            StepAction::Parameter(_) => None,
        }
    }

    /// The image that would have what the commands need; runners without containers ignore it. Null for notebooks, and where
    /// `parameter` says what it does.
    fn image(&self) -> Option<&str> {
        match &self.0.action {
            StepAction::Own(Action::Container { environment, .. }) => Some(environment),
            _ => None,
        }
    }

    /// The notebook that it runs; null: it runs commands.
    fn notebook(&self) -> Option<&str> {
        match &self.0.action {
            StepAction::Own(Action::Notebook { notebook, .. }) => Some(notebook.as_str()),
            _ => None,
        }
    }

    /// The parameter of the kind `ACTOR` that says what it does: without a value it is left out. Null: the template says it.
    fn parameter(&self) -> Option<&str> {
        match &self.0.action {
            StepAction::Parameter(name) => Some(name),
            StepAction::Own(_) => None,
        }
    }

    /// The files that it makes, as far as the template says so.
    fn outputs(&self) -> Vec<String> {
        self.0.outputs.iter().map(ToString::to_string).collect()
    }

    /// May it run more than once? Only then it is ever begun again after it may have had an effect.
    fn repeatable(&self) -> bool {
        self.0.is_repeatable
    }

    /// How often it runs again when it has failed.
    fn retry_limit(&self) -> i32 {
        count(self.0.retry.limit)
    }

    /// How long an attempt may take, in seconds; null: as long as the site allows.
    fn timeout_seconds(&self) -> Option<i32> {
        self.0.limits.timeout_seconds.map(count)
    }

    /// On how many cores it runs; null: as many as the site allows.
    fn cpus(&self) -> Option<i32> {
        self.0.limits.cpus.map(count)
    }

    /// How much memory it may use, in MiB; null: as much as the site allows.
    #[graphql(name = "memoryMiB")]
    fn memory_mib(&self) -> Option<i32> {
        self.0.limits.memory_mib.map(count)
    }

    /// How large a file it may write, in MiB; null: as large as the site allows.
    #[graphql(name = "fileSizeMiB")]
    fn file_size_mib(&self) -> Option<i32> {
        self.0.limits.file_size_mib.map(count)
    }
}

/// A file that runs give.
#[derive(Clone)]
pub struct WorkflowOutput(pub Output);

/// A file that runs give.
#[row]
impl WorkflowOutput {
    /// Its name among the files of a run.
    fn key(&self) -> &str {
        &self.0.key
    }

    /// Where it is in the working folder.
    fn source(&self) -> &str {
        self.0.source.as_str()
    }

    /// Its title.
    fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// What stands below it.
    fn caption(&self) -> Option<&str> {
        self.0.caption.as_deref()
    }

    /// What it is, for who shows it: an object with `type`, such as `csv`, `image`, `json` or `plaintext`.
    fn format(&self) -> Option<JsonText> {
        json(self.0.format.as_ref())
    }

    /// How it is shown, for who shows it.
    fn widget(&self) -> Option<JsonText> {
        json(self.0.widget.as_ref())
    }
}

/// A file that every run is given.
#[derive(Clone)]
pub struct WorkflowFile(pub StaticFile);

/// A file that every run is given.
#[row]
impl WorkflowFile {
    /// Where it is put in the working folder.
    fn target(&self) -> &str {
        self.0.target.as_str()
    }

    /// Its size in bytes; a Float, since GraphQL's Int ends at 2 GiB.
    fn size_bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.0.size_bytes as f64;
        bytes
    }
}

/// A column of the results of runs.
#[derive(Clone)]
pub struct ResultColumn {
    column: schema::Column,
    /// Its place among those by which runs are ranked, counted from 0, and whether the largest value comes first.
    order: Option<(usize, bool)>,
}

impl ResultColumn {
    /// The columns of a schema.
    pub(super) fn of(schema: &schema::ResultSchema) -> Vec<Self> {
        let by = |name: &str| {
            let mut order = schema.order_by.iter().enumerate();
            let found = order.find(|(_, sort)| sort.name == name);
            found.map(|(place, sort)| (place, sort.sort_desc))
        };
        let column = |(place, column): (usize, &schema::Column)| Self {
            order: match place {
                // Where a template does not say by what, the first column counts.
                0 if schema.order_by.is_empty() => Some((0, true)),
                _ => by(&column.name),
            },
            column: column.clone(),
        };
        schema.columns.iter().enumerate().map(column).collect()
    }
}

/// A column of the results of runs.
#[row]
impl ResultColumn {
    /// Its name.
    fn name(&self) -> &str {
        &self.column.name
    }

    /// Its name for people.
    fn label(&self) -> &str {
        &self.column.label
    }

    /// What its values are.
    fn kind(&self) -> ResultColumnKind {
        self.column.dtype.into()
    }

    /// Must a result have it? A run without it is not ranked.
    fn required(&self) -> bool {
        self.column.required
    }

    /// Its place among the columns by which runs are ranked, counted from 1; null: it does not count.
    fn rank_order(&self) -> Option<i32> {
        int(self
            .order
            .map(|(place, _)| i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1)))
    }

    /// Does the largest value come first? Null: it does not count.
    fn descending(&self) -> Option<bool> {
        self.order.map(|(_, is_descending)| is_descending)
    }
}
