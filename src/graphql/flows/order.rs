//! In which order runs come.

use async_graphql::{Enum, InputObject};

use crate::failure::Failure;
use crate::flows::read::runs;
use crate::graphql::experiments::OrderDirection;

/// By what runs can be ordered; equal ones are ordered by their start.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "runs::RunOrderField")]
#[expect(
    clippy::enum_variant_names,
    reason = "they are called as the fields of runs"
)]
pub enum RunOrderField {
    /// When somebody started them.
    CreatedAt,
    /// When they left the queue; those that have not come before all others.
    StartedAt,
    /// When they ended; those that have not come before all others.
    EndedAt,
}

/// An order of runs.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct RunOrder {
    /// By what.
    field: RunOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// The order that was asked for; the newest first when none was.
pub(super) fn of_runs(orders: Option<&[RunOrder]>) -> Result<runs::RunOrder, Failure> {
    match orders.unwrap_or_default() {
        [] => Ok(runs::RunOrder::default()),
        [order] => Ok(runs::RunOrder {
            field: order.field.into(),
            descending: order.direction == OrderDirection::Desc,
        }),
        _ => Err(Failure::bad_input("orderBy", "runs have one order at most")),
    }
}
