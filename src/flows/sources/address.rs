//! URLs of repositories, as far as labql looks at them.

use crate::failure::Failure;

/// The longest URL, in bytes.
const LONGEST: usize = 2_000;
/// What stands for what nobody is shown.
const MASK: &str = "***";

/// Refuses what is no URL, or would be an option of git.
pub(super) fn check(url: &str) -> Result<(), Failure> {
    let message = if url.is_empty() || url.len() > LONGEST {
        format!("the URL has from 1 to {LONGEST} bytes")
    } else if url.starts_with('-') {
        "a URL does not begin with -".to_owned()
    } else if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        "a URL has no blanks in it".to_owned()
    } else {
        return Ok(());
    };
    Err(Failure::bad_input("git", message))
}

/// A URL without passwords: those of the user, and whatever follows a question mark.
pub(super) fn mask(url: &str) -> String {
    let (base, rest) = match url.find(['?', '#']) {
        Some(at) => (url.get(..at).unwrap_or_default(), MASK),
        None => (url, ""),
    };
    let mark = url.get(base.len()..=base.len()).unwrap_or_default();
    let Some((scheme, after)) = base.split_once("://") else {
        // `user@host:path`, which has no place for a password.
        return format!("{base}{mark}{rest}");
    };
    let (authority, path) = match after.find('/') {
        Some(at) => after.split_at(at),
        None => (after, ""),
    };
    let authority = match authority.rsplit_once('@') {
        None => authority.to_owned(),
        // The name alone may be a token, but for ssh.
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{host}"),
            None if scheme.ends_with("ssh") => format!("{user}@{host}"),
            None => format!("{MASK}@{host}"),
        },
    };
    format!("{scheme}://{authority}{path}{mark}{rest}")
}

/// What git says of a URL, without its passwords.
pub(super) fn mask_in(words: &str, url: &str) -> String {
    let mut words = words.replace(url, &mask(url));
    let after = url.split_once("://").map_or("", |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user.map(|user| user.split_once(':').map_or(user, |(_, password)| password));
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        words = words.replace(password, MASK);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        for (url, shown) in [
            ("https://host/a/b.git", "https://host/a/b.git"),
            ("https://me:secret@host/a.git", "https://me:***@host/a.git"),
            ("https://token@host/a.git", "https://***@host/a.git"),
            ("https://a:b@c@host/x", "https://a:***@host/x"),
            ("ssh://git@host/a.git", "ssh://git@host/a.git"),
            ("git@host:a/b.git", "git@host:a/b.git"),
            ("https://host/a.git?token=x#y", "https://host/a.git?***"),
            ("https://me:p@host", "https://me:***@host"),
            ("https://host?me:p@x", "https://host?***"),
            ("/srv/repo", "/srv/repo"),
            ("", ""),
        ] {
            assert_eq!(mask(url), shown, "{url}");
        }
        let words = "fatal: unable to access 'https://me:secret@host/a/': secret";
        let shown = mask_in(words, "https://me:secret@host/a");
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        assert!(check("https://host/a.git").is_ok());
        assert!(check("git@host:a.git").is_ok());
        for url in [
            "",
            "--upload-pack=x",
            "-x",
            "a b",
            "a\nb",
            "a\0b",
            &"x".repeat(3000),
        ] {
            assert!(check(url).is_err(), "{url:?}");
        }
    }
}
