//! What a run is given: the files of its version, what somebody uploaded, and, if it is made of other runs, their files.

use sea_orm::{EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use super::folder::{Input, Inputs, Text};
use super::plan::Plan;
use crate::database::is_one_of;
use crate::entity::{flow_file, flow_run};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::state::Reason;
use crate::flows::template::path::RelativePath;
use crate::flows::template::postprocessing::PostProcessing;
use crate::flows::write::states::Why;

/// A run of which another is made, as it stands in `flow_run.inputs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InputRun {
    /// Its row id.
    pub run: i64,
    /// The name of its group.
    pub group: String,
}

/// All that a run is given. The inner error: it cannot be had.
///
/// # Errors
/// Those of the database.
pub(super) async fn inputs(
    flows: &Flows,
    plan: &Plan,
    run: &flow_run::Model,
) -> Result<Result<Inputs, Why>, Failure> {
    let version = flows.places.version(&plan.version.folder);
    let of_version = plan.version.template.files.iter().map(|file| Input {
        from: version.join(file.source.as_str()),
        target: file.target.clone(),
        what: format!("the file {} of the workflow", file.source),
    });
    let uploads = plan.uploads.iter().map(|file| Input {
        from: flows.places.upload(&file.upload),
        target: file.target.clone(),
        what: format!("the upload for {:?}", file.parameter),
    });
    let mut inputs = Inputs {
        files: of_version.chain(uploads).collect(),
        texts: Vec::new(),
    };
    if let Some(post_processing) = plan.post_processing() {
        let of_runs = of_runs(flows, post_processing, run).await?;
        match of_runs {
            Ok((files, list)) => {
                inputs.files.extend(files);
                inputs.texts.push(list);
            }
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(inputs))
}

type OfRuns = (Vec<Input>, Text);

/// The files of the runs that a run is made of, and the list of these.
async fn of_runs(
    flows: &Flows,
    post_processing: &PostProcessing,
    run: &flow_run::Model,
) -> Result<Result<OfRuns, Why>, Failure> {
    let missing = |message: String| Ok(Err(Why::new(Reason::InputMissing, message)));
    let text = run.inputs.as_deref().unwrap_or("[]");
    let runs: Vec<InputRun> = serde_json::from_str(text).map_err(Failure::internal)?;
    let ids: Vec<i64> = runs.iter().map(|input| input.run).collect();
    let database = &flows.database;
    let rows = flow_run::Entity::find()
        .filter(is_one_of(database, flow_run::Column::Id, &ids))
        .all(database.read())
        .await?;
    let files = flow_file::Entity::find()
        .filter(is_one_of(database, flow_file::Column::RunId, &ids))
        .all(database.read())
        .await?;
    let mut inputs = Vec::new();
    for InputRun { run: id, group } in &runs {
        let Some(row) = rows.iter().find(|row| row.id == *id) else {
            return missing(format!("run {id} of {group:?} is not there any more"));
        };
        let results = flows.places.run(&row.folder).results();
        for name in &post_processing.files {
            let is_it = |file: &&flow_file::Model| {
                file.run_id == *id && (file.name == *name || file.path == *name)
            };
            let Some(file) = files.iter().find(is_it) else {
                return missing(format!("run {id} of {group:?} has no file {name:?}"));
            };
            let target = format!("{}/{id}/{name}", post_processing.folder);
            let Ok(target) = RelativePath::file(&target) else {
                return missing(format!("{name:?} cannot be the name of a file"));
            };
            inputs.push(Input {
                from: results.join(&file.path),
                target,
                what: format!("the file {name:?} of run {id}"),
            });
        }
    }
    let numbers: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let groups = runs.iter().map(|input| input.group.as_str());
    let list = post_processing.list(numbers.iter().map(String::as_str).zip(groups));
    let list = Text {
        target: post_processing.list_path(),
        text: list.to_string(),
    };
    Ok(Ok((inputs, list)))
}
