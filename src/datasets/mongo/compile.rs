//! A query as a condition of SQL on the table `dataset`, with every value of the query bound. Nothing that a person wrote
//! stands in the text of the statement.
//!
//! What holds of a value is asked of rows of `dataset_value` (and, for items, of `dataset_item`). Where nothing is negated,
//! as `dataset.id IN (SELECT …)`: the database can begin with the index over values. Below a negation as `EXISTS`, by the
//! primary key: there the list of datasets would be nearly as long as the table.

use sea_orm::DatabaseBackend;
use sea_orm::sea_query::{
    BinOper, Expr, ExprTrait, LikeExpr, Query as Sql, SelectStatement, SimpleExpr,
};

use super::cell::{Cell, all, any, by_kind, col, compare, constant, fixed, is_of, is_one_of};
use super::path::{self, NESTED, Path, Reach};
use super::place::{Place, place};
use super::query::{Condition, Kind, Literal, Query, Test};
use super::regex::Pattern;
use super::values;

/// The condition that a dataset is one that the query asks for.
pub fn condition(query: &Query, backend: DatabaseBackend) -> SimpleExpr {
    let mut compiler = Compiler {
        backend,
        aliases: 0,
    };
    compiler.condition(&query.condition, &Scope::dataset(), false)
}

struct Compiler {
    backend: DatabaseBackend,
    /// How many names of tables have been given.
    aliases: usize,
}

/// The document that paths begin in.
#[derive(Clone)]
struct Scope {
    /// Its path.
    base: String,
    /// The name of its row; none for the whole dataset.
    row: Option<String>,
}

impl Scope {
    fn dataset() -> Self {
        Self {
            base: String::new(),
            row: None,
        }
    }
}

