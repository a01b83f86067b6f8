//! The scalar `JSON`.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use bytes::Bytes;

use crate::graphql::json::Json;
use crate::graphql::rows::Below;

/// Any JSON value, as it is and not as text in text. It is found in answers only.
#[derive(Clone)]
pub struct JsonText(Bytes);

impl JsonText {
    /// JSON that has been written already.
    pub fn written(json: impl Into<Bytes>) -> Self {
        Self(json.into())
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<&serde_json::Value> for JsonText {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

/// Any JSON value, as it is and not as text in text. It is found in answers only.
#[Scalar(name = "JSON")]
impl ScalarType for JsonText {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom("JSON is found in answers only"))
    }

    fn to_value(&self) -> Value {
        Value::Binary(self.0.clone())
    }
}

impl Json for JsonText {
    fn write(&self, _: &Below, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}
