use std::fmt::Write as _;

/// A byte string as Python 2 prints it.
pub fn python2_repr(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        '"'
    } else {
        '\''
    };
    let mut text = String::from(quote);
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' if char::from(byte) == quote => {
                text.push('\\');
                text.push(quote);
            }
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                // Writing into a string cannot fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push(quote);
    text
}

/// Text as the opcode UNICODE wants it: all but printable ASCII is escaped.
pub fn raw_unicode_escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            ' '..='~' if letter != '\\' => escaped.push(letter),
            _ => {
                let code = u32::from(letter);
                let _ = if code < 0x1_0000 {
                    write!(escaped, "\\u{code:04x}")
                } else {
                    write!(escaped, "\\U{code:08x}")
                };
            }
        }
    }
    escaped
}
