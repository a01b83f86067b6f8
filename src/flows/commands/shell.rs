//! Commands of a shell, taken apart as far as is needed to put values into them.
//!
//! A value never becomes part of the text that a shell reads: what is put in its place is the expansion of an environment
//! variable, whose result no shell reads as a command. So whether quotes are understood rightly here decides whether a
//! value stays one word, and never whether it is run.

use crate::flows::template::reference::{Piece as ReferencePiece, Reference, pieces};

/// The most variables that are told of as unknown.
const MOST_UNKNOWN: usize = 20;

/// A command with places for values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    pub pieces: Vec<Piece>,
    /// Variables in it that are none of the workflow; the shell may know them.
    pub unknown: Vec<String>,
    /// What is wrong with it, for people.
    pub flaws: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text for the shell.
    Text(String),
    /// A place for a value.
    Insert { what: Insert, quoting: Quoting },
}

/// What is to be put in a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Insert {
    Variable(String),
    Reference(Reference),
}

/// The quotes in which a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoting {
    None,
    Single,
    Double,
}

/// Is it the name of a variable?
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && name_at(text) == text
}

/// The name with which a text begins; it may be empty.
fn name_at(text: &str) -> &str {
    let is_part = |(place, c): (usize, char)| {
        c == '_' || c.is_ascii_alphabetic() || (place > 0 && c.is_ascii_digit())
    };
    let end = text.char_indices().find(|it| !is_part(*it));
    let end = end.map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// A text as one word of a shell.
pub(crate) fn quote(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&b);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A text as part of a word in double quotes.
pub(crate) fn escape_double(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// What the scanner is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// Commands, with so many parentheses open.
    Plain(usize),
    Single,
    Double,
    /// `$((…))` or `((…))`, with so many parentheses open.
    Arithmetic(usize),
    Backtick,
}

struct Scanner<'c, 'v> {
    rest: &'c str,
    /// The character before the rest.
    before: Option<char>,
    stack: Vec<Context>,
    has_here_document: bool,
    is_variable: &'v dyn Fn(&str) -> bool,
    text: String,
    scan: Scan,
}

/// Takes a command apart. `$$` stands for `$`, as in flowserv.
pub(crate) fn scan(command: &str, is_variable: &dyn Fn(&str) -> bool) -> Scan {
    let mut scanner = Scanner {
        rest: command,
        before: None,
        stack: Vec::new(),
        has_here_document: false,
        is_variable,
        text: String::new(),
        scan: Scan::default(),
    };
    while let Some(c) = scanner.rest.chars().next() {
        scanner.step(c);
    }
    let open = !matches!(scanner.context(), Context::Plain(_));
    if open && !scanner.has_here_document {
        scanner.flaw("a quote, or ((, is not closed");
    }
    scanner.flush();
    scanner.scan
}

impl<'c> Scanner<'c, '_> {
    fn context(&self) -> Context {
        self.stack.last().copied().unwrap_or(Context::Plain(0))
    }

    fn set(&mut self, context: Context) {
        self.stack.pop();
        self.stack.push(context);
    }

    fn flaw(&mut self, flaw: &str) {
        if !self.scan.flaws.iter().any(|other| other == flaw) {
            self.scan.flaws.push(flaw.to_owned());
        }
    }

    /// Passes so many bytes on to the shell.
    fn pass(&mut self, length: usize) {
        let (text, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.text.push_str(text);
        self.before = text.chars().next_back();
        self.rest = rest;
    }

    /// Leaves so many bytes out.
    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.scan.pieces.push(Piece::Text(text));
        }
    }

    fn step(&mut self, c: char) {
        let context = self.context();
        match (c, context) {
            ('$', _) => self.dollar(),
            ('\'', Context::Single)
            | ('"', Context::Double)
            | ('`', Context::Backtick)
            | (')', Context::Plain(0)) => {
                self.stack.pop();
                self.pass(1);
            }
            (_, Context::Single) => self.pass(c.len_utf8()),
            ('\\', _) => {
                // The next character is itself, a dollar sign too.
                let next = self.rest.chars().nth(1).map_or(0, char::len_utf8);
                self.pass(1 + next);
            }
            ('`', Context::Plain(_) | Context::Double) => self.enter(Context::Backtick),
            ('"', Context::Plain(_)) => self.enter(Context::Double),
            ('\'', Context::Plain(_)) => self.enter(Context::Single),
            ('#', Context::Plain(_)) if self.is_at_start() => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.pass(end);
            }
            ('<', Context::Plain(_)) => self.less(),
            ('(', Context::Plain(_)) if self.rest.starts_with("((") => {
                self.stack.push(Context::Arithmetic(0));
                self.pass(2);
            }
            ('(', Context::Plain(open)) => self.count(Context::Plain(open + 1)),
            ('(', Context::Arithmetic(open)) => self.count(Context::Arithmetic(open + 1)),
            (')', Context::Plain(open)) => self.count(Context::Plain(open - 1)),
            (')', Context::Arithmetic(0)) => {
                self.stack.pop();
                self.pass(if self.rest.starts_with("))") { 2 } else { 1 });
            }
            (')', Context::Arithmetic(open)) => self.count(Context::Arithmetic(open - 1)),
            _ => self.pass(c.len_utf8()),
        }
    }

    fn enter(&mut self, context: Context) {
        self.stack.push(context);
        self.pass(1);
    }

    fn count(&mut self, context: Context) {
        self.set(context);
        self.pass(1);
    }

    /// Does a word begin here?
    fn is_at_start(&self) -> bool {
        self.before
            .is_none_or(|c| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '('))
    }

    fn less(&mut self) {
        if self.rest.starts_with("<<<") {
            self.pass(3);
        } else if self.rest.starts_with("<<") {
            self.has_here_document = true;
            self.pass(2);
        } else {
            self.pass(1);
        }
    }

    fn dollar(&mut self) {
        let is_escaped = self.rest.starts_with("$$");
        if is_escaped {
            self.skip(1);
        }
        let after: &'c str = self.rest.get(1..).unwrap_or_default();
        let is_single = self.context() == Context::Single;
        if !is_single && after.starts_with("((") {
            self.stack.push(Context::Arithmetic(0));
            self.pass(3);
        } else if !is_single && after.starts_with('(') {
            self.stack.push(Context::Plain(0));
            self.pass(2);
        } else if is_escaped {
            self.pass(1);
        } else if after.starts_with("[[") {
            self.reference();
        } else if let Some(inside) = after.strip_prefix('{') {
            let name = name_at(inside);
            let is_closed = inside
                .get(name.len()..)
                .is_some_and(|it| it.starts_with('}'));
            if (self.is_variable)(name) && !is_closed {
                self.flaw("of a variable of the workflow only ${name} is replaced");
            }
            if (self.is_variable)(name) && is_closed {
                self.insert(Insert::Variable(name.to_owned()), name.len() + 3);
            } else {
                self.unknown(name);
                self.pass(2);
            }
        } else {
            let name = name_at(after);
            if (self.is_variable)(name) {
                self.insert(Insert::Variable(name.to_owned()), name.len() + 1);
            } else {
                self.unknown(name);
                self.pass(1);
            }
        }
    }

    /// A program in single quotes (of `awk`, say) has variables of its own.
    fn unknown(&mut self, name: &str) {
        let is_known = self.scan.unknown.iter().any(|other| other == name);
        let has_room = self.scan.unknown.len() < MOST_UNKNOWN;
        if is_name(name) && self.context() != Context::Single && !is_known && has_room {
            self.scan.unknown.push(name.to_owned());
        }
    }

    fn reference(&mut self) {
        let end = self.rest.find("]]").map_or(self.rest.len(), |end| end + 2);
        let text = self.rest.get(..end).unwrap_or_default();
        match pieces(text).into_iter().next() {
            Some(ReferencePiece::Reference(reference)) => {
                self.insert(Insert::Reference(reference), end);
            }
            Some(ReferencePiece::Broken(why)) => {
                self.flaw(why);
                self.pass(end);
            }
            _ => self.pass(end),
        }
    }

    fn insert(&mut self, what: Insert, length: usize) {
        let quoting = match self.context() {
            Context::Plain(_) => Quoting::None,
            Context::Single => Quoting::Single,
            Context::Double => Quoting::Double,
            Context::Arithmetic(_) => {
                self.flaw("no value is put into ((…)): some shells run what is in it");
                Quoting::Double
            }
            Context::Backtick => {
                self.flaw("no value is put into `…`: write $$(…)");
                Quoting::Double
            }
        };
        if self.has_here_document {
            self.flaw("no value is put behind a here-document (<<): hand it over in another way");
        }
        self.flush();
        self.scan.pieces.push(Piece::Insert { what, quoting });
        // What follows is not at the start of a word.
        self.before = Some('x');
        self.skip(length);
    }
}

#[cfg(test)]
mod tests;
