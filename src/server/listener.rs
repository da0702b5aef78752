//! The listener and its limits: time for a request's head and body, connections in all and of one address, and an orderly
//! end. What a slow or hostile client costs is one connection for a while.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::BodyDataStream;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::ServiceExt;

use crate::app::{App, Peer};

/// A client has this long for its request head, and for its first one after it connected.
const HEAD: Duration = Duration::from_secs(10);
/// The next part of a body has this long to come, and all of it that long: 33 MiB at 1 Mbit/s.
const BODY_PART: Duration = Duration::from_secs(20);
const BODY: Duration = Duration::from_secs(300);
/// What is in flight at shutdown has this long.
const DRAIN: Duration = Duration::from_secs(10);
/// Requests of one HTTP/2 connection that are answered at once, and bytes of the head of one.
const STREAMS: u32 = 256;
const HEAD_BYTES: u32 = 64 * 1024;
/// What an HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves until the app's shutdown, then lets what is in flight finish.
///
/// # Errors
/// When the listener breaks for good.
pub async fn serve(app: App, listener: TcpListener, router: Router) -> io::Result<()> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES as usize);
    let http2_alive = Duration::from_secs(30);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(http2_alive)).max_concurrent_streams(STREAMS);
    builder.http2().max_header_list_size(HEAD_BYTES);
    let builder = Arc::new(builder);
    let most = app.config().max_connections;
    let connections = Arc::new(Semaphore::new(most));
    // Nobody alone keeps all others out; a proxy speaks for many.
    let guests = Arc::new(Guests { most: most.div_ceil(2), known: Mutex::default() });
    let graceful = GracefulShutdown::new();
    loop {
        let permit = tokio::select! {
            permit = connections.clone().acquire_owned() => permit.map_err(io::Error::other)?,
            () = app.shutdown().cancelled() => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(fault) => {
                    // Out of file handles, or a peer that left: neither ends the server.
                    tracing::warn!(%fault, "a connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = app.shutdown().cancelled() => break,
        };
        let peer = peer.ip().to_canonical();
        let guest = match app.config().trusted_proxies.iter().any(|net| net.contains(&peer)) {
            true => None,
            false => match Guests::enter(&guests, peer) {
                Some(guest) => Some(guest),
                None => continue,
            },
        };
        // Small answers should not wait for more to send.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(patient);
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request)
        });
        let (builder, watcher, app) = (builder.clone(), graceful.watcher(), app.clone());
        tokio::spawn(async move {
            // The library waits for ever to see which protocol it is.
            let begun = tokio::select! {
                begun = timeout(HEAD, begins(&stream)) => matches!(begun, Ok(Ok(()))),
                () = app.shutdown().cancelled() => false,
            };
            if begun {
                let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
                if let Err(fault) = connection.await {
                    tracing::debug!(%fault, "a connection ended early");
                }
            }
            drop((permit, guest));
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(DRAIN) => tracing::warn!("some requests did not finish in time"),
    }
    Ok(())
}

/// Returns when it can be told whether HTTP/1 or HTTP/2 is spoken.
async fn begins(stream: &TcpStream) -> io::Result<()> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        if length == 0 || length == PREFACE.len() || !PREFACE.starts_with(&seen[..length]) {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// A body that must keep coming; one that stalls ends in an error, and the connection with it.
fn patient(body: Incoming) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::from_stream(timed(BodyDataStream::new(body), Instant::now() + BODY))
}

fn timed(parts: BodyDataStream<Incoming>, end: Instant) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    stream::unfold(Some(parts), move |parts| async move {
        let mut parts = parts?;
        match timeout_at(end.min(Instant::now() + BODY_PART), parts.next()).await {
            Ok(part) => Some((part?.map_err(axum::Error::new), Some(parts))),
            Err(_) => Some((Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut))), None)),
        }
    })
}

/// Who holds how many connections.
struct Guests {
    most: usize,
    known: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address; counted until it is dropped.
struct Guest(Arc<Guests>, IpAddr);

impl Guests {
    fn enter(guests: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let mut known = guests.known.lock().unwrap_or_else(PoisonError::into_inner);
        let held = known.entry(address).or_default();
        if *held >= guests.most {
            return None;
        }
        *held += 1;
        Some(Guest(guests.clone(), address))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = known.get_mut(&self.1) {
            *held -= 1;
            if *held == 0 {
                known.remove(&self.1);
            }
        }
    }
}
