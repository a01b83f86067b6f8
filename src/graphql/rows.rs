//! Lists of rows, written without a future for each field.
//!
//! The executor resolves a field of an object by a boxed future and keeps its value in a map: for the 200,000 fields of
//! 20,000 jobs that takes longer than to read them from the database. [`Rows`] reads the selection once for the whole
//! list, and then writes row after row as JSON:
//!
//! - A field that is there at once ([`Row::plain`], a `fn` under `#[row]`) is written straight into the answer.
//! - A field that is loaded for all rows together ([`Row::joint`], an `async fn` without `&self`) is loaded before the
//!   first row is written, and then written straight into the answer, if what is selected below it is there at once.
//! - For any other field that has to be waited for (an `async fn`, or something of that kind below a joint field), all rows
//!   are resolved as the executor would do it, with
//!   errors and paths as usual, before the first row is written. The first row goes ahead: it loads the children of all
//!   rows of its level, and the others find them there.
//!
//! What it does not know (a directive of its own on a field, one name for two selections that have to be merged) it leaves
//! to the executor.

use std::borrow::Cow;
use std::ops::Deref;

use async_graphql::parser::types::{Field, Selection};
use async_graphql::registry::{MetaType, Registry};
use async_graphql::resolver_utils::resolve_list;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, OutputType, Positioned, SelectionField,
    ServerResult, Value,
};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::json::{self, Json};
use crate::narrow::{Columns, Narrow};

/// An object of whose fields it is known how they come. Made by `#[row]`.
pub trait Row: ContainerType + Json {
    /// The place of a field that is there at once.
    fn plain(name: &str) -> Option<usize>;

    /// The place of a field that is loaded for all rows of a list together.
    fn joint(name: &str) -> Option<usize>;

    /// What of the plain or joint field at this place is to be written, from the selection below it; none: that has to be
    /// waited for.
    fn below(field: usize, ctx: &Context<'_>) -> Option<Below>;

    /// Writes the plain field at this place.
    fn write(&self, field: usize, below: &Below, out: &mut Vec<u8>);

    /// Loads the joint field at this place.
    fn load<'a>(
        field: usize,
        rows: &'a [Self],
        ctx: &'a Context<'_>,
    ) -> impl Future<Output = async_graphql::Result<Writer<'a, Self>>> + Send
    where
        Self: Sized;
}

/// Writes a field of any row of those for which it was loaded.
pub type Writer<'a, T> = Box<dyn Fn(&T, &Below, &mut Vec<u8>) + Send + Sync + 'a>;

/// What is to be written of a value.
pub enum Below {
    /// All of it: it has no fields.
    Nothing,
    /// These fields, all of them there at once.
    Fields(Vec<Step>),
}

/// A field of an answer.
pub struct Step {
    /// The response key with what stands around it: `"name":`.
    key: Vec<u8>,
    what: What,
}

enum What {
    /// `__typename`.
    TypeName,
    Plain(usize, Below),
    /// What is written of it was loaded into this column.
    Joint(usize, Below),
    /// The values stand in this column.
    Awaited(usize),
}

/// A field that is asked for before the first row is written.
struct Ask<'a> {
    field: &'a Positioned<Field>,
    /// Its place, if it is loaded for all rows together.
    joint: Option<usize>,
}

/// What was found for a field of all rows.
enum Column<'a, T> {
    Writer(Writer<'a, T>),
    /// One for each row.
    Values(Vec<Value>),
}

/// A list of rows.
pub struct Rows<T>(Vec<T>);

impl<T> From<Vec<T>> for Rows<T> {
    fn from(rows: Vec<T>) -> Self {
        Self(rows)
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Row> Json for Rows<T> {
    fn below(ctx: &Context<'_>) -> Option<Below> {
        <T as Json>::below(ctx)
    }

    fn write(&self, below: &Below, out: &mut Vec<u8>) {
        json::list(&self.0, out, |row, out| Json::write(row, below, out));
    }
}

impl<T> FromIterator<T> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

impl<T> Deref for Rows<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Row> OutputType for Rows<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match Plan::of::<T>(ctx) {
            // Boxed, as rows may have lists of rows of their own type.
            Some(plan) => Ok(plan.run(ctx, &self.0).boxed().await),
            None => resolve_list(ctx, field, &self.0, Some(self.0.len())).await,
        }
    }
}

