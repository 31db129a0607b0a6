//! A load like oha's, with another key in each request, which oha cannot do: connections that are kept alive, each with a thread that
//! asks again as soon as it has the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::secret::Random;

/// As many as oha is told.
pub(crate) const CONNECTIONS: usize = 32;
/// No answer takes longer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// What each request presents.
#[derive(Clone, Copy)]
pub(crate) enum Keys<'a> {
    /// One after the other.
    InTurn(&'a [String]),
    /// Any of them.
    Any(&'a [String]),
    /// One that does not exist, another one each time.
    Unknown,
    /// One with a wrong checksum, another one each time.
    Junk,
}

/// When a load ends.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    For(Duration),
    Requests(usize),
}

/// What was asked for, and how quickly it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answers {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    /// Seconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Puts load on a server; every answer must have `status`.
///
/// # Errors
/// When the connection breaks, or another answer comes.
pub(crate) fn run(
    address: SocketAddr,
    path: &str,
    keys: Keys,
    extent: Extent,
    status: u16,
) -> Result<Answers> {
    let asked = AtomicUsize::new(0);
    let started = Instant::now();
    let one = || -> Result<Vec<Duration>> {
        let mut connection = Connection::open(address)?;
        let mut random = Random::new();
        let mut times = Vec::new();
        loop {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let goes_on = match extent {
                Extent::For(time) => started.elapsed() < time,
                Extent::Requests(count) => number < count,
            };
            if !goes_on {
                return Ok(times);
            }
            let made;
            let key = match keys {
                Keys::InTurn(keys) => &keys[number % keys.len()],
                Keys::Any(keys) => &keys[random.below(keys.len())],
                Keys::Unknown => {
                    made = random.unknown_secret();
                    &made
                }
                Keys::Junk => {
                    made = random.junk();
                    &made
                }
            };
            let sent = Instant::now();
            let answer = connection.ask(path, key)?;
            times.push(sent.elapsed());
            ensure!(
                answer == status,
                "{path} answered {answer} instead of {status}"
            );
        }
    };
    let times: Vec<Result<Vec<Duration>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
            })
            .collect()
    });
    let elapsed = started.elapsed();
    let mut times: Vec<Duration> = times
        .into_iter()
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    times.sort_unstable();
    Ok(Answers {
        requests: times.len() as u64,
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        p50: percentile(&times, 50)?,
        p99: percentile(&times, 99)?,
    })
}

/// In seconds.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Result<f64> {
    sorted
        .get(sorted.len().saturating_sub(1) * percent / 100)
        .map(Duration::as_secs_f64)
        .context("nothing was asked")
}

/// A connection of HTTP/1.1 that is kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    request: Vec<u8>,
    /// The last one.
    answer: Vec<u8>,
    body_begins: usize,
}

impl Connection {
    /// # Errors
    /// When nobody listens there.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self {
            stream,
            address,
            request: Vec::new(),
            answer: Vec::new(),
            body_begins: 0,
        })
    }

    /// Gets `path` with that key, reads the whole answer and returns its status.
    ///
    /// # Errors
    /// When the connection breaks or what comes is no HTTP.
    pub(crate) fn ask(&mut self, path: &str, key: &str) -> Result<u16> {
        self.request.clear();
        write!(
            self.request,
            "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\nx-api-key: {key}\r\n\r\n",
            self.address
        )?;
        self.stream.write_all(&self.request)?;
        self.answer.clear();
        let mut chunk = [0; 4096];
        loop {
            let count = self.stream.read(&mut chunk)?;
            ensure!(count > 0, "the server closed the connection");
            self.answer.extend_from_slice(&chunk[..count]);
            let Some(head) = Head::read(&self.answer)? else {
                continue;
            };
            match self.answer.len() {
                length if length < head.answer_length => {}
                length if length == head.answer_length => {
                    self.body_begins = head.length;
                    return Ok(head.status);
                }
                _ => bail!("the server sent more than it was asked for"),
            }
        }
    }

    /// That of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        self.answer.get(self.body_begins..).unwrap_or_default()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// In bytes, up to the body.
    length: usize,
    /// Head and body together, in bytes.
    answer_length: usize,
}

impl Head {
    /// `None` while it is not there as a whole.
    fn read(answer: &[u8]) -> Result<Option<Self>> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = answer.windows(END.len()).position(|window| window == END) else {
            return Ok(None);
        };
        let head = str::from_utf8(&answer[..end])?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .context("the answer is no HTTP/1.1")?;
        let body_length: usize = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .context("the answer does not say how long it is")?;
        Ok(Some(Self {
            status,
            length: end + END.len(),
            answer_length: end + END.len() + body_length,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_status_and_length_once_it_is_there() {
        let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\nContent-Length: 5\r\n\r\nhel";
        let head = Head::read(answer).expect("it is HTTP").expect("whole");
        assert_eq!((head.status, head.answer_length), (401, answer.len() + 2));
        assert_eq!(&answer[head.length..], b"hel");
        assert_eq!(Head::read(&answer[..40]).expect("a part"), None);
        assert!(Head::read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Head::read(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let times: Vec<Duration> = (1..=101).map(Duration::from_secs).collect();
        assert_eq!(percentile(&times, 50).expect("some"), 51.0);
        assert_eq!(percentile(&times, 99).expect("some"), 100.0);
        assert!(percentile(&[], 50).is_err());
    }
}
