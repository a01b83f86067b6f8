//! The keeper of a program: a process between it and labql, for as long as the program runs.

use std::io::{self, PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use chrono::Utc;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::bar::BARRED;
use super::folder::{Ended, Folder, failed};
use super::output::Kept;
use super::process::{Group, Process, ask_to_end};
use super::{End, EngineError, Launch};

/// Says that who keeps is known, and that the launch may come.
pub(super) const READY: &str = "ready";
/// Says that the program runs, or that its end is written down.
pub(super) const BEGUN: &str = "begun";

/// How long a program has to end where nobody said it.
const GRACE: Duration = Duration::from_secs(10);
/// How long is waited for output of what the program left behind when it ended.
const DRAIN: Duration = Duration::from_secs(1);
/// How often is looked whether the rest of the group has ended.
const TICK: Duration = Duration::from_millis(20);
/// How often is tried to write down the end, and how many times.
const AGAIN: (Duration, u32) = (Duration::from_secs(1), 600);

/// Keeps one program in its folder until it ends; what it is comes on standard input. This process does nothing else.
///
/// # Errors
/// If files of the folder cannot be written: nothing was started then, or nobody could be told how it ended.
pub(crate) async fn keep(path: &Path) -> Result<(), EngineError> {
    let folder = Folder::at(path);
    // Signals for the group or the terminal of who started it do not reach it any more.
    nix::unistd::setsid().map_err(|errno| failed(path)(errno.into()))?;
    // Before anybody can know whom to signal.
    let asked = Asked::new().map_err(failed(path))?;
    folder.take_room_for_end()?;
    let output = folder.output_file();
    let file = crate::files::private_file(&output).map_err(failed(&output))?;
    let (printed, printing) = io::pipe().map_err(failed(path))?;
    let printed = pipe::Receiver::from_owned_fd(OwnedFd::from(printed)).map_err(failed(path))?;
    let own = Process::own().map_err(failed(path))?;
    folder.note_keeper(&own)?;
    say(READY);

    let ended = match begin(&folder, &own, printing).await {
        Ok(begun) => {
            let kept = Kept::new(file, begun.output_limit);
            let program = Program {
                folder: &folder,
                child: begun.child,
                group: begun.group,
                word: begun.word,
                printed,
                kept,
                asked,
            };
            program.see_to_its_end(begun.time_limit).await
        }
        Err(end) => Ended {
            end,
            at: Utc::now(),
            unwritten: 0,
        },
    };
    note(&folder, &ended).await?;
    say(BEGUN);
    Ok(())
}

/// A program that was just started.
struct Begun {
    child: Child,
    group: Group,
    /// Has the word said that asks it to end; none: there is no such word.
    word: Option<Sender<()>>,
    time_limit: Option<Duration>,
    output_limit: u64,
}

/// Starts what is told on standard input, if it may be started.
async fn begin(folder: &Folder, own: &Process, printing: PipeWriter) -> Result<Begun, End> {
    let Some(launch) = hear().await else {
        return Err(End::NotStarted("it was not told what to start".into()));
    };
    if !matches!(folder.is_barred(), Ok(false)) {
        return Err(End::NotStarted(BARRED.into()));
    }
    if !matches!(folder.stop(), Ok(None)) {
        return Err(End::Stopped);
    }
    let mut child = spawn(&launch, folder.path(), printing)
        .map_err(|error| End::NotStarted(reason(&launch, &error)))?;
    let word = feed(&mut child, launch.stdin, launch.stop_word);
    // Nobody has waited for it, so this is the one even if it has ended.
    let program = Process::child(&child, own);
    if let Err(error) = folder.note_program(&program) {
        // It can still be stopped, as long as this process lives.
        eprintln!("{error}");
    }
    say(BEGUN);
    Ok(Begun {
        child,
        group: Group::new(program, own.pid),
        word,
        time_limit: launch.time_limit,
        output_limit: launch.output_limit,
    })
}

/// A program that runs.
struct Program<'a> {
    folder: &'a Folder,
    child: Child,
    group: Group,
    word: Option<Sender<()>>,
    printed: pipe::Receiver,
    kept: Kept,
    asked: Asked,
}

