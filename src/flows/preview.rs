//! The beginnings of files that runs gave.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::beneath::Beneath;
use crate::failure::Failure;

/// How much of a file is read at most, in bytes.
pub const MOST_BYTES: i32 = 64 << 10;

/// How the beginning of a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As text.
    Text,
    /// As the rows of a table.
    Table,
    /// As a picture, by whoever shows it.
    Picture,
    /// Not at all: it is no text.
    Binary,
}

impl Look {
    /// By the type that the template says, if it says one, else by the media type.
    pub fn of(kind: Option<&str>, media_type: &str, path: &str) -> Self {
        match kind {
            Some("csv") => return Self::Table,
            Some("image") => return Self::Picture,
            Some("json" | "plaintext") => return Self::Text,
            _ => {}
        }
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        match media_type {
            "text/csv" | "text/tab-separated-values" => Self::Table,
            _ if is_tsv(path) => Self::Table,
            _ if media_type.starts_with("image/") => Self::Picture,
            _ => Self::Text,
        }
    }
}

/// The beginning of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// How it is shown: what was taken for text may be none.
    pub look: Look,
    /// The text, if it is one.
    pub text: Option<String>,
    /// The rows, if it is a table: those that are there as a whole.
    pub rows: Option<Vec<Vec<String>>>,
    /// Is there more in the file?
    pub is_truncated: bool,
}

