//! Texts of strangers, made fit to be shown and stored.

/// The beginning of a text, at most so many characters, without control characters.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let mut short: String = text
        .chars()
        .take(most)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

/// A text as it is stored and looked for: PostgreSQL stores no zero bytes.
pub(crate) fn without_zero(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
