//! `PUT` and `DELETE`: commands. What dserver says by a status is a kind of error here.

use serde_json::{Value, json};

use super::{Replay, Request, texts};

const REGISTER: &str = "mutation($input: RegisterDatasetInput!) { registerDataset(input: $input) {
    dataset { uri uuid } created errors { code field }
} }";
const DELETE: &str = "mutation($input: DeleteDatasetInput!) {
    deleteDataset(input: $input) { uri errors { code field } }
}";
const CREATE_USER: &str = "mutation($input: CreateUserInput!) {
    createUser(input: $input) { user { username isAdmin } errors { code field } }
}";
const REGISTER_BASE: &str = "mutation($input: RegisterBaseUriInput!) {
    registerBaseUri(input: $input) { baseUri { uri } created errors { code field } }
}";
const DELETE_BASE: &str = "mutation($input: DeleteBaseUriInput!) {
    deleteBaseUri(input: $input) { uri errors { code field } }
}";
const GRANT: &str = "mutation($input: GrantBaseUriInput!) {
    grantBaseUri(input: $input) { grant { canSearch canRegister } errors { code field } }
}";

pub async fn compare(replay: &mut Replay, request: &Request) {
    match (request.method.as_str(), request.root()) {
        ("PUT", "uris") => register(replay, request).await,
        ("DELETE", "uris") => {
            let input = json!({ "uri": request.uri() });
            let payload = replay.command(request, DELETE, input).await;
            if request.answer.status == 403 {
                no(replay, request, &payload);
            } else {
                replay.equal(request, "deleted", &json!(request.uri()), &payload["uri"]);
            }
        }
        ("PUT", "users") => user(replay, request).await,
        ("PUT", "base-uris") => base_uri(replay, request).await,
        ("DELETE", "base-uris") => {
            let input = json!({ "uri": request.uri() });
            if request.answer.status == 403 {
                let input = json!({ "input": input });
                replay
                    .refused(request, DELETE_BASE, input, "FORBIDDEN")
                    .await;
                return;
            }
            let payload = replay.command(request, DELETE_BASE, input).await;
            replay.equal(request, "deleted", &json!(request.uri()), &payload["uri"]);
        }
        _ => replay.differ(request, "there is no counterpart"),
    }
}

/// A right that is missing: nothing shows whether there is something that the right would be for. What contradicts itself
/// is told first.
fn no(replay: &mut Replay, request: &Request, payload: &Value) {
    let errors = payload["errors"].as_array().into_iter().flatten();
    let codes: Vec<_> = errors.map(|error| error["code"].clone()).collect();
    let told = codes == [json!("NOT_FOUND")] || codes == [json!("BAD_INPUT")];
    if !told {
        replay.differ(request, &format!("nothing is missing: {payload}"));
    }
}

async fn register(replay: &mut Replay, request: &Request) {
    let input = json!({ "info": request.body });
    let status = request.answer.status;
    if status == 401 {
        let input = json!({ "input": input });
        replay
            .refused(request, REGISTER, input, "UNAUTHENTICATED")
            .await;
        return;
    }
    let payload = replay.command(request, REGISTER, input).await;
    match status {
        200 | 201 => {
            replay.equal(
                request,
                "created",
                &json!(status == 201),
                &payload["created"],
            );
            let uri = &request.body["uri"];
            replay.equal(request, "dataset", uri, &payload["dataset"]["uri"]);
        }
        403 => no(replay, request, &payload),
        _ => {
            let errors = payload["errors"].as_array().cloned().unwrap_or_default();
            let mut codes: Vec<_> = errors.iter().map(|error| &error["code"]).collect();
            codes.dedup();
            replay.equal(request, "errors", &json!(["BAD_INPUT"]), &json!(codes));
            // dserver does not say which.
            if let Some(missing) = request.name_after("put-without-") {
                let fields = texts(&payload["errors"], "field");
                replay.equal(request, "field", &json!([missing]), &json!(fields));
            }
        }
    }
    if status > 201 {
        replay.equal(request, "dataset", &Value::Null, &payload["dataset"]);
    }
}

async fn user(replay: &mut Replay, request: &Request) {
    let mut input = json!({ "username": request.argument() });
    for (name, value) in request.body.as_object().into_iter().flatten() {
        let name = if name == "is_admin" { "isAdmin" } else { name };
        input[name] = value.clone();
    }
    let refusal = match request.answer.status {
        403 => "FORBIDDEN",
        422 => "BAD_INPUT",
        _ => "",
    };
    if !refusal.is_empty() {
        let input = json!({ "input": input });
        replay.refused(request, CREATE_USER, input, refusal).await;
        return;
    }
    let payload = replay.command(request, CREATE_USER, input.clone()).await;
    let made = json!({ "username": input["username"], "isAdmin": input["isAdmin"] });
    replay.equal(request, "user", &made, &payload["user"]);
}

/// dserver sets all grants at once; names of nobody are passed over there, and refused here.
async fn base_uri(replay: &mut Replay, request: &Request) {
    let (uri, status) = (request.uri(), request.answer.status);
    let input = json!({ "uri": uri });
    if status == 403 {
        let input = json!({ "input": input });
        replay
            .refused(request, REGISTER_BASE, input, "FORBIDDEN")
            .await;
        return;
    }
    let payload = replay.command(request, REGISTER_BASE, input).await;
    replay.equal(
        request,
        "created",
        &json!(status == 201),
        &payload["created"],
    );
    let has = |right: &str, name: &str| {
        let list = request.body[format!("users_with_{right}_permissions")].as_array();
        list.is_some_and(|list| list.contains(&json!(name)))
    };
    for name in ["admin", "alice", "bob", "carol", "ghost"] {
        let (search, register) = (has("search", name), has("register", name));
        if name == "ghost" && !search && !register {
            continue;
        }
        let input = json!({
            "username": name, "baseUri": uri, "canSearch": search, "canRegister": register,
        });
        let payload = replay.command(request, GRANT, input).await;
        let code = &payload["errors"][0]["code"];
        let expected = if name == "ghost" {
            json!("NOT_FOUND")
        } else {
            Value::Null
        };
        replay.equal(request, name, &expected, code);
    }
}