/// What is done for each row of a list.
#[derive(Default)]
struct Plan<'a> {
    steps: Vec<Step>,
    asks: Vec<Ask<'a>>,
}

impl<'a> Plan<'a> {
    /// The plan for this selection; none if it has to be left to the executor.
    fn of<T: Row>(ctx: &ContextSelectionSet<'a>) -> Option<Self> {
        let mut plan = Self::default();
        plan.add::<T>(ctx, &T::type_name())?;
        Some(plan)
    }

    fn add<T: Row>(&mut self, ctx: &ContextSelectionSet<'a>, of: &str) -> Option<()> {
        for selection in &ctx.item.node.items {
            let (condition, selected) = match &selection.node {
                Selection::Field(field) => {
                    self.add_field::<T>(ctx, field)?;
                    continue;
                }
                Selection::FragmentSpread(spread) => {
                    let fragments = &ctx.query_env.fragments;
                    let fragment = &fragments.get(&spread.node.fragment_name.node)?.node;
                    (Some(&fragment.type_condition), &fragment.selection_set)
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.node;
                    (fragment.type_condition.as_ref(), &fragment.selection_set)
                }
            };
            let condition = condition.map(|condition| condition.node.on.node.as_str());
            let implements = |interface| {
                let known = ctx.schema_env.registry.implements.get(of);
                known.is_some_and(|interfaces| interfaces.contains(interface))
            };
            if condition.is_none_or(|name| name == of || implements(name)) {
                self.add::<T>(&ctx.with_selection_set(selected), of)?;
            }
        }
        Some(())
    }

    fn add_field<T: Row>(
        &mut self,
        ctx: &ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
    ) -> Option<()> {
        let known = |name: &str| matches!(name, "skip" | "include");
        let mut directives = field.node.directives.iter();
        if !directives.all(|directive| known(&directive.node.name.node)) {
            return None;
        }
        let mut key = Vec::new();
        json::string(&field.node.response_key().node, &mut key);
        key.push(b':');
        let name = field.node.name.node.as_str();
        let what = if name == "__typename" {
            What::TypeName
        } else {
            self.known::<T>(&ctx.with_field(field), name)
                .unwrap_or(What::Awaited(self.asks.len()))
        };
        if let Some(same) = self.steps.iter().find(|step| step.key == key) {
            // The validation has seen to it that both mean the same; selections below them would have to be merged.
            return match (&same.what, &what) {
                (What::TypeName, What::TypeName)
                | (What::Plain(_, Below::Nothing), What::Plain(_, Below::Nothing)) => Some(()),
                _ => None,
            };
        }
        if let What::Joint(..) | What::Awaited(_) = what {
            let joint = T::joint(name).filter(|_| matches!(what, What::Joint(..)));
            self.asks.push(Ask { field, joint });
        }
        self.steps.push(Step { key, what });
        Some(())
    }

    /// How a field is written for which the executor is not needed.
    fn known<T: Row>(&self, ctx: &Context<'_>, name: &str) -> Option<What> {
        if let Some(place) = T::plain(name) {
            return Some(What::Plain(place, <T as Row>::below(place, ctx)?));
        }
        let below = <T as Row>::below(T::joint(name)?, ctx)?;
        Some(What::Joint(self.asks.len(), below))
    }