impl Compiler {
    fn condition(&mut self, condition: &Condition, scope: &Scope, negated: bool) -> SimpleExpr {
        match condition {
            Condition::All(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.condition(part, scope, negated));
                all(parts.collect())
            }
            Condition::Any(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.condition(part, scope, negated));
                any(parts.collect())
            }
            Condition::None(parts) => {
                let parts = parts.iter().map(|part| self.condition(part, scope, true));
                any(parts.collect()).not()
            }
            Condition::Field(path, test) => self.field(path, test, scope, negated),
        }
    }

    fn field(&mut self, path: &Path, test: &Test, scope: &Scope, negated: bool) -> SimpleExpr {
        match test {
            Test::All(tests) => {
                let tests = tests
                    .iter()
                    .map(|test| self.field(path, test, scope, negated));
                all(tests.collect())
            }
            Test::Not(test) => self.field(path, test, scope, true).not(),
            _ if scope.row.is_some() => self.values(path, test, scope, negated),
            _ => match place(path) {
                Place::Own(cell) => self.of_cell(&cell, test),
                Place::Always => {
                    constant(matches!(test, Test::Exists) || is_kind(test, Kind::Document))
                }
                Place::Item(identifier, cell) => self.item(&identifier, cell.as_ref(), test),
                Place::Values => self.values(path, test, scope, negated),
            },
        }
    }

    /// A test of the values at the end of a path.
    fn values(&mut self, path: &Path, test: &Test, scope: &Scope, negated: bool) -> SimpleExpr {
        match test {
            // Each kind has a part of the index of its own.
            Test::In(literals) => {
                let mut found = Vec::new();
                for literals in by_kind(literals) {
                    if literals.first() == Some(&Literal::Null) {
                        found.push(self.missing(path, scope, negated));
                    }
                    found.push(self.ends(path, &Test::In(literals), scope, negated));
                }
                any(found)
            }
            Test::Element(condition) => {
                let mut found = Vec::new();
                for reach in path.elements(&scope.base) {
                    found.push(self.found(&reach, scope, negated, |this, row| {
                        this.element(condition, row, &reach.path, negated)
                            .and(col(row, "is_element"))
                    }));
                }
                any(found)
            }
            Test::ElementValue(test) => {
                let mut found = Vec::new();
                for reach in path.elements(&scope.base) {
                    found.push(self.found(&reach, scope, negated, |this, row| {
                        let cell = Cell::Value(row.to_owned(), reach.path.clone());
                        this.of_cell(&cell, test).and(col(row, "is_element"))
                    }));
                }
                any(found)
            }
            _ => self.ends(path, test, scope, negated),
        }
    }

    /// A test of any one of the values at the end of a path.
    fn ends(&mut self, path: &Path, test: &Test, scope: &Scope, negated: bool) -> SimpleExpr {
        let mut found = Vec::new();
        for reach in path.ends(&scope.base) {
            found.push(self.found(&reach, scope, negated, |this, row| {
                let cell = Cell::Value(row.to_owned(), reach.path.clone());
                let holds = this.of_cell(&cell, test);
                // The length is that of the array at the path, not of arrays in it.
                if matches!(test, Test::Size(_)) && !reach.at_place {
                    holds.and(col(row, "is_element").not())
                } else {
                    holds
                }
            }));
        }
        any(found)
    }

    /// A document in an array.
    fn element(
        &mut self,
        condition: &Condition,
        row: &str,
        base: &str,
        negated: bool,
    ) -> SimpleExpr {
        let scope = Scope {
            base: base.to_owned(),
            row: Some(row.to_owned()),
        };
        let holds = self.condition(condition, &scope, negated);
        is_of(row, Kind::Document).and(holds)
    }

    /// Whether the path, or the rest of it, is missing somewhere: MongoDB takes it for null there.
    fn missing(&mut self, path: &Path, scope: &Scope, negated: bool) -> SimpleExpr {
        let mut missing = Vec::new();
        for context in path.contexts(&scope.base) {
            let Some(reach) = &context.reach else {
                missing.push(self.absent(&context.present, scope));
                continue;
            };
            missing.push(self.found(reach, scope, negated, |this, row| {
                let open = is_of(row, Kind::Document);
                let open = if reach.at_place {
                    open
                } else {
                    // Of a number nothing is there, but arrays are looked through for documents.
                    let plain = col(row, "kind").ne(fixed(Kind::Array as i64));
                    open.or(plain.and(col(row, "is_element").not()))
                };
                let scope = Scope {
                    base: reach.path.clone(),
                    row: Some(row.to_owned()),
                };
                open.and(this.absent(&context.present, &scope))
            }));
        }
        any(missing)
    }

    /// None of these paths is there.
    fn absent(&mut self, paths: &[i64], scope: &Scope) -> SimpleExpr {
        let row = self.alias();
        let hashes = paths.iter().map(|path| fixed(*path));
        let mut select = self.below(&row, scope, true);
        select.and_where(col(&row, "path").is_in(hashes));
        Expr::exists(select).not()
    }

    /// There is a row that a path reaches, and this holds of it.
    fn found(
        &mut self,
        reach: &Reach,
        scope: &Scope,
        negated: bool,
        holds: impl FnOnce(&mut Self, &str) -> SimpleExpr,
    ) -> SimpleExpr {
        let row = self.alias();
        let exists = negated || scope.row.is_some();
        let mut select = self.below(&row, scope, exists);
        select.and_where(col(&row, "path").eq(fixed(path::hash(&reach.path))));
        if let Some(places) = &reach.places {
            select.and_where(col(&row, "places").like(LikeExpr::new(places.clone())));
        }
        let holds = holds(self, &row);
        select.and_where(holds);
        if exists {
            Expr::exists(select)
        } else {
            col("dataset", "id").in_subquery(select)
        }
    }

    /// The rows of a document.
    fn below(&self, row: &str, scope: &Scope, exists: bool) -> SelectStatement {
        let mut select = Sql::select();
        select.from_as("dataset_value", row.to_owned());
        if !exists {
            select.column((row.to_owned(), "dataset_id"));
            return select;
        }
        select.expr(Expr::cust("1"));
        if self.backend == DatabaseBackend::Postgres {
            // Asked row by row, by the primary key: joined whole, it is joined in the wrong order as often as not, because
            // the plan is made without the values.
            select.offset(0);
        }
        match &scope.row {
            None => {
                select.and_where(col(row, "dataset_id").eq(col("dataset", "id")));
            }
            Some(outer) => {
                select
                    .and_where(col(row, "dataset_id").eq(col(outer, "dataset_id")))
                    .and_where(col(row, "node").gt(col(outer, "node")))
                    .and_where(col(row, "node").lte(col(outer, "last")));
            }
        }
        select
    }

    /// An item of the manifest.
    fn item(&mut self, identifier: &str, cell: Option<&Cell>, test: &Test) -> SimpleExpr {
        let select = || {
            let mut select = Sql::select();
            select
                .expr(Expr::cust("1"))
                .from("dataset_item")
                .and_where(col("dataset_item", "dataset_id").eq(col("dataset", "id")))
                .and_where(col("dataset_item", "identifier").eq(identifier.to_owned()));
            select
        };
        let is_there = Expr::exists(select());
        match test {
            Test::In(literals) if literals.contains(&Literal::Null) => {
                let rest = literals.iter().filter(|literal| **literal != Literal::Null);
                let rest = Test::In(rest.cloned().collect());
                is_there.not().or(self.item(identifier, cell, &rest))
            }
            _ => match cell {
                Some(cell) => {
                    let mut select = select();
                    select.and_where(self.of_cell(cell, test));
                    Expr::exists(select)
                }
                None if matches!(test, Test::Exists) || is_kind(test, Kind::Document) => is_there,
                None => constant(false),
            },
        }
    }

    /// A test of one value.
    fn of_cell(&mut self, cell: &Cell, test: &Test) -> SimpleExpr {
        match test {
            Test::All(tests) => all(tests.iter().map(|test| self.of_cell(cell, test)).collect()),
            Test::Not(test) => self.of_cell(cell, test).not(),
            Test::In(literals) => {
                let groups = by_kind(literals);
                any(groups.iter().map(|group| is_one_of(cell, group)).collect())
            }
            Test::Compare(relation, literal) => compare(cell, *relation, literal),
            Test::Exists => match cell {
                Cell::Value(..) => constant(true),
                Cell::Text(value) | Cell::Number(value) | Cell::Moment(value) => {
                    value.clone().is_not_null()
                }
            },
            Test::Matches(pattern) => self.matches(cell, pattern),
            Test::Size(size) => match cell {
                Cell::Value(row, _) => {
                    is_of(row, Kind::Array).and(col(row, "number").eq(f64::from(*size)))
                }
                _ => constant(false),
            },
            Test::Kind(kinds) => match cell {
                Cell::Value(row, _) => {
                    col(row, "kind").is_in(kinds.iter().map(|kind| fixed(*kind as i64)))
                }
                Cell::Text(value) => value
                    .clone()
                    .is_not_null()
                    .and(constant(kinds.contains(&Kind::Text))),
                Cell::Number(value) => value
                    .clone()
                    .is_not_null()
                    .and(constant(kinds.contains(&Kind::Number))),
                Cell::Moment(_) => constant(kinds.contains(&Kind::Moment)),
            },
            Test::Element(condition) => self.inner(cell, |this, row, path| {
                this.element(condition, row, path, true)
            }),
            Test::ElementValue(test) => self.inner(cell, |this, row, path| {
                this.of_cell(&Cell::Value(row.to_owned(), path.to_owned()), test)
            }),
        }
    }

    /// An element of an array that is an element itself.
    fn inner(
        &mut self,
        cell: &Cell,
        holds: impl FnOnce(&mut Self, &str, &str) -> SimpleExpr,
    ) -> SimpleExpr {
        let Cell::Value(outer, path) = cell else {
            return constant(false);
        };
        let scope = Scope {
            base: path.clone(),
            row: Some(outer.clone()),
        };
        let reach = Reach {
            path: format!("{path}{NESTED}"),
            places: None,
            at_place: true,
        };
        self.found(&reach, &scope, true, |this, row| {
            holds(this, row, &reach.path)
        })
    }

    fn matches(&self, cell: &Cell, pattern: &Pattern) -> SimpleExpr {
        match cell {
            Cell::Value(row, _) => {
                let text = col(row, "head").binary(BinOper::Custom("||"), col(row, "rest"));
                let mut holds = is_of(row, Kind::Text).and(col(row, "number").eq(fixed(0)));
                let (head, _) = values::split(&pattern.prefix);
                if !head.is_empty() {
                    holds = holds
                        .and(col(row, "head").gte(head))
                        .and(col(row, "head").lt(format!("{head}\u{10ffff}")));
                }
                holds.and(self.found_in(text, pattern))
            }
            Cell::Text(value) => {
                let there = value.clone().is_not_null();
                there.and(self.found_in(value.clone(), pattern))
            }
            _ => constant(false),
        }
    }

    fn found_in(&self, text: SimpleExpr, pattern: &Pattern) -> SimpleExpr {
        match self.backend {
            DatabaseBackend::Postgres => {
                text.binary(BinOper::Custom("~"), Expr::value(pattern.postgres.as_str()))
            }
            _ => text.binary(
                BinOper::Custom("REGEXP"),
                Expr::value(pattern.rust.as_str()),
            ),
        }
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("v{}", self.aliases)
    }
}

fn is_kind(test: &Test, kind: Kind) -> bool {
    matches!(test, Test::Kind(kinds) if kinds.contains(&kind))
}
