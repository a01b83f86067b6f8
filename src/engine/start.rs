//! Starting a program: its keeper first, then what it shall keep.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::folder::{Folder, failed};
use super::keeper::{BEGUN, READY};
use super::launch::Order;
use super::spare::Spare;
use super::{Bounds, EngineError, Launch, Look, look};

/// Ends when a keeper does, as long as this process lives.
pub(super) type Ending = JoinHandle<Option<ExitStatus>>;

/// How long a keeper may take to come up, on a machine that is very busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts a program in a folder that is made for it. Returns when the program runs, or could not be started, or has
/// ended already; [`look`] tells which.
///
/// # Errors
/// [`EngineError::Taken`] if the folder is there. Nothing was started then; after any other error ask [`look`].
pub async fn start(launch: &Launch, folder: &Path) -> Result<(), EngineError> {
    start_with(&own_binary().map_err(failed(folder))?, launch, folder).await
}

/// The binary that runs now, although a newer one may be in its place by now.
///
/// # Errors
/// If the system does not tell it.
pub fn own_binary() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() {
        return Ok(own.to_owned());
    }
    std::env::current_exe()
}

/// [`start`] with the binary of labql told, for a process that is another program.
///
/// # Errors
/// As [`start`].
pub async fn start_with(labql: &Path, launch: &Launch, folder: &Path) -> Result<(), EngineError> {
    let order = Order {
        launch: launch.clone(),
        bounds: None,
    };
    let spawn = |claimed: &Folder| {
        let log = Stdio::from(claimed.keeper_log()?);
        spawn(labql, folder, log).map_err(failed(labql))
    };
    start_kept(spawn, &order, folder).await.map(drop)
}

/// [`start_with`] for a program with bounds, and a keeper that has come up already if there is one. Gives what ends when the
/// keeper does, as long as this process lives.
///
/// # Errors
/// As [`start`].
pub(super) async fn start_bounded(
    keepers: &Arc<Spare>,
    launch: &Launch,
    bounds: &Bounds,
    folder: &Path,
) -> Result<Ending, EngineError> {
    let order = Order {
        launch: launch.clone(),
        bounds: Some(bounds.clone()),
    };
    let take = |_: &Folder| {
        let keeper = keepers.take();
        // Meanwhile: the next step may begin as soon as this one has ended.
        let keepers = Arc::clone(keepers);
        tokio::task::spawn_blocking(move || keepers.renew());
        keeper
    };
    start_kept(take, &order, folder).await
}

async fn start_kept(
    take: impl Fn(&Folder) -> Result<Child, EngineError>,
    order: &Order,
    folder: &Path,
) -> Result<Ending, EngineError> {
    let folder = Folder::create(folder)?;
    let mut keeper = take(&folder)?;
    let meeting = async {
        let mut met = meet(&mut keeper, &folder).await;
        // One that waited may have been killed at this moment. It had no order yet, and what it left is written over.
        if met.is_none() && folder.keeper()?.is_none() {
            keeper = take(&folder)?;
            met = meet(&mut keeper, &folder).await;
        }
        Ok(match met {
            Some(met) => tell(met, order).await,
            None => None,
        })
    };
    let met = tokio::time::timeout(PATIENCE, meeting).await;
    // It is our child as long as we live.
    let reaped = tokio::spawn(async move { keeper.wait().await.ok() });
    let reason = match met {
        Ok(Ok(Some(()))) => return Ok(reaped),
        Ok(Err(error)) => return Err(error),
        // It has ended, or is about to: it stopped talking.
        Ok(Ok(None)) => {
            let status = reaped.await.ok().flatten();
            if let Look::Ended { .. } = look(folder.path())? {
                return Ok(tokio::spawn(std::future::ready(status)));
            }
            let silent = || match status {
                Some(status) => format!("it ended without a word: {status}"),
                None => "it said nothing".to_owned(),
            };
            folder.keepers_words().unwrap_or_else(silent)
        }
        // If it was told nothing by now, it starts nothing later: who would tell it has hung up.
        Err(_) => format!("it has not begun within {} s", PATIENCE.as_secs()),
    };
    Err(EngineError::Keeper {
        folder: folder.path().to_owned(),
        reason,
    })
}

/// The process of a keeper, for a program whose folder is this one or in it. It gets nothing of ours, no variables and no files, but
/// the two streams to meet, and where its words go until it has a folder.
pub(super) fn spawn(labql: &Path, within: &Path, words: Stdio) -> io::Result<Child> {
    Command::new(labql)
        .arg0("labql")
        .arg("keep")
        .arg(within)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(words)
        .spawn()
}

/// What a keeper says, and what it hears.
type Met = (Lines<BufReader<ChildStdout>>, ChildStdin);

/// Tells a keeper its folder, and waits until it can be found there by who comes after us.
async fn meet(keeper: &mut Child, folder: &Folder) -> Option<Met> {
    let mut words = BufReader::new(keeper.stdout.take()?).lines();
    let mut stdin = keeper.stdin.take()?;
    let mut path = folder.path().as_os_str().as_bytes().to_vec();
    path.push(0);
    stdin.write_all(&path).await.ok()?;
    expect(&mut words, READY).await?;
    Some((words, stdin))
}

/// Tells it what to start, and waits until it has begun.
async fn tell((mut words, mut stdin): Met, order: &Order) -> Option<()> {
    stdin
        .write_all(&serde_json::to_vec(order).ok()?)
        .await
        .ok()?;
    stdin.shutdown().await.ok()?;
    drop(stdin);
    expect(&mut words, BEGUN).await
}

async fn expect(words: &mut Lines<BufReader<ChildStdout>>, word: &str) -> Option<()> {
    (words.next_line().await.ok()?? == word).then_some(())
}
