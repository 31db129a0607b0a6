//! Replicas whose wall clocks differ by an hour or are set back. Leases use a monotonic clock, and the last use never moves back.

use std::fs;

use tempfile::TempDir;

use super::{NO_SETTINGS, assert_heals, assert_whole, cluster::ReplicaCluster, faults, rounds};
use crate::support::{
    fault_proxy::{ConnectionKind, FaultProxy},
    load::Failures,
    skip::skip,
    wait::wait_until,
};

/// One replica an hour ahead, one an hour behind.
const WALL_CLOCKS: [&[(&str, &str)]; 3] = [
    &[
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME", "+1h"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ],
    &[],
    &[
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME", "-1h"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ],
];

/// The library of Debian's package `faketime`.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Whether the library is installed; otherwise the test is reported as skipped.
fn has_faketime() -> bool {
    let is_installed = std::path::Path::new(FAKETIME).is_file();
    if !is_installed {
        skip("faketime");
    }
    is_installed
}

#[test]
fn p42_a_clock_set_back_extends_no_lease() {
    if !has_faketime() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("clock");
    let set = |clock: &str| {
        // Renaming is atomic: a reader never reads a partial file.
        let next = folder.path().join("next");
        fs::write(&next, clock).unwrap();
        fs::rename(&next, &file).unwrap();
    };
    set("+0");
    let clock = [
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let mut environments = NO_SETTINGS;
    environments[2] = &clock;
    let Some(mut cluster) = ReplicaCluster::start(environments) else {
        return;
    };
    cluster.start_load(Failures::Forbidden);
    let set_back = |proxy: &FaultProxy| {
        proxy.stall(ConnectionKind::Poll);
        set("-1h");
    };
    faults::changes_while(&cluster, rounds().div_ceil(4), set_back, |_| set("+0"));
    assert_heals(&cluster);
}

#[test]
fn p42_with_clocks_an_hour_apart_no_revoked_key_is_accepted_and_readyz_reports_the_difference() {
    if !has_faketime() {
        return;
    }
    let Some(mut cluster) = ReplicaCluster::start(WALL_CLOCKS) else {
        return;
    };
    for (replica, expected) in cluster.replicas.iter().zip([
        "ready; the database's clock is -",
        "ready\n",
        "ready; the database's clock is 3",
    ]) {
        let response = replica.server.get("/readyz", "");
        assert!(response.contains(expected), "{expected:?}: {response}");
    }
    let key = cluster.new_key(0);
    cluster.start_load(Failures::Forbidden);
    assert_whole(&faults::changes(&cluster, &[0, 1, 2]));
    cluster.stop_load();
    // The key is used on the replica that is ahead, then on the one that is behind.
    let last_used = || {
        cluster.database.number(&format!(
            "SELECT extract(epoch FROM last_used_at)::bigint FROM api_keys WHERE id = '{}'",
            key.id
        ))
    };
    assert_eq!(cluster.replicas[0].verify(&key.secret), Some(200));
    wait_until(|| {
        let used = format!(
            "SELECT count(*) FROM api_keys WHERE id = '{}' AND last_used_at IS NOT NULL",
            key.id
        );
        cluster.database.number(&used) == 1
    });
    let ahead = last_used();
    assert_eq!(cluster.replicas[2].verify(&key.secret), Some(200));
    // A server writes pending usage when it stops.
    cluster.replicas[2].server.signal("TERM");
    assert_eq!(cluster.replicas[2].server.wait_for_exit(), Some(0));
    assert_eq!(last_used(), ahead);
}