impl Program<'_> {
    /// Keeps its output and its time limit, and ends it if that is asked for. Returns when it has ended.
    async fn see_to_its_end(mut self, limit: Option<Duration>) -> Ended {
        let mut waited = tokio::task::spawn_blocking({
            let pid = self.child.id();
            move || wait(pid)
        });
        let mut deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut open = true;
        let mut buffer = vec![0; 64 * 1024];
        // Why it is made to end, when it is made to in earnest, and when it has.
        let mut why = None;
        let mut exited: Option<Instant> = None;
        let mut at = Utc::now();
        loop {
            if let Some(exited) = exited {
                let alone = why.is_none() || !self.group.lives();
                if alone && (!open || exited.elapsed() > DRAIN) {
                    break;
                }
            }
            tokio::select! {
                _ = &mut waited, if exited.is_none() => {
                    exited = Some(Instant::now());
                    at = Utc::now();
                }
                read = self.printed.read(&mut buffer), if open => match read {
                    Ok(0) | Err(_) => open = false,
                    Ok(some) => self.kept.take(buffer.get(..some).unwrap_or_default()),
                },
                () = self.asked.for_an_end(), if why.is_none() && exited.is_none() => {
                    let grace = self.folder.stop().ok().flatten().unwrap_or(GRACE);
                    why = Some(End::Stopped);
                    deadline = self.ask(grace);
                }
                () = until(deadline), if why.is_some() || exited.is_none() => {
                    if why.is_some() {
                        self.group.signal(Signal::SIGKILL);
                        deadline = Some(Instant::now() + TICK);
                    } else {
                        why = Some(End::TimedOut);
                        deadline = self.ask(GRACE);
                    }
                }
                () = sleep(TICK), if exited.is_some() => {}
            }
        }
        let end = why.unwrap_or_else(|| self.child.wait().map_or(End::Signalled(0), ended));
        Ended {
            end,
            at,
            unwritten: self.kept.finish(),
        }
    }

    /// Asks it to end, and gives when it will be made to.
    fn ask(&self, grace: Duration) -> Option<Instant> {
        let said = self.word.as_ref().is_some_and(|word| word.send(()).is_ok());
        if !said {
            ask_to_end(&self.group);
        }
        Instant::now().checked_add(grace)
    }
}

/// Requests to end the program. Whoever sends one has written down how long it has.
struct Asked {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// Not a request: only heard so that it does not end this process.
    _hangup: tokio::signal::unix::Signal,
}

impl Asked {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn for_an_end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Never, if there is no such moment.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits for the end of a child and leaves it as a zombie, so that its number stays its own: signals go to its group.
fn wait(child: u32) {
    let Ok(child) = i32::try_from(child) else {
        return;
    };
    let how = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(Pid::from_raw(child)), how) == Err(Errno::EINTR) {}
}

fn ended(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or_default()),
    }
}

/// Starts the program in a process group of its own; both its outputs go into the pipe.
fn spawn(launch: &Launch, folder: &Path, printing: PipeWriter) -> io::Result<Child> {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(launch.working_dir.as_deref().unwrap_or(folder))
        .stdin(Stdio::piped())
        .stdout(printing.try_clone()?)
        .stderr(printing)
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
fn reason(launch: &Launch, error: &io::Error) -> String {
    let program = launch.program.to_string_lossy();
    if let Some(folder) = &launch.working_dir
        && !folder.is_dir()
    {
        return format!("the folder to work in, {}, is not there", folder.display());
    }
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no program {program}"),
        io::ErrorKind::PermissionDenied => format!("{program} may not be executed"),
        _ => format!("{program} cannot be started: {error}"),
    }
}

/// Gives the program its standard input, at its own speed, and the word that asks it to end when it is to be said.
fn feed(child: &mut Child, stdin: Vec<u8>, word: Option<Vec<u8>>) -> Option<Sender<()>> {
    let mut pipe = child.stdin.take()?;
    let (say, said) = mpsc::channel();
    let say = word.is_some().then_some(say);
    std::thread::spawn(move || {
        // One that does not read it all is within its rights.
        let _ = pipe.write_all(&stdin);
        if let Some(word) = word
            && said.recv().is_ok()
        {
            let _ = pipe.write_all(&word);
        }
    });
    say
}

/// What to start; none if who was to tell it ended before all was said.
async fn hear() -> Option<Launch> {
    let heard = tokio::task::spawn_blocking(|| {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).map(|_| text)
    });
    serde_json::from_slice(&heard.await.ok()?.ok()?).ok()
}

/// Tells whoever started this process; nobody may be there any more.
fn say(word: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{word}").and_then(|()| out.flush());
}

/// Writes down the end. The disk may be full for a while.
async fn note(folder: &Folder, ended: &Ended) -> Result<(), EngineError> {
    let (pause, times) = AGAIN;
    for _ in 1..times {
        match folder.note_end(ended) {
            Ok(()) => return Ok(()),
            // Nobody wants to know it any more.
            Err(_) if !folder.exists() => break,
            Err(_) => sleep(pause).await,
        }
    }
    folder.note_end(ended)
}
