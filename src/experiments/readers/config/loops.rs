//! `FOR`: one section that stands for several.
//!
//! `SIM: {FOR: {NAME: [a, b], MEMBERS: [x, y]}, …}` becomes `SIM_A` and `SIM_B`, each with the rest of the section, its
//! `NAME`, and its value of every other list.

use std::collections::BTreeMap;

use super::{tree::Tree, variables};

/// The most nodes that a tree may have once its loops are unrolled, as [`Tree::size`] counts.
const MAX_NODES: usize = 500_000;
/// What is wrong with a loop that makes it larger.
const TOO_LARGE: &str = "makes the configuration too large";
/// How many problems of one tree are told.
const MAX_PROBLEMS: usize = 20;

/// Unrolls all loops of a tree; gives what is wrong with some of them.
pub(super) fn unroll(tree: &mut Tree) -> Vec<String> {
    let mut problems = Vec::new();
    if has_loop(tree) {
        let mut left = MAX_NODES.saturating_sub(tree.size());
        below(tree, &mut left, &mut problems);
    }
    problems.dedup();
    problems
}

fn has_loop(tree: &Tree) -> bool {
    match tree {
        Tree::Map(map) => {
            matches!(map.get("FOR"), Some(Tree::Map(_))) || map.values().any(has_loop)
        }
        _ => false,
    }
}

fn below(tree: &mut Tree, left: &mut usize, problems: &mut Vec<String>) {
    let Some(map) = tree.map_mut() else { return };
    let sections: Vec<String> = map
        .iter()
        .filter(|(_, section)| matches!(section.get(&["FOR"]), Some(Tree::Map(_))))
        .map(|(name, _)| name.clone())
        .collect();
    for name in sections {
        let Some(section) = map.remove(&name) else {
            continue;
        };
        match copies(&name, section, left, problems) {
            Ok(copies) => map.extend(copies),
            Err((message, section)) => {
                tell(problems, || format!("the loop of {name} {message}"));
                // So that it is not looked at again.
                let mut section = *section;
                section.remove("FOR");
                map.insert(name, section);
            }
        }
    }
    for section in map.values_mut() {
        if has_loop(section) {
            below(section, left, problems);
        }
    }
}

fn tell(problems: &mut Vec<String>, problem: impl FnOnce() -> String) {
    if problems.len() < MAX_PROBLEMS {
        problems.push(problem());
    }
}

type Refused = (String, Box<Tree>);

fn copies(
    name: &str,
    mut section: Tree,
    left: &mut usize,
    problems: &mut Vec<String>,
) -> Result<BTreeMap<String, Tree>, Refused> {
    let lists = section.map_mut().and_then(|map| map.remove("FOR"));
    let Some(Tree::Map(lists)) = lists else {
        return Err(("is none".into(), Box::new(section)));
    };
    let mut lists: BTreeMap<String, Vec<Tree>> = lists
        .into_iter()
        .map(|(key, list)| (key, values(list)))
        .collect();
    let Some(names) = lists.remove("NAME") else {
        return Err(("has no list NAME".into(), Box::new(section)));
    };
    let size = section.size();
    let copied = size
        .saturating_add(lists.len())
        .saturating_mul(names.len())
        .saturating_add(lists.values().flatten().map(Tree::size).sum());
    let Some(rest) = left.checked_sub(copied) else {
        return Err((TOO_LARGE.into(), Box::new(section)));
    };
    *left = rest;
    let mut copies = BTreeMap::new();
    for (place, own) in names.into_iter().enumerate() {
        let Some(own_name) = own.text() else { continue };
        let copy_name = format!("{name}_{}", own_name.to_uppercase());
        if copy_name.contains('%') {
            tell(problems, || {
                format!("the loop of {name} has a name with an unknown variable: {own_name}")
            });
            continue;
        }
        let mut copy = section.clone();
        copy.set("NAME", own);
        variables::substitute(&mut copy, false);
        // What its variables made of it.
        let Some(rest) = left.checked_sub(copy.size().saturating_sub(size)) else {
            return Err((TOO_LARGE.into(), Box::new(section)));
        };
        *left = rest;
        for (key, values) in &lists {
            match values.get(place) {
                Some(value) => copy.set(key, value.clone()),
                None => tell(problems, || {
                    format!("the loop of {name} has too few values of {key}")
                }),
            }
        }
        copies.insert(copy_name, copy);
    }
    Ok(copies)
}

/// The values of a list; all but maps as text, as Autosubmit does. A text is a list with commas, bare or in brackets.
fn values(list: Tree) -> Vec<Tree> {
    match list {
        Tree::List(items) if matches!(items.first(), Some(Tree::Map(_))) => items,
        Tree::List(items) => {
            let texts = items.iter().map(|item| match item {
                Tree::Text(text) => text.clone(),
                other => other.python(),
            });
            split(&texts.collect::<Vec<_>>().join(","))
        }
        Tree::Text(text) => split(&text),
        scalar => scalar.text().map(Tree::Text).into_iter().collect(),
    }
}

fn split(text: &str) -> Vec<Tree> {
    let bare = text.trim_matches(['[', ']']);
    bare.split(',')
        .map(|value| Tree::Text(value.trim_matches(['\'', ' ']).to_owned()))
        .collect()
}
