//! What kind of file it is, by its name.

/// The media type of a file of this name.
pub(crate) fn media_type(name: &str) -> &'static str {
    let guessed = mime_guess::from_path(name);
    guessed.first_raw().unwrap_or("application/octet-stream")
}
