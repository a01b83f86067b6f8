//! How much of what a program printed is told at once, and kept in the row.

/// How long the output of one event is at most, in bytes.
pub(super) const PIECE: usize = 8 * 1024;
/// How much of the end of the output stands in the row, in bytes.
pub(super) const TAIL: usize = 8 * 1024;

/// Keeps the end of a text, in at most so many bytes.
pub(super) fn keep_end(text: &mut String, most: usize) {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.drain(..from);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_end_of_a_text_is_kept(sent: String, most in 0_usize..20) {
            let mut kept = sent.clone();
            keep_end(&mut kept, most);
            prop_assert!(kept.len() <= most && sent.ends_with(&kept));
        }
    }
}
