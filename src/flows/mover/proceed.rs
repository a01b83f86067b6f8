//! All that can be done in a run at once is done in one transaction: steps are left out, the next one is about to begin, or the
//! run ends.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

use super::outputs::Harvest;
use crate::entity::{flow_attempt, flow_run, flow_step};
use crate::failure::Failure;
use crate::flows::schedule::{self, Next, Progress};
use crate::flows::state::{Reason, RunState, StepState};
use crate::flows::write::states::{OpenRun, Why, run_state, step_state};

/// What is known beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    /// Why the run is over, although its steps are not.
    pub doom: Option<&'a Why>,
    /// What the run gives, if its steps have all ended well.
    pub harvest: Option<&'a Harvest>,
}

/// Does all that can be done; gives the attempt that is to begin, if there is one.
///
/// # Errors
/// Those of the database, and of states that may not follow.
pub(super) async fn proceed(
    open: &mut OpenRun,
    steps: &mut [flow_step::Model],
    known: Known<'_>,
) -> Result<Option<flow_attempt::Model>, Failure> {
    loop {
        let next = next(&open.run, steps)?;
        match next {
            Next::Skip(at) => {
                let step = step(steps, at)?;
                open.set_step(step, StepState::Skipped, None)?;
            }
            Next::Start { step: at, attempt } => {
                let step = step(steps, at)?;
                if let Some(doom) = known.doom {
                    open.set_step(step, StepState::Canceled, Some(doom.clone()))?;
                    continue;
                }
                if step.not_before.is_some_and(|moment| moment > open.now) {
                    return Ok(None);
                }
                return start(open, step, attempt).await.map(Some);
            }
            Next::Cancel(at) => {
                let step = step(steps, at)?;
                // Why it has to run again stays.
                let is_new = step.attempts == 0;
                let why = Why::new(Reason::Canceled, "its turn did not come");
                open.set_step(step, StepState::Canceled, is_new.then_some(why))?;
            }
            Next::Finish(RunState::Success, _) => {
                let Some(harvest) = known.harvest else {
                    let Some(doom) = known.doom else {
                        return Ok(None);
                    };
                    open.set_state(RunState::Error, Some(doom.clone()))?;
                    return Ok(None);
                };
                harvest.store(open.transaction(), open.run.id).await?;
                open.run.is_ranked = harvest.is_ranked;
                open.run.result_problem.clone_from(&harvest.result_problem);
                open.run.files_bytes = harvest.files_bytes;
                open.set_state(RunState::Success, None)?;
                return Ok(None);
            }
            Next::Finish(state, reason) => {
                finish(open, steps, known.doom, (state, reason))?;
                return Ok(None);
            }
            Next::Wait(_) | Next::Stop(_) | Next::Nothing => return Ok(None),
        }
    }
}

/// What is to be done next in a run.
///
/// # Errors
/// If a state is unknown.
pub(super) fn next(run: &flow_run::Model, steps: &[flow_step::Model]) -> Result<Next, Failure> {
    let progress = |step: &flow_step::Model| {
        Ok(Progress {
            state: step_state(step)?,
            attempts: u32::try_from(step.attempts).unwrap_or(u32::MAX),
            reason: step.reason.as_deref().and_then(Reason::from_name),
            is_left_out: step.is_left_out,
        })
    };
    let steps = steps.iter().map(progress);
    let steps = steps.collect::<Result<Vec<_>, Failure>>()?;
    Ok(schedule::next(run_state(run)?, &steps))
}

pub(super) fn step(
    steps: &mut [flow_step::Model],
    at: usize,
) -> Result<&mut flow_step::Model, Failure> {
    let none = || Failure::internal(format!("there is no step {at}"));
    steps.get_mut(at).ok_or_else(none)
}

/// Writes down that an attempt is about to begin, before anything of it does.
async fn start(
    open: &mut OpenRun,
    step: &mut flow_step::Model,
    number: u32,
) -> Result<flow_attempt::Model, Failure> {
    let attempt = flow_attempt::Model {
        run_id: step.run_id,
        position: step.position,
        number: number.into(),
        ticket: format!("{}-{}-{number}", open.run.folder, step.position),
        created_at: open.now,
        ..flow_attempt::Model::default()
    };
    step.attempts = number.into();
    (step.reason, step.message) = (None, None);
    (step.exit_code, step.remote_id) = (None, None);
    (step.not_before, step.ended_at) = (None, None);
    open.set_step(step, StepState::Starting, None)?;
    flow_attempt::Entity::insert(attempt.clone().into_active_model().reset_all())
        .exec_without_returning(open.transaction())
        .await?;
    Ok(attempt)
}

/// Ends a run that has not ended well.
fn finish(
    open: &mut OpenRun,
    steps: &[flow_step::Model],
    doom: Option<&Why>,
    (state, reason): (RunState, Option<Reason>),
) -> Result<(), Failure> {
    let lost = Reason::Lost.as_str();
    let is_lost = |step: &&flow_step::Model| {
        step.state == StepState::Error.as_str() && step.reason.as_deref() == Some(lost)
    };
    // Whether it has been ended nobody knows, either.
    if let (RunState::Canceled, Some(step)) = (state, steps.iter().find(is_lost)) {
        let why = Why::new(Reason::Lost, of_step(step));
        return open.set_state(RunState::Error, Some(why));
    }
    if state == RunState::Canceled {
        // Whoever canceled it has left the words.
        let message = open.run.message.clone();
        let message = message.unwrap_or_else(|| "canceled".to_owned());
        return open.set_state(state, Some(Why::new(Reason::Canceled, message)));
    }
    let why = if let Some(doom) = doom {
        doom.clone()
    } else {
        let failed = |step: &&flow_step::Model| {
            let failed = [StepState::Error, StepState::Canceled];
            failed.map(StepState::as_str).contains(&step.state.as_str()) && step.reason.is_some()
        };
        let message = steps.iter().find(failed).map(of_step);
        let message = message.unwrap_or_else(|| "a step has not ended well".to_owned());
        Why::new(reason.unwrap_or(Reason::Internal), message)
    };
    open.set_state(state, Some(why))
}

/// Why a step did not end well, with its name.
fn of_step(step: &flow_step::Model) -> String {
    let message = step.message.as_deref().unwrap_or("has not ended well");
    format!("step {:?} {message}", step.name)
}
