//! Starting a run: what the words of the command line mean to the server, files that are brought, and the start itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::model::UserError;
use super::values::{self, Given, Parameter};
use super::{Executor, Failed, Run, follow};

const WORKFLOW: &str = "query($word: String!, $id: ID!, $version: Int) {
    named: workflow(name: $word, version: $version) { ...it }
    known: workflow(id: $id, version: $version) { ...it }
}
fragment it on Workflow { id parameters { name kind choices { value } } }";

const GROUPS: &str = "query($filter: RunGroupFilter, $after: String) {
    groups(filter: $filter, first: 500, after: $after) {
        nodes { id name }
        pageInfo { hasNextPage endCursor }
    }
}";

const GROUP: &str = "query($id: ID!) {
    group(id: $id) { id parameters { name kind choices { value } } }
}";

const START: &str = "mutation($input: StartRunInput!) {
    it: startRun(input: $input) {
        run { id state }
        argumentErrors { parameter code message }
        commands { step image command }
        errors { code field message }
    }
}";

const DELETE: &str = "mutation($id: ID!) {
    deleteUpload(input: { id: $id }) { errors { message } }
}";

/// What takes arguments: a workflow or a group.
#[derive(Deserialize)]
struct Taker {
    id: String,
    parameters: Vec<Parameter>,
}

/// The answer to the start.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    run: Option<Started>,
    argument_errors: Vec<ArgumentError>,
    commands: Option<Vec<Line>>,
    errors: Vec<UserError>,
}

/// A run that was started.
#[derive(Deserialize)]
pub(super) struct Started {
    /// Its global id.
    pub id: String,
    /// Where it stands.
    pub state: String,
}

#[derive(Deserialize)]
struct ArgumentError {
    parameter: String,
    code: String,
    message: String,
}

/// A command of a step.
#[derive(Deserialize)]
struct Line {
    step: String,
    image: Option<String>,
    command: String,
}

/// What became of the start.
pub(super) enum Start {
    /// There is a run.
    Made(Started),
    /// There was to be none.
    Checked,
    /// The user did not want it any more.
    Interrupted,
}

impl Run {
    /// Starts it, or checks it only.
    pub(super) async fn start(
        &self,
        client: &Client,
        stop: &CancellationToken,
    ) -> Result<Start, Failed> {
        let mut brought = Vec::new();
        let prepared = tokio::select! {
            prepared = self.input(client, &mut brought) => Some(prepared),
            () = stop.cancelled() => None,
        };
        // From here on there may be a run: whoever does not want it has it canceled.
        let started = match prepared {
            Some(Ok(input)) => send(client, input).await,
            Some(Err(failed)) => Err(failed),
            None => Ok(Start::Interrupted),
        };
        if !matches!(started, Ok(Start::Made(_))) {
            for id in brought {
                // What stays is deleted with its group at the latest.
                let _ = client.ask(DELETE, json!({ "id": id })).await;
            }
        }
        started
    }

    /// The input of `startRun`; files are brought for it.
    async fn input(&self, client: &Client, brought: &mut Vec<String>) -> Result<Value, Failed> {
        let workflow = self.taker(client).await?;
        let group = match &self.group {
            Some(word) => Some(group(client, &workflow, word).await?),
            None => None,
        };
        let own = group.iter().flat_map(|group| &group.parameters);
        let parameters: Vec<&Parameter> = workflow.parameters.iter().chain(own).collect();
        let group = group.as_ref().map(|group| group.id.as_str());
        let mut arguments = BTreeMap::new();
        if let Some(path) = &self.arguments {
            let read = tokio::fs::read_to_string(path).await;
            let read = read.map_err(|error| error.to_string());
            let listed = read.and_then(|text| values::listed(&text));
            let listed = listed.map_err(|wrong| format!("{}: {wrong}", path.display()))?;
            for (name, value) in listed {
                insert(&mut arguments, &name, value)?;
            }
        }
        for (name, text) in &self.given {
            let parameter = parameters.iter().find(|it| it.name == *name).copied();
            let value = match values::understood(parameter, text) {
                Given::Value(value) => value,
                Given::File(path) => {
                    let id = client.bring(&path, group).await;
                    let id = id.map_err(|trouble| format!("{name}: {trouble}"))?;
                    brought.push(id.clone());
                    id.into()
                }
            };
            insert(&mut arguments, name, value)?;
        }
        let argument = |(name, value)| json!({ "name": name, "value": value });
        let arguments: Vec<Value> = arguments.into_iter().map(argument).collect();
        let executor = self.executor.map(|executor| match executor {
            Executor::Local => "LOCAL",
            Executor::Slurm => "SLURM",
        });
        Ok(json!({
            "workflow": workflow.id,
            "arguments": arguments,
            "group": group,
            "executor": executor,
            "priority": self.priority,
            "timeoutSeconds": self.timeout.map(whole_seconds),
            "retryLimit": self.retry_limit,
            "dryRun": self.only_check,
            // Asking again, when an answer was lost, starts no other one.
            "idempotencyKey": (!self.only_check).then(|| uuid::Uuid::new_v4().to_string()),
        }))
    }

