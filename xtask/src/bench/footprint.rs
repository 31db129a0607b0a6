//! Start time and memory.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::effort::Effort;
use super::figure::{Figure, Limit, MIB, grouped, median};
use super::load::{self, Keys};
use super::server::{GUARDED, Installation, Server};
use crate::progress;

/// The number of measured starts.
const STARTS: usize = 5;
/// The longest wait until the fingerprints of all secrets are loaded.
const LOADED: Duration = Duration::from_secs(60);

/// Starts Latchkey several times; presents every key, then unknown keys, to the last server. Also returns that server.
pub(crate) fn measure(
    installation: &Installation,
    effort: &Effort,
) -> Result<(Vec<Figure>, Server)> {
    let (mut server, first) = installation.start("serve", &[])?;
    let mut starts = vec![first];
    while starts.len() < STARTS {
        // Two servers cannot use the same database.
        drop(server);
        let (next, time) = installation.start("serve", &[])?;
        starts.push(time);
        server = next;
    }
    server.wait_until_at_rest()?;
    let (idle, _) = server.memory()?;
    let count = installation.secrets.len();
    let cached = progress::step("Presenting every key once", "30 s", || {
        memory_after(&server, Keys::InTurn, &installation.secrets, count)
    })?;
    let after_unknown = progress::step("Presenting keys that do not exist", "3 min", || {
        memory_after(&server, Keys::Unknown, &[], effort.unknown)
    })?;
    let start = median(starts.iter().map(Duration::as_secs_f64)) * 1e3;
    let growth = (after_unknown / cached - 1.0) * 100.0;
    let (keys, unknown) = (grouped(count as u64), grouped(effort.unknown as u64));
    let memory = |name: &str, bytes| Figure::new(format!("memory, {name}"), bytes / MIB, "MiB");
    let figures = vec![
        Figure::new("start", start, "ms").limit(Limit::Below(300.0)),
        memory("idle", idle).limit(Limit::Below(40.0)),
        memory(&format!("{keys} keys presented"), cached).limit(Limit::Below(150.0)),
        Figure::new(
            format!("memory, growth by {unknown} unknown keys"),
            growth,
            "%",
        )
        .limit(Limit::AtMost(10.0)),
    ];
    Ok((figures, server))
}

/// Measures start and memory of a server with very many archived keys, compared with one that has two keys.
pub(crate) fn measure_archive(binary: &Path, effort: &Effort) -> Result<Vec<Figure>> {
    let archived = effort.archived;
    let memory = |installation: &Installation, secrets: u64| -> Result<_> {
        let started = Instant::now();
        let (server, first) = installation.start("serve", &[])?;
        while server.known_secrets()? < secrets {
            ensure!(started.elapsed() < LOADED, "the secrets are not loaded");
            sleep(Duration::from_millis(5));
        }
        let loaded = started.elapsed();
        server.wait_until_at_rest()?;
        Ok((server.memory()?.0, first, loaded))
    };
    let (empty, ..) = memory(&Installation::fill_archive(binary, 0)?, 2)?;
    let installation = progress::step("Filling the archive of keys", "20 s", || {
        Installation::fill_archive(binary, archived)
    })?;
    let (full, first, loaded) = memory(&installation, u64::from(archived) + 2)?;
    let archived = grouped(archived.into());
    let milliseconds = |name: &str, time: Duration| {
        let name = format!("{name}, {archived} archived keys");
        Figure::new(name, time.as_secs_f64() * 1e3, "ms").limit(Limit::Below(2_000.0))
    };
    let name = format!("memory, growth by {archived} archived keys");
    Ok(vec![
        milliseconds("start", first),
        milliseconds("start until unknown secrets cost no query", loaded),
        Figure::new(name, (full - empty) / MIB, "MiB").limit(Limit::AtMost(40.0)),
    ])
}

/// The memory after `count` requests, once their usage is written.
fn memory_after(server: &Server, keys: Keys, secrets: &[String], count: usize) -> Result<f64> {
    load::run(server.address, GUARDED, keys, secrets, |number| {
        number >= count
    })?;
    server.wait_until_at_rest()?;
    server.empty_log()?;
    Ok(server.memory()?.0)
}
