//! `%VARIABLES%` in the texts of a configuration.
//!
//! `%NAME%` stands for a key of the tree and `%A.B.C%` for one below others, whatever their case; `%NAME^^%` and
//! `%NAME,,%` for it in capitals and in small letters; `%^NAME%` is replaced only when all files are together. What a
//! variable stands for may name others. What is unknown, empty or a map stays as it is, and so do names that Autosubmit
//! fills in for each job (`%d_%` and the like, and `CONFIG.SAFE_PLACEHOLDERS`).

use std::collections::{HashMap, HashSet};

use super::tree::Tree;

/// How many variables may stand for one another.
const MAX_DEPTH: usize = 25;
/// The longest text that a value may become, in bytes.
const MAX_VALUE: usize = 1 << 16;
/// Bytes that all replacements of a tree may give.
const MAX_TEXT: usize = 8 << 20;
/// Names that are filled in for each job.
const OF_JOBS: [&str; 8] = ["d", "d_", "Y", "Y_", "M", "M_", "m", "m_"];
/// The experiment's folder: where that is belongs to the server, so it stays a variable.
pub(super) const ROOTDIR: &str = "ROOTDIR";

/// Replaces the variables of all texts of a tree by what the tree itself holds. `last`: also `%^NAME%`. Gives what is
/// wrong with some of them.
pub(super) fn substitute(tree: &mut Tree, last: bool) -> Vec<String> {
    let mut any = false;
    tree.texts(&mut |text| any |= text.contains('%'));
    if !any {
        return Vec::new();
    }
    let mut variables = Variables::new(&[tree], last);
    let mut replaced = Vec::new();
    tree.texts(&mut |text| replaced.push(variables.replaced(text)));
    let problems = variables.problems;
    let mut replaced = replaced.into_iter();
    tree.texts_mut(&mut |text| {
        if let Some(new) = replaced.next().flatten() {
            *text = new;
        }
    });
    problems
}

/// Replaces the variables of one text by what the first of the trees holds that has them.
pub(super) fn expand(text: &str, trees: &[&Tree]) -> String {
    let replaced = Variables::new(trees, false).replaced(text);
    replaced.unwrap_or_else(|| text.to_owned())
}

struct Variables<'t> {
    trees: Vec<&'t Tree>,
    last: bool,
    kept: Vec<String>,
    known: HashMap<String, Option<String>>,
    /// The variables that are being looked up, each for the one before.
    open: Vec<String>,
    circular: HashSet<String>,
    text_left: usize,
    problems: Vec<String>,
}

