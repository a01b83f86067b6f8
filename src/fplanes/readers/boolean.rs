//! Yes and no as people and programs of the observatory write them.

/// Reads a yes or no: `true`, `1`, `yes`, `on`, `t`, `y` and their opposites, in any case. None: neither.
pub fn read_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::read_bool;

    #[test]
    fn words_of_both_kinds_and_neither() {
        for text in ["true", "True", "1", "YES", " on ", "t", "y"] {
            assert_eq!(read_bool(text), Some(true), "{text}");
        }
        for text in ["false", "0", "no", "OFF", "f", "n"] {
            assert_eq!(read_bool(text), Some(false), "{text}");
        }
        for text in ["", "2", "maybe", "yess", "-1"] {
            assert_eq!(read_bool(text), None, "{text}");
        }
    }
}