/// The beginning of a file below the results of a run; none: it is not there. At most so many bytes are read, and so many rows
/// shown.
///
/// # Errors
/// If it is there and cannot be read.
pub async fn read(
    results: PathBuf,
    path: String,
    look: Look,
    most_bytes: usize,
    most_rows: usize,
) -> Result<Option<Preview>, Failure> {
    let reading = move || -> io::Result<Option<Preview>> {
        let found = match head(&results, &path, look, most_bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        let (bytes, is_cut) = found;
        let separator = if is_tsv(&path) { '\t' } else { ',' };
        Ok(Some(show(bytes, is_cut, look, separator, most_rows)))
    };
    let read = tokio::task::spawn_blocking(reading).await?;
    read.map_err(Failure::internal)
}

fn is_tsv(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or_default();
    extension.eq_ignore_ascii_case("tsv") || extension.eq_ignore_ascii_case("tab")
}

/// The first bytes, and whether there are more.
fn head(results: &Path, path: &str, look: Look, most: usize) -> io::Result<(Vec<u8>, bool)> {
    let mut names: Vec<&str> = path.split('/').collect();
    let last = names.pop().unwrap_or_default();
    let mut folder = Beneath::open(&results.canonicalize()?)?;
    for name in names {
        folder = folder.folder(name)?;
    }
    let file = folder.file(last)?;
    if look == Look::Picture {
        return Ok((Vec::new(), false));
    }
    let mut bytes = Vec::with_capacity(most);
    let more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(more).read_to_end(&mut bytes)?;
    let is_cut = bytes.len() > most;
    bytes.truncate(most);
    Ok((bytes, is_cut))
}

fn show(bytes: Vec<u8>, is_cut: bool, look: Look, separator: char, most_rows: usize) -> Preview {
    let of = |look| Preview {
        look,
        text: None,
        rows: None,
        is_truncated: is_cut,
    };
    if look == Look::Picture {
        return of(look);
    }
    let Some(text) = text(bytes, is_cut) else {
        return of(Look::Binary);
    };
    if look != Look::Table {
        return Preview {
            text: Some(text),
            ..of(Look::Text)
        };
    }
    let (rows, is_all) = table(&text, separator, is_cut, most_rows);
    Preview {
        text: Some(text),
        rows: Some(rows),
        is_truncated: is_cut || !is_all,
        ..of(Look::Table)
    }
}

/// The bytes as text, without the part of a character at the end if they were cut there; none: they are none.
fn text(bytes: Vec<u8>, is_cut: bool) -> Option<String> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if is_cut && error.utf8_error().error_len().is_none() => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

/// The first rows of a table (RFC 4180), and whether these are all. Of a text that was cut, the last row is left out.
fn table(text: &str, separator: char, is_cut: bool, most: usize) -> (Vec<Vec<String>>, bool) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Vec::new();
    let (mut row, mut cell) = (Vec::new(), String::new());
    let (mut is_quoted, mut is_begun) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if is_quoted {
            match character {
                '"' if characters.peek() == Some(&'"') => {
                    characters.next();
                    cell.push('"');
                }
                '"' => is_quoted = false,
                _ => cell.push(character),
            }
            continue;
        }
        match character {
            '"' if cell.is_empty() => {
                is_quoted = true;
                is_begun = true;
            }
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                if rows.len() == most {
                    return (rows, false);
                }
                rows.push(std::mem::take(&mut row));
                is_begun = false;
            }
            _ if character == separator => {
                row.push(std::mem::take(&mut cell));
                is_begun = true;
            }
            _ => {
                cell.push(character);
                is_begun = true;
            }
        }
    }
    if !is_begun {
        return (rows, !is_cut);
    }
    if is_cut || rows.len() == most {
        return (rows, false);
    }
    row.push(cell);
    rows.push(row);
    (rows, true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str, is_cut: bool, most: usize) -> (Vec<Vec<String>>, bool) {
        table(text, ',', is_cut, most)
    }

    #[test]
    fn tables_are_read() {
        let (found, is_all) = rows("a,b\r\n\"x, \"\"y\"\"\",\n,\"1\n2\"", false, 10);
        assert_eq!(found, [["a", "b"], ["x, \"y\"", ""], ["", "1\n2"]]);
        assert!(is_all);
        assert_eq!(
            rows("a\nb\n", false, 2),
            (vec![vec!["a".into()], vec!["b".into()]], true)
        );
        assert_eq!(rows("a\nb\nc", false, 1), (vec![vec!["a".into()]], false));
        assert_eq!(rows("a\nb,c", true, 9), (vec![vec!["a".into()]], false));
        assert_eq!(rows("", false, 9), (Vec::new(), true));
        assert_eq!(rows("a", false, 0), (Vec::new(), false));
    }

    #[test]
    fn no_character_is_cut_in_two() {
        let bytes = "aü".as_bytes();
        assert_eq!(text(bytes[..2].to_vec(), true).as_deref(), Some("a"));
        assert_eq!(text(bytes[..2].to_vec(), false), None);
        assert_eq!(text(b"a\0b".to_vec(), false), None);
        assert_eq!(text(b"\xff".to_vec(), true), None);
    }

    #[test]
    fn looks_are_chosen() {
        assert_eq!(Look::of(Some("csv"), "text/plain", "a.txt"), Look::Table);
        assert_eq!(Look::of(None, "text/csv; charset=utf-8", "a"), Look::Table);
        assert_eq!(Look::of(None, "text/plain", "a.TSV"), Look::Table);
        assert_eq!(Look::of(None, "image/png", "a.png"), Look::Picture);
        assert_eq!(
            Look::of(Some("widget"), "application/json", "a"),
            Look::Text
        );
    }

    #[tokio::test]
    async fn only_what_is_beneath_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("results");
        fs::create_dir_all(results.join("sub")).unwrap();
        fs::write(results.join("sub/a.csv"), "a,b\n1,2\n3,4\n").unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        symlink("../secret", results.join("link")).unwrap();
        let read = async |path: &str, bytes| {
            let look = Look::of(None, "text/csv", path);
            super::read(results.clone(), path.to_owned(), look, bytes, 5).await
        };
        let found = read("sub/a.csv", 6).await.unwrap().unwrap();
        assert_eq!(found.rows.unwrap(), [["a", "b"]]);
        assert_eq!(
            (found.text.as_deref(), found.is_truncated),
            (Some("a,b\n1,"), true)
        );
        assert_eq!(read("none.csv", 6).await, Ok(None));
        for outside in ["link", "../secret", "sub/../../secret"] {
            assert!(!matches!(read(outside, 6).await, Ok(Some(_))), "{outside}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_shown(bytes in prop::collection::vec(any::<u8>(), 0..100), is_cut: bool, most in 0..4_usize) {
            for look in [Look::Text, Look::Table] {
                let shown = show(bytes.clone(), is_cut, look, ',', most);
                prop_assert!(shown.rows.is_none_or(|rows| rows.len() <= most));
            }
        }
    }
}
