//! Measures a parsed document before anything expands its fragments.
//!
//! A document of N fragments, each spreading the next one twice, stands for 2^N fields. Here the size
//! of each fragment is computed once and remembered, with saturating arithmetic, so that the work is
//! linear in the document's text however large the thing is that it stands for.
//!
//! Two budgets: one for data, and one for operations that only ask for the schema. Introspection needs
//! more depth and less breadth: the standard query of GraphiQL and of code generators is 15 levels deep.
//! Its lists may not be nested in one another without end either; graphql-js has the same rule
//! (`MaxIntrospectionDepthRule`). An operation that mixes both has to fit both.
//!
//! The *cost* of an operation is the number of fields that its answer can have: what stands below a
//! list counts once for each item of a page. The page is the argument `first` or `last`: a literal, the
//! value of a variable or the variable's default; a field with `edges` or `nodes` below it and neither
//! argument has a page of the default size. Pages are clamped before they are multiplied.

use std::{collections::HashMap, convert::Infallible};

use async_graphql::{
    Name, ServerError, Value, Variables,
    parser::types::{
        ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    },
};

pub use super::limits::Limits;
use super::{
    error::ErrorCode,
    lexer::{self, LexicalError, LexicalLimits},
};

/// Fields of `__Type` and its kin that are lists.
const INTROSPECTION_LISTS: [&str; 6] = [
    "fields",
    "args",
    "inputFields",
    "interfaces",
    "possibleTypes",
    "enumValues",
];

/// Checks the text before it is parsed.
pub fn check_text(text: &str, limits: &Limits) -> Result<(), ServerError> {
    let lexical = LexicalLimits {
        bytes: limits.max_bytes,
        tokens: limits.max_tokens,
        nesting: limits.max_nesting,
    };
    lexer::check(text, lexical).map_err(|error| {
        let code = match error {
            LexicalError::UnterminatedString => ErrorCode::BadInput,
            _ => ErrorCode::TooComplex,
        };
        code.server_error(error.to_string())
    })
}

/// Checks all that does not depend on variables: every operation and every fragment, because the
/// validation that follows walks them all.
pub fn check_document(document: &ExecutableDocument, limits: &Limits) -> Result<(), ServerError> {
    let variables = Variables::default();
    let mut measure = Measure::new(document, limits, Pages::fixed(limits, &variables));
    for name in document.fragments.keys() {
        let shape = measure.fragment(name)?;
        at_most("fields", shape.nodes, limits.max_nodes)?;
        at_most_levels(shape.nesting, limits.max_nesting)?;
    }
    let mut nodes = 0_u64;
    for (_, operation) in document.operations.iter() {
        let shape = measure.selection_set(&operation.node.selection_set.node)?;
        nodes = nodes.saturating_add(shape.nodes);
        at_most("fields", nodes, limits.max_nodes)?;
        at_most_levels(shape.nesting, limits.max_nesting)?;
        at_most("fields with an alias", shape.aliases, limits.max_aliases)?;
        at_most(
            "fields at the root",
            shape.top_fields,
            limits.max_root_fields,
        )?;
        let directives = (operation.node.directives.len() as u64).saturating_add(shape.directives);
        at_most("directives", directives, limits.max_directives)?;
        if shape.asks_schema {
            check_introspection(&shape, limits)?;
        }
        if shape.asks_data {
            at_most_levels(shape.depth, limits.max_depth)?;
        }
    }
    Ok(())
}

/// Checks the cost of the operation that is about to run, with the page sizes of its variables.
/// Expects that [`check_document`] has passed.
pub fn check_cost(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
) -> Result<u64, ServerError> {
    let mut measure = Measure::new(document, limits, Pages::of(operation, limits, variables));
    let shape = measure.selection_set(&operation.selection_set.node)?;
    let cost = shape.cost.saturating_add(shape.item_cost);
    if shape.asks_data && cost > limits.max_cost {
        return Err(ErrorCode::TooComplex.server_error(format!(
            "the answer could have {cost} fields, the limit is {}; ask for smaller pages",
            limits.max_cost
        )));
    }
    Ok(cost)
}

fn check_introspection(shape: &Shape, limits: &Limits) -> Result<(), ServerError> {
    at_most_levels(shape.depth, limits.introspection_depth)?;
    at_most(
        "fields on the schema",
        shape.nodes,
        limits.introspection_nodes,
    )?;
    at_most(
        "lists of the schema in one another",
        shape.list_depth as u64,
        limits.introspection_list_depth as u64,
    )
}

fn at_most(what: &str, actual: u64, limit: u64) -> Result<(), ServerError> {
    if actual <= limit {
        return Ok(());
    }
    Err(ErrorCode::TooComplex.server_error(format!(
        "the document asks for {actual} {what}, the limit is {limit}"
    )))
}

fn at_most_levels(actual: usize, limit: usize) -> Result<(), ServerError> {
    if actual <= limit {
        return Ok(());
    }
    Err(ErrorCode::TooComplex.server_error(format!(
        "the document is nested {actual} levels deep, the limit is {limit}"
    )))
}

/// What a selection set amounts to with its fragments expanded.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    nodes: u64,
    aliases: u64,
    directives: u64,
    /// Fields in one another.
    depth: usize,
    /// Selection sets in one another, those of fragments too.
    nesting: usize,
    /// Introspection lists in one another.
    list_depth: usize,
    /// Fields at the top of this selection set.
    top_fields: u64,
    asks_schema: bool,
    asks_data: bool,
    /// Fields of the answer, without those below `edges` and `nodes` at the top.
    cost: u64,
    /// Fields of the answer below `edges` and `nodes` at the top, for one item.
    item_cost: u64,
}

