//! The names of annotations, overlays and tags: those of their files.

/// The longest name, in characters.
pub const MAX_LENGTH: usize = 80;

/// Whether dtool allows a name: letters, digits, `_`, `.` and `-`, at most 80. Names are those of files.
pub fn is_valid(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_file = !matches!(name, "" | "." | "..");
    is_file && name.len() <= MAX_LENGTH && name.chars().all(allowed)
}

/// The name of an annotation or overlay by that of its file.
pub(super) fn of_json(file: &str) -> Result<&str, String> {
    let name = file.strip_suffix(".json");
    let name = name.ok_or_else(|| "is not read: its name does not end in .json".to_owned())?;
    check(name)
}

/// The same for a tag.
pub(super) fn of_tag(file: &str) -> Result<&str, String> {
    check(file)
}

fn check(name: &str) -> Result<&str, String> {
    is_valid(name).then_some(name).ok_or_else(|| {
        format!(
            "is not read: its name is not of the form that dtool allows (at most {MAX_LENGTH} letters, digits, _ . -)"
        )
    })
}
