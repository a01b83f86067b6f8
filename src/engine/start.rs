//! Starting a program: its keeper first, then what it shall keep.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::folder::{Folder, failed};
use super::keeper::{BEGUN, READY};
use super::launch::Order;
use super::{Bounds, EngineError, Launch, Look, look};

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
    start_kept(labql, launch, None, folder).await.map(drop)
}

/// [`start_with`] for a program with bounds. Gives what ends when the keeper does, as long as this process lives.
///
/// # Errors
/// As [`start`].
pub async fn start_bounded(
    labql: &Path,
    launch: &Launch,
    bounds: &Bounds,
    folder: &Path,
) -> Result<JoinHandle<()>, EngineError> {
    start_kept(labql, launch, Some(bounds), folder).await
}

async fn start_kept(
    labql: &Path,
    launch: &Launch,
    bounds: Option<&Bounds>,
    folder: &Path,
) -> Result<JoinHandle<()>, EngineError> {
    let order = Order {
        launch: launch.clone(),
        bounds: bounds.cloned(),
    };
    let folder = Folder::create(folder)?;
    let mut keeper = spawn(labql, &folder)?;
    let met = tokio::time::timeout(PATIENCE, meet(&mut keeper, &order)).await;
    // It is our child as long as we live.
    let reaped = tokio::spawn(async move {
        let _ = keeper.wait().await;
    });
    let reason = match met {
        Ok(Some(())) => return Ok(reaped),
        // It has ended, or is about to: it stopped talking.
        Ok(None) => {
            let _ = reaped.await;
            if let Look::Ended { .. } = look(folder.path())? {
                return Ok(tokio::spawn(std::future::ready(())));
            }
            folder
                .keepers_words()
                .unwrap_or_else(|| "it said nothing".into())
        }
        // If it was told nothing by now, it starts nothing later: who would tell it has hung up.
        Err(_) => format!("it has not begun within {} s", PATIENCE.as_secs()),
    };
    Err(EngineError::Keeper {
        folder: folder.path().to_owned(),
        reason,
    })
}

/// The keeper's process. It gets nothing of ours: no variables, no files, no standard streams but the two to meet.
fn spawn(labql: &Path, folder: &Folder) -> Result<Child, EngineError> {
    Command::new(labql)
        .arg0("labql")
        .arg("keep")
        .arg(folder.path())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(folder.keeper_log()?)
        .spawn()
        .map_err(failed(labql))
}

/// Tells the keeper what to start, once it can be found by who comes after us, and waits until it has begun.
async fn meet(keeper: &mut Child, order: &Order) -> Option<()> {
    let mut words = BufReader::new(keeper.stdout.take()?).lines();
    expect(&mut words, READY).await?;
    let mut stdin = keeper.stdin.take()?;
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
