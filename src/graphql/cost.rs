//! The cost of an operation: how many fields its answer can have, known before it runs.
//!
//! What stands below a list counts once for each of its items, so the walk has to know which fields are lists: it reads
//! them from the schema ([`FieldTypes`]) and follows the types through the document. Of how many items a list is taken
//! for is told in [`Limits`]. Fragments are walked once and remembered; a fragment has one type, so what is remembered
//! of it holds wherever it is spread. All arithmetic saturates.
//!
//! Fields of the schema itself cost nothing here: introspection has its own budget.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, FieldDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, ServerError, Value, Variables};

use super::error::ErrorCode;
use super::inputs::InputTypes;
use super::limits::Limits;

/// The arguments that say how large a page is.
const PAGE_ARGUMENTS: [&str; 2] = ["first", "last"];
/// The argument that names the items of a list.
const IDS: &str = "ids";
/// The argument that says how much of a log is wanted.
const LINES: &str = "lines";

/// What the cost depends on in a schema: the fields of its types.
#[derive(Debug, Default)]
pub struct FieldTypes {
    types: HashMap<Name, Fields>,
    /// What variables may be.
    pub(super) inputs: InputTypes,
    query: Option<Name>,
    mutation: Option<Name>,
    subscription: Option<Name>,
}

type Fields = HashMap<Name, FieldType>;

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct FieldType {
    /// The type as it stands in the schema.
    declared: Type,
    /// The type without lists and non-null.
    of: Name,
    is_list: bool,
    /// A list of a connection: as long as the page of the field above.
    is_page: bool,
    /// Has `first` or `last`.
    has_pages: bool,
    /// Has `ids`.
    has_ids: bool,
    /// The default of `lines`, where there is this argument.
    lines: Option<u64>,
}

impl FieldTypes {
    /// Reads a schema in its definition language.
    pub fn read(sdl: &str) -> Result<Self, async_graphql::parser::Error> {
        let mut found = Self::default();
        for definition in parse_schema(sdl)?.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    found.query = schema.node.query.map(|name| name.node);
                    found.mutation = schema.node.mutation.map(|name| name.node);
                    found.subscription = schema.node.subscription.map(|name| name.node);
                }
                TypeSystemDefinition::Type(definition) => {
                    found.inputs.add(&definition.node);
                    let fields = match definition.node.kind {
                        TypeKind::Object(object) => object.fields,
                        TypeKind::Interface(interface) => interface.fields,
                        _ => continue,
                    };
                    let fields = fields.into_iter().map(|field| FieldType::new(field.node));
                    found
                        .types
                        .insert(definition.node.name.node, fields.collect());
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        found.mark_pages();
        Ok(found)
    }

    /// A connection is what a field with a page returns, if that is no list itself.
    fn mark_pages(&mut self) {
        let connections: HashSet<Name> = self
            .types
            .values()
            .flat_map(HashMap::values)
            .filter(|field| field.has_pages && !field.is_list)
            .map(|field| field.of.clone())
            .collect();
        for name in &connections {
            let fields = self.types.get_mut(name).into_iter();
            for field in fields.flat_map(HashMap::values_mut) {
                field.is_page = field.is_list;
            }
        }
    }

    /// The name of the type that operations of this kind start from.
    pub fn root_name(&self, kind: OperationType) -> Option<&Name> {
        match kind {
            OperationType::Query => self.query.as_ref(),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => self.subscription.as_ref(),
        }
    }

    /// The type of a field of a type.
    pub fn type_of(&self, parent: &Name, field: &Name) -> Option<&Type> {
        self.types
            .get(parent)?
            .get(field)
            .map(|field| &field.declared)
    }

    fn root(&self, kind: OperationType) -> Option<&Fields> {
        self.types.get(self.root_name(kind)?)
    }
}

impl FieldType {
    fn new(field: FieldDefinition) -> (Name, Self) {
        let has = |name: &str| field.arguments.iter().any(|it| it.node.name.node == name);
        let lines = field
            .arguments
            .iter()
            .find(|argument| argument.node.name.node == LINES)
            .map(|argument| match &argument.node.default_value {
                Some(value) => number(&value.node).unwrap_or_default(),
                None => 0,
            });
        let mut base = &field.ty.node.base;
        let is_list = matches!(base, BaseType::List(_));
        let of = loop {
            match base {
                BaseType::List(inner) => base = &inner.base,
                BaseType::Named(name) => break name.clone(),
            }
        };
        let this = Self {
            declared: field.ty.node,
            of,
            is_list,
            is_page: false,
            has_pages: PAGE_ARGUMENTS.into_iter().any(has),
            has_ids: has(IDS),
            lines,
        };
        (field.name.node, this)
    }
}

/// The cost of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reckoned {
    /// The fields that its answer may have.
    pub cost: u64,
    /// Whether it would be another one with other values of the variables.
    pub by_variables: bool,
}

/// Refuses an operation that costs too much.
pub fn check(cost: u64, limits: &Limits) -> Result<(), ServerError> {
    if cost <= limits.max_cost {
        return Ok(());
    }
    Err(ErrorCode::TooComplex.server_error(format!(
        "the answer could have {cost} fields, the limit is {}; ask for smaller pages or fewer lists in one another",
        limits.max_cost
    )))
}