impl<'t> Variables<'t> {
    fn new(trees: &[&'t Tree], last: bool) -> Self {
        let kept = trees
            .iter()
            .find_map(|tree| tree.get(&["CONFIG", "SAFE_PLACEHOLDERS"]));
        let kept = match kept {
            Some(Tree::Text(text)) => text
                .split([',', ' '])
                .map(|name| name.trim().to_owned())
                .collect(),
            Some(Tree::List(names)) => names.iter().filter_map(Tree::text).collect(),
            _ => Vec::new(),
        };
        Self {
            trees: trees.to_vec(),
            last,
            kept,
            known: HashMap::new(),
            open: Vec::new(),
            circular: HashSet::new(),
            text_left: MAX_TEXT,
            problems: Vec::new(),
        }
    }

    /// The text with its variables replaced; none if that changes nothing.
    fn replaced(&mut self, text: &str) -> Option<String> {
        if !text.contains('%') {
            return None;
        }
        let new = self.expand(text).filter(|new| new != text)?;
        let Some(left) = self.text_left.checked_sub(new.len()) else {
            self.problem("its variables make it too large; some stay as they are".into());
            return None;
        };
        self.text_left = left;
        Some(new)
    }

    fn problem(&mut self, message: String) {
        if !self.problems.contains(&message) && self.problems.len() < 20 {
            self.problems.push(message);
        }
    }

    /// None if the text would become too long.
    fn expand(&mut self, text: &str) -> Option<String> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            result.push_str(before);
            let Some(variable) = Variable::parse(after, self.last) else {
                result.push('%');
                rest = after;
                continue;
            };
            if let Some(value) = self.value(&variable) {
                result.push_str(&value);
            } else {
                for part in ["%", variable.written, "%"] {
                    result.push_str(part);
                }
            }
            rest = variable.behind;
            if result.len() > MAX_VALUE.max(text.len()) {
                let name = variable.name.to_uppercase();
                self.problem(format!(
                    "what the variable {name} is part of becomes too long"
                ));
                return None;
            }
        }
        result.push_str(rest);
        Some(result)
    }

    fn value(&mut self, variable: &Variable<'_>) -> Option<String> {
        if OF_JOBS.contains(&variable.name) || self.kept.iter().any(|kept| kept == variable.name) {
            return None;
        }
        let value = self.lookup(variable.name.to_uppercase())?;
        Some(match variable.case {
            Case::Kept => value,
            Case::Upper => value.to_uppercase(),
            Case::Lower => value.to_lowercase(),
        })
    }

    fn lookup(&mut self, name: String) -> Option<String> {
        if name == ROOTDIR || self.circular.contains(&name) {
            return None;
        }
        if let Some(known) = self.known.get(&name) {
            return known.clone();
        }
        if let Some(place) = self.open.iter().position(|open| *open == name) {
            let circle = self.open.get(place..).unwrap_or_default().to_vec();
            self.problem(format!(
                "variables stand for one another in a circle: {} and {name} again",
                circle.join(", ")
            ));
            self.circular.extend(circle);
            return None;
        }
        if self.open.len() >= MAX_DEPTH {
            self.problem(format!("the variable {name} stands behind too many others"));
            return None;
        }
        let path: Vec<&str> = name.split('.').map(|key| key.trim_matches('^')).collect();
        let found = self.trees.iter().find_map(|tree| tree.get(&path)).cloned();
        let value = match found {
            Some(Tree::Text(text)) if text.is_empty() => None,
            Some(Tree::Text(text)) if text.contains('%') => {
                self.open.push(name.clone());
                let value = self.expand(&text);
                self.open.pop();
                value.filter(|_| !self.circular.contains(&name))
            }
            Some(Tree::Text(text)) => Some(text),
            Some(Tree::List(items)) if items.is_empty() => None,
            Some(other @ (Tree::Bool(_) | Tree::Number(_) | Tree::List(_))) => Some(other.python()),
            Some(Tree::Null | Tree::Map(_)) | None => None,
        };
        let value = value.filter(|value| value.len() <= MAX_VALUE);
        self.known.insert(name, value.clone());
        value
    }
}

#[derive(Clone, Copy)]
enum Case {
    Kept,
    Upper,
    Lower,
}

/// A variable in a text.
struct Variable<'a> {
    name: &'a str,
    case: Case,
    /// What stands between the percent signs.
    written: &'a str,
    /// What follows the second one.
    behind: &'a str,
}

impl<'a> Variable<'a> {
    /// The variable whose first percent sign stands before this text.
    fn parse(text: &'a str, last: bool) -> Option<Self> {
        let inner = match text.strip_prefix('^') {
            // `%^^%` is a name of no letters in capitals.
            Some(inner) if !inner.starts_with('^') => last.then_some(inner)?,
            _ => text,
        };
        let end = inner
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))
            .unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        let (case, rest) = if let Some(rest) = rest.strip_prefix("^^") {
            (Case::Upper, rest)
        } else if let Some(rest) = rest.strip_prefix(",,") {
            (Case::Lower, rest)
        } else {
            (Case::Kept, rest)
        };
        let behind = rest.strip_prefix('%')?;
        let written = text.get(..text.len() - behind.len() - 1)?;
        Some(Self {
            name,
            case,
            written,
            behind,
        })
    }
}
