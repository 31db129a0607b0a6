//! Replicas whose wall clocks are an hour apart: leases are on another clock, and what is written never goes back.

use super::{assert_whole, faults, load::Servers, scene::Scene, until::until};

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

#[test]
fn p42_clocks_that_are_an_hour_apart_let_no_dead_key_through_and_are_told() {
    if !std::path::Path::new(FAKETIME).is_file() {
        #[expect(
            clippy::disallowed_methods,
            reason = "xtask says so by the environment"
        )]
        let is_required = std::env::var_os("TEST_PROGRAMS").is_some();
        assert!(!is_required, "faketime is not installed");
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
