//! The loop of the mover: it keeps its leases, hears what others do, and claims whatever there is room for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Mover;
use super::claim::claim;
use super::held::Held;
use super::news::{Heard, News};

/// How often is looked for what nobody told of.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait after claiming failed.
const RETRY: Duration = Duration::from_secs(1);

/// Moves runs until the process ends.
pub(super) async fn follow(mover: Arc<Mover>) {
    let mut held = Held::default();
    let mut news = News::default();
    // Three looks fit into a lease.
    let every = LOOK.min(mover.lease / 3);
    let mut look_at = Instant::now();
    let mut claim_at = Some(look_at);
    // Whether all that this process holds is known to it.
    let mut is_sure = true;
    loop {
        // Listens before it looks: nothing falls between.
        if news.listen(&mover.flows.feed).await {
            look_at = Instant::now();
        }
        if look_at <= Instant::now() {
            look_at = Instant::now() + every;
            claim_at = Some(Instant::now());
            is_sure = look(&mover, &mut held, is_sure).await;
        }
        if claim_at.is_some_and(|at| at <= Instant::now()) {
            claim_at = match claim(&mover, &mut held).await {
                Ok(true) => Some(Instant::now()),
                Ok(false) => None,
                Err(failure) => {
                    tracing::warn!(%failure, "no runs could be claimed");
                    // If it was committed nevertheless, the lease tells.
                    is_sure = false;
                    look_at = look_at.min(Instant::now() + RETRY);
                    Some(Instant::now() + RETRY)
                }
            };
        }
        let next = claim_at.map_or(look_at, |at| at.min(look_at));
        tokio::select! {
            () = mover.stop.cancelled() => break,
            () = held.left() => claim_at = Some(Instant::now()),
            Heard { is_room, canceling } = news.heard() => {
                if is_room {
                    claim_at = Some(Instant::now());
                }
                for run in canceling {
                    held.cancel(run);
                }
            }
            () = sleep_until(next) => {}
        }
    }
    held.all_left().await;
    if let Err(failure) = mover.release().await {
        tracing::warn!(%failure, "leases of runs could not be given back");
    }
}

/// Keeps the leases, and takes over what nobody holds. False: it may hold runs that it does not know of.
async fn look(mover: &Arc<Mover>, held: &mut Held, is_sure: bool) -> bool {
    if !is_sure || !held.is_empty() {
        let renewed = mover.renew(held).await;
        if let Err(failure) = renewed {
            tracing::warn!(%failure, "leases of runs could not be renewed");
            return is_sure;
        }
    }
    let taken = async {
        let others = mover.take_over(held).await?;
        mover.give_up(others).await
    };
    let taken = taken.await;
    if let Err(failure) = &taken {
        tracing::warn!(%failure, "runs that nobody holds could not be looked at");
    }
    taken.is_ok()
}
