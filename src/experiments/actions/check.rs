//! What the arguments of actions may be.
//!
//! Autosubmit writes some of them into files that it, or a shell that it calls, reads later: platforms and repositories go
//! into the configuration, and `git clone` is called through a shell. So these have forms that mean nothing to any of
//! them. A description goes into a database and nowhere else, and may be any text that does no harm to a terminal.

use super::Invalid;
use super::action::{Action, Create, SetStatus};
use crate::experiments::readers::Expid;
use crate::experiments::status::JobStatus;

/// The longest description, in bytes: an argument of a program can hold a little more.
const MAX_DESCRIPTION: usize = 16 * 1024;
/// The longest of all other texts, in bytes.
const MAX_TEXT: usize = 2000;
/// The longest list of names or filters in one argument, in bytes. Linux takes 128 KiB.
const MAX_LIST: usize = 100 * 1024;

/// How many faults are told at most.
const MOST_FAULTS: usize = 20;

/// What is wrong with an action; of very much that is wrong the beginning.
pub(super) fn check(action: &Action) -> Vec<Invalid> {
    let mut faults = Faults(Vec::new());
    if let Some(expid) = action.expid() {
        faults.expid("expid", expid);
    }
    match action {
        Action::Run { .. } | Action::Stop { .. } | Action::CreateJobList { .. } => {}
        Action::Create(create) => faults.create(create),
        Action::SetStatus(set) => faults.set_status(set),
        Action::Describe { description, .. } => {
            faults.description(description);
            if description == "--" {
                // Python's argparse takes it for the end of options a second time.
                faults.add("description", "Autosubmit cannot take -- as a description");
            }
        }
    }
    faults.0
}

struct Faults(Vec<Invalid>);

impl Faults {
    fn add(&mut self, field: &'static str, message: impl Into<String>) {
        if self.0.len() < MOST_FAULTS {
            self.0.push(Invalid {
                field,
                message: message.into(),
            });
        }
    }

    fn expid(&mut self, field: &'static str, expid: &str) {
        if Expid::parse(expid).is_err() {
            self.add(field, "an expid has four or more of the characters 0-9a-z");
        }
    }

    fn description(&mut self, text: &str) {
        let field = "description";
        if text.len() > MAX_DESCRIPTION {
            self.add(field, format!("the most are {MAX_DESCRIPTION} bytes"));
        }
        if text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            self.add(
                field,
                "line ends (\\n) and tabs are the only control characters that may be in it",
            );
        }
    }

    fn create(&mut self, create: &Create) {
        self.description(&create.description);
        if create.description.trim().is_empty() {
            self.add("description", "an experiment needs a description");
        }
        if let Some(hpc) = &create.hpc {
            self.form("hpc", hpc, "letters, digits and . _ -", is_name);
        }
        if let Some(copy) = &create.copy {
            self.expid("copy", copy);
        }
        if let Some(repository) = &create.git_repo {
            self.form(
                "git_repo",
                repository,
                "an address (https://, http://, ssh://, git://, user@host:path) or an absolute path, of letters, digits \
                 and @ : / . _ ~ + -",
                is_repository,
            );
        }
        if let Some(branch) = &create.git_branch {
            self.form(
                "git_branch",
                branch,
                "letters, digits and / . _ + -, the first of them no -",
                is_branch,
            );
        }
        if let Some(path) = &create.config_path {
            self.form(
                "config_path",
                path,
                "a path within the repository, of letters, digits and / . _ -",
                is_inner_path,
            );
        }
        if create.operational && create.testcase {
            self.add("testcase", "an experiment is either operational or a test");
        }
        for (field, given) in [
            ("git_branch", &create.git_branch),
            ("config_path", &create.config_path),
        ] {
            if given.is_some() && create.git_repo.is_none() {
                self.add(
                    field,
                    "Autosubmit takes no notice of it without a repository",
                );
            }
        }
        if create.use_local_minimal && create.git_repo.is_some() {
            self.add(
                "use_local_minimal",
                "Autosubmit takes no notice of a repository with it",
            );
        }
    }

    fn set_status(&mut self, set: &SetStatus) {
        for (field, list) in [
            ("jobs", &set.jobs),
            ("filter_type", &set.filter_type),
            ("filter_status", &set.filter_status),
        ] {
            if list.iter().map(|name| name.len() + 2).sum::<usize>() > MAX_LIST {
                self.add(
                    field,
                    format!("the most are {MAX_LIST} bytes in all; filters name many jobs at once"),
                );
                return;
            }
        }
        let prefix = format!("{}_", set.expid);
        for job in &set.jobs {
            self.form(
                "jobs",
                job,
                "a name without blanks, brackets and control characters",
                is_job,
            );
            if !job.starts_with(&prefix) {
                let job = shown(job);
                self.add("jobs", format!("{job:?} is no job of {}", set.expid));
            }
        }
        for status in &set.filter_status {
            if status != "ANY"
                && JobStatus::from_name(status).is_none_or(|known| known.as_str() != status)
            {
                let status = shown(status);
                self.add("filter_status", format!("{status:?} is no status, nor ANY"));
            }
        }
        for section in &set.filter_type {
            self.form(
                "filter_type",
                section,
                "a section, with splits in brackets after it if need be: SIM [1-3]",
                is_section,
            );
        }
        let chunks = [
            ("filter_chunks", &set.filter_chunks),
            ("filter_type_chunk", &set.filter_type_chunk),
            ("filter_type_chunk_split", &set.filter_type_chunk_split),
        ];
        for (field, formula) in chunks {
            if let Some(formula) = formula {
                self.form(
                    field,
                    formula,
                    "chunks as [ 19601101 [ fc0 [1 2] fc1 [3-5] ] ]",
                    is_formula,
                );
            }
        }
        if chunks
            .iter()
            .filter(|(_, formula)| formula.is_some())
            .count()
            > 1
        {
            self.add(
                "filter_chunks",
                "Autosubmit would take only one of the three filters of chunks",
            );
        }
        let lists = [&set.jobs, &set.filter_status, &set.filter_type];
        if lists.iter().all(|list| list.is_empty())
            && chunks.iter().all(|(_, formula)| formula.is_none())
        {
            self.add("jobs", "which jobs? Autosubmit wants names or a filter");
        }
    }

    fn form(&mut self, field: &'static str, text: &str, wanted: &str, is: fn(&str) -> bool) {
        if text.len() > MAX_TEXT || !is(text) {
            self.add(field, format!("{:?} is not {wanted}", shown(text)));
        }
    }
}

