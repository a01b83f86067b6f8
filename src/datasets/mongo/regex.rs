//! Regular expressions that mean the same on both databases.
//!
//! A pattern is read by the crate `regex-syntax`, whose expressions match in time proportional to the text: look-around and
//! back-references do not exist in it. SQLite matches it with the crate `regex`; for PostgreSQL it is written anew, as one of
//! its advanced regular expressions, which without back-references are automata as well. So that both mean the same,
//! Unicode's classes and foldings are written out, and `\d`, `\w`, `\s` and `\b` are of ASCII, as they are in MongoDB.

use std::fmt::Write;

use regex_syntax::ast::{self, Ast, ClassPerlKind};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The longest pattern, in bytes.
const LONGEST: usize = 1_000;
/// How many characters and classes there may be once all repetitions are written out.
const LARGEST: usize = 1_000;
/// How deep groups may be nested.
const DEEPEST: u32 = 30;
/// How often something may be repeated: PostgreSQL's limit.
const MOST_REPEATS: u32 = 255;
/// The most ranges in all classes together.
const MOST_RANGES: usize = 5_000;

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// For the crate `regex`.
    pub rust: String,
    /// For PostgreSQL.
    pub postgres: String,
    /// What every text begins with in which it is found, if that is known.
    pub prefix: String,
}

impl Pattern {
    /// Reads a pattern and its options, as in MongoDB: `i` ignores case, `m` has `^` and `$` match at lines, `s` has `.`
    /// match line feeds, `x` ignores white space.
    pub fn parse(pattern: &str, options: &str) -> Result<Self, String> {
        if pattern.len() > LONGEST {
            return Err(format!("a regular expression has {LONGEST} bytes at most"));
        }
        if pattern.contains('\0') {
            return Err("a zero byte matches nothing".to_owned());
        }
        if let Some(unknown) = options.chars().find(|option| !"imsx".contains(*option)) {
            return Err(format!("the option {unknown:?} is none of i, m, s and x"));
        }
        // Each once.
        let options: String = "imsx"
            .chars()
            .filter(|option| options.contains(*option))
            .collect();
        let ast = ast::parse::ParserBuilder::new()
            .nest_limit(DEEPEST)
            .ignore_whitespace(options.contains('x'))
            .build()
            .parse(pattern)
            .map_err(|error| spoken(error.kind()))?;
        // ASCII is written into the pattern, so that inside and outside of classes the rest stays Unicode.
        let ascii = with_ascii_classes(pattern, &ast)?;
        let rust = if options.is_empty() {
            ascii
        } else {
            format!("(?{options}){ascii}")
        };
        let hir = regex_syntax::ParserBuilder::new()
            .nest_limit(DEEPEST * 3)
            .build()
            .parse(&rust)
            .map_err(|error| match error {
                regex_syntax::Error::Parse(error) => spoken(error.kind()),
                other => sentence(&other.to_string()),
            })?;
        let mut written = Written::default();
        if written.size(&hir)? > LARGEST {
            return Err("the regular expression repeats too much".to_owned());
        }
        written.text.push_str("***:(?w)");
        written.write(&hir)?;
        regex::RegexBuilder::new(&rust)
            .size_limit(8 << 20)
            .build()
            .map_err(|_| "the regular expression is too large".to_owned())?;
        Ok(Self {
            rust,
            postgres: written.text,
            prefix: prefix(&hir).unwrap_or_default(),
        })
    }
}

/// The error of the parser, by name for what people miss.
fn spoken(kind: &ast::ErrorKind) -> String {
    match kind {
        ast::ErrorKind::UnsupportedBackreference => "back-references are not supported".to_owned(),
        ast::ErrorKind::UnsupportedLookAround => {
            "look-around (?=, ?!, ?<=, ?<!) is not supported".to_owned()
        }
        other => other.to_string(),
    }
}

fn sentence(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message);
    last.trim_start_matches("error: ").to_owned()
}

