//! Closes a connection whose client still sends. Closing a socket with unread bytes resets the connection (RFC 1122, section
//! 4.2.2.13), and the reset discards what the client has not read: it would see "connection reset" instead of the 413 or 431, and a
//! proxy would respond 502.
//!
//! So the write side is closed first, and incoming bytes are discarded for a while (RFC 9112, section 9.6).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep, sleep},
};

/// The limit on discarding incoming bytes after the response.
const LONGEST: Duration = Duration::from_secs(10);
/// The limit on waiting for a client that neither sends nor closes.
const IDLE: Duration = Duration::from_secs(5);
/// The size of the discard buffer in bytes.
const PIECE: usize = 16 * 1024;

/// A stream that is closed as described above.
pub(super) struct Lingering {
    stream: TcpStream,
    /// Changes at shutdown, which ends the discarding.
    stopped: watch::Receiver<()>,
    state: State,
}

enum State {
    Open,
    /// The write side is closed.
    Draining {
        /// Completes after [`LONGEST`] or at shutdown.
        over: Pin<Box<dyn Future<Output = ()> + Send>>,
        /// Completes after [`IDLE`] without a byte.
        pause: Pin<Box<Sleep>>,
    },
    Drained,
}

impl Lingering {
    pub(super) fn new(stream: TcpStream, stopped: watch::Receiver<()>) -> Self {
        Self {
            stream,
            stopped,
            state: State::Open,
        }
    }

    /// Discards bytes until the client closes, pauses, or reaches the limit.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let State::Draining { over, pause } = &mut self.state else {
            return Poll::Ready(());
        };
        if over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut piece = [0; PIECE];
        // Not endless with a fast client: tokio's task budget (`tokio::task::coop`) ends, and the next call checks the time.
        loop {
            let mut thrown_away = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(cx, &mut thrown_away) {
                Poll::Ready(Ok(())) if !thrown_away.filled().is_empty() => {
                    pause.as_mut().reset(Instant::now() + IDLE);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return pause.as_mut().poll(cx),
            }
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.state, State::Open) {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            let mut stopped = self.stopped.clone();
            self.state = State::Draining {
                over: Box::pin(async move {
                    tokio::select! {
                        () = sleep(LONGEST) => {}
                        _ = stopped.changed() => {}
                    }
                }),
                pause: Box::pin(sleep(IDLE)),
            };
        }
        ready!(self.poll_drain(cx));
        self.state = State::Drained;
        Poll::Ready(Ok(()))
    }
}
