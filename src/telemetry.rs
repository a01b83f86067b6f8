//! The log on standard error and the recorder of metrics.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::io::IsTerminal;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{LogConfig, LogFormat};

/// What is never logged, whatever the configuration says: sqlx tells parameters of a database's URL that it does not know,
/// with their values, and these may be secrets.
const SILENT: &str = "sqlx_postgres::options=off";

/// Starts the log. A second call, as tests make it, changes nothing.
pub fn start_log(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| format!("log.filter `{}`: {error}", config.filter))?;
    let silent = SILENT
        .parse()
        .map_err(|error: ParseError| format!("{SILENT}: {error}"))?;
    let filter = filter.add_directive(silent);
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

/// How often what histograms have recorded is summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Sums up what histograms have recorded, until told to stop: each record takes memory until then, whether somebody
/// collects the metrics or not.
pub async fn keep_metrics_up(metrics: PrometheusHandle, stop: CancellationToken) {
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            metrics.run_upkeep();
        }
    };
    tokio::select! {
        () = upkeep => {}
        () = stop.cancelled() => {}
    }
}

/// The handles of a metric, or of several with the same labels: one for each set of labels, looked up at the recorder
/// once.
///
/// The values of the labels must come from a small closed set.
pub struct PerLabels<L, H>(RwLock<HashMap<L, H>>);

impl<L, H> Default for PerLabels<L, H> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<L: Eq + Hash, H: Clone> PerLabels<L, H> {
    /// The handle for these labels.
    pub fn get<B>(&self, labels: &B, register: impl FnOnce() -> H) -> H
    where
        L: Borrow<B>,
        B: Eq + Hash + ToOwned<Owned = L> + ?Sized,
    {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = known.get(labels) {
            return handle.clone();
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(labels.to_owned());
        entry.or_insert_with(register).clone()
    }
}
