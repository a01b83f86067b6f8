//! What administrators say of the runs of a workflow.

use std::sync::Arc;

use macros::row;

use super::enums::RunExecutor;
use crate::entity::workflow;
use crate::flows::settings::ExecutorName;
use crate::graphql::number::{count, int};

/// What administrators say of the runs of a workflow, in all its versions.
pub struct WorkflowSettings(pub Arc<workflow::Model>);

/// What administrators say of the runs of a workflow, in all its versions.
#[row]
impl WorkflowSettings {
    /// Where runs are executed that do not say so; null: where the site says.
    fn executor(&self) -> Option<RunExecutor> {
        let name = self.0.executor.as_deref()?;
        ExecutorName::from_name(name).map(Into::into)
    }

    /// The priority of runs that do not say so: the largest goes first.
    fn priority(&self) -> i32 {
        count(self.0.priority)
    }

    /// How many runs may be under way at once; null: as many as the site says.
    fn most_running(&self) -> Option<i32> {
        int(self.0.most_running)
    }

    /// The same for each user.
    fn most_running_per_user(&self) -> Option<i32> {
        int(self.0.most_running_per_user)
    }

    /// How many runs that have not ended a user may have; null: as many as the site says.
    fn most_open_per_user(&self) -> Option<i32> {
        int(self.0.most_open_per_user)
    }

    /// How long runs may take that do not say so, in seconds; null: as long as the template says.
    fn timeout_seconds(&self) -> Option<i32> {
        int(self.0.timeout_seconds)
    }

    /// How many days runs that ended well are kept after their end, 0 for good; null: as the site says.
    fn keep_days(&self) -> Option<i32> {
        int(self.0.keep_days)
    }

    /// The same for other runs.
    fn keep_failed_days(&self) -> Option<i32> {
        int(self.0.keep_failed_days)
    }

    /// How many ended runs of each group are kept at most, 0 for all; null: as the site says.
    fn keep_number(&self) -> Option<i32> {
        int(self.0.keep_number)
    }

    /// The runs up to this rank are kept whatever else is said; null: as the site says.
    fn keep_ranked(&self) -> Option<i32> {
        int(self.0.keep_ranked)
    }

    /// Is anything made of the best runs, where the template says how?
    fn post_processing(&self) -> bool {
        self.0.post_processing
    }
}
