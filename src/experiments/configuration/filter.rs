//! What of a configuration is not for everybody who may read experiments.
//!
//! Left out, since they are no part of the experiment:
//! - what Autosubmit adds of its server's settings ([`OF_SERVER`]), and `ROOTDIR`;
//! - `AS_ENV…`: variables of the environment of whoever ran it; `AS_TEMP`: Autosubmit's scratch pad.
//!
//! Replaced by a mark ([`HIDDEN`]), since they look like secrets:
//! - what stands under a key whose name says so ([`SECRET_PARTS`], [`SECRET_WORDS`]); names of jobs, platforms,
//!   wrappers and of sections of INI files are none of these keys;
//! - in any text: the password in an address (`https://user:password@host`), what is assigned to such a name
//!   (`TOKEN=…` in a script), what follows `Bearer`, tokens of known shapes, and private keys in PEM form.
//!
//! Paths in the experiment's folder begin with `%ROOTDIR%`, and those elsewhere in the root with `%LOCAL_ROOT_DIR%`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What stands in the place of a secret.
pub const HIDDEN: &str = "[hidden]";

/// Keys at the top that are settings of Autosubmit's server, whoever set them in a file.
pub const OF_SERVER: [&str; 28] = [
    "ALLOWED_HOSTS",
    "AS_TEMP",
    "AS_TIMES_DB",
    "AUTOSUBMIT_API_URL",
    "CONFIG_FILE_FOUND",
    "CUSTOM_PLATFORMS_PATH",
    "DATABASE_BACKEND",
    "DATABASE_CONN_URL",
    "DB_DIR",
    "DB_FILE",
    "DB_PATH",
    "DEFAULT_JOBS_CONF",
    "DEFAULT_OUTPUT_DIR",
    "DEFAULT_PLATFORMS_CONF",
    "DENIED_HOSTS",
    "GLOBAL_LOG_DIR",
    "HISTORICAL_LOG_DIR",
    "JOBDATA_DIR",
    "LOCAL_ASLOG_DIR",
    "LOCAL_PROJ_DIR",
    "LOCAL_ROOT_DIR",
    "LOCAL_TMP_DIR",
    "LOG_RECOVERY_TIMEOUT",
    "MAIL_FROM",
    "ROOTDIR",
    "SMTP_SERVER",
    "STRUCTURES_DIR",
    "GRAPHDATA_DIR",
];
/// Variables of the environment.
const ENVIRONMENT: &str = "AS_ENV";
/// A key with one of these in it, whatever its case and the signs between its letters, names a secret.
const SECRET_PARTS: [&str; 12] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASSCODE",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "PRIVATEKEY",
    "APIKEY",
    "ACCESSKEY",
    "SSHKEY",
    "CONNECTIONSTRING",
];
/// A key with one of these as a word of its own.
const SECRET_WORDS: [&str; 3] = ["PASS", "PWD", "AUTH"];
/// Maps whose keys are names that people chose.
const NAMES: [&str; 9] = [
    "JOBS",
    "PLATFORMS",
    "WRAPPERS",
    "DEPENDENCIES",
    "conf",
    "exp",
    "jobs",
    "platforms",
    "proj",
];
/// How tokens begin that are told by their looks, and how many letters and digits follow at least.
const TOKENS: [(&str, usize); 9] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("AKIA", 16),
    ("eyJhbGciOi", 20),
];

/// What may be shown of a configuration of an experiment in the folder `home` in the root `above`. Keys are in order.
pub fn shown(configuration: Value, home: &str, above: &str) -> Value {
    let Value::Object(map) = configuration else {
        return Value::Null;
    };
    let shown = map
        .into_iter()
        .filter(|(key, _)| !OF_SERVER.contains(&key.as_str()) && !key.starts_with(ENVIRONMENT));
    let filter = Filter { home, above };
    let mut shown: BTreeMap<String, Value> = shown
        .map(|(key, value)| {
            let secret = is_secret(&key);
            let names = NAMES.contains(&key.as_str());
            let value = filter.value(value, secret, names);
            (key, value)
        })
        .collect();
    if let Some(Value::String(folder)) = shown.get_mut("PROJDIR") {
        // Versions of Autosubmit differ in the slash at its end.
        folder.truncate(folder.trim_end_matches('/').len());
    }
    Value::Object(shown.into_iter().collect())
}

struct Filter<'a> {
    home: &'a str,
    above: &'a str,
}

