//! What a run gives: its declared files, copied out of the folder that its steps worked in, and its result.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, DatabaseTransaction, EntityTrait, IntoActiveModel,
};
use serde_json::json;

use super::plan::Plan;
use crate::engine::{CollectError, Collected, Executor, ExecutorError, Found};
use crate::entity::{flow_file, flow_result};
use crate::failure::Failure;
use crate::files;
use crate::flows::disk::{Draft, sync};
use crate::flows::media::media_type;
use crate::flows::places::{Places, RunPlaces};
use crate::flows::results::{self, LARGEST_DOCUMENT, ResultProblem, ResultValue};
use crate::flows::state::Reason;
use crate::flows::template::output::Output;
use crate::flows::template::schema::ResultSchema;
use crate::flows::write::states::Why;
use crate::text::shorten;

/// How many files a message names.
const NAMED: usize = 5;
/// The longest text on what is wrong with a result, in characters.
const LONGEST_PROBLEM: usize = 1_000;

/// What a run gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Harvest {
    files: Vec<flow_file::Model>,
    results: Vec<(String, ResultValue)>,
    /// Whether it has a result that counts.
    pub is_ranked: bool,
    /// Why it has none although it should.
    pub result_problem: Option<String>,
    /// How much its files have together.
    pub files_bytes: i64,
}

/// Why a run does not give what it should.
#[derive(Debug)]
pub(super) enum Unharvested {
    /// It never will.
    Never(Why),
    /// The disk does not do it now.
    Later(ExecutorError),
}

/// Copies the files of a run to their place, and reads its result. May be done any number of times.
pub(super) async fn harvest(
    plan: &Plan,
    executor: &dyn Executor,
    places: &Places,
    run: &RunPlaces,
    most: u64,
) -> Result<Harvest, Unharvested> {
    let outputs = plan.outputs();
    if outputs.is_empty() {
        return Ok(Harvest::default());
    }
    let wanted: Vec<String> = outputs.iter().map(|it| it.source.to_string()).collect();
    let draft = Draft::at(places.draft());
    let collected = executor
        .collect(&run.work(), &wanted, draft.path(), most)
        .await;
    let collected = match collected {
        Ok(collected) => collected,
        Err(error) => {
            let work = run.work();
            let largest = tokio::task::spawn_blocking(move || largest(&work, &wanted));
            return Err(refused(error, largest.await.ok().flatten().as_deref()));
        }
    };
    let mut harvest = Harvest {
        files: judge(outputs, &collected).map_err(Unharvested::Never)?,
        ..Harvest::default()
    };
    harvest.files_bytes = harvest
        .files
        .iter()
        .fold(0, |sum, file| sum.saturating_add(file.size_bytes));
    let (folder, target, source) = (run.folder.clone(), run.results(), draft.path().to_owned());
    let schema = plan.results().cloned();
    let result = tokio::task::spawn_blocking(move || {
        into_place(&folder, &source, &target)?;
        let read = |schema: &ResultSchema| read_result(schema, &target);
        Ok::<_, CollectError>(schema.as_ref().map(read))
    });
    let result = match result.await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => return Err(Unharvested::Later(error.into())),
        Err(error) => {
            let error = ExecutorError::Unavailable(error.to_string());
            return Err(Unharvested::Later(error));
        }
    };
    match result {
        Some(Ok(results)) => {
            harvest.is_ranked = true;
            harvest.results = results;
        }
        Some(Err(problem)) => harvest.result_problem = Some(problem),
        None => {}
    }
    Ok(harvest)
}

/// The largest of these files.
fn largest(work: &Path, wanted: &[String]) -> Option<String> {
    let bytes = |path: &&String| fs::symlink_metadata(work.join(path)).map_or(0, |it| it.len());
    wanted.iter().max_by_key(bytes).cloned()
}

/// Errors that will be the same the next time, in words. `largest` is the largest file that was wanted.
fn refused(error: ExecutorError, largest: Option<&str>) -> Unharvested {
    let never = |message: String| Unharvested::Never(Why::new(Reason::OutputRefused, message));
    match &error {
        ExecutorError::Collect(CollectError::TooLarge { most }) => never(format!(
            "its files are larger than {} MiB together; the largest is {}",
            most >> 20,
            largest.unwrap_or("not known")
        )),
        ExecutorError::Collect(CollectError::TooMany) => {
            never("its files are too many, or lie too deep".to_owned())
        }
        // What steps worked in is named from there, what is labql's from the root.
        ExecutorError::Collect(CollectError::File { path, source })
            if path.is_relative() && source.kind() == io::ErrorKind::PermissionDenied =>
        {
            never(format!("{} cannot be read", path.display()))
        }
        _ => Unharvested::Later(error),
    }
}

/// The files of a run, if all are there.
fn judge(outputs: &[Output], collected: &[Collected]) -> Result<Vec<flow_file::Model>, Why> {
    let mut files = Vec::with_capacity(outputs.len());
    let (mut missing, mut others) = (Vec::new(), Vec::new());
    for (place, output) in outputs.iter().enumerate() {
        let path = output.source.as_str();
        let of_it = collected.iter().find(|it| it.path == path);
        match of_it.map(|it| &it.found) {
            Some(Found::File { bytes, sha256 }) => {
                files.push(file(output, place, *bytes, sha256));
            }
            Some(Found::Missing) => missing.push(path),
            // Of a folder there is only what is in it.
            Some(Found::NotAFile | Found::EmptyFolder) | None => others.push(path),
        }
    }
    if !missing.is_empty() {
        let message = format!("{} was not made", named(&missing));
        return Err(Why::new(Reason::OutputMissing, message));
    }
    if !others.is_empty() {
        let message = format!("{} is no regular file", named(&others));
        return Err(Why::new(Reason::OutputRefused, message));
    }
    Ok(files)
}