    /// The workflow of the command line. A name counts for more than an id.
    async fn taker(&self, client: &Client) -> Result<Taker, Failed> {
        let variables = json!({
            "word": self.workflow,
            "id": self.workflow,
            "version": self.workflow_version,
        });
        let mut data = client.ask(WORKFLOW, variables).await?;
        let named: Option<Taker> = read(data["named"].take())?;
        let known: Option<Taker> = read(data["known"].take())?;
        let unknown = || match self.workflow_version {
            Some(version) => format!("there is no version {version} of {}", self.workflow),
            None => format!("there is no workflow {}", self.workflow),
        };
        Ok(named.or(known).ok_or_else(unknown)?)
    }
}

/// The group with this name in a workflow, or with this id.
async fn group(client: &Client, workflow: &Taker, word: &str) -> Result<Taker, Failed> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
        name: String,
    }
    let mut after = Value::Null;
    let id = loop {
        let variables = json!({ "filter": { "workflow": workflow.id }, "after": after });
        let mut page = client.ask(GROUPS, variables).await?["groups"].take();
        let groups: Vec<Named> = read(page["nodes"].take())?;
        if let Some(group) = groups.into_iter().find(|group| group.name == word) {
            break group.id;
        }
        if page["pageInfo"]["hasNextPage"] != true {
            break word.to_owned();
        }
        after = page["pageInfo"]["endCursor"].take();
    };
    let mut data = client.ask(GROUP, json!({ "id": id })).await?;
    let group: Option<Taker> = read(data["group"].take())?;
    Ok(group.ok_or_else(|| format!("there is no group {word} in this workflow"))?)
}

/// A time that is no shorter.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn insert(arguments: &mut BTreeMap<String, Value>, name: &str, value: Value) -> Result<(), Failed> {
    match arguments.entry(name.to_owned()) {
        Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
        Entry::Occupied(_) => Err(format!("{name} is given twice").into()),
    }
}

/// Asks for the run.
async fn send(client: &Client, input: Value) -> Result<Start, Failed> {
    let mut data = follow::ask(client, START, json!({ "input": input })).await?;
    let answer: Answer = read(data["it"].take())?;
    for error in &answer.argument_errors {
        eprintln!("{}: {}: {}", error.parameter, error.code, error.message);
    }
    if !answer.argument_errors.is_empty() {
        return Err("the run was not started: what it is given is wrong".into());
    }
    if let Some(error) = answer.errors.first() {
        let field = error.field.as_deref();
        let field = field.map_or_else(String::new, |field| format!("{field}: "));
        return Err(format!("the run was not started: {field}{}", error.message).into());
    }
    match (answer.run, answer.commands) {
        (Some(run), _) => Ok(Start::Made(run)),
        (None, Some(commands)) => {
            print(&commands);
            Ok(Start::Checked)
        }
        (None, None) => Err("the run was not started, and the server does not say why".into()),
    }
}

/// Prints what a run would do, so that a shell could do it.
fn print(lines: &[Line]) {
    let mut step = None;
    for line in lines {
        if step != Some(&line.step) {
            step = Some(&line.step);
            let image = line.image.as_deref();
            let image = image.map_or_else(String::new, |image| format!(" ({image})"));
            say!("# {}{image}", line.step);
        }
        say!("{}", line.command);
    }
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failed> {
    let read = serde_json::from_value(answer);
    read.map_err(|error| format!("the answer cannot be read: {error}").into())
}
