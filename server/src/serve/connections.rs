//! Connections of HTTP/1.1, each within bounds of time, size and number: `axum::serve` has none of them.

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

/// How long a client may take to send the head of a request, and how long a connection may idle between two.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of a head is read before the answer is 431, in bytes.
const MAX_HEADER_SIZE: usize = 64 * 1024;
/// How many connections are open at once; for further ones, those that have waited longest are closed.
const MAX_CONNECTIONS: usize = 10_000;
/// How long requests that run may go on running at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take to send its request that was accepted as the last, where the server has drained.
const LAST_REQUESTS: Duration = Duration::from_millis(500);
/// How long to wait where the system has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections until told to stop, then lets the requests that run finish.
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
        // Answers are written whole: waiting to fill a packet would only delay them. Where it fails, they come later.
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
        // hyper closes a connection at once that has sent nothing yet, also where its request is on the way.
        sleep(LAST_REQUESTS).await;
    }
    if timeout(SHUTDOWN_TIMEOUT, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
}

/// Closes the listener. Connections that the system has accepted by then are returned: it would reset them.
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

/// The next connection, whatever happens to those before it.
async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection");
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

/// Serves the requests of one connection. Each carries its peer as `ConnectInfo`, as axum's extractor expects it.
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
        // Always ready: what it calls is chosen by the request.
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
        // A client that hangs up or sends no HTTP is no event for an operator.
        ended = watcher.watch(connection) => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = slot.closed() => {}
    }
}

/// A request's body. While it does not come, its connection idle.
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
        // Since its first pause, whatever drips in: else a byte a second would be no wait.
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