impl Filter<'_> {
    /// `secret`: it stands under a key that names a secret. `names`: its own keys are names.
    fn value(&self, value: Value, secret: bool, names: bool) -> Value {
        match value {
            Value::Object(map) => Value::Object(self.map(map, secret, names)),
            Value::Array(items) => {
                let items = items.into_iter();
                Value::Array(items.map(|item| self.value(item, secret, false)).collect())
            }
            Value::String(text) if secret && !is_reference(&text) => Value::String(HIDDEN.into()),
            Value::Number(_) if secret => Value::String(HIDDEN.into()),
            Value::String(text) => Value::String(self.text(text)),
            other => other,
        }
    }

    fn map(&self, map: Map<String, Value>, secret: bool, names: bool) -> Map<String, Value> {
        let sorted: BTreeMap<String, Value> = map
            .into_iter()
            .map(|(key, value)| {
                let secret = secret || (!names && is_secret(&key));
                let names = !names && NAMES.contains(&key.as_str());
                let value = self.value(value, secret, names);
                (key, value)
            })
            .collect();
        sorted.into_iter().collect()
    }

    fn text(&self, text: String) -> String {
        let text = path(text, self.home, "%ROOTDIR%");
        let text = path(text, self.above, "%LOCAL_ROOT_DIR%");
        let text = addresses(text);
        let text = assignments(text);
        let text = tokens(text);
        private_keys(text)
    }
}

/// Whether a key names a secret.
fn is_secret(key: &str) -> bool {
    let letters: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    SECRET_PARTS.iter().any(|part| letters.contains(part))
        || key
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| SECRET_WORDS.iter().any(|it| it.eq_ignore_ascii_case(word)))
}

