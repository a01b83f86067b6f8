//! Single ranges of bytes (RFC 9110, 14.1.2).

/// What of a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All of it: nothing else was said, or nothing that is understood. Several ranges at once are answered so, too.
    Whole,
    /// From the first to the last of these bytes, counted from 0.
    Part {
        /// The first.
        first: u64,
        /// The last, not less than the first and less than the size.
        last: u64,
    },
    /// Nothing that the file has.
    Unsatisfiable,
}

/// What the value of a `Range` header asks of a file of this size.
pub fn parse(value: &[u8], size: u64) -> Range {
    understood(value, size).unwrap_or(Range::Whole)
}

fn understood(value: &[u8], size: u64) -> Option<Range> {
    let value = std::str::from_utf8(value).ok()?;
    let (unit, range) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let end = size.checked_sub(1);
    let (first, last) = match (first, last) {
        ("", suffix) => {
            let length = number(suffix)?;
            match end {
                Some(end) if length > 0 => (size.saturating_sub(length), end),
                _ => return Some(Range::Unsatisfiable),
            }
        }
        (first, "") => (number(first)?, u64::MAX),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last)
        }
    };
    Some(match end {
        Some(end) if first <= end => Range::Part {
            first,
            last: last.min(end),
        },
        _ => Range::Unsatisfiable,
    })
}

/// Digits and nothing else; what is larger than any file stands for the largest.
fn number(digits: &str) -> Option<u64> {
    let digital = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digital.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |first, last| Range::Part { first, last };
        for (value, expected) in [
            ("bytes=0-499", part(0, 499)),
            ("bytes=9500-", part(9500, 9999)),
            ("bytes=-500", part(9500, 9999)),
            ("bytes=-20000", part(0, 9999)),
            ("bytes=9999-99999999999999999999999", part(9999, 9999)),
            ("Bytes = 0-0", part(0, 0)),
            ("bytes=10000-", Range::Unsatisfiable),
            ("bytes=99999999999999999999999-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=2-1", Range::Whole),
            ("bytes=0-0,2-3", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=+1-2", Range::Whole),
            ("bytes=1--2", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes", Range::Whole),
            ("", Range::Whole),
        ] {
            assert_eq!(parse(value.as_bytes(), 10_000), expected, "{value}");
        }
        assert_eq!(parse(b"bytes=0-", 0), Range::Unsatisfiable);
        assert_eq!(parse(b"bytes=-1", 0), Range::Unsatisfiable);
        assert_eq!(parse(b"bytes=\xff", 1), Range::Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_inside_of_the_file(value in "(bytes=)?[0-9]{0,22}-[0-9]{0,22}|\\PC*", size: u64) {
            if let Range::Part { first, last } = parse(value.as_bytes(), size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
