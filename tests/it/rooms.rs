//! Who may import whom: data flows one way through the rooms of `src`, as `docs/architecture.md` draws them.

use std::fs;
use std::path::{Path, PathBuf};

/// A room (a folder or file below `src`) and what must not be named in it.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("entity", &["crate::", "async_graphql", "axum"]),
    (
        "experiments/readers",
        &[
            "crate::database",
            "crate::entity",
            "crate::graphql",
            "crate::http",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "engine",
        &[
            "crate::config",
            "crate::database",
            "crate::entity",
            "crate::events",
            "crate::experiments",
            "crate::flows",
            "crate::graphql",
            "crate::http",
            "crate::workers",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "experiments/actions",
        &["crate::graphql", "crate::http", "async_graphql", "axum"],
    ),
    (
        "experiments",
        &["crate::graphql", "crate::http", "async_graphql", "axum"],
    ),
    (
        "datasets/readers",
        &[
            "crate::database",
            "crate::entity",
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "datasets",
        &[
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "fplanes/readers",
        &[
            "crate::database",
            "crate::datasets",
            "crate::entity",
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "flows/template",
        &[
            "crate::config",
            "crate::database",
            "crate::datasets",
            "crate::engine",
            "crate::entity",
            "crate::events",
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "crate::workers",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "flows/parameters",
        &[
            "crate::config",
            "crate::database",
            "crate::datasets",
            "crate::engine",
            "crate::entity",
            "crate::events",
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "crate::workers",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "flows/commands",
        &[
            "crate::config",
            "crate::database",
            "crate::datasets",
            "crate::engine",
            "crate::entity",
            "crate::events",
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "crate::workers",
            "sea_orm",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "flows/read",
        &["crate::graphql", "crate::http", "async_graphql", "axum"],
    ),
    (
        "flows",
        &[
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "fplanes",
        &[
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "async_graphql",
            "axum",
        ],
    ),
    ("yaml", &["crate::"]),
    (
        "events",
        &["crate::graphql", "crate::http", "async_graphql", "axum"],
    ),
    (
        "workers",
        &[
            "crate::experiments",
            "crate::graphql",
            "crate::http",
            "async_graphql",
            "axum",
        ],
    ),
    (
        "auth",
        &["crate::graphql", "crate::http", "async_graphql", "axum"],
    ),
    (
        "downloads",
        &[
            "sea_orm",
            "sqlx",
            "rusqlite",
            "async_graphql",
            "crate::entity",
        ],
    ),
    (
        "hooks",
        &[
            "sea_orm",
            "sqlx",
            "rusqlite",
            "async_graphql",
            "crate::entity",
            "crate::database",
        ],
    ),
    ("links", &["crate::"]),
    (
        "graphql",
        &[
            "sea_orm",
            "sqlx",
            "rusqlite",
            "crate::http",
            "crate::downloads",
            "axum",
        ],
    ),
    (
        "http",
        &[
            "sea_orm",
            "rusqlite",
            "crate::database",
            "crate::downloads",
            "crate::entity",
            "crate::experiments",
        ],
    ),
];

#[test]
fn no_room_imports_from_above() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut offences = Vec::new();
    for (room, forbidden) in FORBIDDEN {
        let mut files = files(&source.join(room));
        files.push(source.join(format!("{room}.rs")));
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                // The driver is no part of the mapper that passes it on.
                let line = &line.replace("sea_orm::sqlx", "sqlx");
                for word in *forbidden {
                    if names(line, word) {
                        offences.push(format!("{}: {}", file.display(), line.trim()));
                    }
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// Is the word in the line, and not just the beginning or end of another?
fn names(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part) && (word.ends_with(':') || !after.is_some_and(part))
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
