//! The parameters of a request, as POST bodies, query strings and WebSocket messages carry them.

use std::fmt;
use std::marker::PhantomData;

use async_graphql::Variables;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

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
        let parameters = Sent::deserialize(json).map_err(|error| bad(&error.to_string()))?;
        Self::from_parameters(parameters)
    }

    /// As [`from_json`](Self::from_json), from the text. Bounded in depth by the parser (128 levels).
    pub fn from_slice(json: &[u8]) -> Result<Self, MalformedRequest> {
        let parameters = serde_json::from_slice(json)
            .map_err(|error| bad(&format!("the request body is not JSON: {error}")))?;
        Self::from_parameters(parameters)
    }

    fn from_parameters(sent: Sent<Parameters>) -> Result<Self, MalformedRequest> {
        let parameters = match sent {
            Sent::Value(parameters) => parameters,
            Sent::List => return Err(bad("arrays of requests are not supported")),
            _ => return Err(bad("the request is not a JSON object")),
        };
        let query = match parameters.query {
            Sent::Value(query) => query,
            Sent::Nothing => return Err(bad("the parameter \"query\" is missing")),
            _ => return Err(bad("the parameter \"query\" is not a string")),
        };
        let operation_name = match parameters.operation_name {
            Sent::Value(name) => Some(name),
            Sent::Nothing | Sent::Null => None,
            _ => return Err(bad("the parameter \"operationName\" is not a string")),
        };
        object(parameters.extensions, "extensions")?;
        Ok(Self {
            query,
            operation_name,
            variables: object(parameters.variables, "variables")?.unwrap_or_default(),
        })
    }
}

fn object<T>(sent: Sent<T>, name: &str) -> Result<Option<T>, MalformedRequest> {
    match sent {
        Sent::Value(object) => Ok(Some(object)),
        Sent::Nothing | Sent::Null => Ok(None),
        _ => Err(bad(&format!(
            "the parameter \"{name}\" is not a JSON object"
        ))),
    }
}

fn bad(message: &str) -> MalformedRequest {
    MalformedRequest(message.to_owned())
}

/// What stands in the place of a parameter.
#[derive(Default)]
enum Sent<T> {
    #[default]
    Nothing,
    Null,
    List,
    /// A value of another kind than the one that is wanted.
    Other,
    Value(T),
}

/// What is wanted in the place of a parameter: text, or an object.
trait Parameter<'de>: Sized {
    fn text(_text: &str) -> Option<Self> {
        None
    }

    fn object<A: MapAccess<'de>>(mut entries: A) -> Result<Option<Self>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl Parameter<'_> for String {
    fn text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl<'de> Parameter<'de> for Variables {
    fn object<A: MapAccess<'de>>(mut entries: A) -> Result<Option<Self>, A::Error> {
        let mut variables = Self::default();
        while let Some((name, value)) = entries.next_entry()? {
            variables.insert(name, value);
        }
        Ok(Some(variables))
    }
}

/// An object of which nothing is used.
struct Ignored;

impl<'de> Parameter<'de> for Ignored {
    fn object<A: MapAccess<'de>>(mut entries: A) -> Result<Option<Self>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Self))
    }
}

/// All that is known of the parameters.
#[derive(Default)]
struct Parameters {
    query: Sent<String>,
    operation_name: Sent<String>,
    variables: Sent<Variables>,
    extensions: Sent<Ignored>,
}

/// The names of the parameters.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
enum Known {
    Query,
    OperationName,
    Variables,
    Extensions,
    #[serde(other)]
    Unknown,
}

impl<'de> Parameter<'de> for Parameters {
    /// Of a name that occurs twice the last one counts, as in JavaScript.
    fn object<A: MapAccess<'de>>(mut entries: A) -> Result<Option<Self>, A::Error> {
        let mut parameters = Self::default();
        while let Some(name) = entries.next_key()? {
            match name {
                Known::Query => parameters.query = entries.next_value()?,
                Known::OperationName => parameters.operation_name = entries.next_value()?,
                Known::Variables => parameters.variables = entries.next_value()?,
                Known::Extensions => parameters.extensions = entries.next_value()?,
                Known::Unknown => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(parameters))
    }
}

impl<'de, T: Parameter<'de>> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SentVisitor(PhantomData))
    }
}

struct SentVisitor<T>(PhantomData<T>);

impl<'de, T: Parameter<'de>> Visitor<'de> for SentVisitor<T> {
    type Value = Sent<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Sent<T>, E> {
        Ok(Sent::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sent<T>, E> {
        Ok(Sent::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sent<T>, E> {
        Ok(Sent::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Sent<T>, E> {
        Ok(Sent::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sent<T>, E> {
        Ok(Sent::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Sent<T>, E> {
        Ok(T::text(text).map_or(Sent::Other, Sent::Value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sent<T>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Sent::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Sent<T>, A::Error> {
        Ok(T::object(entries)?.map_or(Sent::Other, Sent::Value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(json: &Value) -> Option<String> {
        let from_json = GraphQlRequest::from_json(json.clone());
        let from_text = GraphQlRequest::from_slice(json.to_string().as_bytes());
        let message = from_json.err().map(|error| error.to_string());
        assert_eq!(message, from_text.err().map(|error| error.to_string()));
        message
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (json, expected) in [
            (json!([]), "arrays of requests are not supported"),
            (
                json!([{ "query": "{ a }" }]),
                "arrays of requests are not supported",
            ),
            (json!("{ a }"), "the request is not a JSON object"),
            (json!(null), "the request is not a JSON object"),
            (json!(1), "the request is not a JSON object"),
            (json!({}), "the parameter \"query\" is missing"),
            (
                json!({ "query": null }),
                "the parameter \"query\" is not a string",
            ),
            (
                json!({ "query": ["{ a }"] }),
                "the parameter \"query\" is not a string",
            ),
            (
                json!({ "query": { "a": [] } }),
                "the parameter \"query\" is not a string",
            ),
            (
                json!({ "query": "{ a }", "operationName": 1.5 }),
                "the parameter \"operationName\" is not a string",
            ),
            (
                json!({ "query": "{ a }", "variables": "{}" }),
                "the parameter \"variables\" is not a JSON object",
            ),
            (
                json!({ "query": "{ a }", "extensions": [] }),
                "the parameter \"extensions\" is not a JSON object",
            ),
        ] {
            assert_eq!(message(&json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn what_is_not_needed_may_be_null_or_unknown() {
        let json = json!({
            "query": "{ a\n }", "operationName": null, "variables": null, "extensions": { "a": [1] },
            "more": { "query": 1 },
        });
        assert_eq!(message(&json), None);
        let json = br#"{"variables":{"n":1,"o":{"l":[null,"\u00e9"]}},"operationName":"A","query":"{\n\"a\"}"}"#;
        let request = GraphQlRequest::from_slice(json).unwrap();
        assert_eq!(request.query, "{\n\"a\"}");
        assert_eq!(request.operation_name.as_deref(), Some("A"));
        let variables = Variables::from_json(json!({ "n": 1, "o": { "l": [null, "é"] } }));
        assert_eq!(request.variables, variables);
    }

    #[test]
    fn depth_is_bounded() {
        for name in ["variables", "extensions", "unknown"] {
            let value = format!(
                "{}{}",
                r#"{"a":"#.repeat(100_000),
                "1".to_owned() + &"}".repeat(100_000)
            );
            let json = format!(r#"{{"query":"{{ a }}","{name}":{value}}}"#);
            let _ = GraphQlRequest::from_slice(json.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_body_is_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = GraphQlRequest::from_slice(&body);
        }
    }
}
