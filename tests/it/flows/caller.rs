//! Somebody who uses the API: what they ask, and what they are answered.

use std::net::SocketAddr;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::ear::Ear;
use crate::support::client::{Address, GRAPHQL, PATIENCE, http, http_builder, json_of};

/// All that is shown of a run, but for its log.
pub const RUN: &str = "id number kind state reason message createdAt startedAt endedAt
    executor priority timeoutSeconds retryLimit resultProblem archiveUrl
    cancelRequestedAt cancelRequestedBy
    workflow { id name version } group { id name } startedBy { username }
    arguments { name value }
    steps {
        name state attempt exitCode reason message startedAt endedAt executor remoteId
        attempts { number exitCode reason message startedAt endedAt wallSeconds userSeconds peakMemoryBytes }
    }
    files { name path title caption format widget mediaType sizeBytes checksum url }";

/// What the answers to mutations have besides errors.
fn selection(mutation: &str) -> String {
    const WORKFLOW: &str = "id name version description archivedAt";
    const PROBLEMS: &str = "problems { severity code file path line column message }";
    match mutation {
        "registerWorkflow" => format!("workflow {{ {WORKFLOW} }} created {PROBLEMS}"),
        "checkWorkflow" => format!("valid {PROBLEMS}"),
        "updateWorkflow" => format!("workflow {{ {WORKFLOW} }}"),
        "deleteWorkflow" | "deleteGroup" | "deleteUpload" | "deleteRun" => "id".to_owned(),
        "createGroup" | "updateGroup" => {
            "group { id name members { user { username } role } }".to_owned()
        }
        "startRun" => format!(
            "run {{ {RUN} }} argumentErrors {{ parameter code message }}
            commands {{ step image command }}"
        ),
        "cancelRun" => format!("run {{ {RUN} }}"),
        other => panic!("there is no {other}"),
    }
}

/// Somebody who uses the API of a server.
#[derive(Clone)]
pub struct Caller {
    pub address: SocketAddr,
    /// None: they do not say who they are.
    pub token: Option<String>,
}

impl Address for Caller {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Caller {
    /// Sends an operation.
    pub async fn post(&self, accept: &str, body: &Value) -> reqwest::Result<Response> {
        let request = self.request(http().post(self.url("/graphql")));
        let request = request
            .header("accept", accept)
            .header("content-type", "application/json")
            .body(body.to_string());
        request.send().await
    }

    /// The answer to an operation.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let answer = self.try_ask(query, variables).await;
        answer.expect("a server")
    }