    async fn run<T: Row>(&self, ctx: &ContextSelectionSet<'_>, rows: &[T]) -> Value {
        let fields = self.asks.iter().map(|ask| ctx.with_field(ask.field));
        let fields: Vec<Context<'_>> = fields.collect();
        let asks = self.asks.iter().zip(&fields);
        let columns = asks.map(|(ask, of_field)| column(ctx, rows, ask, of_field));
        let Some(columns) = join_all(columns)
            .await
            .into_iter()
            .collect::<Option<Vec<_>>>()
        else {
            return Value::Null;
        };
        let mut out = Vec::new();
        out.push(b'[');
        for (place, row) in rows.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            if place == SAMPLE {
                let others = rows.len().saturating_sub(SAMPLE);
                out.reserve((out.len() / SAMPLE).saturating_mul(others.saturating_add(others / 8)));
            }
            write(
                row,
                &self.steps,
                &mut out,
                |column, below, out| match columns.get(column) {
                    Some(Column::Writer(write)) => write(row, below, out),
                    Some(Column::Values(values)) => match values.get(place) {
                        Some(value) => json::value(value, out),
                        None => json::null(out),
                    },
                    None => json::null(out),
                },
            );
        }
        out.push(b']');
        Value::Binary(out.into())
    }
}

/// How many rows tell how long the others will be.
const SAMPLE: usize = 16;

/// How many rows wait for the same field at once. Futures of objects are large, so that one for each row would be moved
/// about for longer than most of them take; and what really waits, such as for a file, has bounds of its own.
const LANES: usize = 4;

/// A field of all rows. None if it failed where null is not allowed, after the error was noted.
async fn column<'a, T: Row>(
    ctx: &ContextSelectionSet<'_>,
    rows: &'a [T],
    ask: &Ask<'_>,
    of_field: &'a Context<'_>,
) -> Option<Column<'a, T>> {
    if rows.is_empty() {
        return Some(Column::Values(Vec::new()));
    }
    let Some(place) = ask.joint else {
        let results = one_by_one(ctx, rows, ask.field).await;
        return values::<T>(ctx, ask.field, results).map(Column::Values);
    };
    match T::load(place, rows, of_field).await {
        Ok(writer) => Some(Column::Writer(writer)),
        Err(error) => {
            // Where null is not allowed the list is lost, and one error tells why.
            let nullable = allows_null::<T>(ctx, &ask.field.node.name.node);
            let failed = if nullable { rows.len() } else { 1 };
            let error = |place| {
                let at = ctx.with_index(place);
                let at = at.with_field(ask.field);
                Err(at.set_error_path(error.clone().into_server_error(ask.field.pos)))
            };
            let errors = (0..failed).map(error).collect();
            values::<T>(ctx, ask.field, errors).map(Column::Values)
        }
    }
}

/// A field of each row, as the executor resolves it.
async fn one_by_one<T: Row>(
    ctx: &ContextSelectionSet<'_>,
    rows: &[T],
    field: &Positioned<Field>,
) -> Vec<ServerResult<Option<Value>>> {
    let resolve = async |place: usize, row: &T| {
        let at = ctx.with_index(place);
        row.resolve_field(&at.with_field(field)).await
    };
    let mut results = Vec::with_capacity(rows.len());
    if let Some(first) = rows.first() {
        results.push(resolve(0, first).await);
    }
    let lanes = (1..=LANES).map(async |from| {
        let mut results = Vec::with_capacity(rows.len() / LANES + 1);
        for (place, row) in rows.iter().enumerate().skip(from).step_by(LANES) {
            results.push(resolve(place, row).await);
        }
        results.into_iter()
    });
    let mut lanes = join_all(lanes).await;
    // The lanes took turns, and so do their results.
    for place in 1..rows.len() {
        results.extend(lanes[(place - 1) % LANES].next());
    }
    results
}

/// The values among the results for a field. None if one failed where null is not allowed.
fn values<T: Row>(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    results: Vec<ServerResult<Option<Value>>>,
) -> Option<Vec<Value>> {
    let mut values = Some(Vec::with_capacity(results.len()));
    for result in results {
        match result {
            Ok(value) => {
                if let Some(values) = &mut values {
                    values.push(value.unwrap_or_default());
                }
            }
            Err(error) => {
                ctx.add_error(error);
                if !allows_null::<T>(ctx, &field.node.name.node) {
                    values = None;
                } else if let Some(values) = &mut values {
                    values.push(Value::Null);
                }
            }
        }
    }
    values
}

