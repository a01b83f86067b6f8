//! Registering templates as versions of workflows.

use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect,
};
use tokio::task::spawn_blocking;

use super::version::{self, Files};
use super::{Author, states};
use crate::database;
use crate::entity::{workflow, workflow_version};
use crate::failure::Failure;
use crate::flows::Flows;
use crate::flows::disk;
use crate::flows::sources::{self, Source, Staged};
use crate::flows::template::problem::Problem;
use crate::flows::template::{self, Choices, Reading, Template};
use crate::workers;

/// The longest name and the longest description that somebody may choose, in bytes.
const LONGEST_NAME: usize = 512;
const LONGEST_DESCRIPTION: usize = 64 << 10;

/// What became of registering a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    /// The version, unless there are errors among the problems.
    pub done: Option<Done>,
    /// What is wrong with the template.
    pub problems: Vec<Problem>,
}

/// A version of a workflow that is there now.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Its workflow.
    pub workflow: workflow::Model,
    /// The version.
    pub version: workflow_version::Model,
    /// False: the newest version was the same already.
    pub is_new: bool,
}

/// Registers a template: it becomes the next version of the workflow of its name, unless it is its newest version already.
/// Whether a user may has been found by whoever calls.
///
/// # Errors
/// A rejection if the source cannot be had.
pub async fn register(
    flows: &Flows,
    author: &Author<'_>,
    source: &Source,
    choices: &Choices,
) -> Result<Registered, Failure> {
    let (staged, reading) = read(flows, author, source, choices).await?;
    let problems = reading.problems;
    let Some(template) = reading.template else {
        return Ok(Registered {
            done: None,
            problems,
        });
    };
    check_name(&template.name)?;
    let json = serde_json::to_string(&template).map_err(Failure::internal)?;
    let most_mib = flows.settings.files.template_mib;
    let (draft, folder) = (flows.places.draft(), staged.folder.clone());
    let copied = spawn_blocking(move || {
        let documents = &reading.documents;
        let files = version::copy(&folder, &template, &json, documents, draft, most_mib)?;
        Ok::<_, Failure>((files, template, json))
    });
    let (files, template, json) = copied.await??;
    let new = NewVersion {
        template,
        json,
        staged,
        files,
    };
    let done = new.store(flows, author).await?;
    Ok(Registered {
        done: Some(done),
        problems,
    })
}

/// Reads a template and changes nothing.
///
/// # Errors
/// A rejection if the source cannot be had.
pub async fn examine(
    flows: &Flows,
    author: &Author<'_>,
    source: &Source,
    choices: &Choices,
) -> Result<Reading, Failure> {
    let (_, reading) = read(flows, author, source, choices).await?;
    Ok(reading)
}

async fn read(
    flows: &Flows,
    author: &Author<'_>,
    source: &Source,
    choices: &Choices,
) -> Result<(Staged, Reading), Failure> {
    check(choices)?;
    let staged = sources::stage(flows, author, source).await?;
    let (folder, choices) = (staged.folder.clone(), choices.clone());
    let reading = spawn_blocking(move || template::read(&folder, &choices)).await?;
    Ok((staged, reading))
}

fn check(choices: &Choices) -> Result<(), Failure> {
    if let Some(name) = &choices.name {
        check_name(name)?;
    }
    if choices
        .description
        .as_ref()
        .is_some_and(|text| text.len() > LONGEST_DESCRIPTION)
    {
        let message = format!("at most {LONGEST_DESCRIPTION} bytes");
        return Err(Failure::bad_input("description", message));
    }
    Ok(())
}

/// A workflow is known by its name, in URLs too.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_name = !name.trim().is_empty()
        && name.len() <= LONGEST_NAME
        && !name.chars().any(char::is_control);
    if is_name {
        return Ok(());
    }
    let message = format!("a name has from 1 to {LONGEST_NAME} bytes and no control characters");
    Err(Failure::bad_input("name", message))
}

/// A template with its files that are to become a version.
struct NewVersion {
    template: Template,
    json: String,
    staged: Staged,
    files: Files,
}

impl NewVersion {
    async fn store(self, flows: &Flows, author: &Author<'_>) -> Result<Done, Failure> {
        let name = self.template.name.clone();
        let transaction = flows.database.begin().await?;
        // Two versions that are registered at the same moment have two numbers.
        database::lock(&transaction, &format!("workflow|{name}")).await?;
        let known = workflow::Entity::find()
            .filter(workflow::Column::Name.eq(&name))
            .lock_exclusive()
            .one(&transaction)
            .await?;
        if let Some(workflow) = &known
            && let Some(version) = newest(&transaction, workflow).await?
            && version.digest == self.files.digest
        {
            let workflow = workflow.clone();
            return Ok(Done {
                workflow,
                version,
                is_new: false,
            });
        }
        let now = workers::now(&transaction).await?;
        let workflow = match known {
            Some(workflow) => next(&transaction, workflow).await?,
            None => first(&transaction, &name, now).await?,
        };
        let folder = uuid::Uuid::new_v4().simple().to_string();
        let row = workflow_version::Model {
            workflow_id: workflow.id,
            number: workflow.latest,
            digest: self.files.digest,
            created_at: now,
            created_by: author.user(),
            creator: author.name().to_owned(),
            folder: folder.clone(),
            source_kind: self.staged.kind.as_str().to_owned(),
            source: Some(self.staged.source.clone()),
            revision: self.staged.revision.clone(),
            template: self.json,
            ..workflow_version::Model::default()
        };
        let mut row = row.into_active_model().reset_all();
        row.id = NotSet;
        let version = row.insert(&transaction).await?;
        // Whoever finds the row finds the files. If the row is not kept after all, nobody names the folder, and it is removed
        // with others like it.
        let (draft, place) = (self.files.draft, flows.places.version(&folder));
        let placed = spawn_blocking(move || draft.place(&place)).await?;
        placed.map_err(|error| disk::failed(&error))?;
        transaction.commit().await?;
        tracing::info!(
            workflow = workflow.name,
            version = version.number,
            author = author.name(),
            source = version.source,
            "a workflow was registered"
        );
        Ok(Done {
            workflow,
            version,
            is_new: true,
        })
    }
}

async fn newest(
    transaction: &DatabaseTransaction,
    workflow: &workflow::Model,
) -> Result<Option<workflow_version::Model>, Failure> {
    use workflow_version::Column::{Number, WorkflowId};
    Ok(workflow_version::Entity::find()
        .filter(WorkflowId.eq(workflow.id))
        .filter(Number.eq(workflow.latest))
        .one(transaction)
        .await?)
}

async fn first(
    transaction: &DatabaseTransaction,
    name: &str,
    now: i64,
) -> Result<workflow::Model, Failure> {
    let row = workflow::Model {
        name: name.to_owned(),
        latest: 1,
        created_at: now,
        post_processing: true,
        ..workflow::Model::default()
    };
    let mut row = row.into_active_model().reset_all();
    row.id = NotSet;
    Ok(row.insert(transaction).await?)
}

/// The next version may rank runs by other columns, and make something else of the best of them.
async fn next(
    transaction: &DatabaseTransaction,
    mut workflow: workflow::Model,
) -> Result<workflow::Model, Failure> {
    workflow.latest += 1;
    workflow.ranking += 1;
    workflow::Entity::update_many()
        .col_expr(workflow::Column::Latest, workflow.latest.into())
        .filter(workflow::Column::Id.eq(workflow.id))
        .exec(transaction)
        .await?;
    states::ranking_changed(transaction, workflow.id).await?;
    Ok(workflow)
}
