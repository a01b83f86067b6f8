//! The scalar `JSON`.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use bytes::Bytes;

use crate::graphql::json::Json;
use crate::graphql::rows::Below;

/// Any JSON value, as it is and not as text in text.
#[derive(Clone, Debug)]
pub struct JsonText(Bytes);

impl JsonText {
    /// JSON that has been written already.
    pub fn written(json: impl Into<Bytes>) -> Self {
        Self(json.into())
    }

    /// The value.
    ///
    /// # Errors
    /// If what was written is no JSON.
    pub fn value(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.0)
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

/// Any JSON value, as it is and not as text in text.
#[Scalar(name = "JSON")]
impl ScalarType for JsonText {
    fn parse(value: Value) -> InputValueResult<Self> {
        let value = value.into_json();
        let value = value.map_err(|_| InputValueError::custom("this is no JSON"))?;
        Ok(Self::from(&value))
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
