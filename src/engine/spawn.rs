//! Starting what a keeper keeps.

use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{AccessFlags, access};

use super::members::MARK;
use super::{Bounds, Launch};

/// Where `prlimit` is.
const PRLIMIT: [&str; 2] = ["/usr/bin/prlimit", "/bin/prlimit"];

/// Starts the program in a process group of its own; both its outputs go into the pipe.
pub(super) fn spawn(launch: &Launch, folder: &Path, printing: PipeWriter) -> io::Result<Child> {
    let errors = printing.try_clone()?;
    let mut command = Command::new(&launch.program);
    command.env_clear().args(&launch.args);
    set_off(command, launch, folder, printing, errors)
}

/// The same with its limits, its mark, and its standard error in a pipe of its own. Who loses their parent becomes a child of
/// this process.
pub(super) fn spawn_bounded(
    launch: &Launch,
    bounds: &Bounds,
    folder: &Path,
    printing: PipeWriter,
    printing_errors: PipeWriter,
) -> io::Result<Child> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true)?;
    // Inherited. Never a core file: it may be large, and holds secrets.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let path = launch.environment.iter().find(|(name, _)| name == "PATH");
    let program = find_program(Path::new(&launch.program), path.map(|(_, path)| path))
        .ok_or(io::ErrorKind::NotFound)?;
    let mut command = limited(&bounds.prlimit(), program)?;
    command.env_clear().env(MARK, folder).args(&launch.args);
    set_off(command, launch, folder, printing, printing_errors)
}

/// The program, by way of who sets its limits if it has any.
fn limited(limits: &[String], program: PathBuf) -> io::Result<Command> {
    if limits.is_empty() {
        return Ok(Command::new(program));
    }
    let prlimit = PRLIMIT.iter().find(|path| Path::new(path).exists());
    let prlimit = prlimit.ok_or_else(|| {
        io::Error::other("limits are set by the program prlimit of util-linux, which is not here")
    })?;
    let mut command = Command::new(prlimit);
    command.args(limits).arg("--").arg(program);
    Ok(command)
}

/// What all of them are given.
fn set_off(
    mut command: Command,
    launch: &Launch,
    folder: &Path,
    printing: PipeWriter,
    printing_errors: PipeWriter,
) -> io::Result<Child> {
    command
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(launch.working_dir.as_deref().unwrap_or(folder))
        .stdin(Stdio::piped())
        .stdout(printing)
        .stderr(printing_errors)
        .process_group(0);
    // labql does without huge pages; that is inherited, and nothing for others.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(false);
    let child = command.spawn();
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
    child
}

/// Why it could not be started, for a person.
pub(super) fn reason(launch: &Launch, error: &io::Error) -> String {
    let program = launch.program.to_string_lossy();
    if let Some(folder) = &launch.working_dir
        && !folder.is_dir()
    {
        return format!("the folder to work in, {}, is not there", folder.display());
    }
    match error.kind() {
        io::ErrorKind::NotFound if Path::new(&launch.program).is_file() => {
            format!("{program} is to be read by a program that is not there")
        }
        io::ErrorKind::NotFound => format!("there is no program {program}"),
        io::ErrorKind::PermissionDenied => format!("{program} may not be executed"),
        _ => format!("{program} cannot be started: {error}"),
    }
}

/// Where a program is that has a name only: in one of the folders of this `PATH`. None: it is not there, or may not be executed.
fn find_program(program: &Path, path: Option<&OsString>) -> Option<PathBuf> {
    let may_run = |file: &Path| file.is_file() && access(file, AccessFlags::X_OK).is_ok();
    if program.as_os_str().is_empty() {
        return None;
    }
    if program.components().count() > 1 || program.is_absolute() {
        return may_run(program).then(|| program.to_owned());
    }
    let folders = path.map(std::env::split_paths)?;
    folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|file| may_run(file))
}
