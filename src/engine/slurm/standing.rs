//! How steps that Slurm runs stand: by what their jobs wrote down, then by the queue, then by accounting.

use chrono::Utc;

use super::notes::{Notes, claim, note_verdict};
use super::queue::{Over, Queue, Record, State};
use super::{Slurm, not_started};
use crate::engine::executor::{Finish, Outcome, Standing, Ticket, blocking};
use crate::engine::output::read_file;
use crate::engine::{Breach, EngineError, Usage};

/// What is said of a step of which nothing was begun because that was asked for.
const BARRED: &str = "it was kept from being begun";

/// How many bytes are shown of what Slurm had to say.
const MOST_WORDS: usize = 500;

/// A step, as far as it could be told.
enum Told {
    Standing(Standing),
    /// Its job is over in this way, or Slurm knows of none.
    Gone(Option<Over>),
}

impl Slurm {
    /// How these steps stand. Slurm is asked once or twice for all of them, and not at all if all have ended.
    pub(super) async fn standings(&self, tickets: &[Ticket]) -> Vec<Standing> {
        // What jobs wrote down is read before Slurm is asked, and once more of those that are gone then: so an end is never
        // taken for a job that is gone without a word.
        let all = read(tickets.to_vec()).await;
        let is_open = |told: &Result<Notes, String>| matches!(told, Ok(notes) if notes.exists && !notes.has_ended());
        if !all.iter().any(is_open) {
            return all.into_iter().map(|told| settled(told, None)).collect();
        }
        let queue = self.commands.squeue().await;
        let mut told: Vec<Told> = all
            .into_iter()
            .map(|notes| match (notes, &queue) {
                (Ok(notes), Ok(queue)) if notes.exists && !notes.has_ended() => {
                    self.queued(&notes, queue)
                }
                (notes, queue) => {
                    Told::Standing(settled(notes, queue.as_ref().err().map(String::as_str)))
                }
            })
            .collect();
        self.look_again(&mut told, tickets).await;
        let standings = told.into_iter().map(|told| match told {
            Told::Standing(standing) => standing,
            Told::Gone(..) => Standing::Unknown("its end is not known yet".into()),
        });
        standings.collect()
    }

    /// What the queue tells of a step that has not ended.
    fn queued(&self, notes: &Notes, queue: &Queue) -> Told {
        let Some(entry) = queue.find(notes) else {
            return Told::Gone(None);
        };
        match entry.state {
            State::Over(over) => Told::Gone(Some(over)),
            State::Waits => {
                self.is_there(notes);
                Told::Standing(Standing::Queued(entry.reason.clone()))
            }
            State::Runs => {
                self.is_there(notes);
                Told::Standing(match notes.begun {
                    Some(since) => Standing::Running { since },
                    // Its script has not come so far.
                    None => Standing::Queued(entry.reason.clone()),
                })
            }
        }
    }

    /// Settles those that are gone, if they can be.
    async fn look_again(&self, told: &mut [Told], tickets: &[Ticket]) {
        let mut gone = Vec::new();
        for (at, (told, ticket)) in told.iter().zip(tickets).enumerate() {
            if let Told::Gone(over) = told {
                gone.push((at, ticket.clone(), *over));
            }
        }
        if gone.is_empty() {
            return;
        }
        let again = read(gone.iter().map(|(_, ticket, _)| ticket.clone()).collect()).await;
        let mut open = Vec::new();
        for ((at, _, over), notes) in gone.into_iter().zip(again) {
            match notes {
                Ok(notes) if notes.exists && !notes.has_ended() => open.push((at, notes, over)),
                settled_now => {
                    if let Ok(notes) = &settled_now {
                        self.is_there(notes);
                    }
                    put(told, at, settled(settled_now, None));
                }
            }
        }
        let numbers: Vec<u64> = open
            .iter()
            .filter_map(|(_, notes, _)| notes.number())
            .collect();
        let known = if numbers.is_empty() {
            Ok(None)
        } else {
            self.commands.sacct(&numbers).await
        };
        for (at, notes, over) in open {
            let standing = match &known {
                // The queue tells enough of those that it knows.
                Err(reason) if over.is_none() => Standing::Unknown(reason.clone()),
                Ok(Some(records)) => self.settle(notes, over, records).await,
                Ok(None) | Err(_) => self.settle(notes, over, &[]).await,
            };
            put(told, at, standing);
        }
    }

    /// How a step ended whose job is gone and has not told.
    async fn settle(&self, notes: Notes, over: Option<Over>, records: &[Record]) -> Standing {
        let own = || records.iter().filter(|record| record.is_of(&notes));
        let state = own().filter_map(|record| record.state).next_back();
        let over = match (over, state) {
            (Some(over), _) | (None, Some(State::Over(over))) => Some(over),
            // Accounting lags behind the queue.
            (None, Some(State::Waits | State::Runs)) => {
                return Standing::Unknown("Slurm tells of its job in one place only".into());
            }
            (None, None) => None,
        };
        if over.is_none() && notes.number().is_none() && notes.begun.is_none() {
            return Standing::Absent;
        }
        // Only one of the claims is made, wherever: nothing is on its way.
        if notes.begun.is_none() && over.is_some() {
            return self.settle_unbegun(notes, over).await;
        }
        // What it wrote may be on its way.
        if !self.is_long_gone(&notes) {
            return match notes.begun {
                Some(since) => Standing::Running { since },
                None => Standing::Queued(None),
            };
        }
        if notes.begun.is_none() {
            return self.settle_unbegun(notes, over).await;
        }
        let outcome = Outcome {
            end: end_of(&notes, over),
            at: own()
                .find_map(|record| record.ended)
                .unwrap_or_else(Utc::now),
            usage: usage(own()),
        };
        self.settle_as(notes, outcome).await
    }

