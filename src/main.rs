//! The `labql` command.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    labql::cli::run().await
}
