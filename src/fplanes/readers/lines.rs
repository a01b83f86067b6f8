//! The lines of a text, as many and as long as are read.

use super::problem::{Problem, ProblemCode};

/// The largest text, in bytes. A file of the whole plane has five thousand.
pub const MAX_BYTES: usize = 1 << 20;

/// The most lines that are not comments. A file of the whole plane has a hundred.
pub const MAX_ROWS: usize = 20_000;

/// The longest line, in bytes.
pub const MAX_LINE: usize = 4_096;

/// A line that says something.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1.
    pub number: u32,
    /// Without the end of the line and without blanks around it.
    pub text: &'a str,
}

/// Refuses a text that is larger than any that is meant.
pub(super) fn check_size(text: &str) -> Result<(), Problem> {
    if text.len() <= MAX_BYTES {
        return Ok(());
    }
    let message = format!("{} bytes; at most {MAX_BYTES} are read", text.len());
    Err(Problem::new(0, ProblemCode::TooLarge, message))
}

/// Refuses more rows than are meant.
pub(super) fn check_rows(rows: usize) -> Result<(), Problem> {
    if rows <= MAX_ROWS {
        return Ok(());
    }
    let message = format!("more than {MAX_ROWS} rows");
    Err(Problem::new(0, ProblemCode::TooManyRows, message))
}

/// The lines that are not blank. Those that are too long are told of instead.
pub(super) fn lines<'a>(
    text: &'a str,
    problems: &mut Vec<Problem>,
) -> impl Iterator<Item = Line<'a>> {
    // A mark of the encoding, which some editors write, is no part of the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        if line.len() > MAX_LINE {
            let message = format!("{} bytes; at most {MAX_LINE} are read", line.len());
            problems.push(Problem::new(number, ProblemCode::LineTooLong, message));
            return None;
        }
        let text = line.trim();
        (!text.is_empty()).then_some(Line { number, text })
    })
}