/// Reckons the cost of the operation that is about to run, with the page sizes of its variables.
///
/// Expects that [`check_document`](super::precheck::check_document) has passed: it bounds the recursion.
pub fn reckon(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    types: &FieldTypes,
    limits: &Limits,
) -> Reckoned {
    let mut walk = Walk {
        document,
        operation,
        variables,
        types,
        limits,
        fragments: HashMap::with_capacity(document.fragments.len()),
        by_variables: Cell::new(false),
    };
    let root = types.root(operation.ty);
    let cost = walk
        .selection_set(&operation.selection_set.node, root)
        .with_page(limits.default_page);
    Reckoned {
        cost,
        by_variables: walk.by_variables.get(),
    }
}

/// What a selection set costs.
#[derive(Clone, Copy, Default)]
struct Cost {
    once: u64,
    /// For each item of the page, in the selection set of a connection.
    per_item: u64,
}

impl Cost {
    fn once(cost: u64) -> Self {
        Self {
            once: cost,
            per_item: 0,
        }
    }

    /// With the spread or the inline fragment that it stands in.
    fn in_fragment(mut self) -> Self {
        self.add(Self::once(1));
        self
    }

    fn add(&mut self, other: Self) {
        self.once = self.once.saturating_add(other.once);
        self.per_item = self.per_item.saturating_add(other.per_item);
    }

    fn with_page(self, page: u64) -> u64 {
        self.once.saturating_add(self.per_item.saturating_mul(page))
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    types: &'a FieldTypes,
    limits: &'a Limits,
    fragments: HashMap<&'a Name, Cost>,
    /// Whether the value of a variable was looked at.
    by_variables: Cell<bool>,
}

impl<'a> Walk<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet, parent: Option<&'a Fields>) -> Cost {
        let mut sum = Cost::default();
        for selection in &set.items {
            let cost = match &selection.node {
                Selection::Field(field) => self.field(&field.node, parent),
                Selection::InlineFragment(inline) => {
                    let on = match &inline.node.type_condition {
                        Some(condition) => self.types.types.get(&condition.node.on.node),
                        None => parent,
                    };
                    self.selection_set(&inline.node.selection_set.node, on)
                        .in_fragment()
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node).in_fragment()
                }
            };
            sum.add(cost);
        }
        sum
    }

    fn fragment(&mut self, name: &'a Name) -> Cost {
        if let Some(known) = self.fragments.get(name) {
            return *known;
        }
        let Some(definition) = self.document.fragments.get(name) else {
            return Cost::default();
        };
        let on = &definition.node.type_condition.node.on.node;
        let fields = self.types.types.get(on);
        let cost = self.selection_set(&definition.node.selection_set.node, fields);
        self.fragments.insert(name, cost);
        cost
    }

    fn field(&mut self, field: &'a Field, parent: Option<&'a Fields>) -> Cost {
        let name = &field.name.node;
        if matches!(name.as_str(), "__schema" | "__type") {
            return Cost::default();
        }
        let is_leaf = field.selection_set.node.items.is_empty();
        let Some(known) = parent.and_then(|fields| fields.get(name)) else {
            // Validation refuses all unknown fields but `__typename`.
            let below = self.selection_set(&field.selection_set.node, None);
            let items = if is_leaf { 1 } else { self.limits.unpaged_list };
            return Cost::once(below.once.saturating_mul(items).saturating_add(1));
        };
        let below = self.selection_set(&field.selection_set.node, self.types.types.get(&known.of));
        let page = || self.page(field).unwrap_or(self.limits.default_page);
        if known.is_page {
            return Cost {
                once: 1,
                per_item: below.with_page(self.limits.default_page).max(1),
            };
        }
        let below = if known.has_pages && !known.is_list {
            below.with_page(page())
        } else {
            below.with_page(self.limits.default_page)
        };
        let cost = if let Some(default) = known.lines {
            let lines = self.number(field, LINES).unwrap_or(default);
            below.saturating_add(lines.div_ceil(self.limits.lines_per_field.max(1)))
        } else if known.is_list {
            let items = if known.has_pages {
                page()
            } else {
                let ids = known.has_ids.then(|| self.length(field, IDS)).flatten();
                ids.unwrap_or(self.limits.unpaged_list)
            };
            below.max(1).saturating_mul(items)
        } else {
            below
        };
        Cost::once(cost.saturating_add(1))
    }

    /// `None` when both arguments are absent or null.
    fn page(&self, field: &Field) -> Option<u64> {
        PAGE_ARGUMENTS
            .into_iter()
            .filter_map(|name| self.number(field, name))
            .map(|size| size.clamp(1, self.limits.max_page.max(1)))
            .max()
    }

    /// The value of a number; that of what is none is told by the resolver.
    fn number(&self, field: &Field, name: &str) -> Option<u64> {
        match self.argument(field, name)? {
            Value::Null => None,
            value => Some(number(&value).unwrap_or(1)),
        }
    }

    /// The length of a list; a single value stands for a list of one.
    fn length(&self, field: &Field, name: &str) -> Option<u64> {
        match self.argument(field, name)? {
            Value::List(items) => u64::try_from(items.len()).ok(),
            _ => Some(1),
        }
    }

    fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let value = field.get_argument(name)?.node.clone();
        let value: Result<_, Infallible> = value.into_const_with(|name| Ok(self.variable(&name)));
        match value {
            Ok(value) => Some(value),
        }
    }

    fn variable(&self, name: &Name) -> Value {
        self.by_variables.set(true);
        let declared = || {
            let definitions = &self.operation.variable_definitions;
            definitions
                .iter()
                .find(|definition| definition.node.name.node == *name)?
                .node
                .default_value()
        };
        self.variables
            .get(name)
            .or_else(declared)
            .cloned()
            .unwrap_or_default()
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
