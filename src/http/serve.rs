//! Accepts connections until told to end, and then ends everything within a deadline.
//!
//! axum's own loop has no time limit for the head of a request or for a client that does not read, no bound on
//! connections, knows nothing of upgraded sockets at shutdown and waits for ever for event streams. Here idle
//! connections are closed, requests that run may finish, and sockets and event streams, which watch the shutdown token
//! themselves, are counted by a tracker that is waited for.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::HttpState;

/// Serves until the state's shutdown token is cancelled; then stops to accept, lets requests finish,
/// tells sockets and event streams to go, and cuts what is left after `shutdown_deadline`.
pub async fn serve(listener: TcpListener, router: Router, state: HttpState) {
    let mut connections = JoinSet::new();
    let limit = state.settings.max_connections;
    let permits = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    while let Some((stream, peer, permit)) = next(&listener, &permits, &state).await {
        let connection = serve_connection(stream, peer, router.clone(), state.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    state.sessions.close();
    let drained = async {
        while connections.join_next().await.is_some() {}
        state.sessions.wait().await;
    };
    if timeout(state.settings.shutdown_deadline, drained)
        .await
        .is_err()
    {
        tracing::warn!("connections were still open at the deadline of the shutdown");
        connections.abort_all();
    }
}

/// The next connection; `None` when the server is to end.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    state: &HttpState,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let accepted = async {
        let permit = Arc::clone(permits).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, permit)),
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    // Most likely out of file descriptors: others have to end first.
                    tracing::error!(%error, "cannot accept a connection");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    };
    tokio::select! {
        accepted = accepted => accepted,
        () = state.shutdown.cancelled() => None,
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, state: HttpState) {
    // Events are small and must not wait for company.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off Nagle's algorithm");
    }
    let spoken = Arc::new(AtomicBool::new(false));
    let speaks = Arc::clone(&spoken);
    let service = router.map_request(move |request: Request<Incoming>| {
        speaks.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let limit = state.settings.header_timeout;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(state.settings.write_timeout));
    let stream = Box::pin(stream);
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limit)
        .keep_alive_timeout(limit)
        // WebSockets over HTTP/2 (RFC 8441).
        .enable_connect_protocol();
    let service = TowerToHyperService::new(service);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // The time limit for heads begins when it is known which version of HTTP is spoken.
    let silence = async {
        sleep(limit).await;
        if spoken.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = silence => return,
        () = state.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