/// The pattern with `\d`, `\w`, `\s` and `\b` spelt out for ASCII.
fn with_ascii_classes(pattern: &str, ast: &Ast) -> Result<String, String> {
    struct Found(Vec<(std::ops::Range<usize>, &'static str)>);
    impl Found {
        fn class(&mut self, class: &ast::ClassPerl) {
            let spelt = match (&class.kind, class.negated) {
                (ClassPerlKind::Digit, false) => "[0-9]",
                (ClassPerlKind::Digit, true) => "[^0-9]",
                (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
                (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
                (ClassPerlKind::Space, false) => r"[\t\n\v\f\r\x20]",
                (ClassPerlKind::Space, true) => r"[^\t\n\v\f\r\x20]",
            };
            self.0
                .push((class.span.start.offset..class.span.end.offset, spelt));
        }
    }
    impl ast::Visitor for Found {
        type Output = Vec<(std::ops::Range<usize>, &'static str)>;
        type Err = String;

        fn finish(self) -> Result<Self::Output, String> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
            match ast {
                Ast::ClassPerl(class) => self.class(class),
                Ast::Assertion(assertion) => match assertion.kind {
                    ast::AssertionKind::WordBoundary => {
                        let span = assertion.span.start.offset..assertion.span.end.offset;
                        self.0.push((span, r"(?-u:\b)"));
                    }
                    ast::AssertionKind::StartLine
                    | ast::AssertionKind::EndLine
                    | ast::AssertionKind::StartText
                    | ast::AssertionKind::EndText => {}
                    _ => return Err(r"of word boundaries only \b is supported".to_owned()),
                },
                Ast::Flags(flags) => allowed(&flags.flags)?,
                Ast::Group(group) => {
                    if let ast::GroupKind::NonCapturing(flags) = &group.kind {
                        allowed(flags)?;
                    }
                }
                _ => {}
            }
            Ok(())
        }

        fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), String> {
            if let ast::ClassSetItem::Perl(class) = item {
                self.class(class);
            }
            Ok(())
        }
    }
    fn allowed(flags: &ast::Flags) -> Result<(), String> {
        let refused = flags.items.iter().any(|item| {
            matches!(
                item.kind,
                ast::FlagsItemKind::Flag(ast::Flag::Unicode | ast::Flag::CRLF)
            )
        });
        if refused {
            return Err("of flags only i, m, s, x and U are supported".to_owned());
        }
        Ok(())
    }

    let mut found = ast::visit(ast, Found(Vec::new()))?;
    found.sort_by_key(|(span, _)| span.start);
    let mut text = String::with_capacity(pattern.len() * 2);
    let mut done = 0;
    for (span, spelt) in found {
        text.push_str(pattern.get(done..span.start).unwrap_or_default());
        text.push_str(spelt);
        done = span.end;
    }
    text.push_str(pattern.get(done..).unwrap_or_default());
    Ok(text)
}

/// A pattern as PostgreSQL reads it. With its option `w`, `^` and `$` are at lines, and nothing else heeds them.
#[derive(Default)]
struct Written {
    text: String,
    ranges: usize,
}

impl Written {
    /// How many characters and classes a pattern has once its repetitions are written out.
    fn size(&mut self, hir: &Hir) -> Result<usize, String> {
        Ok(match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => 1,
            HirKind::Literal(literal) => literal.0.len(),
            HirKind::Class(class) => {
                self.ranges += match class {
                    Class::Unicode(class) => class.ranges().len(),
                    Class::Bytes(class) => class.ranges().len(),
                };
                if self.ranges > MOST_RANGES {
                    return Err("the classes of the regular expression are too large".to_owned());
                }
                1
            }
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(repetition.min + 1);
                if most > MOST_REPEATS {
                    return Err(format!("a repetition is at most {MOST_REPEATS} times"));
                }
                self.size(&repetition.sub)?
                    .saturating_mul(most.max(1) as usize)
            }
            HirKind::Capture(capture) => self.size(&capture.sub)?,
            HirKind::Concat(parts) | HirKind::Alternation(parts) => {
                let mut size = 0_usize;
                for part in parts {
                    size = size.saturating_add(self.size(part)?);
                }
                size
            }
        })
    }

    fn write(&mut self, hir: &Hir) -> Result<(), String> {
        match hir.kind() {
            HirKind::Empty => self.text.push_str("(?:)"),
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).map_err(|_| BYTES)?;
                text.chars().for_each(|character| self.character(character));
            }
            HirKind::Class(class) => self.class(class)?,
            HirKind::Look(look) => self.text.push_str(match look {
                Look::Start => r"\A",
                Look::End => r"\Z",
                Look::StartLF => "^",
                Look::EndLF => "$",
                Look::WordAscii => r"\y",
                _ => return Err(r"of word boundaries only \b is supported".to_owned()),
            }),
            HirKind::Repetition(repetition) => {
                self.group(&repetition.sub)?;
                let (min, max) = (repetition.min, repetition.max);
                match (min, max) {
                    (0, None) => self.text.push('*'),
                    (1, None) => self.text.push('+'),
                    (0, Some(1)) => self.text.push('?'),
                    (min, None) => self.push(format_args!("{{{min},}}")),
                    (min, Some(max)) => self.push(format_args!("{{{min},{max}}}")),
                }
            }
            HirKind::Capture(capture) => self.group(&capture.sub)?,
            HirKind::Concat(parts) => {
                for part in parts {
                    match part.kind() {
                        HirKind::Alternation(_) => self.group(part)?,
                        _ => self.write(part)?,
                    }
                }
            }
            HirKind::Alternation(parts) => {
                for (number, part) in parts.iter().enumerate() {
                    if number > 0 {
                        self.text.push('|');
                    }
                    self.write(part)?;
                }
            }
        }
        Ok(())
    }

    fn group(&mut self, hir: &Hir) -> Result<(), String> {
        self.text.push_str("(?:");
        self.write(hir)?;
        self.text.push(')');
        Ok(())
    }

    fn class(&mut self, class: &Class) -> Result<(), String> {
        let class = match class {
            Class::Unicode(class) => class.clone(),
            Class::Bytes(class) => class.to_unicode_class().ok_or(BYTES)?,
        };
        let mut ranges = class
            .ranges()
            .iter()
            .map(|range| (range.start().max('\u{1}'), range.end()))
            .filter(|(start, end)| start <= end)
            .peekable();
        if ranges.peek().is_none() {
            // No character at all.
            self.text.push_str(r"[^\u0001-\U0010FFFF]");
            return Ok(());
        }
        self.text.push('[');
        for (start, end) in ranges {
            self.code(start);
            if start != end {
                self.text.push('-');
                self.code(end);
            }
        }
        self.text.push(']');
        Ok(())
    }

    fn character(&mut self, character: char) {
        if character.is_ascii_alphanumeric() || !character.is_ascii() {
            self.text.push(character);
        } else {
            self.code(character);
        }
    }

    fn code(&mut self, character: char) {
        let code = u32::from(character);
        if code <= 0xffff {
            self.push(format_args!("\\u{code:04x}"));
        } else {
            self.push(format_args!("\\U{code:08x}"));
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(text);
    }
}

const BYTES: &str = "the regular expression matches parts of characters";

/// The text that everything begins with in which the pattern is found.
fn prefix(hir: &Hir) -> Option<String> {
    let HirKind::Concat(parts) = hir.kind() else {
        return None;
    };
    let [start, literal, ..] = parts.as_slice() else {
        return None;
    };
    match literal.kind() {
        HirKind::Literal(literal) if *start.kind() == HirKind::Look(Look::Start) => {
            let prefix = String::from_utf8(literal.0.to_vec()).ok()?;
            // PostgreSQL takes no text with a zero byte.
            (!prefix.contains('\0')).then_some(prefix)
        }
        _ => None,
    }
}
