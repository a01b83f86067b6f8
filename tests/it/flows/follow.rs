//! Somebody who follows what becomes of runs while servers die and come back.

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::caller::{Caller, document};
use super::ear::{Ear, Heard};
use crate::support::client::PATIENCE;

/// Where the server is at this moment, for who looks for it.
pub type Callers = watch::Receiver<Caller>;

/// How much somebody was told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub updates: usize,
    pub ended: usize,
}

/// Somebody who follows until so many runs have ended, and comes back with their last cursor.
pub struct Follower {
    progress: watch::Receiver<Progress>,
    ends: usize,
    told: JoinHandle<Vec<Value>>,
}

impl Follower {
    pub fn start(callers: Callers, after: &str, ends: usize) -> Self {
        let (sender, progress) = watch::channel(Progress::default());
        let told = tokio::spawn(follow(callers, after.to_owned(), ends, sender));
        Self {
            progress,
            ends,
            told,
        }
    }

    /// Waits until there were so many further updates, or all has ended.
    pub async fn further(&mut self, updates: usize) {
        let goal = self.progress.borrow_and_update().updates + updates;
        let (progress, ends) = (&mut self.progress, self.ends);
        let reached = progress.wait_for(|it| it.updates >= goal || it.ended >= ends);
        let reached = timeout(PATIENCE, reached).await.expect("further updates");
        reached.expect("somebody who follows");
    }

    /// All that was told, once all has ended.
    pub async fn told(self) -> Vec<Value> {
        self.told.await.expect("somebody who follows")
    }
}

async fn follow(
    mut callers: Callers,
    mut after: String,
    ends: usize,
    progress: watch::Sender<Progress>,
) -> Vec<Value> {
    let mut told: Vec<Value> = Vec::new();
    loop {
        let caller = callers.borrow_and_update().clone();
        let Some(mut ear) = Ear::try_from(&caller, json!({}), &after).await else {
            let _ = callers.changed().await;
            continue;
        };
        loop {
            match ear.hear().await {
                Heard::Update(update) => {
                    update["cursor"]
                        .as_str()
                        .expect("a cursor")
                        .clone_into(&mut after);
                    let is_end = update["kind"] == "ENDED";
                    told.push(update);
                    progress.send_modify(|it| {
                        it.updates += 1;
                        it.ended += usize::from(is_end);
                    });
                    if progress.borrow().ended == ends {
                        return told;
                    }
                }
                // Busy for a moment.
                Heard::Refused(code) if code == "UNAVAILABLE" => break,
                Heard::Gone => {
                    // Whoever kills servers has said so, or is about to.
                    let _ = callers.changed().await;
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What a mutation answers that is repeated until somebody answers it.
pub async fn surely(mut callers: Callers, mutation: &str, input: Value) -> Value {
    let query = document(mutation);
    loop {
        let caller = callers.borrow_and_update().clone();
        match caller.try_ask(&query, json!({ "input": input })).await {
            Some(mut answer) if answer.get("errors").is_none() => {
                return answer["data"]["it"].take();
            }
            Some(answer) => {
                let code = &answer["errors"][0]["extensions"]["code"];
                assert_eq!(code, "UNAVAILABLE", "{answer}");
            }
            None => {
                let _ = callers.changed().await;
            }
        }
    }
}
