//! The messages of `graphql-transport-ws`.

use async_graphql::ServerError;
use axum::extract::ws::{Message, Utf8Bytes};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    auth::Credential,
    graphql::answer::Answer,
    http::credentials::{self, MalformedCredentials},
};

/// Longer ids are no ids of operations.
const MAX_ID_BYTES: usize = 256;

/// What a client says.
#[derive(Debug)]
pub(super) enum ClientMessage {
    ConnectionInit(Map<String, Value>),
    Ping(Option<Value>),
    Pong,
    Subscribe { id: String, payload: Value },
    Complete { id: String },
}

impl ClientMessage {
    /// The error is the reason for closing with 4400.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let json: Value =
            serde_json::from_str(text).map_err(|_| "Message is not JSON".to_owned())?;
        let Value::Object(mut fields) = json else {
            return Err("Message is not an object".to_owned());
        };
        let Some(Value::String(kind)) = fields.remove("type") else {
            return Err("Message has no type".to_owned());
        };
        let payload = fields.remove("payload");
        match kind.as_str() {
            "connection_init" => match payload {
                None | Some(Value::Null) => Ok(Self::ConnectionInit(Map::new())),
                Some(Value::Object(map)) => Ok(Self::ConnectionInit(map)),
                Some(_) => Err("The payload of connection_init is not an object".to_owned()),
            },
            "ping" => Ok(Self::Ping(payload)),
            "pong" => Ok(Self::Pong),
            "subscribe" => Ok(Self::Subscribe {
                id: id(&mut fields)?,
                payload: payload.ok_or_else(|| "Message has no payload".to_owned())?,
            }),
            "complete" => Ok(Self::Complete {
                id: id(&mut fields)?,
            }),
            other => Err(format!("Unknown message type {other}")),
        }
    }
}

fn id(fields: &mut Map<String, Value>) -> Result<String, String> {
    match fields.remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= MAX_ID_BYTES => Ok(id),
        _ => Err("Message has no id".to_owned()),
    }
}

/// The credential in `connection_init`, under the names that clients use: `authorization` as in the
/// header, `apiKey`, or the names of the other headers. Names are read in any case; an empty value is none.
pub(super) fn credential(
    payload: &Map<String, Value>,
) -> Result<Option<Credential>, MalformedCredentials> {
    let mut found = None;
    for (name, value) in payload {
        let read = match name.to_ascii_lowercase().as_str() {
            "authorization" => credentials::from_authorization,
            "fps_api" => credentials::fps_key,
            "apikey" | "x-api-key" => credentials::api_key,
            _ => continue,
        };
        let text = match value {
            Value::String(text) if !text.is_empty() => text,
            Value::String(_) | Value::Null => continue,
            _ => return Err(MalformedCredentials),
        };
        if found.replace(read(text)?).is_some() {
            return Err(MalformedCredentials);
        }
    }
    Ok(found)
}

/// What the server says, apart from answers.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl ServerMessage<'_> {
    pub(super) fn encode(&self) -> Message {
        // Texts, and numbers: nothing that could fail.
        text(serde_json::to_string(self).unwrap_or_default())
    }
}

fn text(text: String) -> Message {
    Message::Text(Utf8Bytes::from(text))
}

/// One thing that an operation has to say, and whether it is the last.
pub(super) struct Output {
    pub(super) message: Message,
    pub(super) last: bool,
}

/// The messages of an operation.
pub(super) struct Operation {
    id: String,
    /// A message of type `next` up to its payload: the answer is JSON already, for many operations.
    next: String,
}

impl Operation {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            next: format!(r#"{{"type":"next","id":{},"payload":"#, Value::from(id)),
        }
    }

    /// An operation that never began is an `error`, which ends it without `complete`.
    pub(super) fn tell(&self, answer: &Answer) -> Output {
        if let Some(payload) = &answer.refusal {
            let id = &self.id;
            let message = ServerMessage::Error { id, payload }.encode();
            return Output {
                message,
                last: true,
            };
        }
        let parts = [self.next.as_str(), answer.json.get(), "}"];
        Output {
            message: text(parts.concat()),
            last: false,
        }
    }

    pub(super) fn complete(&self) -> Output {
        let message = ServerMessage::Complete { id: &self.id }.encode();
        Output {
            message,
            last: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_name_the_fault() {
        for (text, reason) in [
            ("{", "Message is not JSON"),
            ("[]", "Message is not an object"),
            ("{}", "Message has no type"),
            (r#"{"type":"start"}"#, "Unknown message type start"),
            (r#"{"type":"complete"}"#, "Message has no id"),
            (r#"{"type":"complete","id":""}"#, "Message has no id"),
            (r#"{"type":"subscribe","id":"1"}"#, "Message has no payload"),
        ] {
            assert_eq!(ClientMessage::parse(text).unwrap_err(), reason);
        }
    }

    #[test]
    fn credentials_are_found_under_their_usual_names() {
        let read = |json: Value| match json {
            Value::Object(map) => credential(&map).map(|found| {
                found.map(|credential| match credential {
                    Credential::Bearer(_) => "bearer",
                    Credential::ApiKey(_) => "key",
                })
            }),
            _ => unreachable!(),
        };
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({ "authorization": "" })), Ok(None));
        assert_eq!(
            read(json!({ "AUTHORIZATION": "Bearer a" })),
            Ok(Some("bearer"))
        );
        assert_eq!(read(json!({ "apiKey": "a" })), Ok(Some("key")));
        assert_eq!(read(json!({ "FPS_API": "APIKEY=a" })), Ok(Some("key")));
        assert!(read(json!({ "FPS_API": "a" })).is_err());
        assert!(read(json!({ "authorization": "a" })).is_err());
        assert!(read(json!({ "authorization": 1 })).is_err());
        assert!(read(json!({ "authorization": "Bearer a", "apiKey": "a" })).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            let _ = ClientMessage::parse(&text);
        }
    }
}
