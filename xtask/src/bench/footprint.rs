//! How long Latchkey takes to start, and how much memory it takes.

use std::time::Duration;

use anyhow::Result;

use super::Effort;
use super::load::{self, Extent, Keys};
use super::rounds::median;
use super::server::{GUARDED, Installation, Server};
use crate::progress;

/// How often the start is measured.
pub(crate) const STARTS: usize = 5;

/// What was found.
pub(crate) struct Footprint {
    /// From the start of the process to the first key that is let through, in seconds; the median.
    pub(crate) start: f64,
    /// Bytes after the start.
    pub(crate) idle: u64,
    /// Bytes after every key was presented once.
    pub(crate) cached: u64,
    /// Bytes after very many keys that do not exist.
    pub(crate) after_unknown: u64,
}

/// Starts Latchkey several times, shows the last one every key, then keys that do not exist. That one comes along.
///
/// # Errors
/// When it does not start or answers otherwise.
pub(crate) fn measure(installation: &Installation, effort: &Effort) -> Result<(Footprint, Server)> {
    let (mut server, first) = installation.serve()?;
    let mut starts = vec![first];
    while starts.len() < STARTS {
        // One at a time: a second one would be refused the database.
        drop(server);
        let (next, time) = installation.serve()?;
        starts.push(time);
        server = next;
    }
    server.wait_until_at_rest()?;
    let idle = server.memory()?;
    let every_key = Keys::InTurn(&installation.secrets);
    let count = installation.secrets.len();
    let cached = progress::step("Presenting every key once", "30 s", || {
        settled(&server, every_key, count, 200)
    })?;
    let after_unknown = progress::step("Presenting keys that do not exist", "3 min", || {
        settled(&server, Keys::Unknown, effort.unknown, 401)
    })?;
    let footprint = Footprint {
        start: median(starts.iter().map(Duration::as_secs_f64).collect()),
        idle,
        cached,
        after_unknown,
    };
    Ok((footprint, server))
}

/// The memory after so many requests, once they are done with.
fn settled(server: &Server, keys: Keys, count: usize, status: u16) -> Result<u64> {
    load::run(
        server.address,
        GUARDED,
        keys,
        Extent::Requests(count),
        status,
    )?;
    server.wait_until_at_rest()?;
    server.empty_log()?;
    server.memory()
}
