//! Which machine this is, for programs that are kept on it.

use std::fs;
use std::io;
use std::path::Path;

use crate::files;

/// The PID namespace of a machine itself (`PROC_PID_INIT_INO` of Linux); containers have others.
const MACHINE: &str = "pid:[4026531836]";

/// A machine with a data folder. Only processes on it can tell what becomes of programs that are kept there.
pub(crate) struct Host {
    /// The name of the machine, for people.
    pub name: String,
    /// What tells it apart from all others.
    pub keeper: String,
}

impl Host {
    /// This one. Who has configured the name of the node answers for it: two processes that have the same name and the same
    /// data folder see each other's programs, or come one after the other. Otherwise it is the name of the machine, and in a
    /// container its PID namespace besides: others do not see its programs, whatever they are called.
    pub fn here(node: Option<&str>, hostname: &str, folder: &Path) -> io::Result<Self> {
        let folder = identity(folder)?;
        Ok(match node {
            Some(node) => Self {
                name: node.to_owned(),
                keeper: format!("{node}/{folder}"),
            },
            None => Self {
                name: hostname.to_owned(),
                keeper: format!("{hostname}{}/{folder}", container().unwrap_or_default()),
            },
        })
    }
}

/// What tells this container apart from others; none: it is none.
fn container() -> Option<String> {
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace = namespace.to_str()?;
    (namespace != MACHINE).then(|| format!("+{namespace}"))
}

/// The name of a data folder: made at random when it is first asked for.
fn identity(folder: &Path) -> io::Result<String> {
    let path = folder.join("keeper");
    files::private_folder(folder)?;
    if !path.exists() {
        // Another process may do the same: whoever links first has made the name.
        let name = uuid::Uuid::new_v4().simple().to_string();
        let draft = folder.join(format!("keeper-{name}"));
        io::Write::write_all(&mut files::private_file(&draft)?, name.as_bytes())?;
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    fs::read_to_string(&path)
}
