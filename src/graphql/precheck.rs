//! Measures a parsed document before anything expands its fragments.
//!
//! A document of N fragments, each spreading the next one twice, stands for 2^N fields. Here the size
//! of each fragment is computed once and remembered, with saturating arithmetic, so that the work is
//! linear in the document's text however large the thing is that it stands for. A spread and an inline
//! fragment count as much as a field, because whoever expands them walks them, whether fields come of it
//! or not. For the same reason every spread must find its fragment, and every fragment a spread.
//!
//! Two budgets: one for data, and one for operations that only ask for the schema. Introspection needs
//! more depth and less breadth: the standard query of GraphiQL and of code generators is 15 levels deep.
//! Its lists may not be nested in one another without end either; graphql-js has the same rule
//! (`MaxIntrospectionDepthRule`). An operation that mixes both has to fit both.

use std::collections::HashMap;

use async_graphql::{
    Name, ServerError,
    parser::types::{ExecutableDocument, Field, FragmentDefinition, Selection, SelectionSet},
};

pub use super::limits::Limits;
use super::{
    error::ErrorCode,
    lexer::{self, LexicalError, LexicalLimits},
};

/// What messages call nodes.
const NODES: &str = "fields and fragments";

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
    let mut measure = Measure::new(document, limits);
    let mut nodes = 0_u64;
    for (_, operation) in document.operations.iter() {
        let shape = measure.selection_set(&operation.node.selection_set.node)?;
        nodes = nodes.saturating_add(shape.nodes);
        at_most(NODES, nodes, limits.max_nodes)?;
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
    // Validation would refuse these too, but only after it has walked them.
    if let Some(name) = measure.unused() {
        let shape = measure.fragment(name)?;
        at_most(NODES, shape.nodes, limits.max_nodes)?;
        at_most_levels(shape.nesting, limits.max_nesting)?;
        let message = format!("the fragment \"{name}\" is not used");
        return Err(ErrorCode::BadInput.server_error(message));
    }
    Ok(())
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
    /// Fields, spreads and inline fragments.
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
}

impl Shape {
    /// The shape of a spread or an inline fragment of this content.
    fn in_fragment(self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(1),
            ..self
        }
    }

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
    }
}

enum Progress {
    Open,
    Done(Shape),
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    fragments: HashMap<&'a Name, Progress>,
    /// Selection sets that are being measured.
    level: usize,
}

impl<'a> Measure<'a> {
    fn new(document: &'a ExecutableDocument, limits: &'a Limits) -> Self {
        Self {
            document,
            limits,
            fragments: HashMap::with_capacity(document.fragments.len()),
            level: 0,
        }
    }

