//! Steps on this machine.

mod canceling;
mod ending;
mod limits;
mod results;
mod spare;
mod submitting;
mod surviving;

use labql::engine::Local;

fn local() -> Local {
    Local::with_keeper(env!("CARGO_BIN_EXE_labql").into(), std::env::temp_dir())
}
