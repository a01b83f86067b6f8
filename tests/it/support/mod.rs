//! What the tests share: a laboratory with the real binary on either database, and clients.

#[macro_use]
mod databases;
pub mod autosubmit;
pub mod client;
pub mod lab;
pub mod plans;
mod postgres;
pub mod root;
mod server;
pub mod slurm;
pub mod socket;
pub mod subscriber;
pub mod variant;

pub use client::Address;
pub use lab::Lab;
pub use postgres::{TestDatabase, TestServer};
pub use server::Server;
pub use socket::Socket;

use std::path::{Path, PathBuf};

/// The folder of shared sample data, if it is there.
pub fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("LABQL_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    if folder.join("autosubmit/autosubmit.db").exists() {
        return Some(folder);
    }
    println!("skipped: no sample data at {}", folder.display());
    None
}
