//! Connections: accepted up to a limit, each with its deadlines, let go of gently at the end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::app::App;

use super::guard::Shared;
use super::routes;
use super::stall::Stalling;

/// Bytes of a request's head; beyond, it is answered 431.
const HEAD_BYTES: usize = 64 * 1024;
/// Headers of a request; beyond, it is answered 431.
const HEADERS: usize = 100;

/// Serves until `stop` is done, then lets requests end for as long as the settings say.
///
/// # Errors
/// When the listener's address cannot be read.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
    // A second server in one process would keep its own.
    let _ = app.address.set(listener.local_addr()?);
    let router = routes::router(Shared::new(Arc::clone(&app)));
    let server = &app.settings.server;
    let connections = Arc::new(Semaphore::new(server.max_connections));
    let (patience, head) =
        (Duration::from_secs(server.write_stall_seconds), Duration::from_secs(server.header_seconds));
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    tokio::pin!(stop);
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit,
            () = &mut stop => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: some will be given back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Without it small answers wait for the client's acknowledgements.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            router.clone().call(without_trailing_slash(request))
        });
        let connection = builder.serve_connection(TokioIo::new(Stalling::new(stream, patience)), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that leaves or stalls is no fault of ours.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    app.direct.close();
    let grace = Duration::from_secs(server.grace_seconds);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = server.grace_seconds, "some requests did not end in time");
    }
    Ok(())
}

/// Every route also answers with one trailing slash (contract 1).
fn without_trailing_slash<B>(mut request: Request<B>) -> Request<B> {
    let uri = request.uri();
    let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) else { return request };
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(uri) = path.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}
