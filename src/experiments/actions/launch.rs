//! From a profile and an action to a program with arguments, and back from its end to what came of it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{User, geteuid};

use super::action::plain;
use super::far;
use super::profile::{Environment, Place, Profile, Ssh};
use super::{Action, ActionKind};
use crate::engine::{End, Launch};

/// Where programs are looked for if a profile does not say it.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How long telling the version may take: it is a large program in Python, on file systems that sleep.
pub(super) const VERSION_LIMIT: Duration = Duration::from_mins(1);

/// Loads modules whose names are arguments, and becomes the program that the other arguments name.
const LOAD_MODULES: &str = r#"n=$1; shift
while [ "$n" -gt 0 ]; do
  module load "$1" </dev/null || { printf 'labql: the module %s cannot be loaded\n' "$1"; exit 97; }
  shift; n=$((n - 1))
done
exec "$@""#;

/// Why an action cannot be called with a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Autosubmit did it.
    Succeeded {
        /// The experiment that was made, if one was.
        created: Option<String>,
    },
    /// It did not.
    Failed(String),
    /// It was stopped before it was done: by labql, or a run by `autosubmit stop`.
    Stopped,
    /// Nobody knows, for this reason: the other machine did not tell.
    Lost(String),
}

/// The program that does the action.
///
/// # Errors
/// If the action's arguments are not valid, or the profile cannot carry them.
pub fn launch(profile: &Profile, action: &Action) -> Result<Launch, Refused> {
    if let Some(fault) = action.check().first() {
        return Err(Refused(format!("{}: {}", fault.field, fault.message)));
    }
    let argv = action.argv();
    if matches!(profile.environment, Environment::Conda(_))
        && argv
            .iter()
            .any(|argument| argument.as_bytes().contains(&b'\n'))
    {
        return Err(Refused(
            "`conda run` does not carry line ends in arguments".into(),
        ));
    }
    let limit = (!action.stays()).then(|| Duration::from_secs(profile.time_limit_seconds));
    Ok(call(profile, argv, action.stdin(), limit))
}

/// The program that tells the version of Autosubmit of a profile.
pub fn version(profile: &Profile) -> Launch {
    call(
        profile,
        vec!["--version".into()],
        Vec::new(),
        Some(VERSION_LIMIT),
    )
}

/// The version in what the program of [`version`] printed, such as `4.1.17.1`.
pub fn version_of(output: &str) -> Option<String> {
    output.lines().rev().find_map(|line| {
        let line = plain(line);
        let word = line.split_whitespace().next_back()?;
        let word = word.strip_prefix('v').unwrap_or(word);
        let parts: Vec<&str> = word.split('.').collect();
        let numbers = parts
            .iter()
            .take(2)
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        (parts.len() > 1 && numbers && word.len() <= 40).then(|| word.to_owned())
    })
}

/// `autosubmit` with these arguments, called as the profile wants it.
fn call(profile: &Profile, argv: Vec<OsString>, stdin: Vec<u8>, limit: Option<Duration>) -> Launch {
    let stays = limit.is_none();
    let mut command = prepared(profile);
    command.extend(argv);
    let mut launch = match &profile.place {
        Place::Local => local(profile, command, stdin),
        Place::Ssh(ssh) => over_ssh(ssh, far::script(profile, &command, &stdin, stays)),
    };
    launch.time_limit = limit;
    launch.output_limit = profile.output_limit_bytes;
    launch
}

/// What stands before the arguments: `autosubmit`, and what prepares the way for it.
fn prepared(profile: &Profile) -> Vec<OsString> {
    let autosubmit = &profile.autosubmit;
    let words: Vec<String> = match &profile.environment {
        Environment::None => vec![autosubmit.clone()],
        Environment::Venv(folder) => {
            return vec![folder.join("bin").join(autosubmit).into_os_string()];
        }
        Environment::Conda(name) => {
            let which = if name.starts_with('/') { "-p" } else { "-n" };
            [
                "conda",
                "run",
                "--no-capture-output",
                which,
                name,
                autosubmit,
            ]
            .map(str::to_owned)
            .into()
        }
        Environment::Modules(modules) => {
            let mut words = ["bash", "-l", "-c", LOAD_MODULES, "labql"]
                .map(str::to_owned)
                .to_vec();
            words.push(modules.len().to_string());
            words.extend(modules.iter().cloned());
            words.push(autosubmit.clone());
            words
        }
    };
    words.into_iter().map(OsString::from).collect()
}

/// A program here. Its environment is that of labql's account, without what labql itself was given.
fn local(profile: &Profile, command: Vec<OsString>, stdin: Vec<u8>) -> Launch {
    let mut path = OsString::from(PATH);
    let mut environment = account();
    if let Environment::Venv(folder) = &profile.environment {
        environment.push(("VIRTUAL_ENV".into(), folder.clone().into()));
        let mut longer = folder.join("bin").into_os_string();
        longer.push(":");
        longer.push(path);
        path = longer;
    }
    environment.push(("PATH".into(), path));
    for (name, value) in &profile.variables {
        environment.retain(|(known, _)| known.as_os_str() != OsStr::new(name));
        environment.push((name.into(), value.expose().into()));
    }
    let mut words = command.into_iter();
    Launch {
        program: words.next().unwrap_or_default(),
        args: words.collect(),
        environment,
        stdin,
        stop_word: None,
        working_dir: None,
        time_limit: None,
        output_limit: 0,
    }
}