/// The first of them by name.
pub(super) fn named(paths: &[&str]) -> String {
    let first: Vec<&str> = paths.iter().take(NAMED).copied().collect();
    let first = first.join(", ");
    match paths.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn file(output: &Output, place: usize, bytes: u64, sha256: &str) -> flow_file::Model {
    let display = json!({ "format": output.format, "widget": output.widget });
    flow_file::Model {
        id: 0,
        run_id: 0,
        name: output.key.clone(),
        place: i64::try_from(place).unwrap_or(i64::MAX),
        path: output.source.to_string(),
        title: output.title.clone(),
        caption: output.caption.clone(),
        media_type: media_type(output.source.as_str()).to_owned(),
        size_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        sha256: sha256.to_owned(),
        display: display.to_string(),
    }
}

/// Gives the files their place, unless they have it already: then somebody collected the same from the same folder before.
fn into_place(folder: &Path, draft: &Path, target: &Path) -> Result<(), CollectError> {
    let moved = || {
        files::private_folder(folder)?;
        match fs::rename(draft, target) {
            Err(_) if target.is_dir() => Ok(()),
            renamed => renamed,
        }?;
        // What is committed next says that they are there.
        sync(folder)
    };
    moved().map_err(|source| CollectError::File {
        path: target.to_owned(),
        source,
    })
}

/// The values of a result that are there, by the names of their columns; or what is wrong with it.
fn read_result(
    schema: &ResultSchema,
    results: &Path,
) -> Result<Vec<(String, ResultValue)>, String> {
    let path = results.join(schema.file.as_str());
    let mut document = Vec::new();
    let most = LARGEST_DOCUMENT as u64 + 1;
    let read = File::open(&path).and_then(|file| file.take(most).read_to_end(&mut document));
    if let Err(error) = read {
        return Err(format!("{} cannot be read: {}", schema.file, error.kind()));
    }
    let values = results::read(schema, &document).map_err(|problems| {
        let problem = |it: ResultProblem| match it.column {
            Some(column) => format!("{column}: {}", it.message),
            None => it.message,
        };
        let problems: Vec<String> = problems.into_iter().map(problem).collect();
        shorten(&problems.join("; "), LONGEST_PROBLEM)
    })?;
    let columns = schema.columns.iter().zip(values);
    Ok(columns
        .filter_map(|(column, value)| Some((column.name.clone(), value?)))
        .collect())
}

impl Harvest {
    /// Writes down what a run gives.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn store(&self, transaction: &DatabaseTransaction, run: i64) -> Result<(), Failure> {
        if !self.files.is_empty() {
            let rows = self.files.iter().map(|file| {
                let mut row = file.clone().into_active_model().reset_all();
                (row.id, row.run_id) = (NotSet, sea_orm::Set(run));
                row
            });
            flow_file::Entity::insert_many(rows)
                .exec_without_returning(transaction)
                .await?;
        }
        if !self.results.is_empty() {
            let rows = self.results.iter().map(|(name, value)| {
                let mut row = flow_result::Model {
                    run_id: run,
                    name: name.clone(),
                    ..flow_result::Model::default()
                };
                match value {
                    ResultValue::Int(number) => row.int_value = Some(*number),
                    ResultValue::Float(number) => row.float_value = Some(*number),
                    ResultValue::Text(text) => row.text_value = Some(text.clone()),
                }
                row.into_active_model()
            });
            flow_result::Entity::insert_many(rows)
                .exec_without_returning(transaction)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::template::path::RelativePath;

    fn output(path: &str) -> Output {
        Output::plain(RelativePath::file(path).unwrap())
    }

    fn collected(path: &str, found: Found) -> Collected {
        Collected {
            path: path.into(),
            found,
        }
    }

    #[test]
    fn all_files_have_to_be_there() {
        let file = Found::File {
            bytes: 3,
            sha256: "x".into(),
        };
        let outputs = [output("a.csv"), output("b")];
        let files = judge(
            &outputs,
            &[
                collected("a.csv", file.clone()),
                collected("b", file.clone()),
            ],
        );
        let files = files.unwrap();
        assert_eq!(
            (files[0].media_type.as_str(), files[1].place),
            ("text/csv", 1)
        );
        let why = judge(
            &outputs,
            &[
                collected("a.csv", Found::Missing),
                collected("b/c", file.clone()),
            ],
        );
        let why = why.unwrap_err();
        assert_eq!(why.reason, Reason::OutputMissing);
        assert_eq!(why.message, "a.csv was not made");
        let why = judge(
            &outputs,
            &[collected("a.csv", file.clone()), collected("b/c", file)],
        );
        let why = why.unwrap_err();
        assert_eq!(why.reason, Reason::OutputRefused);
        assert_eq!(why.message, "b is no regular file");
    }

    #[test]
    fn some_files_are_named() {
        assert_eq!(named(&["a", "b"]), "a, b");
        let many = ["a"; 7];
        assert_eq!(named(&many), "a, a, a, a, a and 2 more");
    }
}
