//! What runs are given. Uploads have keys in the database and global ids for clients.

use async_graphql::{Context, ID, InputObject, Result};
use macros::row;
use serde_json::Value;

use super::enums::ArgumentErrorCode;
use crate::entity::flow_run;
use crate::flows::arguments::{Argument, ArgumentProblem};
use crate::graphql::context::ContextExt;
use crate::graphql::error::internal;
use crate::graphql::id::GlobalId;
use crate::graphql::json_text::JsonText;
use crate::graphql::rows::Rows;

/// The value of a parameter.
#[derive(Clone, Debug, InputObject)]
pub struct RunArgumentInput {
    /// The name of the parameter.
    name: String,
    /// Its value: any JSON that the parameter takes. Uploads are given by their global ids.
    value: JsonText,
}

/// What was given for a parameter.
#[derive(Clone)]
pub struct RunArgument(Argument);

/// What was given for a parameter.
#[row]
impl RunArgument {
    /// The name of the parameter.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The value, as it was understood: given again, it is the same.
    fn value(&self) -> JsonText {
        (&self.0.value).into()
    }
}

/// What is wrong with what was given for a parameter.
#[derive(Clone)]
pub struct ArgumentError(pub ArgumentProblem);

/// What is wrong with what was given for a parameter.
#[row]
impl ArgumentError {
    /// The name of the parameter, as the argument has it.
    fn parameter(&self) -> &str {
        &self.0.parameter
    }

    /// Of which kind it is.
    fn code(&self) -> ArgumentErrorCode {
        self.0.code.into()
    }

    /// What is wrong, for a person.
    fn message(&self) -> &str {
        &self.0.message
    }
}

/// Arguments as the domain has them.
pub(super) fn given(arguments: Option<Vec<RunArgumentInput>>) -> Result<Vec<Argument>> {
    let argument = |input: RunArgumentInput| {
        let mut value = input.value.value().map_err(internal)?;
        with_keys(&mut value);
        let name = input.name;
        Ok(Argument { name, value })
    };
    let arguments = arguments.unwrap_or_default().into_iter();
    arguments.map(argument).collect()
}

/// `Run.arguments`.
pub(super) fn of_run(ctx: &Context<'_>, run: &flow_run::Model) -> Result<Rows<RunArgument>> {
    ctx.charge_bytes(run.arguments.len())?;
    let arguments: Vec<Argument> = serde_json::from_str(&run.arguments).map_err(internal)?;
    let shown = |mut argument: Argument| {
        with_ids(&mut argument.value);
        RunArgument(argument)
    };
    Ok(arguments.into_iter().map(shown).collect())
}

/// Puts keys in the place of the global ids of uploads, wherever they stand.
fn with_keys(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(GlobalId::Upload(key)) = GlobalId::decode(&ID(text.clone())) {
                *text = key;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(with_keys),
        Value::Object(fields) => fields.values_mut().for_each(with_keys),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Puts global ids in the place of keys: in files, as they are stored.
fn with_ids(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(with_ids),
        Value::Object(fields) => {
            let is_file = fields.get("type").and_then(Value::as_str) == Some("$file");
            let file = fields.get_mut("value").filter(|_| is_file);
            let id = file.and_then(|file| file.get_mut("fileId"));
            if let Some(Value::String(key)) = id {
                *key = GlobalId::Upload(std::mem::take(key)).encode().0;
            } else {
                fields.values_mut().for_each(with_ids);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn uploads_have_global_ids_for_clients_alone() {
        let key = "0123456789abcdef0123456789abcdef";
        let id = GlobalId::Upload(key.to_owned()).encode().0;
        let file =
            |id: &str| json!({ "type": "$file", "value": { "fileId": id, "targetPath": "a" } });
        let mut given = json!({ "list": [id, 7, null], "file": file(&id), "run": "UnVuCjE" });
        with_keys(&mut given);
        let stored = json!({ "list": [key, 7, null], "file": file(key), "run": "UnVuCjE" });
        assert_eq!(given, stored);
        with_ids(&mut given);
        let shown = json!({ "list": [key, 7, null], "file": file(&id), "run": "UnVuCjE" });
        assert_eq!(given, shown);
    }
}
