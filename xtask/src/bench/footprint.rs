//! Start time and memory.

use std::time::Duration;

use anyhow::Result;

use super::effort::Effort;
use super::figure::{Figure, Limit, MIB, grouped, median};
use super::load::{self, Keys};
use super::server::{GUARDED, Installation, Server};
use crate::progress;

/// The number of measured starts.
const STARTS: usize = 5;

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

/// The memory after `count` requests, once their usage is written.
fn memory_after(server: &Server, keys: Keys, secrets: &[String], count: usize) -> Result<f64> {
    load::run(server.address, GUARDED, keys, secrets, |number| {
        number >= count
    })?;
    server.wait_until_at_rest()?;
    server.empty_log()?;
    Ok(server.memory()?.0)
}
