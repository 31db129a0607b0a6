//! The end of a connection on which somebody still sends. A system that closes a socket with unread bytes resets the
//! connection (RFC 1122, section 4.2.2.13), and a reset throws away at the other end what was not read there: a client would see
//! "connection reset" in place of the 413 or 431 that says what is wrong, and a proxy would make a 502 of it.
//!
//! So this side says that it is done, and reads on for a while without keeping anything (RFC 9112, section 9.6).

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

/// How long what a client still sends is read and thrown away after the answer.
const LONGEST: Duration = Duration::from_secs(10);
/// How long to wait for a client that neither sends nor hangs up.
const IDLE: Duration = Duration::from_secs(1);
/// How much is thrown away at a time, in bytes.
const PIECE: usize = 16 * 1024;

/// A connection that is closed as described above. In every other way it is the stream.
pub(super) struct Lingering {
    stream: TcpStream,
    /// Has changed once the process is to end: nobody is waited for any more.
    stopped: watch::Receiver<()>,
    closing: Option<Closing>,
}

/// What is known of a connection on which this side is done.
struct Closing {
    until: Instant,
    pause: Pin<Box<Sleep>>,
}

impl Lingering {
    pub(super) fn new(stream: TcpStream, stopped: watch::Receiver<()>) -> Self {
        Self {
            stream,
            stopped,
            closing: None,
        }
    }

    /// Reads until the client hangs up, falls silent, or has had its time.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(closing) = &mut self.closing else {
            return Poll::Ready(());
        };
        let mut piece = [0; PIECE];
        while Instant::now() < closing.until {
            let mut thrown_away = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(cx, &mut thrown_away) {
                Poll::Ready(Ok(())) if !thrown_away.filled().is_empty() => {
                    let next = (Instant::now() + IDLE).min(closing.until);
                    closing.pause.as_mut().reset(next);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return closing.pause.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
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
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            // An error says that the other end of the channel is gone, so that the process ends as well.
            if self.stopped.has_changed().unwrap_or(true) {
                return Poll::Ready(Ok(()));
            }
            let now = Instant::now();
            self.closing = Some(Closing {
                until: now + LONGEST,
                pause: Box::pin(sleep_until(now + IDLE)),
            });
        }
        self.poll_drain(cx).map(Ok)
    }
}
