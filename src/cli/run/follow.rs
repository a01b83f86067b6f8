//! Following a run until it has ended. Whatever becomes of the connection or the server meanwhile, everything is told once: each
//! stream goes on behind the last thing that it told.

use std::time::Duration;

use async_stream::try_stream;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt, future};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::client::{Client, Trouble};
use super::display::Display;
use super::model::{Answer, Piece, Run, Seen, Update};

/// How long to wait before trying again: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_mins(15);

const RUN: &str = "query($id: ID!) {
    eventCursor
    run(id: $id) {
        number state reason message
        steps { name state attempt exitCode startedAt endedAt }
        files { name sizeBytes url }
    }
}";

const UPDATES: &str = "subscription($run: ID!, $after: String) {
    it: runUpdates(filter: { run: $run }, after: $after) {
        cursor
        run { state }
        step { name state attempt exitCode startedAt endedAt }
    }
}";

const LOG: &str = "subscription($run: ID!, $after: String) {
    it: runLog(run: $run, after: $after) { cursor stream text }
}";

const CANCEL: &str = "mutation($id: ID!) {
    it: cancelRun(input: { id: $id }) { errors { code field message } }
}";

/// Waiting for a server that is away, longer each time.
struct Patience {
    wait: Duration,
    since: Option<Instant>,
}

impl Patience {
    const fn new() -> Self {
        Self {
            wait: FIRST_WAIT,
            since: None,
        }
    }

    /// The server is there.
    fn is_back(&mut self) {
        self.since = None;
    }

    /// Waits, unless that is of no use.
    async fn wait(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        if !matches!(trouble, Trouble::Passing(_)) {
            return Err(trouble);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE {
            return Err(trouble);
        }
        sleep(self.wait).await;
        self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
        Ok(())
    }
}

/// The answer to an operation that may be repeated, as soon as there is one.
///
/// # Errors
/// If there will be none.
pub async fn ask(client: &Client, query: &str, variables: Value) -> Result<Value, Trouble> {
    let mut patience = Patience::new();
    loop {
        match client.ask(query, variables.clone()).await {
            Ok(data) => return Ok(data),
            Err(trouble) => patience.wait(trouble).await?,
        }
    }
}

/// What a stream brings.
enum News {
    /// What it tells.
    Told(Value),
    /// The server is away for the moment.
    Away(String),
}

/// All that a subscription tells behind a cursor, until it is over.
fn told(
    client: &Client,
    query: &'static str,
    run: &str,
    mut after: Option<String>,
) -> impl Stream<Item = Result<News, Trouble>> {
    let (client, run) = (client.clone(), run.to_owned());
    try_stream! {
        let mut patience = Patience::new();
        loop {
            let variables = json!({ "run": run, "after": after });
            let trouble = match client.subscribe(query, &variables).await {
                Err(trouble) => trouble,
                Ok(mut events) => {
                    patience.is_back();
                    loop {
                        match events.next().await {
                            Ok(Some(event)) => {
                                patience = Patience::new();
                                after = event["cursor"].as_str().map(str::to_owned).or(after);
                                yield News::Told(event);
                            }
                            Ok(None) => return,
                            Err(trouble) => break trouble,
                        }
                    }
                }
            };
            if patience.since.is_none() {
                yield News::Away(trouble.to_string());
            }
            patience.wait(trouble).await?;
        }
    }
}

/// The run as it is.
async fn look(client: &Client, run: &str) -> Result<(Option<String>, Run), Trouble> {
    let answer = ask(client, RUN, json!({ "id": run })).await?;
    let seen: Seen = read(answer)?;
    let gone = || Trouble::Lasting("the run is not there any more".into());
    Ok((seen.event_cursor, seen.run.ok_or_else(gone)?))
}

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Trouble> {
    serde_json::from_value(answer)
        .map_err(|error| Trouble::Lasting(format!("the answer cannot be read: {error}")))
}

/// Shows what becomes of a run, and what it prints, until it has ended; gives it as it is then. Has it end when `stop` is
/// cancelled.
///
/// # Errors
/// If nothing more can be learned of it.
pub async fn follow(
    client: &Client,
    run: &str,
    display: &mut Display,
    stop: &CancellationToken,
) -> Result<Run, Trouble> {
    let (after, seen) = look(client, run).await?;
    display.run(&seen);
    let mut log = told(client, LOG, run, None).boxed();
    let mut updates = told(client, UPDATES, run, after).boxed();
    let mut canceling: BoxFuture<'_, Result<(), Trouble>> = future::pending().boxed();
    let mut is_told_to_stop = false;
    loop {
        tokio::select! {
            () = stop.cancelled(), if !is_told_to_stop => {
                is_told_to_stop = true;
                display.say("canceling the run; once more leaves it alone");
                canceling = cancel(client, run).boxed();
            }
            done = &mut canceling, if is_told_to_stop => {
                canceling = future::pending().boxed();
                if let Err(trouble) = done {
                    display.say(&format!("the run cannot be canceled: {trouble}"));
                }
            }
            news = log.next() => match news.transpose()? {
                Some(News::Told(piece)) => display.piece(&read::<Piece>(piece)?),
                Some(News::Away(why)) => display.say(&format!("{why}: trying again")),
                None => break,
            },
            Some(news) = updates.next() => match news {
                Ok(News::Told(update)) => display.update(&read::<Update>(update)?),
                // The other stream says so.
                Ok(News::Away(_)) => {}
                Err(Trouble::CursorExpired) => {
                    let (after, seen) = look(client, run).await?;
                    display.run(&seen);
                    updates = told(client, UPDATES, run, after).boxed();
                }
                Err(trouble) => return Err(trouble),
            },
        }
    }
    // The log is over when the run is.
    loop {
        let (_, seen) = look(client, run).await?;
        if seen.is_over() {
            display.run(&seen);
            return Ok(seen);
        }
        sleep(FIRST_WAIT).await;
    }
}

/// Has a run end. One that has ended by itself meanwhile is no fault.
async fn cancel(client: &Client, run: &str) -> Result<(), Trouble> {
    let mut answer = ask(client, CANCEL, json!({ "id": run })).await?;
    let answer: Answer = read(answer["it"].take())?;
    match answer.errors.into_iter().find(|it| it.code != "CONFLICT") {
        None => Ok(()),
        Some(error) => Err(Trouble::Lasting(error.message)),
    }
}
