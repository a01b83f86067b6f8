//! The log on standard error and the recorder of metrics.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts the log. A second call, as tests make it, changes nothing.
pub fn start_log(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| format!("log.filter `{}`: {error}", config.filter))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let _ = match config.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    Ok(())
}

/// Starts the recorder of metrics, once a process.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // A second recorder of the same process is refused; its handle then stays empty, which only tests ever see.
    let _ = metrics::set_global_recorder(recorder);
    Ok(handle)
}
