//! The `labql` command.

use std::process::ExitCode;

use tokio::runtime::Builder;

/// Answers are made of many small pieces; the system's allocator takes its time over each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    use_small_pages();
    // A keeper does one thing after the other, and there may be many of them.
    let mut runtime = match std::env::args_os().nth(1) {
        Some(word) if word == "keep" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(labql::cli::run()),
        Err(error) => {
            eprintln!("labql: the system gives no threads or timers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Memory comes from Linux in pages of 4 KiB. Of huge ones, which it would give to an allocator that reserves its memory
/// at large, most of each would stay unused, and all of it counts. Programs that are started from here inherit this.
fn use_small_pages() {
    // Where that is not allowed, nothing is lost but memory.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}