/// What programs want to know of the account that they run under.
fn account() -> Vec<(OsString, OsString)> {
    let mut environment = vec![
        ("LANG".into(), "C.UTF-8".into()),
        ("TERM".into(), "dumb".into()),
    ];
    if let Ok(Some(user)) = User::from_uid(geteuid()) {
        environment.push(("HOME".into(), user.dir.into_os_string()));
        environment.push(("USER".into(), user.name.clone().into()));
        environment.push(("LOGNAME".into(), user.name.into()));
    }
    environment
}

/// `ssh`, which has the program called on the other machine.
fn over_ssh(ssh: &Ssh, script: Vec<u8>) -> Launch {
    let mut environment = account();
    environment.push(("PATH".into(), PATH.into()));
    Launch {
        program: "ssh".into(),
        args: far::arguments(ssh),
        environment,
        stdin: script,
        stop_word: Some(far::STOP_WORD.to_vec()),
        working_dir: None,
        time_limit: None,
        output_limit: 0,
    }
}

/// What came of an action, by the end of its program and what it printed. Autosubmit ends with code 0 after some
/// failures, so the code alone does not tell.
pub fn verdict(profile: &Profile, action: &Action, end: &End, output: &str) -> Verdict {
    if matches!(profile.place, Place::Ssh(_))
        && let Some(why) = untold(action, end, output)
    {
        return Verdict::Lost(why.to_owned());
    }
    match end {
        End::NotStarted(reason) => Verdict::Failed(without_folder(profile, reason)),
        End::Stopped => Verdict::Stopped,
        End::TimedOut => Verdict::Failed(format!(
            "it was not done within {} s, and was ended",
            profile.time_limit_seconds
        )),
        End::Signalled(signal) => Verdict::Failed(format!("signal {signal} ended it")),
        End::Exited(255) if matches!(profile.place, Place::Ssh(_)) => {
            Verdict::Failed(last_line(output).unwrap_or_else(|| "ssh could not connect".into()))
        }
        End::Exited(_) if interrupted(action, output) => Verdict::Stopped,
        End::Exited(0) => done(action, output),
        End::Exited(code) => {
            let fault = fault(output).unwrap_or_else(|| format!("it ended with code {code}"));
            Verdict::Failed(half_done(action, output, fault))
        }
    }
}

/// Why nobody can tell what became of a program on another machine; none: that is known. The end of `ssh` is not the end of
/// what it began there.
fn untold(action: &Action, end: &End, output: &str) -> Option<&'static str> {
    match end {
        End::Exited(255) if far::has_begun(output) => Some(if action.stays() {
            "the connection to the other machine broke; the run may go on there"
        } else {
            "the connection to the other machine broke; its program is ended there as soon as that is known there"
        }),
        // A command that begins without a connection ends at once.
        End::Stopped | End::TimedOut | End::Signalled(_)
            if !far::was_ended(output) && (action.stays() || far::has_begun(output)) =>
        {
            Some(
                "it was ended here, and the other machine did not confirm it: its program may go on there",
            )
        }
        _ => None,
    }
}

/// Why a program could not be started. Where it is, is the administrator's to know.
fn without_folder(profile: &Profile, reason: &str) -> String {
    let program = prepared(profile).into_iter().next().unwrap_or_default();
    let name = Path::new(&program).file_name().unwrap_or(&program);
    reason.replace(&*program.to_string_lossy(), &name.to_string_lossy())
}

/// Was a run ended by `autosubmit stop`? It ends well at its next safe occasion, or with Python's words in the middle of a
/// pause.
fn interrupted(action: &Action, output: &str) -> bool {
    action.kind() == ActionKind::Run
        && output.lines().map(plain).any(|line| {
            line.trim() == "KeyboardInterrupt" || line.contains("Interrupt signal received")
        })
}

/// What Autosubmit did when it ended with code 0.
fn done(action: &Action, output: &str) -> Verdict {
    let says = |words: &str| output.lines().any(|line| plain(line).contains(words));
    let created = action.created_expid(output);
    match action.kind() {
        ActionKind::Create if created.is_none() => {
            let fault = "Autosubmit did not say that it made an experiment".into();
            Verdict::Failed(half_done(action, output, fault))
        }
        ActionKind::Stop if says(" was not running") => {
            Verdict::Failed("the experiment was not running".into())
        }
        ActionKind::SetStatus if says("number of jobs to change is: 0") => {
            Verdict::Failed("no job was selected".into())
        }
        _ => Verdict::Succeeded { created },
    }
}

/// A fault, with what there is all the same.
fn half_done(action: &Action, output: &str, fault: String) -> String {
    match action.registered_expid(output) {
        Some(expid) => format!("{fault} (it had registered {expid} by then)"),
        None => fault,
    }
}

/// What Autosubmit says went wrong.
fn fault(output: &str) -> Option<String> {
    let said = output.lines().rev().find_map(|line| {
        let line = plain(line);
        let text = line.trim();
        text.strip_prefix("[CRITICAL] ")
            .filter(|text| !text.starts_with("Traceback") && !text.starts_with("Trace:"))
            .or_else(|| text.strip_prefix("error: "))
            .or_else(|| text.starts_with("Some jobs have failed").then_some(text))
            .map(short)
    });
    said.or_else(|| last_line(output))
}

fn last_line(output: &str) -> Option<String> {
    let line = output
        .lines()
        .rev()
        .map(plain)
        .find(|line| !line.trim().is_empty())?;
    Some(short(line.trim()))
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}
