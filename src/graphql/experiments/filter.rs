//! Filters and orders of experiments and jobs.

use async_graphql::InputObject;
use chrono::{DateTime, Utc};

use super::enums::{
    ExperimentKind, ExperimentOrderField, ExperimentStatus, JobOrderField, JobStatus,
    OrderDirection,
};
use crate::experiments::read::experiments as experiments_read;
use crate::experiments::read::jobs as jobs_read;
use crate::failure::Failure;
use crate::pattern::Pattern;
use crate::text::without_zero;
use crate::time::Millis;

/// How many values a list in a filter holds at most.
const MOST_VALUES: usize = 500;

/// Which experiments are asked for; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ExperimentFilter {
    /// Part of the expid, the description or the owner, without regard to ASCII case; `*` stands for anything.
    text: Option<String>,
    /// The owner; `*` stands for anything, a leading `!` means "not".
    owner: Option<String>,
    /// The main platform; `*` stands for anything, a leading `!` means "not".
    hpc: Option<String>,
    /// The version of Autosubmit; `*` stands for anything, a leading `!` means "not".
    autosubmit_version: Option<String>,
    /// What it is for.
    kind: Option<ExperimentKind>,
    /// Whether Autosubmit is at work on it.
    status: Option<ExperimentStatus>,
    /// Only those made after this time.
    created_after: Option<DateTime<Utc>>,
    /// Only those made before this time.
    created_before: Option<DateTime<Utc>>,
    /// True: only experiments that are gone from their root. When absent or false: only those that are there.
    archived: Option<bool>,
}

impl TryFrom<ExperimentFilter> for experiments_read::ExperimentFilter {
    type Error = Failure;

    fn try_from(filter: ExperimentFilter) -> Result<Self, Failure> {
        let whole =
            |field, text: Option<String>| text.map(|text| Pattern::whole(field, &text)).transpose();
        Ok(Self {
            text: filter
                .text
                .map(|text| Pattern::anywhere("text", &text))
                .transpose()?,
            owner: whole("owner", filter.owner)?,
            hpc: whole("hpc", filter.hpc)?,
            autosubmit_version: whole("autosubmitVersion", filter.autosubmit_version)?,
            kind: filter.kind.map(Into::into),
            status: filter.status.map(Into::into),
            archived: Some(filter.archived.unwrap_or(false)),
            created_after: filter.created_after.map(|time| time.millis()),
            created_before: filter.created_before.map(|time| time.millis()),
        })
    }
}

/// An order of experiments.
#[derive(Clone, Debug, InputObject)]
pub struct ExperimentOrder {
    /// By what.
    field: ExperimentOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

/// Orders as the domain has them.
pub fn experiment_order(orders: Option<Vec<ExperimentOrder>>) -> experiments_read::ExperimentOrder {
    experiments_read::ExperimentOrder::new(
        orders
            .unwrap_or_default()
            .into_iter()
            .map(|order| (order.field.into(), order.direction == OrderDirection::Desc)),
    )
}

/// Which jobs are asked for; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct JobFilter {
    /// Part of the name, without regard to ASCII case; `*` stands for anything, a leading `!` means "not".
    name: Option<String>,
    /// Any of these statuses.
    statuses: Option<Vec<JobStatus>>,
    /// Any of these sections.
    sections: Option<Vec<String>>,
    /// Any of these members.
    members: Option<Vec<String>>,
    /// Any of these chunks.
    chunks: Option<Vec<i32>>,
    /// Any of these start dates.
    dates: Option<Vec<DateTime<Utc>>>,
}

impl TryFrom<JobFilter> for jobs_read::JobFilter {
    type Error = Failure;

    fn try_from(filter: JobFilter) -> Result<Self, Failure> {
        Ok(Self {
            name: filter
                .name
                .map(|name| Pattern::part("name", &name))
                .transpose()?,
            statuses: values("statuses", filter.statuses, Into::into)?,
            sections: values("sections", filter.sections, |text| without_zero(&text))?,
            members: values("members", filter.members, |text| without_zero(&text))?,
            chunks: values("chunks", filter.chunks, Into::into)?,
            dates: values("dates", filter.dates, |date| date.millis())?,
        })
    }
}

fn values<A, B>(
    field: &'static str,
    values: Option<Vec<A>>,
    convert: impl Fn(A) -> B,
) -> Result<Option<Vec<B>>, Failure> {
    let Some(values) = values else {
        return Ok(None);
    };
    if values.len() > MOST_VALUES {
        return Err(Failure::bad_input(
            field,
            format!("at most {MOST_VALUES} values"),
        ));
    }
    Ok(Some(values.into_iter().map(convert).collect()))
}

/// An order of jobs.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct JobOrder {
    /// By what.
    field: JobOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

impl From<JobOrder> for jobs_read::JobOrder {
    fn from(order: JobOrder) -> Self {
        Self {
            field: order.field.into(),
            descending: order.direction == OrderDirection::Desc,
        }
    }
}
