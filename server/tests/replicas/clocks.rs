//! Replicas whose wall clocks are an hour apart, or are set: leases are on another clock, and what is written never goes back.

use std::fs;

use tempfile::TempDir;

use super::{NO_SETTINGS, assert_heals, assert_whole, faults, rounds, scene::Scene};
use crate::support::{
    load::Servers,
    proxy::{Proxy, Which},
    skip::skip,
    until::until,
};

/// One an hour ahead, one an hour behind.
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

/// Debian's.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Whether clocks can be set here.
fn has_faketime() -> bool {
    let has = std::path::Path::new(FAKETIME).is_file();
    if !has {
        skip("faketime");
    }
    has
}

#[test]
fn p42_a_clock_that_is_set_back_makes_no_lease_longer() {
    if !has_faketime() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("clock");
    let set = |clock: &str| {
        // At once: who reads it meanwhile reads either, and not half of one.
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
    let Some(mut scene) = Scene::start(environments) else {
        return;
    };
    scene.under_load(Servers::AreWell);
    let set_back = |proxy: &Proxy| {
        proxy.stall(Which::Beat);
        set("-1h");
    };
    faults::changes_while(&scene, rounds().div_ceil(4), set_back, |_| set("+0"));
    assert_heals(&scene);
}

#[test]
fn p42_clocks_that_are_an_hour_apart_let_no_dead_key_through_and_are_told() {
    if !has_faketime() {
        return;
    }
    let Some(mut scene) = Scene::start(WALL_CLOCKS) else {
        return;
    };
    for (replica, says) in scene.replicas.iter().zip([
        "ready; the database's clock is -",
        "ready\n",
        "ready; the database's clock is 3",
    ]) {
        let answer = replica.server.get("/readyz", "");
        assert!(answer.contains(says), "{says:?}: {answer}");
    }
    let key = scene.new_key(0);
    scene.under_load(Servers::AreWell);
    assert_whole(&faults::changes(&scene, &[0, 1, 2]));
    scene.without_load();
    // Used at one hour, then at another: what is written never goes back.
    let last_used = || {
        scene.database.number(&format!(
            "SELECT extract(epoch FROM last_used_at)::bigint FROM api_keys WHERE id = '{}'",
            key.id
        ))
    };
    assert_eq!(scene.replicas[0].ask(&key.secret), Some(200));
    until(|| {
        let used = format!(
            "SELECT count(*) FROM api_keys WHERE id = '{}' AND last_used_at IS NOT NULL",
            key.id
        );
        scene.database.number(&used) == 1
    });
    let ahead = last_used();
    assert_eq!(scene.replicas[2].ask(&key.secret), Some(200));
    // Its end writes whatever is not written.
    scene.replicas[2].server.signal("TERM");
    assert_eq!(scene.replicas[2].server.ended(), Some(0));
    assert_eq!(last_used(), ahead);
}
