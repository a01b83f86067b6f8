//! The `labql` command.

/// Answers are made of many small pieces; the system's allocator takes its time over each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    labql::cli::run().await
}