    /// The answer to an operation, from a server that may have gone.
    pub async fn try_ask(&self, query: &str, variables: Value) -> Option<Value> {
        let body = json!({ "query": query, "variables": variables });
        let sent = timeout(PATIENCE, self.post(GRAPHQL, &body)).await;
        let text = sent.expect("an answer").ok()?.text().await.ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The data of an operation that must not fail.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].take()
    }

    /// The whole answer to a mutation.
    pub async fn answer(&self, mutation: &str, input: Value) -> Value {
        self.ask(&document(mutation), json!({ "input": input }))
            .await
    }

    /// What a mutation answers, which may refuse.
    pub async fn tell(&self, mutation: &str, input: Value) -> Value {
        let variables = json!({ "input": input });
        let mut data = self.data(&document(mutation), variables).await;
        data["it"].take()
    }

    /// What a mutation answers that must not refuse.
    pub async fn told(&self, mutation: &str, input: Value) -> Value {
        let answer = self.tell(mutation, input).await;
        assert_eq!(answer["errors"], json!([]), "{mutation}: {answer}");
        answer
    }

    /// The code of the first reason why a mutation is refused, and the field; of an operation that is refused altogether its
    /// code.
    pub async fn refused(&self, mutation: &str, input: Value) -> (String, String) {
        let answer = self.answer(mutation, input).await;
        if let Some(code) = answer["errors"][0]["extensions"]["code"].as_str() {
            return (code.to_owned(), String::new());
        }
        let error = &answer["data"]["it"]["errors"][0];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        assert!(error["code"].is_string(), "{mutation}: {answer}");
        (text("code"), text("field"))
    }

    /// Makes a group in a workflow, with these further members and their roles.
    pub async fn group(&self, workflow: &str, name: &str, members: &[(&str, &str)]) -> String {
        let member =
            |(username, role): &(&str, &str)| json!({ "username": username, "role": role });
        let members: Vec<Value> = members.iter().map(member).collect();
        let input = json!({ "workflow": workflow, "name": name, "members": members });
        let answer = self.told("createGroup", input).await;
        id(&answer["group"])
    }

    /// Uploads a file for a group; gives what is told of it.
    pub async fn upload(&self, group: &str, name: &str, content: impl Into<Vec<u8>>) -> Value {
        let path = format!("/files/uploads?group={group}&name={name}");
        let response = self.send(Method::POST, &path, content.into()).await;
        assert_eq!(response.status(), 201, "{:?}", response.text().await);
        json_of(response).await
    }

    /// Starts a run in one's own group, which must be taken; gives its id.
    pub async fn start(&self, workflow: &str, arguments: Value) -> String {
        self.start_with(workflow, arguments, json!({})).await
    }

    /// Starts a run as the input says besides, which must be taken; gives its id.
    pub async fn start_with(&self, workflow: &str, arguments: Value, more: Value) -> String {
        let answer = self
            .told("startRun", run_input(workflow, &arguments, more))
            .await;
        assert_eq!(answer["argumentErrors"], json!([]), "{answer}");
        id(&answer["run"])
    }

    /// What is wrong with the arguments of a run, each with its parameter and code.
    pub async fn wrong(&self, workflow: &str, arguments: Value) -> Vec<(String, String)> {
        let input = run_input(workflow, &arguments, json!({}));
        let answer = self.tell("startRun", input).await;
        assert!(answer["run"].is_null(), "{answer}");
        let errors = answer["argumentErrors"].as_array().expect("a list");
        let text = |error: &Value, name: &str| error[name].as_str().expect(name).to_owned();
        let pair = |error| (text(error, "parameter"), text(error, "code"));
        errors.iter().map(pair).collect()
    }

    /// A run, without its log.
    pub async fn run(&self, run: &str) -> Value {
        let query = format!("query($id: ID!) {{ run(id: $id) {{ {RUN} }} }}");
        self.data(&query, json!({ "id": run })).await["run"].take()
    }

    /// A run as soon as it has ended.
    pub async fn ended(&self, run: &str) -> Value {
        let mut ear = Ear::of(self, json!({ "run": run })).await;
        ear.until(|update| update["kind"] == "ENDED").await;
        self.run(run).await
    }

    /// A run that must end well, as soon as it has.
    pub async fn done(&self, run: &str) -> Value {
        let ended = self.ended(run).await;
        assert_eq!(ended["state"], "SUCCESS", "{ended} {}", self.log(run).await);
        ended
    }

    /// Starts a run, waits until it has ended, and gives it.
    pub async fn make(&self, workflow: &str, arguments: Value) -> Value {
        let run = self.start(workflow, arguments).await;
        self.ended(&run).await
    }

    /// Has a run end; gives it.
    pub async fn cancel(&self, run: &str) -> Value {
        let mut answer = self.told("cancelRun", json!({ "id": run })).await;
        answer["run"].take()
    }

    /// All pieces of the log of a run.
    pub async fn pieces(&self, run: &str) -> Vec<Value> {
        let query = "query($id: ID!, $after: String) { run(id: $id) {
            log(first: 500, after: $after) {
                nodes { cursor step attempt stream text } pageInfo { hasNextPage endCursor }
            }
        } }";
        let (mut pieces, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "id": run, "after": after });
            let mut page = self.data(query, variables).await["run"]["log"].take();
            pieces.append(page["nodes"].as_array_mut().expect("pieces"));
            if page["pageInfo"]["hasNextPage"] == false {
                return pieces;
            }
            after = page["pageInfo"]["endCursor"].take();
        }
    }

    /// All that a run printed, both streams of all steps as they came.
    pub async fn log(&self, run: &str) -> String {
        text_of(&self.pieces(run).await)
    }

    /// The answer to a request for a file.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.request(without_redirects().get(self.url(path)));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = timeout(PATIENCE, request.send()).await;
        sent.expect("an answer").expect("a server")
    }

    /// The answer to a request with a body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let request = self.request(http().request(method, self.url(path)));
        let sent = timeout(PATIENCE, request.body(body).send()).await;
        sent.expect("an answer").expect("a server")
    }

    /// The bytes at a path, which must be there.
    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.get(path, &[]).await;
        assert_eq!(response.status(), 200, "{path}");
        let bytes = timeout(PATIENCE, response.bytes()).await;
        bytes.expect("in time").expect("a whole body").to_vec()
    }

    /// The content of a file of a run.
    pub async fn file(&self, run: &Value, name: &str) -> Vec<u8> {
        let files = run["files"].as_array().expect("files");
        let file = files.iter().find(|file| file["name"] == name);
        let file = file.unwrap_or_else(|| panic!("there is no {name} in {run}"));
        self.bytes(file["url"].as_str().expect("a URL")).await
    }

    fn request(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

fn without_redirects() -> reqwest::Client {
    let client = http_builder().redirect(reqwest::redirect::Policy::none());
    client.build().expect("a client")
}

/// The mutation of this name, whose answer is `it`.
pub fn document(mutation: &str) -> String {
    let (first, rest) = mutation.split_at(1);
    let input = format!("{}{rest}Input", first.to_ascii_uppercase());
    let selection = selection(mutation);
    format!(
        "mutation($input: {input}!) {{ it: {mutation}(input: $input) {{
            {selection} errors {{ code field message }}
        }} }}"
    )
}

/// The input of `startRun`: arguments are an object.
pub fn run_input(workflow: &str, arguments: &Value, more: Value) -> Value {
    let arguments = arguments.as_object().expect("an object").iter();
    let arguments = arguments.map(|(name, value)| json!({ "name": name, "value": value }));
    let mut input = more;
    input["workflow"] = json!(workflow);
    input["arguments"] = arguments.collect();
    input
}

/// The global id of something.
pub fn id(thing: &Value) -> String {
    let id = thing["id"].as_str();
    id.unwrap_or_else(|| panic!("no id: {thing}")).to_owned()
}

/// What pieces of a log say together.
pub fn text_of(pieces: &[Value]) -> String {
    let texts = pieces.iter().map(|piece| piece["text"].as_str());
    texts.map(|text| text.expect("a text")).collect()
}

/// What pieces of a log of this step and stream say together.
pub fn stream_of(pieces: &[Value], step: &str, stream: &str) -> String {
    let of_it = pieces
        .iter()
        .filter(|piece| piece["step"] == step && piece["stream"] == stream);
    let texts = of_it.map(|piece| piece["text"].as_str().expect("a text"));
    texts.collect()
}

/// The states of the steps of a run, in their order.
pub fn states(run: &Value) -> Vec<&str> {
    let steps = run["steps"].as_array().expect("steps");
    let states = steps.iter().map(|step| step["state"].as_str());
    states.map(|state| state.expect("a state")).collect()
}
