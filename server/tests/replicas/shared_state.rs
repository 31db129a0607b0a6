//! Replicas share everything but their memory: sessions, throttles, tokens of requests that count once, and the key limit.

use std::thread;

use serde_json::Value;

use super::{NO_SETTINGS, scene::Scene};
use crate::support::{
    people::{PASSWORD, add_administrator, sign_in},
    server::get,
};

/// The status of a page that wants somebody who is signed in.
fn page(scene: &Scene, at: usize, session: &str) -> String {
    let address = &scene.replicas[at].server.address;
    let answer = get(
        address,
        "/tenant-api-keys",
        &format!("cookie: {session}\r\n"),
    );
    answer[9..12].to_owned()
}

#[test]
fn p12_p29_a_session_works_on_every_replica_and_ends_on_all_of_them_at_once() {
    let Some(scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let operator = &scene.replicas[0].latchkey;
    let email = ["mira@acme.example", "jon@acme.example", "noor@acme.example"];
    let sessions = email.map(|email| {
        add_administrator(operator, email);
        let address = &scene.replicas[0].server.address;
        sign_in(address, email, PASSWORD).1.unwrap()
    });
    let on_all = |session: &str, status: &str| {
        for at in 0..3 {
            assert_eq!(page(&scene, at, session), status, "replica {at}");
        }
    };
    for session in &sessions {
        on_all(session, "200");
    }
    operator
        .run(&["user", "disable", "--email", email[0]])
        .ended_well();
    on_all(&sessions[0], "303");
    let new_password = operator.run(&["user", "set-password", "--email", email[1]]);
    new_password.ended_well();
    on_all(&sessions[1], "303");
    on_all(&sessions[2], "200");
    let key = scene.new_key(0);
    for replica in &scene.replicas {
        assert_eq!(replica.ask(&key.secret), Some(200));
    }
    operator.run(&["tenant", "suspend", "acme"]).ended_well();
    for replica in &scene.replicas {
        assert_eq!(replica.ask(&key.secret), Some(403));
    }
    for at in 0..3 {
        assert_ne!(page(&scene, at, &sessions[2]), "200", "replica {at}");
    }
}

#[test]
fn p13_wrong_passwords_are_counted_over_all_replicas() {
    let Some(scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let email = "mira@acme.example";
    add_administrator(&scene.replicas[0].latchkey, email);
    for attempt in 0..10 {
        let address = &scene.replicas[attempt % 3].server.address;
        assert_eq!(sign_in(address, email, "not this one, surely").0, 422);
    }
    for replica in &scene.replicas {
        assert_eq!(sign_in(&replica.server.address, email, PASSWORD).0, 429);
    }
}

/// Does `work` fifty times at once, each time at the next replica.
fn fifty_at_once<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let started: Vec<_> = (0..50)
            .map(|number| scope.spawn(move || work(number % 3)))
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn p43_of_fifty_creates_at_once_on_three_replicas_exactly_one_finds_the_last_place() {
    let Some(scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let operator = &scene.replicas[0].latchkey;
    let used = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL";
    let body = format!(
        r#"{{"name":"Target","authorization_group_id":"{}"}}"#,
        scene.group
    );
    for _ in 0..super::rounds().min(50) {
        let limit = (scene.database.number(used) + 1).to_string();
        operator
            .run(&["tenant", "set-limit", "acme", &limit])
            .ended_well();
        let statuses = fifty_at_once(|at| scene.api(at, "POST", "/api-keys", &body).unwrap().0);
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(201), count(409)), (1, 49), "{statuses:?}");
        assert_eq!(scene.database.number(used).to_string(), limit);
    }
}

#[test]
fn p44_after_fifty_rotations_at_once_on_three_replicas_exactly_one_secret_works() {
    let Some(scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let key = scene.new_key(0);
    let path = format!("/api-keys/{}/rotate", key.id);
    let answers = fifty_at_once(|at| scene.api(at, "POST", &path, "").unwrap());
    let secrets: Vec<_> = answers
        .iter()
        .filter(|(status, _)| *status == 200)
        .map(|(_, answer)| answer["secret"].as_str().unwrap())
        .collect();
    assert!(!secrets.is_empty(), "{answers:?}");
    for replica in &scene.replicas {
        let works = |secret: &str| replica.ask(secret) == Some(200);
        assert_eq!(secrets.iter().filter(|secret| works(secret)).count(), 1);
        assert!(!works(&key.secret));
    }
}

#[test]
fn p45_rotating_and_revoking_at_once_on_two_replicas_ends_revoked() {
    let Some(scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    for _ in 0..super::rounds().min(200) {
        let key = scene.new_key(0);
        let change = |at: usize, what: &str| {
            let path = format!("/api-keys/{}/{what}", key.id);
            scene.api(at, "POST", &path, "").unwrap()
        };
        let (rotated, revoked) = thread::scope(|scope| {
            let rotated = scope.spawn(|| change(1, "rotate"));
            let revoked = scope.spawn(|| change(2, "revoke"));
            (rotated.join().unwrap(), revoked.join().unwrap())
        });
        assert_eq!(revoked.0, 200, "{revoked:?}");
        let mut secrets = vec![key.secret.as_str()];
        match rotated {
            (200, ref answer) => secrets.push(answer["secret"].as_str().unwrap()),
            (status, ref answer) => assert_eq!(status, 409, "{answer}"),
        }
        for replica in &scene.replicas {
            for secret in &secrets {
                assert_eq!(replica.ask(secret), Some(401));
            }
        }
    }
}

#[test]
fn p35_an_idempotency_key_counts_once_over_all_replicas() {
    let Some(scene) = Scene::start(NO_SETTINGS) else {
        return;
    };
    let body = format!(
        r#"{{"name":"Once","authorization_group_id":"{}"}}"#,
        scene.group
    );
    let answers: Vec<(u16, Value)> = fifty_at_once(|at| {
        let headers = "idempotency-key: nightly-7\r\n";
        scene
            .api_with(at, "POST", "/api-keys", headers, &body)
            .unwrap()
    });
    let with_secret = answers
        .iter()
        .filter(|(status, answer)| *status == 201 && answer["secret"].is_string());
    assert_eq!(with_secret.count(), 1, "{answers:?}");
    // The others came while it was in flight, or were answered once more.
    assert!(
        answers
            .iter()
            .all(|(status, _)| matches!(status, 201 | 409)),
        "{answers:?}"
    );
    let made = "SELECT count(*) FROM api_keys WHERE name = 'Once'";
    assert_eq!(scene.database.number(made), 1);
}
