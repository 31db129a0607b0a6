//! A flood of sign-ins during key checks: hashing a password is slow on purpose, and any client can cause it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::connection::{Connection, exchange};
use super::figure::{Figure, Limit, MIB};
use super::load::{in_parallel, percentile};
use super::server::{GUARDED, Installation, Server};
use crate::progress;

/// The number of concurrent sign-ins.
const SIGN_INS: usize = 200;
/// Requests with a key, per second.
const STEADY: u32 = 500;
/// The duration of the steady load, both without and beside the flood.
const TIME: Duration = Duration::from_secs(6);
/// The number of connections that share the steady load, and thus of responses that may be late before a request waits for another.
const CONNECTIONS: u32 = 16;
/// The memory of one password hash, in MiB.
const HASH_MEMORY: f64 = 19.0;

/// Measures on a separate server, where every sign-in has another client address.
pub(crate) fn measure(installation: &Installation) -> Result<Vec<Figure>> {
    let proxy = [("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1")];
    let (server, _) = installation.start("serve", &proxy)?;
    let key = installation.key_without_allowlist();
    progress::announce("Sign-ins by hundreds, beside requests with a key", "20 s");
    let (fresh, _) = server.memory()?;
    // Loads code and tables that the first sign-ins need.
    wave(&server, 0)?;
    let calm = 1e3 * steady(&server, key, || Ok(()))?;
    let (before, _) = server.memory()?;
    server.reset_peak()?;
    let mut slowest = Duration::ZERO;
    let flooded = steady(&server, key, || {
        let started = Instant::now();
        let mut number = 1;
        while started.elapsed() < TIME {
            slowest = slowest.max(wave(&server, number)?);
            number += 1;
        }
        Ok(())
    })?;
    let (flooded, slowest) = (1e3 * flooded, slowest.as_secs_f64());
    let (_, most) = server.memory()?;
    // The number of concurrent hashes that the server allows (`domain/src/store/password/slots.rs`).
    let slots = (thread::available_parallelism()?.get() / 2).clamp(1, 4) as f64;
    let memory = |name, bytes| Figure::new(name, bytes / MIB, "MiB");
    let p99 = |name, time| Figure::new(format!("p99 of checks, {name}"), time, "ms");
    Ok(vec![
        p99("alone", calm),
        p99(&format!("beside {SIGN_INS} sign-ins"), flooded),
        p99("rise", flooded - calm).limit(Limit::AtMost(10.0)),
        Figure::new("slowest sign-in", slowest, "s").limit(Limit::AtMost(5.0)),
        memory("memory, before any sign-in", fresh),
        memory("memory, most in the flood", most),
        memory("memory, growth by the flood", most - before)
            .limit(Limit::AtMost(slots * HASH_MEMORY)),
    ])
}

/// The 99th percentile, in seconds, of a load with fixed send times, counted from the due time of each request; `beside` runs meanwhile.
fn steady(server: &Server, key: &str, beside: impl FnOnce() -> Result<()>) -> Result<f64> {
    let interval = Duration::from_secs(1) / STEADY;
    let started = Instant::now();
    let one = |first: usize| -> Result<Vec<Duration>> {
        let mut connection = Connection::open(server.address)?;
        let mut times = Vec::new();
        let mut due = started + interval * first as u32;
        while due < started + TIME {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let status = connection.get(GUARDED, key)?;
            times.push(due.elapsed());
            ensure!(status == 200, "{GUARDED} responded {status}");
            due += interval * CONNECTIONS;
        }
        Ok(times)
    };
    thread::scope(|scope| {
        let load = scope.spawn(|| in_parallel(CONNECTIONS as usize, one));
        beside()?;
        let times = load.join().map_err(|_| anyhow!("a thread panicked"))?;
        let mut times = times?.concat();
        times.sort_unstable();
        percentile(&times, 99)
    })
}

/// Signs in concurrently with email addresses of no user. Returns the slowest time.
fn wave(server: &Server, number: usize) -> Result<Duration> {
    let times = in_parallel(SIGN_INS, |one| sign_in(server, number * SIGN_INS + one))?;
    Ok(times.into_iter().max().unwrap_or_default())
}

fn sign_in(server: &Server, number: usize) -> Result<Duration> {
    let [_, high, middle, low] = (number as u32).to_be_bytes();
    let body = format!("email=nobody-{number}%40example.test&password=violet+canoe+7+orbit");
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nx-forwarded-for: 10.{high}.{middle}.{low}\r\n\
         sec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    let started = Instant::now();
    let (status, _) = exchange(server.address, &request)?;
    ensure!(
        [422, 429, 503].contains(&status),
        "a sign-in got status {status}"
    );
    Ok(started.elapsed())
}
