//! The one form that Autosubmit gives to what can be written in several.

use super::tree::Tree;

/// Statuses after which a dependency is not met by any other one.
const EXACT_STATUSES: [&str; 6] = [
    "READY",
    "DELAYED",
    "PREPARED",
    "SKIPPED",
    "FAILED",
    "COMPLETED",
];

/// Brings a tree into that form. `complete`: all files are together, so that what a job lacks is filled in.
pub(super) fn normalise(tree: &mut Tree, complete: bool) {
    let Some(map) = tree.map_mut() else { return };
    if let Some(Tree::Map(default)) = map.get_mut("DEFAULT") {
        if let Some(Tree::Text(name)) = default.get_mut("HPCARCH") {
            *name = name.to_uppercase();
        }
        if let Some(Tree::Map(custom)) = default.get_mut("CUSTOM_CONFIG") {
            for value in custom.values_mut() {
                if let Tree::List(paths) = value {
                    let paths: Vec<_> = paths.iter().filter_map(Tree::text).collect();
                    *value = Tree::Text(paths.join(","));
                }
            }
        }
    }
    if let Some(Tree::Map(wrappers)) = map.get_mut("WRAPPERS") {
        wrappers.values_mut().for_each(wrapper);
    }
    if let Some(Tree::Map(jobs)) = map.get_mut("JOBS") {
        for section in jobs.values_mut() {
            job(section, complete);
        }
    }
}

fn wrapper(wrapper: &mut Tree) {
    let Some(map) = wrapper.map_mut() else { return };
    if let Some(kind) = map.get_mut("TYPE")
        && let Some(text) = kind.text()
    {
        *kind = Tree::Text(text.to_lowercase());
    }
    let Some(jobs) = map.get_mut("JOBS_IN_WRAPPER") else {
        return;
    };
    let names: Vec<String> = match &*jobs {
        Tree::Text(text) => {
            let bare = if text.contains('[') {
                // A list that has become text by a variable.
                let bare = text.trim_matches(['[', ']']);
                bare.replace(['\'', ' '], "").replace(',', " ")
            } else {
                text.clone()
            };
            match [',', '&'].into_iter().find(|mark| bare.contains(*mark)) {
                Some(mark) => bare.split(mark).map(str::to_owned).collect(),
                None => bare.split_whitespace().map(str::to_owned).collect(),
            }
        }
        Tree::List(names) => names.iter().filter_map(Tree::text).collect(),
        _ => return,
    };
    let names = names.iter().map(|name| upper(name));
    *jobs = Tree::List(names.collect());
}

fn job(section: &mut Tree, complete: bool) {
    let Some(map) = section.map_mut() else { return };
    if complete || map.contains_key("DEPENDENCIES") {
        let written = map.remove("DEPENDENCIES").unwrap_or_else(Tree::new);
        map.insert("DEPENDENCIES".into(), dependencies(written));
    }
    if let Some(directives @ Tree::List(_)) = map.get_mut("CUSTOM_DIRECTIVES") {
        *directives = Tree::Text(directives.python());
    }
    if complete || map.contains_key("FILE") {
        let mut files = files(map.get("FILE")).into_iter();
        let first = files.next().unwrap_or_default();
        map.insert("FILE".into(), Tree::Text(first));
        let more: Vec<_> = files.map(Tree::Text).collect();
        if !more.is_empty() {
            map.insert("ADDITIONAL_FILES".into(), Tree::List(more));
        }
    }
    if complete {
        map.entry("ADDITIONAL_FILES".into())
            .or_insert_with(|| Tree::List(Vec::new()));
    }
    if let Some(Tree::Text(time)) = map.get_mut("WALLCLOCK")
        && let Some(minutes) = without_seconds(time)
    {
        *time = minutes;
    }
    let statuses: Option<Vec<String>> = match map.get("NOTIFY_ON") {
        Some(Tree::Text(text)) if text.contains(',') => {
            Some(text.split(',').map(str::to_owned).collect())
        }
        Some(Tree::Text(text)) if !text.is_empty() => {
            Some(text.split_whitespace().map(str::to_owned).collect())
        }
        Some(Tree::List(items)) if !items.is_empty() => {
            Some(items.iter().filter_map(Tree::text).collect())
        }
        _ => None,
    };
    if let Some(statuses) = statuses {
        let statuses = statuses.iter().map(|status| upper(status));
        map.insert("NOTIFY_ON".into(), Tree::List(statuses.collect()));
    }
}

fn upper(name: &str) -> Tree {
    Tree::Text(name.trim().to_uppercase())
}

/// The names of a text, or the keys of a map with what they ask for.
fn dependencies(written: Tree) -> Tree {
    match written {
        Tree::Text(text) => {
            let names = text.split(' ').filter(|name| !name.is_empty());
            Tree::Map(
                names
                    .map(|name| (name.to_uppercase(), Tree::new()))
                    .collect(),
            )
        }
        Tree::Map(mut map) => {
            map.values_mut().for_each(dependency);
            Tree::Map(map)
        }
        _ => Tree::new(),
    }
}

fn dependency(asked: &mut Tree) {
    let Some(map) = asked.map_mut() else { return };
    let Some(Tree::Text(status)) = map.get("STATUS") else {
        return;
    };
    if status.is_empty() {
        return;
    }
    let status = status.to_uppercase();
    let known = map.get("ANY_FINAL_STATUS_IS_VALID").and_then(Tree::flag) == Some(true);
    let (status, any) = match status.strip_suffix('?') {
        Some(bare) if !known => (bare.to_owned(), true),
        _ => {
            let any = known || !EXACT_STATUSES.contains(&status.as_str());
            (status, any)
        }
    };
    map.insert("STATUS".into(), Tree::Text(status));
    if !known {
        map.insert("ANY_FINAL_STATUS_IS_VALID".into(), Tree::Bool(any));
    }
}

fn files(written: Option<&Tree>) -> Vec<String> {
    let names: Vec<String> = match written {
        Some(Tree::List(items)) => items.iter().filter_map(Tree::text).collect(),
        Some(scalar) => {
            let text = scalar.text().unwrap_or_default();
            let mark = [',', ' '].into_iter().find(|mark| text.contains(*mark));
            match mark {
                Some(mark) => text.split(mark).map(str::to_owned).collect(),
                None => vec![text],
            }
        }
        None => Vec::new(),
    };
    names
        .iter()
        .map(|name| name.trim_matches(' ').to_owned())
        .collect()
}

/// `HH:MM:SS` without its seconds; none for anything else.
fn without_seconds(time: &str) -> Option<String> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = time.split(':').collect();
    match parts.as_slice() {
        [hours, minutes, seconds]
            if (1..=2).contains(&hours.len())
                && minutes.len() == 2
                && seconds.len() == 2
                && parts.iter().all(|part| digits(part)) =>
        {
            Some(format!("{hours}:{minutes}"))
        }
        _ => None,
    }
}
