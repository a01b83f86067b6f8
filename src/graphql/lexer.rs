//! Measures the text of a document before the parser sees it.
//!
//! The parser recurses once for every open bracket, so that a hundred thousand `{` would exhaust the
//! stack of its thread. This scan is linear, allocates nothing and refuses such text. It follows the
//! lexical grammar of GraphQL (October 2021, section 2.1) as far as brackets, strings and comments are
//! concerned; where a text leaves that grammar it is refused here, so that no bracket hides from the
//! count in something that only this scan takes for a string.

use std::fmt;

/// Where the lexical limits stand.
#[derive(Clone, Copy, Debug)]
pub struct LexicalLimits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Punctuators, names, numbers and strings.
    pub tokens: usize,
    /// Brackets, braces and parentheses that are open at once.
    pub nesting: usize,
}

/// Why a text is not handed to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexicalError {
    /// More than this many bytes.
    Bytes(usize),
    /// More than this many tokens.
    Tokens(usize),
    /// Nested deeper than this.
    Nesting(usize),
    /// A string that does not end.
    UnterminatedString,
}

impl fmt::Display for LexicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(limit) => write!(f, "the document has more than {limit} bytes"),
            Self::Tokens(limit) => write!(f, "the document has more than {limit} tokens"),
            Self::Nesting(limit) => {
                write!(f, "the document is nested more than {limit} levels deep")
            }
            Self::UnterminatedString => f.write_str("the document has a string that does not end"),
        }
    }
}

/// Scans a document and refuses it when it passes a limit. The work is at most linear in
/// `limits.bytes`.
pub fn check(document: &str, limits: LexicalLimits) -> Result<(), LexicalError> {
    if document.len() > limits.bytes {
        return Err(LexicalError::Bytes(limits.bytes));
    }
    let mut rest = document.as_bytes();
    // Neither can exceed the number of bytes.
    let mut tokens = 0_usize;
    let mut nesting = 0_usize;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => tail,
            b'#' => skip_while(tail, |b| b != b'\n' && b != b'\r'),
            b'"' => {
                tokens += 1;
                skip_string(rest)?
            }
            b'{' | b'[' | b'(' => {
                tokens += 1;
                nesting += 1;
                if nesting > limits.nesting {
                    return Err(LexicalError::Nesting(limits.nesting));
                }
                tail
            }
            b'}' | b']' | b')' => {
                tokens += 1;
                nesting = nesting.saturating_sub(1);
                tail
            }
            b if is_word(b) => {
                tokens += 1;
                skip_while(tail, is_word)
            }
            // Other punctuators; `...` counts thrice, which does no harm.
            _ => {
                tokens += 1;
                tail
            }
        };
        if tokens > limits.tokens {
            return Err(LexicalError::Tokens(limits.tokens));
        }
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn skip_while(bytes: &[u8], predicate: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes
        .iter()
        .position(|&b| !predicate(b))
        .unwrap_or(bytes.len());
    bytes.get(end..).unwrap_or_default()
}

/// `bytes` begins with a quotation mark; returns what follows the string.
fn skip_string(bytes: &[u8]) -> Result<&[u8], LexicalError> {
    if let Some(mut rest) = bytes.strip_prefix(b"\"\"\"") {
        while let Some((_, tail)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(b"\\\"\"\"") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix(b"\"\"\"") {
                return Ok(after);
            } else {
                rest = tail;
            }
        }
        return Err(LexicalError::UnterminatedString);
    }
    let mut rest = bytes.get(1..).unwrap_or_default();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'"' => return Ok(tail),
            b'\n' | b'\r' => break,
            b'\\' => tail.get(1..).unwrap_or_default(),
            _ => tail,
        };
    }
    Err(LexicalError::UnterminatedString)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: LexicalLimits = LexicalLimits {
        bytes: 1 << 20,
        tokens: 1_000,
        nesting: 20,
    };

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let braces = "{".repeat(50);
        for text in [
            format!("{{ a(b: \"{braces}\\\"{braces}\") }}"),
            format!("{{ a(b: \"\"\"{braces} \\\"\"\" {braces}\n\"\"\") }}"),
            format!("{{ a # {braces}\n }}"),
        ] {
            assert_eq!(check(&text, LIMITS), Ok(()), "{text}");
        }
        assert_eq!(
            check(&format!("{{ a # \r{braces}"), LIMITS),
            Err(LexicalError::Nesting(20))
        );
        assert_eq!(
            check(&format!("{{ a(b: \"\") {braces}"), LIMITS),
            Err(LexicalError::Nesting(20))
        );
    }

    #[test]
    fn strings_must_end() {
        for text in ["\"", "\"\\", "\"a\nb\"", "\"\"\"a\"\"", "\"\"\"\\\"\"\""] {
            assert_eq!(
                check(text, LIMITS),
                Err(LexicalError::UnterminatedString),
                "{text}"
            );
        }
    }

    #[test]
    fn bytes_and_tokens_are_bounded() {
        assert_eq!(
            check(&"a ".repeat(1_001), LIMITS),
            Err(LexicalError::Tokens(1_000))
        );
        let limits = LexicalLimits { bytes: 3, ..LIMITS };
        assert_eq!(check("{ a }", limits), Err(LexicalError::Bytes(3)));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[\\PC\"\\\\{}\\[\\]#\n]*") {
            let _ = check(&text, LIMITS);
        }
    }
}