/// The beginning of a text, which is enough to find it by.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Only of letters and digits of ASCII, and these.
fn of(text: &str, others: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn is_name(text: &str) -> bool {
    of(text, "._-") && !text.starts_with('-')
}

fn is_branch(text: &str) -> bool {
    of(text, "/._+-") && !text.starts_with('-')
}

fn is_repository(text: &str) -> bool {
    // `::` would name a helper of git, which may be any program.
    if !of(text, "@:/._~+-") || text.contains("::") {
        return false;
    }
    let scheme = ["https://", "http://", "ssh://", "git://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match scheme {
        // A host that begins with a dash would be an option of ssh.
        Some(rest) => !rest.starts_with('-') && !rest.contains("@-"),
        None if text.starts_with('/') => true,
        None => text.split_once('@').is_some_and(|(user, rest)| {
            is_name(user) && rest.contains(':') && !rest.starts_with('-') && !rest.contains("://")
        }),
    }
}

fn is_inner_path(text: &str) -> bool {
    of(text, "/._-") && !text.starts_with(['/', '-']) && text.split('/').all(|part| part != "..")
}

fn is_job(text: &str) -> bool {
    !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "[],".contains(c))
}

/// `SIM`, `SIM [1 2]`, `SIM [1-3]`, `SIM [1:3]` or `SIM [Any]`.
fn is_section(text: &str) -> bool {
    let Some((name, splits)) = text.split_once('[') else {
        return is_name(text);
    };
    let Some(splits) = splits.strip_suffix(']') else {
        return false;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let any = |text: &str| text.eq_ignore_ascii_case("any");
    let range = splits.split_once(['-', ':']);
    is_name(name.trim_end_matches(' '))
        && match range {
            Some((first, last)) => number(first.trim()) && number(last.trim()),
            None => {
                !splits.trim().is_empty()
                    && splits
                        .split(' ')
                        .all(|one| one.is_empty() || number(one) || any(one))
            }
        }
}

/// Autosubmit's notation of chunks, as far as brackets and characters go; Autosubmit itself reads the rest.
fn is_formula(text: &str) -> bool {
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' if depth > 0 => depth -= 1,
            ' ' | ',' | '-' | ':' | '_' | '.' => {}
            _ if c.is_ascii_alphanumeric() => {}
            _ => return false,
        }
    }
    depth == 0 && text.trim_start().starts_with('[')
}
