//! What was asked: a document that has passed all checks, and the operation of it that is to run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, FragmentDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError, Value, Variables};

use super::cost::FieldTypes;
use super::error::ErrorCode;
use super::shape::Shape;

/// An operation that has passed all checks and can run.
pub struct Prepared {
    pub(super) document: Arc<Document>,
    pub(super) operation_name: Option<String>,
    pub(super) kind: OperationType,
    pub(super) variables: Variables,
    pub(super) shape: Arc<Shape>,
}

impl Prepared {
    /// Query, mutation or subscription.
    pub fn kind(&self) -> OperationType {
        self.kind
    }

    /// The operation's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.operation_name.as_deref()
    }

    /// The values of the variables.
    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The operation in its document; none only if somebody changed the document since it was checked.
    pub(super) fn definition(&self) -> (Option<&OperationDefinition>, &ExecutableDocument) {
        let document = &self.document.executable;
        let found = select(document, self.name()).ok();
        (found.map(|(_, operation)| operation), document)
    }

    /// The text of the document. Two operations with the same text need not share a parsed document: each may have been
    /// parsed before the other was in the cache.
    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.document.text)
    }

    /// A subscription has one field at its root, which is not one of introspection (GraphQL specification, section
    /// "Single Root Field").
    pub(super) fn check_single_field(&self) -> Result<(), ServerError> {
        let introspects = ["__typename", "__schema", "__type"];
        if self.shape.len() == 1 && !introspects.iter().any(|field| self.selects(field)) {
            return Ok(());
        }
        let message = "a subscription selects one field, and no introspection";
        Err(ErrorCode::BadInput.server_error(message))
    }

    /// Whether this field stands at the root of the operation, under any alias.
    pub fn selects(&self, field: &str) -> bool {
        let (operation, document) = self.definition();
        operation.is_some_and(|operation| {
            names(&operation.selection_set.node, &document.fragments, field)
        })
    }
}

/// Whether a field stands at the top of a selection. The document has passed the pre-check, which bounds the walk.
fn names(
    set: &SelectionSet,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    field: &str,
) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(found) => found.node.name.node == field,
        Selection::InlineFragment(inline) => {
            names(&inline.node.selection_set.node, fragments, field)
        }
        Selection::FragmentSpread(spread) => fragments
            .get(&spread.node.fragment_name.node)
            .is_some_and(|found| names(&found.node.selection_set.node, fragments, field)),
    })
}

/// A parsed document and the shapes of the answers to its operations, each made when it is first asked for.
pub(super) struct Document {
    text: Arc<str>,
    pub(super) executable: ExecutableDocument,
    shapes: Mutex<HashMap<Option<Name>, Arc<Shape>>>,
}

impl Document {
    /// A document that has been parsed from this text and has passed the pre-check.
    pub fn new(text: &str, executable: ExecutableDocument) -> Self {
        Self {
            text: text.into(),
            executable,
            shapes: Mutex::default(),
        }
    }

    /// The shape of the answers to this operation.
    pub fn shape(
        &self,
        name: Option<&Name>,
        operation: &OperationDefinition,
        types: &FieldTypes,
    ) -> Arc<Shape> {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        let shape = shapes
            .entry(name.cloned())
            .or_insert_with(|| Arc::new(Shape::of(&self.executable, operation, types)));
        Arc::clone(shape)
    }
}

/// The operation of this name, or the only one.
pub(super) fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<(Option<&'a Name>, &'a OperationDefinition), ServerError> {
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some((None, &operation.node)),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get_key_value(name)
            .map(|(name, operation)| (Some(name), &operation.node)),
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.iter();
            let (Some((name, operation)), None) = (all.next(), all.next()) else {
                return Err(ErrorCode::BadInput
                    .server_error("the document has several operations: operationName is needed"));
            };
            Some((Some(name), &operation.node))
        }
    };
    found.ok_or_else(|| {
        ErrorCode::BadInput.server_error("the document has no operation of this name")
    })
}

/// The executor notices a missing variable only when a field needs it, and blames the field.
pub(super) fn check_required(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        let (name, of) = (&definition.node.name.node, &definition.node.var_type.node);
        let given = match variables.get(name) {
            Some(value) => *value != Value::Null,
            None => definition.node.default_value.is_some(),
        };
        if !of.nullable && !given {
            return Err(ServerError {
                locations: vec![definition.pos],
                ..ErrorCode::BadInput.server_error(format!(
                    "the variable \"${name}\" of the type \"{of}\" has no value"
                ))
            });
        }
    }
    Ok(())
}
