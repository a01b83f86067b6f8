//! What a command on focal planes came to.

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::difference::FplaneSlotChange;
use super::plane::Fplane;
use super::problem::FplaneProblem;
use super::source::{self, FplaneSource};
use crate::fplanes::difference::SlotChange;
use crate::fplanes::read::sources;
use crate::fplanes::readers::Problem;
use crate::fplanes::write::{Outcome, Step, Warning};
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::rows::Rows;
use crate::graphql::user_error::UserError;

/// Something odd about what was told, and no reason to refuse it.
pub struct FplaneWarning(Warning);

/// Something odd about what was told, and no reason to refuse it.
#[row]
impl FplaneWarning {
    /// Of which kind it is: `REPEATED`, `AHEAD`, `LATE`, `UNKNOWN_SPECID`, `UNKNOWN_CNTLID`, `UNKNOWN_IFUID`,
    /// `DUPLICATE_SPECID`, `DUPLICATE_SPECSLOT`, `DUPLICATE_IFUID`, or a code of `FplaneProblem`.
    fn code(&self) -> &str {
        self.0.code.as_str()
    }

    /// What is odd, for a person.
    fn message(&self) -> &str {
        &self.0.message
    }
}

/// What became otherwise at one instant: a list of dated mappings has many.
pub struct FplaneStep {
    step: Step,
    changes: Rows<FplaneSlotChange>,
}

impl From<Step> for FplaneStep {
    fn from(mut step: Step) -> Self {
        let changes = std::mem::take(&mut step.changes).into_iter();
        Self {
            changes: changes.map(Into::into).collect(),
            step,
        }
    }
}

/// What became otherwise at one instant: a list of dated mappings has many.
#[row]
impl FplaneStep {
    /// The instant.
    fn valid_from(&self) -> DateTime<Utc> {
        self.step.valid_from
    }

    /// Until when a correction holds; null: for good, or until something else was told.
    fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.step.valid_until
    }

    /// What became of each slot that was another one before, at that instant.
    fn changes(&self) -> &Rows<FplaneSlotChange> {
        &self.changes
    }

    /// The global id of the source that was kept; null in a dry run.
    fn source_id(&self) -> Option<ID> {
        let id = self.step.source?;
        Some(GlobalId::FplaneSource(id).encode())
    }
}

/// What all answers to commands on focal planes have.
#[derive(Default)]
pub struct Told {
    pub committed: bool,
    pub is_repeated: bool,
    pub warnings: Vec<String>,
    pub warning_details: Rows<FplaneWarning>,
    pub fplane: Option<Fplane>,
    pub changes: Rows<FplaneSlotChange>,
    pub steps: Rows<FplaneStep>,
    pub source: Option<FplaneSource>,
    pub problems: Rows<FplaneProblem>,
    pub errors: Vec<UserError>,
}

impl Told {
    /// Of this outcome, if there is one.
    pub async fn of(
        ctx: &Context<'_>,
        outcome: Option<Outcome>,
        problems: Vec<Problem>,
        errors: Vec<UserError>,
    ) -> Result<Self> {
        let problems = problems.into_iter().map(FplaneProblem).collect();
        let Some(outcome) = outcome else {
            return Ok(Self {
                problems,
                errors,
                ..Self::default()
            });
        };
        let changes: Vec<SlotChange> = outcome.changes().cloned().collect();
        ctx.charge(changes.len() + outcome.plane.slots.len())?;
        let warnings = outcome.warnings.iter();
        Ok(Self {
            committed: outcome.committed,
            is_repeated: outcome.is_repeated,
            warnings: warnings.map(|warning| warning.message.clone()).collect(),
            source: kept(ctx, outcome.source()).await?,
            warning_details: outcome.warnings.into_iter().map(FplaneWarning).collect(),
            fplane: Some(Fplane::single(outcome.plane)),
            changes: changes.into_iter().map(Into::into).collect(),
            steps: outcome.steps.into_iter().map(Into::into).collect(),
            problems,
            errors,
        })
    }
}

/// The source that a command kept, if it is asked for.
async fn kept(ctx: &Context<'_>, id: Option<i64>) -> Result<Option<FplaneSource>> {
    let ahead = ctx.look_ahead();
    let (Some(id), asked) = (id, ahead.field("source")) else {
        return Ok(None);
    };
    if !asked.exists() {
        return Ok(None);
    }
    let (database, columns) = (
        ctx.database()?,
        source::columns_below(asked.selection_fields()),
    );
    let found = sources::by_ids(database, &[id], columns).await;
    let found = found.map_err(failed)?.into_values();
    let found = source::with_people(database, found).await;
    Ok(found.map_err(failed)?.pop())
}

/// Defines the answer to a command that tells something of focal planes.
macro_rules! told {
    ($($payload:ident $description:literal { $($more:tt)* } from $($field:ident)*;)+) => {$(
        #[doc = $description]
        #[derive(async_graphql::SimpleObject)]
        struct $payload {
            /// Is it kept? False: it was a dry run, or could not be done.
            committed: bool,
            /// Was exactly this told before? Then nothing was done, and that is no error.
            is_repeated: bool,
            /// What is odd about it and no reason to refuse it, for a person.
            warnings: Vec<String>,
            /// The same with codes.
            warning_details: $crate::graphql::rows::Rows<$crate::graphql::fplanes::outcome::FplaneWarning>,
            /// The plane at the last instant that was told of, as it is now or would be; null: nothing was told.
            fplane: Option<$crate::graphql::fplanes::Fplane>,
            /// What became otherwise, or would become, at the instants that were told of: a slot may be there once for each.
            changes: $crate::graphql::rows::Rows<$crate::graphql::fplanes::difference::FplaneSlotChange>,
            /// The same instant by instant, in the order of time.
            steps: $crate::graphql::rows::Rows<$crate::graphql::fplanes::outcome::FplaneStep>,
            /// The last source that was kept; null in a dry run.
            source: Option<$crate::graphql::fplanes::FplaneSource>,
            $($more)*
            /// Why nothing was done.
            errors: Vec<$crate::graphql::user_error::UserError>,
        }

        impl From<$crate::graphql::fplanes::outcome::Told> for $payload {
            fn from(told: $crate::graphql::fplanes::outcome::Told) -> Self {
                Self {
                    committed: told.committed,
                    is_repeated: told.is_repeated,
                    warnings: told.warnings,
                    warning_details: told.warning_details,
                    fplane: told.fplane,
                    changes: told.changes,
                    steps: told.steps,
                    source: told.source,
                    $($field: told.$field,)*
                    errors: told.errors,
                }
            }
        }
    )+};
}

pub(super) use told;
