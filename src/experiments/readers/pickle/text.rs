//! Text and numbers in pickles.

use std::borrow::Cow;

use super::Value;

/// UTF-8 as Python's `surrogatepass` writes it: lone surrogates become U+FFFD.
pub(super) fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Bytes as characters.
pub(super) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

/// A little-endian two's complement integer of any length, as in LONG1.
pub(super) fn long<'a>(bytes: &[u8]) -> Value<'a> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let (low, high) = bytes.split_at(bytes.len().min(8));
    let mut word = [fill; 8];
    word[..low.len()].copy_from_slice(low);
    let number = i64::from_le_bytes(word);
    if high.iter().all(|byte| *byte == fill) && (number < 0) == negative {
        Value::Int(number)
    } else {
        Value::BigInt
    }
}

/// A decimal integer as in INT and LONG.
pub(super) fn decimal<'a>(text: &[u8]) -> Option<Value<'a>> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(number) = text.parse() {
        return Some(Value::Int(number));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(Value::BigInt)
}

/// The quoted literal of STRING, with Python's escapes.
pub(super) fn literal(line: &[u8]) -> Option<Cow<'_, str>> {
    let line = line.trim_ascii();
    let (first, rest) = line.split_first()?;
    let (last, inner) = rest.split_last()?;
    if first != last || !matches!(first, b'"' | b'\'') {
        return None;
    }
    if !inner.contains(&b'\\') {
        return Some(latin1(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            text.push(char::from(byte));
            continue;
        }
        match bytes.next()? {
            b'\n' => {}
            b'a' => text.push('\u{7}'),
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'v' => text.push('\u{b}'),
            b'x' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                text.push(char::from_u32(high * 16 + low)?);
            }
            digit @ b'0'..=b'7' => {
                let mut code = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(next) = bytes.next_if(|byte| matches!(byte, b'0'..=b'7')) else {
                        break;
                    };
                    code = code * 8 + u32::from(next - b'0');
                }
                text.push(char::from_u32(code & 0xff)?);
            }
            quoted @ (b'\\' | b'\'' | b'"') => text.push(char::from(quoted)),
            other => text.extend(['\\', char::from(other)]),
        }
    }
    Some(Cow::Owned(text))
}

/// The raw-unicode-escape of UNICODE: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn raw_unicode(line: &[u8]) -> Option<Cow<'_, str>> {
    if !line.contains(&b'\\') {
        return Some(latin1(line));
    }
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            // A backslash that is doubled stands for both, and the second one escapes nothing.
            (b'\\', Some(b'\\')) => {
                text.push_str("\\\\");
                rest = after.get(1..)?;
                continue;
            }
            _ => {
                text.push(char::from(*byte));
                continue;
            }
        };
        let code = std::str::from_utf8(after.get(1..=digits)?).ok()?;
        let code = u32::from_str_radix(code, 16).ok()?;
        text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
        rest = after.get(digits + 1..)?;
    }
    Some(Cow::Owned(text))
}
