//! HTTP/1.1 connections with limits on time, header size and number, which `axum::serve` lacks. The next release of axum announces
//! `ListenerExt::limit_connections` and a header timeout; check then whether they replace this.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Bytes, extract::ConnectInfo, response::Response};
use domain::client_address::TrustedProxies;
use futures_util::TryFutureExt as _;
use http::Request;
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tower::Service;

use super::{
    connection_slots::{ConnectionSlots, IdleClock, Slot},
    lingering::Lingering,
};
use crate::drain::Drain;

/// The limit on receiving a request head, and on idling between two requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest request head in bytes; beyond it the response is 431.
const MAX_HEADER_SIZE: usize = 64 * 1024;
/// The limit on open connections; for further ones, the longest idle connections are closed.
const MAX_CONNECTIONS: usize = 10_000;
/// The limit on running requests at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// The time in which connections accepted last can send their request after a drain.
const LAST_REQUESTS: Duration = Duration::from_millis(500);
/// The pause after a failed accept, such as without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections until `stopped`, then lets running requests finish.
pub(super) async fn accept<S>(
    listener: TcpListener,
    service: S,
    proxies: TrustedProxies,
    mut stopped: watch::Receiver<()>,
    drain: Drain,
) where
    S: Service<Request<TimedBody>, Response = Response, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let connections = GracefulShutdown::new();
    let slots = ConnectionSlots::new(MAX_CONNECTIONS, proxies);
    let lingers_until = stopped.clone();
    let start = |slot: Slot, stream: TcpStream, peer: SocketAddr| {
        // Responses are written whole, so Nagle's algorithm would only delay them. A failure is harmless.
        let _ = stream.set_nodelay(true);
        let stream = Lingering::new(stream, lingers_until.clone());
        let (service, drain) = (service.clone(), drain.clone());
        let watcher = connections.watcher();
        tokio::spawn(serve(stream, peer, service, drain, watcher, slot));
    };
    loop {
        let accepted = async {
            let (stream, peer) = accept_one(&listener).await;
            (slots.take(peer).await, stream, peer)
        };
        let (slot, stream, peer) = tokio::select! {
            accepted = accepted => accepted,
            _ = stopped.changed() => break,
        };
        start(slot, stream, peer);
    }
    for (stream, peer) in close(listener) {
        if let Some(slot) = slots.try_take(peer.ip()) {
            start(slot, stream, peer);
        }
    }
    if drain.has_begun() {
        // hyper closes connections that have sent nothing yet, even if a request is on the way.
        sleep(LAST_REQUESTS).await;
    }
    if timeout(SHUTDOWN_TIMEOUT, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("shutdown timeout reached: unfinished requests aborted");
    }
}

/// Closes the listener and returns the connections in its backlog, which the system would reset.
fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut waiting = Vec::new();
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                waiting.push((stream, peer));
            }
            if waiting.len() >= MAX_CONNECTIONS {
                break;
            }
        }
    }
    waiting
}

/// The next connection; retries after errors.
async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                tracing::error!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Serves the requests of one connection, each with its peer as `ConnectInfo`.
async fn serve<S>(
    stream: Lingering,
    peer: SocketAddr,
    service: S,
    drain: Drain,
    watcher: Watcher,
    slot: Slot,
) where
    S: Service<Request<TimedBody>, Response = Response, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let idle = slot.idle_clock();
    let service = service_fn(move |request: Request<Incoming>| {
        idle.stop();
        let mut request = request.map(|body| TimedBody {
            body,
            idle: idle.clone(),
            has_waited: false,
        });
        request.extensions_mut().insert(ConnectInfo(peer));
        let idle = idle.clone();
        // The service is always ready.
        let answer = service.clone().call(request);
        let drain = drain.clone();
        answer.map_ok(move |mut response| {
            idle.start();
            drain.close_after(&mut response);
            response
        })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_header_size(MAX_HEADER_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Debug: clients that hang up or send no HTTP are routine.
        ended = watcher.watch(connection) => if let Err(error) = ended {
            tracing::debug!(%error, "connection closed early");
        },
        () = slot.closed() => {}
    }
}

/// A request body whose connection counts as idle while no data arrives.
pub(super) struct TimedBody {
    body: Incoming,
    idle: IdleClock,
    has_waited: bool,
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        // Idle since its first pause: a client that sends a byte per second must not count as active.
        if polled.is_pending() && !self.has_waited {
            self.has_waited = true;
            self.idle.start();
        }
        let frame = ready!(polled);
        if frame.is_none() || self.body.is_end_stream() {
            self.idle.stop();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