impl Shape {
    fn add(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.depth = self.depth.max(other.depth);
        self.nesting = self.nesting.max(other.nesting);
        self.list_depth = self.list_depth.max(other.list_depth);
        self.top_fields = self.top_fields.saturating_add(other.top_fields);
        self.asks_schema |= other.asks_schema;
        self.asks_data |= other.asks_data;
        self.cost = self.cost.saturating_add(other.cost);
        self.item_cost = self.item_cost.saturating_add(other.item_cost);
    }
}

enum Progress {
    Open,
    Done(Shape),
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    pages: Pages<'a>,
    fragments: HashMap<&'a Name, Progress>,
    /// Selection sets that are being measured.
    level: usize,
}

impl<'a> Measure<'a> {
    fn new(document: &'a ExecutableDocument, limits: &'a Limits, pages: Pages<'a>) -> Self {
        Self {
            document,
            limits,
            pages,
            fragments: HashMap::with_capacity(document.fragments.len()),
            level: 0,
        }
    }

    /// Recursion follows what the document expands to, and so the limit on that bounds it too.
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Shape, ServerError> {
        self.level += 1;
        at_most_levels(self.level.saturating_sub(1), self.limits.max_nesting)?;
        let mut sum = Shape::default();
        for selection in &set.items {
            let mut shape = match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(inline) => {
                    self.selection_set(&inline.node.selection_set.node)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node)?
                }
            };
            shape.directives = shape
                .directives
                .saturating_add(selection.node.directives().len() as u64);
            sum.add(shape);
        }
        if !set.items.is_empty() {
            sum.nesting = sum.nesting.saturating_add(1);
        }
        self.level -= 1;
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field) -> Result<Shape, ServerError> {
        let name = field.name.node.as_str();
        let below = self.selection_set(&field.selection_set.node)?;
        let is_list = INTROSPECTION_LISTS.contains(&name);
        let cost = self.pages.cost(field, &below).saturating_add(1);
        let is_item = matches!(name, "edges" | "nodes");
        Ok(Shape {
            nodes: below.nodes.saturating_add(1),
            aliases: below
                .aliases
                .saturating_add(u64::from(field.alias.is_some())),
            directives: below.directives,
            depth: below.depth.saturating_add(1),
            nesting: below.nesting,
            list_depth: below.list_depth.saturating_add(usize::from(is_list)),
            top_fields: 1,
            asks_schema: matches!(name, "__schema" | "__type"),
            asks_data: !name.starts_with("__"),
            cost: if is_item { 0 } else { cost },
            item_cost: if is_item { cost } else { 0 },
        })
    }

    /// A fragment that is not defined counts for nothing: validation refuses the document.
    fn fragment(&mut self, name: &'a Name) -> Result<Shape, ServerError> {
        match self.fragments.get(name) {
            Some(Progress::Done(shape)) => return Ok(*shape),
            Some(Progress::Open) => {
                return Err(ErrorCode::BadInput
                    .server_error(format!("the fragment \"{name}\" spreads itself")));
            }
            None => {}
        }
        let Some(definition) = self.document.fragments.get(name) else {
            return Ok(Shape::default());
        };
        self.fragments.insert(name, Progress::Open);
        let shape = self.define(&definition.node)?;
        self.fragments.insert(name, Progress::Done(shape));
        Ok(shape)
    }

    fn define(&mut self, definition: &'a FragmentDefinition) -> Result<Shape, ServerError> {
        let mut shape = self.selection_set(&definition.selection_set.node)?;
        shape.directives = shape
            .directives
            .saturating_add(definition.directives.len() as u64);
        Ok(shape)
    }
}

/// The sizes of pages.
struct Pages<'a> {
    limits: &'a Limits,
    variables: &'a Variables,
    operation: Option<&'a OperationDefinition>,
}

impl<'a> Pages<'a> {
    fn of(
        operation: &'a OperationDefinition,
        limits: &'a Limits,
        variables: &'a Variables,
    ) -> Self {
        Self {
            limits,
            variables,
            operation: Some(operation),
        }
    }

    fn fixed(limits: &'a Limits, variables: &'a Variables) -> Self {
        Self {
            limits,
            variables,
            operation: None,
        }
    }

    /// The fields of the answer below one field.
    fn cost(&self, field: &Field, below: &Shape) -> u64 {
        let page = self.page(field);
        if below.item_cost > 0 {
            let page = page.unwrap_or(self.limits.default_page);
            below
                .cost
                .saturating_add(below.item_cost.saturating_mul(page))
        } else {
            below.cost.saturating_mul(page.unwrap_or(1))
        }
    }

    /// `None` when both arguments are absent or null.
    fn page(&self, field: &Field) -> Option<u64> {
        ["first", "last"]
            .into_iter()
            .filter_map(|name| {
                let value = field.get_argument(name)?.node.clone();
                let value: Result<_, Infallible> =
                    value.into_const_with(|name| Ok(self.variable(&name)));
                match value {
                    Ok(Value::Null) => None,
                    Ok(Value::Number(number)) => Some(number.as_u64().unwrap_or(1)),
                    Ok(_) => Some(1),
                }
            })
            .map(|size| size.clamp(1, self.limits.max_page.max(1)))
            .max()
    }

    fn variable(&self, name: &Name) -> Value {
        let declared = || {
            let definitions = &self.operation?.variable_definitions;
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
