//! What a program printed, in pieces of text.

/// How many of these bytes make a piece of at most `most`: no character is cut in two, and of a full piece no line if it has a
/// whole one. `is_last`: the program has ended.
pub(crate) fn whole(bytes: &[u8], most: usize, is_last: bool) -> usize {
    if bytes.len() >= most
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        return end + 1;
    }
    // After a full piece more may come, although the program has ended.
    let is_last = is_last && bytes.len() < most;
    // A character has at most four bytes; the last one begins among the last three if it is cut.
    let cut = (1..=bytes.len().min(3)).find(|back| {
        let wanted = match bytes[bytes.len() - back] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 0,
        };
        wanted > *back
    });
    match cut {
        Some(back) if !is_last => bytes.len() - back,
        _ => bytes.len(),
    }
}

/// Bytes as text that both databases take.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{FFFD}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECE: usize = 8 * 1024;

    #[test]
    fn a_piece_ends_with_a_line_if_it_is_full() {
        let mut bytes = vec![b'a'; PIECE];
        assert_eq!(whole(&bytes, PIECE, false), PIECE);
        bytes[10] = b'\n';
        assert_eq!(whole(&bytes, PIECE, false), 11);
        assert_eq!(whole(b"a\nb", PIECE, false), 3);
    }

    #[test]
    fn what_is_no_text_does_not_hold_it_up() {
        assert_eq!(whole(b"a\xFF", PIECE, false), 2);
        assert_eq!(whole(b"a\xE2\x82", PIECE, false), 1);
        assert_eq!(whole(b"a\xE2\x82", PIECE, true), 3);
        assert_eq!(text(b"a\0\xFF"), "a\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn a_character_stays_whole_at_the_end_of_a_full_piece() {
        let mut bytes = vec![b'a'; PIECE - 1];
        bytes.extend("ä".as_bytes());
        for is_last in [false, true] {
            assert_eq!(whole(&bytes[..PIECE], PIECE, is_last), PIECE - 1);
        }
        // What is no character although nothing comes after it is told, too.
        assert_eq!(whole(&bytes[PIECE - 1..PIECE], PIECE, true), 1);
    }

    proptest! {
        /// However text comes in pieces, no character is lost.
        #[test]
        fn characters_stay_whole(sent: String, step in 1_usize..9) {
            let bytes = sent.replace('\0', "").into_bytes();
            let (mut told, mut from, mut seen) = (String::new(), 0, 0);
            while seen < bytes.len() {
                seen = (seen + step).min(bytes.len());
                let cut = whole(&bytes[from..seen], PIECE, seen == bytes.len());
                told.push_str(&text(&bytes[from..from + cut]));
                from += cut;
            }
            prop_assert_eq!(told.into_bytes(), bytes);
        }
    }
}
