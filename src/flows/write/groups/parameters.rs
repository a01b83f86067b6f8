//! The parameters that a group has besides those of its workflow.

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde_json::Value as Json;

use crate::entity::{workflow, workflow_version};
use crate::failure::Failure;
use crate::flows::arguments::check_own_parameters;
use crate::flows::parameters::Parameter;
use crate::flows::read::versions;
use crate::flows::template;
use crate::flows::write::unknown;

/// The largest parameters, in bytes of JSON.
const LARGEST: usize = 64 << 10;

/// Checks the parameters of a group beside those of the newest version of the workflow.
///
/// # Errors
/// A rejection that says what is wrong with them.
pub(super) async fn check(
    transaction: &DatabaseTransaction,
    workflow: &workflow::Model,
    json: &Json,
) -> Result<Vec<Parameter>, Failure> {
    use workflow_version::Column::{Number, WorkflowId};
    let refused = |message: String| Failure::bad_input("parameters", message);
    if json.to_string().len() > LARGEST {
        return Err(refused(format!("at most {LARGEST} bytes")));
    }
    let parameters = template::read_parameters(json).map_err(|problems| {
        let problems: Vec<String> = problems.iter().take(10).map(ToString::to_string).collect();
        refused(problems.join("; "))
    })?;
    let version = workflow_version::Entity::find()
        .filter(WorkflowId.eq(workflow.id))
        .filter(Number.eq(workflow.latest))
        .one(transaction)
        .await?;
    let version = version.ok_or_else(|| unknown("workflow", "workflow"))?;
    check_own_parameters(&versions::template(&version)?, &parameters).map_err(|names| {
        refused(format!(
            "the workflow has them already: {}",
            names.join(", ")
        ))
    })?;
    Ok(parameters)
}
