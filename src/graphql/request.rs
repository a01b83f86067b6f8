//! The parameters of a request, as POST bodies, query strings and WebSocket messages carry them.

use async_graphql::Variables;
use serde_json::{Map, Value};

/// A request that is not of the form that transports share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedRequest(String);

/// A document and what goes with it. `extensions` of requests are checked for their form and ignored.
#[derive(Clone, Debug, Default)]
pub struct GraphQlRequest {
    /// The document.
    pub query: String,
    /// Which of the document's operations to run.
    pub operation_name: Option<String>,
    /// The values of the operation's variables.
    pub variables: Variables,
}

impl GraphQlRequest {
    /// Reads the JSON form that all transports share (GraphQL over HTTP, "Request Parameters").
    /// Parameters that are not known are ignored, as the specification demands.
    pub fn from_json(json: Value) -> Result<Self, MalformedRequest> {
        let mut fields = match json {
            Value::Object(fields) => fields,
            Value::Array(_) => return Err(bad("arrays of requests are not supported")),
            _ => return Err(bad("the request is not a JSON object")),
        };
        let query = match fields.remove("query") {
            Some(Value::String(query)) => query,
            None => return Err(bad("the parameter \"query\" is missing")),
            Some(_) => return Err(bad("the parameter \"query\" is not a string")),
        };
        let operation_name = match fields.remove("operationName") {
            Some(Value::String(name)) => Some(name),
            None | Some(Value::Null) => None,
            Some(_) => return Err(bad("the parameter \"operationName\" is not a string")),
        };
        object(&mut fields, "extensions")?;
        Ok(Self {
            query,
            operation_name,
            variables: Variables::from_json(Value::Object(object(&mut fields, "variables")?)),
        })
    }
}

fn object(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Map<String, Value>, MalformedRequest> {
    match fields.remove(name) {
        Some(Value::Object(map)) => Ok(map),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(bad(&format!(
            "the parameter \"{name}\" is not a JSON object"
        ))),
    }
}

fn bad(message: &str) -> MalformedRequest {
    MalformedRequest(message.to_owned())
}
