//! A load generator like oha, but with another key in each request, which oha does not support. Each connection has a thread that sends the
//! next request as soon as it has received the response.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use domain::key::format::{KeyPrefix, Secret};

use super::connection::Connection;

/// The default of oha.
pub(crate) const CONNECTIONS: usize = 32;

/// The keys that the requests present.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Keys {
    /// The same key in every request.
    One,
    /// All keys, one after the other.
    InTurn,
    /// A random one of all keys.
    Any,
    /// A new well-formed key that does not exist.
    Unknown,
    /// A new key with a wrong checksum.
    Junk,
}

/// The result of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Throughput {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    /// Seconds, as `p99`.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Requests `path` until `is_over`, which receives the number of the request, is true. Every response must have the status expected for
/// `keys`.
pub(crate) fn run(
    address: SocketAddr,
    path: &str,
    keys: Keys,
    secrets: &[String],
    is_over: impl Fn(usize) -> bool + Sync,
) -> Result<Throughput> {
    let status = if matches!(keys, Keys::Unknown | Keys::Junk) {
        401
    } else {
        200
    };
    let sent = AtomicUsize::new(0);
    let started = Instant::now();
    let times = in_parallel(CONNECTIONS, |_| {
        let mut connection = Connection::open(address)?;
        let mut random = fastrand::Rng::new();
        let mut times = Vec::new();
        loop {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            if is_over(number) {
                return Ok(times);
            }
            let made;
            let key = match keys {
                Keys::One => &secrets[0],
                Keys::InTurn => &secrets[number % secrets.len()],
                Keys::Any => &secrets[random.usize(..secrets.len())],
                Keys::Unknown | Keys::Junk => {
                    made = unknown_secret(&mut random, keys == Keys::Junk);
                    &made
                }
            };
            let before = Instant::now();
            let got = connection.get(path, key)?;
            times.push(before.elapsed());
            ensure!(got == status, "{path} responded {got} instead of {status}");
        }
    })?;
    let elapsed = started.elapsed().as_secs_f64();
    let mut times = times.concat();
    times.sort_unstable();
    Ok(Throughput {
        requests: times.len() as u64,
        per_second: times.len() as f64 / elapsed,
        p50: percentile(&times, 50)?,
        p99: percentile(&times, 99)?,
    })
}

/// Runs `one` with each of the numbers below `count`, each in a separate thread, and waits for all.
pub(crate) fn in_parallel<T: Send>(
    count: usize,
    one: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = (0..count)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect()
    })
}

/// The percentile in seconds.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Result<f64> {
    sorted
        .get(sorted.len().saturating_sub(1) * percent / 100)
        .map(Duration::as_secs_f64)
        .context("no request was sent")
}

/// A secret that no database contains, with a wrong checksum if `is_junk`. Its random numbers are fast and not secure.
fn unknown_secret(random: &mut fastrand::Rng, is_junk: bool) -> String {
    let fill = |bytes: &mut [u8]| {
        random.fill(bytes);
        Ok::<_, Infallible>(())
    };
    let Ok(secret) = Secret::generate(&KeyPrefix::default(), fill);
    let mut secret = secret.expose().to_owned();
    if is_junk {
        let last = secret.pop();
        secret.push(if last == Some('0') { '1' } else { '0' });
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_secrets_are_well_formed_and_junk_is_not() {
        let mut random = fastrand::Rng::new();
        for _ in 0..1_000 {
            for is_junk in [false, true] {
                let secret = unknown_secret(&mut random, is_junk);
                assert_eq!(Secret::is_well_formed(&secret), !is_junk, "{secret}");
            }
        }
        assert_ne!(
            unknown_secret(&mut random, false),
            unknown_secret(&mut random, false)
        );
    }

    #[test]
    fn percentiles_are_taken_from_the_sorted_times() {
        let times: Vec<Duration> = (1..=101).map(Duration::from_secs).collect();
        assert_eq!(percentile(&times, 50).expect("some"), 51.0);
        assert_eq!(percentile(&times, 99).expect("some"), 100.0);
        assert!(percentile(&[], 50).is_err());
    }
}