    /// Nothing was begun, and from now on nothing will be.
    async fn settle_unbegun(&self, notes: Notes, over: Option<Over>) -> Standing {
        let folder = notes.folder.clone();
        let claimed = blocking(move || {
            let is_ours = claim(&folder)?;
            let words = read_file(&folder.join("slurm.log"), 0, MOST_WORDS);
            Ok::<_, EngineError>((is_ours, words))
        });
        let words = match claimed.await {
            Ok(Ok((true, Ok((words, _))))) => words,
            // What Slurm had to say is no more than a comfort.
            Ok(Ok((true, Err(_)))) => Vec::new(),
            // It has begun after all.
            Ok(Ok((false, _))) => return Standing::Unknown("its job has just begun".into()),
            Ok(Err(error)) => return Standing::Unknown(error.to_string()),
            Err(error) => return Standing::Unknown(error.to_string()),
        };
        let words = String::from_utf8_lossy(&words);
        let words = words.trim();
        let outcome = match over {
            _ if notes.is_stopped => Outcome::now(Finish::Canceled),
            Some(Over::Canceled) => not_started("somebody has cancelled its job"),
            _ if !words.is_empty() => not_started(words),
            _ => not_started("its job is gone without having begun"),
        };
        self.settle_as(notes, outcome).await
    }

    async fn settle_as(&self, notes: Notes, outcome: Outcome) -> Standing {
        self.is_there(&notes);
        let (folder, noted) = (notes.folder, outcome.clone());
        match blocking(move || note_verdict(&folder, &noted)).await {
            Ok(Ok(())) => Standing::Ended(outcome),
            Ok(Err(error)) => Standing::Unknown(error.to_string()),
            Err(error) => Standing::Unknown(error.to_string()),
        }
    }
}

fn put(told: &mut [Told], at: usize, standing: Standing) {
    if let Some(told) = told.get_mut(at) {
        *told = Told::Standing(standing);
    }
}

/// What is noted of these steps; of one that cannot be read, why.
async fn read(tickets: Vec<Ticket>) -> Vec<Result<Notes, String>> {
    let number = tickets.len();
    let told = |error: EngineError| error.to_string();
    let read = move || {
        let all = tickets
            .iter()
            .map(|ticket| Notes::read(ticket).map_err(told));
        all.collect::<Vec<_>>()
    };
    match blocking(read).await {
        Ok(all) => all,
        Err(error) => (0..number).map(|_| Err(error.to_string())).collect(),
    }
}

/// What is told of a step without asking Slurm; `why` it cannot be asked.
fn settled(notes: Result<Notes, String>, why: Option<&str>) -> Standing {
    let notes = match notes {
        Ok(notes) => notes,
        Err(reason) => return Standing::Unknown(reason),
    };
    if !notes.exists {
        return Standing::Ended(Outcome::now(Finish::Lost("its folder is gone".into())));
    }
    match notes.outcome {
        Some(outcome) => Standing::Ended(outcome),
        None if notes.is_barred && notes.is_stopped => {
            Standing::Ended(Outcome::now(Finish::Canceled))
        }
        None if notes.is_barred => Standing::Ended(not_started(BARRED)),
        None => Standing::Unknown(why.unwrap_or("it was not asked after").to_owned()),
    }
}

/// How a step ended that had begun.
fn end_of(notes: &Notes, over: Option<Over>) -> Finish {
    match over {
        Some(Over::OutOfMemory) => Finish::Exceeded(Breach::Memory),
        Some(Over::TimedOut) => Finish::TimedOut,
        Some(Over::Canceled) | None if notes.is_stopped => Finish::Canceled,
        Some(Over::Canceled) => Finish::Lost("somebody has cancelled its job".into()),
        Some(Over::Broken) => Finish::Lost("its node failed, or Slurm took it away".into()),
        Some(Over::Ended) => Finish::Lost("its job has ended without a word".into()),
        None => Finish::Lost("its job is gone without a word".into()),
    }
}

/// What accounting says that a job took.
fn usage<'a>(records: impl Iterator<Item = &'a Record>) -> Option<Usage> {
    let mut usage: Option<Usage> = None;
    for record in records {
        let usage = usage.get_or_insert_default();
        usage.user = usage.user.max(record.user.unwrap_or_default());
        usage.system = usage.system.max(record.system.unwrap_or_default());
        usage.peak_memory = usage.peak_memory.max(record.peak_memory);
    }
    usage
}