/// Nothing, or the name of a variable that somebody else fills in.
fn is_reference(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['"', '\'']);
    text.is_empty() || text.starts_with('$') || (text.starts_with('%') && text.ends_with('%'))
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Puts a mark in the place of a folder, where a path begins with it.
fn path(text: String, folder: &str, mark: &str) -> String {
    if folder.len() < 2 || !text.contains(folder) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(place) = rest.find(folder) {
        let (before, after) = rest.split_at(place);
        let (folder, after) = after.split_at(folder.len());
        let begins = !before
            .chars()
            .next_back()
            .or_else(|| shown.chars().next_back())
            .is_some_and(|c| is_path(c) || c == '/');
        let ends = !after.chars().next().is_some_and(is_path);
        shown.push_str(before);
        shown.push_str(if begins && ends { mark } else { folder });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// Hides passwords in addresses.
fn addresses(text: String) -> String {
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some(place) = rest.find("://") {
        let (before, after) = rest.split_at(place + 3);
        shown.push_str(before);
        let end = after
            .find(|c: char| {
                c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>')
            })
            .unwrap_or(after.len());
        let (host, behind) = after.split_at(end);
        match host
            .rsplit_once('@')
            .and_then(|(who, at)| Some((who.split_once(':')?, at)))
        {
            Some(((user, password), at)) if !is_reference(password) => {
                for part in [user, ":", HIDDEN, "@", at] {
                    shown.push_str(part);
                }
            }
            _ => shown.push_str(host),
        }
        rest = behind;
    }
    if shown.is_empty() {
        return text;
    }
    shown.push_str(rest);
    shown
}

/// Hides what a script or a command assigns to names of secrets (`NAME=value`, `--name=value`), and what follows
/// `Bearer`.
fn assignments(text: String) -> String {
    if !text.contains('=') && !text.contains("earer ") {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(place) = rest.find(['=', ' ']) {
        let (before, after) = rest.split_at(place + 1);
        shown.push_str(before);
        rest = after;
        let before = before.get(..place).unwrap_or_default();
        let name_at = before.rfind(|c: char| !is_path(c)).map_or(0, |at| {
            at + before
                .get(at..)
                .and_then(|it| it.chars().next())
                .map_or(1, char::len_utf8)
        });
        let name = before.get(name_at..).unwrap_or_default();
        let assigned = shown.ends_with('=') && is_secret(name);
        let borne = shown.ends_with(' ') && name.eq_ignore_ascii_case("bearer");
        if !assigned && !borne {
            continue;
        }
        let value = first_word(after);
        if !value.is_empty() && !is_reference(value) {
            shown.push_str(HIDDEN);
            rest = after.get(value.len()..).unwrap_or_default();
        }
    }
    shown.push_str(rest);
    shown
}

/// The first word of a shell's text, with its quotes.
fn first_word(text: &str) -> &str {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let end = match quote {
        Some(quote) => text
            .char_indices()
            .skip(1)
            .find(|(_, c)| *c == quote)
            .map(|(at, _)| at + 1),
        None => text
            .find(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '"' | '\'' | ')')),
    };
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

/// Hides tokens of known shapes.
fn tokens(mut text: String) -> String {
    for (begin, least) in TOKENS {
        if !text.contains(begin) {
            continue;
        }
        let mut shown = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(place) = rest.find(begin) {
            let (before, after) = rest.split_at(place);
            shown.push_str(before);
            let end = begin.len()
                + after
                    .get(begin.len()..)
                    .unwrap_or_default()
                    .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
                    .unwrap_or(after.len() - begin.len());
            let (token, behind) = after.split_at(end);
            let inside = before
                .chars()
                .next_back()
                .is_some_and(|c| c.is_ascii_alphanumeric());
            shown.push_str(if token.len() >= begin.len() + least && !inside {
                HIDDEN
            } else {
                token
            });
            rest = behind;
        }
        shown.push_str(rest);
        text = shown;
    }
    text
}

/// Hides private keys in PEM form.
fn private_keys(text: String) -> String {
    const END: &str = "PRIVATE KEY-----";
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some(place) = rest.find("-----BEGIN ") {
        let (before, after) = rest.split_at(place);
        let Some(header) = after.find(END).filter(|at| *at < 40) else {
            let (begin, behind) = after.split_at("-----BEGIN ".len());
            shown.push_str(before);
            shown.push_str(begin);
            rest = behind;
            continue;
        };
        let body = after.get(header + END.len()..).unwrap_or_default();
        shown.push_str(before);
        shown.push_str(HIDDEN);
        // A key that does not end is hidden to the end.
        rest = match body.find(END) {
            Some(end) => body.get(end + END.len()..).unwrap_or_default(),
            None => "",
        };
    }
    if shown.is_empty() {
        return text;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> String {
        let filter = Filter {
            home: "/srv/autosubmit/a000",
            above: "/srv/autosubmit",
        };
        filter.text(text.to_owned())
    }

    #[test]
    fn what_is_the_servers_is_left_out() {
        let mut all: Map<String, Value> = OF_SERVER
            .iter()
            .map(|key| ((*key).to_owned(), json!("x")))
            .collect();
        all.insert("AS_ENV_CURRENT_USER".into(), json!("root"));
        all.insert("JOBS".into(), json!({ "DB_DIR": { "PLATFORM": "LOCAL" } }));
        let shown = shown(Value::Object(all), "/r/a000", "/r");
        assert_eq!(
            shown,
            json!({ "JOBS": { "DB_DIR": { "PLATFORM": "LOCAL" } } })
        );
    }

    #[test]
    fn keys_that_name_secrets_hide_what_they_hold() {
        let shown = shown(
            json!({
                "GIT": { "ACCESS_TOKEN": "abc", "db-password": 12, "Api_Key": ["x", ""], "PRIVATE_KEY": { "A": "b", "C": null } },
                "MAIL": { "SMTP_PASS": "x", "PASSING": "x", "USE_TOKEN": true, "TOKEN_FILE": "%TOKEN%", "PASSWORD": "$PW" },
                "JOBS": { "TOKEN_REFRESH": { "FILE": "a.sh", "DEPENDENCIES": { "SECRET_JOB": { "STATUS": "READY" } } } },
            }),
            "",
            "",
        );
        assert_eq!(
            shown,
            json!({
                "GIT": { "ACCESS_TOKEN": HIDDEN, "db-password": HIDDEN, "Api_Key": [HIDDEN, ""], "PRIVATE_KEY": { "A": HIDDEN, "C": null } },
                "MAIL": { "SMTP_PASS": HIDDEN, "PASSING": "x", "USE_TOKEN": true, "TOKEN_FILE": "%TOKEN%", "PASSWORD": "$PW" },
                "JOBS": { "TOKEN_REFRESH": { "FILE": "a.sh", "DEPENDENCIES": { "SECRET_JOB": { "STATUS": "READY" } } } },
            })
        );
    }

    #[test]
    fn texts_show_no_secrets() {
        for (given, expected) in [
            (
                "https://ada:pw@host/x git://b",
                "https://ada:[hidden]@host/x git://b",
            ),
            (
                "git@host:x https://git@host/y",
                "git@host:x https://git@host/y",
            ),
            ("https://ada:%PW%@host", "https://ada:%PW%@host"),
            (
                "export MY_TOKEN=abc; run --api-key='x y' --n=3",
                "export MY_TOKEN=[hidden]; run --api-key=[hidden] --n=3",
            ),
            ("TOKEN=$(cat f) A=b", "TOKEN=$(cat f) A=b"),
            (
                "curl -H 'Authorization: Bearer abc.def'",
                "curl -H 'Authorization: Bearer [hidden]'",
            ),
            ("x ghp_0123456789abcdefghij y", "x [hidden] y"),
            (
                "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b",
                "a [hidden] b",
            ),
            ("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
            (
                "/srv/autosubmit/a000/proj:/srv/autosubmit/a0001",
                "%ROOTDIR%/proj:%LOCAL_ROOT_DIR%/a0001",
            ),
            (
                "x/srv/autosubmit/a000 /srv/autosubmit/a000",
                "x/srv/autosubmit/a000 %ROOTDIR%",
            ),
            ("plain = text", "plain = text"),
        ] {
            assert_eq!(text(given), expected);
        }
    }

    proptest! {
        #[test]
        fn a_password_never_shows(before in "\\PC{0,12}", user in "[a-z]{1,5}", after in "\\PC{0,12}") {
            let given = format!("{before} https://{user}:hunter2secret@host/{after}");
            prop_assert!(!text(&given).contains("hunter2secret"));
            let given = format!("{before} DB_PASSWORD=hunter2secret {after}");
            prop_assert!(!text(&given).contains("hunter2secret"));
        }

        #[test]
        fn any_text_can_be_filtered(given in "([=: '\"%$@/-]|://|-----BEGIN |PRIVATE KEY-----|TOKEN|Bearer|ghp_|\\PC){0,30}") {
            // It ends, and adds nothing but marks.
            let marks = text(&given).matches(HIDDEN).count();
            prop_assert!(text(&given).len() <= given.len() + marks * HIDDEN.len());
        }
    }
}
