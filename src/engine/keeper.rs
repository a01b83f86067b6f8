//! The keeper of a program: a process between it and labql, for as long as the program runs.

use std::ffi::OsString;
use std::io::{self, BufRead as _, PipeWriter, Read as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::bar::BARRED;
use super::folder::{Ended, Folder, failed};
use super::kept::{Asked, GRACE, Program, Reach};
use super::launch::Order;
use super::members::Members;
use super::meter::Meter;
use super::pipes::{Printed, printed};
use super::process::{Group, Process};
use super::spawn::{reason, spawn, spawn_bounded};
use super::{End, EngineError, Stream};

/// Says that who keeps is known, and that the launch may come.
pub(super) const READY: &str = "ready";
/// Says that the program runs, or that its end is written down.
pub(super) const BEGUN: &str = "begun";

/// How often is tried to write down the end, and how many times.
const AGAIN: (Duration, u32) = (Duration::from_secs(1), 600);

/// Keeps one program in its folder until it ends; where that is and then what it is come on standard input. This process does
/// nothing else, and nothing at all if who started it ends before it says where.
///
/// # Errors
/// If files of the folder cannot be written: nothing was started then, or nobody could be told how it ended.
pub(crate) async fn keep() -> Result<(), EngineError> {
    // Signals for the group or the terminal of who started it do not reach it any more.
    let set_off = nix::unistd::setsid();
    let Some(path) = hear_where().await else {
        return Ok(());
    };
    let path = path.as_path();
    let folder = Folder::at(path);
    nix::unistd::dup2_stderr(folder.keeper_log()?).map_err(|errno| failed(path)(errno.into()))?;
    set_off.map_err(|errno| failed(path)(errno.into()))?;
    // Before anybody can know whom to signal.
    let asked = Asked::new().map_err(failed(path))?;
    folder.take_room_for_end()?;
    let (output, printing) = printed(&folder, Stream::Output)?;
    let own = Process::own().map_err(failed(path))?;
    folder.note_keeper(&own)?;
    say(READY);

    let ended = match begin(&folder, &own, printing).await {
        Ok(begun) => {
            let program = Program {
                folder: &folder,
                child: begun.child,
                reach: begun.reach,
                word: begun.word,
                output: output.kept_to(begun.output_limit),
                errors: begun.errors,
                asked,
                grace: begun.grace,
            };
            program.see_to_its_end(begun.time_limit).await
        }
        Err(end) => Ended::now(end),
    };
    note(&folder, &ended).await?;
    say(BEGUN);
    Ok(())
}

/// A program that was just started.
struct Begun {
    child: Child,
    reach: Reach,
    /// Has the word said that asks it to end; none: there is no such word.
    word: Option<Sender<()>>,
    /// Its standard error, if that is kept apart.
    errors: Option<Printed>,
    time_limit: Option<Duration>,
    output_limit: u64,
    /// How long it has to end when its time is up.
    grace: Duration,
}

/// Starts what is told on standard input, if it may be started.
async fn begin(folder: &Folder, own: &Process, printing: PipeWriter) -> Result<Begun, End> {
    let Some(Order { launch, bounds }) = hear().await else {
        return Err(End::NotStarted("it was not told what to start".into()));
    };
    if !matches!(folder.is_barred(), Ok(false)) {
        return Err(End::NotStarted(BARRED.into()));
    }
    if !matches!(folder.stop(), Ok(None)) {
        return Err(End::Stopped);
    }
    let began = Instant::now();
    let mut errors = None;
    let started = match &bounds {
        None => spawn(&launch, folder.path(), printing),
        Some(bounds) => {
            let (kept, printing_errors) = printed(folder, Stream::Errors)
                .map_err(|error| End::NotStarted(error.to_string()))?;
            errors = Some(kept.kept_to(launch.output_limit));
            spawn_bounded(&launch, bounds, folder.path(), printing, printing_errors)
        }
    };
    let mut child = started.map_err(|error| End::NotStarted(reason(&launch, &error)))?;
    let word = feed(&mut child, launch.stdin, launch.stop_word);
    // Nobody has waited for it, so this is the one even if it has ended.
    let program = Process::child(&child, own);
    if let Err(error) = folder.note_program(&program) {
        // It can still be stopped, as long as this process lives.
        eprintln!("{error}");
    }
    say(BEGUN);
    let group = Group::new(program, own.pid);
    let grace = bounds.as_ref().map_or(GRACE, |bounds| bounds.grace);
    let reach = match bounds {
        None => Reach::Group(group),
        Some(bounds) => {
            let working_dir = launch.working_dir.as_deref().unwrap_or(folder.path());
            let members = Members::new(Some(group), own.clone(), folder.path());
            let meter = Meter::new(bounds, working_dir.to_owned(), began);
            Reach::Whole(Box::new((members, meter)))
        }
    };
    Ok(Begun {
        child,
        reach,
        word,
        errors,
        time_limit: launch.time_limit,
        output_limit: launch.output_limit,
        grace,
    })
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

/// The folder, which a zero byte ends; none if who was to tell it has no program for this one.
async fn hear_where() -> Option<PathBuf> {
    let heard = tokio::task::spawn_blocking(|| {
        let mut path = Vec::new();
        io::stdin().lock().read_until(0, &mut path).map(|_| path)
    });
    let mut path = heard.await.ok()?.ok()?;
    (path.pop() == Some(0)).then(|| OsString::from_vec(path).into())
}

/// What to start; none if who was to tell it ended before all was said.
async fn hear() -> Option<Order> {
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