    /// The first by name of the fragments that have not been measured.
    fn unused(&self) -> Option<&'a Name> {
        let all = self.document.fragments.keys();
        all.filter(|name| !self.fragments.contains_key(name)).min()
    }

    /// Recursion follows what the document expands to, and so the limit on that bounds it too.
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Shape, ServerError> {
        self.level += 1;
        at_most_levels(self.level.saturating_sub(1), self.limits.max_nesting)?;
        let mut sum = Shape::default();
        for selection in &set.items {
            let mut shape = match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(inline) => self
                    .selection_set(&inline.node.selection_set.node)?
                    .in_fragment(),
                Selection::FragmentSpread(spread) => self
                    .fragment(&spread.node.fragment_name.node)?
                    .in_fragment(),
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
        })
    }

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
            let message = format!("the fragment \"{name}\" is not defined");
            return Err(ErrorCode::BadInput.server_error(message));
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

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<(), (String, String)> {
        check_with(text, &Limits::default())
    }

    fn check_with(text: &str, limits: &Limits) -> Result<(), (String, String)> {
        check_document(&parse_query(text).unwrap(), limits).map_err(|error| {
            let code = super::super::error::code_of(&error).unwrap_or_default();
            (code.to_owned(), error.message)
        })
    }

    /// Each fragment spreads the next one twice.
    fn doubling(start: &str, fragments: usize, last: &str) -> String {
        let mut text = start.to_owned();
        for number in 0..fragments {
            let next = number + 1;
            text += &format!(" fragment f{number} on Query {{ ...f{next} ...f{next} }}");
        }
        text + last
    }

    #[test]
    fn a_spread_needs_its_fragment() {
        let bomb = doubling("{ ...f0 }", 30, " fragment f30 on Query { ...nope }");
        let (code, message) = check(&bomb).unwrap_err();
        assert_eq!(code, "BAD_INPUT");
        assert_eq!(message, "the fragment \"nope\" is not defined");
    }

    #[test]
    fn spreads_and_inline_fragments_weigh() {
        let inline = format!(" fragment f30 on Query {{ {} }}", "... { a } ".repeat(2));
        for bomb in [
            doubling("{ ...f0 }", 30, " fragment f30 on Query { a }"),
            doubling(
                "{ a { ...f0 } b { ...f0 } }",
                12,
                &inline.replace("f30", "f12"),
            ),
            doubling("{ a }", 30, " fragment f30 on Query { a }"),
            format!(
                "{{ a {} }}",
                "... { ... on Query { __typename } } ".repeat(1_700)
            ),
            format!(
                "query A {{ a }} query B {{ b {{ {} }} }}",
                "...f ".repeat(2_500)
            ) + " fragment f on Query { a }",
        ] {
            let (code, message) = check(&bomb).unwrap_err();
            assert_eq!(code, "TOO_COMPLEX", "{message}");
            assert!(message.contains("fields and fragments"), "{message}");
        }
        let nest = format!("{}{{ a }}{}", "{ ... ".repeat(61), "}".repeat(61));
        assert_eq!(check(&nest).unwrap_err().0, "TOO_COMPLEX");
        let directives = format!(
            "{{ b {{ {} }} }}",
            "... @include(if: true) { a } ".repeat(101)
        );
        assert!(check(&directives).unwrap_err().1.contains("directives"));
    }

    #[test]
    fn every_fragment_is_used() {
        let (code, message) = check("{ a } fragment f on Query { a }").unwrap_err();
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("BAD_INPUT", "the fragment \"f\" is not used")
        );
        for circle in [
            "{ a } fragment f on Query { ...g } fragment g on Query { ...f }",
            "{ ...f } fragment f on Query { a { ...f } }",
        ] {
            assert!(check(circle).unwrap_err().1.ends_with("spreads itself"));
        }
        assert_eq!(
            check("{ ...f b { ...f } } fragment f on Query { a }"),
            Ok(())
        );
    }

    proptest! {
        /// What is remembered of fragments equals what they expand to.
        #[test]
        fn remembered_sizes_are_true(
            fragments in prop::collection::vec(prop::collection::vec(1..9_usize, 0..4), 1..9),
        ) {
            // Each spreads some of those behind it, and always the next one, so that all are used.
            let targets = |number: usize| {
                let next = (number + 1 < fragments.len()).then_some(number + 1);
                let further = fragments[number].iter().map(move |step| number + step);
                next.into_iter().chain(further.filter(|target| *target < fragments.len()))
            };
            let mut sizes = vec![0_u64; fragments.len()];
            let mut text = String::from("{ ...f0 }");
            for number in (0..fragments.len()).rev() {
                sizes[number] = 1 + targets(number).map(|target| 1 + sizes[target]).sum::<u64>();
                let spreads: String = targets(number).map(|target| format!("...f{target} ")).collect();
                text += &format!(" fragment f{number} on Query {{ a {spreads} }}");
            }
            let limits = |max_nodes| Limits { max_nodes, max_root_fields: u64::MAX, ..Limits::default() };
            let all = 1 + sizes[0];
            prop_assert!(check_with(&text, &limits(all)).is_ok());
            prop_assert!(check_with(&text, &limits(all - 1)).is_err());
        }
    }
}
