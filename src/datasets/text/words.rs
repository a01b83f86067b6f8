//! A text as words.
//!
//! Accents and case are folded, everything that is no letter, digit or `_` separates, and English words lose their endings.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest word, in bytes; of a longer one the beginning is kept.
const LONGEST: usize = 64;

/// Makes words of texts.
pub struct Words {
    stemmer: Stemmer,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            stemmer: Stemmer::create(Algorithm::English),
        }
    }
}

impl Words {
    /// Calls `each` with the words of a text in their order until it answers false: the word as it is looked for, and
    /// whether it is so common that it says nothing.
    pub fn each(&self, text: &str, mut each: impl FnMut(&str, bool) -> bool) {
        let mut word = String::new();
        let mut apostrophe = false;
        // What ends the last word.
        let characters = text.nfkd().filter(|c| !is_combining_mark(*c)).chain([' ']);
        for character in characters.flat_map(char::to_lowercase) {
            if character.is_alphanumeric() || character == '_' {
                if word.len() + character.len_utf8() <= LONGEST {
                    word.push(character);
                }
                continue;
            }
            let possessive = apostrophe && word == "s";
            apostrophe = matches!(character, '\'' | '\u{2019}');
            if !possessive && word.chars().any(char::is_alphanumeric) {
                let is_common = STOP_WORDS.binary_search(&word.as_str()).is_ok();
                if !each(&self.stem(&word), is_common) {
                    return;
                }
            }
            word.clear();
        }
    }

    /// The words of a text.
    pub fn all(&self, text: &str) -> Vec<(String, bool)> {
        let mut words = Vec::new();
        self.each(text, |word, is_common| {
            words.push((word.to_owned(), is_common));
            true
        });
        words
    }

    fn stem<'w>(&self, word: &'w str) -> std::borrow::Cow<'w, str> {
        if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            self.stemmer.stem(word)
        } else {
            word.into()
        }
    }
}

/// The stop words of Snowball's English, without those with apostrophes, which separate words here; sorted.
#[rustfmt::skip]
static STOP_WORDS: [&str; 122] = [
    "a", "about", "above", "after", "again", "against", "all", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "below", "between", "both", "but", "by", "could", "did", "do", "does",
    "doing", "down", "during", "each", "few", "for", "from", "further", "had", "has", "have", "having", "he", "her",
    "here", "hers", "herself", "him", "himself", "his", "how", "i", "if", "in", "into", "is", "it", "its", "itself",
    "me", "more", "most", "my", "myself", "no", "nor", "not", "of", "off", "on", "once", "only", "or", "other",
    "ought", "our", "ours", "ourselves", "out", "over", "own", "same", "she", "should", "so", "some", "such", "than",
    "that", "the", "their", "theirs", "them", "themselves", "then", "there", "these", "they", "this", "those",
    "through", "to", "too", "under", "until", "up", "very", "was", "we", "were", "what", "when", "where", "which",
    "while", "who", "whom", "why", "with", "would", "you", "your", "yours", "yourself",
];
