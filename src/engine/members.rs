//! All processes of a program, wherever they have gone: into sessions of their own, to other parents.
//!
//! While its keeper lives, whoever loses their parent becomes the keeper's child (`PR_SET_CHILD_SUBREAPER` in prctl(2)), so all
//! of them are beneath it. Once the keeper is gone they are known by their group, and by a variable of their environment,
//! which children inherit: one that has left its group, its parent and its environment behind is not found then.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::sys::signal::Signal;

use super::process::{Group, Process, Stat};

/// The variable that every process of a program with bounds has: the program's folder.
pub(super) const MARK: &str = "LABQL_STEP";

/// How many times is looked for who was begun while others were being suspended.
const LOOKS: usize = 64;

/// What there may be of a program.
#[derive(Clone, Debug)]
pub(super) struct Members {
    /// None: nothing is known of one.
    group: Option<Group>,
    keeper: Process,
    /// The variable with its value, as it stands in an environment.
    mark: Vec<u8>,
}

impl Members {
    pub fn new(group: Option<Group>, keeper: Process, folder: &Path) -> Self {
        let mut mark = format!("{MARK}=").into_bytes();
        mark.extend(folder.as_os_str().as_bytes());
        Self {
            group,
            keeper,
            mark,
        }
    }

    /// Does any of it live?
    pub fn live(&self) -> bool {
        // One may begin another and end while they are read: then the second look finds that.
        self.group.as_ref().is_some_and(Group::lives)
            || !self.find().is_empty()
            || !self.find().is_empty()
    }

    /// Asks all to end. Who was suspended is woken to hear it.
    pub fn ask_to_end(&self) {
        for member in self.find() {
            member.signal(Signal::SIGTERM);
            member.signal(Signal::SIGCONT);
        }
    }

    /// Ends all. They are suspended first, so that none begins others meanwhile.
    pub fn kill(&self) {
        let mut suspended = HashSet::new();
        let mut all = Vec::new();
        for _ in 0..LOOKS {
            all = self.find();
            let before = suspended.len();
            for member in &all {
                if suspended.insert((member.pid, member.ticks)) {
                    member.signal(Signal::SIGSTOP);
                }
            }
            if suspended.len() == before {
                break;
            }
        }
        for member in all {
            member.signal(Signal::SIGKILL);
        }
    }

    /// Those that live, without the keeper.
    pub fn find(&self) -> Vec<Stat> {
        if self.keeper.lives()
            && let Some(beneath) = beneath(self.keeper.pid)
        {
            return beneath;
        }
        if self.keeper.is_of_this_boot() {
            self.search()
        } else {
            Vec::new()
        }
    }

    /// Those of the group, those with the mark, and what is beneath them, among all processes.
    fn search(&self) -> Vec<Stat> {
        let all: Vec<Stat> = Stat::all().filter(|stat| stat.alive).collect();
        let group = self.group.as_ref().filter(|group| group.lives());
        // Nobody older than the keeper can be its own.
        let young = |stat: &&Stat| stat.ticks >= self.keeper.ticks && stat.pid != self.keeper.pid;
        let is_ours =
            |stat: &&Stat| group.is_some_and(|group| group.has(stat)) || self.marked(stat);
        let ours = all.iter().filter(young).filter(is_ours);
        let mut known: HashSet<i32> = ours.map(|stat| stat.pid).collect();
        // Children may stand before their parents.
        loop {
            let before = known.len();
            for stat in &all {
                if known.contains(&stat.parent) {
                    known.insert(stat.pid);
                }
            }
            if known.len() == before {
                break;
            }
        }
        let is_known = |stat: &Stat| known.contains(&stat.pid);
        all.into_iter().filter(is_known).collect()
    }

    /// Has it the mark? The environment of others' processes cannot be read: they are none of ours.
    fn marked(&self, stat: &Stat) -> bool {
        fs::read(format!("/proc/{}/environ", stat.pid)).is_ok_and(|environment| {
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == self.mark)
        })
    }
}

/// Those beneath a process that live. None: this system does not tell children.
fn beneath(top: i32) -> Option<Vec<Stat>> {
    let mut all = Vec::new();
    let mut parents = vec![top];
    children_of(top)?;
    while let Some(parent) = parents.pop() {
        // It may have ended meanwhile; then its children are the keeper's.
        for child in children_of(parent).unwrap_or_default() {
            parents.push(child.pid);
            if child.alive {
                all.push(child);
            }
        }
    }
    Some(all)
}

/// The children of a process, those included that have ended and were not waited for (`/proc/<pid>/task/<tid>/children` in
/// proc(5)).
pub(super) fn children_of(parent: i32) -> Option<Vec<Stat>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten() {
        let numbers = match fs::read_to_string(thread.path().join("children")) {
            Ok(numbers) => numbers,
            // That thread has just ended.
            Err(_) if !thread.path().exists() => continue,
            Err(_) => return None,
        };
        let numbers = numbers.split_ascii_whitespace();
        children.extend(numbers.filter_map(|number| Stat::of(number.parse().ok()?)));
    }
    Some(children)
}
