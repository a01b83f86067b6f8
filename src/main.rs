//! The `labql` command.

/// Answers are made of many small pieces; the system's allocator takes its time over each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    use_small_pages();
    labql::cli::run().await
}

/// Memory comes from Linux in pages of 4 KiB. Of huge ones, which it would give to an allocator that reserves its memory
/// at large, most of each would stay unused, and all of it counts. Programs that are started from here inherit this.
fn use_small_pages() {
    // Where that is not allowed, nothing is lost but memory.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}
