//! What a flood of sign-ins does to the check of keys: passwords are slow to check on purpose, and anybody may ask for it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::load::{Connection, percentile};
use super::server::{GUARDED, Installation, Server};
use crate::progress;

/// Sign-ins at the same time.
pub(crate) const SIGN_INS: usize = 200;
/// Requests with a key, a second, whatever happens.
pub(crate) const STEADY: u32 = 500;
/// How long each of the two is measured.
const TIME: Duration = Duration::from_secs(6);
/// Connections that share the steady load: so many may be late before one waits for another.
const CONNECTIONS: u32 = 16;

/// What was found; times in seconds, memory in bytes.
pub(crate) struct Flood {
    /// The 99th percentile of the steady load alone.
    pub(crate) calm: f64,
    /// The same beside the flood.
    pub(crate) flooded: f64,
    /// Until the slowest sign-in was answered.
    pub(crate) slowest: f64,
    /// Before anybody signed in.
    pub(crate) fresh: u64,
    /// After as many as in the flood have, so that what rendering and hashing take once and keep is there.
    pub(crate) before: u64,
    /// In the flood, at the most.
    pub(crate) most: u64,
}

/// Measures it on a server of its own, on which every sign-in comes from another address.
///
/// # Errors
/// When a request with a key is refused, or a sign-in is answered with anything but 422, 429 and 503.
pub(crate) fn measure(installation: &Installation) -> Result<Flood> {
    let server = installation.serve_behind_proxy()?;
    progress::step(
        "Sign-ins by hundreds, beside requests with a key",
        "20 s",
        || {
            let fresh = server.memory()?;
            wave(&server, 0)?;
            let calm = steady(&server, installation.key_for_anyone(), || Ok(()))?.0;
            let before = server.memory()?;
            let mut slowest = Duration::ZERO;
            let mut most = before;
            let (flooded, ()) = steady(&server, installation.key_for_anyone(), || {
                let started = Instant::now();
                let mut number = 1;
                while started.elapsed() < TIME {
                    let (time, memory) = wave(&server, number)?;
                    slowest = slowest.max(time);
                    most = most.max(memory);
                    number += 1;
                }
                Ok(())
            })?;
            Ok(Flood {
                calm,
                flooded,
                slowest: slowest.as_secs_f64(),
                fresh,
                before,
                most,
            })
        },
    )
}

/// The 99th percentile, in seconds, of a load that asks at fixed times, from when each request was due; while `beside` runs.
fn steady<T>(server: &Server, key: &str, beside: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let every = Duration::from_secs(1) / STEADY;
    let started = Instant::now();
    let one = |first: u32| -> Result<Vec<Duration>> {
        let mut connection = Connection::open(server.address)?;
        let mut times = Vec::new();
        let mut due = started + every * first;
        while due < started + TIME {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let status = connection.ask(GUARDED, key)?;
            times.push(due.elapsed());
            ensure!(status == 200, "{GUARDED} answered {status}");
            due += every * CONNECTIONS;
        }
        Ok(times)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|first| scope.spawn(move || one(first)))
            .collect();
        let done = beside()?;
        let mut times = Vec::new();
        for thread in threads {
            times.extend(thread.join().map_err(|_| anyhow!("a thread panicked"))??);
        }
        times.sort_unstable();
        Ok((percentile(&times, 99)?, done))
    })
}

/// Signs in so many times at once, as nobody who is known. How long the slowest took, and the most memory meanwhile.
fn wave(server: &Server, number: usize) -> Result<(Duration, u64)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| -> Result<u64> {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(server.memory()?);
                thread::sleep(Duration::from_millis(10));
            }
            Ok(most)
        });
        let threads: Vec<_> = (0..SIGN_INS)
            .map(|one| scope.spawn(move || sign_in(server, number * SIGN_INS + one)))
            .collect();
        let mut slowest = Duration::ZERO;
        let mut failed = Ok(());
        for thread in threads {
            match thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
            {
                Ok(time) => slowest = slowest.max(time),
                Err(error) => failed = Err(error),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let most = watch.join().map_err(|_| anyhow!("a thread panicked"))??;
        failed.map(|()| (slowest, most))
    })
}

fn sign_in(server: &Server, number: usize) -> Result<Duration> {
    let address = format!(
        "10.{}.{}.{}",
        number >> 16 & 255,
        number >> 8 & 255,
        number & 255
    );
    let body = format!("email=nobody-{number}%40example.test&password=violet+canoe+7+orbit");
    let started = Instant::now();
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "POST /sign-in HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nx-forwarded-for: {address}\r\n\
         sec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = answer
        .get(9..12)
        .and_then(|status| str::from_utf8(status).ok())
        .context("a sign-in was not answered")?;
    ensure!(
        ["422", "429", "503"].contains(&status),
        "a sign-in was answered with {status}"
    );
    Ok(started.elapsed())
}
