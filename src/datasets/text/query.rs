//! Understands a search, and writes it for a database.

use super::words::Words;

/// The longest search, in bytes.
pub const LONGEST: usize = 4_096;
/// The most words of a search, those of phrases included.
pub const MOST_WORDS: usize = 50;

/// What is wrong with a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is too long.
    #[error("a search has at most {LONGEST} bytes")]
    TooLong,
    /// It has too many words.
    #[error("a search has at most {MOST_WORDS} words")]
    TooManyWords,
}

/// How a database wants a search to be written.
pub(super) struct Language {
    /// Between phrases that all have to be there.
    pub and: &'static str,
    /// Between phrases of which one has to be there.
    pub or: &'static str,
    /// Between what has to be there and what must not.
    pub and_not: &'static str,
    /// Words that follow each other.
    pub phrase: fn(&[String]) -> String,
}

impl Language {
    fn join<'a>(&self, phrases: impl Iterator<Item = &'a [String]>, operator: &str) -> String {
        let phrases: Vec<String> = phrases.map(self.phrase).collect();
        phrases.join(operator)
    }
}

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TextQuery {
    /// The words, those of phrases included, each once and without common ones.
    pub(super) words: Vec<String>,
    /// Phrases that have to be there.
    pub(super) phrases: Vec<Vec<String>>,
    /// Words and phrases that must not be there.
    pub(super) without: Vec<Vec<String>>,
}

impl TextQuery {
    /// Reads a search. A quote that is not closed ends with the text.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.len() > LONGEST {
            return Err(TextError::TooLong);
        }
        let maker = Words::default();
        let mut query = Self::default();
        let mut count = 0;
        for part in parts(text) {
            let words = maker.all(part.text);
            count += words.len();
            if count > MOST_WORDS {
                return Err(TextError::TooManyWords);
            }
            if words.is_empty() {
                continue;
            }
            if part.excluded {
                query.exclude(words, part.quoted);
                continue;
            }
            for (word, is_common) in &words {
                if !is_common && !query.words.contains(word) {
                    query.words.push(word.clone());
                }
            }
            if part.quoted {
                query.phrases.push(plain(words));
            }
        }
        Ok(query)
    }

    /// Whether it says nothing that a dataset could have.
    pub fn finds_nothing(&self) -> bool {
        self.words.is_empty() && self.phrases.is_empty()
    }

    /// The search in the language of a database.
    pub(super) fn expression(&self, language: &Language) -> String {
        let wanted = if self.phrases.is_empty() {
            language.join(self.words.iter().map(std::slice::from_ref), language.or)
        } else {
            language.join(self.phrases.iter().map(Vec::as_slice), language.and)
        };
        if self.without.is_empty() {
            return wanted;
        }
        let without = language.join(self.without.iter().map(Vec::as_slice), language.or);
        format!("({wanted}){}({without})", language.and_not)
    }

    fn exclude(&mut self, words: Vec<(String, bool)>, quoted: bool) {
        // A common word alone says nothing, not even what must not be there.
        if quoted || words.iter().any(|(_, is_common)| !is_common) {
            self.without.push(plain(words));
        }
    }
}

fn plain(words: Vec<(String, bool)>) -> Vec<String> {
    words.into_iter().map(|(word, _)| word).collect()
}

/// A piece of a search.
struct Part<'a> {
    text: &'a str,
    quoted: bool,
    excluded: bool,
}

/// The pieces: phrases in quotes, and what stands between spaces. A `-` excludes where a piece begins, not within a word.
fn parts(mut text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return parts;
        }
        let after = text.trim_start_matches('-');
        let excluded = after.len() < text.len();
        if let Some(inner) = after.strip_prefix('"') {
            let (inner, rest) = inner.split_once('"').unwrap_or((inner, ""));
            parts.push(Part {
                text: inner,
                quoted: true,
                excluded,
            });
            text = rest;
            continue;
        }
        let end = after
            .find(|c: char| c.is_whitespace() || c == '"')
            .unwrap_or(after.len());
        let (word, rest) = after.split_at(end);
        parts.push(Part {
            text: word,
            quoted: false,
            excluded,
        });
        text = rest;
    }
}