fn allows_null<T: Row>(ctx: &ContextSelectionSet<'_>, field: &str) -> bool {
    let of = ctx.schema_env.registry.types.get(T::type_name().as_ref());
    let declared = of.and_then(|of: &MetaType| of.field_by_name(field));
    declared.is_some_and(|field| !field.ty.ends_with('!'))
}

fn write<T: Row>(
    row: &T,
    steps: &[Step],
    out: &mut Vec<u8>,
    column: impl Fn(usize, &Below, &mut Vec<u8>),
) {
    out.push(b'{');
    for (place, step) in steps.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&step.key);
        match &step.what {
            What::TypeName => json::string(&row.introspection_type_name(), out),
            What::Plain(field, below) => Row::write(row, *field, below, out),
            What::Joint(place, below) => column(*place, below, out),
            What::Awaited(place) => column(*place, &Below::Nothing, out),
        }
    }
    out.push(b'}');
}

/// What is written of a row in the place of a field, if all of that is there at once.
pub fn plain_below<T: Row>(ctx: &Context<'_>) -> Option<Below> {
    let plan = Plan::of::<T>(&ctx.with_selection_set(&ctx.item.node.selection_set))?;
    plan.asks.is_empty().then_some(Below::Fields(plan.steps))
}

/// Writes these fields of a row.
pub fn write_plain<T: Row>(row: &T, below: &Below, out: &mut Vec<u8>) {
    match below {
        Below::Fields(steps) => write(row, steps, out, |_, _, out| json::null(out)),
        Below::Nothing => json::null(out),
    }
}

/// An object made of a row of a table. Made by `#[row(columns = …)]`.
pub trait Reads {
    /// The columns of the table.
    type Column: 'static;

    /// What a field needs; none: every column.
    fn reads(field: &str) -> Option<Needs<Self::Column>>;
}

/// The columns that a field needs.
pub struct Needs<C: 'static> {
    /// The columns themselves.
    pub columns: &'static [C],
    /// What the fields of the selection below it need, where that is of the same row.
    pub below: Option<ReadsOf<C>>,
}

/// What a field of this name needs, by the object that it is one of.
pub type ReadsOf<C> = fn(&str) -> Option<Needs<C>>;

/// The columns that the page of a connection needs of rows of the type `T`, as the selection of this field says.
pub fn columns_of_page<T, M>(ctx: &Context<'_>) -> Columns<M>
where
    M: Narrow,
    T: Reads<Column = M::Column>,
{
    let ahead = ctx.look_ahead();
    let nodes = ahead.field("nodes").selection_fields();
    let edges = ahead.field("edges").field("node").selection_fields();
    columns::<T, M>(nodes.into_iter().chain(edges))
}

/// The columns that the selections below these fields need of rows of the type `T`.
pub fn columns<'a, T, M>(fields: impl IntoIterator<Item = SelectionField<'a>>) -> Columns<M>
where
    M: Narrow,
    T: Reads<Column = M::Column>,
{
    needed(T::reads, fields)
}

fn needed<'a, M: Narrow>(
    reads: ReadsOf<M::Column>,
    fields: impl IntoIterator<Item = SelectionField<'a>>,
) -> Columns<M> {
    let mut columns = Columns::of(&[]);
    let fields: Vec<SelectionField<'a>> = fields.into_iter().collect();
    for field in fields.iter().flat_map(SelectionField::selection_set) {
        if field.name() == "__typename" {
            continue;
        }
        let Some(needs) = reads(field.name()) else {
            return Columns::all();
        };
        columns = columns.and(Columns::of(needs.columns));
        if let Some(below) = needs.below {
            columns = columns.and(needed(below, [field]));
        }
    }
    columns
}

#[cfg(test)]
mod tests;
