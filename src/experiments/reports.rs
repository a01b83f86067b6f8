//! What scripts, hooks and operators have to tell of a run that Autosubmit does not record: that data was transferred,
//! that it was restarted by hand after a node failed.
//!
//! A report is an event and nothing else: the log is where it is kept, for as long as the log keeps events. Reports that
//! meet share a transaction.

use std::collections::HashSet;

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, Value};
use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::events::{Event, Feed, NewEvent, Topic, append};
use crate::failure::{Failure, RejectionCode};
use crate::group_commit::{Commit, GroupCommit};

/// Characters of a status, at most.
const MOST_STATUS: usize = 64;
/// Bytes of a message, at most.
const MOST_MESSAGE: usize = 4096;

/// Which of the runs that are asked for there are, by their places in the question. However many they are, the statement
/// is the same, so that it is prepared once. Each run is looked up by itself: in a plain join PostgreSQL reads all runs of
/// the experiments that are named.
const POSTGRES: &str = "
SELECT asked.place - 1 AS place
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (expid, number, place)
CROSS JOIN LATERAL (
    SELECT 1
    FROM experiment JOIN experiment_run ON experiment_run.experiment_id = experiment.id
    WHERE experiment.expid = asked.expid AND experiment_run.number = asked.number
    LIMIT 1
) AS run
";
/// A run is an array of expid and number.
const SQLITE: &str = "
SELECT asked.key AS place
FROM json_each(?1) AS asked
JOIN experiment ON experiment.expid = asked.value ->> 0
JOIN experiment_run
    ON experiment_run.experiment_id = experiment.id AND experiment_run.number = asked.value ->> 1
";

/// What somebody has to tell of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The expid of the experiment.
    pub expid: String,
    /// Which of its runs.
    pub told: Told,
    /// Who reports it: the username; none: somebody who need not say.
    pub actor: Option<String>,
}

/// The payload of events of [`Topic::Run`], whose subject is the expid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The number of the run.
    pub number: i64,
    /// What has become of it, in a word or a few.
    pub status: String,
    /// What there is to say about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Told {
    /// What an event tells.
    ///
    /// # Errors
    /// If its payload is none of this type.
    pub fn of(event: &Event) -> serde_json::Result<Self> {
        serde_json::from_str(&event.payload)
    }
}

/// A report that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What was reported.
    pub report: Report,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub recorded_at: i64,
}

/// Takes reports. Clones share everything.
#[derive(Clone)]
pub struct Reports(GroupCommit<Recorder>);

impl Reports {
    /// Begins to take reports into the log of this database.
    pub fn start(database: &Database, feed: &Feed) -> Self {
        let (database, feed) = (database.clone(), feed.clone());
        Self(GroupCommit::start(Recorder { database, feed }))
    }

    /// Takes a report into the log.
    ///
    /// # Errors
    /// A rejection if it is too long, or if there is no such run.
    pub async fn record(&self, report: Report) -> Result<Recorded, Failure> {
        check(&report)?;
        self.0.run(report).await
    }
}

fn check(report: &Report) -> Result<(), Failure> {
    // No expid has one, and PostgreSQL cannot look for it.
    if report.expid.contains('\0') {
        return Err(unknown(report));
    }
    let told = &report.told;
    if !(1..=MOST_STATUS).contains(&told.status.chars().count()) {
        let message = format!("it must have 1 to {MOST_STATUS} characters");
        return Err(Failure::bad_input("status", message));
    }
    if told.status.contains('\0') {
        return Err(Failure::bad_input("status", "it must not have zero bytes"));
    }
    let message = told.message.as_deref().unwrap_or_default();
    if message.len() > MOST_MESSAGE {
        let message = format!("it must not be longer than {MOST_MESSAGE} bytes");
        return Err(Failure::bad_input("message", message));
    }
    if message.contains('\0') {
        return Err(Failure::bad_input("message", "it must not have zero bytes"));
    }
    Ok(())
}

fn unknown(report: &Report) -> Failure {
    let (expid, number) = (report.expid.escape_debug(), report.told.number);
    let message = format!("there is no run {number} of an experiment {expid}");
    Failure::rejected(RejectionCode::NotFound, None, message)
}

struct Recorder {
    database: Database,
    feed: Feed,
}

impl Commit for Recorder {
    type Command = Report;
    type Done = Recorded;
    const NAME: &'static str = "run_reports";

    async fn commit(
        &self,
        reports: Vec<Report>,
    ) -> Result<Vec<Result<Recorded, Failure>>, Failure> {
        let transaction = self.database.begin().await?;
        let known = known(&transaction, &reports).await?;
        let events = reports.iter().enumerate();
        let events = events.filter(|(place, _)| known.contains(place));
        let events: Vec<NewEvent> = events.map(|(_, report)| event(report)).collect();
        let recorded_at = append(&transaction, events).await?;
        transaction.commit().await?;
        if !known.is_empty() {
            self.feed.wake();
        }
        let results = reports.into_iter().enumerate().map(|(place, report)| {
            if known.contains(&place) {
                Ok(Recorded {
                    report,
                    recorded_at,
                })
            } else {
                Err(unknown(&report))
            }
        });
        Ok(results.collect())
    }
}

fn event(report: &Report) -> NewEvent {
    NewEvent {
        topic: Topic::Run,
        subject: report.expid.clone(),
        kind: "reported",
        // Texts and a number always become JSON.
        payload: serde_json::to_value(&report.told).unwrap_or_default(),
        actor: report.actor.clone(),
    }
}

/// The places of those reports whose runs there are.
async fn known(
    connection: &impl ConnectionTrait,
    reports: &[Report],
) -> Result<HashSet<usize>, DbErr> {
    let backend = connection.get_database_backend();
    let runs = reports
        .iter()
        .map(|report| (report.expid.as_str(), report.told.number));
    let statement = if backend == DatabaseBackend::Postgres {
        let (expids, numbers): (Vec<Value>, Vec<Value>) = runs
            .map(|(expid, number)| (expid.into(), number.into()))
            .unzip();
        let values = [
            Value::Array(ArrayType::String, Some(Box::new(expids))),
            Value::Array(ArrayType::BigInt, Some(Box::new(numbers))),
        ];
        Statement::from_sql_and_values(backend, POSTGRES, values)
    } else {
        let runs = serde_json::to_string(&runs.collect::<Vec<_>>());
        let runs = runs.map_err(|error| DbErr::Json(error.to_string()))?;
        Statement::from_sql_and_values(backend, SQLITE, [runs.into()])
    };
    let mut places = HashSet::new();
    for row in connection.query_all_raw(statement).await? {
        places.extend(usize::try_from(row.try_get::<i64>("", "place")?));
    }
    Ok(places)
}
