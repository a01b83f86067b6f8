//! What was asked: a document that has passed all checks, and the operation of it that is to run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, FragmentDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError, Value, Variables};

use super::cost::{FieldTypes, Reckoned};
use super::error::ErrorCode;
use super::inputs::Nulls;
use super::shape::Shape;

/// An operation that has passed all checks and can run.
pub struct Prepared {
    pub(super) document: Arc<Document>,
    pub(super) operation_name: Option<Name>,
    pub(super) kind: OperationType,
    pub(super) variables: Variables,
    pub(super) operation: Arc<Operation>,
    /// The fields that the answer may have.
    pub(super) cost: u64,
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

    /// The shape of the answers.
    pub(super) fn shape(&self) -> &Arc<Shape> {
        &self.operation.shape
    }

    /// The values of the variables.
    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The operation in its document; none only if somebody changed the document since it was checked.
    pub(super) fn definition(&self) -> (Option<&OperationDefinition>, &ExecutableDocument) {
        let document = &self.document.executable;
        let found = select(document, self.name()).ok();
        (found.map(|(_, operation)| &operation.node), document)
    }

    /// The operation as a document of its own, with the fragments that it uses and no others.
    pub(super) fn alone(&self) -> ExecutableDocument {
        let whole = &self.document.executable;
        let Ok((_, operation)) = select(whole, self.name()) else {
            return whole.clone();
        };
        let fragments = self.operation.fragments.iter().filter_map(|name| {
            let fragment = whole.fragments.get(name)?;
            Some((name.clone(), fragment.clone()))
        });
        ExecutableDocument {
            operations: DocumentOperations::Single(operation.clone()),
            fragments: fragments.collect(),
        }
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
        if self.shape().len() == 1 && !introspects.iter().any(|field| self.selects(field)) {
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

    /// Whether a field of this name stands anywhere in the operation, in its fragments too.
    pub(super) fn selects_anywhere(&self, field: &str) -> bool {
        let (operation, document) = self.definition();
        let fragments = self.operation.fragments.iter();
        let fragments = fragments.filter_map(|name| document.fragments.get(name));
        let sets = fragments.map(|fragment| &fragment.node.selection_set.node);
        let own = operation.map(|operation| &operation.selection_set.node);
        own.into_iter().chain(sets).any(|set| contains(set, field))
    }
}

/// Whether a field stands in a selection, however deep, but for the fragments that it spreads.
fn contains(set: &SelectionSet, field: &str) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(found) => {
            found.node.name.node == field || contains(&found.node.selection_set.node, field)
        }
        Selection::InlineFragment(inline) => contains(&inline.node.selection_set.node, field),
        Selection::FragmentSpread(_) => false,
    })
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

/// A parsed document and what is known of its operations, each made when it is first asked for.
pub(super) struct Document {
    text: Arc<str>,
    pub(super) executable: ExecutableDocument,
    operations: Mutex<HashMap<Option<Name>, Arc<Operation>>>,
}

/// What is known of an operation whatever the values of its variables.
pub(super) struct Operation {
    /// The shape of the answers.
    pub shape: Arc<Shape>,
    /// The fragments that it uses, in one another too.
    fragments: Vec<Name>,
    /// The cost, if no variable makes a difference.
    cost: OnceLock<u64>,
    /// With which variables null it was found to be valid.
    valid: Mutex<Vec<Nulls>>,
}

/// With how many different sets of variables being null an operation is remembered to be valid.
const MOST_VALID: usize = 16;

impl Operation {
    fn of(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        types: &FieldTypes,
    ) -> Self {
        let mut fragments = Vec::new();
        spreads(
            &operation.selection_set.node,
            &document.fragments,
            &mut fragments,
        );
        Self {
            shape: Arc::new(Shape::of(document, operation, types)),
            fragments,
            cost: OnceLock::new(),
            valid: Mutex::default(),
        }
    }

    /// The cost, reckoned anew only if variables make a difference.
    pub fn cost(&self, reckon: impl FnOnce() -> Reckoned) -> u64 {
        if let Some(cost) = self.cost.get() {
            return *cost;
        }
        let reckoned = reckon();
        if !reckoned.by_variables {
            let _ = self.cost.set(reckoned.cost);
        }
        reckoned.cost
    }

    /// Whether it was found to be valid with these variables null.
    pub fn is_valid(&self, nulls: Nulls) -> bool {
        let valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        valid.contains(&nulls)
    }

    /// Remembers that it is.
    pub fn found_valid(&self, nulls: Nulls) {
        let mut valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        if valid.len() < MOST_VALID && !valid.contains(&nulls) {
            valid.push(nulls);
        }
    }
}

/// Adds the fragments that a selection spreads. The document has passed the pre-check: it has them all, and no circles.
fn spreads(
    set: &SelectionSet,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    found: &mut Vec<Name>,
) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => spreads(&field.node.selection_set.node, fragments, found),
            Selection::InlineFragment(inline) => {
                spreads(&inline.node.selection_set.node, fragments, found);
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = fragments.get(name)
                    && !found.contains(name)
                {
                    found.push(name.clone());
                    spreads(&fragment.node.selection_set.node, fragments, found);
                }
            }
        }
    }
}

impl Document {
    /// A document that has been parsed from this text and has passed the pre-check.
    pub fn new(text: &str, executable: ExecutableDocument) -> Self {
        Self {
            text: text.into(),
            executable,
            operations: Mutex::default(),
        }
    }

    /// What is known of this operation.
    pub fn operation(
        &self,
        name: Option<&Name>,
        operation: &OperationDefinition,
        types: &FieldTypes,
    ) -> Arc<Operation> {
        let mut operations = self
            .operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let operation = operations
            .entry(name.cloned())
            .or_insert_with(|| Arc::new(Operation::of(&self.executable, operation, types)));
        Arc::clone(operation)
    }
}

/// The operation of this name, or the only one.
pub(super) fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<(Option<&'a Name>, &'a Positioned<OperationDefinition>), ServerError> {
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some((None, operation)),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get_key_value(name)
            .map(|(name, operation)| (Some(name), operation)),
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.iter();
            let (Some((name, operation)), None) = (all.next(), all.next()) else {
                return Err(ErrorCode::BadInput
                    .server_error("the document has several operations: operationName is needed"));
            };
            Some((Some(name), operation))
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
