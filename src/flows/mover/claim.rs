//! Runs leave the queue: one transaction claims them, and writes down that their first steps are about to begin.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Mover;
use super::held::Held;
use super::proceed::{Known, proceed};
use super::queue;
use super::room::{Candidate, Room};
use super::run::RunTask;
use crate::database::{is_one_of, lock};
use crate::entity::{flow_attempt, flow_run, flow_step};
use crate::events;
use crate::failure::Failure;
use crate::flows::settings::ExecutorName;
use crate::flows::state::RunState;
use crate::flows::write::states::OpenRun;
use crate::workers;

/// Processes claim one after the other, so that no limit is exceeded by two together.
const LOCK: &str = "flow-claim";
/// How many runs one transaction claims at most.
const MOST: usize = 50;
/// How often those who have no room are left out before the rest waits for the next time.
const ROUNDS: usize = 20;

/// A run that was claimed.
struct Claimed {
    run: flow_run::Model,
    steps: Vec<flow_step::Model>,
    attempt: Option<flow_attempt::Model>,
}

/// Claims runs as far as there is room, and moves them. True: there may be more.
///
/// # Errors
/// Those of the database. Even then something may be claimed, which the lease tells.
pub(super) async fn claim(mover: &Arc<Mover>, held: &mut Held) -> Result<bool, Failure> {
    let free: HashMap<ExecutorName, usize> = mover
        .executors
        .at_once
        .iter()
        .map(|(name, most)| (*name, most.saturating_sub(held.on(*name))))
        .collect();
    let has_room = free.values().any(|free| *free > 0);
    if !has_room || !queue::waits(mover.flows.database.read()).await? {
        return Ok(false);
    }
    // What others of this machine move is counted in the database, and so is what this process does.
    let room = Room::new(mover.executors.at_once.clone(), &mover.flows.settings.queue);
    let claimed = mover.claim(room).await?;
    let has_more = claimed.len() >= MOST;
    for Claimed {
        run,
        steps,
        attempt,
    } in claimed
    {
        let (id, executor) = (run.id, run.executor.clone());
        held.add(id, &executor, |changed| {
            RunTask::new(mover, changed, run, steps, attempt)
        });
    }
    Ok(has_more)
}

impl Mover {
    async fn claim(&self, mut room: Room) -> Result<Vec<Claimed>, Failure> {
        let database = &self.flows.database;
        let transaction = database.begin().await?;
        lock(&transaction, LOCK).await?;
        let now = workers::now(&transaction).await?;
        queue::count(&transaction, &mut room, &self.host).await?;
        let mut chosen: Vec<Candidate> = Vec::new();
        for _ in 0..ROUNDS {
            if room.free() == 0 || chosen.len() >= MOST {
                break;
            }
            let (executors, full) = (room.executors(), room.full());
            let candidates = queue::next(&transaction, &executors, &full).await?;
            let are_all = candidates.len() < queue::LOOKED_AT;
            for candidate in candidates {
                if chosen.len() < MOST
                    && chosen.iter().all(|other| other.run != candidate.run)
                    && room.take(candidate)
                {
                    chosen.push(candidate);
                }
            }
            if are_all {
                break;
            }
        }
        if chosen.is_empty() {
            transaction.rollback().await?;
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = chosen.iter().map(|candidate| candidate.run).collect();
        let rows = flow_run::Entity::find()
            .filter(is_one_of(database, flow_run::Column::Id, &ids))
            .filter(flow_run::Column::State.eq(RunState::Pending.as_str()))
            .order_by_asc(flow_run::Column::Id)
            .lock_exclusive()
            .all(&transaction)
            .await?;
        let mut steps = flow_step::Entity::find()
            .filter(is_one_of(database, flow_step::Column::RunId, &ids))
            .order_by_asc(flow_step::Column::RunId)
            .order_by_asc(flow_step::Column::Position)
            .all(&transaction)
            .await?;
        let mut rows: HashMap<i64, flow_run::Model> =
            rows.into_iter().map(|row| (row.id, row)).collect();
        let (mut transaction, mut told) = (transaction, Vec::new());
        let mut claimed = Vec::with_capacity(ids.len());
        for id in ids {
            // One that was canceled this very moment waits no longer.
            let Some(run) = rows.remove(&id) else {
                continue;
            };
            let mut own: Vec<_> = steps.extract_if(.., |step| step.run_id == id).collect();
            let mut open = OpenRun::of(transaction, run, now);
            let run = &mut open.run;
            run.holder = Some(self.holder.id.clone());
            run.lease_until = Some(now.saturating_add(self.lease()));
            let is_local = run.executor == ExecutorName::Local.as_str();
            run.host = is_local.then(|| self.host.clone());
            open.set_state(RunState::Running, None)?;
            let attempt = proceed(&mut open, &mut own, Known::default()).await?;
            let saved = open.save().await?;
            transaction = saved.transaction;
            told.extend(saved.events);
            claimed.push(Claimed {
                run: saved.run,
                steps: own,
                attempt,
            });
        }
        events::append(&transaction, told).await?;
        transaction.commit().await?;
        self.flows.feed.wake();
        Ok(claimed)
    }
}
