//! Text filters as Autosubmit API has them: `*` stands for anything, a leading `!` means "not", ASCII case is ignored.

use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr, SimpleExpr};

use crate::failure::Failure;

/// The longest pattern, in characters, and the most wildcards in it: matching costs their product.
const LONGEST: usize = 200;
const MOST_WILDCARDS: usize = 10;

/// A text filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    like: String,
    /// The text itself, if nothing in it stands for anything else: then an index can find it.
    exact: Option<String>,
    negated: bool,
}

impl Pattern {
    /// The whole text must match. `field` names the input field in an error.
    pub fn whole(field: &'static str, pattern: &str) -> Result<Self, Failure> {
        Self::parse(field, pattern, false)
    }

    /// Some part of the text must match.
    pub fn part(field: &'static str, pattern: &str) -> Result<Self, Failure> {
        Self::parse(field, pattern, true)
    }

    /// Some part of some text must match; here a `!` is a character like any other.
    pub fn anywhere(field: &'static str, pattern: &str) -> Result<Self, Failure> {
        Self::new(field, pattern, false, true)
    }

    fn parse(field: &'static str, pattern: &str, part: bool) -> Result<Self, Failure> {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        Self::new(field, pattern, negated, part)
    }

    fn new(field: &'static str, pattern: &str, negated: bool, part: bool) -> Result<Self, Failure> {
        if pattern.chars().count() > LONGEST || pattern.matches('*').count() > MOST_WILDCARDS {
            return Err(Failure::bad_input(
                field,
                format!("at most {LONGEST} characters and {MOST_WILDCARDS} wildcards"),
            ));
        }
        if pattern.contains('\0') {
            return Err(Failure::bad_input(field, "a zero byte matches nothing"));
        }
        let mut like = String::with_capacity(pattern.len() + 2);
        if part {
            like.push('%');
        }
        for character in pattern.chars() {
            match character {
                '*' => like.push('%'),
                '%' | '_' | '\\' => {
                    like.push('\\');
                    like.push(character);
                }
                other => like.push(other.to_ascii_lowercase()),
            }
        }
        if part {
            like.push('%');
        }
        let exact = (!part && !pattern.contains('*')).then(|| pattern.to_ascii_lowercase());
        Ok(Self {
            like,
            exact,
            negated,
        })
    }

    /// The condition on a text. Where there is no text, neither the pattern nor its negation holds.
    pub fn condition(&self, text: impl Into<SimpleExpr>) -> SimpleExpr {
        let text = Expr::expr(Func::lower(text.into()));
        if let Some(exact) = &self.exact {
            return if self.negated {
                text.ne(exact.as_str())
            } else {
                text.eq(exact.as_str())
            };
        }
        let like = LikeExpr::new(self.like.clone()).escape('\\');
        if self.negated {
            text.not_like(like)
        } else {
            text.like(like)
        }
    }
}
